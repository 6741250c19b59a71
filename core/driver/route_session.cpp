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
  explicit Gatherer(const PublicKey& payee) : payee_(payee) {}

  void add(const Verdict& verdict, bool channels, bool nodes) {
    if (channels) {
      for (const ChannelDirection& channel : verdict.exclude_channels) add_once(found_.channels, channel);
    }
    if (!nodes) return;
    for (const PublicKey& node : verdict.exclude_nodes) add_node(node);
    if (!verdict.policy || !verdict.policy_node) return;
    if (contains(policy_nodes_, *verdict.policy_node)) add_node(*verdict.policy_node);
    policy_nodes_.push_back(*verdict.policy_node);
  }

  Exclusions take() && { return std::move(found_); }

 private:
  void add_node(const PublicKey& node) {
    if (node != payee_) add_once(found_.nodes, node);
  }

  PublicKey payee_;
  Exclusions found_;
  std::vector<PublicKey> policy_nodes_;
};

bool tried(const Payment& payment, const Route& route) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [&](const Attempt& a) { return a.origin == AttemptOrigin::own && a.route == route; });
}

}  // namespace

Exclusions exclusions_for(const Payment& payment, std::span<const RecentFailure> others, UnixNs now) {
  Gatherer gatherer(payment.request.demand.destination);
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.outcome == AttemptOutcome::failed && attempt.failure)
      gatherer.add(judge(*attempt.failure, attempt.route), true, true);
  }
  for (const RecentFailure& other : others) {
    if (other.id && payment.find(*other.id) != nullptr) continue;  // one of its own: counted above
    const std::int64_t age = now.value - other.at.value;
    if (age > node_memory_ns) continue;
    gatherer.add(judge(other.failure, other.route), age <= channel_memory_ns, true);
  }
  return std::move(gatherer).take();
}

NextRoute next_route(const Payment& payment, std::span<const RecentFailure> others, UnixNs now, std::uint64_t ticket) {
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
  Exclusions avoid = exclusions_for(payment, others, now);
  RouteQuestion question;
  question.ticket = ticket;
  question.demand = demand;
  if (!payment.request.invoice.empty()) question.hints = route_hints_of(payment.request.invoice);
  question.excluded_channels = std::move(avoid.channels);
  question.excluded_nodes = std::move(avoid.nodes);
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
