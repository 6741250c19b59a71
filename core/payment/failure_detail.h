// Why there is no route, in finer words than lnd's reasons: for people.
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
  unexplained,                ///< no more is known; the switch's own words, if it said any
  fee_limit,                  ///< there is a route, but it costs too much
  cltv_limit,                 ///< there is a route, but it locks the amount for too long
  attempts_used_up,           ///< --max-attempts
  given_routes,               ///< none of the --routes is left
  outgoing_channel_unknown,   ///< --outgoing-chan-id: our node has no such channel
  outgoing_channel_unusable,  ///< the peer of that channel is away, or the channel is not ready
  outgoing_channel_balance,   ///< that channel holds too little
  outgoing_channel_no_route,  ///< there are routes, but none begins with that channel
  no_channel,                 ///< our node has no channel that can be used now
  no_balance,                 ///< our channels hold too little, all together
  amount_in_one_part,         ///< they hold enough together, but no single channel or path can carry the amount
  more_parts,                 ///< a set of routes exists, but it has more parts than may be open at once
  payee_unknown,              ///< the network does not know the payee, nor the node where a hint of its invoice begins
  excluded,                   ///< every route uses a channel or node that failed before
  attempts_failed,            ///< what the stored attempts tell, where nothing else was kept
  no_answer,                  ///< time ran out, and no question for routes had an answer that can be read; `words`: why
  amount_in_parts,            ///< the payee can be reached, but no set of parts carries the amount
};
inline constexpr DetailCode last_detail = DetailCode::amount_in_parts;

/// "fee_limit": stable, and stored.
[[nodiscard]] std::string_view detail_name(DetailCode code);
/// The code with this name; `unexplained` if there is none.
[[nodiscard]] DetailCode detail_code(std::string_view name);

struct FailureDetail {
  DetailCode code = DetailCode::unexplained;
  std::optional<Msat> fee{};             ///< of the route that breaks a limit
  std::optional<std::uint32_t> delay{};  ///< for how many blocks that route locks the amount
  /// What our channels can send together; for one outgoing channel: what that one can send.
  std::optional<Msat> held{};
  std::optional<ShortChannelId> channel{};  ///< the outgoing channel that is meant
  std::string words{};  ///< the switch's words: untrusted text, at most limits::max_failure_message_bytes
  std::optional<std::uint32_t> parts{};  ///< how many parts the set has
  auto operator<=>(const FailureDetail&) const = default;
};

[[nodiscard]] inline FailureDetail detail_of(DetailCode code) {
  FailureDetail detail;
  detail.code = code;
  return detail;
}

/// The switch's words, cut to the bound, but never in the middle of a UTF-8 character.
[[nodiscard]] std::string kept_words(const std::string& words);

/// lnd's reason for this detail.
[[nodiscard]] FailureReason reason_of(const FailureDetail& detail);

/// Collects routes that were found but may not be taken, and tells which limit is in the way, if it is one.
class NearMisses {
 public:
  void add(const Route& route, const RouteDemand& demand);
  /// Nothing unless a found route breaks a limit and nothing else. A route that only costs too much comes first.
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
/// What is wrong with our channels for a payment that costs about `fees`. Nothing when one of them could carry it.
[[nodiscard]] std::optional<FailureDetail> explain_channels(std::span<const SpendableChannel> channels,
                                                            const RouteDemand& demand, Msat fees);

/// What all usable channels together can send.
[[nodiscard]] Msat held_together(std::span<const SpendableChannel> channels);

/// A part of the amount, used to find out whether the payee can be reached with less; and what the whole would cost if
/// this part costs `fees`.
[[nodiscard]] Msat probe_amount(Msat amount);
[[nodiscard]] Msat fees_by_probe(Msat fees);

}  // namespace paytower
