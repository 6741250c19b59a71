#include "core/driver/route_session.h"

#include <algorithm>

#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

template <typename T> void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

template <typename T> bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Gathers verdicts; a node whose policy was at fault twice is avoided as a whole.
class Gatherer {
 public:
  Gatherer(const RouteDemand& demand, std::span<const ChannelPolicy> policies)
      : payee_(demand.destination), policies_(policies),
        most_(checked_add(demand.amount, demand.fee_limit).value_or(Msat::of(Msat::max_value))) {}

  void add(const Attempt& attempt) {
    Verdict verdict = judge(*attempt.failure, attempt.route);
    if (verdict.policy && !contains(policy_nodes_, verdict.policy_node)) forgive(verdict);
    for (const Hop& hop : attempt.route.hops) {
      const ChannelDirection channel{hop.channel, hop.direction};
      if (contains(verdict.exclude_channels, channel) && (verdict.lasting || hop.amount <= most_))
        add_once(found_.channels, channel);
    }
    for (const PublicKey& node : verdict.exclude_nodes) add_node(node);
    if (!verdict.policy || !verdict.policy_node) return;
    if (contains(policy_nodes_, verdict.policy_node)) add_node(*verdict.policy_node);
    policy_nodes_.push_back(verdict.policy_node);
  }

  Exclusions take() && { return std::move(found_); }

 private:
  /// The node's first policy failure, and it has said what it asks now.
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

  PublicKey payee_;
  std::span<const ChannelPolicy> policies_;
  Msat most_;  ///< that an HTLC of the payment may carry: no node takes a bound with an exclusion
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
  Gatherer gatherer(payment.request.demand, policies);
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

/// The invoice's own words about private channels are as old as the invoice: what their nodes have said since counts.
/// Told are the other channels, which the switch's graph has.
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

}  // namespace

NextRoute next_route(const Payment& payment, const QuestionContext& context) {
  const RouteDemand& demand = payment.request.demand;
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
  RouteQuestion question;
  question.ticket = context.ticket;
  question.demand = demand;
  if (!payment.request.invoice.empty()) question.hints = route_hints_of(payment.request.invoice);
  question.excluded_channels = std::move(avoid.channels);
  question.excluded_nodes = std::move(avoid.nodes);
  question.policies = renew_hints(question.hints, context.policies);
  question.memory = context.memory;
  question.store = context.store;
  question.now = context.now;
  return question;
}

std::variant<Route, NoRoute> judge_answer(const RouteAnswer& answer, const Payment& payment,
                                          const Exclusions& exclusions) {
  if (!answer.route) return NoRoute{answer.reason, answer.detail};
  const Route& route = *answer.route;
  const bool excluded = std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) {
    return contains(exclusions.channels, ChannelDirection{hop.channel, hop.direction}) ||
           contains(exclusions.nodes, hop.node);
  });
  if (excluded) return NoRoute{FailureReason::no_route, detail_of(DetailCode::excluded)};
  if (check_route(route, payment.request.demand)) return route;
  NearMisses refused;
  refused.add(route, payment.request.demand);
  return NoRoute{FailureReason::no_route, refused.detail().value_or(FailureDetail{})};
}

}  // namespace paytower
