// Collects what earlier attempts exclude, and makes routes fit the amount, the limits and each other.
#include "core/driver/route_session.h"

#include <algorithm>

#include "core/base/contains.h"
#include "core/driver/caution.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

template <typename T> void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// Collects verdicts. A node whose policy was wrong twice is avoided as a whole.
class Gatherer {
 public:
  Gatherer(const Payment& payment, std::span<const ChannelPolicy> policies)
      : payment_(payment), payee_(payment.request.demand.destination), policies_(policies),
        most_(checked_add(payment.request.demand.amount, payment.request.demand.fee_limit)
                  .value_or(Msat::of(Msat::max_value))),
        smaller_may_follow_(payment.request.max_parts > 1) {}

  void add(const Attempt& attempt) {
    Verdict verdict = judge(*attempt.failure, attempt.route);
    if (verdict.policy && !contains(policy_nodes_, verdict.policy_node)) forgive(verdict);
    for (const Hop& hop : attempt.route.hops) {
      const ChannelDirection channel{hop.channel, hop.direction};
      if (contains(verdict.exclude_channels, channel)) exclude(channel, hop.amount, verdict.lasting, attempt);
    }
    for (const PublicKey& node : verdict.exclude_nodes) add_node(node);
    if (!verdict.policy || !verdict.policy_node) return;
    if (contains(policy_nodes_, verdict.policy_node)) add_node(*verdict.policy_node);
    policy_nodes_.push_back(verdict.policy_node);
  }

  Exclusions take() && {
    found_.bounds.erase(
        std::remove_if(found_.bounds.begin(), found_.bounds.end(),
                       [&](const ChannelBound& bound) { return contains(found_.channels, bound.channel); }),
        found_.bounds.end());
    return std::move(found_);
  }

 private:
  void exclude(const ChannelDirection& channel, Msat carried, bool lasting, const Attempt& failed) {
    if (!lasting && smaller_may_follow_) return bound(channel, with_siblings(channel, carried, failed));
    if (lasting || carried <= most_) add_once(found_.channels, channel);
  }

  /// What the channel was asked to carry when it failed: other parts of the round used it too, also those that failed
  /// at it a moment later.
  [[nodiscard]] Msat with_siblings(const ChannelDirection& channel, Msat carried, const Attempt& failed) const {
    for (const Attempt& sibling : payment_.attempts) {
      const bool beside = !sibling.resolved || *sibling.resolved >= failed.registered;
      if (sibling.origin != AttemptOrigin::own || sibling.id != failed.id || !beside) continue;
      const Msat more = passed_over(sibling, channel).value_or(Msat{});
      carried = checked_add(carried, more).value_or(carried);
    }
    return carried;
  }

  void bound(const ChannelDirection& channel, Msat below) {
    for (ChannelBound& known : found_.bounds) {
      if (known.channel != channel) continue;
      known.below = std::min(known.below, below);
      return;
    }
    found_.bounds.push_back(ChannelBound{channel, below});
  }

  /// The node's first policy failure, and it has said what it demands now.
  void forgive(Verdict& verdict) const {
    auto& channels = verdict.exclude_channels;
    channels.erase(std::remove_if(channels.begin(), channels.end(),
                                  [&](const ChannelDirection& channel) {
                                    return std::any_of(policies_.begin(), policies_.end(),
                                                       [&](const ChannelPolicy& told) {
                                                         return told.channel == channel && !told.disabled;
                                                       });
                                  }),
                   channels.end());
  }

  void add_node(const PublicKey& node) {
    if (node != payee_) add_once(found_.nodes, node);
  }

  const Payment& payment_;
  PublicKey payee_;
  std::span<const ChannelPolicy> policies_;
  Msat most_;  ///< the most that an HTLC of the payment may carry: no node accepts a bound together with an exclusion
  bool smaller_may_follow_;
  Exclusions found_;
  std::vector<std::optional<PublicKey>> policy_nodes_;
};

bool was_full(const Attempt& attempt) { return attempt.failure && attempt.failure->code == FailureCode::channel_full; }

bool after(const Attempt& attempt, AttemptId id) { return attempt.id && *attempt.id > id; }

bool tried(const Payment& payment, const Route& route) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [&](const Attempt& a) { return a.origin == AttemptOrigin::own && a.route == route; });
}

}  // namespace

Exclusions exclusions_for(const Payment& payment, std::span<const ChannelPolicy> policies, AttemptId full_until) {
  Gatherer gatherer(payment, policies);
  for (const Attempt& attempt : payment.attempts) {
    const bool failed = attempt.outcome == AttemptOutcome::failed && attempt.failure;
    if (failed && (!was_full(attempt) || after(attempt, full_until))) gatherer.add(attempt);
  }
  return std::move(gatherer).take();
}

bool met_full_channel(const Payment& payment, AttemptId full_until, std::optional<ShortChannelId> channel) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& attempt) {
    const bool here = !channel || (!attempt.route.hops.empty() && attempt.route.hops.front().channel == *channel);
    return here && was_full(attempt) && after(attempt, full_until);
  });
}

namespace {

/// What the invoice says about private channels is as old as the invoice: newer words of their nodes replace it. `told`
/// gets the other channels, which are in the switch's graph.
std::vector<ChannelPolicy> renew_hints(std::vector<RouteHint>& hints, std::span<const ChannelPolicy> policies) {
  std::vector<ChannelPolicy> others;
  for (const ChannelPolicy& told : policies) {
    bool hinted = false;
    for (RouteHint& hint : hints) {
      for (HintHop& hop : hint) {
        if (hop.channel != told.channel.channel) continue;
        hinted = true;
        hop.fee_base_msat = told.forwarding.fee_base_msat;
        hop.fee_proportional_millionths = told.forwarding.fee_proportional_millionths;
        hop.cltv_expiry_delta = static_cast<std::uint16_t>(told.forwarding.cltv_delta);
      }
    }
    if (!hinted) others.push_back(told);
  }
  return others;
}

/// What the payment asks for, less what its parts have used up.
RouteDemand demand_left(const Payment& payment) {
  RouteDemand demand = payment.request.demand;
  demand.amount = payment.missing();
  demand.fee_limit = payment.fee_left();
  return demand;
}

Msat carried_over(const Route& route, const ChannelDirection& channel, Msat sum) {
  for (const Hop& hop : route.hops) {
    if (ChannelDirection{hop.channel, hop.direction} == channel)
      sum = checked_add(sum, hop.amount).value_or(Msat::of(Msat::max_value));
  }
  return sum;
}

/// The set uses a channel and, together with the open parts, would put more on it than it can carry.
bool breaks_bound(std::span<const Route> routes, const Payment& payment, const ChannelBound& bound) {
  Msat carried;
  for (const Route& route : routes) carried = carried_over(route, bound.channel, carried);
  if (carried == Msat{}) return false;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own && attempt.open())
      carried = carried_over(attempt.route, bound.channel, carried);
  }
  return carried >= bound.below;
}

bool uses_excluded(std::span<const Route> routes, const Payment& payment, const Exclusions& exclusions) {
  for (const Route& route : routes) {
    for (const Hop& hop : route.hops) {
      if (contains(exclusions.channels, ChannelDirection{hop.channel, hop.direction}) ||
          contains(exclusions.nodes, hop.node))
        return true;
    }
  }
  return std::any_of(exclusions.bounds.begin(), exclusions.bounds.end(),
                     [&](const ChannelBound& bound) { return breaks_bound(routes, payment, bound); });
}

/// The demand for one route of a set: it delivers a part, and may cost no more than all of them may.
std::variant<std::monostate, NoRoute> judge_route(const Route& route, RouteDemand demand, bool whole) {
  if (!whole) demand.amount = std::min(demand.amount, route.delivered());
  if (check_route(route, demand)) return std::monostate{};
  NearMisses refused;
  refused.add(route, demand);
  return NoRoute{FailureReason::no_route, refused.detail().value_or(FailureDetail{})};
}

/// R2: exactly what is missing, for no more than what is left of the fee limit.
std::optional<NoRoute> judge_sums(std::span<const Route> routes, const RouteDemand& demand) {
  Msat amount;
  Msat fees;
  for (const Route& route : routes) {
    amount = checked_add(amount, route.delivered()).value_or(Msat::of(Msat::max_value));
    fees = checked_add(fees, route.fees()).value_or(Msat::of(Msat::max_value));
  }
  if (amount != demand.amount) return NoRoute{FailureReason::no_route, {}};
  if (fees <= demand.fee_limit) return std::nullopt;
  FailureDetail dear = detail_of(DetailCode::fee_limit);
  dear.fee = fees;
  return NoRoute{FailureReason::no_route, dear};
}

}  // namespace

NextRoutes next_routes(const Payment& payment, std::uint32_t most_parts, const QuestionContext& context) {
  const RouteDemand& demand = payment.request.demand;
  const std::uint32_t parts = std::min(most_parts, payment.parts_left());
  if (parts == 0) return NothingLeft{detail_of(DetailCode::attempts_used_up)};
  if (!payment.request.candidates.empty()) {
    NearMisses refused;
    for (const Route& route : payment.request.candidates) {
      if (tried(payment, route)) continue;
      if (check_route(route, demand)) return route;
      refused.add(route, demand);
    }
    return NothingLeft{refused.detail().value_or(detail_of(DetailCode::given_routes))};
  }
  Exclusions avoid = exclusions_for(payment, context.policies, context.full_until);
  avoid.bounds = cautious(std::move(avoid.bounds), payment, context.caution);
  RouteQuestion question;
  question.ticket = context.ticket;
  question.demand = demand_left(payment);
  question.max_parts = parts;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own && attempt.open()) question.beside.push_back(attempt.route);
  }
  if (!payment.request.invoice.empty()) question.hints = route_hints_of(payment.request.invoice);
  question.excluded_channels = std::move(avoid.channels);
  question.excluded_nodes = std::move(avoid.nodes);
  question.bounds = std::move(avoid.bounds);
  question.tentative = context.caution > 0 && !question.bounds.empty();
  question.policies = renew_hints(question.hints, context.policies);
  question.advised = context.advised;
  question.memory = context.memory;
  question.store = context.store;
  question.now = context.now;
  return question;
}

std::variant<std::vector<Route>, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                                       const Exclusions& exclusions) {
  if (answer.routes.empty()) return NoRoute{answer.reason, answer.detail};
  if (uses_excluded(answer.routes, payment, exclusions))
    return NoRoute{FailureReason::no_route, detail_of(DetailCode::excluded)};
  const RouteDemand demand = demand_left(payment);
  for (const Route& route : answer.routes) {
    auto judged = judge_route(route, demand, answer.routes.size() == 1);
    if (auto* refused = std::get_if<NoRoute>(&judged)) return std::move(*refused);
  }
  if (auto refused = judge_sums(answer.routes, demand)) return std::move(*refused);
  if (answer.routes.size() > payment.parts_left())
    return NoRoute{FailureReason::no_route, detail_of(DetailCode::attempts_used_up)};
  return answer.routes;
}

namespace {

/// Every hop carries `by` more, or less: the fees stay the same.
void shift(Route& route, std::int64_t by) {
  for (Hop& hop : route.hops)
    hop.amount = Msat::of(static_cast<std::uint64_t>(static_cast<std::int64_t>(hop.amount.value()) + by));
}

/// The amounts over our channel, of the payment's attempts and of planned parts.
class FirstAmounts {
 public:
  explicit FirstAmounts(const Payment& payment) {
    for (const Attempt& attempt : payment.attempts) {
      if (attempt.origin == AttemptOrigin::own) add(attempt.route.total_amount());
    }
  }
  void add(Msat amount) { taken_.push_back(amount.value()); }
  [[nodiscard]] bool has(std::uint64_t amount) const {
    return std::find(taken_.begin(), taken_.end(), amount) != taken_.end();
  }

 private:
  std::vector<std::uint64_t> taken_;
};

/// A part with a single hop has no fee that could be raised: instead it delivers a little more or less, and another
/// part makes up for it.
void move_difference(std::vector<Route>& routes, std::size_t at, FirstAmounts& taken) {
  for (std::uint64_t by = 1; by <= most_difference && taken.has(routes[at].total_amount().value()); ++by) {
    const bool free = !taken.has(routes[at].total_amount().value() + by);
    if (!free) continue;
    const auto giver = std::find_if(routes.begin(), routes.end(), [&](const Route& other) {
      return &other != &routes[at] && other.delivered().value() > by && !taken.has(other.total_amount().value() - by);
    });
    if (giver == routes.end()) continue;
    shift(*giver, -static_cast<std::int64_t>(by));
    shift(routes[at], static_cast<std::int64_t>(by));
    if (giver - routes.begin() < static_cast<std::ptrdiff_t>(at)) taken.add(giver->total_amount());
  }
}

/// The payee gets `more`; each node on the way gets what its fee may have grown by.
void deliver_more(Route& route, std::uint64_t more) {
  for (std::size_t i = route.hops.size(); i > 0; --i) {
    Hop& hop = route.hops[i - 1];
    const std::uint64_t before = i > 1 ? route.hops[i - 2].amount.value() - hop.amount.value() : 0;
    const std::uint64_t grown = i > 1 ? 1 + more * (before + 1) / std::max<std::uint64_t>(hop.amount.value(), 1) : 0;
    hop.amount = Msat::of(hop.amount.value() + more);
    more += grown;
  }
}

Msat fees_of(const std::vector<Route>& routes) {
  Msat fees;
  for (const Route& route : routes) fees = checked_add(fees, route.fees()).value_or(Msat::of(Msat::max_value));
  return fees;
}

/// A set may fill a channel of ours to the last msat, which would then refuse more. So equal parts send less, and the
/// smallest part, which most likely has room, takes the difference.
std::vector<Route> with_less(std::vector<Route> routes, FirstAmounts taken) {
  const auto least = std::min_element(routes.begin(), routes.end(), [](const Route& one, const Route& other) {
    return one.total_amount() < other.total_amount();
  });
  std::uint64_t given = 0;
  for (auto route = routes.begin(); route != routes.end(); ++route) {
    if (route == least) continue;
    const std::uint64_t first = route->total_amount().value();
    std::uint64_t by = 0;
    while (by < most_difference && first > by && taken.has(first - by)) ++by;
    if (first > least->total_amount().value() + by && route->delivered().value() > by) {
      shift(*route, -static_cast<std::int64_t>(by));
      given += by;
    }
    taken.add(route->total_amount());
  }
  if (given > 0) deliver_more(*least, given);
  return routes;
}

}  // namespace

void tell_apart(std::vector<Route>& routes, const Payment& payment) {
  FirstAmounts taken(payment);
  if (routes.size() > 1) {
    std::vector<Route> moved = with_less(routes, taken);
    if (fees_of(moved) <= payment.fee_left()) routes = std::move(moved);
  }
  Msat spare = checked_sub(payment.fee_left(), fees_of(routes)).value_or(Msat{});
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].hops.size() == 1) move_difference(routes, i, taken);
    Hop& first = routes[i].hops.front();
    while (routes[i].hops.size() > 1 && taken.has(first.amount.value()) && spare > Msat{}) {
      first.amount = Msat::of(first.amount.value() + 1);
      spare = Msat::of(spare.value() - 1);
    }
    taken.add(first.amount);
  }
}

}  // namespace paytower
