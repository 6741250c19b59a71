// What may happen next: in the process, in lnd and on the way to it, and by other people.
#include <algorithm>
#include <utility>

#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

bool hands_over(const State& state) {
  return std::any_of(state.process.items.begin(), state.process.items.end(),
                     [](const ItemBytes& item) { return item.act == 1; });
}

bool has_ended(Truth truth) { return truth == Truth::settled || truth == Truth::failed; }

bool any_flagged(const Node& node) {
  return std::any_of(node.copies.begin(), node.copies.end(), [](const Copy& copy) { return copy.flagged != 0; });
}

void take(Errand& errand, bool done) { errand = done ? Errand::done : Errand::not_done; }

}  // namespace

/// A hand-over is tied to the time of its record.
void LndMoves::clock_moves() {
  if (!busy_inside(from_->process) || hands_over(*from_))
    move("time passes", 0, [](State& next) { next.node.now = static_cast<Tick>(next.node.now + 1); });
}

void LndMoves::world_moves() {
  for (unsigned number = 1; number <= most_numbers; ++number) copy_moves(number);
  for (unsigned owner = 1; owner <= foreign; ++owner) htlc_moves(owner);
  errand_moves();
  lnd_moves();
  other_user_moves();
}

// --- on the way to lnd, and in it ---

void LndMoves::copy_moves(unsigned number) {
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

void LndMoves::htlc_moves(unsigned owner) {
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
void LndMoves::errand_moves() {
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

void LndMoves::lnd_moves() {
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
      if (next.process.alive != 0) LndStep(config_, mutation_, next).lose_lnd(handed_over);
    };
  };
  move("lnd is killed", 0, killed(0));
  for (unsigned number = 1; config_.orphans && number <= most_numbers; ++number) {
    if (from_->node.truth[number] == Truth::live) move("lnd is killed before it sends", number, killed(number));
  }
}

void LndMoves::other_user_moves() {
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

// --- the process ---

void LndMoves::answer_moves(unsigned slot, unsigned number) {
  const ItemBytes& item = from_->process.items[slot];
  const Copy& copy = from_->node.copies[number];
  const Shown shown = from_->node.record.htlcs[number];
  const auto about = [&](void (LndStep::*what)(unsigned, unsigned)) { return step(what, slot, number); };
  const bool answered = copy.stage == Stage::refused || copy.stage == Stage::unclear ||
                        (copy.stage == Stage::running && has_ended(from_->node.truth[number]));
  if (copy.live != 0 && answered) move("the answer comes to the copy of", number, about(&LndStep::receive_dispatch));
  if (copy.live != 0 && config_.lost_replies) move("lost is the connection of", number, about(&LndStep::lose_reply));
  if (copy.live != 0 && copy.stage == Stage::running && shown == Shown::in_flight &&
      (item.unanswered & bit(number)) != 0)
    move("the stream shows", number, about(&LndStep::see_accepted));
  const bool tells = shown != Shown::in_flight || (item.orphans & bit(number)) != 0;
  if ((item.querying & bit(number)) != 0 && tells)
    move("the stream tells the end of", number, about(&LndStep::receive_query));
}

void LndMoves::adapter_moves() {
  const Node& node = from_->node;
  const auto adapter = [this](const char* name, void (LndStep::*what)()) { move(name, 0, step(what)); };
  const auto answered = [](Errand errand) { return errand == Errand::done || errand == Errand::not_done; };
  const Proving proving = from_->process.proving;
  if (proving == Proving::look_first) adapter("the adapter looks before its fence", &LndStep::begin_proof);
  if (answered(node.clearing)) adapter("the release before the fence is answered", &LndStep::cleared);
  if (answered(node.release)) adapter("the release is answered", &LndStep::release_answered);
  if (answered(node.fence)) adapter("the fence is answered", &LndStep::fence_answered);
  if (proving == Proving::looks) adapter("the adapter looks behind its fence", &LndStep::look_after_fence);
  if (proving == Proving::holds && !any_flagged(node))
    adapter("the adapter looks again behind the hold", &LndStep::look_after_hold);
  if (!config_.lost_replies) return;
  if (node.fence == Errand::on_way) adapter("lost is the connection of the fence", &LndStep::lose_fence);
  if (node.clearing == Errand::on_way) adapter("lost is the connection of that release", &LndStep::lose_clearing);
  if (node.release == Errand::on_way) adapter("lost is the connection of the release", &LndStep::lose_release);
}

Exploration explore(const Config& config, const Mutation& mutation, bool ways_out) {
  return explore_world<World>(config, mutation, ways_out);
}

}  // namespace paytower::lnd_model
