// Routes that deliver an amount together: what to ask for, and what an answer must keep to. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/failure_detail.h"

namespace paytower {

/// If there are several parts, none is smaller: each costs base fees, and a place among the HTLCs of every channel it
/// uses.
inline constexpr Msat least_part = Msat::of(10'000);

/// The hops of a route hint after its entry node, and what has to reach that node.
struct HintTail {
  PublicKey entry;
  std::vector<Hop> hops;
  Msat amount;              ///< the entry node must receive this amount
  std::uint32_t delay = 0;  ///< and have this many blocks
};
/// So that `delivered` reaches the payee. Nothing for a hint that is empty or too long, costs more than an Msat can
/// hold, or uses what the question excludes. `own`: if the hint begins at our node, we pay no fee to ourselves.
[[nodiscard]] std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question,
                                              const PublicKey& own, Msat delivered);

/// What `parts` parts have to bring to the entry of a hint, all together, so that the fees of its hops are paid for
/// each.
struct EntryAmount {
  std::uint32_t parts = 1;
  Msat amount;
};
/// The largest number of parts, from `most` down to 2, whose fees on the hint stay within the fee limit, and what these
/// parts bring to its entry. nullopt if not even two parts do.
[[nodiscard]] std::optional<EntryAmount> amount_at_entry(const RouteHint& hint, const RouteQuestion& question,
                                                         const PublicKey& own, std::uint32_t most);

/// Turns routes to the entry of `hint` into routes to the payee that together deliver exactly the question's amount.
/// What is too much is taken off the largest part. Without a hint they lead to the payee already. Nothing if they bring
/// too little.
[[nodiscard]] std::vector<Route> deliver_together(std::vector<Route> routes, const RouteHint* hint,
                                                  const RouteQuestion& question, const PublicKey& own);

/// What each channel carries, for all routes together.
using Loads = std::map<ChannelDirection, Msat>;
/// `first`: include our own channels, although their node knows what is pending there.
[[nodiscard]] Loads loads_of(std::span<const Route> routes, bool first = true);

/// True if a channel of `routes`, counted with our open parts, would carry as much as one of the bounds, or if one HTLC
/// is above the maximum that the channel's node has told.
[[nodiscard]] bool overloads(std::span<const Route> routes, const RouteQuestion& question);

/// The sum of all fees, because one fee limit is for all of them.
[[nodiscard]] Msat fees_of(std::span<const Route> routes);
[[nodiscard]] std::uint32_t longest_delay(std::span<const Route> routes);

/// R2: each part is a valid route for its own amount; together they deliver exactly what is asked for, within the fee
/// limit, in not too many and not too small parts.
[[nodiscard]] bool keeps_to_demand(std::span<const Route> routes, const RouteQuestion& question);

/// The one limit that is in the way of a set of several parts. Nothing if that is not the reason.
[[nodiscard]] std::optional<FailureDetail> broken_limit(std::span<const Route> routes, const RouteQuestion& question);

}  // namespace paytower
