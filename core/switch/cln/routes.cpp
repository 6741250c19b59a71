#include "core/switch/cln/routes.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/layered_route.h"
#include "core/switch/sim/graph.h"

namespace paytower::cln {

namespace {

constexpr std::uint32_t usual_risk = 10;     ///< the node's documentation's own example
constexpr std::uint32_t fees_first = 0;
constexpr std::uint32_t delays_first = 1'000;

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// What must reach `hop.node` so that it passes `amount` on.
std::optional<Msat> with_fee(const HintHop& hop, Msat amount) {
  sim::Policy policy;
  policy.fee_base_msat = hop.fee_base_msat;
  policy.fee_proportional_millionths = hop.fee_proportional_millionths;
  const auto fee = sim::fee_of(policy, amount);
  return fee ? checked_add(amount, *fee) : std::nullopt;
}

}  // namespace

std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question, const PublicKey& own) {
  if (hint.empty() || hint.size() > limits::max_hops) return std::nullopt;
  HintTail tail;
  tail.entry = hint.front().node;
  tail.amount = question.demand.amount;
  tail.delay = question.demand.final_cltv_delta;
  for (std::size_t i = hint.size(); i > 0; --i) {
    const HintHop& from = hint[i - 1];
    const PublicKey to = i == hint.size() ? question.demand.destination : hint[i].node;
    const ChannelDirection channel{from.channel, static_cast<std::uint8_t>(from.node < to ? 0 : 1)};
    if (contains(question.excluded_channels, channel) || contains(question.excluded_nodes, from.node) || to == own) return std::nullopt;
    tail.hops.insert(tail.hops.begin(), Hop{channel.channel, channel.direction, to, tail.amount, tail.delay});
    if (from.node == own) return i == 1 ? std::optional(tail) : std::nullopt;
    const auto before = with_fee(from, tail.amount);
    if (!before) return std::nullopt;
    tail.amount = *before;
    tail.delay += from.cltv_expiry_delta;
  }
  return tail;
}

RouteSearch::RouteSearch(RpcClient& client, RouteQuestion question, const PublicKey& own, Done done)
    : client_(client), question_(std::move(question)), own_(own), done_(std::move(done)) {
  targets_.emplace_back();
  for (const RouteHint& hint : question_.hints) {
    if (targets_.size() > max_hints) break;
    if (auto tail = tail_of(hint, question_, own_)) targets_.push_back(std::move(tail));
  }
}

void RouteSearch::start() {
  // An empty route, which is what the node answers for itself, kills it when it is sent twice.
  if (question_.demand.destination == own_) return done_(RouteAnswer{question_.ticket, {}, FailureReason::no_route});
  if (question_.demand.outgoing_channels.empty()) return ask_next();
  ask_own_channels(&RouteSearch::keep_to_outgoing);
}

void RouteSearch::ask_own_channels(void (RouteSearch::*next)()) {
  client_.call("listpeerchannels", nlohmann::json::object(), [self = shared_from_this(), next](const RpcReply& reply) {
    self->channels_ = reply.result ? read_own_channels(*reply.result) : std::vector<OwnChannel>{};
    ((*self).*next)();
  });
}

/// getroute knows no such demand: every other channel of ours is excluded.
void RouteSearch::keep_to_outgoing() {
  for (const OwnChannel& own : *channels_) {
    if (!contains(question_.demand.outgoing_channels, own.channel)) question_.excluded_channels.push_back({own.channel, own.direction});
  }
  ask_next();
}

void RouteSearch::ask_next() {
  const auto& tail = targets_[target_];
  if (tail && tail->entry == own_) return take(Route{tail->hops}, delays_first);
  ask(usual_risk);
}

RouteParams RouteSearch::target() const {
  const auto& tail = targets_[target_];
  RouteParams asked;
  asked.to = tail ? tail->entry : question_.demand.destination;
  asked.amount = tail ? tail->amount : question_.demand.amount;
  asked.final_delay = tail ? tail->delay : question_.demand.final_cltv_delta;
  asked.max_hops = limits::max_hops - (tail ? tail->hops.size() : 0);
  return asked;
}

void RouteSearch::ask(std::uint32_t risk_factor) {
  RouteParams asked = target();
  asked.risk_factor = risk_factor;
  if (asked.max_hops == 0) return next_target();
  if (client_.lacks("getroute")) return ask_layered();
  client_.call("getroute", getroute_params(asked, question_.excluded_channels, question_.excluded_nodes),
               [self = shared_from_this(), risk_factor](const RpcReply& reply) { self->read(reply, risk_factor); });
}

void RouteSearch::read(const RpcReply& reply, std::uint32_t risk_factor) {
  if (no_such_method(reply)) {
    client_.note_lacking("getroute");
    return ask_layered();
  }
  found(reply.result ? read_route(*reply.result) : std::nullopt, risk_factor);
}

void RouteSearch::ask_layered() {
  const RouteParams asked = target();
  const RouteDemand& demand = question_.demand;
  const auto spent = checked_sub(asked.amount, demand.amount);  // for the hint's hops
  const auto left = spent ? checked_sub(demand.fee_limit, *spent) : std::nullopt;
  if (!left) return next_target();
  std::make_shared<LayeredRoute>(
      client_,
      LayeredQuestion{own_, asked.to, asked.amount, *left, asked.final_delay, demand.cltv_limit, question_.excluded_channels, question_.excluded_nodes},
      [self = shared_from_this()](std::optional<Route> route) { self->found(std::move(route), delays_first); })->start();
}

void RouteSearch::found(std::optional<Route> route, std::uint32_t risk_factor) {
  if (!route) return next_target();
  if (const auto& tail = targets_[target_]) route->hops.insert(route->hops.end(), tail->hops.begin(), tail->hops.end());
  take(std::move(*route), risk_factor);
}

void RouteSearch::take(Route route, std::uint32_t risk_factor) {
  const RouteDemand& demand = question_.demand;
  const bool excluded = std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) {
    return contains(question_.excluded_channels, ChannelDirection{hop.channel, hop.direction}) || contains(question_.excluded_nodes, hop.node);
  });
  if (!excluded && check_route(route, demand)) return done_(RouteAnswer{question_.ticket, std::move(route), FailureReason::no_route});
  if (risk_factor == usual_risk && route.fees() > demand.fee_limit) return ask(fees_first);
  if (risk_factor == usual_risk && route.total_delay() > demand.cltv_limit) return ask(delays_first);
  next_target();
}

void RouteSearch::next_target() {
  if (++target_ < targets_.size()) return ask_next();
  if (channels_) return none();
  ask_own_channels(&RouteSearch::none);
}

void RouteSearch::none() {
  const bool rich = std::any_of(channels_->begin(), channels_->end(), [&](const OwnChannel& own) { return own.spendable >= question_.demand.amount; });
  done_(RouteAnswer{question_.ticket, {}, rich || channels_->empty() ? FailureReason::no_route : FailureReason::insufficient_balance});
}

}  // namespace paytower::cln
