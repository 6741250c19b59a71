// What may happen next around the process: the switch, its payees and other users, people, and the files.
#include "tests/model/world.h"

#include <utility>

#include "tests/model/move.h"

namespace paytower::model {

namespace {

constexpr std::uint8_t erasing_stops_at = 16 + 3;  // rows ever created, counted from world.cpp's first_count

bool is_finished(RowKind kind) {
  return kind != RowKind::none && kind != RowKind::pending && kind != RowKind::fence_pending;
}

bool held(const Requests& asked) { return asked.live + asked.detached > 0; }
bool fence_held(const Requests& asked) { return asked.fence_live + asked.fence_detached > 0; }

bool anything_held(const Node& node) {
  for (const Requests& asked : node.requests) {
    if (held(asked) || fence_held(asked)) return true;
  }
  return false;
}

void take_one(std::uint8_t& count) { count = static_cast<std::uint8_t>(count - 1); }

}  // namespace

void Moves::from(const State& state, bool named, std::vector<Step>& out) {
  out.clear();
  from_ = &state;
  out_ = &out;
  named_ = named;
  process_moves();
  people_moves();
  // While the process works off what it was told, it neither asks nor listens: what the switch does meanwhile may as
  // well come behind it. Only what the database and the clock say is read between two decisions.
  if (busy_inside(state)) return;
  world_moves();
}

void Moves::world_moves() {
  for (unsigned id = 1; id <= config_.ids; ++id) request_moves(id);
  htlc_moves();
  erase_moves();
  node_moves();
  store_moves();
}

/// One copy of a hand-over or a fence is executed, from the connection or late; or it is lost with its connection.
void Moves::request_moves(unsigned id) {
  const Requests& asked = from_->node.requests[id];
  const auto send = [&](SendAs how, bool live, bool answered) {
    return [this, id, how, live, answered](State& next) {
      Requests& requests = next.node.requests[id];
      take_one(live ? requests.live : requests.detached);
      const std::uint8_t reply = execute_send(config_, next.node, id, how);
      if (answered) requests.reply = reply;
    };
  };
  const bool choice = free_to_choose(config_, from_->node, id);
  for (const bool live : {true, false}) {
    if ((live ? asked.live : asked.detached) == 0) continue;
    for (const bool answered : {true, false}) {
      if (answered ? !live || asked.reply != 0 : live && !config_.lost_replies) continue;
      const char* name = !live      ? "a late copy is executed:"
                         : answered ? "the hand-over is executed:"
                                    : "the hand-over is executed, its answer lost:";
      move(name, id, send(SendAs::accept, live, answered));
      if (choice && config_.refusals) move("the node takes no HTLC:", id, send(SendAs::refuse, live, answered));
      if (choice && config_.orphans)
        move("the hand-over becomes an orphan row:", id, send(SendAs::orphan, live, answered));
    }
  }
  if (asked.detached > 0)
    move("a late copy is lost:", id, [id](State& next) { take_one(next.node.requests[id].detached); });

  const auto fence = [&](FenceAs how, bool live, bool answered) {
    return [this, id, how, live, answered](State& next) {
      Requests& requests = next.node.requests[id];
      take_one(live ? requests.fence_live : requests.fence_detached);
      const std::uint8_t reply = execute_fence(config_, next.node, id, how);
      if (answered) requests.fence_reply = reply;
    };
  };
  for (const bool live : {true, false}) {
    if ((live ? asked.fence_live : asked.fence_detached) == 0) continue;
    for (const bool answered : {true, false}) {
      if (answered ? !live || asked.fence_reply != 0 : live && !config_.lost_replies) continue;
      move(answered ? "the fence is executed:" : "the fence is executed, its answer lost:", id,
           fence(FenceAs::take, live, answered));
      if (choice && config_.fence_faults) move("the fence is refused:", id, fence(FenceAs::refuse, live, answered));
      if (choice && config_.fence_faults) move("the fence stays half-way:", id, fence(FenceAs::orphan, live, answered));
    }
  }
  if (asked.fence_detached > 0)
    move("a late fence is lost:", id, [id](State& next) { take_one(next.node.requests[id].fence_detached); });
}

/// HTLCs end.
void Moves::htlc_moves() {
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (from_->node.truth[i] != Truth::locked) continue;
    const unsigned owner = from_->node.seen.owner[i];
    move("settles:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::settled, RowKind::complete); });
    if (config_.wrong_preimages) {
      move("settles, shown with a wrong preimage:", owner,
           [i](State& next) { finish_htlc(next.node, i, Truth::settled, RowKind::complete_wrong); });
    }
    move("fails:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::failed, RowKind::failed_retry); });
    if (config_.final_failures) {
      move("fails for good:", owner,
           [i](State& next) { finish_htlc(next.node, i, Truth::failed, RowKind::failed_final); });
    }
  }
}

/// delpay and autoclean. Assumed: no copy of the id is in a buffer any more. One id makes one HTLC only while its
/// record lives, so a record that goes before a copy arrives breaks the switch's contract (erase_under_copies shows
/// it).
void Moves::erase_moves() {
  for (unsigned id = 1; id <= foreign_id; ++id) {
    if (!is_finished(from_->node.seen.rows[id])) continue;
    const bool copies = id <= most_ids && held(from_->node.requests[id]);
    if (copies && !config_.erase_under_copies) continue;
    // A fence that is erased is made again, and counted: without a bound there were no end of states.
    if (from_->node.seen.rows[id] == RowKind::fence && from_->node.seen.now[0] >= erasing_stops_at) continue;
    if (config_.erase_rows) move("the row is erased:", id, [id](State& next) { erase(next.node, id, false); });
    if (config_.erase_lists)
      move("the row and its HTLCs are erased:", id, [id](State& next) { erase(next.node, id, true); });
  }
}

/// Another user of the node, and a node that starts from an old copy: it has forgotten all of this hash, and its
/// connections are gone. What it had locked is settled or failed by its peers, unseen.
void Moves::node_moves() {
  const Visible& seen = from_->node.seen;
  bool made = false;
  for (const std::uint8_t owner : seen.owner) made = made || owner == foreign_id;
  if (config_.foreign && !made && free_to_choose(config_, from_->node, foreign_id)) {
    move("another user of the node pays the hash", 0, [](State& next) { start_foreign(next.node); });
  }
  if (!config_.node_restored || from_->node_restored != 0) return;
  move("the node is restored from an old copy", 0, [this](State& next) {
    if (next.process.alive != 0) DriverStep(config_, mutation_, next).disconnect();
    next.node.requests = {};
    const auto owner = next.node.seen.owner;
    next.node.seen = Visible{};
    next.node.seen.owner = owner;
    next.node_restored = 1;
  });
}

/// Deadlines, and the words of people. `resolve` needs the payment's lock, `cancel` and `delete` do not.
void Moves::people_moves() {
  for (unsigned slot = 0; config_.deadline && slot < config_.tries; ++slot) {
    const bool in_use = from_->store.tries[slot].stand == RowStand::stored || from_->process.items[slot].active != 0;
    if (!in_use || (from_->deadlines & bit(slot)) != 0) continue;
    move("the deadline passes: try", slot + 1, [slot](State& next) { next.deadlines |= bit(slot); });
  }
  const auto say = [this](const Event& word) {
    return [this, word](State& next) { DriverStep(config_, mutation_, next).say(word); };
  };
  if (config_.cancel) move("cancel", 0, say(CancelRequested{}));
  if (config_.words && from_->process.alive == 0) {
    move("resolve --assume-failed", 0, say(OperatorAssumesFailed{}));
    move("resolve --write-off", 0, say(OperatorWritesOff{}));
  }
  for (unsigned slot = 0; config_.deletes && slot < most_tries; ++slot) {
    const StoredTry& one = from_->store.tries[slot];
    if (one.stand != RowStand::stored || from_->process.items[slot].active != 0) continue;
    const bool over =
        ended(one) && !has_open(from_->store, slot) && !has_watched(from_->store, slot);  // trigger payments_delete
    if (!over && !mutation_.delete_in_flight) continue;
    move("delete try", slot + 1, [this, slot](State& next) { delete_try(mutation_, next.store, slot); });
  }
}

/// Somebody copies the database and puts the copy back, with no process running. Assumed: nothing is in a buffer then.
/// What was handed over between the copy and now, and is still under way, can be known to nobody.
void Moves::store_moves() {
  if (!config_.old_copies) return;
  if (from_->copied == 0) {
    move("the database is copied", 0, [](State& next) {
      next.copy = next.store;
      next.copied = 1;
    });
  }
  const bool still = from_->process.alive == 0 && !anything_held(from_->node);
  if (from_->copied == 1 && still) {
    move("the old copy of the database is put back", 0, [](State& next) {
      next.store = std::exchange(next.copy, Store{});
      next.copied = 2;
      next.paid = next.store.tries[0].proof != Proof::none || next.store.tries[1].proof != Proof::none ? 1 : 0;
    });
  }
  if (from_->copied == 2 && still && config_.words) {
    move("resolve --restored", 0, [this](State& next) { adopt_restored(config_, mutation_, next); });
  }
}

}  // namespace paytower::model
