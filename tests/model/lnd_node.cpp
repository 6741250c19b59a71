// lnd: its one record of the hash, as its payments database keeps it, and the truth behind it.
#include <algorithm>

#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

bool is_settled(Shown how) { return how == Shown::settled || how == Shown::settled_wrong; }

bool any_settled(const Record& record) { return std::any_of(record.htlcs.begin(), record.htlcs.end(), is_settled); }

bool takes_new_record(const Record& record) { return record.status == Status::none || record.status == Status::failed; }

/// How much is live or settled in it.
unsigned units_in(const Store& store, const Record& record) {
  unsigned sum = 0;
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (record.htlcs[owner] != Shown::absent && !failed(record.htlcs[owner])) sum += units_of(store, owner);
  }
  return sum;
}

/// InitPayment when there is no record, or a failed one, whose content is lost.
void make_record(State& state, bool whole) {
  state.node.record = Record{};
  state.node.record.status = Status::in_flight;
  state.node.record.whole = whole ? 1 : 0;
  state.node.record.created = state.node.now;
  state.process.same_record = 0;
}

void refuse(Copy& copy, Stage how) {
  if (copy.live == 0) {
    copy = Copy{};
    return;
  }
  copy = Copy{how, 1, 0, 0};
}

}  // namespace

bool failed(Shown how) { return how == Shown::failed || how == Shown::failed_final || how == Shown::failed_mpp; }

bool any_live(const Record& record) {
  return std::find(record.htlcs.begin(), record.htlcs.end(), Shown::in_flight) != record.htlcs.end();
}

void update_status(Record& record) {
  if (record.status == Status::none) return;
  record.status = any_live(record)      ? Status::in_flight
                  : any_settled(record) ? Status::succeeded
                  : record.failing != 0 ? Status::failed
                                        : Status::in_flight;
  if (record.status != Status::failed) return;
  // Nothing reads these of a failed record.
  record.fences = {};
  record.failing = record.released = record.other_check = 0;
}

bool shows_nothing(const Record& record) { return takes_new_record(record); }

bool passes_check(const State& state, unsigned number) { return state.node.now - state.node.copies[number].limit <= 1; }

bool may_expire(const State& state, unsigned number) { return state.node.now > state.node.copies[number].limit; }

bool may_run(const State& state, unsigned number) {
  if (state.node.record.status == Status::succeeded || state.node.deleted_paid != 0) return false;
  if (state.node.height > state.store.attempts[number].height) return false;
  switch (state.node.copies[number].stage) {
    case Stage::wire: return passes_check(state, number);
    case Stage::waiting:
    case Stage::begun: return true;
    case Stage::none:
    case Stage::running:
    case Stage::refused:
    case Stage::unclear: break;
  }
  return std::any_of(state.process.items.begin(), state.process.items.end(),
                     [number](const ItemBytes& item) { return item.act == 1 && (item.act_ids & bit(number)) != 0; });
}

/// A hand-over of a payment with a secret joins an existing record, if it has room.
void begin_copy(const Config& config, State& state, unsigned number) {
  Copy& copy = state.node.copies[number];
  const Record& record = state.node.record;
  if (takes_new_record(record)) {
    make_record(state, true);
  } else if (record.status == Status::succeeded || !config.secret) {
    return refuse(copy, Stage::refused);
  }
  copy.stage = Stage::begun;
  if (!config.two_steps) register_copy(config, state, number);
}

/// RegisterAttempt. If its height is over, the channel refuses the HTLC, which is a failure like any other.
void register_copy(const Config& config, State& state, unsigned number) {
  Copy& copy = state.node.copies[number];
  Record& record = state.node.record;
  const unsigned room = record.whole != 0 ? all_units : 0;
  const bool taken = record.status == Status::in_flight && record.failing == 0 && !any_settled(record) &&
                     units_in(state.store, record) + units_of(state.store, number) <= room;
  if (!taken) return refuse(copy, Stage::unclear);
  if (state.node.truth[number] != Truth::none) throw Violation{"R2: one attempt id has two HTLCs"};
  record.htlcs[number] = Shown::in_flight;
  if (config.orphans) record.times[number] = state.node.now;
  state.node.truth[number] = Truth::live;
  copy.stage = Stage::running;
  copy.flagged = 0;
  const bool too_high = state.node.height > state.store.attempts[number].height;
  if (copy.live == 0) copy = Copy{};
  if (too_high) end_htlc(config, state, number, Shown::failed);
}

/// A fence has a payment address of its own, so it cannot join a record with a live HTLC. A release ends the record.
bool execute_check(State& state, CheckKind kind, unsigned number) {
  Record& record = state.node.record;
  if (takes_new_record(record)) make_record(state, false);
  if (record.status != Status::in_flight || record.failing != 0 || any_live(record) || any_settled(record))
    return false;
  const Tick now = state.node.now;
  switch (kind) {
    case CheckKind::fence: record.fences[number] = now; break;
    case CheckKind::release: record.released = 1; break;
    case CheckKind::other_fence:
    case CheckKind::other_release: record.other_check = now; break;
  }
  if (kind == CheckKind::release || kind == CheckKind::other_release) record.failing = 1;
  update_status(record);
  return true;
}

/// A failed payment in one piece is given up at once. With parts the record stays open, unless the payee's failure is
/// final.
void end_htlc(const Config& config, State& state, unsigned owner, Shown how) {
  Record& record = state.node.record;
  state.node.truth[owner] = failed(how) ? Truth::failed : Truth::settled;
  if (record.htlcs[owner] != Shown::in_flight) return;
  record.htlcs[owner] = how;
  const bool stays_open = owner == foreign || (config.max_parts > 1 && how != Shown::failed_final);
  if (failed(how) && !stays_open) record.failing = 1;
  update_status(record);
}

void erase_failed(Record& record) {
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (failed(record.htlcs[owner])) record.htlcs[owner] = Shown::absent;
    if (record.htlcs[owner] == Shown::absent) record.times[owner] = 0;
  }
  record.fences = {};
  record.released = record.other_check = 0;
}

/// lnd is killed: no request survives, because TLS ends inside it. It gives up what it finds in flight, and waits for
/// what is live. `orphaned`: an HTLC that it had recorded and not yet made.
void restart(State& state, unsigned orphaned) {
  if (orphaned != 0) state.node.truth[orphaned] = Truth::orphan;
  state.node.copies = {};
  state.node.late_fences = {};
  state.node.late_release = 0;
  state.node.fence = state.node.clearing = state.node.release = Errand::none;
  state.node.restarts = static_cast<std::uint8_t>(state.node.restarts + 1);
  Record& record = state.node.record;
  if (record.status != Status::in_flight) return;
  record.failing = 1;
  update_status(record);
  erase_failed(record);
}

}  // namespace paytower::lnd_model
