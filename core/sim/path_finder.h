// The cheapest route that keeps to every limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/driver/ports.h"
#include "core/sim/graph.h"
#include "core/sim/terms.h"

namespace paytower::sim {

[[nodiscard]] OwnBalances own_balances(LedgerTx& tx);

/// The price of a block of locked money, for each msat.
inline constexpr std::uint64_t risk_billionths = 15;

/// What a node says when it finds none.
inline constexpr const char* no_route_words = "Could not find a route";
[[nodiscard]] std::string unknown_payee_words(const PublicKey& payee);

/// Searches backwards from the payee, by the sum of fees and a price for locked money (15 billionths of the amount
/// for each block, as lnd counts), and a price for what the question's memory speaks against. Exact within at most 32
/// alternatives kept for a node; equal routes are told apart by fewer hops, then by channel ids, so that the same
/// question gets the same answer.
[[nodiscard]] std::optional<Route> find_route(const Graph& graph, const OwnBalances& balances,
                                              const RouteQuestion& question, const Room& room = {});

}  // namespace paytower::sim
