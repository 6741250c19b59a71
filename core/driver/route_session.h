// What to try next: the operator's routes one after the other, or the switch's with what failed before excluded.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/lifecycle.h"
#include "core/payment/payment.h"

namespace paytower {

/// How long another payment's failure counts against a channel and a node, as in lnd's mission control.
inline constexpr std::int64_t channel_memory_ns = 5 * ns_per_second;
inline constexpr std::int64_t node_memory_ns = 300 * ns_per_second;

struct Exclusions {
  std::vector<ChannelDirection> channels;
  std::vector<PublicKey> nodes;
};

/// Derived from failed attempts and stored nowhere: all of the payment's own, and those of `others` that are young
/// enough. Each counts once: what `others` says of the payment's own attempts is passed over. The payee itself is never
/// excluded.
[[nodiscard]] Exclusions exclusions_for(const Payment& payment, std::span<const RecentFailure> others, UnixNs now);

/// All given routes have been tried, or the demands leave none of them.
struct NothingLeft {
  FailureDetail detail{};
};

using NextRoute = std::variant<Route, RouteQuestion, NothingLeft>;

/// `ticket` is copied into a RouteQuestion.
[[nodiscard]] NextRoute next_route(const Payment& payment, std::span<const RecentFailure> others, UnixNs now,
                                   std::uint64_t ticket);

/// What the switch's answer comes to: a route that keeps to every demand and avoids all that was excluded, or why there
/// is none.
[[nodiscard]] std::variant<Route, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                                        const Exclusions& exclusions);

}  // namespace paytower
