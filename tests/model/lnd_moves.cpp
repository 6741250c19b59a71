// What may happen next: in the process, in lnd and on the way to it, and by other people.
#include <algorithm>
#include <utility>

#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

bool busy_inside(const State& state) {
  return std::any_of(state.process.items.begin(), state.process.items.end(),
                     [](const ItemBytes& item) { return item.events != 0 || item.act != 0; });
}

bool hands_over(const State& state) {
  return std::any_of(state.process.items.begin(), state.process.items.end(),
                     [](const ItemBytes& item) { return item.act == 1; });
}

bool has_ended(Truth truth) { return truth == Truth::settled || truth == Truth::failed; }

bool any_flagged(const Node& node) {
  return std::any_of(node.copies.begin(), node.copies.end(), [](const Copy& copy) { return copy.flagged != 0; });
}

unsigned first_of(std::uint8_t numbers) {
  unsigned number = 0;
  while (number <= most_numbers && (numbers & bit(number)) == 0) ++number;
  return number;
}

void take(Errand& errand, bool done) { errand = done ? Errand::done : Errand::not_done; }

}  // namespace

template <typename Change> void Moves::move(const char* name, unsigned number, Change how) {
  Step step;
  if (named_) step.name = number == 0 ? std::string(name) : std::string(name) + " " + std::to_string(number);
  step.state = *from_;
  try {
    how(step.state);
    check_step(*from_, step.state);
  } catch (const Violation& violation) {
    step.broken = violation.what;
  }
  normalise(config_, step.state);
  out_->push_back(std::move(step));
}

void Moves::from(const State& state, bool named, std::vector<Step>& out) {
  out.clear();
  from_ = &state;
  out_ = &out;
  named_ = named;
  process_moves();
  people_moves();
  if (!busy_inside(state) || hands_over(state))
    move("time passes", 0, [](State& next) { next.node.now = static_cast<Tick>(next.node.now + 1); });
  // As long as the process has work of its own, it neither asks nor listens, so what lnd does meanwhile may as well
  // come later. A hand-over is tied to the time of its record.
  if (busy_inside(state)) return;
  for (unsigned number = 1; number <= most_numbers; ++number) copy_moves(number);
  for (unsigned owner = 1; owner <= foreign; ++owner) htlc_moves(owner);
  errand_moves();
  lnd_moves();
  other_user_moves();
}

// --- on the way to lnd, and in it ---

void Moves::copy_moves(unsigned number) {
  const Copy& copy = from_->node.copies[number];
  const auto becomes = [number](const Copy& what) {
    return [number, what](State& next) { next.node.copies[number] = what; };
  };
  const Copy refused = copy.live != 0 ? Copy{Stage::refused, 1, 0, 0} : Copy{};
  const Copy unclear = copy.live != 0 ? Copy{Stage::unclear, 1, 0, 0} : Copy{};
  if (copy.stage == Stage::wire) {
    if (passes_check(*from_, number))
      move("lnd takes in the copy of", number, becomes(Copy{Stage::waiting, copy.live, 0, 0}));
    if (may_expire(*from_, number)) move("lnd refuses as expired the copy of", number, becomes(refused));
    if (config_.refusals) move("lnd refuses the copy of", number, becomes(refused));
  }
  if (copy.stage == Stage::waiting)
    move("lnd begins with the copy of", number, [this, number](State& next) { begin_copy(config_, next, number); });
  if (copy.stage != Stage::begun) return;
  move("lnd makes the HTLC of", number, [this, number](State& next) { register_copy(config_, next, number); });
  if (config_.half_way) move("lnd leaves a record without the HTLC of", number, becomes(unclear));
}

void Moves::htlc_moves(unsigned owner) {
  if (from_->node.truth[owner] != Truth::live) return;
  const auto ends = [this, owner](const char* name, Shown how) {
    move(name, owner, [this, owner, how](State& next) { end_htlc(config_, next, owner, how); });
  };
  ends("settles:", Shown::settled);
  if (config_.wrong_preimages) ends("settles, shown with a wrong preimage:", Shown::settled_wrong);
  ends("fails:", Shown::failed);
  if (config_.final_failures) ends("fails for good:", Shown::failed_final);
  if (config_.gives_back) ends("comes back:", Shown::failed_mpp);
}

/// A fence or a release on its way is executed at any time, or refused because its own time is over. One that is lost
/// is the same as one that never arrives.
void Moves::errand_moves() {
  if (from_->node.fence == Errand::on_way) {
    move("the fence is executed", 0,
         [](State& next) { take(next.node.fence, execute_check(next, CheckKind::fence, next.process.of)); });
    move("the fence is refused", 0, [](State& next) { take(next.node.fence, false); });
  }
  if (from_->node.release == Errand::on_way) {
    move("the release is executed", 0,
         [](State& next) { take(next.node.release, execute_check(next, CheckKind::release, 0)); });
    move("the release is refused", 0, [](State& next) { take(next.node.release, false); });
  }
  if (from_->node.clearing == Errand::on_way) {
    move("the release before the fence is executed", 0,
         [](State& next) { take(next.node.clearing, execute_check(next, CheckKind::release, 0)); });
    move("the release before the fence is refused", 0, [](State& next) { take(next.node.clearing, false); });
  }
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (from_->node.late_fences[number] == 0) continue;
    move("late, the fence is executed of", number, [number](State& next) {
      next.node.late_fences[number] = 0;
      (void)execute_check(next, CheckKind::fence, number);
    });
  }
  if (from_->node.late_release == 0) return;
  move("a late release is executed", 0, [](State& next) {
    next.node.late_release = 0;
    (void)execute_check(next, CheckKind::release, 0);
  });
}

void Moves::lnd_moves() {
  const Record& record = from_->node.record;
  if (config_.heights && from_->node.height == 0)
    move("blocks are found", 0, [](State& next) { next.node.height = 1; });
  const bool over = record.status == Status::failed || record.status == Status::succeeded;
  if (config_.erases && over)
    move("lnd erases what has failed", 0, [](State& next) { erase_failed(next.node.record); });
  const bool deletable = (config_.deletes && record.status == Status::failed) ||
                         (config_.deletes_paid && record.status == Status::succeeded);
  if (deletable) {
    move("somebody deletes lnd's record", 0, [](State& next) {
      if (next.node.record.status == Status::succeeded) next.node.deleted_paid = 1;
      next.node.record = Record{};
      next.process.same_record = 0;
    });
  }
  if (from_->node.restarts >= config_.restarts) return;
  const auto killed = [this](unsigned orphaned) {
    return [this, orphaned](State& next) {
      const std::uint8_t handed_over = waiting(next.node);
      restart(next, orphaned);
      if (next.process.alive != 0) ProcessStep(config_, mutation_, next).lose_lnd(handed_over);
    };
  };
  move("lnd is killed", 0, killed(0));
  for (unsigned number = 1; config_.orphans && number <= most_numbers; ++number) {
    if (from_->node.truth[number] == Truth::live) move("lnd is killed before it sends", number, killed(number));
  }
}

void Moves::other_user_moves() {
  const Record& record = from_->node.record;
  const auto pays = [](State& next) {
    next.node.record.htlcs[foreign] = Shown::in_flight;
    next.node.truth[foreign] = Truth::live;
  };
  const bool gap = record.status == Status::in_flight && record.failing == 0 && !any_live(record) &&
                   record.htlcs[foreign] == Shown::failed;
  if (config_.foreign && shows_nothing(record) && from_->node.truth[foreign] != Truth::settled) {
    move("another user pays the hash", 0, [pays](State& next) {
      next.node.record = Record{};
      next.node.record.status = Status::in_flight;
      next.node.record.whole = 1;
      next.node.record.created = next.node.now;
      next.process.same_record = 0;
      pays(next);
    });
  }
  const bool ours_in_it = std::any_of(record.htlcs.begin() + 1, record.htlcs.begin() + foreign,
                                      [](Shown one) { return one != Shown::absent; });
  if (gap && !ours_in_it) move("the other user tries again", 0, pays);
  if (gap) {
    move("the other user gives up", 0, [](State& next) {
      next.node.record.failing = 1;
      update_status(next.node.record);
    });
  }
  if ((config_.other_checks || (config_.left_check && from_->node.other_owes == 0)) && record.other_check == 0) {
    move("another database fences", 0, [](State& next) {
      if (execute_check(next, CheckKind::other_fence, 0)) next.node.other_owes = 1;
    });
  }
  if (config_.other_checks && from_->node.other_owes != 0)
    move("another database releases", 0, [](State& next) { (void)execute_check(next, CheckKind::other_release, 0); });
}

// --- people ---

void Moves::people_moves() {
  for (unsigned slot = 0; config_.deadline && slot < config_.tries; ++slot) {
    const bool in_use = from_->store.tries[slot].stored != 0 || from_->process.items[slot].active != 0;
    if (!in_use || (from_->deadlines & bit(slot)) != 0) continue;
    move("the deadline passes: try", slot + 1, [slot](State& next) { next.deadlines |= bit(slot); });
  }
  const auto say = [this](const Event& word) {
    return [this, word](State& next) { ProcessStep(config_, mutation_, next).say(word); };
  };
  if (config_.cancel) move("cancel", 0, say(CancelRequested{}));
  if (!config_.words || from_->process.alive != 0) return;
  move("resolve --assume-failed", 0, say(OperatorAssumesFailed{}));
  move("resolve --write-off", 0, say(OperatorWritesOff{}));
}

// --- the process ---

void Moves::process_moves() {
  if (from_->process.alive == 0) return start_moves();
  move("the process dies or leaves", 0, [this](State& next) { ProcessStep(config_, mutation_, next).die(); });
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (from_->process.items[slot].active != 0) item_moves(slot);
  }
  if (busy_inside(*from_)) return;
  look_moves();
  adapter_moves();
  if (config_.disconnects)
    move("the connection breaks", 0, [this](State& next) { ProcessStep(config_, mutation_, next).disconnect(); });
}

/// Only one process: a second one would find the lock taken and leave (R11).
void Moves::start_moves() {
  for (unsigned slot = 0; slot < config_.tries; ++slot) {
    if (from_->store.tries[slot].stored != 0) continue;
    move("send", 0, [this, slot](State& next) { ProcessStep(config_, mutation_, next).send(slot); });
    break;
  }
  bool work = false;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = from_->store.tries[slot];
    work =
        work || (one.stored != 0 && (!ended(one) || has_open(from_->store, slot) || has_watched(from_->store, slot)));
  }
  if (!work) return;  // fetch_in_flight lists nothing
  move("resume", 0, [this](State& next) { ProcessStep(config_, mutation_, next).resume(false); });
  if (config_.collect_only)
    move("resume --no-retry", 0, [this](State& next) { ProcessStep(config_, mutation_, next).resume(true); });
}

void Moves::item_moves(unsigned slot) {
  const ItemBytes& item = from_->process.items[slot];
  const auto step = [this, slot](void (ProcessStep::*what)(unsigned)) {
    return [this, slot, what](State& next) { (ProcessStep(config_, mutation_, next).*what)(slot); };
  };
  const auto look = [this](bool late) {
    return [this, late](State& next) {
      ProcessStep process(config_, mutation_, next);
      process.start_look(late);
      if (config_.stale_looks || next.node.release != Errand::none) return;
      process.execute_look();
      process.receive_look();
    };
  };
  if (item.act != 0) {
    const char* name = item.act == 1 ? "hand over" : item.act == 2 ? "fence" : "release";
    return move(name, item.act == 3 ? 0 : first_of(item.act_ids), step(&ProcessStep::do_committed_act));
  }
  if (item.events != 0) {
    const std::string name = named_ ? "decide: " + event_name(item.backlog[0]) : std::string();
    return move(name.c_str(), 0, step(&ProcessStep::decide_front));
  }
  if (busy_inside(*from_)) return;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = from_->store.attempts[number];
    if (one.outcome != Outcome::absent && one.owner == slot) answer_moves(slot, number);
  }
  if (item.look_wanted != 0 && from_->process.look.asked == 0) {
    move("look: try", slot + 1, look(false));
    if (item.orphans != 0) move("look, a minute later: try", slot + 1, look(true));
  }
  if (item.unanswered != 0 && item.look_wanted == 0 && config_.lost_replies)
    move("no answer in time: try", slot + 1, step(&ProcessStep::doubt_silence));
  const StoredTry& row = from_->store.tries[slot];
  if (row.stored != 0 && item.deadline_told == 0 && (from_->deadlines & bit(slot)) != 0)
    move("tell the deadline: try", slot + 1, step(&ProcessStep::tell_deadline));
  if (row.stored != 0 && item.known_stop != row.stop)
    move("see another process's word: try", slot + 1, step(&ProcessStep::see_foreign_decisions));
  if (item.asking != 0) route_moves(slot);
}

/// The answer to a question for routes: every one that fits the question, as far as the model has ids and numbers left.
void Moves::route_moves(unsigned slot) {
  const ItemBytes& item = from_->process.items[slot];
  const auto take_routes = [this, slot](const char* name, unsigned number, const std::vector<Route>& routes) {
    move(name, number, [&](State& next) { ProcessStep(config_, mutation_, next).receive_routes(slot, routes); });
  };
  take_routes("no route: try", slot + 1, {});
  const bool goes_on = has_open(from_->store, slot) || item.asked_round != 0;
  if (item.ask_again != 0 || item.asking == 2 || (!goes_on && from_->drawn >= config_.ids)) return;
  const unsigned left = config_.numbers + 1U - std::min(config_.numbers + 1U, first_free(from_->store));
  if (left >= 1 && (config_.one_piece || item.asked_units == 1))
    take_routes("a route for units:", item.asked_units, {part_route(item.asked_units)});
  if (left >= 2 && item.asked_units == 2 && item.asked_parts >= 2)
    take_routes("two parts", 0, {part_route(1), part_route(1)});
}

void Moves::answer_moves(unsigned slot, unsigned number) {
  const ItemBytes& item = from_->process.items[slot];
  const Copy& copy = from_->node.copies[number];
  const Shown shown = from_->node.record.htlcs[number];
  const auto step = [this, slot, number](void (ProcessStep::*what)(unsigned, unsigned)) {
    return [this, slot, number, what](State& next) { (ProcessStep(config_, mutation_, next).*what)(slot, number); };
  };
  const bool answered = copy.stage == Stage::refused || copy.stage == Stage::unclear ||
                        (copy.stage == Stage::running && has_ended(from_->node.truth[number]));
  if (copy.live != 0 && answered) move("the answer comes to the copy of", number, step(&ProcessStep::receive_dispatch));
  if (copy.live != 0 && config_.lost_replies) move("lost is the connection of", number, step(&ProcessStep::lose_reply));
  if (copy.live != 0 && copy.stage == Stage::running && shown == Shown::in_flight &&
      (item.unanswered & bit(number)) != 0)
    move("the stream shows", number, step(&ProcessStep::see_accepted));
  const bool tells = shown != Shown::in_flight || (item.orphans & bit(number)) != 0;
  if ((item.querying & bit(number)) != 0 && tells)
    move("the stream tells the end of", number, step(&ProcessStep::receive_query));
}

/// The look is executed and answered: at once, or with other moves in between. It waits until a release has ended.
void Moves::look_moves() {
  const LookOnWay& look = from_->process.look;
  if (look.asked != 0 && look.answered == 0 && from_->node.release == Errand::none) {
    move("the look is answered", 0, [this](State& next) {
      ProcessStep process(config_, mutation_, next);
      process.execute_look();
      if (!config_.stale_looks) process.receive_look();
    });
  }
  if (look.answered != 0)
    move("the look's answer comes", 0, [this](State& next) { ProcessStep(config_, mutation_, next).receive_look(); });
}

void Moves::adapter_moves() {
  const Node& node = from_->node;
  const auto step = [this](const char* name, void (ProcessStep::*what)()) {
    move(name, 0, [this, what](State& next) { (ProcessStep(config_, mutation_, next).*what)(); });
  };
  const auto answered = [](Errand errand) { return errand == Errand::done || errand == Errand::not_done; };
  const Proving proving = from_->process.proving;
  if (proving == Proving::look_first) step("the adapter looks before its fence", &ProcessStep::begin_proof);
  if (answered(node.clearing)) step("the release before the fence is answered", &ProcessStep::cleared);
  if (answered(node.release)) step("the release is answered", &ProcessStep::release_answered);
  if (answered(node.fence)) step("the fence is answered", &ProcessStep::fence_answered);
  if (proving == Proving::looks) step("the adapter looks behind its fence", &ProcessStep::look_after_fence);
  if (proving == Proving::holds && !any_flagged(node))
    step("the adapter looks again behind the hold", &ProcessStep::look_after_hold);
  if (!config_.lost_replies) return;
  if (node.fence == Errand::on_way) step("lost is the connection of the fence", &ProcessStep::lose_fence);
  if (node.clearing == Errand::on_way) step("lost is the connection of that release", &ProcessStep::lose_clearing);
  if (node.release == Errand::on_way) step("lost is the connection of the release", &ProcessStep::lose_release);
}

}  // namespace paytower::lnd_model
