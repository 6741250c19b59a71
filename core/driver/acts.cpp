// What is done once a decision is stored: questions, hand-overs, fences, and leaving.
#include "core/driver/loop.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/driver/attempt_id.h"

namespace paytower {

namespace {

constexpr std::int64_t first_full_pause_ns = ns_per_second;  ///< when HTLCs of others end, nobody tells us
constexpr std::int64_t longest_full_pause_ns = 8 * ns_per_second;

/// The switch is working on it, or has nothing new to say.
bool waits_for_switch(const Act& act) {
  return std::holds_alternative<LookLater>(act) || std::holds_alternative<Query>(act);
}

}  // namespace

void Driver::Impl::act(Drive& drive, const Decision& decision) {
  for (const Act& what : decision.acts) drive.held = drive.held || waits_for_switch(what);
  fulfil_all(drive, perform(drive.item, decision, context()));
}

void Driver::Impl::fulfil_all(Drive& drive, Wishes wishes) {
  for (Wish& what : wishes) {
    if (drive.done || alarm) return;
    std::visit([&](auto& wish) { fulfil(drive, wish); }, what);
  }
}

void Driver::Impl::fulfil(Drive& drive, const RefuseTry& wish) {
  const Payment& payment = drive.item.payment;
  if (wish.why == Errc::in_flight && drive.why_open.blocker != Blocker::none)
    return finish(drive, DriveEnd::refused, blocked_by(payment, drive.why_open, drive.earlier_watched));
  const bool paid_elsewhere = wish.why == Errc::already_paid && payment.proof();
  if (!paid_elsewhere || !drive.idempotent)
    return finish(drive, DriveEnd::refused, refusal(wish.why, payment.request.hash));
  const bool same = payment.request.demand.destination == drive.wanted_payee && foreign_amount_agrees(payment);
  if (same) {
    drive.paid_before = true;
    return close(drive);
  }
  finish(drive, DriveEnd::refused, differ_result(payment.request.hash).error);
}

void Driver::Impl::fulfil(Drive& drive, const Leave&) { close(drive); }

/// M5: read once, when the first route is asked for. After that, each result of this process is added when it comes.
std::shared_ptr<const MissionControl> Driver::Impl::remembered() {
  if (!memory) {
    memory = std::make_shared<MissionControl>();
    if (const auto past = read(ports.store.recent_results(MissionControl::results_to_load))) memory->learn_all(*past);
  }
  return memory->empty() ? nullptr : memory;
}

void Driver::Impl::fulfil(Drive& drive, const AskForRoutes& wish) {
  Item& item = drive.item;
  if (!may_ask_routes(item, wish.wanted)) return;
  const std::uint32_t most_parts = wish.wanted.beside_orphans ? 1 : UINT32_MAX;
  const bool advised = wish.advised && options.use_memory;
  drive.retry_full_at.reset();
  auto advice = advised ? remembered() : nullptr;
  if (alarm) return;
  NextRoutes next = next_routes(item.payment, most_parts,
                                QuestionContext{drive.ticket, advised, std::move(advice), store_id(item), now(),
                                                drive.policies, drive.full_until, wish.caution});
  if (auto* nothing = std::get_if<NothingLeft>(&next)) {
    no_route(item, std::move(nothing->detail));
  } else if (auto* route = std::get_if<Route>(&next)) {
    take_routes(drive, {std::move(*route)}, round_for(item, wish.wanted));
  } else {
    auto& question = std::get<RouteQuestion>(next);
    route_asked(item, RouteAsked{wish.wanted, advised,
                                 Exclusions{question.excluded_channels, question.excluded_nodes, question.bounds},
                                 drive.full_until, wish.caution});
    ports.node.ask_route(question);
  }
}

void Driver::Impl::fulfil(Drive& drive, const WaitForChannel&) {
  const std::int64_t pause = first_full_pause_ns << std::min(drive.full_waits++, 10U);
  drive.retry_full_at = plus(mono(), std::min(pause, longest_full_pause_ns));
  trace(drive.item, "our channels are full: waits until an HTLC has ended");
}

bool Driver::Impl::any_waits_for_channel() const {
  return std::any_of(drives.begin(), drives.end(),
                     [](const auto& drive) { return !drive->done && drive->retry_full_at; });
}

void Driver::Impl::channel_freed(ShortChannelId channel) {
  for (const auto& drive : drives) {
    if (drive->done || !drive->retry_full_at || !met_full_channel(drive->item.payment, drive->full_until, channel))
      continue;
    drive->full_waits = 0;
    return try_full_channels(*drive);
  }
}

void Driver::Impl::try_full_channels(Drive& drive) {
  drive.retry_full_at.reset();
  forget_full_channels(drive);
  want_look(drive.item, mono());
}

void Driver::Impl::forget_full_channels(Drive& drive) {
  for (const Attempt& attempt : drive.item.payment.attempts) {
    if (attempt.id && attempt.origin == AttemptOrigin::own) drive.full_until = std::max(drive.full_until, *attempt.id);
  }
}

void Driver::Impl::fulfil(Drive& drive, TakeRoutes& wish) { take_routes(drive, std::move(wish.routes), wish.round); }

void Driver::Impl::take_routes(Drive& drive, std::vector<Route> routes, const std::optional<AttemptId>& round) {
  if (round) return routes_ready(drive.item, std::move(routes), *round, context());
  const auto drawn = draw_attempt_id(now(), ports.randomness, highest);
  if (!drawn) return fulfil(drive, RefuseClock{drawn.error()});
  highest = *drawn;
  routes_ready(drive.item, std::move(routes), *drawn, context());
}

void Driver::Impl::fulfil(Drive& drive, const RefuseClock& wish) {
  const Payment& payment = drive.item.payment;
  if (payment.index.value == 0) return finish(drive, DriveEnd::refused, wish.why);
  if (drive.warned.insert(wish.why.message).second) ports.observer.warn(payment.request.hash, wish.why.message);
  close(drive);
}

void Driver::Impl::fulfil(Drive& drive, const SendHandover& wish) {
  const Item& item = drive.item;
  drive.handed_over = true;
  trace(item, fmt::format("hand over {}", name_of(item.payment, wish.key)));
  ports.observer.handing_over(wish.key);
  ports.node.dispatch(handover(item.payment, *item.payment.find(wish.key), store_id(item), false));
}

void Driver::Impl::fulfil(Drive& drive, const SendFence& wish) {
  const Item& item = drive.item;
  trace(item, fmt::format("fence {}", name_of(item.payment, wish.key)));
  ports.node.fence(handover(item.payment, *item.payment.find(wish.key), store_id(item), true));
}

void Driver::Impl::fulfil(Drive& drive, const SendRelease&) {
  const Item& item = drive.item;
  trace(item, "end the record that is in the way");
  ports.node.release(item.payment.request.hash, store_id(item));
}

void Driver::Impl::fulfil(Drive&, const SendQuery& wish) { ports.node.query(wish.key); }

const StoreId& Driver::Impl::store_id(const Item& item) { return hashes[item.payment.request.hash].knowledge.store; }

void Driver::Impl::trace(const Item& item, const std::string& text) {
  ports.observer.trace(item.payment.request.hash, text);
}

}  // namespace paytower
