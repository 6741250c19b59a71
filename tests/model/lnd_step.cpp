// What a process does with one state. The item's steps are the driver's own; each function names the function of the
// loop or the adapter that it models.
#include <algorithm>
#include <utility>

#include "tests/lifecycle/states.h"
#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

/// Later than every time limit of an item.
constexpr MonoNs some_time_later{3600 * ns_per_second};

const IdentityAnswer& identity(bool same_again) {
  static const auto here = [](bool again) {
    IdentityAnswer answer;
    answer.key = switch_key();
    answer.capabilities.same_again = again;
    answer.capabilities.min_amount = Msat::of(2);
    return answer;
  };
  static const std::array<IdentityAnswer, 2> both = {here(false), here(true)};
  return both[same_again ? 1 : 0];
}

bool goes_to_switch(const Act& act) {
  return std::holds_alternative<Dispatch>(act) || std::holds_alternative<Fence>(act) ||
         std::holds_alternative<Release>(act);
}

bool ends(const Wish& wish) {
  return std::holds_alternative<Leave>(wish) || std::holds_alternative<RefuseTry>(wish) ||
         std::holds_alternative<RefuseClock>(wish);
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

bool is_proven(const Record& record) {
  return record.status == Status::succeeded &&
         std::find(record.htlcs.begin(), record.htlcs.end(), Shown::settled) != record.htlcs.end();
}

/// How an HTLC has ended, as a hand-over's answer or the stream reports it.
QueryAnswer end_of(const State& state, unsigned number) {
  QueryAnswer answer;
  answer.key = key_of(state.store, number);
  const Shown shown = state.node.record.htlcs[number];
  if (state.node.truth[number] == Truth::settled) {
    answer.kind = QueryAnswer::Kind::settled;
    answer.preimage = shown == Shown::settled_wrong ? test::wrong_preimage() : test::right_preimage();
    return answer;
  }
  answer.kind = QueryAnswer::Kind::failed;
  answer.failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  if (shown == Shown::failed_final)
    answer.failure = Failure{FailureCode::incorrect_or_unknown_payment_details, 2, {}, {}, {}};
  if (shown == Shown::failed_mpp) answer.failure = Failure{FailureCode::mpp_timeout, 2, {}, {}, {}};
  return answer;
}

}  // namespace

ItemContext ProcessStep::context(unsigned slot) const {
  ItemContext at;
  at.wall = wall_time(state_, slot);
  at.identity = &identity(mutation_.same_again);
  if (state_.process.collect_only != 0) at.mode = ItemContext::Mode::collect_only;
  const int early = mutation_.limit_too_early ? 2 : 0;
  const UnixNs now = lnd_time(static_cast<Tick>(state_.node.now - early));
  at.terms = HandoverTerms{UnixNs{now.value + lnd::handover_life_ns}, chain_height(state_.node.height)};
  return at;
}

template <typename Change> void ProcessStep::change(unsigned slot, Change how) {
  Item one = item(slot);
  how(one, context(slot));
  keep(slot, one);
}

// --- admission.cpp ---

/// admit_request: admission asks decide(Created) with what the store knows of the hash.
void ProcessStep::send(unsigned slot) {
  Created created;
  if (const auto known = newest(state_.store))
    created.previous = payment_of(config_, state_.store, *known, state_.store.tries[*known].stop).status();
  const Decision decision =
      mutation_.decide(payment_of(config_, state_.store, slot, 0), TimedEvent{wall_time(state_, slot), created});
  if (decision.refusal) return;
  if (state_.paid != 0) throw Violation{"R13: a paid hash passes admission"};
  state_.process.alive = 1;
  bytes(slot).active = 1;
  act(slot, item(slot), decision);
}

/// admit_stored, for all that fetch_in_flight lists: tries of one hash share its lock.
void ProcessStep::resume(bool collect_only) {
  state_.process.alive = 1;
  state_.process.collect_only = collect_only ? 1 : 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& row = state_.store.tries[slot];
    if (row.stored == 0) continue;
    if (ended(row) && !has_open(state_.store, slot) && !has_watched(state_.store, slot)) continue;
    bytes(slot).active = 1;
    bytes(slot).known_stop = row.stop;
    change(slot, [](Item& one, const ItemContext& at) { want_look(one, at.mono); });
  }
}

// --- tick.cpp ---

/// decide_all and commit for the first event of one item. An act that the switch sees is a move of its own, so that a
/// crash can come in between.
void ProcessStep::decide_front(unsigned slot) { decide_first(slot, item(slot)); }

void ProcessStep::decide_first(unsigned slot, Item one) {
  Event cause = std::move(one.backlog.front());
  one.backlog.erase(one.backlog.begin());
  note_told(cause);
  const Decision decision = mutation_.decide(one.payment, TimedEvent{time_for(one.payment, context(slot)), cause});
  if (decision.writes.empty()) return act(slot, std::move(one), decision);
  if (writes<FailPayment>(decision) && bytes(slot).quiet_proven == 0)
    throw Violation{"R9: FAILED without a look behind the last end that showed nothing"};
  if (writes<RegisterAttempt>(decision) && !has_open(state_.store, slot) && bytes(slot).quiet_proven == 0 &&
      !std::any_of(state_.node.truth.begin(), state_.node.truth.end(),
                   [](Truth truth) { return truth == Truth::orphan; }))
    throw Violation{"R4: a new round without a look behind the last end that showed nothing"};
  if (commit(config_, state_, slot, decision.writes)) return refused(slot, std::move(one), std::move(cause), decision);
  note_written(slot, decision);
  on_stored(one, PaymentIndex{slot + 1}, decision, context(slot).mono);
  act(slot, std::move(one), decision);
}

void ProcessStep::note_told(const Event& cause) {
  const auto* accepted = std::get_if<Accepted>(&cause);
  const auto* pending = std::get_if<Pending>(&cause);
  if (accepted != nullptr) state_.told |= bit(number_of(state_.store, accepted->key));
  if (pending != nullptr) state_.told |= bit(number_of(state_.store, pending->key));
}

/// accepted_by_store. A look must follow (R9).
void ProcessStep::note_written(unsigned slot, const Decision& decision) {
  if (!writes<RegisterAttempt>(decision) && !writes<FailAttempt>(decision) && !writes<CloseAttempt>(decision)) return;
  bytes(slot).quiet_proven = 0;
  LookOnWay& look = state_.process.look;
  look.after_end = static_cast<std::uint8_t>(look.after_end & ~bit(slot));
}

/// refused_by_store: a payment that is not recorded is done; otherwise it is read again, and proofs are kept.
void ProcessStep::refused(unsigned slot, Item one, Event cause, const Decision& decision) {
  if (state_.store.tries[slot].stored == 0) return finish(slot);
  if (holds_proof(decision) && state_.store.tries[slot].proof == Proof::none)
    throw Violation{"R8: a right preimage is refused by the store"};
  one.backlog.insert(one.backlog.begin(), std::move(cause));
  reload(slot, std::move(one));
}

void ProcessStep::reload(unsigned slot, Item one) {
  Payment stored = payment_of(config_, state_.store, slot, state_.store.tries[slot].stop);
  const Wishes wishes = on_reload(one, std::move(stored), context(slot));
  fulfil(slot, std::move(one), wishes);
}

// --- acts.cpp ---

void ProcessStep::act(unsigned slot, Item one, const Decision& decision) {
  if (decision.refusal || std::none_of(decision.acts.begin(), decision.acts.end(), goes_to_switch)) {
    const Wishes wishes = perform(one, decision, context(slot));
    return fulfil(slot, std::move(one), wishes);
  }
  for (const Act& what : decision.acts) {
    const auto* dispatch = std::get_if<Dispatch>(&what);
    const auto* fence = std::get_if<Fence>(&what);
    if (!goes_to_switch(what)) throw Violation{"the model does acts of one kind after a decision"};
    bytes(slot).act = dispatch != nullptr ? 1 : fence != nullptr ? 2 : 3;
    if (dispatch != nullptr) bytes(slot).act_ids |= bit(number_of(state_.store, dispatch->key));
    if (fence != nullptr) bytes(slot).act_ids |= bit(number_of(state_.store, fence->key));
  }
  keep(slot, one);
}

void ProcessStep::do_committed_act(unsigned slot) {
  ItemBytes& mine = bytes(slot);
  Decision committed;
  if (mine.act == 3) {
    committed.acts.push_back(Release{});
    mine.act = 0;
  } else {
    unsigned number = 1;
    while ((mine.act_ids & bit(number)) == 0) ++number;
    const AttemptKey key = key_of(state_.store, number);
    committed.acts.push_back(mine.act == 1 ? Act{Dispatch{key}} : Act{Fence{key}});
    mine.act_ids = static_cast<std::uint8_t>(mine.act_ids & ~bit(number));
    if (mine.act_ids == 0) mine.act = 0;
  }
  Item one = item(slot);
  const Wishes wishes = perform(one, committed, context(slot));
  fulfil(slot, std::move(one), wishes);
}

void ProcessStep::fulfil(unsigned slot, Item one, const Wishes& wishes) {
  for (const Wish& wish : wishes) {
    if (ends(wish)) return finish(slot);
    if (const auto* ask = std::get_if<AskForRoutes>(&wish)) ask_for_routes(slot, one, *ask);
    if (const auto* send = std::get_if<SendHandover>(&wish)) hand_over(slot, number_of(state_.store, send->key));
    if (const auto* fence = std::get_if<SendFence>(&wish)) {
      Process& process = state_.process;
      process.guarded |= bit(number_of(state_.store, fence->key));
      if (process.proving != Proving::none) continue;
      process.proving = Proving::look_first;
      process.of = static_cast<std::uint8_t>(number_of(state_.store, fence->key));
    }
    if (std::holds_alternative<SendRelease>(wish)) {
      check_release(slot);
      if (state_.node.release == Errand::none) state_.node.release = Errand::on_way;
    }
  }
  keep(slot, one);
}

/// acts.cpp, fulfil(AskForRoutes).
void ProcessStep::ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish) {
  if (!may_ask_routes(one, wish.wanted)) return;
  const std::uint32_t most_parts = wish.wanted.beside_orphans ? 1 : UINT32_MAX;
  const NextRoutes next = next_routes(one.payment, most_parts, QuestionContext{});
  if (const auto* nothing = std::get_if<NothingLeft>(&next)) return no_route(one, nothing->detail);
  const auto& question = std::get<RouteQuestion>(next);
  route_asked(one, RouteAsked{wish.wanted});
  bytes(slot).asked_units =
      static_cast<std::uint8_t>(question.demand.amount.value() / part_route(1).delivered().value());
  bytes(slot).asked_parts = static_cast<std::uint8_t>(question.max_parts);
}

/// The adapter writes the request, with the stored time limit.
void ProcessStep::hand_over(unsigned slot, unsigned number) {
  const Payment payment = payment_of(config_, state_.store, slot, 0);
  if (payment.proof()) throw Violation{"R2: handed over after the proof"};
  if (payment.missing() != Msat{}) throw Violation{"R2: handed over although the open parts do not make the amount"};
  Copy& copy = state_.node.copies[number];
  if (copy.stage != Stage::none) return;
  copy.stage = Stage::wire;
  copy.live = 1;
  copy.limit = state_.store.attempts[number].registered;
  if (mutation_.limit_too_early) copy.limit = static_cast<Tick>(copy.limit + 2);
  if (mutation_.fresh_limit) copy.limit = state_.node.now;
}

/// R1: what a fence has proven is stored before the fence is ended.
void ProcessStep::check_release(unsigned slot) const {
  if (has_open(state_.store, slot)) throw Violation{"R1: a fence is ended before the death that it proves is stored"};
}

// --- driver.cpp ---

/// start_looks: one a hash at a time, shared by all tries that want one.
void ProcessStep::start_look(bool late) {
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    bytes(slot).look_late = late ? 1 : 0;
    change(slot, [](Item& one, const ItemContext& at) { (void)take_look(one, at.mono); });
  }
  state_.process.look = LookOnWay{};
  state_.process.look.asked = 1;
}

/// look_at_clocks, when two seconds have passed, or the deadline.
void ProcessStep::doubt_silence(unsigned slot) {
  change(slot, [](Item& one, ItemContext at) {
    at.mono = some_time_later;
    paytower::doubt_silence(one, at);
  });
}

void ProcessStep::tell_deadline(unsigned slot) { change(slot, paytower::tell_deadline); }

void ProcessStep::see_foreign_decisions(unsigned slot) { reload(slot, item(slot)); }

/// finish and sweep: the process ends with its last item.
void ProcessStep::finish(unsigned slot) {
  bytes(slot) = ItemBytes{};
  const auto& items = state_.process.items;
  if (std::none_of(items.begin(), items.end(), [](const ItemBytes& one) { return one.active != 0; })) die();
}

void ProcessStep::die() {
  drop_questions();
  for (Copy& copy : state_.node.copies) {
    const bool answered = copy.stage == Stage::running || copy.stage == Stage::refused || copy.stage == Stage::unclear;
    if (answered) copy = Copy{};
    copy.live = 0;
  }
  state_.process = Process{};
}

/// Requests that were written go on, and hand-overs are reported when they end. One request without a sender stands for
/// all of its kind.
void ProcessStep::drop_questions() {
  Node& node = state_.node;
  for (Copy& copy : node.copies) copy.flagged = 0;
  const std::uint8_t late = config_.late_errands ? 1 : 0;
  if (node.fence == Errand::on_way) node.late_fences[state_.process.of] |= late;
  if (node.release == Errand::on_way || node.clearing == Errand::on_way) node.late_release |= late;
  node.fence = node.clearing = node.release = Errand::none;
  state_.process.proving = Proving::none;
  state_.process.of = state_.process.guarded = state_.process.covered = state_.process.same_record = 0;
}

// --- answers.cpp ---

/// The look is executed: what lnd shows of the hash is copied.
void ProcessStep::execute_look() {
  LookOnWay& look = state_.process.look;
  look.answered = 1;
  look.shown = state_.node.record;
  look.clock = state_.node.now;
  look.height = state_.node.height;
  look.waiting = waiting(state_.node);
  look.fenced = state_.process.fenced;
  look.after_end = 0;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (!has_open(state_.store, slot)) look.after_end |= bit(slot);
  }
}

/// receive(LookAnswer): every item of the hash that took part in the question gets the answer.
void ProcessStep::receive_look() {
  const LookOnWay look = std::exchange(state_.process.look, LookOnWay{});
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    Item one = item(slot);
    if (const auto asked = look_came(one, context(slot))) {
      conclude(slot, std::move(one), look, *asked);
    } else {
      keep(slot, one);
    }
    if (state_.process.alive == 0) return;  // an alarm ended it
  }
}

/// conclude: an alarm ends the process.
void ProcessStep::conclude(unsigned slot, Item one, const LookOnWay& look, MonoNs asked) {
  lnd::Sight sight = sight_of(state_, look);
  if (mutation_.no_proof) {
    for (const Attempt& attempt : one.payment.attempts) {
      if (attempt.dies_at && lnd::time_is_over(attempt.dies_at, sight.clock))
        sight.fenced.push_back(one.payment.key(attempt));
    }
  }
  LookFinding finding = mutation_.interpret(one.payment, std::move(sight), knowledge(state_.store));
  if (finding.alarm) throw Violation{"R12: an alarm, although no copy is old and no HTLC doubled"};
  for (const Event& what : finding.events) {
    if (!std::holds_alternative<Quiet>(what)) continue;
    bytes(slot).quiet_proven = (look.after_end & bit(slot)) != 0 && shows_nothing(look.shown) ? 1 : 0;
  }
  on(one, std::move(finding), asked, context(slot));
  keep(slot, one);
}

/// receive(RouteAnswer) and take_routes: the id is drawn, and the tick commits it. Nothing else waits in the queue
/// then.
void ProcessStep::receive_routes(unsigned slot, const std::vector<Route>& routes) {
  Item one = item(slot);
  const Wishes wishes = on(one, routes_answer(0, routes));
  const auto* take = wishes.empty() ? nullptr : std::get_if<TakeRoutes>(&wishes.front());
  if (take == nullptr) return fulfil(slot, std::move(one), wishes);
  const unsigned before = first_free(state_.store);
  const AttemptId id = take->round ? *take->round : AttemptId{state_.drawn + 1U};
  routes_ready(one, take->routes, id, context(slot));
  decide_first(slot, std::move(one));
  if (first_free(state_.store) != before) state_.drawn = std::max(state_.drawn, static_cast<std::uint8_t>(id.value));
}

void ProcessStep::answer(unsigned slot, const DispatchAnswer& what) {
  change(slot, [&](Item& one, const ItemContext& at) { on(one, what, at); });
}

/// The answer to the POST. If the HTLC has ended and its start was never reported, the adapter reports that too.
void ProcessStep::receive_dispatch(unsigned slot, unsigned number) {
  const Stage stage = state_.node.copies[number].stage;
  const AttemptKey key = key_of(state_.store, number);
  const QueryAnswer end = end_of(state_, number);
  state_.node.copies[number] = Copy{};
  const Failure refusal{FailureCode::local_refusal, {}, {}, {}, {}};
  if (stage == Stage::refused) return answer(slot, DispatchAnswer{key, DispatchAnswer::Kind::not_sent, refusal});
  if (stage == Stage::unclear) return answer(slot, DispatchAnswer{key, DispatchAnswer::Kind::look});
  const bool untold = (bytes(slot).unanswered & bit(number)) != 0;
  change(slot, [&](Item& one, const ItemContext& at) {
    if (untold) on(one, DispatchAnswer{key, DispatchAnswer::Kind::accepted}, at);
    on(one, end, at);
  });
}

void ProcessStep::see_accepted(unsigned slot, unsigned number) {
  answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::accepted});
}

void ProcessStep::receive_query(unsigned slot, unsigned number) {
  QueryAnswer end = end_of(state_, number);
  const Shown shown = state_.node.record.htlcs[number];
  if (shown == Shown::absent || shown == Shown::in_flight) end = QueryAnswer{end.key, QueryAnswer::Kind::look};
  change(slot, [&](Item& one, const ItemContext& at) { on(one, end, at); });
}

void ProcessStep::lose_reply(unsigned slot, unsigned number) {
  Copy& copy = state_.node.copies[number];
  const bool over = copy.stage == Stage::running || copy.stage == Stage::refused || copy.stage == Stage::unclear;
  if (over) copy = Copy{};
  copy.live = 0;
  answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::look});
}

/// lnd is gone: no request will be answered, and the next question fails.
void ProcessStep::lose_lnd(std::uint8_t handed_over) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const unsigned slot = state_.store.attempts[number].owner;
    if ((handed_over & bit(number)) == 0 || bytes(slot).active == 0) continue;
    answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::look});
  }
  disconnect();
}

/// receive(Disconnected): items without a recorded payment leave.
void ProcessStep::disconnect() {
  drop_questions();
  state_.process.look = {};
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    change(slot, [](Item& one, const ItemContext& at) { on(one, Disconnected{}, at); });
    if (state_.store.tries[slot].stored == 0) finish(slot);
    if (state_.process.alive == 0) return;
  }
}

// --- the adapter's proof of a death: core/switch/lnd/fence.cpp ---

UnixNs ProcessStep::dies_at(unsigned number) const {
  return UnixNs{lnd_time(state_.store.attempts[number].registered).value + lnd::handover_life_ns};
}

/// True for an unfinished record of ours: a fence would join it, and come after nothing.
bool ProcessStep::is_in_way(const lnd::Record& record) const {
  if (record.value == lnd::fence_amount) return false;
  if (lnd::idle_and_ours(record, store_name())) return true;
  if (record.status != lnd::Record::Status::in_flight || !record.htlcs.empty()) return false;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const bool guarded = (state_.process.guarded & bit(number)) != 0;
    if (guarded && lnd::made_in_time_of(record, dies_at(number))) return true;
  }
  return false;
}

void ProcessStep::begin_proof() {
  const Record& record = state_.node.record;
  if (record.status != Status::none && take_standing(record_of(state_.store, record))) return;
  if (record.status == Status::none || !is_in_way(record_of(state_.store, record)))
    return write_fence(is_proven(record) ? Proving::fences_paid : Proving::fences);
  state_.node.clearing = Errand::on_way;
  state_.process.proving = Proving::clears;
}

void ProcessStep::cleared() {
  state_.node.clearing = Errand::none;
  write_fence(Proving::fences);
}

void ProcessStep::write_fence(Proving how) {
  state_.process.proving = how;
  state_.node.fence = Errand::on_way;
  cover(lnd_time(state_.node.now));
}

/// A fence that was not sent before this time comes after every attempt whose time was over then, once the copies that
/// wait for lnd's database are done.
void ProcessStep::cover(UnixNs fenced_at) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const bool late = lnd::time_is_over(dies_at(number), fenced_at) || mutation_.no_grace;
    if (late || mutation_.later_too) state_.process.covered |= bit(number);
  }
  for (Copy& copy : state_.node.copies)
    copy.flagged = copy.stage == Stage::waiting || copy.stage == Stage::begun ? 1 : 0;
}

/// A fence that an earlier process has left is held, and no other one is sent.
bool ProcessStep::take_standing(const lnd::Record& record) {
  const UnixNs over{dies_at(state_.process.of).value + (mutation_.no_grace ? 0 : lnd::clock_grace_ns)};
  if (!lnd::holds_behind(record, store_name(), key_of(state_.store, state_.process.of), over)) return false;
  cover(UnixNs{over.value + 1});
  if (mutation_.no_hold_again) {
    answer_proof(held());
    return true;
  }
  state_.process.proving = Proving::holds;
  state_.process.same_record = 1;
  return true;
}

/// The attempts whose every copy the fence comes after.
std::uint8_t ProcessStep::held() const {
  std::uint8_t numbers = 0;
  const Record& shown = state_.node.record;
  if (shown.status == Status::none) return numbers;
  const lnd::Record record = record_of(state_.store, shown);
  const AttemptKey front = key_of(state_.store, state_.process.of);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const UnixNs over{dies_at(number).value + (mutation_.no_grace ? 0 : lnd::clock_grace_ns)};
    const bool guarded = (state_.process.guarded & state_.process.covered & bit(number)) != 0;
    if (guarded && lnd::holds_behind(record, store_name(), front, over)) numbers |= bit(number);
  }
  return numbers;
}

/// If lnd calls the hash paid, its refusal of the fence is a write after every copy.
void ProcessStep::fence_answered() {
  const Errand how = std::exchange(state_.node.fence, Errand::none);
  const bool paid = state_.process.proving == Proving::fences_paid;
  const bool refused_as_paid = how == Errand::not_done && state_.node.record.status == Status::succeeded;
  const auto guarded = static_cast<std::uint8_t>(state_.process.guarded & state_.process.covered);
  if (paid) return answer_proof(refused_as_paid ? guarded : std::uint8_t{0});
  if (mutation_.believes_answer) return answer_proof(how == Errand::done ? state_.process.guarded : std::uint8_t{0});
  state_.process.proving = Proving::looks;
}

void ProcessStep::look_after_fence() {
  if (held() == 0 || mutation_.no_hold) return answer_proof(held());
  state_.process.proving = Proving::holds;
  state_.process.same_record = 1;
}

void ProcessStep::look_after_hold() { answer_proof(state_.process.same_record != 0 ? held() : std::uint8_t{0}); }

/// The adapter looks all the same: a late fence is a fence too.
void ProcessStep::lose_fence() {
  state_.node.late_fences[state_.process.of] = 1;
  state_.node.fence = Errand::none;
  if (state_.process.proving == Proving::fences_paid) return answer_proof(0);
  state_.process.proving = Proving::looks;
}

void ProcessStep::answer_proof(std::uint8_t dead) {
  Process& process = state_.process;
  const std::uint8_t guarded = std::exchange(process.guarded, std::uint8_t{0});
  for (Copy& copy : state_.node.copies) copy.flagged = 0;
  process.of = process.covered = process.same_record = 0;
  process.proving = Proving::none;
  process.fenced |= dead;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const unsigned slot = state_.store.attempts[number].owner;
    if ((guarded & bit(number)) == 0 || bytes(slot).active == 0) continue;
    const auto kind = (process.fenced & bit(number)) != 0 ? FenceAnswer::Kind::fenced : FenceAnswer::Kind::look;
    Item one = item(slot);
    const Wishes wishes = on(one, FenceAnswer{key_of(state_.store, number), kind}, context(slot));
    fulfil(slot, std::move(one), wishes);
    if (process.alive == 0) return;
  }
}

void ProcessStep::release_answered() {
  state_.node.release = Errand::none;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    change(slot, [](Item& one, const ItemContext& at) { on(one, ReleaseAnswer{one.payment.request.hash}, at); });
  }
}

/// The sender goes on, and looks.
void ProcessStep::lose_release() {
  state_.node.late_release = 1;
  release_answered();
}

void ProcessStep::lose_clearing() {
  state_.node.late_release = 1;
  cleared();
}

// --- cli/commands/cancel.cpp and cli/commands/resolve.cpp ---

/// `word` is decided in another process, about the payment as it is stored. cancel needs no lock, resolve has it.
void ProcessStep::say(const Event& word) {
  const auto slot = newest(state_.store);
  if (!slot) return;
  const Decision decision = mutation_.decide(payment_of(config_, state_.store, *slot, state_.store.tries[*slot].stop),
                                             TimedEvent{wall_time(state_, *slot), word});
  if (decision.refusal || decision.writes.empty()) return;
  const Store before = state_.store;
  if (commit(config_, state_, *slot, decision.writes)) return;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const Outcome now = state_.store.attempts[number].outcome;
    const bool closed = now == Outcome::assumed_failed || now == Outcome::written_off;
    if (closed && before.attempts[number].outcome == Outcome::open) state_.assumed |= bit(number);
  }
}

}  // namespace paytower::lnd_model
