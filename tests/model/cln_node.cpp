// The switch: rows, lists and counters as core/sim/engine.cpp keeps them, and the truth behind them.
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

constexpr std::uint8_t accepted = 1;
constexpr std::uint8_t not_sent = 2;
constexpr std::uint8_t look = 3;
constexpr std::uint8_t fence_taken = 1;
constexpr std::uint8_t fence_look = 2;
constexpr std::uint8_t fence_barred = 3;

bool is_pending(RowKind kind) { return kind == RowKind::pending || kind == RowKind::fence_pending; }
void count_up(std::uint8_t& counter) { counter = static_cast<std::uint8_t>(counter + 1); }

enum class Way { free, busy, paid };

/// Whether another row of the hash is in the way: Engine::earlier_rows. A complete one is (201), one of another round
/// is (200), and so are parts of the same round that make the amount already (200). Whether the sum with the new part
/// is too much is not checked (R2). A switch that only keeps the contract has no such rule.
Way way_for(const Config& config, const State& state, unsigned id) {
  const Visible& seen = state.node.seen;
  if (config.contract_only) return Way::free;
  unsigned pending = 0;
  bool other_round = false;
  for (unsigned other = 1; other <= foreign_id; ++other) {
    if (other == id) continue;
    if (is_complete(seen.rows[other])) return Way::paid;
    if (!is_pending(seen.rows[other])) continue;
    pending += units_of(state.store, other);
    other_round = other_round || round_of(state.store, other) != round_of(state.store, id);
  }
  return other_round || pending >= all_units ? Way::busy : Way::free;
}

void lock_htlc(Node& node, unsigned owner) {
  const unsigned at = htlcs_made(node);
  if (at >= most_htlcs) throw Violation{"more HTLCs than the model holds"};
  node.seen.owner[at] = static_cast<std::uint8_t>(owner);
  node.truth[at] = Truth::locked;
  count_up(node.seen.now[1]);
  node.seen.listed[at] = node.seen.now[1];
}

void make_row(Node& node, unsigned id, RowKind kind) {
  node.seen.rows[id] = kind;
  count_up(node.seen.now[0]);
}

}  // namespace

unsigned htlcs_made(const Node& node) {
  unsigned made = 0;
  while (made < most_htlcs && node.seen.owner[made] != 0) ++made;
  return made;
}

bool free_to_choose(const Config& config, const State& state, unsigned id) {
  return state.node.seen.rows[id] == RowKind::none && way_for(config, state, id) == Way::free;
}

bool copy_may_run(const Config& config, const State& state, unsigned id) {
  const Requests& asked = state.node.requests[id];
  if (asked.live + asked.detached == 0 || state.node.seen.rows[id] != RowKind::none) return false;
  return !has_parts(config) || way_for(config, state, id) != Way::paid;
}

std::uint8_t execute_send(const Config& config, State& state, unsigned id, SendAs how) {
  Node& node = state.node;
  if (node.seen.rows[id] == RowKind::pending) return accepted;
  if (node.seen.rows[id] != RowKind::none) return look;
  const Way way = way_for(config, state, id);
  if (way == Way::busy) return not_sent;
  // A part of the same round is complete (201), or a round of another user (its row).
  if (way == Way::paid) return is_complete(node.seen.rows[foreign_id]) ? not_sent : look;
  if (how == SendAs::refuse) return not_sent;
  make_row(node, id, RowKind::pending);
  if (how == SendAs::accept) lock_htlc(node, id);
  return accepted;
}

std::uint8_t execute_fence(const Config& config, State& state, unsigned id, FenceAs how) {
  Node& node = state.node;
  if (node.seen.rows[id] == RowKind::fence) return fence_taken;
  const bool paid = way_for(config, state, id) == Way::paid;
  if (has_parts(config) && node.seen.rows[id] == RowKind::none && paid) return fence_barred;
  if (!free_to_choose(config, state, id) || how == FenceAs::refuse) return fence_look;
  make_row(node, id, how == FenceAs::orphan ? RowKind::fence_pending : RowKind::fence);
  return how == FenceAs::orphan ? fence_look : fence_taken;
}

/// Engine::end and end_row: a settlement is always written, a failure only over a pending row.
void finish_htlc(Node& node, unsigned index, Truth end, RowKind row) {
  Visible& seen = node.seen;
  node.truth[index] = end;
  seen.finished[index] = 1;
  RowKind& kind = seen.rows[seen.owner[index]];
  if (kind != RowKind::none && (kind == RowKind::pending || end == Truth::settled)) kind = row;
  if (end != Truth::settled) return;
  count_up(seen.now[3]);
  seen.debit[index] = seen.now[3];
}

void start_foreign(Node& node) {
  make_row(node, foreign_id, RowKind::pending);
  lock_htlc(node, foreign_id);
}

/// sim::erase_ended_rows (core/sim/erasure.h): the row, and with `lists` the finished HTLCs too, which moves their
/// counter. Debits stay.
void erase(Node& node, unsigned id, bool lists) {
  Visible& seen = node.seen;
  seen.rows[id] = RowKind::none;
  if (!lists) return;
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (seen.owner[i] != id || seen.listed[i] == 0 || seen.finished[i] == 0) continue;
    seen.listed[i] = 0;
    count_up(seen.now[2]);
  }
}

}  // namespace paytower::cln_model
