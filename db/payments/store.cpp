// The control tower: every write that the driver asks for, and what it reads.
#include "db/payments/store.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <variant>

#include <SQLiteCpp/Exception.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/payment/lifecycle.h"
#include "db/payments/rows.h"
#include "db/payments/spool.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

// An attempt of ours: its id, part and payment are parameters 1 to 3. The row is looked up first: for an UPDATE by an
// index of two columns SQLite would fill a temporary table, which costs half as much again as the UPDATE.
#define THE_ATTEMPT                                                                                         \
  "attempt_row = (SELECT attempt_row FROM attempts WHERE attempt_id = ?1 AND part = ?2 AND origin = 0 AND " \
  "payment_index = ?3)"

/// Empty text is stored as NULL, which is shorter and means the same.
std::optional<std::string> unless_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}
std::optional<Bytes> unless_empty(const Bytes& bytes) {
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

/// A compare-and-set found another value: somebody changed the facts in between.
[[noreturn]] void missed(const std::string& what) { refuse(Errc::conflict, what); }

}  // namespace

struct SqlitePaymentStore::Impl {
  Impl(Connection& the_connection, WriteLock& the_lock) : connection(the_connection), lock(the_lock) {
    id = value_of(reading(connection, [this] {
      Query row = connection.prepared("SELECT store_id FROM store_meta WHERE id = 1");
      if (!row.step()) throw BadValue("the store has no name");
      return row.fixed<StoreId>();
    }));
  }

  Connection& connection;
  WriteLock& lock;
  StoreId id;

  // --- limits ---

  /// What the payments that began after `from` have paid or may still pay, as it was at this version of the file. Too
  /// much at most: payments that failed since, or were undone with their savepoint, are still in it.
  struct DaySum {
    UnixNs from;
    std::uint64_t version = 0;
    Msat sum;
  };
  SpendingLimits allowed;
  std::optional<DaySum> day;

  static UnixNs day_before(UnixNs now) {
    return UnixNs{std::max(now.value, INT64_MIN + spending_day_ns) - spending_day_ns};
  }

  /// What was called failed by hand may still pay, and what `delete` took away was paid.
  Msat spent_after(UnixNs from) {
    Query row = connection.prepared(
        "SELECT amount_msat FROM payments INDEXED BY payments_created WHERE created_ns > ?1 AND provenance = 0 AND "
        "(fail_reason IS NULL OR late_preimage IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = "
        "payments.payment_index AND a.outcome = 3)) "
        "UNION ALL SELECT amount_msat FROM hash_guards WHERE kind = 3 AND since_ns > ?1 AND amount_msat IS NOT NULL");
    row.bind(from);
    Msat sum;
    while (row.step()) sum = checked_add(sum, row.msat()).value_or(Msat::of(Msat::max_value));
    return sum;
  }

  /// What another user of the node has paid is recorded, and costs nothing.
  static bool begins_to_pay(const PaymentWrites& entry) {
    const auto has = [&entry](auto is_one) { return std::any_of(entry.writes.begin(), entry.writes.end(), is_one); };
    return has([](const Write& write) { return std::holds_alternative<InitPayment>(write); }) &&
           !has([](const Write& write) { return std::holds_alternative<RecordForeign>(write); });
  }

  void refuse_over_limits(const PaymentRequest& request) {
    if (auto over = over_limit(allowed, request)) refuse(*std::move(over));
    if (!allowed.max_day) return;
    const UnixNs from = day_before(request.created);
    const std::uint64_t version = connection.data_version();
    bool counted = false;
    if (!day || day->version != version || day->from > from)
      day = DaySum{from, version, spent_after(from)}, counted = true;
    if (!counted && over_day(allowed, request, day->sum)) day = DaySum{from, version, spent_after(from)};
    if (auto over = over_day(allowed, request, day->sum)) refuse(*std::move(over));
    day->sum = checked_add(day->sum, request.demand.amount).value_or(Msat::of(Msat::max_value));
  }

  // --- writing: one function for each kind of write ---

  /// What the writes of one entry refer to.
  struct Target {
    const Payment& payment;
    PaymentIndex index;
  };

  Result<Stored> store_one(const PaymentWrites& entry) {
    Target target{*entry.payment, entry.payment->index};
    const auto done = in_savepoint(connection, [&] {
      if (begins_to_pay(entry)) refuse_over_limits(entry.payment->request);
      for (const Write& write : entry.writes) std::visit([&](const auto& what) { store(target, what); }, write);
      store_acceptances(target);
    });
    if (!done) return done.error();
    return Stored{target.index};
  }

  void store(Target& target, const InitPayment&) {
    const PaymentRequest& request = target.payment.request;
    const RouteDemand& demand = request.demand;
    static const std::string sql =
        insert_payment({PaymentColumn::payment_hash, PaymentColumn::amount_msat, PaymentColumn::created_ns,
                        PaymentColumn::deadline_ns, PaymentColumn::provenance, PaymentColumn::destination,
                        PaymentColumn::fee_limit_msat, PaymentColumn::cltv_limit, PaymentColumn::final_cltv_delta,
                        PaymentColumn::max_attempts, PaymentColumn::max_parts, PaymentColumn::payment_secret,
                        PaymentColumn::metadata, PaymentColumn::invoice, PaymentColumn::network, PaymentColumn::label,
                        PaymentColumn::outgoing_channels, PaymentColumn::candidate_routes});
    Query insert = connection.prepared(sql);
    insert.bind(request.hash, demand.amount, request.created, request.deadline, static_cast<int>(Provenance::native),
                demand.destination, demand.fee_limit, demand.cltv_limit, demand.final_cltv_delta, request.max_attempts,
                request.max_parts, request.payment_secret, request.metadata, unless_empty(request.invoice),
                unless_empty(request.network), unless_empty(request.label), encode_channels(demand.outgoing_channels),
                encode_routes(request.candidates));
    insert.run();
    target.index.value = sqlite3_last_insert_rowid(connection.database().getHandle());
  }

  void store(Target& target, const RegisterAttempt& write) {
    try {
      insert_attempt(target.index, write.attempt);
    } catch (const SQLite::Exception& error) {
      if (!is_constraint(error) || !is_taken(target.index, write.attempt)) throw;
      refuse(Errc::attempt_id_taken, "the attempt id that was drawn is taken; nothing was sent");
    }
  }

  /// Whether another payment or this very attempt has the id: the other parts of its round may share it.
  bool is_taken(PaymentIndex payment, const Attempt& attempt) {
    Query row = connection.prepared(
        "SELECT 1 FROM attempts WHERE attempt_id = ?1 AND origin = 0 AND (payment_index <> ?2 OR part = ?3)");
    row.bind(bits(attempt.id), payment, attempt.part);
    return row.step();
  }

  void store(Target& target, const RecordForeign& write) {
    check_proof(target, *write.attempt.preimage);
    insert_attempt(target.index, write.attempt);
  }

  void insert_attempt(PaymentIndex payment, const Attempt& attempt) {
    static const std::string sql =
        db::insert_attempt({AttemptColumn::payment_index, AttemptColumn::attempt_id, AttemptColumn::part,
                            AttemptColumn::origin, AttemptColumn::switch_id, AttemptColumn::marks, AttemptColumn::route,
                            AttemptColumn::amount_msat, AttemptColumn::fee_msat, AttemptColumn::registered_ns,
                            AttemptColumn::resolved_ns, AttemptColumn::outcome, AttemptColumn::preimage,
                            AttemptColumn::switch_run, AttemptColumn::total_time_lock, AttemptColumn::dies_at_ns});
    Query insert = connection.prepared(sql);
    std::optional<Bytes> route;
    if (!attempt.route.hops.empty()) route = encode_route(attempt.route);
    insert.bind(payment, bits(attempt.id), attempt.part, static_cast<int>(attempt.origin),
                switch_id(attempt.switch_key), unless_empty(attempt.marks), route, attempt.amount, attempt.fee,
                attempt.registered, attempt.resolved, outcome(attempt.outcome), attempt.preimage,
                unless_empty(attempt.switch_run), attempt.total_time_lock, attempt.dies_at);
    insert.run();
  }

  void store(Target& target, const MoveAttempt& write) {
    Query update = connection.prepared("UPDATE attempts SET switch_run = ?4 WHERE " THE_ATTEMPT " AND outcome IS NULL");
    update.bind(bits(write.key.id), write.key.part, target.index, unless_empty(write.run));
    if (update.run() != 1) missed("the attempt to hand over again is not there, or has ended");
  }

  void store(Target& target, const AcceptAttempt& write) {
    Query update =
        connection.prepared("UPDATE attempts SET accepted_ns = coalesce(accepted_ns, ?4) WHERE " THE_ATTEMPT);
    update.bind(bits(write.key.id), write.key.part, target.index, write.at);
    if (update.run() != 1) missed("the attempt that was accepted is not there");
  }

  void store(Target& target, const SettleAttempt& write) {
    check_proof(target, write.preimage);
    Query update = connection.prepared(
        "UPDATE attempts SET outcome = 1, preimage = ?4, resolved_ns = ?5, accepted_ns = coalesce(accepted_ns, ?6), "
        "failure_code = NULL, "
        "failure_source = NULL, failure_channel = NULL, failure_direction = NULL, failure_node = NULL, failure_message "
        "= NULL "
        "WHERE " THE_ATTEMPT " AND outcome IS NOT 1");
    update.bind(bits(write.key.id), write.key.part, target.index, write.preimage, write.at,
                accepted(target, write.key));
    if (update.run() != 1) missed("the attempt to settle is not there, or settled before");
  }

  void store(Target& target, const FailAttempt& write) { end_attempt(target, write.key, 2, write.failure, write.at); }
  void store(Target& target, const CloseAttempt& write) { end_attempt(target, write.key, 3, write.failure, write.at); }

  void store(Target& target, const CloseImported& write) {
    Query update = connection.prepared(
        "UPDATE attempts SET outcome = 3, resolved_ns = ?1, failure_code = ?2 WHERE payment_index = ?3 AND origin = 2 "
        "AND outcome IS NULL");
    update.bind(write.at, static_cast<std::uint32_t>(write.code), target.index);
    if (update.run() == 0) missed("the imported attempts to end are not there, or ended before");
  }

  void end_attempt(Target& target, const AttemptKey& attempt, int how, const Failure& failure, UnixNs at) {
    Query update = connection.prepared(
        "UPDATE attempts SET outcome = ?4, resolved_ns = ?5, accepted_ns = coalesce(accepted_ns, ?6), failure_code = "
        "?7, failure_source = ?8, "
        "failure_channel = ?9, failure_direction = ?10, failure_node = ?11, failure_message = ?12 "
        "WHERE " THE_ATTEMPT " AND outcome IS NOT 1 AND outcome IS NOT 2");
    std::optional<std::int64_t> channel;
    std::optional<int> direction;
    if (failure.channel) {
      channel = static_cast<std::int64_t>(failure.channel->channel.value);
      direction = failure.channel->direction;
    }
    update.bind(bits(attempt.id), attempt.part, target.index, how, at, accepted(target, attempt),
                static_cast<std::uint32_t>(failure.code), failure.source_index, channel, direction, failure.node,
                unless_empty(kept_words(failure.message)));
    if (update.run() != 1) missed("the attempt to end is not there, or ended before");
  }

  void store(Target& target, const Succeed& write) {
    check_proof(target, write.preimage);
    Query update = connection.prepared(
        "UPDATE payments SET preimage = ?1, ended_ns = coalesce(ended_ns, ?2) WHERE payment_index = ?3 AND preimage IS "
        "NULL");
    update.bind(write.preimage, write.at, target.index);
    if (update.run() != 1) missed("the payment to succeed is not there, or succeeded before");
  }

  void store(Target& target, const StoreLatePreimage& write) {
    check_proof(target, write.preimage);
    Query update = connection.prepared(
        "UPDATE payments SET late_preimage = ?1 WHERE payment_index = ?2 AND late_preimage IS NULL");
    update.bind(write.preimage, target.index);
    if (update.run() != 1) missed("the payment to succeed late is not there, or has its proof");
    day.reset();  // it counts again
    // If the hash is paid, a newer try of it makes no further attempt.
    Query stop = connection.prepared(
        "UPDATE payments SET stop_reason = ?1 WHERE payment_hash = ?2 AND live = 1 AND stop_reason IS NULL AND "
        "preimage IS NULL AND end_note IS NULL");
    stop.bind(static_cast<int>(FailureReason::error), target.payment.request.hash);
    stop.run();
  }

  void store(Target& target, const SetStop& write) {
    Query update =
        connection.prepared("UPDATE payments SET stop_reason = ?1 WHERE payment_index = ?2 AND stop_reason IS NULL");
    update.bind(static_cast<int>(write.reason), target.index);
    if (update.run() != 1) missed("the payment to stop is not there, or was stopped before");
  }

  void store(Target& target, const FailPayment& write) {
    Query update = connection.prepared(
        "UPDATE payments SET fail_reason = ?1, ended_ns = coalesce(ended_ns, ?2) WHERE payment_index = ?3 AND "
        "fail_reason IS NULL");
    update.bind(static_cast<int>(write.reason), write.at, target.index);
    if (update.run() != 1) missed("the payment to fail is not there, or failed before");
  }

  void store(Target& target, const EndUnknown& write) {
    Query update = connection.prepared(
        "UPDATE payments SET end_note = ?1, ended_ns = coalesce(ended_ns, ?2) WHERE payment_index = ?3 AND end_note IS "
        "NULL");
    update.bind(static_cast<int>(write.note), write.at, target.index);
    if (update.run() != 1) missed("the payment to end is not there, or ended before");
  }

  /// That it was accepted needs no commit of its own: it is stored with whatever is written next. Attempts that end
  /// store it themselves.
  void store_acceptances(Target& target) {
    for (const Attempt& attempt : target.payment.attempts) {
      if (!attempt.open() || !attempt.accepted || !attempt.id || attempt.origin != AttemptOrigin::own) continue;
      Query update =
          connection.prepared("UPDATE attempts SET accepted_ns = ?4 WHERE " THE_ATTEMPT " AND accepted_ns IS NULL");
      update.bind(bits(*attempt.id), attempt.part, target.index, *attempt.accepted);
      update.run();
    }
  }

  /// R7: the last check before a proof is stored.
  static void check_proof(const Target& target, const Preimage& preimage) {
    if (!proves(preimage, target.payment.request.hash)) missed("a preimage that does not hash to the payment hash");
  }

  static std::optional<UnixNs> accepted(const Target& target, const AttemptKey& attempt) {
    const Attempt* known = target.payment.find(attempt);
    return known ? known->accepted : std::nullopt;
  }
  static std::int64_t bits(AttemptId value) { return static_cast<std::int64_t>(value.value); }
  static std::optional<std::int64_t> bits(const std::optional<AttemptId>& value) {
    if (!value) return std::nullopt;
    return bits(*value);
  }
  static std::optional<int> outcome(const std::optional<AttemptOutcome>& value) {
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
  }

  /// A small number for each switch, so that attempts need not repeat its name.
  std::optional<std::int64_t> switch_id(const std::optional<SwitchKey>& key) {
    if (!key) return std::nullopt;
    {
      // Looked up each time: a remembered number could belong to an insert that was undone with its savepoint.
      Query row = connection.prepared("SELECT id FROM switches WHERE node = ?1 AND network = ?2");
      row.bind(key->node, key->network);
      if (row.step()) return row.integer();
    }
    Query insert = connection.prepared("INSERT INTO switches (node, network) VALUES (?1, ?2)");
    insert.bind(key->node, key->network);
    insert.run();
    return sqlite3_last_insert_rowid(connection.database().getHandle());
  }

  // --- reading ---

  HashState find(const PaymentHash& hash) {
    HashState state;
    state.knowledge.store = id;
    if (const auto index = newest(hash)) state.payment = load_payment(connection, *index, false);
    state.guard = guard(hash);
    {
      Query row = connection.prepared("SELECT deleted_up_to FROM store_meta WHERE id = 1");
      row.step();
      state.knowledge.deleted_up_to = AttemptId{row.number(INT64_MAX)};
      state.highest_id = state.knowledge.deleted_up_to;  // R12: ids of deleted attempts are not drawn again either
    }
    {
      Query row = connection.prepared("SELECT max(attempt_id) FROM attempts WHERE origin = 0");
      row.step();
      state.highest_id = std::max(state.highest_id, AttemptId{row.maybe_number(INT64_MAX).value_or(0)});
    }
    Query row = connection.prepared(
        "SELECT a.attempt_id, a.part FROM payments p CROSS JOIN attempts a ON a.payment_index = p.payment_index WHERE "
        "p.payment_hash = ?1 AND a.origin = 0");
    row.bind(hash);
    while (row.step()) {
      const AttemptId known{row.number(INT64_MAX)};
      state.knowledge.known.push_back(AttemptKey{hash, known, static_cast<std::uint32_t>(row.number(UINT32_MAX))});
    }
    return state;
  }

  /// The try that counts for a new one: a paid one first, then an open one, then one that ended as unknown, then the
  /// newest.
  std::optional<PaymentIndex> newest(const PaymentHash& hash) {
    Query row = connection.prepared(
        "SELECT CASE WHEN preimage IS NOT NULL OR late_preimage IS NOT NULL THEN 3 "
        "WHEN ended_ns IS NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = payments.payment_index AND "
        "a.outcome IS NULL) THEN 2 "
        "WHEN end_note IS NOT NULL THEN 1 ELSE 0 END, payment_index FROM payments WHERE payment_hash = ?1 AND "
        "duplicate_of IS NULL");
    row.bind(hash);
    std::optional<std::pair<std::int64_t, std::int64_t>> best;
    while (row.step()) {
      const std::int64_t rank = row.integer();
      best = std::max(best, std::optional(std::pair(rank, row.integer())));
    }
    if (!best) return std::nullopt;
    return PaymentIndex{best->second};
  }

  std::optional<Guard> guard(const PaymentHash& hash) {
    Query row = connection.prepared(
        "SELECT kind, amount_msat, preimage, destination, payment_secret_hash, since_ns, amp FROM hash_guards WHERE "
        "payment_hash = ?1 AND released_ns IS NULL");
    row.bind(hash);
    if (!row.step()) return std::nullopt;
    Guard found;
    found.hash = hash;
    found.kind = static_cast<GuardKind>(row.number(4));
    if (const auto amount = row.maybe_number(Msat::max_value)) found.amount = Msat::of(*amount);
    found.preimage = row.maybe_fixed<Preimage>();
    found.destination = row.maybe_fixed<PublicKey>();
    found.payment_secret_hash = row.maybe_fixed<Sha256Digest>();
    found.since = row.time();
    found.amp = row.number(1) == 1;
    if (found.preimage && !proves(*found.preimage, hash))
      throw BadValue("a guard's preimage that does not hash to the payment hash");
    return found;
  }

  /// The newest ones by their key: attempts end in nearly the order in which they began.
  std::vector<PastResult> recent_results(std::size_t most) {
    std::vector<PastResult> results;
    Query row =
        connection.prepared(fmt::format("SELECT {}"
                                        " FROM attempts a LEFT JOIN switches s ON s.id = a.switch_id "
                                        "WHERE a.attempt_row <= ?1 ORDER BY a.attempt_row DESC LIMIT ?2",
                                        select_attempt()));
    row.bind(std::int64_t{INT64_MAX}, static_cast<std::int64_t>(most));
    while (row.step()) {
      try {
        Attempt attempt = read_attempt(AttemptColumns(row), false).attempt;
        const bool settled = attempt.outcome == AttemptOutcome::settled;
        const bool failed = attempt.outcome == AttemptOutcome::failed && attempt.failure;
        if ((!settled && !failed) || !attempt.resolved || attempt.route.hops.empty()) continue;
        results.push_back(PastResult{*attempt.resolved, std::move(attempt.route), std::move(attempt.failure)});
      } catch (const BadValue&) {
        // That is another payment's trouble: `check` reports it, and this payment goes on without the hint.
      }
    }
    return results;
  }

  std::vector<PaymentIndex> fetch_in_flight(PaymentIndex after, std::size_t limit) {
    // Three partial indexes contain exactly these, and are merged while they are read: nothing else is touched, however
    // long the history is.
    Query row = connection.prepared(
        "SELECT payment_index FROM payments INDEXED BY payments_unfinished WHERE ended_ns IS NULL AND payment_index > "
        "?1 "
        "UNION SELECT payment_index FROM attempts INDEXED BY attempts_one_open WHERE outcome IS NULL AND payment_index "
        "> ?1 "
        "UNION SELECT payment_index FROM attempts INDEXED BY attempts_watched WHERE outcome = 3 AND failure_code IN "
        "(65541, 65542) AND payment_index > ?1 "
        "ORDER BY payment_index LIMIT ?2");
    row.bind(after, static_cast<std::int64_t>(limit));
    std::vector<PaymentIndex> open;
    while (row.step()) open.push_back(PaymentIndex{row.integer()});
    return open;
  }

  StoreTrace trace_at(const SwitchKey& here) {
    StoreTrace trace;
    trace.store = id;
    {
      Query row = connection.prepared("SELECT created_ns FROM store_meta WHERE id = 1");
      if (row.step()) trace.made = row.time();
    }
    // The newest ones are nearly always of this switch. If the store has used another switch for long, this one has to
    // search further back.
    Query row = connection.prepared(
        "SELECT marks, max(attempt_id) FROM (SELECT marks, attempt_id, switch_id FROM attempts INDEXED BY "
        "attempts_own_id WHERE origin = 0 ORDER BY attempt_id DESC LIMIT 100) WHERE marks IS NOT NULL AND switch_id = "
        "(SELECT id FROM switches WHERE node = ?1 AND network = ?2)");
    row.bind(here.node, here.network);
    if (row.step()) trace.since = row.maybe_blob();
    return trace;
  }

  bool accounts_for(AttemptId attempt) {
    Query row = connection.prepared(
        "SELECT 1 FROM store_meta WHERE id = 1 AND deleted_up_to >= ?1 UNION ALL SELECT 1 FROM attempts WHERE "
        "attempt_id = ?1 AND origin = 0");
    row.bind(bits(attempt));
    return row.step();
  }

  bool nothing_open() { return fetch_in_flight(PaymentIndex{0}, 1).empty(); }
};

Result<SqlitePaymentStore> SqlitePaymentStore::open(Connection& connection, WriteLock& lock) {
  return result_of([&] { return SqlitePaymentStore(std::make_unique<Impl>(connection, lock)); });
}

SqlitePaymentStore::SqlitePaymentStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlitePaymentStore::SqlitePaymentStore(SqlitePaymentStore&& other) noexcept = default;
SqlitePaymentStore::~SqlitePaymentStore() = default;

std::vector<Result<Stored>> SqlitePaymentStore::commit(std::span<const PaymentWrites> tick) {
  std::vector<Result<Stored>> results;
  if (tick.empty()) return results;
  const auto done = write_tx(impl_->connection, impl_->lock, [&] {
    for (const PaymentWrites& entry : tick) results.push_back(impl_->store_one(entry));
  });
  if (done) return results;
  return std::vector<Result<Stored>>(tick.size(), done.error());
}

Result<HashState> SqlitePaymentStore::find(const PaymentHash& hash) {
  return reading(impl_->connection, [&] { return impl_->find(hash); });
}

Result<std::optional<Payment>> SqlitePaymentStore::load(PaymentIndex index) {
  return reading(impl_->connection, [&] { return load_payment(impl_->connection, index, false); });
}

Result<std::vector<PaymentIndex>> SqlitePaymentStore::fetch_in_flight(PaymentIndex after, std::size_t limit) {
  return reading(impl_->connection, [&] { return impl_->fetch_in_flight(after, limit); });
}

Result<std::vector<PastResult>> SqlitePaymentStore::recent_results(std::size_t most) {
  return reading(impl_->connection, [&] { return impl_->recent_results(most); });
}

Result<StoreTrace> SqlitePaymentStore::trace_at(const SwitchKey& here) {
  return reading(impl_->connection, [&] { return impl_->trace_at(here); });
}

Result<bool> SqlitePaymentStore::accounts_for(AttemptId id) {
  return reading(impl_->connection, [&] { return impl_->accounts_for(id); });
}

Result<std::uint64_t> SqlitePaymentStore::change_counter() {
  return readable([&] { return impl_->connection.data_version(); });
}

void SqlitePaymentStore::spool(const AttemptKey& key, const Preimage& preimage) noexcept {
  (void)put_in_spool(impl_->connection.real_path(), SpoolEntry{key, preimage});
}

void SqlitePaymentStore::set_limits(const SpendingLimits& allowed) { impl_->allowed = allowed; }

Result<Msat> SqlitePaymentStore::spent_in_day(UnixNs now) {
  return reading(impl_->connection, [&] { return impl_->spent_after(Impl::day_before(now)); });
}

Result<SpoolReport> SqlitePaymentStore::take_in_spool(UnixNs now) {
  SpoolReport report;
  const std::string& path = impl_->connection.real_path();
  try {
    make_spool_if_missing(path);
  } catch (const StoreError& error) {
    report.left.push_back(error.what());
  }
  const SpoolContents contents = read_spool(path);
  if (contents.trouble) report.left.push_back(*contents.trouble);
  std::vector<SpoolEntry> done;
  for (const SpoolEntry& entry : contents.entries) {
    const auto read = owner_of(entry);
    if (!read) return read.error();
    const std::optional<Payment>& owner = *read;
    if (!owner) {
      report.left.push_back(
          fmt::format("the spool holds a preimage for attempt {}, which is not ours", entry.key.id.value));
      continue;
    }
    const Decision decision = decide(*owner, TimedEvent{now, Settled{entry.key, entry.preimage}});
    if (!decision.writes.empty()) {
      const PaymentWrites writes{&*owner, decision.writes};
      const auto stored = commit(std::span(&writes, 1));
      if (!stored.front()) {
        report.left.push_back(
            fmt::format("a spooled preimage could not be stored yet: {}", stored.front().error().message));
        continue;
      }
      report.settled.push_back(entry.key.hash);
    }
    done.push_back(entry);
  }
  if (!done.empty() && !clear_spool(path, done)) report.left.push_back("the spool could not be cleared");
  return report;
}

Result<std::optional<Payment>> SqlitePaymentStore::owner_of(const SpoolEntry& entry) {
  if (!proves(entry.preimage, entry.key.hash)) return std::optional<Payment>();
  return reading(impl_->connection, [&]() -> std::optional<Payment> {
    std::optional<PaymentIndex> index;
    {
      Query row = impl_->connection.prepared(
          "SELECT payment_index FROM attempts WHERE attempt_id = ?1 AND part = ?2 AND origin = 0");
      row.bind(Impl::bits(entry.key.id), entry.key.part);
      if (row.step()) index = PaymentIndex{row.integer()};
    }
    if (!index) return std::nullopt;
    auto payment = load_payment(impl_->connection, *index, false);
    if (!payment || payment->request.hash != entry.key.hash) return std::nullopt;
    return payment;
  });
}

void SqlitePaymentStore::checkpoint_if_due(Closing how) noexcept {
  try {
    const bool idle = how == Closing::when_idle && impl_->connection.wal_bytes_written() > 0 && impl_->nothing_open();
    (void)db::checkpoint_if_due(impl_->connection, impl_->lock, idle);
  } catch (const std::exception&) {
    // The log is complete even without it.
  }
}

const StoreId& SqlitePaymentStore::store_id() const { return impl_->id; }

}  // namespace paytower::db
