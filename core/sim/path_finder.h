// The cheapest route within all limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/driver/ports.h"
#include "core/sim/graph.h"
#include "core/sim/terms.h"

namespace paytower::sim {

[[nodiscard]] OwnBalances own_balances(LedgerTx& tx);

/// The price of locking a msat for one block.
inline constexpr std::uint64_t risk_billionths = 15;

/// What a node says if it finds no route.
inline constexpr const char* no_route_words = "Could not find a route";
[[nodiscard]] std::string unknown_payee_words(const PublicKey& payee);

/// Searches backwards from the payee, by the sum of fees, a price for locked money (15 billionths of the amount for
/// each block, as in lnd), and a price for what the question's memory speaks against. Exact as long as no node has more
/// than 32 alternatives. Among equal routes the one with fewer hops wins, then the one with lower channel ids, so the
/// same question always gets the same answer.
[[nodiscard]] std::optional<Route> find_route(const Graph& graph, const OwnBalances& balances,
                                              const RouteQuestion& question, const Room& room = {});

}  // namespace paytower::sim
