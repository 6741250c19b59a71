// Routes that deliver an amount together: what is asked for them, and what an answer must keep to. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/failure_detail.h"

namespace paytower {

/// No part of several is smaller: each costs base fees, and a place among the HTLCs of every channel on its way.
inline constexpr Msat least_part = Msat::of(10'000);

/// The hops of a route hint behind its entry node, and what has to reach that node.
struct HintTail {
  PublicKey entry;
  std::vector<Hop> hops;
  Msat amount;              ///< the entry node must receive this
  std::uint32_t delay = 0;  ///< and this many blocks
};
/// Where `delivered` is to reach the payee. Nothing for a hint that is empty, too long, too dear for an Msat, or that
/// uses what the question excludes. `own`: a hint that begins at our node asks no fee of ourselves.
[[nodiscard]] std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question,
                                              const PublicKey& own, Msat delivered);

/// What `parts` parts together bring to the entry of a hint, enough for the fees that its hops ask of each part.
struct EntryAmount {
  std::uint32_t parts = 1;
  Msat amount;
};
/// As many parts as `most`, or fewer where the fees of the hint's hops alone would break the limit. Nothing where that
/// leaves a single one.
[[nodiscard]] std::optional<EntryAmount> amount_at_entry(const RouteHint& hint, const RouteQuestion& question,
                                                         const PublicKey& own, std::uint32_t most);

/// Routes to the entry of `hint` made into routes to the payee, which deliver exactly the question's amount together.
/// What they bring too much is taken off the largest part. Without a hint they lead to the payee already. Nothing where
/// they bring too little.
[[nodiscard]] std::vector<Route> deliver_together(std::vector<Route> routes, const RouteHint* hint,
                                                  const RouteQuestion& question, const PublicKey& own);

/// What each channel carries, all routes together.
using Loads = std::map<ChannelDirection, Msat>;
/// `first`: with our own channels, whose node knows for itself what is pending there.
[[nodiscard]] Loads loads_of(std::span<const Route> routes, bool first = true);

/// True where a channel of `routes` would carry as much as one of the bounds, counted with our open parts, or one HTLC
/// above the maximum that its node has told.
[[nodiscard]] bool overloads(std::span<const Route> routes, const RouteQuestion& question);

/// The sum of all fees, as one fee limit is theirs together.
[[nodiscard]] Msat fees_of(std::span<const Route> routes);
[[nodiscard]] std::uint32_t longest_delay(std::span<const Route> routes);

/// R2: each is a route as demanded for its own amount, and together they deliver exactly what is asked for, at no more
/// than the fee limit, in parts that are not too many and not too small.
[[nodiscard]] bool keeps_to_demand(std::span<const Route> routes, const RouteQuestion& question);

/// The limit that is all that is in the way of a set of several; nothing where it is not that.
[[nodiscard]] std::optional<FailureDetail> broken_limit(std::span<const Route> routes, const RouteQuestion& question);

}  // namespace paytower
