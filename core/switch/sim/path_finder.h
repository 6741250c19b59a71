// The cheapest route that keeps to every limit.
#pragma once

#include <map>
#include <optional>

#include "core/ports.h"
#include "core/switch/sim/graph.h"

namespace paytower::sim {

/// What the own side of each own channel can spend.
using OwnBalances = std::map<ShortChannelId, Msat>;
[[nodiscard]] OwnBalances own_balances(LedgerTx& tx);

struct FoundRoute {
  std::optional<Route> route;
  /// Without a route: insufficient_balance when there would be one if only our own channels held more, else no_route.
  FailureReason reason = FailureReason::no_route;
};

/// Searches backwards from the payee, by the sum of fees and a price for locked money (15 billionths of the amount
/// for each block, as lnd counts). Exact within at most 32 alternatives kept for a node; equal routes are told apart
/// by fewer hops, then by channel ids, so that the same question gets the same answer.
[[nodiscard]] FoundRoute find_route(const Graph& graph, const OwnBalances& balances, const RouteQuestion& question);

}  // namespace paytower::sim
