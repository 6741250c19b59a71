// The one way to write: write lock, BEGIN IMMEDIATE, the writes, COMMIT.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <SQLiteCpp/Transaction.h>

#include "core/base/refuse.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

namespace detail {
void run_write_tx(Connection& connection, WriteLock& lock, const std::function<void()>& body);
}

/// Runs `fn()` in one durable transaction and returns its result (std::monostate for void). Errc::busy if the write
/// lock was not free in time: then fn did not run. A refusal that fn threw, or a constraint of the schema (see
/// refusal_of_constraint), undoes the transaction and is the result.
///
/// Every other database error, a COMMIT that fails, and a transaction that SQLite has ended by itself are R10:
/// StoreError now, and for every later write_tx on this connection. Any other exception undoes the transaction and goes
/// on.
template <typename Fn> [[nodiscard]] auto write_tx(Connection& connection, WriteLock& lock, Fn&& fn) {
  return result_of([&] {
    using Value = std::invoke_result_t<Fn&>;
    if constexpr (std::is_void_v<Value>) {
      detail::run_write_tx(connection, lock, [&] { fn(); });
    } else {
      std::optional<Value> value;
      detail::run_write_tx(connection, lock, [&] { value.emplace(fn()); });
      return *std::move(value);
    }
  });
}

/// Runs `fn()` in one transaction on a database that nobody else can see: one that is being made, or a copy to try
/// something. An exception from fn or from the COMMIT undoes all of it and goes on to the caller, who drops the file.
void private_tx(SQLite::Database& database, SQLite::TransactionBehavior behaviour, const std::function<void()>& fn);

/// Runs `fn()` in a savepoint of the open transaction. A refusal that fn threw, or a constraint, undoes its writes, and
/// only those, and is the result. Other errors go on to the enclosing write_tx.
[[nodiscard]] Result<std::monostate> in_savepoint(Connection& connection, const std::function<void()>& fn);

/// Whether a transaction is open on this connection.
[[nodiscard]] bool in_transaction(SQLite::Database& database);

/// What a constraint of the schema means: triggers say "<code>: <words>", beginning with a code_name.
[[nodiscard]] Error refusal_of_constraint(const SQLite::Exception& error);
[[nodiscard]] bool is_constraint(const SQLite::Exception& error);

/// Copies the log back into the file and empties it (TRUNCATE) if it is over 1 MiB, or if `idle` (nothing is open in
/// the database), and if neither a writer nor a reader is in the way: it does not wait. True if it was done. Called at
/// the end of a process, never between a commit and what follows from it.
bool checkpoint_if_due(Connection& connection, WriteLock& lock, bool idle);

/// A bounded step for processes that write for long: once the log is over 4 MiB, copies back what is possible without
/// waiting for anybody, so that the log is used from its start again. Every write_tx begins with it. REQUIRES: the
/// write lock is held, no transaction is open.
void checkpoint_step(Connection& connection);

}  // namespace paytower::db
