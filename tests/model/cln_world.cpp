// Turns the model's bytes into the core's types and back, and describes a state in words.
#include "tests/model/cln_world.h"

#include <algorithm>

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"

namespace paytower::cln_model {

namespace {

constexpr std::uint8_t first_count = 16;  ///< where the node's counters stand at the beginning
constexpr std::uint16_t whole_fee = 500;  ///< of the payment in one piece
constexpr std::uint16_t cheap_fee = 250;

const std::string& label(unsigned id, bool fence) {  // of an attempt's id
  static const auto labels = [] {
    std::array<std::array<std::string, 2>, most_ids + 1> made;
    for (unsigned i = 1; i <= most_ids; ++i)
      made[i] = {attempt_label(store_name(), AttemptId{i}), attempt_label(store_name(), AttemptId{i}, true)};
    return made;
  }();
  return labels[id][fence ? 1 : 0];
}

Route route_of(const Store& store, unsigned number) {
  return part_route(store.names[number].units, store.names[number].fee);
}

SwitchRow row_of(const Store& store, unsigned number, RowKind kind) {
  SwitchRow row;
  const unsigned id = round_of(store, number);
  row.id = AttemptId{id};
  row.part = store.names[number].part;
  const bool fence = kind == RowKind::fence || kind == RowKind::fence_pending;
  if (id != foreign_id) row.label = label(id, fence);
  const bool pending = kind == RowKind::pending || kind == RowKind::fence_pending;
  row.state = pending ? RowState::pending : is_complete(kind) ? RowState::complete : RowState::failed;
  if (kind == RowKind::complete) row.preimage = test::right_preimage();
  if (kind == RowKind::complete_wrong) row.preimage = test::wrong_preimage();
  if (row.state == RowState::failed)
    row.failure = kind == RowKind::failed_final ? failed_for_good() : failed_on_the_way();
  if (kind == RowKind::failed_mpp) row.failure = given_back();
  const Route sent = route_of(store, number);
  row.amount = sent.delivered();
  row.amount_sent = sent.total_amount();
  return row;
}

cln::Counters counters_of(const MarkBytes& bytes) {
  const auto mark = [](std::uint8_t byte) {
    return byte == no_mark ? std::optional<std::uint64_t>{} : std::optional<std::uint64_t>(byte);
  };
  return cln::Counters{mark(bytes[0]), mark(bytes[1]), mark(bytes[2]), mark(bytes[3])};
}

Marks marks_of(const MarkBytes& bytes) {
  const bool none = std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == no_mark; });
  return none ? Marks{} : cln::marks_of(counters_of(bytes));
}

MarkBytes mark_bytes(const Marks& marks) {
  const auto byte = [](const std::optional<std::uint64_t>& mark) {
    return mark ? static_cast<std::uint8_t>(*mark) : no_mark;
  };
  const cln::Counters counters = cln::counters_of(marks);
  const MarkBytes bytes{byte(counters.payments_created), byte(counters.htlcs_created), byte(counters.htlcs_deleted),
                        byte(counters.movements_created)};
  if (marks_of(bytes) != marks) throw Violation{"marks that these bytes do not hold"};
  return bytes;
}

}  // namespace

const std::string& run_name(std::uint8_t run) {
  static const std::array<std::string, 3> names = {"", "1", "2"};
  return names.at(run);
}

unsigned last_number(const Config& config) { return has_parts(config) ? config.numbers : config.ids; }

AttemptKey key_of(const Store& store, unsigned number) {
  return test::key_of(AttemptId{store.names[number].round}, store.names[number].part);
}

unsigned round_of(const Store& store, unsigned number) { return store.names[number].round; }
unsigned units_of(const Store& store, unsigned number) { return store.names[number].units; }

unsigned number_of(const Store& store, const AttemptKey& key) {
  for (unsigned number = 1; number <= foreign_id; ++number) {
    if (store.names[number].round == key.id.value && store.names[number].part == key.part) return number;
  }
  return 0;
}

unsigned first_free(const Store& store) {
  unsigned number = 1;
  while (number <= most_ids && store.names[number].round != 0) ++number;
  return number;
}

UnixNs wall_time(const State& state, unsigned slot) {
  if ((state.deadlines & bit(slot)) != 0) return test::past_deadline;
  return (state.aged & bit(slot)) != 0 ? test::set_too_old : test::before_deadline;
}

Marks node_marks(const State& /*state*/, const MarkBytes& bytes) { return marks_of(bytes); }
void keep_node_marks(const State& /*state*/, const Marks& marks, MarkBytes& bytes) { bytes = mark_bytes(marks); }

Attempt attempt_of(const Store& store, unsigned number) {
  const StoredAttempt& stored = store.attempts[number];
  Attempt attempt;
  attempt.id = AttemptId{store.names[number].round};
  attempt.part = store.names[number].part;
  attempt.switch_key = switch_key();
  attempt.marks = marks_of(stored.marks);
  attempt.switch_run = run_name(stored.run);
  const Route sent = route_of(store, number);
  attempt.amount = sent.delivered();
  attempt.fee = sent.fees();
  if (stored.marks[0] != no_mark) attempt.route = sent;
  attempt.registered = test::created;
  set_outcome(attempt, stored.outcome);
  return attempt;
}

void store_attempt(Store& store, unsigned slot, const AttemptKey& key, const Attempt& attempt) {
  const unsigned number = number_of(store, key);
  if (number == 0 || number > most_ids) throw Violation{"an attempt beyond the model's"};
  const auto run = attempt.switch_run.empty() ? 0 : attempt.switch_run[0] - '0';
  store.attempts[number] = StoredAttempt{outcome_of(attempt), static_cast<std::uint8_t>(slot),
                                         static_cast<std::uint8_t>(run), mark_bytes(attempt.marks)};
}

cln::NodeLists look_result(const Config& config, const State& state, const Visible& shown) {
  cln::NodeLists look;
  look.hash = test::key_of(AttemptId{1}).hash;
  look.now = counters_of(shown.now);
  look.run = run_name(state.node.run);
  for (unsigned id = 1; id <= foreign_id; ++id) {
    if (shown.rows[id] != RowKind::none) look.rows.push_back(row_of(state.store, id, shown.rows[id]));
  }
  look.htlcs.emplace();
  if (!config.no_debits) look.debits.emplace();
  if (config.no_debits) look.now.movements_created.reset();
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (shown.owner[i] == 0) continue;
    cln::OutgoingHtlc htlc{shown.listed[i], shown.finished[i] != 0};
    if (has_parts(config)) htlc.amount = route_of(state.store, shown.owner[i]).total_amount();
    if (shown.listed[i] != 0) look.htlcs->push_back(htlc);
    const AttemptKey key = key_of(state.store, shown.owner[i]);
    if (look.debits && shown.debit[i] != 0) look.debits->push_back(cln::Debit{shown.debit[i], key.id, key.part});
  }
  return look;
}

StoreKnowledge knowledge(const Store& store, std::uint8_t known, std::uint8_t deleted_up_to) {
  StoreKnowledge what;
  what.store = store_name();
  what.deleted_up_to = AttemptId{deleted_up_to};
  for (unsigned id = 1; id <= most_ids; ++id) {
    if ((known & bit(id)) != 0) what.known.push_back(key_of(store, id));
  }
  return what;
}

Event event_of(const State& state, std::uint8_t code) {
  return unpack_event(state.store, code, run_name(state.node.run), failed_on_the_way());
}

std::uint8_t code_of(const Store& store, const Event& what) {
  if (std::holds_alternative<Releasable>(what))
    throw Violation{"nothing is ever to be released at a Core Lightning node"};
  const auto* missing = std::get_if<NotFound>(&what);
  if (missing == nullptr) return pack_event(store, what);
  switch (missing->evidence) {
    case Evidence::nothing_since_mark:
    case Evidence::finished_no_debit:
    case Evidence::not_yet:
    case Evidence::unknown: return pack_event(store, what);
    case Evidence::money_left:  // reported as SettledPreimageLost
      return pack_event(store, NotFound{missing->key, Evidence::unknown});
    case Evidence::late:
    case Evidence::never:
    case Evidence::erased:
    case Evidence::no_htlc:
    case Evidence::stranded: break;
  }
  throw Violation{"Core Lightning's lists prove nothing about hand-overs that are bound to time"};
}

namespace {

std::string name_text(const Name& name) {
  if (name.part == 0) return {};  // the payment in one piece
  return "(round " + std::to_string(name.round) + " part " + std::to_string(name.part) + ": " +
         std::to_string(name.units) + "+" + std::to_string(name.fee) + ")";
}

}  // namespace

std::string describe(const State& state) {
  constexpr std::array<const char*, 9> rows = {"",
                                               "pending",
                                               "complete",
                                               "complete (wrong preimage)",
                                               "failed",
                                               "failed for good",
                                               "fence",
                                               "fence (pending)",
                                               "failed (MPP_TIMEOUT)"};
  constexpr std::array<const char*, 6> truths = {"", "locked", "settled", "failed", "taken", "returning"};
  std::string text = "store:";
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state.store.tries[slot];
    if (one.stand == RowStand::unused) continue;
    text += " try " + std::to_string(slot + 1);
    if (one.stand == RowStand::deleted) text += " deleted";
    if (one.stop != 0) text += " stop";
    if (one.fail != 0) text += " FAILED";
    if (one.proof != Proof::none) text += " SUCCEEDED";
    if (one.note != 0) text += " UNKNOWN";
  }
  for (unsigned id = 1; id <= most_ids; ++id) {
    const Outcome outcome = state.store.attempts[id].outcome;
    if (outcome != Outcome::absent)
      text += " " + std::to_string(id) + name_text(state.store.names[id]) + "=" + outcome_name(outcome);
  }
  if (state.store.guard != 0) text += " guard";
  text += "; switch:";
  for (unsigned id = 1; id <= foreign_id; ++id) {
    const RowKind kind = state.node.seen.rows[id];
    if (kind != RowKind::none) text += " row " + std::to_string(id) + " " + rows[static_cast<std::size_t>(kind)];
  }
  for (unsigned id = 1; id <= most_ids; ++id) {
    const Requests& asked = state.node.requests[id];
    if (asked.live + asked.detached > 0)
      text += " " + std::to_string(asked.live + asked.detached) + " copies of " + std::to_string(id) + " held";
    if (asked.fence_live + asked.fence_detached > 0) text += " fence of " + std::to_string(id) + " held";
  }
  text += "; true:";
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (state.node.truth[i] == Truth::none) continue;
    text += " HTLC of " + std::to_string(state.node.seen.owner[i]) + " " +
            truths[static_cast<std::size_t>(state.node.truth[i])];
  }
  return text;
}

State first_state(const Config& config) {
  State state{};
  state.node.seen.now.fill(first_count);
  if (config.restarts) state.node.run = 1;
  if (has_parts(config)) {
    // The worst case of another user: its HTLC looks like that of our first part.
    state.store.names[foreign_id] = Name{cheap_fee, foreign_id, 1, static_cast<std::uint8_t>(config.foreign_units), 0};
    return state;
  }
  for (unsigned id = 1; id <= foreign_id; ++id)
    state.store.names[id] = Name{whole_fee, static_cast<std::uint8_t>(id), 0, all_units, 0};
  return state;
}

}  // namespace paytower::cln_model
