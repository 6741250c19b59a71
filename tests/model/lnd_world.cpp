// Turns the bytes of lnd's model into the core's types and back, and describes a state in words.
#include "tests/model/lnd_world.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"

namespace paytower::lnd_model {

namespace {

constexpr std::uint64_t unit_msat = 125'000;

/// An event in one byte: the upper bits are its kind, the lower ones the attempt.
enum class Kind : std::uint8_t {
  none,
  quiet,
  no_route,
  accepted,
  not_sent,
  settled,
  settled_wrong,
  failed_retry,
  failed_final,
  failed_mpp,
  failed_never,
  pending,
  pending_alone,
  not_yet,
  unknown,
  late,
  never,
  erased,
  nothing_since,
  fenced,
  busy,
  paid,
  paid_wrong,
  deadline,
  orphaned,
  only_orphans,
  releasable,
  not_sent_of_many,
  count
};
static_assert(static_cast<unsigned>(Kind::count) <= 32);

constexpr std::array<const char*, static_cast<std::size_t>(Kind::count)> kind_names = {"-",
                                                                                       "quiet",
                                                                                       "no route",
                                                                                       "accepted",
                                                                                       "not sent (only copy)",
                                                                                       "settled",
                                                                                       "settled by a wrong preimage",
                                                                                       "failed",
                                                                                       "failed for good",
                                                                                       "failed by MPP_TIMEOUT",
                                                                                       "failed, was never executed",
                                                                                       "pending",
                                                                                       "pending, takes no parts",
                                                                                       "not found, not yet",
                                                                                       "not found, unknown",
                                                                                       "not found, late",
                                                                                       "not found, never ran",
                                                                                       "not found, erased",
                                                                                       "not found, nothing since",
                                                                                       "fenced",
                                                                                       "hash busy",
                                                                                       "hash paid",
                                                                                       "hash paid by a wrong preimage",
                                                                                       "deadline",
                                                                                       "orphaned",
                                                                                       "only orphans",
                                                                                       "releasable",
                                                                                       "not sent"};

std::uint8_t pack(Kind kind, unsigned number = 0) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(kind) << 3 | number);
}

Failure of(FailureCode code, std::optional<std::uint32_t> source = {}) { return Failure{code, source, {}, {}, {}}; }

Failure shown_failure(Shown how) {
  if (how == Shown::failed_final) return of(FailureCode::incorrect_or_unknown_payment_details, 2);
  if (how == Shown::failed_mpp) return of(FailureCode::mpp_timeout, 2);
  return of(FailureCode::temporary_channel_failure, 1);
}

/// What lnd's evidence may say of an attempt without an HTLC.
constexpr std::array<std::pair<Evidence, Kind>, 6> evidences = {{{Evidence::not_yet, Kind::not_yet},
                                                                 {Evidence::unknown, Kind::unknown},
                                                                 {Evidence::late, Kind::late},
                                                                 {Evidence::never, Kind::never},
                                                                 {Evidence::erased, Kind::erased},
                                                                 {Evidence::nothing_since_mark, Kind::nothing_since}}};

struct Coder {
  const Store& store;

  [[nodiscard]] std::uint8_t pack(Kind kind, const AttemptKey& key) const {
    return lnd_model::pack(kind, number_of(store, key));
  }
  [[nodiscard]] unsigned first_of(AttemptId id) const {
    unsigned number = 1;
    while (number < foreign && store.attempts[number].round != id.value) ++number;
    return number;
  }

  std::uint8_t operator()(const Quiet&) const { return lnd_model::pack(Kind::quiet); }
  std::uint8_t operator()(const NoRoute&) const { return lnd_model::pack(Kind::no_route); }
  std::uint8_t operator()(const Accepted& e) const { return pack(Kind::accepted, e.key); }
  std::uint8_t operator()(const NotSent& e) const {
    return pack(e.only_copy ? Kind::not_sent : Kind::not_sent_of_many, e.key);
  }
  std::uint8_t operator()(const Settled& e) const {
    return pack(proves(e.preimage, e.key.hash) ? Kind::settled : Kind::settled_wrong, e.key);
  }
  std::uint8_t operator()(const Failed& e) const {
    const FailureCode code = e.failure.code;
    if (code == FailureCode::incorrect_or_unknown_payment_details) return pack(Kind::failed_final, e.key);
    if (code == FailureCode::mpp_timeout) return pack(Kind::failed_mpp, e.key);
    return pack(code == FailureCode::not_executed ? Kind::failed_never : Kind::failed_retry, e.key);
  }
  std::uint8_t operator()(const Pending& e) const {
    return pack(e.takes_parts ? Kind::pending : Kind::pending_alone, e.key);
  }
  std::uint8_t operator()(const NotFound& e) const {
    for (const auto& [evidence, kind] : evidences) {
      if (evidence == e.evidence) return pack(kind, e.key);
    }
    throw Violation{"lnd's record proves nothing of this kind"};
  }
  std::uint8_t operator()(const Fenced& e) const { return pack(Kind::fenced, e.key); }
  std::uint8_t operator()(const HashBusy&) const { return lnd_model::pack(Kind::busy); }
  std::uint8_t operator()(const HashPaid& e) const {
    return lnd_model::pack(proves(e.preimage, test::key_of(AttemptId{1}).hash) ? Kind::paid : Kind::paid_wrong);
  }
  std::uint8_t operator()(const DeadlinePassed&) const { return lnd_model::pack(Kind::deadline); }
  std::uint8_t operator()(const Orphaned& e) const { return pack(Kind::orphaned, e.key); }
  std::uint8_t operator()(const OnlyOrphans& e) const { return lnd_model::pack(Kind::only_orphans, first_of(e.round)); }
  std::uint8_t operator()(const Releasable&) const { return lnd_model::pack(Kind::releasable); }
  template <typename Other> std::uint8_t operator()(const Other&) const {
    throw Violation{"the model does not queue this event"};
  }
};

void set_outcome(Attempt& attempt, Outcome outcome) {
  if (outcome == Outcome::open) return;
  attempt.resolved = test::created;
  attempt.outcome = AttemptOutcome::failed;
  switch (outcome) {
    case Outcome::settled:
      attempt.outcome = AttemptOutcome::settled;
      attempt.preimage = test::right_preimage();
      return;
    case Outcome::given_back: attempt.failure = shown_failure(Shown::failed_mpp); return;
    case Outcome::never_sent: attempt.failure = of(FailureCode::local_refusal); return;
    case Outcome::assumed_failed:
      attempt.outcome = AttemptOutcome::closed;
      attempt.failure = of(FailureCode::assumed_failed);
      return;
    case Outcome::written_off:
      attempt.outcome = AttemptOutcome::closed;
      attempt.failure = of(FailureCode::written_off);
      return;
    case Outcome::failed:
    case Outcome::open:
    case Outcome::absent: attempt.failure = shown_failure(Shown::failed); return;
  }
}

Outcome outcome_of(const Attempt& attempt) {
  if (attempt.open()) return Outcome::open;
  if (*attempt.outcome == AttemptOutcome::settled) return Outcome::settled;
  const FailureCode code = attempt.failure->code;
  if (code == FailureCode::assumed_failed) return Outcome::assumed_failed;
  if (code == FailureCode::written_off) return Outcome::written_off;
  if (code == FailureCode::mpp_timeout) return Outcome::given_back;
  return code == FailureCode::local_refusal ? Outcome::never_sent : Outcome::failed;
}

Payment fresh(const Config& config) {
  static const PaymentHash hash = hash_of(test::right_preimage());
  Payment payment;
  payment.request.hash = hash;
  payment.request.demand.destination = test::node_key(2);
  payment.request.demand.amount = Msat::of(all_units * unit_msat);
  payment.request.demand.fee_limit = Msat::of(5'000);
  payment.request.created = test::created;
  payment.request.deadline = test::deadline;
  payment.request.max_attempts = config.attempts;
  payment.request.max_parts = config.max_parts;
  if (config.secret) payment.request.payment_secret.emplace();
  return payment;
}

Attempt attempt_of(const StoredAttempt& stored) {
  Attempt attempt;
  attempt.id = AttemptId{stored.round};
  attempt.part = stored.part;
  attempt.switch_key = switch_key();
  attempt.route = part_route(stored.units);
  attempt.amount = attempt.route.delivered();
  attempt.fee = attempt.route.fees();
  attempt.registered = test::created;
  attempt.dies_at = UnixNs{lnd_time(stored.registered).value + lnd::handover_life_ns};
  attempt.total_time_lock = chain_height(stored.height) + attempt.route.total_delay();
  if (stored.accepted != 0) attempt.accepted = test::created;
  set_outcome(attempt, stored.outcome);
  return attempt;
}

// --- lnd's record ---

lnd::Mark mark_of(const StoredAttempt& attempt, lnd::MarkKind kind) {
  static const lnd::MarkCipher cipher(store_name());
  static std::map<lnd::MarkParts, lnd::Mark> made;
  const lnd::MarkParts parts{AttemptId{attempt.round}, attempt.part, kind};
  const auto known = made.find(parts);
  return known != made.end() ? known->second : made.emplace(parts, cipher.make(parts)).first->second;
}

lnd::Mark mark_of_others() {
  lnd::Mark mark;
  mark.fill(0x55);
  return mark;
}

lnd::Htlc htlc_of(Shown shown, unsigned units, Tick time) {
  lnd::Htlc htlc;
  htlc.attempt_time = lnd_time(time);
  htlc.amount = Msat::of(units * unit_msat);
  htlc.sent = htlc.amount;
  htlc.destination = test::node_key(2);
  htlc.first_channel = part_route(1).hops.front().channel;
  if (shown == Shown::in_flight) return htlc;
  const bool settled = shown == Shown::settled || shown == Shown::settled_wrong;
  htlc.state = settled ? lnd::Htlc::State::settled : lnd::Htlc::State::failed;
  if (settled) htlc.preimage = shown == Shown::settled ? test::right_preimage() : test::wrong_preimage();
  if (!settled) htlc.failure = shown_failure(shown);
  return htlc;
}

lnd::Htlc check_htlc(Tick time, const lnd::Mark& mark) {
  lnd::Htlc htlc = htlc_of(Shown::failed, 0, time);
  htlc.amount = lnd::fence_amount;
  htlc.mark = mark;
  return htlc;
}

/// One channel. What is pending beyond its height takes the channel to the chain; what is below it may be signed and
/// not yet confirmed, so that no list shows it.
std::vector<lnd::OwnChannel> channels_of(const State& state) {
  const auto gone = [&](unsigned number) {
    return state.node.truth[number] == Truth::live && state.node.height > state.store.attempts[number].height;
  };
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (gone(number)) return {};
  }
  lnd::OwnChannel channel;
  channel.id = part_route(1).hops.front().channel;
  channel.active = true;
  return {std::move(channel)};
}

}  // namespace

SwitchKey switch_key() { return SwitchKey{test::node_key(9), "regtest"}; }

StoreId store_name() {
  StoreId id;
  id.bytes.fill(3);
  return id;
}

Route part_route(unsigned units) { return test::part_route(units * unit_msat); }

UnixNs lnd_time(Tick tick) { return UnixNs{test::created.value + tick * tick_ns}; }

std::uint32_t chain_height(std::uint8_t grown) { return 1'000 + grown * 1'000U; }

UnixNs wall_time(const State& state, unsigned slot) {
  return (state.deadlines & bit(slot)) != 0 ? test::past_deadline : test::before_deadline;
}

AttemptKey key_of(const Store& store, unsigned number) {
  return test::key_of(AttemptId{store.attempts[number].round}, store.attempts[number].part);
}

unsigned number_of(const Store& store, const AttemptKey& key) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = store.attempts[number];
    if (one.outcome != Outcome::absent && one.round == key.id.value && one.part == key.part) return number;
  }
  return 0;
}

unsigned first_free(const Store& store) {
  unsigned number = 1;
  while (number <= most_numbers && store.attempts[number].outcome != Outcome::absent) ++number;
  return number;
}

Payment payment_of(const Config& config, const Store& store, unsigned slot, std::uint8_t known_stop) {
  Payment payment = fresh(config);
  const StoredTry& row = store.tries[slot];
  if (row.stored == 0) return payment;
  payment.index.value = slot + 1;
  if (known_stop != 0) payment.stop_reason = static_cast<FailureReason>(known_stop - 1);
  if (row.fail != 0) payment.fail_reason = static_cast<FailureReason>(row.fail - 1);
  if (row.proof == Proof::preimage) payment.preimage = test::right_preimage();
  if (row.proof == Proof::late) payment.late_preimage = test::right_preimage();
  if (row.note != 0) payment.end_note = static_cast<EndNote>(row.note);
  if (ended(row)) payment.ended = test::created;
  for (const StoredAttempt& stored : store.attempts) {
    if (stored.outcome != Outcome::absent && stored.owner == slot) payment.attempts.push_back(attempt_of(stored));
  }
  if (row.foreign != 0) payment.attempts.push_back(test::foreign_attempt());
  return payment;
}

void store_payment(Store& store, unsigned slot, const Payment& payment) {
  const auto reason = [](const auto& one) {
    return one ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*one)) : std::uint8_t{0};
  };
  StoredTry& row = store.tries[slot];
  row.stored = 1;
  row.stop = reason(payment.stop_reason);
  row.fail = reason(payment.fail_reason);
  row.proof = payment.preimage ? Proof::preimage : payment.late_preimage ? Proof::late : Proof::none;
  row.note = payment.end_note ? static_cast<std::uint8_t>(*payment.end_note) : std::uint8_t{0};
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::foreign) {
      row.foreign = 1;
      continue;
    }
    const unsigned known = number_of(store, payment.key(attempt));
    const unsigned number = known != 0 ? known : first_free(store);
    if (number > most_numbers) throw Violation{"an attempt beyond the model's"};
    const std::int64_t born = attempt.dies_at->value - lnd::handover_life_ns - test::created.value;
    const auto units = (attempt.amount.value() + unit_msat / 2) / unit_msat;
    store.attempts[number] = StoredAttempt{outcome_of(attempt),
                                           static_cast<std::uint8_t>(slot),
                                           static_cast<std::uint8_t>(attempt.id->value),
                                           static_cast<std::uint8_t>(attempt.part),
                                           static_cast<std::uint8_t>(units),
                                           attempt.accepted ? std::uint8_t{1} : std::uint8_t{0},
                                           static_cast<std::uint8_t>(*attempt.total_time_lock / 1'000 - 1),
                                           static_cast<Tick>(born / tick_ns)};
  }
}

lnd::Record record_of(const Store& store, const Record& record) {
  lnd::Record shown;
  shown.status = record.status == Status::succeeded ? lnd::Record::Status::succeeded
                 : record.status == Status::failed  ? lnd::Record::Status::failed
                                                    : lnd::Record::Status::in_flight;
  shown.failing = record.failing != 0;
  shown.value = record.whole != 0 ? Msat::of(all_units * unit_msat) : lnd::fence_amount;
  shown.created = lnd_time(record.created);
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (record.htlcs[owner] == Shown::absent) continue;
    const bool ours = owner != foreign;
    const Tick time = record.times[owner] != 0 ? record.times[owner] : record.created;
    lnd::Htlc& htlc =
        shown.htlcs.emplace_back(htlc_of(record.htlcs[owner], ours ? store.attempts[owner].units : all_units, time));
    htlc.attempt_id = owner;
    if (ours) htlc.mark = mark_of(store.attempts[owner], lnd::MarkKind::attempt);
  }
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (record.fences[number] == 0) continue;
    const auto mark = mark_of(store.attempts[number], lnd::MarkKind::fence);
    shown.htlcs.push_back(check_htlc(record.fences[number], mark));
  }
  if (record.released != 0)
    shown.htlcs.push_back(check_htlc(record.created, mark_of(store.attempts[1], lnd::MarkKind::release)));
  if (record.other_check != 0) shown.htlcs.push_back(check_htlc(record.other_check, mark_of_others()));
  return shown;
}

std::uint8_t waiting(const Node& node) {
  std::uint8_t numbers = 0;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const Copy& copy = node.copies[number];
    if (copy.stage != Stage::none && copy.live != 0) numbers |= bit(number);
  }
  return numbers;
}

lnd::Sight sight_of(const State& state, const LookOnWay& look) {
  lnd::Sight sight;
  sight.hash = test::key_of(AttemptId{1}).hash;
  sight.clock = lnd_time(look.clock);
  sight.height = chain_height(look.height);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if ((look.waiting & bit(number)) != 0) sight.waiting.push_back(key_of(state.store, number));
    if ((look.fenced & bit(number)) != 0) sight.fenced.push_back(key_of(state.store, number));
  }
  if (look.shown.status == Status::none) return sight;
  sight.record = record_of(state.store, look.shown);
  if (lnd::wants_channels(*sight.record, sight.clock)) sight.channels = channels_of(state);
  return sight;
}

/// What a process has read since it locked the hash, and what it has stored.
StoreKnowledge knowledge(const Store& store) {
  StoreKnowledge what;
  what.store = store_name();
  for (unsigned number = 1; number < first_free(store); ++number) what.known.push_back(key_of(store, number));
  return what;
}

Event event_of(const Store& store, std::uint8_t code) {
  const unsigned number = code & 7U;
  const AttemptKey key = number <= most_numbers ? key_of(store, number) : test::key_of(AttemptId{foreign});
  const auto paid = [](const Preimage& by) {
    return HashPaid{by, AttemptId{foreign}, Msat::of(all_units * unit_msat), Msat{}};
  };
  const auto kind = static_cast<Kind>(code >> 3);
  for (const auto& [evidence, of_it] : evidences) {
    if (of_it == kind) return NotFound{key, evidence};
  }
  switch (kind) {
    case Kind::quiet: return Quiet{};
    case Kind::no_route: return NoRoute{};
    case Kind::accepted: return Accepted{key};
    case Kind::not_sent: return NotSent{key, of(FailureCode::local_refusal), true};
    case Kind::not_sent_of_many: return NotSent{key, of(FailureCode::local_refusal), false};
    case Kind::settled: return Settled{key, test::right_preimage()};
    case Kind::settled_wrong: return Settled{key, test::wrong_preimage()};
    case Kind::failed_retry: return Failed{key, shown_failure(Shown::failed)};
    case Kind::failed_final: return Failed{key, shown_failure(Shown::failed_final)};
    case Kind::failed_mpp: return Failed{key, shown_failure(Shown::failed_mpp)};
    case Kind::failed_never: return Failed{key, of(FailureCode::not_executed)};
    case Kind::pending: return Pending{key, true};
    case Kind::pending_alone: return Pending{key, false};
    case Kind::fenced: return Fenced{key};
    case Kind::busy: return HashBusy{};
    case Kind::paid: return paid(test::right_preimage());
    case Kind::paid_wrong: return paid(test::wrong_preimage());
    case Kind::deadline: return DeadlinePassed{};
    case Kind::orphaned: return Orphaned{key};
    case Kind::only_orphans: return OnlyOrphans{key.id};
    case Kind::releasable: return Releasable{};
    case Kind::none:
    case Kind::not_yet:
    case Kind::unknown:
    case Kind::late:
    case Kind::never:
    case Kind::erased:
    case Kind::nothing_since:
    case Kind::count: break;
  }
  throw Violation{"the model has no such event"};
}

std::uint8_t code_of(const Store& store, const Event& what) { return std::visit(Coder{store}, what); }

std::string event_name(std::uint8_t code) {
  const unsigned number = code & 7U;
  return std::string(kind_names[code >> 3]) + (number == 0 ? "" : " (" + std::to_string(number) + ")");
}

bool has_open(const Store& store, unsigned slot) {
  return std::any_of(store.attempts.begin(), store.attempts.end(),
                     [slot](const StoredAttempt& one) { return one.outcome == Outcome::open && one.owner == slot; });
}

bool has_watched(const Store& store, unsigned slot) {
  return std::any_of(store.attempts.begin(), store.attempts.end(), [slot](const StoredAttempt& one) {
    return (one.outcome == Outcome::assumed_failed || one.outcome == Outcome::written_off) && one.owner == slot;
  });
}

bool ended(const StoredTry& one) { return one.fail != 0 || one.note != 0 || one.proof != Proof::none; }

State first_state() {
  State state{};
  state.node.now = 4;  // room for limits that a mutant makes too early
  return state;
}

// --- words ---

namespace {

std::string text_of(const Record& record) {
  constexpr std::array<const char*, 4> statuses = {"none", "in flight", "succeeded", "failed"};
  constexpr std::array<const char*, 7> states = {
      "", "in flight", "settled", "settled (wrong preimage)", "failed", "failed for good", "failed (MPP_TIMEOUT)"};
  std::string text = std::string(" record ") + statuses[static_cast<std::size_t>(record.status)];
  if (record.status == Status::none) return text;
  if (record.failing != 0) text += ", failing";
  text += record.whole != 0 ? " of all" : " of 1 msat";
  text += " made at " + std::to_string(record.created);
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (record.htlcs[owner] == Shown::absent) continue;
    text += std::string(", ") + (owner == foreign ? "other user's" : "ours " + std::to_string(owner)) + " " +
            states[static_cast<std::size_t>(record.htlcs[owner])];
  }
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (record.fences[number] != 0)
      text += ", fence of " + std::to_string(number) + " at " + std::to_string(record.fences[number]);
  }
  if (record.released != 0) text += ", our release";
  if (record.other_check != 0) text += ", another database's fence at " + std::to_string(record.other_check);
  return text;
}

std::string text_of(const Copy& copy, unsigned number) {
  constexpr std::array<const char*, 7> stages = {"",       "on the wire", "waits for the database", "has begun",
                                                 "is run", "is refused",  "is answered unclearly"};
  if (copy.stage == Stage::none) return {};
  return "; copy of " + std::to_string(number) + (copy.live != 0 ? " " : " (sender gone) ") +
         stages[static_cast<std::size_t>(copy.stage)] +
         (copy.limit != 0 ? ", limit from " + std::to_string(copy.limit) : "") +
         (copy.flagged != 0 ? ", held for" : "");
}

}  // namespace

std::string describe(const State& state) {
  constexpr std::array<const char*, 8> outcomes = {"",           "open",       "settled",        "failed",
                                                   "given back", "never sent", "assumed failed", "written off"};
  constexpr std::array<const char*, 5> truths = {"", "live", "settled", "failed", "orphan"};
  std::string text = "at " + std::to_string(state.node.now) + "; store:";
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state.store.tries[slot];
    if (one.stored == 0) continue;
    text += " try " + std::to_string(slot + 1) + (one.stop != 0 ? " stop" : "") + (one.fail != 0 ? " FAILED" : "") +
            (one.proof != Proof::none ? " SUCCEEDED" : "") + (one.note != 0 ? " UNKNOWN" : "");
  }
  for (unsigned number = 1; number < first_free(state.store); ++number) {
    const StoredAttempt& one = state.store.attempts[number];
    text += " " + std::to_string(number) + "(round " + std::to_string(one.round) + " part " + std::to_string(one.part) +
            ": " + std::to_string(one.units) + ", at " + std::to_string(one.registered) +
            (one.accepted != 0 ? ", seen)=" : ")=") + outcomes[static_cast<std::size_t>(one.outcome)];
  }
  text += "; lnd:" + text_of(state.node.record);
  for (unsigned number = 1; number <= most_numbers; ++number) text += text_of(state.node.copies[number], number);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (state.node.late_fences[number] != 0) text += "; late fence of " + std::to_string(number);
  }
  if (state.node.late_release != 0) text += "; late release";
  text += "; true:";
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (state.node.truth[owner] == Truth::none) continue;
    text += " " + std::to_string(owner) + " " + truths[static_cast<std::size_t>(state.node.truth[owner])];
  }
  if (state.process.alive != 0) text += "; process";
  return text;
}

}  // namespace paytower::lnd_model
