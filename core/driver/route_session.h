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
};

/// M1: derived from the payment's own failed attempts and from nothing else, stored nowhere, each counted once. A
/// channel that did not carry an amount is out where as much may have to pass again; a node whose policy failed a
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

using NextRoute = std::variant<Route, RouteQuestion, NothingLeft>;

/// What goes into a question beside the payment.
struct QuestionContext {
  std::uint64_t ticket = 0;
  std::shared_ptr<const MissionControl> memory{};  ///< nothing: the question without advice
  StoreId store{};
  UnixNs now{};
  std::span<const ChannelPolicy> policies{};  ///< that the payment has met on its way
  AttemptId full_until{};                     ///< see exclusions_for
};

[[nodiscard]] NextRoute next_route(const Payment& payment, const QuestionContext& context);

/// What the switch's answer comes to: a route that keeps to every demand and avoids all that was excluded, or why there
/// is none.
[[nodiscard]] std::variant<Route, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                                        const Exclusions& exclusions);

}  // namespace paytower
