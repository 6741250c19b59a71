// Several routes that together deliver an amount, when no single route can carry it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/sim/path_finder.h"

namespace paytower::sim {

/// No part is smaller than this, unless it is the whole payment.
inline constexpr Msat least_part = Msat::of(10'000);

/// At most `most` routes, the largest first, which together deliver question.demand.amount and cost no more than its
/// fee limit. Each keeps to all other limits of the question, and all of them together to what each direction can
/// carry. Nothing if none are found.
///
/// The amount flows from the payee back to our channels, path by path, the cheapest first. Each path uses what those
/// before it have left, and may push back what another one has taken. The flow is cut into parts, which are checked
/// like any route. If fees are too much for a channel, the flow has to leave room there and is planned again. If that
/// leads nowhere, amounts without a route are halved, as lnd does.
[[nodiscard]] std::optional<std::vector<Route>> find_routes(const Graph& graph, const OwnBalances& balances,
                                                            const RouteQuestion& question, std::uint32_t most,
                                                            const Room& room = {});

}  // namespace paytower::sim
