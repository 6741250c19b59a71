// What the process may do next: it starts, decides, acts, listens, or dies.
#include <algorithm>

#include "tests/model/cln_move.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

unsigned first_of(std::uint8_t ids) {
  unsigned id = 0;
  while (id < foreign_id && (ids & bit(id)) == 0) ++id;
  return id;
}

}  // namespace

void Moves::process_moves() {
  if (from_->process.alive == 0) return start_moves();
  move("the process dies or leaves", 0, [this](State& next) { DriverStep(config_, mutation_, next).die(); });
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (from_->process.items[slot].active != 0) item_moves(slot);
  }
  if (busy_inside(*from_) && !config_.batches) return;
  look_moves();
  if (config_.disconnects && !busy_inside(*from_)) {
    move("the connection breaks", 0, [this](State& next) { DriverStep(config_, mutation_, next).disconnect(); });
  }
}

/// Only one process: a second one would find the lock taken and leave (R11).
void Moves::start_moves() {
  for (unsigned slot = 0; slot < config_.tries; ++slot) {
    if (from_->store.tries[slot].stand != RowStand::unused) continue;
    move("send", 0, [this, slot](State& next) { DriverStep(config_, mutation_, next).send(slot); });
    break;
  }
  bool work = false;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = from_->store.tries[slot];
    work = work || (one.stand == RowStand::stored &&
                    (!ended(one) || has_open(from_->store, slot) || has_watched(from_->store, slot)));
  }
  if (!work) return;  // fetch_in_flight lists nothing
  move("resume", 0, [this](State& next) { DriverStep(config_, mutation_, next).resume(false); });
  if (config_.collect_only)
    move("resume --no-retry", 0, [this](State& next) { DriverStep(config_, mutation_, next).resume(true); });
}

void Moves::item_moves(unsigned slot) {
  const ItemBytes& item = from_->process.items[slot];
  const auto step = [this, slot](void (DriverStep::*what)(unsigned)) {
    return [this, slot, what](State& next) { (DriverStep(config_, mutation_, next).*what)(slot); };
  };
  if (item.act != 0)
    return move(item.act == 1 ? "hand over" : "fence", first_of(item.act_ids), step(&DriverStep::do_committed_act));
  if (item.events != 0) {
    const std::string name = named_ ? "decide: " + event_name(item.backlog[0]) : std::string();
    move(name.c_str(), 0, step(&DriverStep::decide_front));
  }
  if (item.events != 0 && (!config_.batches || item.events > 2)) return;
  if (item.events == 0 && busy_inside(*from_)) return;
  answer_moves(slot);
  if (item.events != 0) return;
  if (item.look_wanted != 0 && from_->process.look.stage == LookStage::none) {
    move("look: try", slot + 1, [this](State& next) { DriverStep(config_, mutation_, next).start_look(false); });
    if (item.orphans != 0)
      move("look, a minute later: try", slot + 1,
           [this](State& next) { DriverStep(config_, mutation_, next).start_look(true); });
  }
  if (item.unanswered != 0 && item.look_wanted == 0 && config_.lost_replies)
    move("no answer in time: try", slot + 1, step(&DriverStep::doubt_silence));
  const StoredTry& row = from_->store.tries[slot];
  const bool recorded = row.stand == RowStand::stored;
  if (recorded && item.deadline_told == 0 && (from_->deadlines & bit(slot)) != 0)
    move("tell the deadline: try", slot + 1, step(&DriverStep::tell_deadline));
  if (recorded && item.known_stop != row.stop)
    move("see another process's word: try", slot + 1, step(&DriverStep::see_foreign_decisions));
  if (item.asking != 0) route_moves(slot);
}

/// The answer to a question for routes: every one that fits the question, as far as the model has ids and numbers left.
void Moves::route_moves(unsigned slot) {
  const ItemBytes& item = from_->process.items[slot];
  const auto take = [this, slot](const char* name, unsigned number, const std::vector<Route>& routes) {
    move(name, number, [&](State& next) { DriverStep(config_, mutation_, next).receive_routes(slot, routes); });
  };
  take("no route: try", slot + 1, {});
  const unsigned next_id = config_.clock_stands ? from_->process.highest + 1U : from_->drawn + 1U;
  if (!has_parts(config_)) {
    if (next_id <= config_.ids) take("a route, and its attempt registered:", next_id, {route()});
    return;
  }
  const bool goes_on = has_open(from_->store, slot) || item.asked_round != 0;
  if (item.ask_again != 0 || item.asking == 2 || (!goes_on && next_id > config_.ids && !mutation_.old_round)) return;
  const unsigned left = config_.numbers + 1U - std::min(config_.numbers + 1U, first_free(from_->store.names));
  const auto fees = config_.dear_parts ? std::vector<unsigned>{250, 3000} : std::vector<unsigned>{250};
  for (const unsigned fee : fees) {
    if (left >= 1 && (config_.one_piece || item.asked_units == 1))
      take("a route for units:", item.asked_units, {part_route(item.asked_units, fee)});
    if (left >= 2 && item.asked_units == 2 && item.asked_parts >= 2)
      take("two parts", 0, {part_route(1, fee), part_route(1, fee)});
  }
}

/// Answers that are on their way, and queries that the switch can answer by now.
void Moves::answer_moves(unsigned slot) {
  const ItemBytes& item = from_->process.items[slot];
  for (unsigned id = 1; id <= last_number(config_); ++id) {
    const Requests& asked = from_->node.requests[id];
    const bool mine = from_->store.attempts[id].outcome != Outcome::absent && from_->store.attempts[id].owner == slot;
    if (mine && asked.reply != 0) {
      move("the answer to the hand-over comes:", id,
           [this, slot, id](State& next) { DriverStep(config_, mutation_, next).receive_dispatch(slot, id); });
    }
    if (mine && asked.fence_reply != 0) {
      move("the answer to the fence comes:", id,
           [this, slot, id](State& next) { DriverStep(config_, mutation_, next).receive_fence(slot, id); });
    }
    const RowKind row = from_->node.seen.rows[id];
    const bool pending = row == RowKind::pending || row == RowKind::fence_pending;
    // After half a minute a node answers that the row is still pending. That only matters to an item that waits for an
    // orphan.
    const bool tells = !pending || (item.orphans & bit(id)) != 0;
    if ((item.querying & bit(id)) != 0 && tells) {
      move("the query is answered:", id,
           [this, slot, id](State& next) { DriverStep(config_, mutation_, next).receive_query(slot, id); });
    }
  }
}

/// The look is executed and answered: at once, or with other moves in between.
void Moves::look_moves() {
  for (const ItemBytes& item : from_->process.items) {
    if (item.act != 0 || item.events > 2) return;
  }
  const LookStage look = from_->process.look.stage;
  const bool asked = look == LookStage::asked;
  if (asked) {
    move("the look is answered", 0, [this](State& next) {
      DriverStep driver(config_, mutation_, next);
      driver.execute_look();
      if (!config_.stale_looks) driver.receive_look();
    });
  }
  if (look == LookStage::answered) {
    move("the look's answer comes", 0, [this](State& next) { DriverStep(config_, mutation_, next).receive_look(); });
  }
}

}  // namespace paytower::cln_model
