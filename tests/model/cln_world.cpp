// Turns the model's bytes into the core's types and back, and describes a state in words.
#include "tests/model/cln_world.h"

#include <algorithm>

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"

namespace paytower::cln_model {

namespace {

constexpr std::uint8_t first_count = 16;  ///< where the node's counters stand at the beginning
constexpr std::uint64_t unit_msat = 125'000;
constexpr std::uint16_t cheap_fee = 250;

/// An event in one byte: the upper bits are its kind, the lower ones the attempt.
enum class Kind : std::uint8_t {
  none,
  quiet,
  no_route,
  accepted,
  only_copy_not_sent,
  not_sent,
  settled,
  settled_wrong,
  failed_retry,
  failed_final,
  pending,
  nothing,
  nothing_fenced,
  no_debit,
  no_debit_fenced,
  not_yet,
  unknown,
  fenced,
  busy,
  paid,
  paid_wrong,
  deadline,
  lost,
  failed_mpp,
  orphaned,
  only_orphans,
  count
};
static_assert(static_cast<unsigned>(Kind::count) <= 32);

constexpr std::array<const char*, static_cast<std::size_t>(Kind::count)> kind_names = {
    "-",
    "quiet",
    "no route",
    "accepted",
    "not sent (only copy)",
    "not sent",
    "settled",
    "settled by a wrong preimage",
    "failed",
    "failed for good",
    "pending",
    "not found, nothing since",
    "not found, nothing since, fenced",
    "not found, no debit",
    "not found, no debit, fenced",
    "not found, not yet",
    "not found, unknown",
    "fenced",
    "hash busy",
    "hash paid",
    "hash paid by a wrong preimage",
    "deadline",
    "settled, preimage lost",
    "failed by MPP_TIMEOUT",
    "orphaned",
    "only orphans"};

std::uint8_t pack(Kind kind, unsigned id = 0) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) << 3 | id);
}

bool is_final(const Failure& failure) { return failure.code == FailureCode::incorrect_or_unknown_payment_details; }
bool is_given_back(const Failure& failure) { return failure.code == FailureCode::mpp_timeout; }
Failure failure(bool final) {
  if (final) return Failure{FailureCode::incorrect_or_unknown_payment_details, 2, {}, {}, {}};
  return Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
}
Failure given_back() { return Failure{FailureCode::mpp_timeout, 2, {}, {}, {}}; }

/// The four evidences, two of them with a fence of ours on the id.
Kind kind_of(const NotFound& missing) {
  switch (missing.evidence) {
    case Evidence::nothing_since_mark: return missing.fenced ? Kind::nothing_fenced : Kind::nothing;
    case Evidence::finished_no_debit: return missing.fenced ? Kind::no_debit_fenced : Kind::no_debit;
    case Evidence::not_yet: return Kind::not_yet;
    case Evidence::money_left:  // reported as SettledPreimageLost
    case Evidence::unknown: return Kind::unknown;
    case Evidence::late:
    case Evidence::never:
    case Evidence::erased:
    case Evidence::no_htlc:
    case Evidence::stranded: break;
  }
  throw Violation{"Core Lightning's lists prove nothing about hand-overs that are bound to time"};
}

struct Coder {
  const Config& config;
  const Names& names;

  [[nodiscard]] std::uint8_t pack(Kind kind, unsigned number = 0) const { return cln_model::pack(kind, number); }
  [[nodiscard]] std::uint8_t pack(Kind kind, const AttemptKey& key) const {
    return cln_model::pack(kind, number_of(config, names, key));
  }
  /// The first attempt of that id.
  [[nodiscard]] unsigned first_of(AttemptId id) const {
    unsigned number = 1;
    while (number < foreign_id && round_of(config, names, number) != id.value) ++number;
    return number;
  }

  std::uint8_t operator()(const Quiet&) const { return pack(Kind::quiet); }
  std::uint8_t operator()(const NoRoute&) const { return pack(Kind::no_route); }
  std::uint8_t operator()(const Accepted& e) const { return pack(Kind::accepted, e.key); }
  std::uint8_t operator()(const NotSent& e) const {
    return pack(e.only_copy ? Kind::only_copy_not_sent : Kind::not_sent, e.key);
  }
  std::uint8_t operator()(const Settled& e) const {
    return pack(proves(e.preimage, e.key.hash) ? Kind::settled : Kind::settled_wrong, e.key);
  }
  std::uint8_t operator()(const Failed& e) const {
    if (is_given_back(e.failure)) return pack(Kind::failed_mpp, e.key);
    return pack(is_final(e.failure) ? Kind::failed_final : Kind::failed_retry, e.key);
  }
  std::uint8_t operator()(const Pending& e) const { return pack(Kind::pending, e.key); }
  std::uint8_t operator()(const Releasable&) const {
    throw Violation{"nothing is ever to be released at a Core Lightning node"};
  }
  std::uint8_t operator()(const NotFound& e) const { return pack(kind_of(e), e.key); }
  std::uint8_t operator()(const Fenced& e) const { return pack(Kind::fenced, e.key); }
  std::uint8_t operator()(const HashBusy&) const { return pack(Kind::busy); }
  std::uint8_t operator()(const HashPaid& e) const {
    return pack(proves(e.preimage, test::key_of(*e.id).hash) ? Kind::paid : Kind::paid_wrong, first_of(*e.id));
  }
  std::uint8_t operator()(const DeadlinePassed&) const { return pack(Kind::deadline); }
  std::uint8_t operator()(const SettledPreimageLost& e) const {
    return e.key ? pack(Kind::lost, *e.key) : pack(Kind::lost);
  }
  std::uint8_t operator()(const Orphaned& e) const { return pack(Kind::orphaned, e.key); }
  std::uint8_t operator()(const OnlyOrphans& e) const { return pack(Kind::only_orphans, first_of(e.round)); }
  template <typename Other> std::uint8_t operator()(const Other&) const {
    throw Violation{"the model does not queue this event"};
  }
};

Failure closed_by(Outcome outcome) {
  Failure why;
  why.code = outcome == Outcome::assumed_failed ? FailureCode::assumed_failed
             : outcome == Outcome::written_off  ? FailureCode::written_off
                                                : FailureCode::preimage_lost;
  return why;
}

void set_outcome(Attempt& attempt, Outcome outcome) {
  if (outcome == Outcome::open) return;
  attempt.resolved = test::created;
  switch (outcome) {
    case Outcome::settled:
      attempt.outcome = AttemptOutcome::settled;
      attempt.preimage = test::right_preimage();
      return;
    case Outcome::failed:
    case Outcome::given_back:
    case Outcome::never_sent:
      attempt.outcome = AttemptOutcome::failed;
      attempt.failure = outcome == Outcome::given_back ? given_back() : failure(false);
      if (outcome == Outcome::never_sent) attempt.failure = Failure{FailureCode::local_refusal, {}, {}, {}, {}};
      return;
    case Outcome::assumed_failed:
    case Outcome::written_off:
    case Outcome::preimage_lost:
      attempt.outcome = AttemptOutcome::closed;
      attempt.failure = closed_by(outcome);
      return;
    case Outcome::open:
    case Outcome::absent: return;
  }
}

Outcome outcome_of(const Attempt& attempt) {
  if (attempt.open()) return Outcome::open;
  switch (*attempt.outcome) {
    case AttemptOutcome::settled: return Outcome::settled;
    case AttemptOutcome::failed:
      if (is_given_back(*attempt.failure)) return Outcome::given_back;
      return attempt.failure->code == FailureCode::local_refusal ? Outcome::never_sent : Outcome::failed;
    case AttemptOutcome::closed: break;
  }
  if (attempt.failure->code == FailureCode::assumed_failed) return Outcome::assumed_failed;
  return attempt.failure->code == FailureCode::written_off ? Outcome::written_off : Outcome::preimage_lost;
}

Payment fresh(const Config& config) {
  static const PaymentHash hash = hash_of(test::right_preimage());
  Payment payment;
  payment.request.hash = hash;
  payment.request.demand.destination = test::node_key(2);
  payment.request.demand.amount = Msat::of(250'000);
  payment.request.demand.fee_limit = fee_limit();
  payment.request.created = test::created;
  payment.request.deadline = test::deadline;
  payment.request.max_attempts = config.attempts;
  payment.request.max_parts = config.max_parts;
  if (has_parts(config)) payment.request.payment_secret.emplace();
  return payment;
}

const std::string& label(unsigned id, bool fence) {  // of an attempt's id
  static const auto labels = [] {
    std::array<std::array<std::string, 2>, most_ids + 1> made;
    for (unsigned i = 1; i <= most_ids; ++i)
      made[i] = {attempt_label(store_name(), AttemptId{i}), attempt_label(store_name(), AttemptId{i}, true)};
    return made;
  }();
  return labels[id][fence ? 1 : 0];
}

Route route_of(const Config& config, const Names& names, unsigned number) {
  return has_parts(config) ? part_route(names[number].units, names[number].fee) : route();
}

SwitchRow row_of(const Config& config, const Names& names, unsigned number, RowKind kind) {
  SwitchRow row;
  const unsigned id = round_of(config, names, number);
  row.id = AttemptId{id};
  row.part = key_of(config, names, number).part;
  const bool fence = kind == RowKind::fence || kind == RowKind::fence_pending;
  if (id != foreign_id) row.label = label(id, fence);
  const bool pending = kind == RowKind::pending || kind == RowKind::fence_pending;
  const bool complete = kind == RowKind::complete || kind == RowKind::complete_wrong;
  row.state = pending ? RowState::pending : complete ? RowState::complete : RowState::failed;
  if (kind == RowKind::complete) row.preimage = test::right_preimage();
  if (kind == RowKind::complete_wrong) row.preimage = test::wrong_preimage();
  if (row.state == RowState::failed) row.failure = failure(kind == RowKind::failed_final);
  if (kind == RowKind::failed_mpp) row.failure = given_back();
  const Route sent = route_of(config, names, number);
  row.amount = sent.delivered();
  row.amount_sent = sent.total_amount();
  return row;
}

}  // namespace

SwitchKey switch_key() { return SwitchKey{test::node_key(9), "regtest"}; }

StoreId store_name() {
  StoreId id;
  id.bytes.fill(3);
  return id;
}

Route route() { return test::simple_route(); }

Route part_route(unsigned units, unsigned fee) {
  Route part = test::part_route(units * unit_msat);
  part.hops.front().amount = Msat::of(units * unit_msat + fee);
  return part;
}

Msat fee_limit() { return Msat::of(5'000); }

const std::string& run_name(std::uint8_t run) {
  static const std::array<std::string, 3> names = {"", "1", "2"};
  return names.at(run);
}

bool has_parts(const Config& config) { return config.max_parts > 1; }
unsigned last_number(const Config& config) { return has_parts(config) ? config.numbers : config.ids; }

AttemptKey key_of(const Config& config, const Names& names, unsigned number) {
  if (!has_parts(config)) return test::key_of(AttemptId{number});
  return test::key_of(AttemptId{names[number].round}, names[number].part);
}

unsigned round_of(const Config& config, const Names& names, unsigned number) {
  return has_parts(config) ? names[number].round : number;
}

unsigned units_of(const Config& config, const Names& names, unsigned number) {
  return has_parts(config) ? names[number].units : all_units;
}

unsigned number_of(const Config& config, const Names& names, const AttemptKey& key) {
  if (!has_parts(config)) return static_cast<unsigned>(key.id.value);
  for (unsigned number = 1; number <= foreign_id; ++number) {
    if (names[number].round == key.id.value && names[number].part == key.part) return number;
  }
  return 0;
}

unsigned first_free(const Names& names) {
  unsigned number = 1;
  while (number <= most_ids && names[number].round != 0) ++number;
  return number;
}

UnixNs time_of(const State& state, unsigned slot) {
  if ((state.deadlines & bit(slot)) != 0) return test::past_deadline;
  return (state.aged & bit(slot)) != 0 ? test::set_too_old : test::before_deadline;
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

Payment payment_of(const Config& config, const Store& store, unsigned slot, std::uint8_t known_stop) {
  Payment payment = fresh(config);
  const StoredTry& row = store.tries[slot];
  if (row.stand != RowStand::stored) return payment;
  payment.index.value = slot + 1;
  if (known_stop != 0) payment.stop_reason = static_cast<FailureReason>(known_stop - 1);
  if (row.fail != 0) payment.fail_reason = static_cast<FailureReason>(row.fail - 1);
  if (row.proof == Proof::preimage) payment.preimage = test::right_preimage();
  if (row.proof == Proof::late) payment.late_preimage = test::right_preimage();
  if (row.note != 0) payment.end_note = static_cast<EndNote>(row.note);
  if (ended(row)) payment.ended = test::created;
  for (unsigned id = 1; id <= most_ids; ++id) {
    const StoredAttempt& stored = store.attempts[id];
    if (stored.outcome == Outcome::absent || stored.owner != slot) continue;
    Attempt attempt;
    const AttemptKey key = key_of(config, store.names, id);
    attempt.id = key.id;
    attempt.part = key.part;
    attempt.switch_key = switch_key();
    attempt.marks = marks_of(stored.marks);
    attempt.switch_run = run_name(stored.run);
    const Route sent = route_of(config, store.names, id);
    attempt.amount = sent.delivered();
    attempt.fee = sent.fees();
    if (stored.marks[0] != no_mark) attempt.route = sent;
    attempt.registered = test::created;
    set_outcome(attempt, stored.outcome);
    payment.attempts.push_back(std::move(attempt));
  }
  if (row.foreign != 0) {
    Attempt foreign = test::foreign_attempt();
    foreign.id = AttemptId{foreign_id};
    payment.attempts.push_back(std::move(foreign));
  }
  return payment;
}

void store_payment(const Config& config, Store& store, unsigned slot, const Payment& payment) {
  StoredTry& row = store.tries[slot];
  row.stand = RowStand::stored;
  row.stop = payment.stop_reason ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*payment.stop_reason))
                                 : std::uint8_t{0};
  row.fail = payment.fail_reason ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*payment.fail_reason))
                                 : std::uint8_t{0};
  row.proof = payment.preimage ? Proof::preimage : payment.late_preimage ? Proof::late : Proof::none;
  row.note = payment.end_note ? static_cast<std::uint8_t>(*payment.end_note) : std::uint8_t{0};
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::foreign) {
      row.foreign = 1;
      continue;
    }
    const unsigned number = number_of(config, store.names, payment.key(attempt));
    if (number == 0 || number > most_ids) throw Violation{"an attempt beyond the model's"};
    StoredAttempt& stored = store.attempts[number];
    stored.outcome = outcome_of(attempt);
    stored.owner = static_cast<std::uint8_t>(slot);
    stored.run = attempt.switch_run.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(attempt.switch_run[0] - '0');
    stored.marks = mark_bytes(attempt.marks);
  }
}

cln::NodeLists look_result(const Config& config, const State& state, const Visible& shown) {
  const Names& names = state.store.names;
  cln::NodeLists look;
  look.hash = fresh(config).request.hash;
  look.now = counters_of(shown.now);
  look.run = run_name(state.node.run);
  for (unsigned id = 1; id <= foreign_id; ++id) {
    if (shown.rows[id] != RowKind::none) look.rows.push_back(row_of(config, names, id, shown.rows[id]));
  }
  look.htlcs.emplace();
  if (!config.no_debits) look.debits.emplace();
  if (config.no_debits) look.now.movements_created.reset();
  for (unsigned i = 0; i < most_htlcs; ++i) {
    if (shown.owner[i] == 0) continue;
    cln::OutgoingHtlc htlc{shown.listed[i], shown.finished[i] != 0};
    if (has_parts(config)) htlc.amount = route_of(config, names, shown.owner[i]).total_amount();
    if (shown.listed[i] != 0) look.htlcs->push_back(htlc);
    const AttemptKey key = key_of(config, names, shown.owner[i]);
    if (look.debits && shown.debit[i] != 0) look.debits->push_back(cln::Debit{shown.debit[i], key.id, key.part});
  }
  return look;
}

StoreKnowledge knowledge(const Config& config, const Names& names, std::uint8_t known, std::uint8_t deleted_up_to) {
  StoreKnowledge what;
  what.store = store_name();
  what.deleted_up_to = AttemptId{deleted_up_to};
  for (unsigned id = 1; id <= most_ids; ++id) {
    if ((known & bit(id)) != 0) what.known.push_back(key_of(config, names, id));
  }
  return what;
}

Event event_of(const Config& config, const State& state, std::uint8_t code) {
  const unsigned number = code & 7U;
  const AttemptKey key = key_of(config, state.store.names, number);
  const std::string& run = run_name(state.node.run);
  switch (static_cast<Kind>(code >> 3)) {
    case Kind::quiet: return Quiet{};
    case Kind::no_route: return NoRoute{};
    case Kind::accepted: return Accepted{key};
    case Kind::only_copy_not_sent: return NotSent{key, failure(false), true};
    case Kind::not_sent: return NotSent{key, failure(false), false};
    case Kind::settled: return Settled{key, test::right_preimage()};
    case Kind::settled_wrong: return Settled{key, test::wrong_preimage()};
    case Kind::failed_retry: return Failed{key, failure(false)};
    case Kind::failed_final: return Failed{key, failure(true)};
    case Kind::pending: return Pending{key};
    case Kind::nothing: return NotFound{key, Evidence::nothing_since_mark, false, run};
    case Kind::nothing_fenced: return NotFound{key, Evidence::nothing_since_mark, true, run};
    case Kind::no_debit: return NotFound{key, Evidence::finished_no_debit, false, run};
    case Kind::no_debit_fenced: return NotFound{key, Evidence::finished_no_debit, true, run};
    case Kind::not_yet: return NotFound{key, Evidence::not_yet, false, run};
    case Kind::unknown: return NotFound{key, Evidence::unknown, false, run};
    case Kind::fenced: return Fenced{key};
    case Kind::busy: return HashBusy{};
    case Kind::paid: return HashPaid{test::right_preimage(), key.id, Msat::of(250'000), Msat{}};
    case Kind::paid_wrong: return HashPaid{test::wrong_preimage(), key.id, Msat::of(250'000), Msat{}};
    case Kind::deadline: return DeadlinePassed{};
    case Kind::lost: return SettledPreimageLost{number == 0 ? std::optional<AttemptKey>{} : key};
    case Kind::failed_mpp: return Failed{key, given_back()};
    case Kind::orphaned: return Orphaned{key};
    case Kind::only_orphans: return OnlyOrphans{key.id};
    case Kind::none:
    case Kind::count: break;
  }
  throw Violation{"the model has no such event"};
}

std::uint8_t code_of(const Config& config, const Names& names, const Event& what) {
  return std::visit(Coder{config, names}, what);
}

std::string event_name(std::uint8_t code) {
  const unsigned id = code & 7U;
  return std::string(kind_names[code >> 3]) + (id == 0 ? "" : " (" + std::to_string(id) + ")");
}

bool has_open(const Store& store, unsigned slot) {
  for (const StoredAttempt& attempt : store.attempts) {
    if (attempt.outcome == Outcome::open && attempt.owner == slot) return true;
  }
  return false;
}

bool has_watched(const Store& store, unsigned slot) {
  for (const StoredAttempt& attempt : store.attempts) {
    if ((attempt.outcome == Outcome::assumed_failed || attempt.outcome == Outcome::written_off) &&
        attempt.owner == slot)
      return true;
  }
  return false;
}

bool ended(const StoredTry& one) { return one.fail != 0 || one.note != 0 || one.proof != Proof::none; }

namespace {

std::string name_text(const Name& name) {
  if (name.round == 0) return {};
  return "(round " + std::to_string(name.round) + " part " + std::to_string(name.part) + ": " +
         std::to_string(name.units) + "+" + std::to_string(name.fee) + ")";
}

}  // namespace

std::string describe(const State& state) {
  constexpr std::array<const char*, 9> outcomes = {
      "", "open", "settled", "failed", "assumed failed", "written off", "preimage lost", "given back", "never sent"};
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
      text += " " + std::to_string(id) + name_text(state.store.names[id]) + "=" +
              outcomes[static_cast<std::size_t>(outcome)];
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
  // The worst case of another user: its HTLC looks like that of our first part.
  if (has_parts(config))
    state.store.names[foreign_id] = Name{cheap_fee, foreign_id, 1, static_cast<std::uint8_t>(config.foreign_units), 0};
  return state;
}

}  // namespace paytower::cln_model
