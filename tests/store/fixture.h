// A real database in a folder of its own, with everything that one process holds of it.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <SQLiteCpp/Database.h>

#include "core/base/refuse.h"
#include "core/payment/lifecycle.h"
#include "db/payments/admin.h"
#include "db/payments/query.h"
#include "db/payments/store.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"
#include "tests/driver/temp_folder.h"
#include "tests/support/made_payment.h"

namespace paytower::test {

inline constexpr UnixNs day_one{1'700'000'000'000'000'000};
inline constexpr UnixNs after(std::int64_t seconds) { return UnixNs{day_one.value + seconds * ns_per_second}; }
inline const db::Operator alice{"alice", after(1'000)};

[[nodiscard]] PaymentRequest request_of(std::uint64_t number);
[[nodiscard]] Attempt attempt_of(std::uint64_t id, std::uint32_t part = 0);
[[nodiscard]] Failure some_failure();

/// What one process holds of a database.
struct Store {
  explicit Store(const std::string& path, db::OpenMode mode = db::OpenMode::create,
                 std::int64_t timeout_ns = db::default_lock_timeout_ns)
      : connection(value_of(db::Connection::open(path, mode, db::payment_file()))),
        lock(connection.real_path(), timeout_ns), store(value_of(db::SqlitePaymentStore::open(connection, lock))),
        query(connection), admin(connection, lock) {}

  db::Connection connection;
  db::WriteLock lock;
  db::SqlitePaymentStore store;
  db::PaymentQuery query;
  db::PaymentAdmin admin;

  /// Commits the writes of one payment and applies them to it; the refusal otherwise.
  [[nodiscard]] Result<Stored> write(Payment& payment, const std::vector<Write>& writes);
  /// As write, and it must be stored.
  void must(Payment& payment, const std::vector<Write>& writes);

  // Makes payments in different states. The attempt's id is the payment's number times 10, plus 1.
  Payment initiated(std::uint64_t number);
  Payment in_flight(std::uint64_t number);
  /// Parts 1 to 3 of one round, open: 50, 100 and 100 sat, 10 msat of fee each.
  Payment in_parts(std::uint64_t number);
  Payment paid(std::uint64_t number);
  Payment failed(std::uint64_t number);
  Payment written_off(std::uint64_t number);
  Payment assumed_failed(std::uint64_t number);
  /// 1 initiated, 2 in flight, 3 paid, 4 failed, 5 written off, 6 assumed failed.
  void one_of_each();
};

[[nodiscard]] inline AttemptKey own_key(std::uint64_t number, std::uint64_t id, std::uint32_t part = 0) {
  return AttemptKey{request_of(number).hash, AttemptId{id}, part};
}
[[nodiscard]] inline AttemptKey first_attempt(std::uint64_t number) { return own_key(number, number * 10 + 1); }

/// Plain SQLite on the file: none of our checks, but the schema's triggers.
[[nodiscard]] std::unique_ptr<SQLite::Database> raw(const std::string& path);
/// Runs `sql` without the triggers, like a damaged disk or an attacker.
void damage(const std::string& path, const std::string& sql);

/// Checks that both are stored alike: rows that the store has numbered are compared without their numbers.
void check_same(const Payment& expected, const Payment& stored);

/// Runs `work` in a child process and returns the wait status; the child's exit code is 0 when `work` returned true.
[[nodiscard]] int in_child(const std::function<bool()>& work);
/// Starts a child that runs `work` and then waits to be killed. Returns once `work` has run.
[[nodiscard]] pid_t start_child(const std::function<void()>& work);
void kill_child(pid_t child);

}  // namespace paytower::test
