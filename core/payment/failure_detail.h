// Why there is no route, or none any more, in finer words than lnd's reasons: for people, and stored nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/payment/route.h"

namespace paytower {

enum class DetailCode : std::uint8_t {
  unexplained,                ///< nobody knows more; the switch's own words, where it said any
  fee_limit,                  ///< a route exists, and is dearer
  cltv_limit,                 ///< a route exists, and locks the amount for longer
  attempts_used_up,           ///< --max-attempts
  given_routes,               ///< none of --routes is left
  outgoing_channel_unknown,   ///< --outgoing-chan-id: our node has no such channel
  outgoing_channel_unusable,  ///< its peer is away, or it is not ready
  outgoing_channel_balance,   ///< it holds too little
  outgoing_channel_no_route,  ///< routes exist, and none begins with it
  no_channel,                 ///< our node has none that can be used now
  no_balance,                 ///< our channels together hold too little
  amount_in_one_part,         ///< they hold enough together, but no single channel, or no single path, carries it
  more_parts,                 ///< a set of routes exists, of more parts than may be open at once
  payee_unknown,              ///< neither the payee nor where a hint of its invoice begins is known to the network
  excluded,                   ///< every route uses what failed before
  attempts_failed,            ///< what the stored attempts tell, where nothing else was kept
};

/// "fee_limit": stable.
[[nodiscard]] std::string_view detail_name(DetailCode code);

struct FailureDetail {
  DetailCode code = DetailCode::unexplained;
  std::optional<Msat> fee{};             ///< of the route that breaks a limit
  std::optional<std::uint32_t> delay{};  ///< and for how many blocks it locks
  std::optional<Msat> held{};            ///< what our channels can send together; of one outgoing channel what it can
  std::optional<ShortChannelId> channel{};  ///< the outgoing one that is meant
  std::string words{};                      ///< the switch's: untrusted text, at most limits::max_failure_message_bytes
  std::optional<std::uint32_t> parts{};     ///< that the set has
  auto operator<=>(const FailureDetail&) const = default;
};

[[nodiscard]] inline FailureDetail detail_of(DetailCode code) {
  FailureDetail detail;
  detail.code = code;
  return detail;
}

/// The switch's words, cut to the bound and never in the middle of a UTF-8 character.
[[nodiscard]] std::string kept_words(const std::string& words);

/// lnd's reason for it.
[[nodiscard]] FailureReason reason_of(const FailureDetail& detail);

/// Routes that were found and may not be taken, and what that tells: the one limit that is in the way, if any.
class NearMisses {
 public:
  void add(const Route& route, const RouteDemand& demand);
  /// Nothing when no route was found that breaks a limit and nothing else. One whose fee alone is too high comes first.
  [[nodiscard]] std::optional<FailureDetail> detail() const;

 private:
  std::optional<FailureDetail> too_dear_;
  std::optional<FailureDetail> too_long_;
  std::optional<FailureDetail> both_;
};

/// One of our node's own channels.
struct SpendableChannel {
  ShortChannelId channel;
  bool usable = false;
  Msat spendable;
};
/// Whether they are what is in the way of a payment that costs about `fees`; nothing when one of them could carry it.
[[nodiscard]] std::optional<FailureDetail> explain_channels(std::span<const SpendableChannel> channels,
                                                            const RouteDemand& demand, Msat fees);

/// What the usable ones can send together.
[[nodiscard]] Msat held_together(std::span<const SpendableChannel> channels);

/// A part of the amount that shows whether the payee can be reached with less, and what the whole costs if that part
/// costs `fees`.
[[nodiscard]] Msat probe_amount(Msat amount);
[[nodiscard]] Msat fees_by_probe(Msat fees);

}  // namespace paytower
