// What lnd's only record of a hash proves about our attempts. Pure: no JSON, no client, no clock. lnd/README 11 has the
// table that this follows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/payment/look.h"
#include "core/switch/lnd/mark.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

/// How long lnd accepts a request, by its own clock (lnd/README 6).
inline constexpr std::int64_t handover_life_ns = 30 * ns_per_second;
/// lnd's clock may be set back by less than this between its check of a request's time and our question.
inline constexpr std::int64_t clock_grace_ns = 10 * ns_per_second;
/// The chain height that lnd tells may be ahead of the one that it uses to judge an HTLC (lnd/README 6).
inline constexpr std::uint32_t height_margin = 6;
/// If a peer does not confirm, a running lnd gives up after 60 s. So an older record that shows no HTLC probably has
/// none (lnd/README 4).
inline constexpr std::int64_t unsent_after_ns = 120 * ns_per_second;
/// Another database's fence that is older than this was left behind: the attempt that it guarded has died by its own
/// time (lnd/README 8).
inline constexpr std::int64_t fence_left_ns = 120 * ns_per_second;
/// The amount of a fence: the smallest that lnd takes.
inline constexpr Msat fence_amount = Msat::of(1);

/// Everything that lnd showed of a hash at one moment, and what this process knows besides.
struct Sight final : Shown {
  PaymentHash hash;
  std::optional<Record> record{};
  bool unreadable = false;            ///< there is a record, but nothing can be said about it
  UnixNs clock{};                     ///< lnd's own clock; never later than it really was
  std::uint32_t height = 0;           ///< 0 if lnd is not synced to the chain
  std::vector<AttemptKey> waiting{};  ///< sent by this process, and the answer can still come
  std::vector<AttemptKey> fenced{};   ///< this process has proven that no copy of them is on its way (holds_behind)
  /// Nothing if they were not asked for: it is only worth it for an old HTLC.
  std::optional<std::vector<OwnChannel>> channels{};

  [[nodiscard]] LookResult about(const StoreId& store, std::span<const Asked> attempts) const override;
};

/// No copy of the attempt's request can pass lnd's check of its time any more. A copy that passed before may still wait
/// for lnd's database.
[[nodiscard]] bool time_is_over(const std::optional<UnixNs>& dies_at, UnixNs clock);

/// The record is a fence, and an HTLC of this attempt's fence joined it later than `after`. So lnd has written after
/// every copy that had passed the check of its time by then, provided the record has been there for as long as a copy
/// may wait for lnd's database (lnd/README 7).
[[nodiscard]] bool holds_behind(const Record& record, const StoreId& store, const AttemptKey& key, UnixNs after);

/// An HTLC is so old that it is worth asking for the channels.
[[nodiscard]] bool wants_channels(const Record& record, UnixNs clock);

/// The record was made when a request that dies at that time could make one: every InitPayment makes it new.
[[nodiscard]] bool made_in_time_of(const Record& record, UnixNs dies_at);

/// The record is ours and nothing runs in it: every HTLC is from this store, and none is in flight.
[[nodiscard]] bool idle_and_ours(const Record& record, const StoreId& store);

}  // namespace paytower::lnd
