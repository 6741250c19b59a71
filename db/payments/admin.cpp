// What operators do to the database: guards, decisions, and `check`.
#include "db/payments/admin.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/hash.h"
#include "db/payments/operator_decisions.h"
#include "db/payments/query.h"
#include "db/payments/schema.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

std::string_view decision_name(OperatorDecision decision) {
  switch (decision) {
    case OperatorDecision::assume_failed: return "assume_failed";
    case OperatorDecision::write_off: return "write_off";
    case OperatorDecision::forget: return "forget";
    case OperatorDecision::restored: return "restored";
    case OperatorDecision::cancel: return "cancel";
  }
  return "assume_failed";
}

Error refusal_of_set_id(const PaymentHash& hash) {
  return Error{Errc::already_ended,
               "this is the set id of an AMP payment, not a payment hash: it is never payable; nothing was changed",
               fmt::format("paytower show {}", hash.hex())};
}

Result<std::monostate> PaymentAdmin::record_decision(OperatorDecision decision, const std::optional<PaymentHash>& hash,
                                                     const Operator& by) {
  return write_tx(connection_, lock_, [&] { insert_decision(connection_, decision, hash, by); });
}

Result<bool> PaymentAdmin::set_label(const PaymentHash& hash, const std::string& label) {
  return write_tx(connection_, lock_, [&] {
    Query update = connection_.prepared("UPDATE payments SET new_label = ?1 WHERE payment_hash = ?2");
    update.bind(label, hash);
    return update.run() > 0;
  });
}

Result<std::monostate> PaymentAdmin::accept_ids_up_to(AttemptId highest) {
  return write_tx(connection_, lock_, [&] {
    Query update = connection_.prepared("UPDATE store_meta SET deleted_up_to = max(deleted_up_to, ?1)");
    update.bind(static_cast<std::int64_t>(highest.value));
    update.run();
  });
}

Result<std::monostate> PaymentAdmin::release_guard(const PaymentHash& hash, const Operator& by) {
  return change_guard(
      hash, by, OperatorDecision::assume_failed,
      "UPDATE hash_guards SET released_ns = ?1 WHERE payment_hash = ?2 AND released_ns IS NULL AND kind NOT IN (2, 3)");
}

Result<std::monostate> PaymentAdmin::write_off_guard(const PaymentHash& hash, const Operator& by) {
  return change_guard(hash, by, OperatorDecision::write_off,
                      "UPDATE hash_guards SET kind = 4, since_ns = ?1, released_ns = NULL WHERE payment_hash = ?2 AND "
                      "kind NOT IN (2, 3)");
}

Result<std::monostate> PaymentAdmin::change_guard(const PaymentHash& hash, const Operator& by,
                                                  OperatorDecision decision, const char* sql) {
  return write_tx(connection_, lock_, [&] {
    {
      Query row = connection_.prepared("SELECT kind, amp FROM hash_guards WHERE payment_hash = ?1");
      row.bind(hash);
      if (!row.step()) {
        refuse(Errc::not_found, "no payment of this hash is stored, and the hash is not blocked",
               "paytower list --guards");
      }
      const auto kind = static_cast<GuardKind>(row.number(4));
      if (kind == GuardKind::paid_deleted || kind == GuardKind::paid_without_record) {
        refuse(Errc::already_paid, "this hash was paid and stays blocked; nothing was changed",
               fmt::format("paytower show {}", hash.hex()));
      }
      if (row.number(1) == 1 && decision == OperatorDecision::assume_failed) refuse(refusal_of_set_id(hash));
    }
    insert_decision(connection_, decision, hash, by);  // first the decision: without it the schema releases nothing
    Query update = connection_.prepared(sql);
    update.bind(by.at, hash);
    update.run();
  });
}

namespace {

/// Every row is read as `list` and the driver read it: routes, codes, and every preimage against its hash (R7).
void check_payments(Connection& connection, std::vector<std::string>& problems) {
  const auto note = [&problems](const std::variant<Payment, BadRow>& row) {
    if (const auto* bad = std::get_if<BadRow>(&row))
      problems.push_back(fmt::format("payment {}: {}", bad->index.value, bad->reason));
    return true;
  };
  (void)value_of(PaymentQuery(connection).each({}, true, false, note));
}

void check_guards(Connection& connection, std::vector<std::string>& problems) {
  Query row = connection.prepared("SELECT payment_hash, preimage FROM hash_guards WHERE preimage IS NOT NULL");
  while (row.step()) {
    const auto hash = row.maybe_fixed<PaymentHash>();
    const auto preimage = row.maybe_fixed<Preimage>();
    if (hash && preimage && !proves(*preimage, *hash))
      problems.push_back(fmt::format("guard {}: its preimage does not hash to the payment hash", hash->hex()));
  }
}

void check_rows(Connection& connection, const char* problem, const char* sql, std::vector<std::string>& problems) {
  Query row = connection.prepared(sql);
  while (row.step()) problems.push_back(fmt::format("{} {}", problem, row.integer()));
}

/// What a mode lets others do, and whom.
std::string access_words(mode_t mode) {
  const auto by = [mode](mode_t bit) -> std::string_view {
    return (mode & bit) != 0 ? "everyone" : (mode & bit << 3) != 0 ? "its group" : "";
  };
  const std::string_view reads = by(S_IROTH);
  const std::string_view writes = by(S_IWOTH);
  if (reads.empty() && writes.empty()) return fmt::format("has the mode {:04o}", mode & 07777);
  if (writes.empty()) return fmt::format("can be read by {}", reads);
  if (reads.empty()) return fmt::format("can be written by {}", writes);
  if (reads == writes) return fmt::format("can be read and written by {}", reads);
  return fmt::format("can be read by {} and written by {}", reads, writes);
}

void check_files(const std::string& real_path, CheckReport& report) {
  std::vector<std::string>& problems = report.problems;
  const auto there = [&real_path](const char* end) {
    struct stat seen {};
    return ::lstat((real_path + end).c_str(), &seen) == 0 || errno != ENOENT;
  };
  // A command that writes takes the lock first, and then makes the spool. If neither is there, this is a copy to which
  // nobody has written.
  if (there(".lock") && !there(".spool")) {
    problems.push_back(fmt::format(
        "{}.spool is missing: a preimage would have nowhere to go; any command that writes makes it again", real_path));
  }
  struct stat owner {};
  if (::stat(real_path.c_str(), &owner) != 0) owner.st_uid = ::geteuid();
  for (const char* end : {"", "-wal", "-shm", ".lock", ".spool"}) {
    struct stat seen {};
    const std::string path = real_path + end;
    if (::lstat(path.c_str(), &seen) != 0) {
      if (errno != ENOENT) problems.push_back(fmt::format("cannot look at {}: {}", path, std::strerror(errno)));
    } else if (!S_ISREG(seen.st_mode) || seen.st_nlink != 1) {
      problems.push_back(fmt::format("{} is not a regular file with one name", path));
    } else if ((seen.st_mode & 0077) != 0) {
      problems.push_back(fmt::format("{} {}: chmod 600 it", path, access_words(seen.st_mode)));
      report.opened.push_back(path);
    } else if (seen.st_uid != owner.st_uid && seen.st_uid != ::geteuid()) {
      problems.push_back(fmt::format("{} belongs to another user than the database", path));
    }
  }
}

}  // namespace

Result<CheckReport> PaymentAdmin::check() {
  return result_of([&] {
    CheckReport report;
    (void)value_of(reading(connection_, [&] { report.problems = schema_problems(connection_.database()); }));
    try {
      check_contents(report);
    } catch (const StoreError& error) {
      if (report.problems.empty()) throw;
      report.problems.push_back(fmt::format("without these, the rest cannot be read: {}", error.what()));
    }
    check_files(connection_.real_path(), report);
    return report;
  });
}

void PaymentAdmin::check_contents(CheckReport& report) {
  (void)value_of(reading(connection_, [&] {
    SQLite::Statement integrity(connection_.database(), "PRAGMA integrity_check");
    while (integrity.executeStep()) {
      const std::string said = integrity.getColumn(0).getString();
      if (said != "ok") report.problems.push_back(fmt::format("integrity: {}", said));
    }
    SQLite::Statement keys(connection_.database(), "PRAGMA foreign_key_check");
    while (keys.executeStep())
      report.problems.push_back(fmt::format("a row of {} points nowhere", keys.getColumn(0).getString()));
    check_guards(connection_, report.problems);
    check_rows(connection_, "why it failed is not JSON: payment",
               "SELECT payment_index FROM payments WHERE iif(json_valid(failure_detail), json_type(failure_detail) <> "
               "'object', failure_detail IS NOT NULL)",
               report.problems);
    check_rows(connection_, "an attempt settled, but not its payment",
               "SELECT p.payment_index FROM payments p WHERE p.preimage IS NULL AND p.late_preimage IS NULL AND "
               "p.duplicate_of IS NULL "
               "AND EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = p.payment_index AND a.outcome = 1)",
               report.problems);
    check_rows(
        connection_, "an attempt is open, but its payment is called ended: it is in flight, payment",
        "SELECT DISTINCT p.payment_index FROM attempts a CROSS JOIN payments p ON p.payment_index = a.payment_index "
        "WHERE a.payment_index > 0 AND a.outcome IS NULL AND (p.fail_reason IS NOT NULL OR p.end_note IS NOT NULL) AND "
        "p.late_preimage IS NULL",
        report.problems);
    check_rows(connection_, "indexes may be given twice: the counter is below payment",
               "SELECT max(payment_index) FROM payments HAVING max(payment_index) > (SELECT coalesce(max(seq), 0) FROM "
               "sqlite_sequence WHERE name = 'payments')",
               report.problems);
    {
      Query row = connection_.prepared("SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM attempts)");
      row.step();
      report.payments = row.number(INT64_MAX);
      report.attempts = row.number(INT64_MAX);
    }
    Query row = connection_.prepared(
        "SELECT s.node, s.network, count(*) FROM attempts a JOIN switches s ON s.id = a.switch_id WHERE a.outcome IS "
        "NULL GROUP BY a.switch_id");
    while (row.step()) {
      SwitchKey key{row.fixed<PublicKey>(), row.text()};
      report.open.emplace_back(std::move(key), row.number(INT64_MAX));
    }
  }));
  check_payments(connection_, report.problems);
}

}  // namespace paytower::db
