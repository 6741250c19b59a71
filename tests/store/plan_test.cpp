// Goal: no statement walks through rows that it does not show, sorts, or is prepared twice, however long the history.
// Method: the plans of the statements that SQLite really ran, with triggers, and SQLite's own report of what it
// compiles.
#include <algorithm>
#include <set>

#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include "db/payments/stats.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;
using db::PaymentFilter;

namespace {

/// Some of every status: the numbers 1 to 6 and their multiples.
void fill(Store& store) {
  for (std::uint64_t number = 1; number <= 60; ++number) {
    switch (number % 6) {
      case 0: (void)store.initiated(number); break;
      case 1: (void)store.in_flight(number); break;
      case 2: (void)store.paid(number); break;
      case 3: (void)store.failed(number); break;
      case 4: (void)store.written_off(number); break;
      default: (void)store.assumed_failed(number); break;
    }
  }
}

/// How many filters there are. A new one does not compile here: then give it a line in planned_filters(), and a place
/// in all(), or in walks() where no index finds what it wants.
std::size_t number_of_filters() {
  [[maybe_unused]] const auto& [statuses, hash, label, label_pattern, search, since, until, damaged] = PaymentFilter{};
  return 7;
}

/// Each filter of `list` alone, and several at once.
std::vector<PaymentFilter> planned_filters() {
  std::vector<PaymentFilter> all(1);
  for (const PaymentStatus status : {PaymentStatus::initiated, PaymentStatus::in_flight, PaymentStatus::succeeded,
                                     PaymentStatus::failed, PaymentStatus::unknown}) {
    all.emplace_back().statuses = {status};
  }
  all.emplace_back().statuses = {PaymentStatus::initiated, PaymentStatus::in_flight};
  all.emplace_back().label = "rent";
  all.emplace_back().hash = request_of(7).hash;
  all.emplace_back().label_pattern = "r*t";
  all.emplace_back().search = db::TextSearch{"rent", {}};
  all.emplace_back().since = after(20);
  all.emplace_back().until = after(20);
  PaymentFilter& several = all.emplace_back();
  several.since = after(10);
  several.until = after(30);
  several.label = "rent";
  several.statuses = {PaymentStatus::failed};
  return all;
}

/// Every statement that a connection runs.
class Listener {
 public:
  explicit Listener(db::Connection& connection) : handle_(connection.database().getHandle()) {
    sqlite3_trace_v2(handle_, SQLITE_TRACE_STMT, &Listener::heard, this);
  }
  ~Listener() { sqlite3_trace_v2(handle_, 0, nullptr, nullptr); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::set<std::string> statements;

 private:
  static int heard(unsigned, void* self, void* statement, void*) {
    const char* sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
    if (sql != nullptr) static_cast<Listener*>(self)->statements.insert(sql);
    return 0;
  }
  sqlite3* handle_;
};

/// Counts how often a connection compiles something: SQLite asks the authorizer only then.
class Compilations {
 public:
  explicit Compilations(db::Connection& connection) : handle_(connection.database().getHandle()) {
    sqlite3_set_authorizer(handle_, &Compilations::asked, this);
  }
  ~Compilations() { sqlite3_set_authorizer(handle_, nullptr, nullptr); }
  Compilations(const Compilations&) = delete;
  Compilations& operator=(const Compilations&) = delete;

  int questions = 0;

 private:
  static int asked(void* self, int what, const char* name, const char*, const char*, const char*) {
    // SQLite compiles these again at each use, even if the statement is kept. No payment needs one of them.
    static const std::set<std::string> always_again = {"page_size", "page_count", "incremental_vacuum"};
    if (what == SQLITE_PRAGMA && always_again.count(name) != 0) return SQLITE_OK;
    ++static_cast<Compilations*>(self)->questions;
    return SQLITE_OK;
  }
  sqlite3* handle_;
};

std::vector<std::string> plan_of(Store& store, const std::string& sql) {
  sqlite3_db_config(store.connection.database().getHandle(), SQLITE_DBCONFIG_TRIGGER_EQP, 1, nullptr);
  std::vector<std::string> steps;
  SQLite::Statement plan(store.connection.database(), "EXPLAIN QUERY PLAN " + sql);
  while (plan.executeStep()) steps.push_back(plan.getColumn(3).getString());
  return steps;
}

/// The lines of the plan that walk through a whole table or index, or sort. A SELECT without a table, or of a table
/// with few rows, does not count, and neither do the indexes that hold only what is open.
std::vector<std::string> bad_steps(Store& store, const std::string& sql) {
  std::vector<std::string> bad;
  for (const std::string& step : plan_of(store, sql)) {
    static const std::set<std::string> short_walks = {"SCAN CONSTANT ROW",
                                                      "SCAN store_meta",
                                                      "SCAN sqlite_sequence",
                                                      "SCAN switches",
                                                      "SCAN payments USING INDEX payments_unfinished",
                                                      "SCAN attempts USING INDEX attempts_one_open"};
    const bool walks = step.rfind("SCAN", 0) == 0 && short_walks.count(step) == 0;
    if (walks || step.find("TEMP B-TREE") != std::string::npos || step.find("AUTOMATIC") != std::string::npos)
      bad.push_back(step);
  }
  return bad;
}

void read_everything(Store& store) {
  (void)store.store.find(request_of(2).hash).value();
  (void)store.store.load(PaymentIndex{2}).value();
  (void)value_of(store.store.fetch_in_flight(PaymentIndex{3}, 10));
  (void)value_of(store.store.recent_results(10));
  (void)value_of(store.query.history(request_of(2).hash));
  (void)value_of(store.query.find_hashes("abcdef", 10));
  (void)value_of(store.query.guards(std::nullopt, 10));
  (void)value_of(store.query.guards(request_of(2).hash, 10));
  (void)value_of(store.query.quarantine(0, 10));
  (void)value_of(store.query.own_created_after(after(10)));
  for (const PaymentFilter& filter : planned_filters()) {
    for (const bool forwards : {true, false}) {
      (void)value_of(store.query.page({filter, PaymentIndex{30}, forwards, 5, false}));
      (void)value_of(store.query.each(filter, forwards, true, [](const auto&) { return true; }));
    }
  }
  (void)value_of(db::payment_stats(store.connection, {after(10), after(30)}));
}

void write_everything(Store& store, std::uint64_t number) {
  (void)store.paid(number);
  (void)store.failed(number + 1);
  (void)store.written_off(number + 2);
  (void)store.assumed_failed(number + 3);
  Payment stopped = store.in_flight(number + 4);
  store.must(stopped,
             {SetStop{FailureReason::canceled, after(800)}, AcceptAttempt{first_attempt(number + 4), after(800)}});
  Payment late = store.assumed_failed(number + 5);
  const UnixNs at = after(900);
  store.must(late, {SettleAttempt{first_attempt(number + 5), preimage_of(number + 5), at},
                    StoreLatePreimage{preimage_of(number + 5), at}});
}

void delete_everything(Store& store, std::uint64_t number) {
  db::DeleteRequest some;
  some.hashes = {request_of(number).hash, request_of(number + 1).hash};
  (void)value_of(store.admin.plan(some));
  CHECK(value_of(store.admin.remove(some, alice)).deleted == 2);
  db::DeleteRequest attempts;
  attempts.failed_htlcs_only = true;
  (void)value_of(store.admin.remove(attempts, alice));
  (void)value_of(store.admin.plan({}));
  (void)value_of(store.admin.remove({}, alice));
  db::DeleteRequest all;
  all.include_non_failed = true;
  (void)value_of(store.admin.plan(all));
  (void)value_of(store.admin.remove(all, alice));
}

}  // namespace

TEST_CASE("each filter keeps a list from being a list of everything") {
  const std::vector<PaymentFilter> planned = planned_filters();
  CHECK(planned.front().all());
  CHECK(std::none_of(planned.begin() + 1, planned.end(), [](const PaymentFilter& filter) { return filter.all(); }));
  CHECK(planned.size() > number_of_filters());
}

TEST_CASE(
    "no statement walks through a table or sorts: pages, planned_filters, one hash, what is open, statistics, writes, "
    "deletes") {
  const TempFolder folder;
  Store store(folder.file("p"));
  fill(store);
  // After so large a gap of indexes, a walk asks where a range of times begins.
  raw(folder.file("p"))->exec("UPDATE sqlite_sequence SET seq = 20000 WHERE name = 'payments'");
  (void)store.initiated(99);
  std::set<std::string> statements;
  {
    Listener listener(store.connection);
    read_everything(store);
    write_everything(store, 101);
    delete_everything(store, 101);
    statements = listener.statements;
  }
  CHECK(statements.size() > 50);
  CHECK(std::any_of(statements.begin(), statements.end(), [](const std::string& sql) {
    return sql.find("FROM payments_out_of_order WHERE") != std::string::npos;
  }));
  for (const std::string& sql : statements) {
    CAPTURE(sql);
    // What was set aside is counted in bytes, all of it.
    if (sql.find("FROM quarantine") != std::string::npos && sql.find("sum(") != std::string::npos) continue;
    CHECK(bad_steps(store, sql) == std::vector<std::string>{});
  }
}

TEST_CASE("counting all payments reads an index and no row") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Listener listener(store.connection);
  (void)value_of(store.query.count({}));
  const auto statements = listener.statements;
  std::size_t counts = 0;
  for (const std::string& sql : statements) {
    if (sql.rfind("SELECT count(*)", 0) != 0) continue;
    ++counts;
    const auto steps = plan_of(store, sql);
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].find("USING COVERING INDEX") != std::string::npos);
  }
  CHECK(counts == 1);
}

TEST_CASE("no statement is prepared twice") {
  const TempFolder folder;
  Store store(folder.file("p"));
  fill(store);
  const auto round = [&store](std::uint64_t number) {
    read_everything(store);
    (void)value_of(store.query.count({}));
    (void)value_of(store.store.change_counter());
    write_everything(store, number);
    delete_everything(store, number);
  };
  Compilations compilations(store.connection);
  round(101);
  CHECK(compilations.questions > 0);
  compilations.questions = 0;
  round(201);
  CHECK(compilations.questions == 0);
}

TEST_CASE("what is open is found through indexes that hold nothing else") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const auto plan_text = [&](const std::function<void()>& run) {
    Listener listener(store.connection);
    run();
    std::string plan;
    const auto statements = listener.statements;
    for (const std::string& sql : statements) {
      for (const std::string& step : plan_of(store, sql)) plan += step + "\n";
    }
    return plan;
  };
  const std::string resume = plan_text([&] { (void)value_of(store.store.fetch_in_flight(PaymentIndex{}, 10)); });
  for (const char* index : {"payments_unfinished", "attempts_one_open", "attempts_watched"})
    CHECK(resume.find(index) != std::string::npos);
  const auto page_plan = [&](std::vector<PaymentStatus> statuses) {
    PaymentFilter filter;
    filter.statuses = std::move(statuses);
    return plan_text([&] { (void)value_of(store.query.page({filter, PaymentIndex{}, false, 5, false})); });
  };
  CHECK(page_plan({PaymentStatus::initiated, PaymentStatus::in_flight}).find("payments_unfinished") !=
        std::string::npos);
  CHECK(page_plan({PaymentStatus::in_flight}).find("payments_unfinished") != std::string::npos);
  CHECK(page_plan({PaymentStatus::failed}).find("payments_failed") != std::string::npos);
  CHECK(page_plan({PaymentStatus::unknown}).find("payments_unknown") != std::string::npos);
}
