// Searches for routes with QueryRoutes, and finds out why there are none.
#include "core/switch/lnd/routes.h"

#include <algorithm>
#include <utility>

#include "core/base/limits.h"
#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/requests.h"
#include "core/switch/parts/route_sets.h"

namespace paytower::lnd {

namespace {

/// The smallest part of lnd's own payments. With its advice halving goes no further: before a small payment is split,
/// the question is asked without the advice.
constexpr Msat least_advised_part = Msat::of(10'000'000);
/// The questions that only find words for "no route": nobody waits long for words.
constexpr unsigned most_asked_for_words = 24;

Msat least_of(const RouteQuestion& question) { return question.advised ? least_advised_part : least_part; }

std::vector<SpendableChannel> spendable(const std::vector<OwnChannel>& channels) {
  std::vector<SpendableChannel> found;
  found.reserve(channels.size());
  for (const OwnChannel& one : channels) found.push_back({one.id, one.active, one.spendable});
  return found;
}

/// An amount that a single HTLC over a channel must not reach.
void exclude_full(RouteQuestion& question) {
  for (const ChannelBound& bound : question.bounds) {
    if (bound.below <= question.demand.amount) question.excluded_channels.push_back(bound.channel);
  }
}

RouteQuestion without_limits(RouteQuestion question) {
  question.demand.fee_limit = Msat::of(Msat::max_value);
  question.demand.cltv_limit = limits::max_cltv_delta;
  return question;
}

}  // namespace

RouteSearch::RouteSearch(Link& link, RouteQuestion question, const PublicKey& own, std::uint32_t height, Done done,
                         Unheard unheard)
    : link_(link), question_(std::move(question)), own_(own), height_(height), done_(std::move(done)),
      unheard_(std::move(unheard)) {}

void RouteSearch::start() {
  if (question_.demand.destination == own_) return end_with({});  // lnd would answer with a circle
  const auto ask = [self = shared_from_this()] {
    self->put(self->in_one_piece(), [self](const std::vector<Route>& routes) { self->take_whole(routes); });
  };
  // Which of them are ours decides how they are excluded.
  if (question_.excluded_channels.empty() && question_.bounds.empty()) return ask();
  look_at_channels(ask);
}

RouteQuestion RouteSearch::in_one_piece() const {
  RouteQuestion whole = question_;
  exclude_full(whole);
  return whole;
}

void RouteSearch::put(const RouteQuestion& question, Found found) {
  const std::vector<OwnChannel> own = channels_.value_or(std::vector<OwnChannel>{});
  const auto first = first_channels(question, own);
  if (first && first->empty()) return found({});
  if (otherwise_ && ++asked_for_words_ > most_asked_for_words) return end_with(*otherwise_);
  link_.ask(routes_request(question, own), [self = shared_from_this(), found = std::move(found)](const RestEnd& end) {
    if (end.kind != RestEnd::Kind::answered) return self->lose(end.why);
    RoutesMeaning meaning = conclude_routes(end.head.status, end.body, self->own_, self->height_);
    if (const auto* nothing = std::get_if<NothingKnown>(&meaning)) return self->lose(nothing->why);
    self->error_.reset();
    if (auto* error = std::get_if<RestError>(&meaning)) self->error_ = std::move(*error);
    auto* routes = std::get_if<std::vector<Route>>(&meaning);
    found(routes != nullptr ? std::move(*routes) : std::vector<Route>{});
  });
}

void RouteSearch::take_whole(const std::vector<Route>& routes) {
  for (const Route& route : routes) {
    const std::vector<Route> one{route};
    if (keeps_to_demand(one, question_) && !overloads(one, question_))
      return done_(routes_answer(question_.ticket, one));
  }
  if (question_.max_parts < 2 || question_.demand.amount < Msat::of(2 * least_of(question_).value())) return explain();
  look_at_channels([self = shared_from_this()] {
    self->ask_for_parts(self->question_.max_parts,
                        [self](std::vector<Route> found) { self->take_parts(std::move(found)); });
  });
}

void RouteSearch::look_at_channels(std::function<void()> next) {
  if (channels_) return next();
  link_.ask(channels_request(), [self = shared_from_this(), next = std::move(next)](const RestEnd& end) {
    if (end.kind != RestEnd::Kind::answered) return self->unheard_(end.why);
    auto channels = read_channels(end.body);
    if (channels) self->channels_ = std::move(*channels);
    next();
  });
}

/// lnd has already subtracted what is pending in our own channels.
std::vector<ChannelRoom> RouteSearch::rooms() const {
  const Loads beside = loads_of(question_.beside);
  std::vector<ChannelRoom> found;
  for (const OwnChannel& one : channels_.value_or(std::vector<OwnChannel>{})) {
    const ChannelDirection out{one.id, static_cast<std::uint8_t>(own_ < one.peer ? 0 : 1)};
    found.push_back({out, one.active ? one.spendable : Msat{}});
  }
  for (const ChannelBound& bound : question_.bounds) {
    const auto load = beside.find(bound.channel);
    const Msat most = checked_sub(bound.below, Msat::of(1)).value_or(Msat{});
    found.push_back({bound.channel, checked_sub(most, load == beside.end() ? Msat{} : load->second).value_or(Msat{})});
  }
  return found;
}

void RouteSearch::ask_for_parts(std::uint32_t most, Found found) {
  const auto ask = [self = shared_from_this()](Msat piece, std::vector<ChannelDirection> without,
                                               const HalvedRoutes::Tell& tell) {
    RouteQuestion part = self->question_;
    part.demand.amount = piece;
    part.excluded_channels = std::move(without);
    self->put(part, [self, tell](std::vector<Route> routes) {
      self->any_part_ = self->any_part_ || !routes.empty();
      tell(routes.empty() ? std::nullopt : std::optional(std::move(routes.front())));
    });
  };
  HalvingQuestion halving{question_.demand.amount, most, question_.excluded_channels, rooms(), least_of(question_)};
  std::make_shared<HalvedRoutes>(ask, std::move(halving), std::move(found))->start();
}

void RouteSearch::take_parts(std::vector<Route> routes) {
  const bool fit = !routes.empty() && keeps_to_demand(routes, question_) && !overloads(routes, question_);
  if (!fit) return explain();
  done_(routes_answer(question_.ticket, std::move(routes)));
}

void RouteSearch::explain() {
  if (question_.advised) {
    RouteAnswer none = no_route_answer(question_.ticket, {});
    none.advised = true;
    return done_(std::move(none));
  }
  if (question_.tentative) return end_with({});
  if (!question_.beside.empty())
    return end_with({});  // while parts are open, nobody is told why there is no further one
  const FailureDetail words = error_ ? why_no_route(*error_) : FailureDetail{};
  put(without_limits(in_one_piece()), [self = shared_from_this(), words](const std::vector<Route>& routes) {
    NearMisses seen;
    for (const Route& route : routes) seen.add(route, self->question_.demand);
    if (auto limit = seen.detail()) return self->end_with(*std::move(limit));
    self->look_at_channels([self, words] {
      const auto channels = spendable(self->channels_.value_or(std::vector<OwnChannel>{}));
      const auto own = self->channels_ ? explain_channels(channels, self->question_.demand, Msat{}) : std::nullopt;
      const bool excluded = !self->question_.excluded_channels.empty() || !self->question_.excluded_nodes.empty();
      // In parts it was tried as well.
      const bool told = own && !(own->code == DetailCode::amount_in_one_part && self->question_.max_parts > 1);
      if (told) return self->end_with(*own);
      if (excluded) return self->end_with(detail_of(DetailCode::excluded));
      self->otherwise_ = words;
      self->question_.max_parts > 1 ? self->explain_by_more_parts(words) : self->explain_by_less(words);
    });
  });
}

/// Only where some parts have found a way: the search for more of them goes on where the first one ended.
void RouteSearch::explain_by_more_parts(const FailureDetail& words) {
  if (question_.max_parts >= limits::max_parts || !any_part_) return end_with(words);
  ask_for_parts(limits::max_parts, [self = shared_from_this(), words](const std::vector<Route>& routes) {
    RouteQuestion wider = self->question_;
    wider.max_parts = limits::max_parts;
    const bool fit = routes.size() > self->question_.max_parts && keeps_to_demand(routes, wider);
    if (!fit || overloads(routes, wider)) return self->end_with(words);
    FailureDetail more = detail_of(DetailCode::more_parts);
    more.parts = static_cast<std::uint32_t>(routes.size());
    self->end_with(std::move(more));
  });
}

/// If a part of the amount gets through, the amount is what is in the way.
void RouteSearch::explain_by_less(const FailureDetail& words) {
  if (!question_.demand.outgoing_channels.empty()) return end_with(words);
  RouteQuestion less = question_;
  less.demand.amount = probe_amount(less.demand.amount);
  exclude_full(less);
  put(less, [self = shared_from_this(), words](const std::vector<Route>& routes) {
    if (routes.empty()) return self->end_with(words);
    FailureDetail whole = detail_of(DetailCode::amount_in_one_part);
    if (self->channels_) whole.held = held_together(spendable(*self->channels_));
    self->end_with(std::move(whole));
  });
}

/// Where only the reason was still sought, what is known of it is enough.
void RouteSearch::lose(const std::string& why) { otherwise_ ? end_with(*otherwise_) : unheard_(why); }

void RouteSearch::end_with(FailureDetail detail) { done_(no_route_answer(question_.ticket, std::move(detail))); }

}  // namespace paytower::lnd
