// What a process does with one state. The item's steps are the driver's own; each function names the function of the
// loop that it models.
#include <algorithm>
#include <utility>

#include "core/driver/attempt_id.h"
#include "tests/lifecycle/states.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

/// Always the same number. With a clock before 2020 the real draw_attempt_id then depends only on what the store knows.
class Fixed final : public Randomness {
 public:
  explicit Fixed(std::uint8_t value) : value_(value) {}
  void fill(std::span<std::uint8_t> out) override {
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    out.back() = value_;
  }

 private:
  std::uint8_t value_;
};

std::optional<GuardKind> guard_of(const Store& store) {
  if (store.guard == 0) return std::nullopt;
  return static_cast<GuardKind>(store.guard);
}

bool holds_proof(const Decision& decision) {
  return std::any_of(decision.writes.begin(), decision.writes.end(), [](const Write& write) {
    return std::holds_alternative<SettleAttempt>(write) || std::holds_alternative<RecordForeign>(write);
  });
}

template <typename What> bool writes(const Decision& decision) {
  return std::any_of(decision.writes.begin(), decision.writes.end(),
                     [](const Write& write) { return std::holds_alternative<What>(write); });
}

/// Later than every time limit of an item.
constexpr MonoNs some_time_later{3600 * ns_per_second};

const IdentityAnswer& identity(std::uint8_t run) {
  static const std::array<IdentityAnswer, 3> here = {IdentityAnswer{switch_key(), 0, run_name(0)},
                                                     IdentityAnswer{switch_key(), 0, run_name(1)},
                                                     IdentityAnswer{switch_key(), 0, run_name(2)}};
  return here.at(run);
}

bool goes_to_switch(const Act& act) {
  return std::holds_alternative<Dispatch>(act) || std::holds_alternative<Fence>(act);
}

bool ends(const Wish& wish) {
  return std::holds_alternative<Leave>(wish) || std::holds_alternative<RefuseTry>(wish) ||
         std::holds_alternative<RefuseClock>(wish);
}

}  // namespace

Decision DriverStep::ask(const Payment& payment, const TimedEvent& event) const {
  if (mutation_.decide) return mutation_.decide(payment, event, state_);
  return decide(payment, event);
}

ItemContext DriverStep::context(unsigned slot) const {
  ItemContext at;
  at.wall = time_of(state_, slot);
  at.identity = &identity(state_.node.run);
  if (state_.process.collect_only != 0) at.mode = ItemContext::Mode::collect_only;
  return at;
}

template <typename Change> void DriverStep::change(unsigned slot, Change how) {
  Item one = item(slot);
  how(one, context(slot));
  keep(slot, one);
}

// --- admission.cpp ---

/// remember(), with what SqlitePaymentStore::find reads after the lock is taken.
void DriverStep::remember_store() {
  Process& process = state_.process;
  process.alive = 1;
  process.known = known_ids(state_.store);
  process.deleted_up_to = state_.store.deleted_up_to;
  process.highest = state_.store.deleted_up_to;
  for (unsigned id = 1; id <= most_ids; ++id) {
    const auto round = static_cast<std::uint8_t>(round_of(config_, state_.store.names, id));
    if ((process.known & bit(id)) != 0) process.highest = std::max(process.highest, round);
  }
}

/// admit_request: admission asks decide(Created) with what the store knows of the hash.
void DriverStep::send(unsigned slot) {
  Created created;
  if (const auto known = newest(state_.store))
    created.previous = payment_of(config_, state_.store, *known, state_.store.tries[*known].stop).status();
  created.guard = guard_of(state_.store);
  if (mutation_.init_unchecked) created = Created{};
  const Decision decision = ask(payment_of(config_, state_.store, slot, 0), TimedEvent{time_of(state_, slot), created});
  if (decision.refusal) return;
  if (state_.paid != 0) throw Violation{"R13: a paid hash passes admission"};
  remember_store();
  bytes(slot).active = 1;
  act(slot, item(slot), decision);
}

/// admit_stored, for all that fetch_in_flight lists: tries of one hash share its lock.
void DriverStep::resume(bool collect_only) {
  remember_store();
  state_.process.collect_only = collect_only ? 1 : 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& row = state_.store.tries[slot];
    if (row.stand != RowStand::stored) continue;
    if (ended(row) && !has_open(state_.store, slot) && !has_watched(state_.store, slot)) continue;
    bytes(slot).active = 1;
    bytes(slot).known_stop = row.stop;
    change(slot, [](Item& one, const ItemContext& at) { want_look(one, at.mono); });
  }
}

// --- tick.cpp ---

/// decide_all and commit for the first event of one item. An act that the switch sees is a move of its own, so that a
/// crash can come in between. An act that only changes memory is done at once, because a crash before it or after it
/// has the same result.
void DriverStep::decide_front(unsigned slot) { decide_first(slot, item(slot)); }

void DriverStep::decide_first(unsigned slot, Item one) {
  Event cause = std::move(one.backlog.front());
  one.backlog.erase(one.backlog.begin());
  const Decision decision = ask(one.payment, TimedEvent{time_for(one.payment, context(slot)), cause});
  if (decision.writes.empty()) return act(slot, std::move(one), decision);
  if (writes<FailPayment>(decision) && bytes(slot).quiet_proven == 0)
    throw Violation{"R9: FAILED without a look behind the last end that showed nothing"};
  check_new_round(slot, decision);
  if (commit(config_, mutation_, state_, slot, decision.writes))
    return refused(slot, std::move(one), std::move(cause), decision);
  note_written(slot, decision);
  on_stored(one, PaymentIndex{slot + 1}, decision, context(slot).mono);
  act(slot, std::move(one), decision);
}

/// R4: a new id only after all attempts of the old one have ended, and after a look.
void DriverStep::check_new_round(unsigned slot, const Decision& decision) const {
  if (!has_parts(config_)) return;  // without parts the id alone is the round, and later checks see every rule about it
  for (const Write& write : decision.writes) {
    const auto* made = std::get_if<RegisterAttempt>(&write);
    if (made == nullptr || !begins_round(config_, state_.store, slot, made->attempt)) continue;
    if (has_open(state_.store, slot)) throw Violation{"R2: a new round beside an open one"};
    if (state_.process.items[slot].quiet_proven == 0)
      throw Violation{"R4: a new round without a look behind the last end that showed nothing"};
  }
}

/// accepted_by_store.
void DriverStep::note_written(unsigned slot, const Decision& decision) {
  for (const Write& write : decision.writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      state_.process.known |= bit(number(test::key_of(*made->attempt.id, made->attempt.part)));
  }
  if (!writes<RegisterAttempt>(decision) && !writes<FailAttempt>(decision) && !writes<CloseAttempt>(decision)) return;
  bytes(slot).quiet_proven = 0;  // a look must follow (R9)
  LookOnWay& look = state_.process.look;
  look.after_end = static_cast<std::uint8_t>(look.after_end & ~bit(slot));
}

/// refused_by_store: a payment that is not recorded is done; otherwise it is read again, and proofs are kept.
void DriverStep::refused(unsigned slot, Item one, Event cause, const Decision& decision) {
  const bool recorded = state_.store.tries[slot].stand == RowStand::stored;
  if (!recorded) {
    if (state_.store.tries[slot].stand == RowStand::unused) return finish(slot);
    throw Violation{"the model deletes nothing that is driven"};
  }
  if (holds_proof(decision) && state_.store.tries[slot].proof == Proof::none)
    throw Violation{"R8: a right preimage is refused by the store"};
  one.backlog.insert(one.backlog.begin(), std::move(cause));
  reload(slot, std::move(one));
}

void DriverStep::reload(unsigned slot, Item one) {
  Payment stored = payment_of(config_, state_.store, slot, state_.store.tries[slot].stop);
  const Wishes wishes = on_reload(one, std::move(stored), context(slot));
  fulfil(slot, std::move(one), wishes);
}

// --- acts.cpp ---

void DriverStep::act(unsigned slot, Item one, const Decision& decision) {
  if (decision.refusal || std::none_of(decision.acts.begin(), decision.acts.end(), goes_to_switch)) {
    const Wishes wishes = mutation_.calls.perform(one, decision, context(slot));
    return fulfil(slot, std::move(one), wishes);
  }
  for (const Act& what : decision.acts) {
    const auto* dispatch = std::get_if<Dispatch>(&what);
    const auto* fence = std::get_if<Fence>(&what);
    const std::uint8_t kind = dispatch != nullptr ? 1 : 2;
    if (!goes_to_switch(what) || (bytes(slot).act != 0 && bytes(slot).act != kind))
      throw Violation{"the model does acts of one kind after a decision, the core asks for others beside them"};
    bytes(slot).act = kind;
    bytes(slot).act_ids |= bit(number(dispatch != nullptr ? dispatch->key : fence->key));
  }
  keep(slot, one);
}

void DriverStep::do_committed_act(unsigned slot) {
  const bool send = bytes(slot).act == 1;
  unsigned id = 1;
  while ((bytes(slot).act_ids & bit(id)) == 0) ++id;
  bytes(slot).act_ids = static_cast<std::uint8_t>(bytes(slot).act_ids & ~bit(id));
  if (bytes(slot).act_ids == 0) bytes(slot).act = 0;
  if (state_.store.attempts[id].outcome == Outcome::absent) throw Violation{"R1: handed over without a record"};
  Decision committed;
  const AttemptKey key = key_of(config_, state_.store.names, id);
  committed.acts.push_back(send ? Act{Dispatch{key}} : Act{Fence{key}});
  Item one = item(slot);
  const Wishes wishes = mutation_.calls.perform(one, committed, context(slot));
  fulfil(slot, std::move(one), wishes);
}

void DriverStep::fulfil(unsigned slot, Item one, const Wishes& wishes) {
  for (const Wish& wish : wishes) {
    if (ends(wish)) return finish(slot);
    if (const auto* ask = std::get_if<AskForRoutes>(&wish)) ask_for_routes(slot, one, *ask);
    if (const auto* send = std::get_if<SendHandover>(&wish)) {
      check_handover(slot, number(send->key));
      Requests& asked = state_.node.requests[number(send->key)];
      if (asked.live < config_.copies) asked.live = static_cast<std::uint8_t>(asked.live + 1);
    }
    if (const auto* fence = std::get_if<SendFence>(&wish)) state_.node.requests[number(fence->key)].fence_live = 1;
  }
  keep(slot, one);
}

/// acts.cpp, fulfil(AskForRoutes).
void DriverStep::ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish) {
  if (!may_ask_routes(one, wish.wanted)) return;
  if (!has_parts(config_)) return route_asked(one, {});
  const std::uint32_t most_parts = wish.wanted.beside_orphans ? 1 : UINT32_MAX;
  const NextRoutes next = mutation_.calls.next_routes(one.payment, most_parts, state_);
  if (const auto* nothing = std::get_if<NothingLeft>(&next)) return no_route(one, nothing->detail);
  const auto& question = std::get<RouteQuestion>(next);
  route_asked(one, RouteAsked{wish.wanted});
  bytes(slot).asked_units =
      static_cast<std::uint8_t>(question.demand.amount.value() / part_route(1, 0).delivered().value());
  bytes(slot).asked_parts = static_cast<std::uint8_t>(question.max_parts);
}

void DriverStep::check_handover(unsigned slot, unsigned id) const {
  const Payment payment = payment_of(config_, state_.store, slot, 0);
  if (payment.proof()) throw Violation{"R2: handed over after the proof"};
  if (payment.missing() != Msat{}) throw Violation{"R2: handed over although the open parts do not make the amount"};
  const MarkBytes& marks = state_.store.attempts[id].marks;
  const MarkBytes& present = state_.node.seen.now;
  for (unsigned i = 0; i < marks.size(); ++i) {
    if (marks[i] != no_mark && marks[i] > present[i])
      throw Violation{"R5: handed over to a node that was restored from an old copy"};
  }
}

/// The real draw_attempt_id. A clock that stands still is the worst one: then only the store keeps ids apart.
unsigned DriverStep::draw() {
  Process& process = state_.process;
  Fixed randomness(config_.clock_stands ? std::uint8_t{0} : static_cast<std::uint8_t>(state_.drawn + 1));
  const AttemptId id = *draw_attempt_id(UnixNs{}, randomness, AttemptId{process.highest});
  process.highest = static_cast<std::uint8_t>(id.value);
  state_.drawn = std::max(state_.drawn, static_cast<std::uint8_t>(id.value));
  return static_cast<unsigned>(id.value);
}

// --- driver.cpp ---

/// start_looks: one a hash at a time, shared by all tries that want one.
void DriverStep::start_look(bool late) {
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    bytes(slot).look_late = late ? 1 : 0;
    change(slot, [](Item& one, const ItemContext& at) { (void)take_look(one, at.mono); });
  }
  state_.process.look.stage = LookStage::asked;
}

/// look_at_clocks, when two seconds have passed, or the deadline.
void DriverStep::doubt_silence(unsigned slot) {
  change(slot, [](Item& one, ItemContext at) {
    at.mono = some_time_later;
    paytower::doubt_silence(one, at);
  });
}

void DriverStep::tell_deadline(unsigned slot) { change(slot, paytower::tell_deadline); }

void DriverStep::see_foreign_decisions(unsigned slot) { reload(slot, item(slot)); }

/// finish and sweep: the process ends with its last item.
void DriverStep::finish(unsigned slot) {
  bytes(slot) = ItemBytes{};
  const auto& items = state_.process.items;
  if (std::none_of(items.begin(), items.end(), [](const ItemBytes& one) { return one.active != 0; })) die();
}

void DriverStep::die() {
  drop_connection();
  state_.process = Process{};
}

void DriverStep::drop_connection() {
  for (Requests& asked : state_.node.requests) {
    asked.detached = static_cast<std::uint8_t>(std::min<unsigned>(config_.copies, asked.detached + asked.live));
    asked.fence_detached = static_cast<std::uint8_t>(std::min(1, asked.fence_detached + asked.fence_live));
    asked.live = asked.fence_live = asked.reply = asked.fence_reply = 0;
  }
}

// --- answers.cpp ---

/// The look is executed: what the switch shows of the hash is copied.
void DriverStep::execute_look() {
  LookOnWay& look = state_.process.look;
  look.stage = LookStage::answered;
  look.shown = state_.node.seen;
  look.after_end = 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (!has_open(state_.store, slot)) look.after_end |= bit(slot);
  }
}

/// receive(LookAnswer): every item of the hash that took part in the question gets the answer.
void DriverStep::receive_look() {
  const LookOnWay look = std::exchange(state_.process.look, LookOnWay{});
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    Item one = item(slot);
    const auto asked = mutation_.calls.look_came(one, context(slot));
    if (asked) {
      conclude(slot, std::move(one), look, *asked);
    } else {
      keep(slot, one);
    }
    if (state_.process.alive == 0) return;  // an alarm ended it
  }
}

/// conclude: an alarm ends the process.
void DriverStep::conclude(unsigned slot, Item one, const LookOnWay& look, MonoNs asked) {
  const cln::NodeLists shown = look_result(config_, state_, look.shown);
  LookFinding finding = mutation_.calls.interpret(
      one.payment, shown, knowledge(config_, state_.store.names, state_.process.known, state_.process.deleted_up_to));
  if (finding.alarm) return die();
  for (const Event& what : finding.events) {
    if (!std::holds_alternative<Quiet>(what)) continue;
    bytes(slot).quiet_proven = (look.after_end & bit(slot)) != 0 && shows_nothing(look.shown) ? 1 : 0;
  }
  on(one, std::move(finding), asked, context(slot));
  keep(slot, one);
}

/// receive(RouteAnswer) and take_routes: the id is drawn, and the tick commits it. Nothing else waits in the queue
/// then.
void DriverStep::receive_routes(unsigned slot, const std::vector<Route>& routes) {
  Item one = item(slot);
  const Wishes wishes = mutation_.calls.route_came(one, routes_answer(0, routes), state_);
  const auto* take = wishes.empty() ? nullptr : std::get_if<TakeRoutes>(&wishes.front());
  if (take == nullptr) return fulfil(slot, std::move(one), wishes);
  const std::uint8_t drawn_before = state_.drawn;
  const std::uint8_t highest_before = state_.process.highest;
  const AttemptId id =
      take->round ? *take->round : AttemptId{mutation_.old_round && drawn_before > 0 ? drawn_before : draw()};
  if (id.value > most_ids) throw Violation{"an id beyond the model's"};
  routes_ready(one, take->routes, id, context(slot));
  if (!has_parts(config_)) return decide_first(slot, std::move(one));
  const Names names_before = state_.store.names;
  name_parts(std::get<RoutesReady>(one.backlog.back()));
  const unsigned first = first_free(names_before);
  decide_first(slot, std::move(one));
  if (first <= most_ids && state_.store.attempts[first].outcome != Outcome::absent) return;
  // Nothing was stored: the drawn id is forgotten, to keep the number of states small.
  state_.store.names = names_before;
  state_.drawn = drawn_before;
  if (state_.process.alive != 0) state_.process.highest = highest_before;
  bytes(slot).drawn = static_cast<std::uint8_t>(bytes(slot).drawn & (bit(first) - 1U));
}

void DriverStep::name_parts(const RoutesReady& ready) {
  for (const PlannedPart& planned : ready.parts) {
    const unsigned number = first_free(state_.store.names);
    if (number > last_number(config_)) throw Violation{"an attempt beyond the model's"};
    const auto units = planned.route.delivered().value() / part_route(1, 0).delivered().value();
    state_.store.names[number] =
        Name{static_cast<std::uint16_t>(planned.route.fees().value()), static_cast<std::uint8_t>(ready.round.value),
             static_cast<std::uint8_t>(planned.part), static_cast<std::uint8_t>(units), 0};
  }
}

void DriverStep::receive_dispatch(unsigned slot, unsigned id) {
  const unsigned reply = std::exchange(state_.node.requests[id].reply, std::uint8_t{0});
  const auto kind = reply == 1   ? DispatchAnswer::Kind::accepted
                    : reply == 2 ? DispatchAnswer::Kind::not_sent
                                 : DispatchAnswer::Kind::look;
  change(slot, [&](Item& one, const ItemContext& at) {
    mutation_.calls.dispatch_came(one, DispatchAnswer{key_of(config_, state_.store.names, id), kind, {}}, at);
  });
}

void DriverStep::receive_fence(unsigned slot, unsigned id) {
  Item one = item(slot);
  const unsigned reply = std::exchange(state_.node.requests[id].fence_reply, std::uint8_t{0});
  const auto kind = reply == 1   ? FenceAnswer::Kind::fenced
                    : reply == 3 ? FenceAnswer::Kind::barred
                                 : FenceAnswer::Kind::look;
  const Wishes wishes = on(one, FenceAnswer{key_of(config_, state_.store.names, id), kind}, context(slot));
  fulfil(slot, std::move(one), wishes);
}

/// The switch's answer, which depends on its row. That a row is pending is answered only late: see Moves.
void DriverStep::receive_query(unsigned slot, unsigned id) {
  QueryAnswer answer;
  switch (state_.node.seen.rows[id]) {
    case RowKind::complete:
    case RowKind::complete_wrong:
      answer.kind = QueryAnswer::Kind::settled;
      answer.preimage =
          state_.node.seen.rows[id] == RowKind::complete ? test::right_preimage() : test::wrong_preimage();
      break;
    case RowKind::failed_final:
      answer.failure.code = FailureCode::incorrect_or_unknown_payment_details;
      [[fallthrough]];
    case RowKind::failed_retry: answer.kind = QueryAnswer::Kind::failed; break;
    case RowKind::failed_mpp:
      answer.kind = QueryAnswer::Kind::failed;
      answer.failure.code = FailureCode::mpp_timeout;
      answer.failure.source_index = 2;
      break;
    case RowKind::none:
    case RowKind::fence:
    case RowKind::pending:
    case RowKind::fence_pending: break;
  }
  change(slot, [&](Item& one, const ItemContext& at) {
    answer.key = key_of(config_, state_.store.names, id);
    on(one, answer, at);
  });
}

/// receive(Disconnected): items without a recorded payment leave.
void DriverStep::disconnect() {
  drop_connection();
  state_.process.look = {};
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    change(slot, [](Item& one, const ItemContext& at) { on(one, Disconnected{}, at); });
    if (state_.store.tries[slot].stand != RowStand::stored) finish(slot);
    if (state_.process.alive == 0) return;
  }
}

// --- cli/commands/cancel.cpp and cli/commands/resolve.cpp ---

/// `word` is decided in another process, about the payment as it is stored. cancel needs no lock, resolve has it.
void DriverStep::say(const Event& word) {
  const auto slot = newest(state_.store);
  if (!slot) return;
  const Decision decision = ask(payment_of(config_, state_.store, *slot, state_.store.tries[*slot].stop),
                                TimedEvent{time_of(state_, *slot), word});
  if (decision.refusal || decision.writes.empty()) return;
  const State before = state_;
  if (commit(config_, mutation_, state_, *slot, decision.writes)) return;
  for (unsigned id = 1; id <= most_ids; ++id) {
    if (state_.store.attempts[id].outcome == Outcome::assumed_failed &&
        before.store.attempts[id].outcome == Outcome::open)
      state_.assumed |= bit(id);
  }
}

}  // namespace paytower::cln_model
