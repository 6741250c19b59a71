// The rules of core/README 1, as far as a state or a step of this world can break them.
#include "tests/model/cln_world.h"
#include "tests/model/invariants.h"

namespace paytower::cln_model {

namespace {

unsigned htlcs_of(const Node& node, unsigned id, bool settled_only) {
  unsigned found = 0;
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (node.seen.owner[i] != id) continue;
    const bool settled = node.truth[i] == Truth::settled;
    const bool ended = settled || node.truth[i] == Truth::failed || node.truth[i] == Truth::none;
    if (settled || (!settled_only && !ended)) ++found;
  }
  return found;
}

/// R2: our HTLCs of the hash, locked plus settled, deliver no more than was asked for, not counting those that the
/// operator marked as failed.
std::optional<std::string> too_many(const State& state) {
  unsigned mine = 0;
  std::uint64_t fees = 0;
  for (unsigned id = 1; id <= most_ids; ++id) {
    const unsigned found = htlcs_of(state.node, id, false);
    if (found > 1) return "R2: one attempt id has two HTLCs";
    if ((state.assumed & bit(id)) != 0) continue;
    mine += found * units_of(state.store, id);
    fees += found * state.store.names[id].fee;
  }
  if (mine > all_units) return "R2: our HTLCs bring more than was asked for";
  if (fees > fee_limit().value()) return "R2: our HTLCs cost more than the fee limit";
  return two_live(state.store.tries);
}

/// R2, by what is stored, as too_much.
std::optional<std::string> too_dear(const Store& store, unsigned slot) {
  std::uint64_t fees = 0;
  for (unsigned id = 1; id <= most_ids; ++id) {
    const StoredAttempt& one = store.attempts[id];
    if (one.owner == slot && (one.outcome == Outcome::open || one.outcome == Outcome::settled))
      fees += store.names[id].fee;
  }
  if (fees > fee_limit().value()) return "R2: what is open or settled costs more than the fee limit";
  return std::nullopt;
}

/// R3, R5, R7 for one stored attempt.
std::optional<std::string> wrong_outcome(const Config& config, const State& state, unsigned id) {
  const Node& node = state.node;
  switch (state.store.attempts[id].outcome) {
    case Outcome::failed:
    case Outcome::given_back:
    case Outcome::never_sent:
      if (htlcs_of(node, id, false) > 0) return "R3: an attempt is stored as failed, and its HTLC is locked or settled";
      if (copy_may_run(config, state, id)) return "R3: an attempt is stored as failed, and a copy may still run";
      return std::nullopt;
    case Outcome::settled:
      if (htlcs_of(node, id, true) == 0) return "R7: an attempt is stored as settled, and no HTLC of it settled";
      return std::nullopt;
    case Outcome::preimage_lost:
      if (htlcs_of(node, id, true) == 0)
        return "R5: an attempt is stored as settled with its preimage lost, and no HTLC of it settled";
      return std::nullopt;
    case Outcome::absent:
    case Outcome::open:
    case Outcome::assumed_failed:
    case Outcome::written_off: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

bool shows_nothing(const Visible& shown) {
  for (const RowKind kind : shown.rows) {
    if (kind == RowKind::pending || kind == RowKind::complete || kind == RowKind::complete_wrong) return false;
  }
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (shown.listed[i] != 0 && shown.finished[i] == 0) return false;
  }
  return true;
}

std::optional<std::string> broken_rule(const Config& config, const State& state) {
  if (auto broken = too_many(state)) return broken;
  for (unsigned id = 1; id <= most_ids; ++id) {
    if (auto broken = wrong_outcome(config, state, id)) return broken;
  }
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (auto broken = wrong_try(config, state, slot)) return broken;
    if (auto broken = too_dear(state.store, slot)) return broken;
  }
  return std::nullopt;
}

void check_step(const State& before, const State& after) {
  if (before.copied == 1 && after.copied == 2) return;  // restoring the old copy loses facts
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& then = before.store.tries[slot];
    const StoredTry& now = after.store.tries[slot];
    if (then.proof == Proof::none) continue;
    if (now.stand == RowStand::stored && now.proof != then.proof) throw Violation{"R8: a proof was lost"};
    const bool guarded = after.store.guard == static_cast<std::uint8_t>(GuardKind::paid_deleted);
    if (then.stand == RowStand::stored && now.stand == RowStand::deleted && !guarded)
      throw Violation{"R13: a paid payment was deleted without a guard"};
  }
}

bool is_end(const Config& config, const State& state) {
  if (state.process.alive != 0) return false;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state.store.tries[slot];
    if (one.stand != RowStand::stored) continue;
    if (!ended(one) || ((config.words || has_parts(config)) && has_open(state.store, slot))) return false;
  }
  return true;
}

}  // namespace paytower::cln_model
