// What lnd's one record of a hash proves of our attempts. Pure: no JSON, no client, no clock. The table that this
// follows is lnd/README 11.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/payment/look.h"
#include "core/switch/lnd/mark.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

/// How long a hand-over is taken, by lnd's clock (lnd/README 6).
inline constexpr std::int64_t handover_life_ns = 30 * ns_per_second;
/// lnd's clock may be set back by less than this between the check of a hand-over's time and our question.
inline constexpr std::int64_t clock_grace_ns = 10 * ns_per_second;
/// The chain's height that lnd tells may be ahead of the one by which it judges an HTLC (lnd/README 6).
inline constexpr std::uint32_t height_margin = 6;
/// A living lnd ends what its peer does not confirm after 60 s: what is older and shows no HTLC has probably none
/// (lnd/README 4).
inline constexpr std::int64_t unsent_after_ns = 120 * ns_per_second;
/// Another database's fence that is older than this was left behind: what it guarded has died by its own time
/// (lnd/README 8).
inline constexpr std::int64_t fence_left_ns = 120 * ns_per_second;
/// What a fence is worth: lnd takes no less.
inline constexpr Msat fence_amount = Msat::of(1);

/// Everything that lnd showed of a hash at one moment, and what this process knows beside it.
struct Sight final : Shown {
  PaymentHash hash;
  std::optional<Record> record{};
  bool unreadable = false;            ///< there is a record, of which nothing can be said
  UnixNs clock{};                     ///< lnd's own; never later than it was
  std::uint32_t height = 0;           ///< 0 where lnd is not synced to the chain
  std::vector<AttemptKey> waiting{};  ///< handed over by this process, and the answer can still come
  std::vector<AttemptKey> fenced{};   ///< of which this process has proven that no copy is on its way (holds_behind)
  /// Nothing where they were not asked for: only an old HTLC makes them worth it.
  std::optional<std::vector<OwnChannel>> channels{};

  [[nodiscard]] LookResult about(const StoreId& store, std::span<const Asked> attempts) const override;
};

/// No copy of the attempt's hand-over passes lnd's check of its time any more. One that passed it may still wait for
/// lnd's database.
[[nodiscard]] bool time_is_over(const std::optional<UnixNs>& dies_at, UnixNs clock);

/// The record is a fence, which an HTLC of this attempt's fence joined later than `after`: a write behind every copy
/// that had passed the check of its time by then, once the record has stood for as long as a copy may wait for lnd's
/// database (lnd/README 7).
[[nodiscard]] bool holds_behind(const Record& record, const StoreId& store, const AttemptKey& key, UnixNs after);

/// An HTLC is so old that it is worth to ask for the channels.
[[nodiscard]] bool wants_channels(const Record& record, UnixNs clock);

/// The record was made when a hand-over that dies then could make one: every InitPayment makes it new.
[[nodiscard]] bool made_in_time_of(const Record& record, UnixNs dies_at);

/// The record is ours and nothing runs in it: every HTLC is of this store, and none is in flight.
[[nodiscard]] bool idle_and_ours(const Record& record, const StoreId& store);

}  // namespace paytower::lnd
