// Runs transactions, turns constraints into refusals, and makes checkpoints.
#include "db/sqlite/transaction.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>

#include <SQLiteCpp/Exception.h>

#include "core/base/require.h"

namespace paytower::db {

namespace {

constexpr std::int64_t wal_worth_truncating = 1 << 20;
constexpr std::int64_t wal_worth_a_step = 4 << 20;

void roll_back(Connection& connection) noexcept {
  if (in_transaction(connection.database()))
    sqlite3_exec(connection.database().getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
  if (in_transaction(connection.database())) connection.mark_broken();
}

/// R10: what is stored now is not known.
[[noreturn]] void broken(Connection& connection, const std::string& what) {
  connection.mark_broken();
  roll_back(connection);
  throw StoreError(fmt::format("the database could not store this; what it holds now is not known: {}", what));
}

/// Runs `body()`, and turns a constraint that stops it into its refusal.
void run_or_refuse(const std::function<void()>& body) {
  try {
    body();
  } catch (const SQLite::Exception& error) {
    if (!is_constraint(error)) throw;
    refuse(refusal_of_constraint(error));
  }
}

void run_body(Connection& connection, const std::function<void()>& body) {
  try {
    run_or_refuse(body);
  } catch (const SQLite::Exception& error) {
    broken(connection, error.what());
  } catch (const StoreError&) {
    connection.mark_broken();
    roll_back(connection);
    throw;
  } catch (...) {
    roll_back(connection);
    throw;
  }
  if (!in_transaction(connection.database())) broken(connection, "SQLite ended the transaction by itself");
}

}  // namespace

bool in_transaction(SQLite::Database& database) { return sqlite3_get_autocommit(database.getHandle()) == 0; }

void detail::run_write_tx(Connection& connection, WriteLock& lock, const std::function<void()>& body) {
  if (connection.broken()) throw StoreError("an earlier write failed; nothing more is written by this process");
  const auto held = value_of(lock.acquire());
  // Here and not after the COMMIT: what has to follow a commit must not wait.
  checkpoint_step(connection);
  sqlite3* handle = connection.database().getHandle();
  sqlite3_busy_timeout(handle,
                       static_cast<int>(std::min<std::int64_t>(busy_timeout_ms, lock.patience_ns() / ns_per_ms)));
  try {
    connection.prepared("BEGIN IMMEDIATE").run();
    sqlite3_busy_timeout(handle, busy_timeout_ms);
  } catch (const SQLite::Exception& error) {
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    if ((error.getErrorCode() & 0xFF) == SQLITE_BUSY)
      refuse(Errc::busy, "another program is writing to the database; nothing was changed",
             who_has(connection.real_path()));
    broken(connection, error.what());
  }
  run_body(connection, body);
  try {
    connection.prepared("COMMIT").run();
  } catch (const SQLite::Exception& error) {
    broken(connection, error.what());
  }
}

// The only use of SQLite::Transaction. Its destructor ignores errors of ROLLBACK: no loss here, where the file is
// dropped anyway, but in other places R10 has to see them.
void private_tx(SQLite::Database& database, SQLite::TransactionBehavior behaviour, const std::function<void()>& fn) {
  SQLite::Transaction transaction(database, behaviour);
  fn();
  transaction.commit();
}

Result<std::monostate> in_savepoint(Connection& connection, const std::function<void()>& fn) {
  connection.prepared("SAVEPOINT one_payment").run();
  auto done = result_of([&] { run_or_refuse(fn); });
  if (!done) {
    if (!in_transaction(connection.database())) throw StoreError("SQLite ended the transaction by itself");
    connection.prepared("ROLLBACK TO one_payment").run();
  }
  connection.prepared("RELEASE one_payment").run();
  return done;
}

Error refusal_of_constraint(const SQLite::Exception& error) {
  const std::string text = error.what();
  for (const Errc code :
       {Errc::already_paid, Errc::in_flight, Errc::guarded, Errc::already_ended, Errc::not_initiated,
        Errc::already_succeeded, Errc::already_failed, Errc::stopped, Errc::not_found, Errc::conflict}) {
    const std::string prefix = fmt::format("{}: ", code_name(code));
    if (text.rfind(prefix, 0) == 0) return Error{code, text.substr(prefix.size()), {}};
  }
  return Error{Errc::conflict, fmt::format("the database refuses this state: {}", text), {}};
}

bool is_constraint(const SQLite::Exception& error) { return (error.getErrorCode() & 0xFF) == SQLITE_CONSTRAINT; }

bool checkpoint_if_due(Connection& connection, WriteLock& lock, bool idle) {
  if (connection.broken() || connection.wal_bytes_written() == 0) return false;
  if (!idle && connection.wal_bytes_written() < wal_worth_truncating) return false;
  const auto held = lock.try_acquire();
  if (!held) return false;
  // No busy handler: if a reader is in the way, it is done another time.
  sqlite3* handle = connection.database().getHandle();
  sqlite3_busy_timeout(handle, 0);
  const int result = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return result == SQLITE_OK;
}

void checkpoint_step(Connection& connection) {
  require(!in_transaction(connection.database()), "no transaction is open");
  // If a reader holds back the log, it grows: try again only after as much more.
  if (connection.wal_bytes_written() - connection.checkpointed_wal_bytes() < wal_worth_a_step) return;
  connection.note_checkpoint();
  sqlite3_wal_checkpoint_v2(connection.database().getHandle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace paytower::db
