// The cheapest route that keeps to every limit.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/sim/graph.h"

namespace paytower::sim {

/// What the own side of each own channel can spend.
using OwnBalances = std::map<ShortChannelId, Msat>;
[[nodiscard]] OwnBalances own_balances(LedgerTx& tx);

/// What a node says when it finds none.
inline constexpr const char* no_route_words = "Could not find a route";
[[nodiscard]] std::string unknown_payee_words(const PublicKey& payee);

/// Searches backwards from the payee, by the sum of fees and a price for locked money (15 billionths of the amount
/// for each block, as lnd counts), and a price for what the question's memory speaks against. Exact within at most 32
/// alternatives kept for a node; equal routes are told apart by fewer hops, then by channel ids, so that the same
/// question gets the same answer.
[[nodiscard]] std::optional<Route> find_route(const Graph& graph, const OwnBalances& balances,
                                              const RouteQuestion& question);

}  // namespace paytower::sim
