// What a process does with one state: each function says which of the driver's it stands for.
#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "core/driver/attempt_id.h"
#include "core/driver/ports.h"
#include "tests/lifecycle/states.h"
#include "tests/model/world.h"

namespace paytower::model {

namespace {

/// Always the same number: at a time before 2020 the real draw_attempt_id then depends on what the store knows alone.
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

void without(std::uint8_t& set, unsigned id) { set = static_cast<std::uint8_t>(set & ~bit(id)); }

}  // namespace

Decision DriverStep::ask(const Payment& payment, const TimedEvent& event) const {
  if (mutation_.decide) return mutation_.decide(payment, event, state_);
  return decide(payment, event);
}

Payment DriverStep::memory(unsigned slot) const {
  return payment_of(config_, state_.store, slot, state_.process.items[slot].known_stop);
}

void DriverStep::push(unsigned slot, std::uint8_t code) {
  Item& one = item(slot);
  if (one.events == most_events) throw Violation{"more events at once than the model holds"};
  one.backlog[one.events] = code;
  one.events = static_cast<std::uint8_t>(one.events + 1);
}

void DriverStep::pop(unsigned slot) {
  Item& one = item(slot);
  std::rotate(one.backlog.begin(), one.backlog.begin() + 1, one.backlog.end());
  one.backlog.back() = 0;
  one.events = static_cast<std::uint8_t>(one.events - 1);
}

// --- driver_admission.cpp ---

/// Driver::Impl::remember, with what SqlitePaymentStore::find read after the lock was taken.
void DriverStep::remember_store() {
  Process& process = state_.process;
  process.alive = 1;
  process.known = known_ids(state_.store);
  process.deleted_up_to = state_.store.deleted_up_to;
  process.highest = state_.store.deleted_up_to;
  for (unsigned id = 1; id <= most_ids; ++id) {
    if ((process.known & bit(id)) != 0) process.highest = std::max(process.highest, static_cast<std::uint8_t>(id));
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
  item(slot).active = 1;
  perform(slot, decision);
}

/// admit_stored, for all that fetch_in_flight lists: tries of one hash share its lock.
void DriverStep::resume(bool collect_only) {
  remember_store();
  state_.process.collect_only = collect_only ? 1 : 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state_.store.tries[slot];
    if (one.stand != RowStand::stored) continue;
    if (ended(one) && !has_open(state_.store, slot) && !has_watched(state_.store, slot)) continue;
    item(slot).active = 1;
    item(slot).known_stop = one.stop;
    item(slot).look_wanted = 1;
  }
}

// --- driver_tick.cpp ---

/// decide_all and commit for the first event of one item. The act that the switch sees is a move of its own, so that a
/// crash can come between; what only changes memory is done at once, since a crash before it and behind it leave the
/// same.
void DriverStep::decide_front(unsigned slot) {
  const std::uint8_t code = item(slot).backlog[0];
  pop(slot);
  process(slot, code, event_of(state_, slot, code));
}

void DriverStep::process(unsigned slot, std::uint8_t code, const TimedEvent& event) {
  const Decision decision = ask(memory(slot), event);
  if (decision.acts.size() > 1) throw Violation{"the model does one act after a decision, the core asks for more"};
  if (decision.writes.empty()) return perform(slot, decision);
  if (writes<FailPayment>(decision) && item(slot).quiet_proven == 0)
    throw Violation{"R9: FAILED without a look behind the last end that showed nothing"};
  if (commit(config_, mutation_, state_, slot, decision.writes)) return refused(slot, code, decision);
  note_written(slot, decision);
  perform(slot, decision);
}

/// accepted_by_store.
void DriverStep::note_written(unsigned slot, const Decision& decision) {
  Item& one = item(slot);
  for (const Write& write : decision.writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      state_.process.known |= bit(static_cast<unsigned>(made->attempt.id->value));
    if (std::holds_alternative<SetStop>(write)) one.known_stop = state_.store.tries[slot].stop;
  }
  if (!writes<RegisterAttempt>(decision) && !writes<FailAttempt>(decision) && !writes<CloseAttempt>(decision)) return;
  one.quiet_proven = 0;  // a look has to come behind it (R9)
  without(state_.process.look.after_end, slot);
}

/// refused_by_store: a payment that is not recorded is done; otherwise it is read again, and proofs are kept.
void DriverStep::refused(unsigned slot, std::uint8_t code, const Decision& decision) {
  const bool recorded = state_.store.tries[slot].stand == RowStand::stored;
  if (!recorded) {
    if (state_.store.tries[slot].stand == RowStand::unused) return finish(slot);
    throw Violation{"the model deletes nothing that is driven"};
  }
  if (holds_proof(decision) && state_.store.tries[slot].proof == Proof::none)
    throw Violation{"R8: a right preimage is refused by the store"};
  Item& one = item(slot);
  if (is_proof(code)) {
    if (one.events == most_events) throw Violation{"more events at once than the model holds"};
    std::rotate(one.backlog.begin(), one.backlog.end() - 1, one.backlog.end());
    one.backlog[0] = code;
    one.events = static_cast<std::uint8_t>(one.events + 1);
  }
  reload(slot);
}

void DriverStep::reload(unsigned slot) {
  Item& one = item(slot);
  const auto kept = one.backlog;
  const unsigned count = one.events;
  one.backlog = {};
  one.events = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (is_proof(kept[i])) push(slot, kept[i]);
  }
  one.known_stop = state_.store.tries[slot].stop;
  if (ended(state_.store.tries[slot]) && !has_open(state_.store, slot)) return finish(slot);
  want_look(slot);
}

// --- driver_acts.cpp ---

void DriverStep::perform(unsigned slot, const Decision& decision) {
  if (decision.refusal) return finish(slot);
  if (decision.acts.empty()) return;
  const Act& act = decision.acts.front();
  Item& one = item(slot);
  if (std::holds_alternative<Report>(act)) return finish(slot);
  if (std::holds_alternative<Look>(act) || std::holds_alternative<LookLater>(act)) return want_look(slot);
  if (std::holds_alternative<AskRoute>(act)) {
    if (state_.process.collect_only != 0) return finish(slot);
    one.asking = 1;
    return;
  }
  if (const auto* query = std::get_if<Query>(&act)) {
    one.querying |= bit(static_cast<unsigned>(query->id.value));
    return;
  }
  const auto* dispatch = std::get_if<Dispatch>(&act);
  one.act = dispatch ? 1 : 2;
  one.act_id = static_cast<std::uint8_t>(dispatch ? dispatch->id.value : std::get<Fence>(act).id.value);
}

void DriverStep::do_committed_act(unsigned slot) {
  Item& one = item(slot);
  const bool send = one.act == 1;
  const unsigned id = one.act_id;
  one.act = one.act_id = 0;
  if (send) return dispatch(slot, id);
  fence(slot, id);
}

/// do_act(Dispatch): R1 was kept, the attempt is committed.
void DriverStep::dispatch(unsigned slot, unsigned id) {
  Item& one = item(slot);
  if (state_.process.collect_only != 0 && (one.drawn & bit(id)) == 0) return finish(slot);
  if (state_.store.attempts[id].outcome == Outcome::absent) throw Violation{"R1: handed over without a record"};
  const MarkBytes& marks = state_.store.attempts[id].marks;
  const MarkBytes& present = state_.node.seen.now;
  const bool backwards = marks[0] != no_mark && (marks[0] > present[0] || marks[1] > present[1] ||
                                                 marks[2] > present[2] || marks[3] > present[3]);
  if (backwards) throw Violation{"R5: handed over to a node that was restored from an old copy"};
  if ((one.drawn & bit(id)) != 0) {
    const bool before = ((one.sent_once | one.sent_more) & bit(id)) != 0;
    without(one.sent_once, id);
    (before ? one.sent_more : one.sent_once) |= bit(id);
  }
  one.unanswered |= bit(id);
  if (one.looking != 0) one.look_outdated = 1;
  Requests& asked = state_.node.requests[id];
  if (asked.live < config_.copies) asked.live = static_cast<std::uint8_t>(asked.live + 1);
}

/// do_act(Fence).
void DriverStep::fence(unsigned slot, unsigned id) {
  Item& one = item(slot);
  if (state_.process.collect_only != 0) return finish(slot);
  one.unanswered |= bit(id);
  if (one.looking != 0) one.look_outdated = 1;
  Requests& asked = state_.node.requests[id];
  asked.fence_live = 1;
}

/// want_look: a look that is under way was asked too early to answer this one.
void DriverStep::want_look(unsigned slot) {
  Item& one = item(slot);
  if (one.looking != 0) one.look_outdated = 1;
  one.look_wanted = 1;
}

/// draw_attempt_id, the real one. The clock that stands is the worst of clocks: only the store keeps ids apart then.
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
void DriverStep::start_look() {
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    Item& one = item(slot);
    if (one.active == 0 || one.look_wanted == 0) continue;
    one.look_wanted = 0;
    one.looking = 1;
    one.look_outdated = 0;
  }
  state_.process.look.stage = LookStage::asked;
}

void DriverStep::doubt_silence(unsigned slot) { want_look(slot); }

void DriverStep::tell_deadline(unsigned slot) {
  item(slot).deadline_told = 1;
  push(slot, simple_event(DeadlinePassed{}));
}

void DriverStep::see_foreign_decisions(unsigned slot) { reload(slot); }

/// finish and sweep: the last item takes the process with it.
void DriverStep::finish(unsigned slot) {
  item(slot) = Item{};
  const auto& items = state_.process.items;
  if (std::none_of(items.begin(), items.end(), [](const Item& one) { return one.active != 0; })) die();
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

// --- driver_answers.cpp ---

/// The switch takes its picture of the hash.
void DriverStep::execute_look() {
  LookOnWay& look = state_.process.look;
  look.stage = LookStage::answered;
  look.shown = state_.node.seen;
  look.after_end = 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (!has_open(state_.store, slot)) look.after_end |= bit(slot);
  }
}

/// receive(LookAnswer): every item of the hash that took part in the question takes it.
void DriverStep::receive_look() {
  const LookOnWay look = std::exchange(state_.process.look, LookOnWay{});
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    Item& one = item(slot);
    if (one.active == 0 || one.looking == 0) continue;
    one.looking = 0;
    if (one.look_outdated != 0) {
      one.look_outdated = 0;
      if (one.unanswered == 0) want_look(slot);
      continue;
    }
    conclude(slot, look);
    if (state_.process.alive == 0) return;  // an alarm ended it
  }
}

/// conclude: an alarm is thrown, and ends the process.
void DriverStep::conclude(unsigned slot, const LookOnWay& look) {
  Item& one = item(slot);
  const Payment payment = memory(slot);
  const LookFinding finding = interpret(payment, look_result(config_, look.shown),
                                        knowledge(state_.process.known, state_.process.deleted_up_to));
  if (finding.alarm) return die();
  one.marks = look.shown.now;
  for (const Event& what : finding.events) {
    push(slot, code_of(what, payment.request.hash));
    if (!std::holds_alternative<Quiet>(what)) continue;
    one.quiet_proven = (look.after_end & bit(slot)) != 0 && shows_nothing(look.shown) ? 1 : 0;
  }
}

/// receive(RouteAnswer) and ready(): the id is drawn, and the tick commits it. Nothing else is queued then.
void DriverStep::receive_route(unsigned slot, bool found) {
  Item& one = item(slot);
  one.asking = 0;
  if (!found) return push(slot, simple_event(NoRoute{}));
  const unsigned id = draw();
  if (id > most_ids) throw Violation{"an id beyond the model's"};
  one.drawn |= bit(id);
  process(slot, 0,
          TimedEvent{time_of(state_, slot), RouteReady{AttemptId{id}, 0, switch_key(), marks_of(one.marks), route()}});
}

/// receive(DispatchAnswer), with R3's only copy.
void DriverStep::receive_dispatch(unsigned slot, unsigned id) {
  Item& one = item(slot);
  Requests& asked = state_.node.requests[id];
  const unsigned reply = asked.reply;
  asked.reply = 0;
  without(one.unanswered, id);
  if (reply == 1) return push(slot, simple_event(Accepted{AttemptId{id}}));
  if (reply == 3) return want_look(slot);
  const bool only_copy = (one.drawn & one.sent_once & bit(id)) != 0;
  push(slot, simple_event(NotSent{AttemptId{id}, {}, only_copy}));
}

void DriverStep::receive_fence(unsigned slot, unsigned id) {
  Requests& asked = state_.node.requests[id];
  const unsigned reply = asked.fence_reply;
  asked.fence_reply = 0;
  without(item(slot).unanswered, id);
  if (reply == 1) return push(slot, simple_event(Fenced{AttemptId{id}}));
  want_look(slot);
}

/// SimSwitch's query_answer, and receive(QueryAnswer). A pending row is not answered: see Moves.
void DriverStep::receive_query(unsigned slot, unsigned id) {
  without(item(slot).querying, id);
  Failure failure;
  switch (state_.node.seen.rows[id]) {
    case RowKind::complete: return push(slot, simple_event(Settled{AttemptId{id}, test::right_preimage()}));
    case RowKind::complete_wrong: return push(slot, simple_event(Settled{AttemptId{id}, test::wrong_preimage()}));
    case RowKind::failed_final: failure.code = FailureCode::incorrect_or_unknown_payment_details; [[fallthrough]];
    case RowKind::failed_retry: return push(slot, simple_event(Failed{AttemptId{id}, failure}));
    case RowKind::none:
    case RowKind::fence: return want_look(slot);
    case RowKind::pending:
    case RowKind::fence_pending: throw Violation{"the model answers no query of what is pending"};
  }
}

/// receive(Disconnected).
void DriverStep::disconnect() {
  drop_connection();
  state_.process.look = {};
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    Item& one = item(slot);
    if (one.active == 0) continue;
    one.looking = one.look_outdated = one.asking = one.unanswered = one.querying = 0;
    one.look_wanted = 1;
    if (state_.store.tries[slot].stand != RowStand::stored) finish(slot);
    if (state_.process.alive == 0) return;
  }
}

// --- cli/commands/cancel.cpp and cli/commands/resolve.cpp ---

/// The word is a decision on the payment as it is stored, in another process: cancel needs no lock, resolve has it.
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

}  // namespace paytower::model
