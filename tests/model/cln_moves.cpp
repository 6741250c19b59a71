// What may happen next around a process that hands over to a Core Lightning node: the switch, its payees and other
// users, people, and the files.
#include <algorithm>
#include <utility>

#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

/// Rows ever created, counted from world.cpp's first_count.
unsigned erasing_stops_at(const Config& config) { return 16 + (has_parts(config) ? config.numbers + 1 : 3); }

bool is_finished(RowKind kind) {
  return kind != RowKind::none && kind != RowKind::pending && kind != RowKind::fence_pending;
}

bool held(const Requests& asked) { return asked.live + asked.detached > 0; }
bool fence_held(const Requests& asked) { return asked.fence_live + asked.fence_detached > 0; }

bool any_copy_held(const Node& node) { return std::any_of(node.requests.begin(), node.requests.end(), held); }

bool anything_held(const Node& node) {
  for (const Requests& asked : node.requests) {
    if (held(asked) || fence_held(asked)) return true;
  }
  return false;
}

bool payee_has_taken(const Node& node) {
  return std::any_of(node.truth.begin(), node.truth.end(),
                     [](Truth truth) { return truth == Truth::taken || truth == Truth::settled; });
}

void take_one(std::uint8_t& count) { count = static_cast<std::uint8_t>(count - 1); }

}  // namespace

void ClnMoves::world_moves() {
  for (unsigned id = 1; id <= last_number(config_); ++id) request_moves(id);
  htlc_moves();
  payee_moves();
  erase_moves();
  node_moves();
  store_moves();
  restart_moves();
  for (unsigned slot = 0; config_.aging && slot < config_.tries; ++slot) {
    if (!has_open(from_->store, slot) || (from_->aged & bit(slot)) != 0) continue;
    move("the open set gets old: try", slot + 1, [slot](State& next) { next.aged |= bit(slot); });
  }
}

/// One copy of a hand-over or a fence is executed, from the connection or late; or it is lost with its connection.
void ClnMoves::request_moves(unsigned id) {
  const Requests& asked = from_->node.requests[id];
  const auto send = [&](SendAs how, bool live, bool answered) {
    return [this, id, how, live, answered](State& next) {
      Requests& requests = next.node.requests[id];
      take_one(live ? requests.live : requests.detached);
      const std::uint8_t reply = execute_send(config_, next, id, how);
      if (answered) requests.reply = reply;
    };
  };
  const bool choice = free_to_choose(config_, *from_, id);
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
      const std::uint8_t reply = execute_fence(config_, next, id, how);
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
void ClnMoves::htlc_moves() {
  for (unsigned i = 0; i < most_htlcs; ++i) {
    const Truth truth = from_->node.truth[i];
    const unsigned owner = from_->node.seen.owner[i];
    if (truth == Truth::returning)
      move("comes back:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::failed, RowKind::failed_mpp); });
    if (truth == Truth::taken)
      move("settles:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::settled, RowKind::complete); });
    if (truth != Truth::locked) continue;
    if (!config_.polite_payee)
      move("settles:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::settled, RowKind::complete); });
    if (config_.wrong_preimages) {
      move("settles, shown with a wrong preimage:", owner,
           [i](State& next) { finish_htlc(next.node, i, Truth::settled, RowKind::complete_wrong); });
    }
    move("fails:", owner, [i](State& next) { finish_htlc(next.node, i, Truth::failed, RowKind::failed_retry); });
    if (config_.final_failures || (config_.polite_payee && payee_has_taken(from_->node))) {
      move("fails for good:", owner,
           [i](State& next) { finish_htlc(next.node, i, Truth::failed, RowKind::failed_final); });
    }
  }
}

/// The payee holds what has come. When it is the whole amount, it takes all of it; otherwise it may give all of it
/// back.
void ClnMoves::payee_moves() {
  unsigned held = 0;
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (from_->node.truth[i] == Truth::locked) held += units_of(from_->store, from_->node.seen.owner[i]);
  }
  const auto becomes = [](Truth what) {
    return [what](State& next) {
      for (Truth& truth : next.node.truth) {
        if (truth == Truth::locked) truth = what;
      }
    };
  };
  if (held == 0 || (config_.polite_payee && payee_has_taken(from_->node))) return;
  if (config_.polite_payee && held >= all_units) move("the payee takes its set", 0, becomes(Truth::taken));
  if (config_.gives_back && held < all_units) move("the payee gives its set back", 0, becomes(Truth::returning));
}

/// The node is killed, once: what was on a connection is lost with its process. It may be killed after it has made a
/// row and before it has made the HTLC.
void ClnMoves::restart_moves() {
  if (!config_.restarts || from_->node.run != 1) return;
  const auto restart = [this](State& next) {
    next.node.requests = {};
    next.node.run = 2;
    if (next.process.alive != 0) DriverStep(config_, mutation_, next).disconnect();
    next.node.requests = {};
  };
  move("the node is killed", 0, restart);
  for (unsigned id = 1; id <= last_number(config_); ++id) {
    if (!held(from_->node.requests[id]) || !free_to_choose(config_, *from_, id)) continue;
    move("the node is killed before it makes the HTLC:", id, [this, id, restart](State& next) {
      (void)execute_send(config_, next, id, SendAs::orphan);
      restart(next);
    });
  }
}

/// delpay and autoclean. Assumed: no copy of the id is in a buffer any more. One id makes one HTLC only while its
/// record exists, so erasing a record before a copy arrives breaks the switch's contract (erase_under_copies shows it).
/// The complete row of a part is erased only when no copy of another part is on its way either: that row prevents their
/// execution (201), and ends the half-sent parts of a proven payment.
void ClnMoves::erase_moves() {
  for (unsigned id = 1; id <= foreign_id; ++id) {
    if (!is_finished(from_->node.seen.rows[id])) continue;
    const bool copies = id <= most_ids && held(from_->node.requests[id]);
    const bool siblings = has_parts(config_) && is_complete(from_->node.seen.rows[id]) && any_copy_held(from_->node);
    if ((copies || siblings) && !config_.erase_under_copies) continue;
    // An erased fence is made again, and counted: without a bound there would be no end of states.
    if (from_->node.seen.rows[id] == RowKind::fence && from_->node.seen.now[0] >= erasing_stops_at(config_)) continue;
    if (config_.erase_rows) move("the row is erased:", id, [id](State& next) { erase(next.node, id, false); });
    if (config_.erase_lists)
      move("the row and its HTLCs are erased:", id, [id](State& next) { erase(next.node, id, true); });
  }
}

/// Another user of the node; and a node that starts from an old copy: it has forgotten everything about this hash, and
/// its connections are gone. Its peers settle or fail what it had locked, unseen.
void ClnMoves::node_moves() {
  const Visible& seen = from_->node.seen;
  bool made = false;
  for (const std::uint8_t owner : seen.owner) made = made || owner == foreign_id;
  if (config_.foreign && !made && free_to_choose(config_, *from_, foreign_id)) {
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

/// `delete` needs no lock.
void ClnMoves::people_moves() {
  Moves::people_moves();
  for (unsigned slot = 0; config_.deletes && slot < most_tries; ++slot) {
    const StoredTry& one = from_->store.tries[slot];
    if (one.stand != RowStand::stored || from_->process.items[slot].active != 0) continue;
    const bool over =
        ended(one) && !has_open(from_->store, slot) && !has_watched(from_->store, slot);  // trigger payments_delete
    if (!over && !mutation_.delete_in_flight) continue;
    move("delete try", slot + 1, [this, slot](State& next) { delete_try(mutation_, next.store, slot); });
  }
}

/// Somebody copies the database and later restores the copy, while no process runs. Assumed: no buffer holds a request
/// then. Nobody can know what was handed over after the copy and is still under way.
void ClnMoves::store_moves() {
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
      const Names names = next.store.names;
      next.store = std::exchange(next.copy, Store{});
      next.store.names = names;
      next.copied = 2;
      next.paid = next.store.tries[0].proof != Proof::none || next.store.tries[1].proof != Proof::none ? 1 : 0;
    });
  }
  if (from_->copied == 2 && still && config_.words) {
    move("resolve --restored", 0, [this](State& next) { adopt_restored(config_, mutation_, next); });
  }
}

unsigned ClnMoves::next_id() const { return config_.clock_stands ? from_->process.highest + 1U : from_->drawn + 1U; }

std::vector<unsigned> ClnMoves::route_fees() const {
  return config_.dear_parts ? std::vector<unsigned>{250, 3000} : std::vector<unsigned>{250};
}

void ClnMoves::route_moves(unsigned slot) {
  if (has_parts(config_)) return Moves::route_moves(slot);
  const unsigned id = next_id();
  if (id <= config_.ids) take_routes("a route, and its attempt registered:", id, slot, {test::simple_route()});
}

void ClnMoves::answer_moves(unsigned slot, unsigned number) {
  const ItemBytes& item = from_->process.items[slot];
  const Requests& asked = from_->node.requests[number];
  if (asked.reply != 0)
    move("the answer to the hand-over comes:", number, step(&DriverStep::receive_dispatch, slot, number));
  if (asked.fence_reply != 0)
    move("the answer to the fence comes:", number, step(&DriverStep::receive_fence, slot, number));
  const RowKind row = from_->node.seen.rows[number];
  const bool pending = row == RowKind::pending || row == RowKind::fence_pending;
  // After half a minute a node answers that the row is still pending. That only matters to an item that waits for an
  // orphan.
  const bool tells = !pending || (item.orphans & bit(number)) != 0;
  if ((item.querying & bit(number)) != 0 && tells)
    move("the query is answered:", number, step(&DriverStep::receive_query, slot, number));
}

Exploration explore(const Config& config, const Mutation& mutation, bool ways_out) {
  return explore_world<World>(config, mutation, ways_out);
}

}  // namespace paytower::cln_model
