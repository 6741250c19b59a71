// The control tower: what the driver reads, its commits, and the spool.
#include "db/payments/store.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "core/payment/lifecycle.h"
#include "db/payments/rows.h"
#include "db/payments/spending_judge.h"
#include "db/payments/spool.h"
#include "db/payments/writer.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

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
  SpendingJudge judge{connection};
  StoreId id;

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
    for (const PaymentWrites& entry : tick) results.push_back(store_writes(impl_->connection, impl_->judge, entry));
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

void SqlitePaymentStore::set_limits(const SpendingLimits& allowed) { impl_->judge.set(allowed); }

Result<Msat> SqlitePaymentStore::spent_in_day(UnixNs now) {
  return reading(impl_->connection, [&] { return impl_->judge.spent_in_day(now); });
}

namespace {

/// R10: nothing is claimed of what is stored; but the preimage proves that the payment is paid.
template <typename Commit> auto naming_what_is_paid(const PaymentHash& hash, const std::string& path, Commit commit) {
  try {
    return commit();
  } catch (const StoreError& error) {
    throw StoreError(
        fmt::format("payment {} is paid, its preimage stays in {}.spool: {}", hash.hex(), path, error.what()));
  }
}

}  // namespace

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
      const auto stored = naming_what_is_paid(entry.key.hash, path, [&] { return commit(std::span(&writes, 1)); });
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
      row.bind(bits(entry.key.id), entry.key.part);
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
