// What to try next: the operator's routes one after the other, or the switch's routes without what failed before.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/lifecycle.h"
#include "core/payment/payment.h"

namespace paytower {

struct Exclusions {
  std::vector<ChannelDirection> channels;
  std::vector<PublicKey> nodes;
  /// One for each channel, the lowest; a channel that is excluded as a whole has none.
  std::vector<ChannelBound> bounds{};
};

/// M1: worked out from the payment's own failed attempts alone; not stored, and each attempt counts once. A channel
/// that did not carry an amount is excluded if as much may have to pass again, and bounded if parts may be smaller. A
/// node whose policy failed a second time is excluded as a whole. The payee is never excluded. `policies` (M4): if the
/// failing node has told its new policy, its channel may be used once more with it. `full_until`: a channel of ours
/// that was full for this attempt, or for an earlier one, may have room again.
[[nodiscard]] Exclusions exclusions_for(const Payment& payment, std::span<const ChannelPolicy> policies = {},
                                        AttemptId full_until = {});
/// A channel of ours (this one, if given) was full for an attempt after `full_until`.
[[nodiscard]] bool met_full_channel(const Payment& payment, AttemptId full_until,
                                    std::optional<ShortChannelId> channel = {});

/// All given routes have been tried, or none of the rest keeps to the demands.
struct NothingLeft {
  FailureDetail detail{};
};

using NextRoutes = std::variant<Route, RouteQuestion, NothingLeft>;

/// What a question needs besides the payment.
struct QuestionContext {
  std::uint64_t ticket = 0;
  bool advised = true;                             ///< RouteQuestion::advised
  std::shared_ptr<const MissionControl> memory{};  ///< RouteQuestion::memory
  StoreId store{};
  UnixNs now{};
  std::span<const ChannelPolicy> policies{};  ///< what the payment has met on its way
  AttemptId full_until{};                     ///< see exclusions_for
  unsigned caution = 0;                       ///< see cautious()
};

/// `most_parts`: not more than these, even if the payment allows more.
[[nodiscard]] NextRoutes next_routes(const Payment& payment, std::uint32_t most_parts, const QuestionContext& context);

/// What the switch's answer is worth: routes that together deliver what is missing, keep to every demand and avoid
/// everything excluded; or the reason why there are none.
[[nodiscard]] std::variant<std::vector<Route>, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                                                     const Exclusions& exclusions);

inline constexpr std::uint64_t most_difference = 100;  ///< in msat; no payment has more attempts than these

/// R5: no switch's list of HTLCs says which part an HTLC belongs to. So each attempt of a payment sends an amount of
/// its own over our channel. Equal parts of a set send a few msat less, and the smallest part sends more. If all are
/// equal, 1 msat more of fee at the first hop makes the difference, or 1 msat that moves between two parts with a
/// single hop. If neither is possible, parts stay equal.
void tell_apart(std::vector<Route>& routes, const Payment& payment);

}  // namespace paytower
