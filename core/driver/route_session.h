// What to try next: the operator's routes one after the other, or the switch's with what failed before excluded.
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
  std::vector<ChannelBound> bounds{};  ///< one a channel, the lowest; what is out as a whole has none
};

/// M1: derived from the payment's own failed attempts and from nothing else, stored nowhere, each counted once. A
/// channel that did not carry an amount is out where as much may have to pass again, and is bounded where parts may be
/// smaller; a node whose policy failed a
/// second time is out as a whole. The payee itself is never excluded. `policies`: M4, where the failing node has told
/// its new policy, its channel may be used once again with it. `full_until`: a channel of ours that was full for this
/// attempt, or for an earlier one, may have room again.
[[nodiscard]] Exclusions exclusions_for(const Payment& payment, std::span<const ChannelPolicy> policies = {},
                                        AttemptId full_until = {});
/// A channel of ours, this one if it is given, was full for an attempt after `full_until`.
[[nodiscard]] bool met_full_channel(const Payment& payment, AttemptId full_until,
                                    std::optional<ShortChannelId> channel = {});

/// All given routes have been tried, or the demands leave none of them.
struct NothingLeft {
  FailureDetail detail{};
};

using NextRoutes = std::variant<Route, RouteQuestion, NothingLeft>;

/// What goes into a question beside the payment.
struct QuestionContext {
  std::uint64_t ticket = 0;
  std::shared_ptr<const MissionControl> memory{};  ///< nothing: the question without advice
  StoreId store{};
  UnixNs now{};
  std::span<const ChannelPolicy> policies{};  ///< that the payment has met on its way
  AttemptId full_until{};                     ///< see exclusions_for
  unsigned caution = 0;                       ///< see cautious()
};

/// `most_parts`: no more than these, whatever the payment allows.
[[nodiscard]] NextRoutes next_routes(const Payment& payment, std::uint32_t most_parts, const QuestionContext& context);

/// What the switch's answer comes to: routes that together deliver what is missing, keep to every demand and avoid all
/// that was excluded, or why there are none.
[[nodiscard]] std::variant<std::vector<Route>, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                                                     const Exclusions& exclusions);

inline constexpr std::uint64_t most_difference = 100;  ///< msat; more attempts than these no payment has

/// R5: no switch's list of HTLCs names a part, so that each attempt of a payment sends an amount of its own over our
/// channel. Equal parts of a set send a few msat less, and its smallest part more; where all are equal, 1 msat of fee
/// more at the first hop makes the difference, or 1 msat that moves between two parts of a single hop; where neither
/// can be, parts stay equal.
void tell_apart(std::vector<Route>& routes, const Payment& payment);

}  // namespace paytower
