// The rules of core/README 1, as far as a state or a step of this world can break them.
#include "tests/model/invariants.h"
#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

bool brings_money(Truth truth) { return truth == Truth::live || truth == Truth::settled; }

/// R2: our HTLCs of the hash, live plus settled, and those that copies of hand-overs may still make, deliver no more
/// than was asked for. Not counted: what the operator marked as failed, and what becomes possible when somebody deletes
/// a paid record.
std::optional<std::string> too_many(const State& state) {
  if (state.node.deleted_paid != 0) return std::nullopt;
  unsigned out = 0;
  unsigned possible = 0;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if ((state.assumed & bit(number)) != 0) continue;
    const unsigned units = state.store.attempts[number].units;
    if (brings_money(state.node.truth[number]))
      out += units;
    else if (may_run(state, number))
      possible += units;
  }
  if (out > all_units) return "R2: our HTLCs bring more than was asked for";
  if (out + possible > all_units) return "R2: our HTLCs and what may still run bring more than was asked for";
  return std::nullopt;
}

/// R3, R5, R7 for one stored attempt. Deleting a paid record removes lnd's evidence and its protection: then nothing
/// can be known of an attempt that we never saw there.
std::optional<std::string> wrong_outcome(const State& state, unsigned number) {
  const Truth truth = state.node.truth[number];
  switch (state.store.attempts[number].outcome) {
    case Outcome::failed:
    case Outcome::given_back:
    case Outcome::never_sent:
      if (state.node.deleted_paid != 0 && truth == Truth::settled) {
        if ((state.told & bit(number)) != 0)
          return "R5: an attempt that lnd has shown us, and that has settled, is stored as failed";
        return std::nullopt;
      }
      if (brings_money(truth)) return "R3: an attempt is stored as failed, and its HTLC is live or settled";
      if (may_run(state, number)) return "R3: an attempt is stored as failed, and its copy may still run";
      return std::nullopt;
    case Outcome::settled:
      if (truth != Truth::settled) return "R7: an attempt is stored as settled, and no HTLC of it settled";
      return std::nullopt;
    case Outcome::preimage_lost: return "R5: lnd shows every preimage, and one is stored as lost";
    case Outcome::absent:
    case Outcome::open:
    case Outcome::assumed_failed:
    case Outcome::written_off: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> broken_rule(const Config& config, const State& state) {
  if (auto broken = too_many(state)) return broken;
  if (auto broken = two_live(state.store.tries)) return broken;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (auto broken = wrong_outcome(state, number)) return broken;
  }
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (auto broken = wrong_try(config, state, slot)) return broken;
    if (state.process.items[slot].barred != 0) return "lnd bars no fence";
  }
  return std::nullopt;
}

void check_step(const State& before, const State& after) {
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    if (before.store.tries[slot].proof != Proof::none &&
        after.store.tries[slot].proof != before.store.tries[slot].proof)
      throw Violation{"R8: a proof was lost"};
  }
}

bool only_words_help(const State& state, unsigned number) {
  const StoredAttempt& one = state.store.attempts[number];
  const Record& record = state.node.record;
  if (state.node.truth[number] == Truth::orphan) return true;
  if (one.accepted == 0 || record.htlcs[number] != Shown::absent) return false;
  const bool in_window = record.status != Status::none && record.whole != 0 && record.created >= one.registered &&
                         record.created <= one.registered + 1;
  const bool idle = record.status == Status::in_flight && !any_live(record);
  return !in_window || idle;
}

namespace {

/// a decision by hand ends all parts, also those that could have been proven
bool waits_for_words(const State& state, unsigned slot) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = state.store.attempts[number];
    if (one.outcome == Outcome::open && one.owner == slot && only_words_help(state, number)) return true;
  }
  return false;
}

}  // namespace

bool is_end(const Config& /*config*/, const State& state) {
  if (state.process.alive != 0) return false;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state.store.tries[slot];
    const bool open = has_open(state.store, slot);
    if (one.stand != RowStand::stored || (ended(one) && (!open || one.foreign != 0))) continue;
    if (open ? !waits_for_words(state, slot) : !any_is(state.node.truth, Truth::orphan)) return false;
  }
  return true;
}

}  // namespace paytower::lnd_model
