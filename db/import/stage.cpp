// Fills a private database with everything that lnd's file has.
#include "db/import/stage.h"

#include <algorithm>
#include <string>
#include <vector>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/number.h"
#include "core/base/refuse.h"
#include "db/import/lnd/channel_db.h"
#include "db/payments/store.h"
#include "db/sqlite/statement.h"
#include "db/sqlite/transaction.h"
#include "migrations/legacy_record.h"
#include "migrations/payment_buckets.h"

namespace paytower::db {

namespace {

constexpr std::uint64_t staged_between_words = 2'048;
constexpr const char* payments_source = "lnd payments";
constexpr const char* statuses_source = "lnd payment-status";

/// Why an entry of `payments` cannot be a row of version 1; empty if it can.
std::string no_record(const lnd::RawEntry& entry) {
  const std::string key =
      fmt::format("key {}", to_hex(std::span(entry.key).first(std::min<std::size_t>(entry.key.size(), 32))));
  if (entry.is_bucket) return fmt::format("a bucket among the records, under {}", key);
  if (!entry.complete) return fmt::format("a record beyond all bounds, under {}", key);
  if (entry.key.size() != 8) return fmt::format("a record under a key of {} bytes, {}", entry.key.size(), key);
  if (big_endian(entry.key) > INT64_MAX) return fmt::format("sequence number {} does not fit", big_endian(entry.key));
  return {};
}

/// Entries of lnd's legacy buckets, as rows of the tables of version 1.
class LegacyFiller {
 public:
  LegacyFiller(SQLite::Database& database, UnixNs now, bool widen, StatementWatch& watch)
      : now_(now), widen_(widen), watch_(watch),
        record_(database, "INSERT INTO outgoing_payments (sequence, record) VALUES (?1, ?2)"),
        status_(database, "INSERT INTO payment_statuses (payment_hash, status) VALUES (?1, ?2)"),
        aside_(database,
               "INSERT INTO quarantine (source, sequence, payment_hash, reason, record, at_ns) VALUES (?1, NULL, ?2, "
               "?3, ?4, ?5)") {}

  void payment(const lnd::RawEntry& entry) {
    tell();
    const auto widened = widen_ ? migrations::widen_v04_record(entry.value) : std::nullopt;
    const Bytes& record = widened ? *widened : entry.value;
    const std::string reason = no_record(entry);
    if (reason.empty()) {
      Query(record_).bind(static_cast<std::int64_t>(big_endian(entry.key)), record).run();
      any_ = true;
    } else {
      set_aside(payments_source, hash_in(record), reason, entry.value);
    }
  }

  void status(const lnd::RawEntry& entry) {
    tell();
    const auto hash = PaymentHash::from_span(entry.key);
    if (!entry.is_bucket && entry.value.size() == 1) {
      Query(status_).bind(entry.key, std::int64_t{entry.value.front()}).run();
      return;
    }
    set_aside(statuses_source, hash, fmt::format("payment status of {} bytes", entry.value.size()), entry.value);
  }

  [[nodiscard]] std::uint64_t aside() const { return set_aside_; }
  /// Whether version 1 has a row for a payment now.
  [[nodiscard]] bool any() const { return any_; }

 private:
  static std::optional<PaymentHash> hash_in(const Bytes& record) {
    const auto outcome = migrations::read_legacy_record(record);
    if (const auto* flaw = std::get_if<migrations::LegacyFlaw>(&outcome)) return flaw->hash;
    return hash_of(std::get<migrations::LegacyRecord>(outcome).preimage);
  }

  void set_aside(const char* source, const std::optional<PaymentHash>& hash, const std::string& reason,
                 const Bytes& raw) {
    Query(aside_).bind(source, hash, reason, raw, now_).run();
    ++set_aside_;
  }

  void tell() {
    if (done_++ % staged_between_words == 0) watch_.tell(done_, 0);
  }

  UnixNs now_;
  bool widen_;
  StatementWatch& watch_;
  SQLite::Statement record_;
  SQLite::Statement status_;
  SQLite::Statement aside_;
  std::uint64_t done_ = 0;
  std::uint64_t set_aside_ = 0;
  bool any_ = false;
};

void raise_counter(SQLite::Database& database, const char* table, std::uint64_t sequence) {
  const auto capped = static_cast<std::int64_t>(std::min<std::uint64_t>(sequence, INT64_MAX));
  if (capped == 0) return;
  SQLite::Statement present(database, "SELECT seq FROM sqlite_sequence WHERE name = ?1");
  present.bind(1, table);
  if (present.executeStep() && present.getColumn(0).getInt64() >= capped) return;
  present.reset();
  SQLite::Statement drop(database, "DELETE FROM sqlite_sequence WHERE name = ?1");
  drop.bind(1, table);
  drop.exec();
  SQLite::Statement set(database, "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)");
  set.bind(1, table);
  set.bind(2, capped);
  set.exec();
}

/// Exactly lnd's own counter, even if it is below a record: then the step reports that.
void copy_counter(SQLite::Database& database, std::uint64_t sequence) {
  database.exec("DELETE FROM sqlite_sequence WHERE name = 'outgoing_payments'");
  raise_counter(database, "outgoing_payments", sequence);
}

/// Records that were set aside before the step keep their hash blocked: a record of a payment is of a success, and one
/// of a status may be of a payment in flight.
void guard_what_was_set_aside(SQLite::Database& database, UnixNs now) {
  SQLite::Statement arm(
      database,
      "INSERT INTO hash_guards (payment_hash, kind, since_ns)"
      " SELECT payment_hash, max(CASE source WHEN ?1 THEN 2 ELSE 1 END), ?3 FROM quarantine AS q"
      " WHERE payment_hash IS NOT NULL AND source IN (?1, ?2)"
      "   AND NOT EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = q.payment_hash) GROUP BY payment_hash");
  Query(arm).bind(payments_source, statuses_source, now).run();
  // A guard that says "in flight" becomes one that says "paid".
  SQLite::Statement paid(database,
                         "UPDATE hash_guards SET kind = 2 WHERE kind = 1 AND payment_hash IN (SELECT payment_hash FROM "
                         "quarantine WHERE source = ?1)");
  Query(paid).bind(payments_source).run();
}

migrations::StepReport fill_legacy(SQLite::Database& database, const lnd::ChannelDb& source, UnixNs now,
                                   StatementWatch& watch) {
  (void)apply_steps(database, 0, 1, now.value);
  LegacyFiller filler(database, now, source.version() < lnd::oldest_marked_version, watch);
  for (auto stream = source.legacy_payments(); const auto entry = stream.next();) filler.payment(*entry);
  for (auto stream = source.legacy_statuses(); const auto entry = stream.next();) filler.status(*entry);
  if (source.source_node()) {
    SQLite::Statement key(database, "INSERT INTO source_node (pub_key) VALUES (?1)");
    Query(key).bind(*source.source_node()).run();
  }
  if (!source.source_node() && filler.any()) {
    source.file().refuse("does not say whose payments it holds (no `graph-node/source`); nothing was changed",
                         "start lnd on it once, stop it (lncli stop), and import again");
  }
  copy_counter(database, source.payment_sequence());
  migrations::StepReport report =
      apply_steps(database, 1, migrations::newest_version, now.value,
                  [&watch](std::uint64_t done, std::uint64_t total) { watch.tell(done, total); });
  guard_what_was_set_aside(database, now);
  report.read += filler.aside();
  report.quarantined += filler.aside();
  return report;
}

/// As long as it is open, payments and attempts have no triggers, and no indexes that refuse nothing. Triggers are for
/// rows that come one at a time, and the indexes are built once over all rows, as in a migration. What the tables
/// themselves refuse (CHECK, a number that is taken), they refuse row by row. A live hash that is taken is refused row
/// by row only with `by_hash`, otherwise at the end.
class BareTables {
 public:
  BareTables(SQLite::Database& database, bool by_hash) : database_(database) {
    SQLite::Statement schema(database,
                             "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name IN ('payments', 'attempts', "
                             "'imported_raw') AND sql IS NOT NULL"
                             " AND (type = 'trigger' OR (type = 'index' AND (sql NOT LIKE 'CREATE UNIQUE %' OR (name = "
                             "'payments_one_live' AND NOT ?1))))"
                             " ORDER BY type, rowid");
    schema.bind(1, by_hash ? 1 : 0);
    std::vector<std::string> drops;
    while (schema.executeStep()) {
      drops.push_back(fmt::format("DROP {} {}", schema.getColumn(0).getString(), schema.getColumn(1).getString()));
      made_by_.push_back(schema.getColumn(2).getString());
    }
    schema.reset();
    for (const std::string& drop : drops) database_.exec(drop);
  }
  void close() {
    for (const std::string& sql : made_by_) database_.exec(sql);
  }

 private:
  SQLite::Database& database_;
  std::vector<std::string> made_by_;  // first the indexes, then the triggers
};

migrations::StepReport fill_newer(SQLite::Database& database, const lnd::Source& source, UnixNs now,
                                  StatementWatch& watch, bool by_hash) {
  migrations::StepReport report = apply_steps(database, 0, migrations::newest_version, now.value);
  if (source.source_node()) {
    SQLite::Statement key(database, "INSERT INTO import_sources (pub_key, first_ns) VALUES (?1, ?2)");
    Query(key).bind(*source.source_node(), now).run();
  }
  BareTables bare(database, by_hash);
  convert_payments(database, source, now, watch, report);
  bare.close();
  migrations::note_order(database);
  raise_counter(database, "payments", source.payment_sequence());
  return report;
}

/// lnd has each hash once. If a file has one twice, everything is done again, and the later record is refused like any
/// other: keeping up an index of hashes row by row would take longer than the rows.
migrations::StepReport fill_newer(SQLite::Database& database, const lnd::Source& source, UnixNs now,
                                  StatementWatch& watch) {
  try {
    return fill_newer(database, source, now, watch, false);
  } catch (const SQLite::Exception& error) {
    if (!is_constraint(error)) throw;
  }
  database.exec("ROLLBACK");
  database.exec("BEGIN IMMEDIATE");
  return fill_newer(database, source, now, watch, true);
}

}  // namespace

migrations::StepReport fill_from_lnd(SQLite::Database& database, const lnd::Source& source, UnixNs now,
                                     const MigrateProgress& progress) {
  migrations::StepReport report;
  payment_file().register_functions(database);
  // Not synced here: nobody reads the file before it is complete, and then PartialFile::publish syncs it. The rollback
  // journal stays on, because fill_newer may roll back and begin again.
  for (const char* pragma : {"PRAGMA page_size = 4096", "PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA synchronous = OFF",
                             "PRAGMA recursive_triggers = ON"}) {
    database.exec(pragma);
  }
  // What comes in record by record refers to its own record, so that need not be checked again for each row, and few
  // pages are needed at a time.
  const bool legacy = source.legacy() != nullptr;
  for (const char* pragma : {legacy ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF",
                             legacy ? "PRAGMA cache_size = -16384" : "PRAGMA cache_size = -12288"}) {
    database.exec(pragma);
  }
  watched(database, progress, [&](StatementWatch& watch) {
    private_tx(database, SQLite::TransactionBehavior::IMMEDIATE, [&] {
      report = source.legacy() != nullptr ? fill_legacy(database, *source.legacy(), now, watch)
                                          : fill_newer(database, source, now, watch);
      report.guards = static_cast<std::uint64_t>(database.execAndGet("SELECT count(*) FROM hash_guards").getInt64());
      const auto stored = static_cast<std::uint64_t>(database.execAndGet("SELECT count(*) FROM payments").getInt64());
      const auto aside = static_cast<std::uint64_t>(database.execAndGet("SELECT count(*) FROM quarantine").getInt64());
      if (stored != report.migrated + report.duplicates || aside != report.quarantined ||
          report.read != stored + aside) {
        refuse(Errc::database,
               "the records that were read and those that were written do not add up; nothing was changed");
      }
      database.exec(
          fmt::format("PRAGMA application_id = {}", static_cast<std::int32_t>(payment_file().application_id)));
      database.exec(fmt::format("PRAGMA user_version = {}", migrations::newest_version));
    });
  });
  return report;
}

}  // namespace paytower::db
