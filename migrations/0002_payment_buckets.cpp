// The records are read once, in the order of their sequence numbers, and written in the same order: both tables only
// grow at their ends. Duplicates are found afterwards by sorting the hashes. So no index slows down a million rows, and
// nothing is kept in memory.
#include <algorithm>
#include <cstdint>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/number.h"
#include "core/base/refuse.h"
#include "migrations/legacy_record.h"
#include "migrations/payment_buckets.h"

namespace paytower::migrations {

namespace {

constexpr std::uint64_t rows_between_words = 2'048;
/// As in the trigger payments_note_order.
constexpr std::int64_t order_slack_ns = 10'000'000'000;
constexpr int in_flight_guard = 1;
constexpr int paid_guard = 2;

std::int64_t number(SQLite::Database& database, const char* sql) {
  SQLite::Statement statement(database, sql);
  return statement.executeStep() ? statement.getColumn(0).getInt64() : 0;
}

std::span<const std::uint8_t> blob(const SQLite::Column& column) {
  return {static_cast<const std::uint8_t*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

void bind_blob(SQLite::Statement& statement, int at, std::span<const std::uint8_t> bytes) {
  // An empty blob must stay a blob: SQLite would take a null pointer for NULL.
  statement.bindNoCopy(at, bytes.empty() ? static_cast<const void*>("") : bytes.data(), static_cast<int>(bytes.size()));
}

void run_once(SQLite::Statement& statement) {
  statement.exec();
  statement.reset();
}

/// The key is part of every route, so a database with payments has one.
void check_source_node(SQLite::Database& database, bool has_records) {
  SQLite::Statement statement(database, "SELECT pub_key FROM source_node LIMIT 2");
  if (!statement.executeStep()) {
    if (has_records)
      refuse(Errc::usage,
             "graph-node/source is missing: the records do not say whose payments they are; nothing was changed");
    return;
  }
  const auto key = blob(statement.getColumn(0));
  const bool right = key.size() == PublicKey::size && (key[0] == 2 || key[0] == 3);
  if (!right) refuse(Errc::usage, "graph-node/source is no public key; nothing was changed");
  if (statement.executeStep()) refuse(Errc::usage, "graph-node/source has more than one key; nothing was changed");
}

/// Text that can be shown as it is.
bool is_plain(std::string_view text) {
  for (const char letter : text) {
    if (letter < ' ' || letter > '~') return false;
  }
  return true;
}

/// Sums over what was read, and again over what was stored. If both are equal, the rows are the same.
struct Tally {
  std::uint64_t rows = 0;
  std::uint64_t msat = 0;
  std::uint64_t mixed = 0;

  void add(std::int64_t index, std::span<const std::uint8_t> hash, std::uint64_t value, std::uint64_t fee) {
    std::uint64_t mix = 1469598103934665603ULL;
    const auto put = [&mix](std::uint64_t part) { mix = (mix ^ part) * 1099511628211ULL; };
    put(static_cast<std::uint64_t>(index));
    for (const std::uint8_t byte : hash) put(byte);
    put(value);
    put(fee);
    ++rows;
    msat += value + fee;
    mixed += mix;
  }
  bool operator==(const Tally&) const = default;
};

/// The route as version 2 stores it: form 1, count, and for each hop channel (unknown: 0), direction, node, the amount
/// of its HTLC, delay (unknown: 0). The whole fee goes to the last hop: until there the HTLC carries value and fee.
std::span<const std::uint8_t> encode_route(const LegacyRecord& record, Bytes& out) {
  out.clear();
  out.push_back(1);
  out.push_back(static_cast<std::uint8_t>(record.hops()));
  const std::uint64_t amount = record.value_msat + record.fee_msat;
  for (std::size_t i = 0; i < record.hops(); ++i) {
    out.insert(out.end(), 8 + 1, 0);
    const auto node = record.path.subspan(i * PublicKey::size, PublicKey::size);
    out.insert(out.end(), node.begin(), node.end());
    put_big_endian(out, amount, 8);
    out.insert(out.end(), 4, 0);
  }
  return out;
}

class Mover {
 public:
  Mover(SQLite::Database& database, StepContext& context)
      : context_(context), payment_(database,
                                    "INSERT INTO payments (payment_index, payment_hash, amount_msat, created_ns, "
                                    "provenance, destination, invoice, preimage, ended_ns)"
                                    " VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?4)"),
        attempt_(database,
                 "INSERT INTO attempts (payment_index, part, origin, route, amount_msat, fee_msat, registered_ns, "
                 "total_time_lock, resolved_ns, outcome, "
                 "preimage) VALUES (?1, 0, 2, ?2, ?3, ?4, ?5, ?6, ?5, 1, ?7)"),
        raw_(database, "INSERT INTO imported_raw (payment_index, what, data) VALUES (?1, 'lnd outgoing payment', ?2)"),
        aside_(database,
               "INSERT INTO quarantine (source, sequence, payment_hash, reason, record, at_ns) VALUES "
               "('outgoing_payments', ?1, ?2, ?3, ?4, ?5)"),
        guard_(database, "INSERT OR IGNORE INTO hash_guards (payment_hash, kind, since_ns) VALUES (?1, ?2, ?3)") {}

  void move(std::int64_t sequence, std::span<const std::uint8_t> data) {
    ++context_.report.read;
    if (sequence < 1)
      return set_aside(
          sequence, data,
          LegacyFlaw{fmt::format("sequence number {} is none that was handed out", sequence), std::nullopt});
    const auto outcome = read_legacy_record(data);
    if (const auto* flaw = std::get_if<LegacyFlaw>(&outcome)) return set_aside(sequence, data, *flaw);
    const auto& record = std::get<LegacyRecord>(outcome);
    const PaymentHash hash = hash_of(record.preimage);
    store_payment(sequence, hash, record);
    store_attempt(sequence, record);
    const bool shown = is_plain(record.payment_request);
    if (record.has_more || !shown) store_raw(sequence, data);
    tally_.add(sequence, hash.span(), record.value_msat, record.fee_msat);
    ++context_.report.migrated;
  }

  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  void store_payment(std::int64_t sequence, const PaymentHash& hash, const LegacyRecord& record) {
    payment_.bind(1, sequence);
    bind_blob(payment_, 2, hash.span());
    payment_.bind(3, static_cast<std::int64_t>(record.value_msat));
    payment_.bind(4, record.created_ns);
    if (record.path.empty()) {
      payment_.bind(5);
    } else {
      bind_blob(payment_, 5, record.path.last(PublicKey::size));
    }
    if (record.payment_request.empty() || !is_plain(record.payment_request)) {
      payment_.bind(6);
    } else {
      payment_.bind(6, std::string(record.payment_request));
    }
    bind_blob(payment_, 7, record.preimage.span());
    run_once(payment_);
  }

  void store_attempt(std::int64_t sequence, const LegacyRecord& record) {
    attempt_.bind(1, sequence);
    if (record.path.empty()) {
      attempt_.bind(2);
    } else {
      bind_blob(attempt_, 2, encode_route(record, route_));
    }
    attempt_.bind(3, static_cast<std::int64_t>(record.value_msat));
    attempt_.bind(4, static_cast<std::int64_t>(record.fee_msat));
    attempt_.bind(5, record.created_ns);
    attempt_.bind(6, static_cast<std::int64_t>(record.time_lock));
    bind_blob(attempt_, 7, record.preimage.span());
    run_once(attempt_);
  }

  void store_raw(std::int64_t sequence, std::span<const std::uint8_t> data) {
    raw_.bind(1, sequence);
    bind_blob(raw_, 2, data);
    run_once(raw_);
  }

  void set_aside(std::int64_t sequence, std::span<const std::uint8_t> data, const LegacyFlaw& flaw) {
    aside_.bind(1, sequence);
    if (flaw.hash) {
      bind_blob(aside_, 2, flaw.hash->span());
    } else {
      aside_.bind(2);
    }
    aside_.bind(3, flaw.reason);
    bind_blob(aside_, 4, data);
    aside_.bind(5, context_.now_ns);
    run_once(aside_);
    ++context_.report.quarantined;
    if (!flaw.hash) return;
    // Legacy records are only of successes: what has a hash stays paid (R13).
    bind_blob(guard_, 1, flaw.hash->span());
    guard_.bind(2, paid_guard);
    guard_.bind(3, context_.now_ns);
    run_once(guard_);
  }

  StepContext& context_;
  SQLite::Statement payment_;
  SQLite::Statement attempt_;
  SQLite::Statement raw_;
  SQLite::Statement aside_;
  SQLite::Statement guard_;
  Bytes route_;
  Tally tally_;
};

/// Goes through all records in order. `visit` gets the sequence number and the bytes.
template <typename Visit> void for_each_record(SQLite::Database& database, StepContext& context, Visit visit) {
  const auto total = static_cast<std::uint64_t>(number(database, "SELECT count(*) FROM outgoing_payments"));
  SQLite::Statement rows(database, "SELECT sequence, record FROM outgoing_payments ORDER BY sequence");
  std::uint64_t done = 0;
  while (rows.executeStep()) {
    if (context.progress && done % rows_between_words == 0) context.progress(done, total);
    visit(rows.getColumn(0).getInt64(), blob(rows.getColumn(1)));
    ++done;
  }
}

/// Rows are sorted by hash and number: for each hash the first row is the payment, the others are its duplicates.
void find_duplicates(SQLite::Database& database, StepContext& context) {
  database.exec("CREATE TEMP TABLE later_records (payment_index INTEGER PRIMARY KEY, first INTEGER NOT NULL)");
  SQLite::Statement note(database, "INSERT INTO temp.later_records VALUES (?1, ?2)");
  SQLite::Statement rows(database,
                         "SELECT payment_hash, payment_index FROM payments ORDER BY payment_hash, payment_index");
  std::optional<PaymentHash> hash;
  std::int64_t first = 0;
  std::uint64_t duplicates = 0;
  while (rows.executeStep()) {
    const auto here = PaymentHash::from_span(blob(rows.getColumn(0)));
    if (here != hash) {
      hash = here;
      first = rows.getColumn(1).getInt64();
      continue;
    }
    note.bind(1, rows.getColumn(1).getInt64());
    note.bind(2, first);
    run_once(note);
    ++duplicates;
  }
  rows.reset();
  database.exec(
      "UPDATE payments SET duplicate_of = later.first FROM temp.later_records AS later WHERE later.payment_index = "
      "payments.payment_index");
  database.exec("DROP TABLE temp.later_records");
  context.report.duplicates = duplicates;
  context.report.migrated -= duplicates;
}

Tally stored_tally(SQLite::Database& database) {
  // Attempts were written together with their payments, one for each, in the same order.
  SQLite::Statement payments(database,
                             "SELECT payment_index, payment_hash, amount_msat FROM payments ORDER BY payment_index");
  SQLite::Statement attempts(database,
                             "SELECT payment_index, amount_msat, fee_msat FROM attempts ORDER BY attempt_row");
  Tally tally;
  while (payments.executeStep()) {
    const bool beside = attempts.executeStep() &&
                        attempts.getColumn(0).getInt64() == payments.getColumn(0).getInt64() &&
                        attempts.getColumn(1).getInt64() == payments.getColumn(2).getInt64();
    if (!beside) break;
    tally.add(payments.getColumn(0).getInt64(), blob(payments.getColumn(1)),
              static_cast<std::uint64_t>(payments.getColumn(2).getInt64()),
              static_cast<std::uint64_t>(attempts.getColumn(2).getInt64()));
  }
  return tally;
}

/// lnd's bytes of a status: one byte, or whatever the row has instead.
Bytes status_bytes(std::int64_t status) {
  if (status >= 0 && status <= 255) return {static_cast<std::uint8_t>(status)};
  Bytes out;
  put_big_endian(out, static_cast<std::uint64_t>(status), 8);
  return out;
}

/// Entries that cannot be read are set aside. One with a complete hash may be in flight.
void set_statuses_aside(SQLite::Database& database, StepContext& context) {
  SQLite::Statement bad(database,
                        "SELECT payment_hash, status FROM payment_statuses WHERE length(payment_hash) <> 32 OR status "
                        "NOT BETWEEN 0 AND 2");
  SQLite::Statement aside(database,
                          "INSERT INTO quarantine (source, payment_hash, reason, record, at_ns) VALUES "
                          "('payment_statuses', ?1, ?2, ?3, ?4)");
  while (bad.executeStep()) {
    const auto key = blob(bad.getColumn(0));
    const std::int64_t status = bad.getColumn(1).getInt64();
    const bool whole = key.size() == PaymentHash::size;
    Bytes record = status_bytes(status);
    if (whole) {
      bind_blob(aside, 1, key);
    } else {
      aside.bind(1);
      record.insert(record.begin(), key.begin(), key.end());
    }
    aside.bind(2, whole ? fmt::format("payment status {} is none", status)
                        : fmt::format("payment status under a key of {} bytes", key.size()));
    bind_blob(aside, 3, record);
    aside.bind(4, context.now_ns);
    run_once(aside);
    ++context.report.read;
    ++context.report.quarantined;
  }
}

/// In flight: gets a guard, also if there is a record, because a second HTLC may be under way. Completed without a
/// record: gets a guard as paid.
void guard_statuses(SQLite::Database& database, StepContext& context) {
  SQLite::Statement arm(
      database,
      "INSERT INTO hash_guards (payment_hash, kind, since_ns)"
      " SELECT payment_hash, CASE status WHEN 2 THEN ?2 ELSE ?1 END, ?3 FROM payment_statuses AS said"
      " WHERE length(payment_hash) = 32 AND status <> 0"
      "   AND NOT EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = said.payment_hash)"
      "   AND (status = 1 OR NOT EXISTS (SELECT 1 FROM payments WHERE payment_hash = said.payment_hash))"
      " ORDER BY payment_hash");
  arm.bind(1, in_flight_guard);
  arm.bind(2, paid_guard);
  arm.bind(3, context.now_ns);
  arm.exec();
  context.report.guards = static_cast<std::uint64_t>(number(database, "SELECT count(*) FROM hash_guards"));
}

void carry_counter_on(SQLite::Database& database, StepContext& context) {
  const std::int64_t said = number(database, "SELECT seq FROM sqlite_sequence WHERE name = 'outgoing_payments'");
  const std::int64_t used = number(database, "SELECT max(payment_index) FROM payments");
  const std::int64_t present = number(database, "SELECT seq FROM sqlite_sequence WHERE name = 'payments'");
  context.report.counter = std::max({said, used, present});
  context.report.counter_raised = said < used;
  if (context.report.counter == 0) return;
  database.exec("DELETE FROM sqlite_sequence WHERE name = 'payments'");
  SQLite::Statement set(database, "INSERT INTO sqlite_sequence (name, seq) VALUES ('payments', ?1)");
  set.bind(1, context.report.counter);
  set.exec();
}

/// R14, before the caller commits.
void check_account(SQLite::Database& database, const StepReport& report) {
  const bool adds_up = report.read == report.migrated + report.duplicates + report.quarantined;
  const bool stored = static_cast<std::uint64_t>(number(database, "SELECT count(*) FROM payments")) ==
                      report.migrated + report.duplicates;
  if (!adds_up || !stored)
    refuse(Errc::database, "the records that were read and those that were written do not add up; nothing was changed");
}

}  // namespace

void move_records(SQLite::Database& database, StepContext& context) {
  check_source_node(database, number(database, "SELECT EXISTS (SELECT 1 FROM outgoing_payments)") != 0);
  Mover mover(database, context);
  for_each_record(database, context,
                  [&mover](std::int64_t sequence, std::span<const std::uint8_t> data) { mover.move(sequence, data); });
  if (stored_tally(database) != mover.tally())
    refuse(Errc::database, "what was written is not what was read; nothing was changed");
  find_duplicates(database, context);
}

void finish_buckets(SQLite::Database& database, StepContext& context) {
  set_statuses_aside(database, context);
  guard_statuses(database, context);
  carry_counter_on(database, context);
  note_order(database);
  check_account(database, context.report);
  SQLite::Statement source(database,
                           "INSERT INTO import_sources (pub_key, first_ns) SELECT pub_key, ?1 FROM source_node");
  source.bind(1, context.now_ns);
  source.exec();
  database.exec("DROP TABLE outgoing_payments; DROP TABLE payment_statuses; DROP TABLE source_node");
}

void note_order(SQLite::Database& database) {
  SQLite::Statement rows(database, "SELECT payment_index, created_ns FROM payments ORDER BY payment_index");
  SQLite::Statement note(database,
                         "INSERT INTO payments_out_of_order (payment_index, created_ns) SELECT ?1, ?2"
                         " WHERE NOT EXISTS (SELECT 1 FROM payments_out_of_order WHERE payment_index = ?1)");
  std::int64_t newest = INT64_MIN + order_slack_ns;
  while (rows.executeStep()) {
    const std::int64_t created = rows.getColumn(1).getInt64();
    newest = std::max(newest, created);
    if (created >= newest - order_slack_ns) continue;
    note.bind(1, rows.getColumn(0).getInt64());
    note.bind(2, created);
    run_once(note);
  }
}

std::optional<std::string> first_unreadable(SQLite::Database& database, StepContext& context) {
  std::optional<std::string> found;
  for_each_record(database, context, [&found](std::int64_t sequence, std::span<const std::uint8_t> data) {
    if (found) return;
    const auto outcome = read_legacy_record(data);
    const auto* flaw = std::get_if<LegacyFlaw>(&outcome);
    if (sequence < 1) found = fmt::format("record {}: no sequence number that was handed out", sequence);
    if (!found && flaw != nullptr) found = fmt::format("record {}: {}", sequence, flaw->reason);
  });
  SQLite::Statement bad(
      database,
      "SELECT status FROM payment_statuses WHERE length(payment_hash) <> 32 OR status NOT BETWEEN 0 AND 2 LIMIT 1");
  if (!found && bad.executeStep()) found = fmt::format("payment status {}", bad.getColumn(0).getInt64());
  return found;
}

}  // namespace paytower::migrations
