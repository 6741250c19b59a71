// Goal: a file whose schema has lost or gained something is reported and not written to. Rows that the schema would
// have refused are read with care: what may be in flight counts as in flight, whatever else the row says.
#include <doctest/doctest.h>

#include <algorithm>

#include <SQLiteCpp/Transaction.h>

#include "db/payments/schema.h"
#include "db/payments/stats.h"
#include "db/payments/steps.h"
#include "db/payments/store.h"
#include "db/sqlite/transaction.h"
#include "migrations/migrations.h"
#include "tests/driver/temp_folder.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;

namespace {

bool finds(const std::vector<std::string>& problems, const std::string& text) {
  return std::any_of(problems.begin(), problems.end(),
                     [&](const std::string& problem) { return problem.find(text) != std::string::npos; });
}

std::vector<std::string> names(const std::string& path, const std::string& type) {
  std::vector<std::string> found;
  const auto database = raw(path);
  SQLite::Statement row(*database, "SELECT name FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL ORDER BY name");
  row.bind(1, type);
  while (row.executeStep()) found.push_back(row.getColumn(0).getString());
  return found;
}

void check_refused(const std::string& path) {
  for (const db::OpenMode mode : {db::OpenMode::read_write, db::OpenMode::create}) {
    try {
      const Store store(path, mode);
      FAIL("opened for writing");
    } catch (const RefusalError& refusal) {
      CHECK(refusal.error().code == Errc::database);
      CHECK(refusal.error().hint == "paytower check");
    }
  }
}

std::vector<std::string> problems_of(const std::string& path) {
  return value_of(Store(path, db::OpenMode::read_only).admin.check()).problems;
}

}  // namespace

TEST_CASE("the digest of the schema is that of its steps") {
  SQLite::Database made(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db::payment_file().register_functions(made);
  db::private_tx(made, SQLite::TransactionBehavior::DEFERRED,
                 [&] { (void)db::apply_steps(made, 0, migrations::newest_version, 0); });
  CHECK(db::schema_digest(made) == db::newest_schema_digest);  // after a new step: the number on the left
}

TEST_CASE("the digest of the schema is that of a database that was just made") {
  const TempFolder folder;
  Store store(folder.file("p"));
  CHECK(db::schema_digest(store.connection.database()) == db::newest_schema_digest);
  CHECK(db::schema_problems(store.connection.database()).empty());
}

TEST_CASE("each trigger and each index that is missing is found at open, and named by check") {
  const TempFolder folder;
  { Store(folder.file("p")).in_flight(1); }
  for (const std::string type : {"trigger", "index"}) {
    const auto all = names(folder.file("p"), type);
    CHECK(all.size() > 10);
    for (const std::string& name : all) {
      CAPTURE(name);
      const auto database = raw(folder.file("p"));
      const std::string sql =
          database->execAndGet("SELECT sql FROM sqlite_schema WHERE name = '" + name + "'").getString();
      database->exec("DROP " + type + " " + name);
      check_refused(folder.file("p"));
      CHECK(finds(problems_of(folder.file("p")), "the " + type + " " + name + " is missing"));
      database->exec(sql);
    }
  }
  CHECK(value_of(Store(folder.file("p"), db::OpenMode::read_write).admin.check()).problems.empty());
}

TEST_CASE(
    "what somebody changed or added: triggers and indexes on our tables are refused, views and tables of theirs are "
    "not") {
  const TempFolder folder;
  { Store(folder.file("p")).paid(1); }
  const auto database = raw(folder.file("p"));
  database->exec("CREATE VIEW mine AS SELECT count(*) FROM payments");
  database->exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)");
  database->exec("CREATE INDEX notes_by_text ON notes (text)");
  database->exec("ANALYZE");
  CHECK(value_of(Store(folder.file("p"), db::OpenMode::read_write).admin.check()).problems.empty());
  SUBCASE("a trigger") {
    database->exec("CREATE TRIGGER theirs AFTER INSERT ON payments BEGIN DELETE FROM notes; END");
    CHECK(finds(problems_of(folder.file("p")), "the trigger theirs was not made by paytower"));
  }
  SUBCASE("an index") {
    database->exec("CREATE UNIQUE INDEX theirs ON attempts (amount_msat)");
    CHECK(finds(problems_of(folder.file("p")), "the index theirs was not made by paytower"));
  }
  SUBCASE("a trigger that does something else") {
    database->exec("DROP TRIGGER payments_fail");
    database->exec("CREATE TRIGGER payments_fail BEFORE UPDATE OF fail_reason ON payments BEGIN SELECT 1; END");
    CHECK(finds(problems_of(folder.file("p")), "the trigger payments_fail is not as paytower made it"));
  }
  SUBCASE("a column") {
    database->exec("ALTER TABLE payments ADD COLUMN theirs INTEGER");
    CHECK(finds(problems_of(folder.file("p")), "the table payments is not as paytower made it"));
  }
  check_refused(folder.file("p"));
  CHECK(value_of(Store(folder.file("p"), db::OpenMode::read_only).query.count({})) == 1);
}

TEST_CASE("an end beside an open attempt: in flight wherever a status is said, and named by check") {
  const TempFolder folder;
  for (const bool failed : {true, false}) {
    const std::string path = folder.file(failed ? "failed" : "ended");
    { Store(path).in_flight(1); }
    damage(path, failed ? "UPDATE payments SET fail_reason = 1, ended_ns = 5"
                        : "UPDATE payments SET end_note = 1, ended_ns = 5");
    Store store(path, db::OpenMode::read_write);
    const PaymentHash hash = request_of(1).hash;
    CHECK(store.store.load(PaymentIndex{1}).value()->status() == PaymentStatus::in_flight);
    CHECK(store.store.find(hash).value().payment->status() == PaymentStatus::in_flight);
    CHECK(value_of(store.query.history(hash))->head()->status() == PaymentStatus::in_flight);
    for (const PaymentStatus status : {PaymentStatus::initiated, PaymentStatus::in_flight, PaymentStatus::succeeded,
                                       PaymentStatus::failed, PaymentStatus::unknown}) {
      db::PaymentFilter filter;
      filter.statuses = {status};
      const std::uint64_t wanted = status == PaymentStatus::in_flight ? 1 : 0;
      CHECK(value_of(store.query.count(filter)) == wanted);
      CHECK(value_of(store.query.page({filter, PaymentIndex{}, false, 5, false})).payments.size() == wanted);
      CHECK(value_of(db::payment_stats(store.connection, {}))->by_status[static_cast<std::size_t>(status)] == wanted);
    }
    CHECK(finds(value_of(store.admin.check()).problems,
                "an attempt is open, but its payment is called ended: it is in flight, payment 1"));
  }
}

TEST_CASE("an older try with an open attempt weighs more than a newer one that failed") {
  const TempFolder folder;
  {
    Store store(folder.file("p"));
    store.failed(1);
    Payment second;
    second.request = request_of(1);
    store.must(second, {InitPayment{}, FailPayment{FailureReason::no_route, after(40)}});
  }
  damage(folder.file("p"),
         "UPDATE attempts SET outcome = NULL, resolved_ns = NULL, failure_code = NULL, failure_source = NULL, "
         "failure_channel = NULL, "
         "failure_direction = NULL, failure_node = NULL, failure_message = NULL WHERE payment_index = 1");
  Store store(folder.file("p"), db::OpenMode::read_write);
  const HashState state = store.store.find(request_of(1).hash).value();
  CHECK(state.payment->index == PaymentIndex{1});
  CHECK(state.payment->status() == PaymentStatus::in_flight);
}
