#include "core/driver/loop.h"

#include <algorithm>

#include "core/driver/attempt_id.h"

namespace paytower {

namespace {

constexpr std::int64_t longest_pause_ns = 5 * ns_per_second;  ///< between two looks that change nothing

}  // namespace

void Driver::Impl::perform(Item& item, const Decision& decision) {
  if (decision.refusal) return refuse(item, *decision.refusal);
  for (const Act& what : decision.acts) {
    if (item.done) return;
    std::visit([&](const auto& act) { do_act(item, act); }, what);
  }
}

void Driver::Impl::refuse(Item& item, Errc why) {
  if (why == Errc::in_flight && item.blocker != Blocker::none)
    return finish(item, DriveEnd::refused, blocked_by(item.payment, item.blocker, item.earlier_watched));
  const bool paid_elsewhere = why == Errc::already_paid && item.payment.proof();
  if (!paid_elsewhere || !item.idempotent) return finish(item, DriveEnd::refused, refusal_of(item.payment, why));
  const bool same = item.payment.request.demand.destination == item.wanted_payee && foreign_amount_agrees(item.payment);
  if (same) {
    item.paid_before = true;
    return close(item);
  }
  finish(item, DriveEnd::refused, differ_result(item.payment.request.hash).error);
}

void Driver::Impl::do_act(Item& item, const Report&) { close(item); }

void Driver::Impl::do_act(Item& item, const Look&) { want_look(item, mono()); }

void Driver::Impl::do_act(Item& item, const LookLater&) {
  item.held = true;
  want_look(item, plus(mono(), pause(item)));
}

std::int64_t Driver::Impl::pause(const Item& item) const {
  return std::min(options.look_pause_ns << std::min(item.idle_looks, 10U), longest_pause_ns);
}

void Driver::Impl::want_look(Item& item, MonoNs at) {
  if (item.looking) item.look_outdated = true;
  item.look_at = item.look_at ? std::min(*item.look_at, at) : at;
}

void Driver::Impl::do_act(Item& item, const AskRoute&) {
  if (options.collect_only || told_to_leave) return close(item);
  if (const auto wrong = unusable_clock(now(), options.clock_from)) return refuse_clock(item, *wrong);
  if (!identity) return want_look(item, mono());
  ask_for_route(item, remembered());
}

/// M5: read once, when the first route is asked for; from then on every result of this process is learned at its end.
std::shared_ptr<const MissionControl> Driver::Impl::remembered() {
  if (!options.use_memory) return nullptr;
  if (!memory) {
    memory = std::make_shared<MissionControl>();
    memory->learn_all(ports.store.recent_results(MissionControl::results_to_load));
  }
  return memory->empty() ? nullptr : memory;
}

void Driver::Impl::ask_for_route(Item& item, std::shared_ptr<const MissionControl> advice) {
  item.advised = advice != nullptr;
  NextRoute next =
      next_route(item.payment, QuestionContext{item.ticket, std::move(advice), store_id(item), now(), item.policies});
  if (auto* nothing = std::get_if<NothingLeft>(&next)) {
    item.backlog.push_back(NoRoute{FailureReason::no_route, std::move(nothing->detail)});
  } else if (auto* route = std::get_if<Route>(&next)) {
    ready(item, std::move(*route));
  } else {
    auto& question = std::get<RouteQuestion>(next);
    item.excluded = Exclusions{question.excluded_channels, question.excluded_nodes};
    item.asking = true;
    ports.node.ask_route(question);
  }
}

void Driver::Impl::ready(Item& item, Route route) {
  const auto drawn = draw_attempt_id(now(), ports.randomness, highest);
  if (!drawn) return refuse_clock(item, drawn.error());
  highest = *drawn;
  item.drawn.insert(highest);
  item.backlog.push_back(RouteReady{highest, 0, identity->key, item.marks, std::move(route), identity->run});
}

void Driver::Impl::refuse_clock(Item& item, const Error& why) {
  if (item.payment.index.value == 0) return finish(item, DriveEnd::refused, why);
  if (item.warned.insert(why.message).second) ports.observer.warn(item.payment.request.hash, why.message);
  close(item);
}

void Driver::Impl::do_act(Item& item, const Dispatch& act) {
  if (told_to_leave || (options.collect_only && !item.drawn.count(act.id))) return close(item);
  if (!identity) return want_look(item, mono());
  const Attempt& attempt = *item.payment.find(act.id);
  if (attempt.switch_run != identity->run) return want_look(item, mono());  // restarted since it was decided
  ++item.copies[act.id];
  item.handed_over = true;
  item.unanswered[act.id] = mono();
  if (item.looking) item.look_outdated = true;
  trace(item, "hand over attempt " + std::to_string(act.id.value));
  ports.node.dispatch(handover(item.payment, attempt, store_id(item), false));
}

void Driver::Impl::do_act(Item& item, const Fence& act) {
  if (options.collect_only || told_to_leave) return close(item);
  if (!identity) return want_look(item, mono());
  const Attempt& attempt = *item.payment.find(act.id);
  item.unanswered[act.id] = mono();
  if (item.looking) item.look_outdated = true;
  trace(item, "fence attempt " + std::to_string(act.id.value));
  ports.node.fence(handover(item.payment, attempt, store_id(item), true));
}

void Driver::Impl::do_act(Item& item, const Query& act) {
  item.held = true;
  if (options.wait_ns == 0) return;  // handed over: the first answer is all that --wait 0 stays for
  if (!identity || !item.querying.insert(act.id).second) return;
  ports.node.query(key(item.payment, *item.payment.find(act.id)));
}

const StoreId& Driver::Impl::store_id(const Item& item) { return hashes[item.payment.request.hash].knowledge.store; }

void Driver::Impl::trace(const Item& item, const std::string& text) {
  ports.observer.trace(item.payment.request.hash, text);
}

}  // namespace paytower
