// States that nothing can tell apart become one.
#include <algorithm>

#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

constexpr Tick first_tick = 4;  ///< room for limits that a mutant makes too early

/// True if somebody still asks about its outcome.
bool asked_about(const StoredAttempt& one) {
  return one.outcome == Outcome::open || one.outcome == Outcome::assumed_failed || one.outcome == Outcome::written_off;
}

/// Forgets copies that nobody waits for and that lnd will refuse.
void drop_dead_copies(State& state) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    Copy& copy = state.node.copies[number];
    if (copy.stage == Stage::wire && copy.live == 0 && !passes_check(state, number)) copy = Copy{};
  }
}

/// When an ended attempt was registered only matters for a record that was left half-way.
void forget_ended(const Config& config, State& state, unsigned number) {
  StoredAttempt& one = state.store.attempts[number];
  const std::uint8_t others = static_cast<std::uint8_t>(~bit(number));
  const bool gone = state.node.copies[number].stage == Stage::none && state.node.truth[number] != Truth::live;
  one.accepted = 0;
  if (state.node.truth[number] != Truth::settled) state.told &= others;
  if (!config.half_way && gone) one.registered = 0;
  if (one.outcome == Outcome::failed && state.node.truth[number] == Truth::none && gone)
    state.node.truth[number] = Truth::failed;
  if (one.outcome == Outcome::never_sent && state.node.truth[number] != Truth::orphan) one.outcome = Outcome::failed;
  state.process.fenced &= others;
  state.process.look.fenced &= others;
  state.process.look.waiting &= others;
  for (ItemBytes& item : state.process.items) {
    item.drawn &= others;
    item.sent_once &= others;
    item.sent_more &= others;
    item.querying &= others;
  }
}

bool of_interest(const State& state, const Record& record, unsigned number) {
  const StoredAttempt& one = state.store.attempts[number];
  if (one.outcome == Outcome::absent || !asked_about(one)) return false;
  const bool in_window = record.created >= one.registered && record.created <= one.registered + 1;
  return in_window || record.htlcs[number] != Shown::absent;
}

/// A failed record in which nobody has an interest is the same as none.
void forget_record(const State& state, Record& record) {
  if (record.status == Status::none) return;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = state.store.attempts[number];
    if (one.outcome == Outcome::absent || asked_about(one)) continue;
    if (record.status == Status::failed) record.htlcs[number] = Shown::absent;
    record.times[number] = record.htlcs[number] == Shown::in_flight ? record.times[number] : Tick{0};
    if (record.fences[number] != 0) record.fences[number] = record.created;
  }
  if (record.status != Status::failed) return;
  record.htlcs[foreign] = Shown::absent;
  record.times[foreign] = 0;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (of_interest(state, record, number)) return;
  }
  record = Record{};
}

void add_times(Record& record, std::vector<Tick*>& out) {
  out.push_back(&record.created);
  for (Tick& time : record.times) out.push_back(&time);
  for (Tick& time : record.fences) out.push_back(&time);
  out.push_back(&record.other_check);
}

/// The longest time difference that matters is 120 s, after which others' fences and orphans are old; without these it
/// is 40 s.
void compress_times(const Config& config, State& state) {
  const unsigned longest = config.left_check || config.orphans ? 4 : 2;
  std::vector<Tick*> times;
  add_times(state.node.record, times);
  add_times(state.process.look.shown, times);
  times.push_back(&state.node.now);
  times.push_back(&state.process.look.clock);
  for (StoredAttempt& one : state.store.attempts) times.push_back(&one.registered);
  for (Copy& one : state.node.copies) times.push_back(&one.limit);
  std::array<bool, 256> used{};
  for (const Tick* time : times) used[*time] = true;
  std::array<Tick, 256> becomes{};
  unsigned before = 0;
  for (unsigned time = 1; time < used.size(); ++time) {
    if (!used[time]) continue;
    becomes[time] = before == 0 ? first_tick : static_cast<Tick>(becomes[before] + std::min(time - before, longest));
    before = time;
  }
  for (Tick* time : times) *time = becomes[*time];
}

}  // namespace

void normalise(const Config& config, State& state) {
  drop_dead_copies(state);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = state.store.attempts[number];
    if (one.outcome != Outcome::absent && !asked_about(one)) forget_ended(config, state, number);
  }
  forget_record(state, state.node.record);
  if (state.process.look.stage == LookStage::answered) forget_record(state, state.process.look.shown);
  compress_times(config, state);
}

}  // namespace paytower::lnd_model
