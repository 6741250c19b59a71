// Searches for routes: getroutes or getroute, the payee or the hints, one part or several; and why there are none.
#include "core/switch/cln/routes.h"

#include <algorithm>
#include <utility>

#include "core/base/contains.h"
#include "core/base/limits.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/layered_route.h"

namespace paytower::cln {

namespace {

constexpr std::uint32_t usual_risk = 10;  ///< the example in the node's own documentation
constexpr std::uint32_t fees_first = 0;
constexpr std::uint32_t delays_first = 1'000;
/// The codes of getroutes for a route that breaks a limit, in fees or in delays.
constexpr std::int64_t route_too_expensive = 206;
/// What getroutes says; it has no code for it.
constexpr const char* unknown_destination = "Unknown destination node";

/// A layer that was there a moment ago is gone.
bool names_a_layer(const RpcError& error) {
  return error.code == invalid_params && error.message.find("layer") != std::string::npos;
}

/// The node has no getroutes, or does not know everything that we ask of it.
bool is_older_node(const RpcError& error) {
  return error.code == method_not_found || (error.code == invalid_params && !names_a_layer(error));
}

std::vector<SpendableChannel> spendable(const std::vector<OwnChannel>& channels) {
  std::vector<SpendableChannel> found;
  found.reserve(channels.size());
  for (const OwnChannel& one : channels) found.push_back({one.channel, one.usable, one.spendable});
  return found;
}

}  // namespace

RouteSearch::RouteSearch(RpcClient& client, AdviceLayer& advice, RouteQuestion question, const PublicKey& own,
                         Done done)
    : client_(client), advice_(advice), question_(std::move(question)), own_(own), done_(std::move(done)),
      avoid_(question_.excluded_channels) {
  targets_.emplace_back();
  for (const RouteHint& hint : question_.hints) {
    if (targets_.size() > max_hints) break;
    if (auto tail = tail_of(hint, question_, own_, question_.demand.amount)) {
      targets_.emplace_back(Target{&hint, std::move(*tail)});
    } else {
      hints_left_out_ = !question_.excluded_channels.empty() || !question_.excluded_nodes.empty();
    }
  }
}

void RouteSearch::start() {
  // The node answers a question about itself with an empty route. Sending that twice would kill the node.
  if (question_.demand.destination == own_) return end({});
  advice_.prepare(question_, [self = shared_from_this()](const std::string& layer) { self->begin(layer); });
}

void RouteSearch::begin(const std::string& layer) {
  layer_ = layer;
  if (question_.demand.outgoing_channels.empty()) return ask_next();
  ask_own_channels([self = shared_from_this()] { self->keep_to_outgoing(); });
}

void RouteSearch::ask_own_channels(std::function<void()> next) {
  client_.call("listpeerchannels", nlohmann::json::object(),
               [self = shared_from_this(), next = std::move(next)](const RpcReply& reply) {
                 if (reply.result) self->channels_ = read_own_channels(*reply.result);
                 next();
               });
}

/// getroute does not know this demand, so all our other channels are excluded.
void RouteSearch::keep_to_outgoing() {
  for (const OwnChannel& own : channels_.value_or(std::vector<OwnChannel>{})) {
    if (!contains(question_.demand.outgoing_channels, own.channel)) avoid_.push_back({own.channel, own.direction});
  }
  ask_next();
}

void RouteSearch::ask_next() {
  const auto& at = targets_[target_];
  if (!at || at->tail.entry != own_) return ask(usual_risk);
  if (parts_ > 1) return next_target();
  known_ = true;
  take({Route{at->tail.hops}}, delays_first);
}

const RouteHint* RouteSearch::hint_of(std::size_t at) const { return targets_[at] ? targets_[at]->hint : nullptr; }

/// What has to reach the target, in how many parts. Nothing if the target cannot be reached in several.
std::optional<EntryAmount> RouteSearch::load_to(std::size_t at) const {
  const RouteHint* hint = hint_of(at);
  if (hint == nullptr) return EntryAmount{parts_, question_.demand.amount};
  return parts_ > 1 ? amount_at_entry(*hint, question_, own_, parts_) : EntryAmount{1, targets_[at]->tail.amount};
}

RouteParams RouteSearch::target(std::size_t at) const {
  const auto& to = targets_[at];
  RouteParams asked;
  asked.to = to ? to->tail.entry : question_.demand.destination;
  asked.amount = to ? to->tail.amount : question_.demand.amount;
  asked.final_delay = to ? to->tail.delay : question_.demand.final_cltv_delta;
  asked.max_hops = limits::max_hops - (to ? to->tail.hops.size() : 0);
  return asked;
}

/// Without exclusions and limits; in one part if several are not possible.
RouteSearch::Ask RouteSearch::bare_ask(std::size_t at) const {
  Ask what;
  what.params = target(at);
  what.limits = false;
  // The payee comes after the hint, so it must not be on the way to it.
  if (targets_[at] && payee_known_) what.without_nodes.push_back(question_.demand.destination);
  const auto load = load_to(at);
  if (!load) return what;
  what.params.amount = load->amount;
  what.parts = load->parts;
  return what;
}

/// If one part would fill a channel up to its bound, that channel is as good as excluded.
RouteSearch::Ask RouteSearch::usual_ask(std::size_t at) const {
  Ask what = bare_ask(at);
  what.without_channels = avoid_;
  what.without_nodes.insert(what.without_nodes.end(), question_.excluded_nodes.begin(), question_.excluded_nodes.end());
  what.limits = true;
  for (const ChannelBound& bound : question_.bounds) {
    if (what.parts == 1 && bound.below <= question_.demand.amount) {
      what.without_channels.push_back(bound.channel);
    } else {
      what.bounds.push_back(bound);
    }
  }
  return what;
}

void RouteSearch::put(Ask what, Found found) {
  if (client_.lacks("getroutes")) return put_plain(what, found);
  put_layered(
      what, [self = shared_from_this(), what, found](std::vector<Route> routes, const std::optional<RpcError>& error) {
        if (error && names_a_layer(*error)) self->advice_.note_gone();
        if (!error || !is_older_node(*error)) return found(std::move(routes), error);
        self->client_.note_lacking("getroutes");
        self->layer_.clear();
        self->limits_told_ = false;
        self->limited_target_.reset();
        self->put_plain(what, found);
      });
}

void RouteSearch::put_plain(const Ask& what, const Found& found) {
  // getroute takes no policies, so channels with a new one are as good as unknown to it.
  Ask asked = what;
  for (const ChannelPolicy& told : question_.policies) asked.without_channels.push_back(told.channel);
  if (asked.parts == 1) return put_one(asked, found);
  if (channels_) return put_halved(asked, found);
  ask_own_channels([self = shared_from_this(), asked, found] { self->put_halved(asked, found); });
}

void RouteSearch::put_one(const Ask& what, const Found& found) {
  client_.call("getroute", getroute_params(what.params, what.without_channels, what.without_nodes),
               [found](const RpcReply& reply) {
                 const auto route = reply.result ? read_route(*reply.result) : std::nullopt;
                 found(route ? std::vector<Route>{*route} : std::vector<Route>{}, reply.error);
               });
}

void RouteSearch::put_halved(const Ask& what, const Found& found) {
  auto error = std::make_shared<std::optional<RpcError>>();  // the last error of the node
  const auto ask = [this, params = what.params, nodes = what.without_nodes, error](
                       Msat piece, const std::vector<ChannelDirection>& without, const HalvedRoutes::Tell& tell) {
    RouteParams asked = params;
    asked.amount = piece;
    client_.call("getroute", getroute_params(asked, without, nodes), [tell, error](const RpcReply& reply) {
      *error = reply.error;
      tell(reply.result ? read_route(*reply.result) : std::nullopt);
    });
  };
  const auto done = [self = shared_from_this(), found, error](std::vector<Route> routes) {
    const auto words = routes.empty() ? *error : std::nullopt;
    found(std::move(routes), words);
  };
  std::make_shared<HalvedRoutes>(
      ask, HalvingQuestion{what.params.amount, what.parts, what.without_channels, rooms(what.bounds)}, done)
      ->start();
}

/// The node has already subtracted what is pending in our own channels.
std::vector<ChannelRoom> RouteSearch::rooms(const std::vector<ChannelBound>& bounds) const {
  const Loads beside = loads_of(question_.beside);
  std::vector<ChannelRoom> found;
  for (const OwnChannel& own : channels_.value_or(std::vector<OwnChannel>{}))
    found.push_back({{own.channel, own.direction}, own.usable ? own.spendable : Msat{}});
  for (const ChannelBound& bound : bounds) {
    const auto load = beside.find(bound.channel);
    const Msat most = checked_sub(bound.below, Msat::of(1)).value_or(Msat{});
    found.push_back({bound.channel, checked_sub(most, load == beside.end() ? Msat{} : load->second).value_or(Msat{})});
  }
  return found;
}

void RouteSearch::put_layered(const Ask& what, Found found) {
  const RouteDemand& demand = question_.demand;
  LayeredQuestion asked;
  asked.fee_limit = Msat::of(Msat::max_value);
  asked.cltv_limit = limits::max_cltv_delta;
  if (what.limits) {
    const auto spent = checked_sub(what.params.amount, demand.amount);  // for the hops of the hint
    const auto left = spent ? checked_sub(demand.fee_limit, *spent) : std::nullopt;
    limits_told_ = true;
    if (!left) {
      limited_target_ = target_;
      return found({}, std::nullopt);
    }
    asked.fee_limit = *left;
    asked.cltv_limit = demand.cltv_limit;
  }
  asked.from = own_;
  asked.to = what.params.to;
  asked.amount = what.params.amount;
  asked.final_delay = what.params.final_delay;
  asked.without_channels = what.without_channels;
  asked.without_nodes = what.without_nodes;
  asked.policies = question_.policies;
  asked.bounds = what.bounds;
  asked.occupied = loads_of(question_.beside);
  asked.reservable = loads_of(question_.beside, false);
  asked.max_parts = what.parts;
  asked.advice = layer_;
  asked.store = question_.store;
  asked.now = question_.now;
  asked.leaves_nothing = question_.leaves_nothing;
  std::make_shared<LayeredRoute>(client_, std::move(asked), std::move(found))->start();
}

/// All parts go over the same hops of a hint: what one of them could not carry, several cannot carry either.
bool RouteSearch::tail_is_full(std::size_t at) const {
  if (!targets_[at]) return false;
  const Route tail{targets_[at]->tail.hops};
  return overloads(std::span(&tail, 1), question_);
}

void RouteSearch::ask(std::uint32_t risk_factor) {
  if (!load_to(target_)) return next_target();
  Ask what = usual_ask(target_);
  what.params.risk_factor = risk_factor;
  if (what.params.max_hops == 0 || tail_is_full(target_)) {  // the hint fills the onion, or it failed before
    known_ = true;
    return next_target();
  }
  put(what, [self = shared_from_this(), risk_factor](std::vector<Route> routes, const std::optional<RpcError>& error) {
    const bool layered = !self->client_.lacks("getroutes");
    self->note(error, layered);
    if (routes.empty()) return self->next_target();
    self->take(self->whole_routes(std::move(routes), self->target_), layered ? delays_first : risk_factor);
  });
}

std::vector<Route> RouteSearch::whole_routes(std::vector<Route> routes, std::size_t at) const {
  return deliver_together(std::move(routes), hint_of(at), question_, own_);
}

bool RouteSearch::uses_excluded(std::span<const Route> routes) const {
  const auto excluded = [&](const Hop& hop) {
    return contains(avoid_, ChannelDirection{hop.channel, hop.direction}) ||
           contains(question_.excluded_nodes, hop.node);
  };
  return overloads(routes, question_) || std::any_of(routes.begin(), routes.end(), [&](const Route& route) {
           return std::any_of(route.hops.begin(), route.hops.end(), excluded);
         });
}

void RouteSearch::note_refused(std::span<const Route> routes) {
  if (routes.size() == 1) {
    refused_.add(routes.front(), question_.demand);
  } else if (!refused_set_) {
    refused_set_ = broken_limit(routes, question_);
  }
}

/// One part that breaks a limit tells more than a set that does.
std::optional<FailureDetail> RouteSearch::limit_in_the_way() const {
  auto limit = refused_.detail();
  return limit ? limit : refused_set_;
}

void RouteSearch::take(std::vector<Route> routes, std::uint32_t risk_factor) {
  const RouteDemand& demand = question_.demand;
  const bool excluded = uses_excluded(routes);
  if (!excluded && keeps_to_demand(routes, question_)) return done_(routes_answer(question_.ticket, std::move(routes)));
  if (!excluded) note_refused(routes);
  if (risk_factor == usual_risk && fees_of(routes) > demand.fee_limit) return ask(fees_first);
  if (risk_factor == usual_risk && longest_delay(routes) > demand.cltv_limit) return ask(delays_first);
  next_target();
}

void RouteSearch::next_target() {
  if (++target_ < targets_.size()) return ask_next();
  const bool may_split =
      question_.max_parts > 1 && checked_sub(question_.demand.amount, least_part).value_or(Msat{}) >= least_part;
  if (parts_ > 1 || !may_split || !known_) return explain();
  parts_ = question_.max_parts;
  target_ = 0;
  ask_next();
}

// --- why there is none ---

bool RouteSearch::excludes_something() const {
  return !question_.excluded_channels.empty() || !question_.excluded_nodes.empty() || !question_.bounds.empty();
}

/// Of several answers, keep what was said about a place that the node knows.
void RouteSearch::note(const std::optional<RpcError>& error, bool layered) {
  const bool unknown =
      error && (layered ? error->message.rfind(unknown_destination, 0) == 0 : error->code == invalid_params);
  if (!unknown) {
    known_ = true;
    payee_known_ = payee_known_ || !targets_[target_];
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
  if (question_.tentative && layer_.empty()) return done_(no_route_answer(question_.ticket, {}));
  if (!layer_.empty()) {
    RouteAnswer none = no_route_answer(question_.ticket, {});
    none.advised = true;
    return done_(std::move(none));
  }
  if (auto limit = limit_in_the_way()) return end(std::move(*limit));
  if (!known_) return end(detail_of(hints_left_out_ ? DetailCode::excluded : DetailCode::payee_unknown));
  if (limits_told_ && !limited_target_) limited_target_ = probe_target_;
  limited_target_ ? ask_without_limits() : look_at_channels();
}

void RouteSearch::ask_without_limits() {
  Ask what = usual_ask(*limited_target_);
  what.limits = false;
  put(what, [self = shared_from_this()](std::vector<Route> routes, const std::optional<RpcError>& /*error*/) {
    if (routes.empty()) return self->look_at_channels();
    routes = self->whole_routes(std::move(routes), *self->limited_target_);
    if (!routes.empty() && !self->uses_excluded(routes)) self->note_refused(routes);
    auto limit = self->limit_in_the_way();
    limit ? self->end(std::move(*limit)) : self->look_at_channels();
  });
}

void RouteSearch::look_at_channels() {
  if (!channels_ && question_.demand.outgoing_channels.empty())
    return ask_own_channels([self = shared_from_this()] { self->leave_something_out(); });
  leave_something_out();
}

/// What is said about one part is not the reason if several were asked for too.
std::optional<FailureDetail> RouteSearch::explain_own_channels(Msat fees) const {
  if (!channels_) return std::nullopt;
  auto why = explain_channels(spendable(*channels_), question_.demand, fees);
  return why && why->code == DetailCode::amount_in_one_part && parts_ > 1 ? std::nullopt : why;
}

void RouteSearch::leave_something_out() {
  if (auto why = explain_own_channels(Msat{})) return end(std::move(*why));
  if (!probe_target_) return end({});
  Ask what = bare_ask(*probe_target_);
  DetailCode meaning = DetailCode::excluded;
  if (excludes_something()) {
    what.without_channels.assign(avoid_.begin() + static_cast<std::ptrdiff_t>(question_.excluded_channels.size()),
                                 avoid_.end());
  } else if (!question_.demand.outgoing_channels.empty()) {
    meaning = DetailCode::outgoing_channel_no_route;
  } else {
    return parts_ > 1 ? explain_by_more_parts(std::move(what))
                      : explain_by_less(std::move(what), DetailCode::amount_in_one_part);
  }
  put(what,
      [self = shared_from_this(), meaning](const std::vector<Route>& routes, const std::optional<RpcError>& /*error*/) {
        const bool hints = routes.empty() && self->hints_left_out_;
        self->end(routes.empty() && !hints ? FailureDetail{} : detail_of(hints ? DetailCode::excluded : meaning));
      });
}

void RouteSearch::explain_by_more_parts(Ask what) {
  if (what.parts == 1) return end({});
  if (what.parts >= limits::max_parts) return explain_by_less(std::move(what), DetailCode::amount_in_parts);
  what.parts = limits::max_parts;
  put(what,
      [self = shared_from_this(), what](const std::vector<Route>& routes, const std::optional<RpcError>& /*error*/) {
        if (routes.empty()) return self->explain_by_less(what, DetailCode::amount_in_parts);
        if (routes.size() <= self->parts_) return self->end({});
        FailureDetail more = detail_of(DetailCode::more_parts);
        more.parts = static_cast<std::uint32_t>(routes.size());
        self->end(std::move(more));
      });
}

/// If a part of the amount gets through, the amount is what is in the way.
void RouteSearch::explain_by_less(Ask what, DetailCode meaning) {
  what.params.amount = probe_amount(what.params.amount);
  what.parts = 1;
  put(what,
      [self = shared_from_this(), meaning](const std::vector<Route>& routes, const std::optional<RpcError>& /*error*/) {
        if (routes.empty()) return self->end(self->hints_left_out_ ? detail_of(DetailCode::excluded) : FailureDetail{});
        const Msat spent = checked_sub(self->target(*self->probe_target_).amount, self->question_.demand.amount)
                               .value_or(Msat{});  // for the hops of the hint
        const Msat fees = checked_add(fees_by_probe(routes.front().fees()), spent).value_or(spent);
        if (auto why = self->explain_own_channels(fees)) return self->end(std::move(*why));
        FailureDetail whole = detail_of(meaning);
        if (self->channels_) whole.held = held_together(spendable(*self->channels_));
        self->end(std::move(whole));
      });
}

}  // namespace paytower::cln
