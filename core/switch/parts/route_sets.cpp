// Makes a set of routes deliver exactly an amount, and checks it against every limit.
#include "core/switch/parts/route_sets.h"

#include <algorithm>
#include <utility>

#include "core/base/contains.h"
#include "core/base/limits.h"
#include "core/payment/policy.h"

namespace paytower {

namespace {

constexpr Msat all_money = Msat::of(Msat::max_value);

/// The most that reaches the payee when `arrives` has come to the start of the hint.
Msat most_delivered(const RouteHint& hint, const RouteQuestion& question, const PublicKey& own, Msat arrives) {
  std::uint64_t least = 0;
  std::uint64_t most = arrives.value();
  while (least < most) {
    const std::uint64_t middle = most - (most - least) / 2;
    const auto tail = tail_of(hint, question, own, Msat::of(middle));
    if (tail && tail->amount <= arrives) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return Msat::of(least);
}

/// Makes all amounts together exactly `wanted`. False if they are less.
bool take_off_excess(std::vector<Msat>& amounts, Msat wanted) {
  Msat sum;
  for (const Msat amount : amounts) sum = checked_add(sum, amount).value_or(all_money);
  const auto excess = checked_sub(sum, wanted);
  if (!excess || amounts.empty()) return false;
  Msat& largest = *std::max_element(amounts.begin(), amounts.end());
  const auto rest = checked_sub(largest, *excess);
  if (rest) largest = *rest;
  return rest.has_value();
}

/// Every hop carries this much less. False if one carries less than that.
bool take_off(Route& route, Msat less) {
  for (Hop& hop : route.hops) {
    const auto rest = checked_sub(hop.amount, less);
    if (!rest) return false;
    hop.amount = *rest;
  }
  return true;
}

}  // namespace

std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question, const PublicKey& own,
                                Msat delivered) {
  if (hint.empty() || hint.size() > limits::max_hops) return std::nullopt;
  HintTail tail;
  tail.entry = hint.front().node;
  tail.amount = delivered;
  tail.delay = question.demand.final_cltv_delta;
  for (std::size_t i = hint.size(); i > 0; --i) {
    const HintHop& from = hint[i - 1];
    const PublicKey to = i == hint.size() ? question.demand.destination : hint[i].node;
    const ChannelDirection channel{from.channel, static_cast<std::uint8_t>(from.node < to ? 0 : 1)};
    if (contains(question.excluded_channels, channel) || contains(question.excluded_nodes, from.node) || to == own)
      return std::nullopt;
    tail.hops.insert(tail.hops.begin(), Hop{channel.channel, channel.direction, to, tail.amount, tail.delay});
    if (from.node == own) return i == 1 ? std::optional(tail) : std::nullopt;
    const auto before = carried_before(policy_of(from), Carried{tail.amount, tail.delay});
    if (!before || before->delay > UINT32_MAX) return std::nullopt;
    tail.amount = before->amount;
    tail.delay = static_cast<std::uint32_t>(before->delay);
  }
  return tail;
}

std::optional<EntryAmount> amount_at_entry(const RouteHint& hint, const RouteQuestion& question, const PublicKey& own,
                                           std::uint32_t most) {
  const RouteDemand& demand = question.demand;
  for (std::uint32_t parts = most; parts > 1; --parts) {
    const auto tail = tail_of(hint, question, own, Msat::of((demand.amount.value() + parts - 1) / parts));
    if (!tail || tail->amount.value() > Msat::max_value / parts) return std::nullopt;
    // Fees are rounded down for each part: this much may be missing if the parts are not equal.
    const auto all = Msat::from(parts * (tail->amount.value() + tail->hops.size()));
    const auto fees = all ? checked_sub(*all, demand.amount) : std::nullopt;
    if (fees && *fees <= demand.fee_limit) return EntryAmount{parts, *all};
  }
  return std::nullopt;
}

std::vector<Route> deliver_together(std::vector<Route> routes, const RouteHint* hint, const RouteQuestion& question,
                                    const PublicKey& own) {
  std::vector<Msat> amounts;
  amounts.reserve(routes.size());
  for (const Route& route : routes)
    amounts.push_back(hint != nullptr ? most_delivered(*hint, question, own, route.delivered()) : route.delivered());
  if (!take_off_excess(amounts, question.demand.amount)) return {};
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto tail = hint != nullptr ? tail_of(*hint, question, own, amounts[i]) : std::nullopt;
    if (hint != nullptr && !tail) return {};
    const auto less = checked_sub(routes[i].delivered(), tail ? tail->amount : amounts[i]);
    if (!less || !take_off(routes[i], *less)) return {};
    if (tail) routes[i].hops.insert(routes[i].hops.end(), tail->hops.begin(), tail->hops.end());
  }
  return routes;
}

Loads loads_of(std::span<const Route> routes, bool first) {
  Loads loads;
  for (const Route& route : routes) {
    for (std::size_t i = first ? 0 : 1; i < route.hops.size(); ++i) {
      const Hop& hop = route.hops[i];
      Msat& load = loads[ChannelDirection{hop.channel, hop.direction}];
      load = checked_add(load, hop.amount).value_or(all_money);
    }
  }
  return loads;
}

namespace {

bool above_told_maximum(const Hop& hop, const RouteQuestion& question) {
  return std::any_of(question.policies.begin(), question.policies.end(), [&](const ChannelPolicy& told) {
    return told.channel == ChannelDirection{hop.channel, hop.direction} && hop.amount > told.htlc_max;
  });
}

}  // namespace

bool overloads(std::span<const Route> routes, const RouteQuestion& question) {
  for (const Route& route : routes) {
    if (std::any_of(route.hops.begin(), route.hops.end(),
                    [&](const Hop& hop) { return above_told_maximum(hop, question); }))
      return true;
  }
  const Loads ours = loads_of(routes);
  const Loads beside = loads_of(question.beside);
  return std::any_of(question.bounds.begin(), question.bounds.end(), [&](const ChannelBound& bound) {
    const auto load = ours.find(bound.channel);
    if (load == ours.end()) return false;
    const auto open = beside.find(bound.channel);
    const Msat there = open == beside.end() ? Msat{} : open->second;
    return checked_add(load->second, there).value_or(all_money) >= bound.below;
  });
}

Msat fees_of(std::span<const Route> routes) {
  Msat fees;
  for (const Route& route : routes) fees = checked_add(fees, route.fees()).value_or(all_money);
  return fees;
}

std::uint32_t longest_delay(std::span<const Route> routes) {
  std::uint32_t longest = 0;
  for (const Route& route : routes) longest = std::max(longest, route.total_delay());
  return longest;
}

namespace {

/// Without any limits.
bool delivers_all(std::span<const Route> routes, const RouteQuestion& question) {
  if (routes.empty() || routes.size() > question.max_parts) return false;
  Msat amount;
  for (const Route& route : routes) {
    RouteDemand part = question.demand;
    part.amount = route.delivered();
    part.fee_limit = all_money;
    part.cltv_limit = limits::max_cltv_delta;
    if (!check_route(route, part) || (routes.size() > 1 && part.amount < least_part)) return false;
    amount = checked_add(amount, part.amount).value_or(all_money);
  }
  return amount == question.demand.amount;
}

}  // namespace

bool keeps_to_demand(std::span<const Route> routes, const RouteQuestion& question) {
  return delivers_all(routes, question) && fees_of(routes) <= question.demand.fee_limit &&
         longest_delay(routes) <= question.demand.cltv_limit;
}

std::optional<FailureDetail> broken_limit(std::span<const Route> routes, const RouteQuestion& question) {
  const bool dear = fees_of(routes) > question.demand.fee_limit;
  if (!delivers_all(routes, question) || keeps_to_demand(routes, question)) return std::nullopt;
  FailureDetail detail = detail_of(dear ? DetailCode::fee_limit : DetailCode::cltv_limit);
  detail.fee = fees_of(routes);
  detail.delay = longest_delay(routes);
  return detail;
}

}  // namespace paytower
