// Several routes that together deliver an amount which no single one carries.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/sim/path_finder.h"

namespace paytower::sim {

/// No part is smaller, unless it is the whole payment.
inline constexpr Msat least_part = Msat::of(10'000);

/// At most `most` routes, the largest first, which together deliver question.demand.amount and cost no more than its
/// fee limit; each keeps to every other limit of the question, and all of them together to what each direction can
/// carry. Nothing where none are found.
///
/// The amount flows from the payee back to our channels, path by path, the cheapest first, each over what the ones
/// before have left; a path may push back what another one has taken. The flow is cut into parts, and these are checked
/// by the arithmetic of every route: where fees are too much for a channel, the flow is told to leave room there, and
/// is planned again. Where that leads to nothing, what finds no route is halved, as lnd does.
[[nodiscard]] std::optional<std::vector<Route>> find_routes(const Graph& graph, const OwnBalances& balances,
                                                            const RouteQuestion& question, std::uint32_t most,
                                                            const Room& room = {});

}  // namespace paytower::sim
