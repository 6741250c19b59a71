#include "core/switch/cln/routes.h"

#include <algorithm>
#include <utility>

#include "core/base/limits.h"
#include "core/payment/policy.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/layered_route.h"

namespace paytower::cln {

namespace {

constexpr std::uint32_t usual_risk = 10;  ///< the node's documentation's own example
constexpr std::uint32_t fees_first = 0;
constexpr std::uint32_t delays_first = 1'000;
constexpr std::int64_t route_too_expensive =
    206;  ///< getroutes' code for one that breaks a limit, in fees or in delays
constexpr const char* unknown_destination = "Unknown destination node";  ///< getroutes' words; it has no code for them

/// A layer that was there a moment ago is gone.
bool names_a_layer(const RpcError& error) {
  return error.code == invalid_params && error.message.find("layer") != std::string::npos;
}

/// It knows no getroutes, or not all that is asked of it.
bool is_older_node(const RpcError& error) {
  return error.code == method_not_found || (error.code == invalid_params && !names_a_layer(error));
}

template <typename T> bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
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

RouteSearch::RouteSearch(RpcClient& client, AdviceLayer& advice, RouteQuestion question, const PublicKey& own,
                         Done done)
    : client_(client), advice_(advice), question_(std::move(question)), own_(own), done_(std::move(done)),
      avoid_(question_.excluded_channels) {
  targets_.emplace_back();
  for (const RouteHint& hint : question_.hints) {
    if (targets_.size() > max_hints) break;
    if (auto tail = tail_of(hint, question_, own_)) {
      targets_.push_back(std::move(tail));
    } else {
      hints_left_out_ = excludes_something();
    }
  }
}

void RouteSearch::start() {
  // An empty route, which is what the node answers for itself, kills it when it is sent twice.
  if (question_.demand.destination == own_) return end({});
  advice_.prepare(question_, [self = shared_from_this()](const std::string& layer) { self->begin(layer); });
}

void RouteSearch::begin(const std::string& layer) {
  layer_ = layer;
  if (question_.demand.outgoing_channels.empty()) return ask_next();
  ask_own_channels(&RouteSearch::keep_to_outgoing);
}

void RouteSearch::ask_own_channels(void (RouteSearch::*next)()) {
  client_.call("listpeerchannels", nlohmann::json::object(), [self = shared_from_this(), next](const RpcReply& reply) {
    if (reply.result) self->channels_ = read_own_channels(*reply.result);
    ((*self).*next)();
  });
}

/// getroute knows no such demand: every other channel of ours is excluded.
void RouteSearch::keep_to_outgoing() {
  for (const OwnChannel& own : channels_.value_or(std::vector<OwnChannel>{})) {
    if (!contains(question_.demand.outgoing_channels, own.channel)) avoid_.push_back({own.channel, own.direction});
  }
  ask_next();
}

void RouteSearch::ask_next() {
  const auto& tail = targets_[target_];
  if (!tail || tail->entry != own_) return ask(usual_risk);
  known_ = true;
  take(Route{tail->hops}, delays_first);
}

RouteParams RouteSearch::target(std::size_t at) const {
  const auto& tail = targets_[at];
  RouteParams asked;
  asked.to = tail ? tail->entry : question_.demand.destination;
  asked.amount = tail ? tail->amount : question_.demand.amount;
  asked.final_delay = tail ? tail->delay : question_.demand.final_cltv_delta;
  asked.max_hops = limits::max_hops - (tail ? tail->hops.size() : 0);
  return asked;
}

void RouteSearch::put(Ask what, Found found) {
  if (client_.lacks("getroutes")) return put_plain(what, found);
  put_layered(
      what, [self = shared_from_this(), what, found](std::optional<Route> route, const std::optional<RpcError>& error) {
        if (error && names_a_layer(*error)) self->advice_.note_gone();
        if (!error || !is_older_node(*error)) return found(std::move(route), error);
        self->client_.note_lacking("getroutes");
        self->layer_.clear();
        self->limits_told_ = false;
        self->limited_target_.reset();
        self->put_plain(what, found);
      });
}

void RouteSearch::put_plain(const Ask& what, const Found& found) {
  // It takes no policies: those channels are as good as unknown to it.
  std::vector<ChannelDirection> without(what.without_channels.begin(), what.without_channels.end());
  for (const ChannelPolicy& told : question_.policies) without.push_back(told.channel);
  client_.call("getroute", getroute_params(what.params, without, what.without_nodes),
               [self = shared_from_this(), found](const RpcReply& reply) {
                 found(reply.result ? read_route(*reply.result) : std::nullopt, reply.error);
               });
}

void RouteSearch::put_layered(const Ask& what, Found found) {
  const RouteDemand& demand = question_.demand;
  Msat fee_limit = Msat::of(Msat::max_value);
  std::uint32_t cltv_limit = limits::max_cltv_delta;
  if (what.limits) {
    const auto spent = checked_sub(what.params.amount, demand.amount);  // for the hint's hops
    const auto left = spent ? checked_sub(demand.fee_limit, *spent) : std::nullopt;
    limits_told_ = true;
    if (!left) {
      limited_target_ = target_;
      return found(std::nullopt, std::nullopt);
    }
    fee_limit = *left;
    cltv_limit = demand.cltv_limit;
  }
  std::make_shared<LayeredRoute>(client_,
                                 LayeredQuestion{own_,
                                                 what.params.to,
                                                 what.params.amount,
                                                 fee_limit,
                                                 what.params.final_delay,
                                                 cltv_limit,
                                                 {what.without_channels.begin(), what.without_channels.end()},
                                                 {what.without_nodes.begin(), what.without_nodes.end()},
                                                 question_.policies,
                                                 layer_,
                                                 question_.store,
                                                 question_.now},
                                 std::move(found))
      ->start();
}

void RouteSearch::ask(std::uint32_t risk_factor) {
  Ask what{target(target_), avoid_, question_.excluded_nodes};
  what.params.risk_factor = risk_factor;
  if (what.params.max_hops == 0) {  // a hint that fills the onion
    known_ = true;
    return next_target();
  }
  put(what, [self = shared_from_this(), risk_factor](std::optional<Route> route, const std::optional<RpcError>& error) {
    const bool layered = !self->client_.lacks("getroutes");
    self->note(error, layered);
    self->found(std::move(route), layered ? delays_first : risk_factor);
  });
}

void RouteSearch::found(std::optional<Route> route, std::uint32_t risk_factor) {
  if (!route) return next_target();
  if (const auto& tail = targets_[target_]) route->hops.insert(route->hops.end(), tail->hops.begin(), tail->hops.end());
  take(std::move(*route), risk_factor);
}

bool RouteSearch::uses_excluded(const Route& route) const {
  return std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) {
    return contains(avoid_, ChannelDirection{hop.channel, hop.direction}) ||
           contains(question_.excluded_nodes, hop.node);
  });
}

void RouteSearch::take(Route route, std::uint32_t risk_factor) {
  const RouteDemand& demand = question_.demand;
  const bool excluded = uses_excluded(route);
  if (!excluded && check_route(route, demand)) return done_(routes_answer(question_.ticket, {std::move(route)}));
  if (!excluded) refused_.add(route, demand);
  if (risk_factor == usual_risk && route.fees() > demand.fee_limit) return ask(fees_first);
  if (risk_factor == usual_risk && route.total_delay() > demand.cltv_limit) return ask(delays_first);
  next_target();
}

void RouteSearch::next_target() {
  if (++target_ < targets_.size()) return ask_next();
  explain();
}

// --- why there is none ---

bool RouteSearch::excludes_something() const {
  return !question_.excluded_channels.empty() || !question_.excluded_nodes.empty();
}

/// Of several answers the words about a place that the node knows are kept.
void RouteSearch::note(const std::optional<RpcError>& error, bool layered) {
  const bool unknown =
      error && (layered ? error->message.rfind(unknown_destination, 0) == 0 : error->code == invalid_params);
  if (!unknown) {
    known_ = true;
    if (!probe_target_ || targets_[target_]) probe_target_ = target_;
    if (error && error->code == route_too_expensive) limited_target_ = target_;
  }
  if (error && (!unknown || words_.empty())) words_ = kept_words(error->message);
}

void RouteSearch::end(FailureDetail detail) {
  detail.words = words_;
  done_(no_route_answer(question_.ticket, std::move(detail)));
}

void RouteSearch::explain() {
  if (!layer_.empty()) {
    RouteAnswer none = no_route_answer(question_.ticket, {});
    none.advised = true;
    return done_(std::move(none));
  }
  if (auto limit = refused_.detail()) return end(std::move(*limit));
  if (!known_) return end(detail_of(hints_left_out_ ? DetailCode::excluded : DetailCode::payee_unknown));
  if (limits_told_ && !limited_target_) limited_target_ = probe_target_;
  limited_target_ ? ask_without_limits() : look_at_channels();
}

void RouteSearch::ask_without_limits() {
  Ask what{target(*limited_target_), avoid_, question_.excluded_nodes, false};
  put(what, [self = shared_from_this()](std::optional<Route> route, const std::optional<RpcError>& /*error*/) {
    if (!route) return self->look_at_channels();
    if (const auto& tail = self->targets_[*self->limited_target_])
      route->hops.insert(route->hops.end(), tail->hops.begin(), tail->hops.end());
    if (!self->uses_excluded(*route)) self->refused_.add(*route, self->question_.demand);
    auto limit = self->refused_.detail();
    limit ? self->end(std::move(*limit)) : self->look_at_channels();
  });
}

void RouteSearch::look_at_channels() {
  if (!channels_ && question_.demand.outgoing_channels.empty())
    return ask_own_channels(&RouteSearch::leave_something_out);
  leave_something_out();
}

void RouteSearch::leave_something_out() {
  std::vector<SpendableChannel> own;
  for (const OwnChannel& one : channels_.value_or(std::vector<OwnChannel>{}))
    own.push_back({one.channel, one.usable, one.spendable});
  if (auto why = channels_ ? explain_channels(own, question_.demand, Msat{}) : std::nullopt)
    return end(std::move(*why));
  if (!probe_target_) return end({});
  Ask what{target(*probe_target_), {}, {}, false};
  DetailCode meaning = DetailCode::amount_in_one_part;
  if (excludes_something()) {
    meaning = DetailCode::excluded;
    what.without_channels = std::span(avoid_).subspan(question_.excluded_channels.size());
  } else if (!question_.demand.outgoing_channels.empty()) {
    meaning = DetailCode::outgoing_channel_no_route;
  } else {
    what.params.amount = probe_amount(what.params.amount);
  }
  put(what, [self = shared_from_this(), own = std::move(own), meaning](std::optional<Route> route,
                                                                       const std::optional<RpcError>& /*error*/) {
    if (!route) return self->end(self->hints_left_out_ ? detail_of(DetailCode::excluded) : FailureDetail{});
    if (meaning != DetailCode::amount_in_one_part) return self->end(detail_of(meaning));
    const Msat spent = checked_sub(self->target(*self->probe_target_).amount, self->question_.demand.amount)
                           .value_or(Msat{});  // for the hint's hops
    const Msat fees = checked_add(fees_by_probe(route->fees()), spent).value_or(spent);
    if (auto why = self->channels_ ? explain_channels(own, self->question_.demand, fees) : std::nullopt)
      return self->end(std::move(*why));
    FailureDetail whole = detail_of(meaning);
    if (self->channels_) whole.held = held_together(own);
    self->end(std::move(whole));
  });
}

}  // namespace paytower::cln
