// Adds an import to a database of earlier ones. Rows are the same if their sequence numbers and hashes are or, if lnd
// gave new numbers, if hash and time of creation are.
#include "db/import/merge.h"

#include <span>
#include <string_view>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/payments/columns.h"
#include "migrations/payment_buckets.h"

namespace paytower::db {

namespace {

/// What is copied of a row: everything except an attempt's own number, and what follows from other columns.
std::string row_of(std::span<const ColumnName> columns, std::string_view table) {
  std::string list;
  for (const ColumnName& one : columns) {
    if (one.table != table || one.column == name_of(AttemptColumn::attempt_row)) continue;
    if (one.column == name_of(PaymentColumn::shown_label)) continue;
    list.append(list.empty() ? "" : ", ").append(one.column);
  }
  return list;
}
const std::string payment_row = row_of(payment_columns, "p");
const std::string attempt_row = row_of(attempt_columns, "a");

[[noreturn]] void refuse(std::string_view message) {
  paytower::refuse(Errc::parameters_differ, fmt::format("{}; nothing was changed", message), "--db NEW_DATABASE");
}

/// lnd's native SQL gave the payments new numbers. Payments that are here already are found by hash and time of
/// creation (an older lnd kept only whole seconds of it), duplicates by their content and how often it occurs. All
/// others get numbers after those that are here.
void line_up(SQLite::Database& database) {
  database.exec("CREATE TEMP TABLE line_up (staged_index INTEGER PRIMARY KEY, payment_index INTEGER NOT NULL UNIQUE)");
  database.exec(
      "INSERT INTO temp.line_up SELECT s.payment_index, max(p.payment_index) FROM staged.payments AS s JOIN "
      "main.payments AS p USING (payment_hash)"
      " WHERE s.duplicate_of IS NULL AND p.duplicate_of IS NULL"
      " AND (p.created_ns = s.created_ns OR (p.created_ns % 1000000000 = 0 OR p.provenance = 1) AND p.created_ns / "
      "1000000000 = s.created_ns / 1000000000) GROUP BY s.payment_index");
  const auto ranked = [](const std::string& schema) {
    return fmt::format(
        "(SELECT payment_index, payment_hash, amount_msat, created_ns / 1000000000 AS created_s, row_number() OVER"
        " (PARTITION BY payment_hash, amount_msat, created_ns / 1000000000 ORDER BY payment_index) AS turn FROM "
        "{}.payments WHERE duplicate_of IS NOT NULL)",
        schema);
  };
  database.exec(
      fmt::format("INSERT INTO temp.line_up SELECT s.payment_index, p.payment_index FROM {}"
                  " AS s JOIN {} AS p USING (payment_hash, amount_msat, created_s, turn)",
                  ranked("staged"), ranked("main")));
  database.exec(
      "INSERT INTO temp.line_up SELECT payment_index, row_number() OVER (ORDER BY payment_index) + max("
      "coalesce((SELECT max(payment_index) FROM main.payments), 0), coalesce((SELECT seq FROM main.sqlite_sequence "
      "WHERE name = 'payments'), 0))"
      " FROM staged.payments WHERE payment_index NOT IN (SELECT staged_index FROM temp.line_up)");
}

/// `columns`, with some of them replaced by other expressions.
std::string with(std::string columns, std::initializer_list<std::pair<std::string, std::string>> replaced) {
  columns = fmt::format(", {},", columns);
  for (const auto& [name, value] : replaced) {
    const std::size_t at = columns.find(fmt::format(", {},", name));
    if (at != std::string::npos) columns.replace(at + 2, name.size(), fmt::format("{} AS {}", value, name));
  }
  return columns.substr(2, columns.size() - 3);
}

/// The staged rows with the numbers that they have or will have here: temp.theirs, temp.their_attempts, temp.their_raw.
void name_staged(SQLite::Database& database, bool same_numbers) {
  if (same_numbers) {
    database.exec("CREATE TEMP VIEW theirs AS SELECT * FROM staged.payments");
    database.exec("CREATE TEMP VIEW their_attempts AS SELECT * FROM staged.attempts");
    database.exec("CREATE TEMP VIEW their_raw AS SELECT * FROM staged.imported_raw");
    return;
  }
  line_up(database);
  const std::string lined_up = " AS s JOIN temp.line_up AS l ON l.staged_index = s.payment_index";
  const std::pair<std::string, std::string> number{"payment_index", "l.payment_index"};
  database.exec(fmt::format(
      "CREATE TEMP VIEW theirs AS SELECT {}"
      ", s.live AS live FROM staged.payments{}",
      with(payment_row,
           {number, {"duplicate_of", "(SELECT payment_index FROM temp.line_up WHERE staged_index = s.duplicate_of)"}}),
      lined_up));
  database.exec(
      fmt::format("CREATE TEMP VIEW their_attempts AS SELECT s.attempt_row AS attempt_row, {} FROM staged.attempts{}",
                  with(attempt_row, {number}), lined_up));
  database.exec(
      fmt::format("CREATE TEMP VIEW their_raw AS SELECT s.id AS id, l.payment_index AS payment_index, what, data FROM "
                  "staged.imported_raw{}",
                  lined_up));
}

void drop_names(SQLite::Database& database) {
  for (const char* view : {"theirs", "their_attempts", "their_raw"})
    database.exec(fmt::format("DROP VIEW temp.{}", view));
  database.exec("DROP TABLE IF EXISTS temp.line_up");
  database.exec("DROP TABLE temp.new_payments");
  database.exec("DROP TABLE temp.went_on");
}

bool any(SQLite::Database& database, const std::string& from) {
  return database.execAndGet(fmt::format("SELECT EXISTS (SELECT 1 FROM {})", from)).getInt() != 0;
}

std::uint64_t count(SQLite::Database& database, const std::string& from) {
  return static_cast<std::uint64_t>(database.execAndGet(fmt::format("SELECT count(*) FROM {}", from)).getInt64());
}

void check_same_node(SQLite::Database& database) {
  if (any(database, "main.payments WHERE provenance = 0")) refuse("the database holds payments of its own");
  if (any(database, "main.import_sources WHERE pub_key NOT IN (SELECT pub_key FROM staged.import_sources)")) {
    refuse("the database holds payments that were taken from another node");
  }
  // The node had not set its key. Then only a payment that both have shows that it is the same node.
  const bool nameless = any(database, "main.payments") && !any(database, "main.import_sources");
  const bool known = any(database, "main.payments AS p JOIN temp.theirs AS s USING (payment_index, payment_hash)");
  if (nameless && !known) refuse("the database holds payments of a node that is not known");
  if (any(database,
          "main.payments AS p JOIN temp.theirs AS s USING (payment_index) WHERE p.payment_hash <> s.payment_hash")) {
    refuse(
        "the file has other payments under sequence numbers that the database knows: lnd's counter was reset, or the "
        "earlier import was of its lnd.sqlite");
  }
}

/// What is new, by number. What the operator deleted stays deleted if a decision or a guard says so. A hash that is
/// live here must not become live twice: the newer record becomes a duplicate of the one that is here.
void choose_payments(SQLite::Database& database) {
  database.exec(
      "CREATE TEMP TABLE new_payments AS SELECT payment_index, (SELECT p.payment_index FROM main.payments AS p WHERE "
      "p.payment_hash = s.payment_hash"
      " AND p.live = 1 AND s.live = 1) AS beside FROM temp.theirs AS s"
      " WHERE NOT EXISTS (SELECT 1 FROM main.payments AS p WHERE p.payment_index = s.payment_index)"
      "   AND NOT EXISTS (SELECT 1 FROM main.hash_guards AS g WHERE g.payment_hash = s.payment_hash AND (g.kind = 3 OR "
      "(g.kind IN (2, 4) AND g.amount_msat IS NOT NULL)))"
      "   AND NOT EXISTS (SELECT 1 FROM main.operator_words AS w WHERE w.payment_hash = s.payment_hash AND w.word = 3)"
      " ORDER BY payment_index");
}

/// What an earlier paytower stored as plain payments.
void mark_set_ids(SQLite::Database& database) {
  const std::string set_ids = "payment_index IN (SELECT payment_index FROM temp.theirs WHERE amp = 1)";
  database.exec(fmt::format("UPDATE main.payments SET amp = 1 WHERE amp = 0 AND provenance = 2 AND {}", set_ids));
  database.exec(
      fmt::format("UPDATE main.attempts AS a SET htlc_hash = (SELECT s.htlc_hash FROM temp.their_attempts AS s WHERE "
                  "s.payment_index = a.payment_index AND s.attempt_id = a.attempt_id) WHERE htlc_hash IS NULL AND "
                  "origin = 2 AND {}",
                  set_ids));
}

/// Ends of payments that had none when they were imported, and attempts made since then. What was ended by hand counts
/// as open: lnd knows better (R8).
void add_endings(SQLite::Database& database) {
  const std::string unproven = "(a.outcome IS NULL OR (a.outcome = 3 AND a.failure_code IN (65541, 65542)))";
  database.exec(fmt::format(
      "CREATE TEMP TABLE went_on AS SELECT p.payment_index, p.ended_ns IS NULL AND s.ended_ns IS NOT NULL AS ends FROM "
      "main.payments AS p"
      " JOIN temp.theirs AS s USING (payment_index) WHERE p.ended_ns IS NULL OR EXISTS"
      " (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = p.payment_index AND {}"
      ")"
      " OR (p.preimage IS NULL AND p.late_preimage IS NULL AND EXISTS"
      " (SELECT 1 FROM main.operator_words AS o WHERE o.payment_hash = p.payment_hash AND o.word IN (1, 2)))",
      unproven));
  database.exec(fmt::format(
      "UPDATE main.attempts AS a SET outcome = s.outcome, resolved_ns = s.resolved_ns, preimage = s.preimage, "
      "failure_code = s.failure_code,"
      " failure_source = s.failure_source, failure_channel = s.failure_channel, failure_direction = "
      "s.failure_direction,"
      " failure_node = s.failure_node, failure_message = s.failure_message FROM temp.their_attempts AS s, temp.went_on "
      "AS w"
      " WHERE a.payment_index = w.payment_index AND s.payment_index = w.payment_index AND s.attempt_id IS a.attempt_id"
      " AND (s.attempt_id IS NOT NULL OR s.part = a.part) AND s.outcome IS NOT NULL AND {}",
      unproven));
  // lnd may have dropped failed attempts in between: the numbers of parts go on after those that are here.
  std::string row = attempt_row;
  row.replace(
      row.find(" part,"), 6,
      " part + 1 + (SELECT coalesce(max(part), -1) FROM main.attempts AS a WHERE a.payment_index = s.payment_index),");
  database.exec(fmt::format(
      "INSERT INTO main.attempts ({}) SELECT {}"
      " FROM temp.their_attempts AS s WHERE payment_index IN (SELECT payment_index FROM temp.went_on)"
      // If the operator has decided, only an attempt's end counts.
      " AND (s.outcome IS NOT NULL OR EXISTS (SELECT 1 FROM main.payments AS p WHERE p.payment_index = "
      "s.payment_index AND p.ended_ns IS NULL))"
      " AND NOT EXISTS (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = s.payment_index AND "
      "(a.attempt_id IS s.attempt_id"
      // These had no id, and lnd's SQL gave them one.
      " OR (a.attempt_id IS NULL AND a.registered_ns = s.registered_ns AND a.amount_msat = s.amount_msat))) "
      "ORDER BY attempt_row",
      attempt_row, row));
  database.exec(
      "UPDATE main.payments SET preimage = s.preimage, fail_reason = s.fail_reason, ended_ns = s.ended_ns FROM "
      "temp.theirs AS s, temp.went_on AS w"
      " WHERE main.payments.payment_index = w.payment_index AND s.payment_index = w.payment_index AND w.ends AND "
      "main.payments.end_note IS NULL"
      " AND CASE WHEN s.preimage IS NULL THEN NOT EXISTS (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = "
      "s.payment_index AND a.outcome IS NULL)"
      "     ELSE EXISTS (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = s.payment_index AND a.preimage = "
      "s.preimage) END");
  // It was paid after all, although it was marked as failed or written off.
  database.exec(
      "UPDATE main.payments AS p SET late_preimage = CASE WHEN p.fail_reason IS NOT NULL THEN s.preimage END,"
      " preimage = CASE WHEN p.fail_reason IS NULL THEN s.preimage END FROM temp.theirs AS s, temp.went_on AS w"
      " WHERE p.payment_index = w.payment_index AND s.payment_index = w.payment_index AND s.preimage IS NOT NULL AND "
      "p.preimage IS NULL"
      " AND p.late_preimage IS NULL AND (p.fail_reason IS NOT NULL OR p.end_note IS NOT NULL)"
      " AND EXISTS (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = s.payment_index AND a.preimage = "
      "s.preimage)");
}

/// Guards of what was in flight, if the newer file tells the end of all the hash's payments. The guard of a legacy
/// status is dropped only if the hash is paid: an upgrade of lnd dropped the statuses, whatever became of their HTLCs.
std::uint64_t drop_settled_guards(SQLite::Database& database) {
  const std::string open =
      "SELECT 1 FROM main.payments AS p WHERE p.payment_hash = main.hash_guards.payment_hash AND (p.provenance <> 2 OR "
      "p.ended_ns IS NULL"
      " OR p.end_note IS NOT NULL OR EXISTS (SELECT 1 FROM main.attempts AS a WHERE a.payment_index = p.payment_index "
      "AND a.outcome IS NULL))";
  const std::string ours =
      "SELECT p.payment_hash FROM main.payments AS p WHERE p.payment_index IN (SELECT payment_index FROM temp.went_on)"
      " OR (p.payment_index IN (SELECT payment_index FROM temp.new_payments) AND p.preimage IS NOT NULL)";
  database.exec(
      fmt::format("DELETE FROM main.hash_guards WHERE kind = 1 AND released_ns IS NULL AND payment_hash IN ({}"
                  ") AND NOT EXISTS ({})",
                  ours, open));
  return static_cast<std::uint64_t>(database.getChanges());
}

void add_payments(SQLite::Database& database) {
  // First the payments, then their duplicates: a duplicate may have a smaller number than its first record.
  std::string chosen = payment_row;
  chosen.replace(chosen.find("duplicate_of"), 12, "coalesce(s.duplicate_of, n.beside)");
  const std::string rows = fmt::format(
      "INSERT INTO main.payments ({}) SELECT {}"
      " FROM temp.theirs AS s JOIN temp.new_payments AS n USING (payment_index)",
      payment_row, chosen);
  database.exec(fmt::format("{} WHERE coalesce(s.duplicate_of, n.beside) IS NULL ORDER BY payment_index", rows));
  database.exec(fmt::format("{} WHERE coalesce(s.duplicate_of, n.beside) IS NOT NULL ORDER BY payment_index", rows));
  const std::string fresh =
      " WHERE payment_index IN (SELECT payment_index FROM temp.new_payments) ORDER BY payment_index, ";
  database.exec(fmt::format("INSERT INTO main.attempts ({}) SELECT {} FROM temp.their_attempts{}attempt_row",
                            attempt_row, attempt_row, fresh));
  database.exec(
      fmt::format("INSERT INTO main.imported_raw (payment_index, what, data) SELECT payment_index, what, data FROM "
                  "temp.their_raw{}id",
                  fresh));
}

/// If a payment's first record was deleted here, the payment has nothing to point to.
void settle_orphans(SQLite::Database& database) {
  database.exec(
      "DELETE FROM temp.new_payments WHERE payment_index IN (SELECT s.payment_index FROM temp.theirs AS s WHERE "
      "s.duplicate_of IS NOT NULL"
      " AND s.duplicate_of NOT IN (SELECT payment_index FROM main.payments) AND s.duplicate_of NOT IN (SELECT "
      "payment_index FROM temp.new_payments))");
}

std::uint64_t add_quarantine(SQLite::Database& database) {
  const std::string fresh =
      "staged.quarantine AS s WHERE NOT EXISTS (SELECT 1 FROM main.quarantine AS q WHERE q.source = s.source AND "
      "q.sequence IS s.sequence"
      " AND q.payment_hash IS s.payment_hash AND q.record = s.record)";
  const std::uint64_t added = count(database, fresh);
  database.exec(fmt::format(
      "INSERT INTO main.quarantine (source, sequence, payment_hash, reason, record, at_ns) SELECT source, sequence, "
      "payment_hash, reason, record, at_ns FROM {} ORDER BY id",
      fresh));
  return added;
}

std::uint64_t add_guards(SQLite::Database& database) {
  const std::string fresh =
      "staged.hash_guards AS s WHERE NOT EXISTS (SELECT 1 FROM main.hash_guards AS g WHERE g.payment_hash = "
      "s.payment_hash)"
      " AND NOT EXISTS (SELECT 1 FROM main.operator_words AS w WHERE w.payment_hash = s.payment_hash AND w.word = 3)";
  const std::uint64_t added = count(database, fresh);
  database.exec(fmt::format(
      "INSERT INTO main.hash_guards (payment_hash, kind, since_ns, amp) SELECT payment_hash, kind, since_ns, amp "
      "FROM {}",
      fresh));
  // What was in flight and is now known to be paid.
  database.exec(
      "UPDATE main.hash_guards SET kind = 2, released_ns = NULL WHERE kind = 1 AND payment_hash IN (SELECT "
      "payment_hash FROM staged.hash_guards WHERE kind = 2)");
  database.exec(
      "UPDATE main.hash_guards SET amp = 1, released_ns = NULL WHERE amp = 0 AND payment_hash IN (SELECT payment_hash "
      "FROM staged.hash_guards WHERE amp = 1)");
  return added;
}

void raise_counter(SQLite::Database& database) {
  const char* const last =
      "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM main.sqlite_sequence WHERE name = 'payments'"
      " UNION ALL SELECT seq FROM staged.sqlite_sequence WHERE name = 'payments')";
  const std::int64_t seq = database.execAndGet(last).getInt64();
  if (seq == 0) return;
  database.exec("DELETE FROM main.sqlite_sequence WHERE name = 'payments'");
  database.exec(fmt::format("INSERT INTO main.sqlite_sequence (name, seq) VALUES ('payments', {})", seq));
}

}  // namespace

void add_staged(SQLite::Database& database, bool same_numbers, migrations::StepReport& report) {
  name_staged(database, same_numbers);
  check_same_node(database);
  choose_payments(database);
  settle_orphans(database);
  mark_set_ids(database);
  add_endings(database);
  add_payments(database);
  report.quarantined = add_quarantine(database);
  report.guards = add_guards(database);
  report.guards_resolved = drop_settled_guards(database);
  const std::uint64_t added = count(database, "temp.new_payments");
  report.duplicates = count(database,
                            "main.payments WHERE duplicate_of IS NOT NULL AND payment_index IN (SELECT payment_index "
                            "FROM temp.new_payments)");
  report.migrated = added - report.duplicates;
  report.read = added + report.quarantined;
  database.exec(
      "INSERT OR IGNORE INTO main.import_sources (pub_key, first_ns) SELECT pub_key, first_ns FROM "
      "staged.import_sources");
  raise_counter(database);
  migrations::note_order(database);
  drop_names(database);
}

}  // namespace paytower::db
