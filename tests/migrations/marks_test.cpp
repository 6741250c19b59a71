// Goal: step 0003 keeps the marks of everything that may still move, and of the newest attempt at each switch, in the
// form of Core Lightning's adapter; and it reads only what it needs, not the history. Method: a version 2 database in
// memory, filled without any check of ours, and the step's own statement.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/switch/cln/counters.h"
#include "db/payments/steps.h"
#include "db/payments/store.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/transaction.h"
#include "migrations/migrations.h"

using namespace paytower;
using cln::Counters;

namespace {

/// The columns of a payment of version 2, and of its one attempt.
struct Made {
  std::string payment;  ///< ", fail_reason = 1", and so on
  std::string attempt;
};
const Made open_one{"", ""};
const Made paid{"preimage = h(1), ended_ns = 2", "outcome = 1, preimage = h(1), resolved_ns = 2"};
const Made failed{"fail_reason = 1, ended_ns = 2", "outcome = 2, failure_code = 4103, resolved_ns = 2"};
const Made watched{"fail_reason = 2, ended_ns = 2", "outcome = 3, failure_code = 65541, resolved_ns = 2"};
const Made between{"", "outcome = 2, failure_code = 4103, resolved_ns = 2"};

class VersionTwo {
 public:
  VersionTwo() : database_(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    db::payment_file().register_functions(database_);
    db::private_tx(database_, SQLite::TransactionBehavior::DEFERRED,
                   [&] { (void)db::apply_steps(database_, 0, 2, 1); });
    database_.exec(
        "INSERT INTO switches (id, node, network) VALUES (1, zeroblob(33), 'regtest'), (2, zeroblob(33), 'signet')");
  }

  /// Adds payment `number` with one attempt at this switch; `marks` as "1, 2, NULL, 4".
  void add(std::int64_t number, const Made& made, const std::string& marks, int at_switch = 1) {
    const std::string index = std::to_string(number);
    run("INSERT INTO payments (payment_index, payment_hash, amount_msat, created_ns, deadline_ns, destination, "
        "fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts) VALUES (" +
        index + ", CAST(printf('%032d', " + index + ") AS BLOB), 1000, 1, 9, zeroblob(33), 10, 100, 18, 5)");
    run("INSERT INTO attempts (attempt_row, payment_index, attempt_id, switch_id, amount_msat, fee_msat, "
        "registered_ns, "
        "mark_payments_created, mark_htlcs_created, mark_htlcs_deleted, mark_movements_created) VALUES (" +
        index + ", " + index + ", " + index + ", " + std::to_string(at_switch) + ", 1000, 1, 1, " + marks + ")");
    if (!made.attempt.empty()) run("UPDATE attempts SET " + made.attempt + " WHERE attempt_row = " + index);
    if (!made.payment.empty()) run("UPDATE payments SET " + made.payment + " WHERE payment_index = " + index);
  }

  /// The content of `marks` after the step, by attempt; attempts without marks are left out.
  std::map<std::int64_t, Marks> migrated() {
    db::private_tx(database_, SQLite::TransactionBehavior::DEFERRED,
                   [&] { (void)db::apply_steps(database_, 2, 3, 2); });
    std::map<std::int64_t, Marks> found;
    SQLite::Statement row(database_, "SELECT attempt_row, marks FROM attempts WHERE marks IS NOT NULL");
    while (row.executeStep()) {
      const auto* data = static_cast<const std::uint8_t*>(row.getColumn(1).getBlob());
      found[row.getColumn(0).getInt64()] = Marks(data, data + row.getColumn(1).getBytes());
    }
    return found;
  }

  std::vector<std::string> plan(const std::string& sql) {
    std::vector<std::string> steps;
    SQLite::Statement row(database_, "EXPLAIN QUERY PLAN " + sql);
    while (row.executeStep()) steps.push_back(row.getColumn(3).getString());
    return steps;
  }

 private:
  /// h(n): 32 bytes of n.
  void run(std::string sql) {
    for (std::size_t at = sql.find("h(1)"); at != std::string::npos; at = sql.find("h(1)"))
      sql.replace(at, 4, "CAST(printf('%032d', 1) AS BLOB)");
    database_.exec(sql);
  }

  SQLite::Database database_;
};

}  // namespace

TEST_CASE("0003: what may still move keeps its marks, and its adapter reads the same counters out of them") {
  VersionTwo world;
  world.add(1, open_one, "4, 40, 3, 20");
  world.add(2, watched, "9223372036854775807, NULL, 0, NULL");
  world.add(3, between, "NULL, NULL, NULL, 0");
  world.add(4, open_one, "NULL, NULL, NULL, NULL");  // adopted from the switch
  world.add(5, paid, "5, 50, 3, 20");
  world.add(6, failed, "6, 60, 3, 20");
  world.add(7, paid, "7, 70, 3, 20");  // the newest
  const auto marks = world.migrated();
  CHECK(marks == std::map<std::int64_t, Marks>{{1, cln::marks_of({4, 40, 3, 20})},
                                               {2, cln::marks_of({INT64_MAX, {}, 0, {}})},
                                               {3, cln::marks_of({{}, {}, {}, 0})},
                                               {7, cln::marks_of({7, 70, 3, 20})}});
}

TEST_CASE("0003: the newest attempt at each switch that counts payments keeps its marks") {
  VersionTwo world;
  for (std::int64_t number = 1; number <= 300; ++number) {
    const bool counts = number <= 290;
    world.add(number, failed, counts ? std::to_string(number) + ", 1, 1, 1" : "NULL, 1, 1, 1", number == 250 ? 2 : 1);
  }
  const auto marks = world.migrated();
  REQUIRE(marks.size() == 2);
  CHECK(cln::counters_of(marks.at(250)) == Counters{250, 1, 1, 1});
  CHECK(cln::counters_of(marks.at(290)) == Counters{290, 1, 1, 1});
}

TEST_CASE("0003: marks are filled by indexes of what is open, never by a walk through the attempts or payments") {
  VersionTwo world;
  (void)world.migrated();
  const std::string_view sql = migrations::steps()[2].sql;
  const std::size_t first = sql.find("UPDATE attempts\n   SET marks");
  REQUIRE(first != std::string_view::npos);
  const auto steps = world.plan(std::string(sql.substr(first, sql.find(';', first) - first)));
  REQUIRE_FALSE(steps.empty());
  for (const std::string& step : steps) {
    CAPTURE(step);
    CHECK(step != "SCAN attempts");
    CHECK(step != "SCAN payments");
    CHECK(step.find("attempts_by_payment") == step.find("attempts_by_payment (payment_index=?)"));
  }
}
