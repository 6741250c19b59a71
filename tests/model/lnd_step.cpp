// What is around the item of a process that hands over to lnd, and what lnd's adapter does.
#include <algorithm>
#include <utility>

#include "tests/lifecycle/states.h"
#include "tests/model/invariants.h"
#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

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
  answer.failure = shown == Shown::failed_final ? failed_for_good()
                   : shown == Shown::failed_mpp ? given_back()
                                                : failed_on_the_way();
  return answer;
}

}  // namespace

ItemContext LndStep::context(unsigned slot) const {
  ItemContext at;
  at.wall = wall_time(state_, slot);
  at.identity = &identity(mutation_.same_again);
  if (state_.process.collect_only != 0) at.mode = ItemContext::Mode::collect_only;
  const int early = mutation_.limit_too_early ? 2 : 0;
  const UnixNs now = lnd_time(static_cast<Tick>(state_.node.now - early));
  at.terms = HandoverTerms{UnixNs{now.value + lnd::handover_life_ns}};
  at.base_height = chain_height(state_.node.height);
  return at;
}

void LndStep::note_told(const Event& cause) {
  const auto* accepted = std::get_if<Accepted>(&cause);
  const auto* pending = std::get_if<Pending>(&cause);
  if (accepted != nullptr) state_.told |= bit(number_of(state_.store, accepted->key));
  if (pending != nullptr) state_.told |= bit(number_of(state_.store, pending->key));
}

void LndStep::check_new_round(unsigned slot, const Decision& decision) const {
  if (!writes<RegisterAttempt>(decision) || has_open(state_.store, slot)) return;
  if (state_.process.items[slot].quiet_proven == 0 && !any_is(state_.node.truth, Truth::orphan))
    throw Violation{"R4: a new round without a look behind the last end that showed nothing"};
}

/// The adapter writes the request, with the stored time limit.
void LndStep::hand_over(unsigned number) {
  Copy& copy = state_.node.copies[number];
  if (copy.stage != Stage::none) return;
  copy.stage = Stage::wire;
  copy.live = 1;
  copy.limit = state_.store.attempts[number].registered;
  if (mutation_.limit_too_early) copy.limit = static_cast<Tick>(copy.limit + 2);
  if (mutation_.fresh_limit) copy.limit = state_.node.now;
}

void LndStep::fence(unsigned number) {
  Process& process = state_.process;
  process.guarded |= bit(number);
  if (process.proving != Proving::none) return;
  process.proving = Proving::look_first;
  process.of = static_cast<std::uint8_t>(number);
}

/// R1: what a fence has proven is stored before the fence is ended.
void LndStep::release(unsigned slot) {
  if (has_open(state_.store, slot)) throw Violation{"R1: a fence is ended before the death that it proves is stored"};
  if (state_.node.release == Errand::none) state_.node.release = Errand::on_way;
}

void LndStep::die() {
  for (Copy& copy : state_.node.copies) {
    const bool answered = copy.stage == Stage::running || copy.stage == Stage::refused || copy.stage == Stage::unclear;
    if (answered) copy = Copy{};
    copy.live = 0;
  }
  ProcessStep::die();
}

/// Hand-overs are reported when they end. One request without a sender stands for all of its kind.
void LndStep::drop_connection() {
  Node& node = state_.node;
  for (Copy& copy : node.copies) copy.flagged = 0;
  const std::uint8_t late = config_.late_errands ? 1 : 0;
  if (node.fence == Errand::on_way) node.late_fences[state_.process.of] |= late;
  if (node.release == Errand::on_way || node.clearing == Errand::on_way) node.late_release |= late;
  node.fence = node.clearing = node.release = Errand::none;
  state_.process.proving = Proving::none;
  state_.process.of = state_.process.guarded = state_.process.covered = state_.process.same_record = 0;
}

void LndStep::look(bool late) {
  ProcessStep::look(late);
  if (!config_.stale_looks && state_.node.release == Errand::none) answer_look();
}

void LndStep::copy_shown(LookOnWay& look) const {
  look.shown = state_.node.record;
  look.clock = state_.node.now;
  look.height = state_.node.height;
  look.waiting = waiting(state_.node);
  look.fenced = state_.process.fenced;
}

LookFinding LndStep::interpret(const Payment& payment, const LookOnWay& look) const {
  lnd::Sight sight = sight_of(state_, look);
  if (mutation_.no_proof) {
    for (const Attempt& attempt : payment.attempts) {
      if (attempt.dies_at && lnd::time_is_over(attempt.dies_at, sight.clock))
        sight.fenced.push_back(payment.key(attempt));
    }
  }
  return mutation_.calls.interpret(payment, sight, knowledge(state_.store));
}

void LndStep::take_routes(unsigned slot, Item one, const TakeRoutes& take) {
  const unsigned before = first_free(state_.store);
  const AttemptId id = take.round ? *take.round : AttemptId{state_.drawn + 1U};
  routes_ready(one, take.routes, id, context(slot));
  decide_first(slot, std::move(one));
  if (first_free(state_.store) != before) state_.drawn = std::max(state_.drawn, static_cast<std::uint8_t>(id.value));
}

void LndStep::answer(unsigned slot, const DispatchAnswer& what) {
  change(slot, [&](Item& one, const ItemContext& at) { on(one, what, at); });
}

/// The answer to the POST. If the HTLC has ended and its start was never reported, the adapter reports that too.
void LndStep::receive_dispatch(unsigned slot, unsigned number) {
  const Stage stage = state_.node.copies[number].stage;
  const AttemptKey key = key_of(state_.store, number);
  const QueryAnswer end = end_of(state_, number);
  state_.node.copies[number] = Copy{};
  if (stage == Stage::refused)
    return answer(slot, DispatchAnswer{key, DispatchAnswer::Kind::not_sent, model::refused()});
  if (stage == Stage::unclear) return answer(slot, DispatchAnswer{key, DispatchAnswer::Kind::look});
  const bool untold = (bytes(slot).unanswered & bit(number)) != 0;
  change(slot, [&](Item& one, const ItemContext& at) {
    if (untold) on(one, DispatchAnswer{key, DispatchAnswer::Kind::accepted}, at);
    on(one, end, at);
  });
}

void LndStep::see_accepted(unsigned slot, unsigned number) {
  answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::accepted});
}

void LndStep::receive_query(unsigned slot, unsigned number) {
  QueryAnswer end = end_of(state_, number);
  const Shown shown = state_.node.record.htlcs[number];
  if (shown == Shown::absent || shown == Shown::in_flight) end = QueryAnswer{end.key, QueryAnswer::Kind::look};
  change(slot, [&](Item& one, const ItemContext& at) { on(one, end, at); });
}

void LndStep::lose_reply(unsigned slot, unsigned number) {
  Copy& copy = state_.node.copies[number];
  const bool over = copy.stage == Stage::running || copy.stage == Stage::refused || copy.stage == Stage::unclear;
  if (over) copy = Copy{};
  copy.live = 0;
  answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::look});
}

/// lnd is gone: no request will be answered, and the next question fails.
void LndStep::lose_lnd(std::uint8_t handed_over) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const unsigned slot = state_.store.attempts[number].owner;
    if ((handed_over & bit(number)) == 0 || bytes(slot).active == 0) continue;
    answer(slot, DispatchAnswer{key_of(state_.store, number), DispatchAnswer::Kind::look});
  }
  disconnect();
}

// --- the adapter's proof of a death: core/switch/lnd/fence.cpp ---

UnixNs LndStep::dies_at(unsigned number) const {
  return UnixNs{lnd_time(state_.store.attempts[number].registered).value + lnd::handover_life_ns};
}

/// True for an unfinished record of ours: a fence would join it, and come after nothing.
bool LndStep::is_in_way(const lnd::Record& record) const {
  if (record.value == lnd::fence_amount) return false;
  if (lnd::idle_and_ours(record, store_name())) return true;
  if (record.status != lnd::Record::Status::in_flight || !record.htlcs.empty()) return false;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const bool guarded = (state_.process.guarded & bit(number)) != 0;
    if (guarded && lnd::made_in_time_of(record, dies_at(number))) return true;
  }
  return false;
}

void LndStep::begin_proof() {
  const Record& record = state_.node.record;
  if (record.status != Status::none && take_standing(record_of(state_.store, record))) return;
  if (record.status == Status::none || !is_in_way(record_of(state_.store, record)))
    return write_fence(is_proven(record) ? Proving::fences_paid : Proving::fences);
  state_.node.clearing = Errand::on_way;
  state_.process.proving = Proving::clears;
}

void LndStep::cleared() {
  state_.node.clearing = Errand::none;
  write_fence(Proving::fences);
}

void LndStep::write_fence(Proving how) {
  state_.process.proving = how;
  state_.node.fence = Errand::on_way;
  cover(lnd_time(state_.node.now));
}

/// A fence that was not sent before this time comes after every attempt whose time was over then, once the copies that
/// wait for lnd's database are done.
void LndStep::cover(UnixNs fenced_at) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const bool late = lnd::time_is_over(dies_at(number), fenced_at) || mutation_.no_grace;
    if (late || mutation_.later_too) state_.process.covered |= bit(number);
  }
  for (Copy& copy : state_.node.copies)
    copy.flagged = copy.stage == Stage::waiting || copy.stage == Stage::begun ? 1 : 0;
}

/// A fence that an earlier process has left is held, and no other one is sent.
bool LndStep::take_standing(const lnd::Record& record) {
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
std::uint8_t LndStep::held() const {
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
void LndStep::fence_answered() {
  const Errand how = std::exchange(state_.node.fence, Errand::none);
  const bool paid = state_.process.proving == Proving::fences_paid;
  const bool refused_as_paid = how == Errand::not_done && state_.node.record.status == Status::succeeded;
  const auto guarded = static_cast<std::uint8_t>(state_.process.guarded & state_.process.covered);
  if (paid) return answer_proof(refused_as_paid ? guarded : std::uint8_t{0});
  if (mutation_.believes_answer) return answer_proof(how == Errand::done ? state_.process.guarded : std::uint8_t{0});
  state_.process.proving = Proving::looks;
}

void LndStep::look_after_fence() {
  if (held() == 0 || mutation_.no_hold) return answer_proof(held());
  state_.process.proving = Proving::holds;
  state_.process.same_record = 1;
}

void LndStep::look_after_hold() { answer_proof(state_.process.same_record != 0 ? held() : std::uint8_t{0}); }

/// The adapter looks all the same: a late fence is a fence too.
void LndStep::lose_fence() {
  state_.node.late_fences[state_.process.of] = 1;
  state_.node.fence = Errand::none;
  if (state_.process.proving == Proving::fences_paid) return answer_proof(0);
  state_.process.proving = Proving::looks;
}

void LndStep::answer_proof(std::uint8_t dead) {
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

void LndStep::release_answered() {
  state_.node.release = Errand::none;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (bytes(slot).active == 0) continue;
    change(slot, [](Item& one, const ItemContext& at) { on(one, ReleaseAnswer{one.payment.request.hash}, at); });
  }
}

/// The sender goes on, and looks.
void LndStep::lose_release() {
  state_.node.late_release = 1;
  release_answered();
}

void LndStep::lose_clearing() {
  state_.node.late_release = 1;
  cleared();
}

}  // namespace paytower::lnd_model
