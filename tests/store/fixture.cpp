// Makes payments for the tests of the store, compares them, damages files, and starts child processes.
#include "tests/store/fixture.h"

#include <array>
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

namespace paytower::test {

PaymentRequest request_of(std::uint64_t number) {
  return request_at(after(static_cast<std::int64_t>(number)), number, 60);
}

Attempt attempt_of(std::uint64_t id, std::uint32_t part) {
  Attempt attempt;
  attempt.id = AttemptId{id};
  attempt.part = part;
  attempt.switch_key = SwitchKey{key_of(9), "regtest"};
  attempt.marks = Marks{'1', 0, 0xFF, static_cast<std::uint8_t>(id)};
  attempt.route = route_of(id);
  attempt.amount = attempt.route.delivered();
  attempt.fee = attempt.route.fees();
  attempt.registered = after(5);
  attempt.total_time_lock = 800'120;
  attempt.dies_at = after(65);
  return attempt;
}

Failure some_failure() {
  return Failure{FailureCode::temporary_channel_failure, 1, ChannelDirection{ShortChannelId{7}, 1}, key_of(1),
                 "no liquidity"};
}

Result<Stored> Store::write(Payment& payment, const std::vector<Write>& writes) {
  const PaymentWrites entry{&payment, writes};
  auto results = store.commit(std::span(&entry, 1));
  REQUIRE(results.size() == 1);
  if (!results.front()) return results.front();
  payment.index = results.front()->index;
  for (const Write& write : writes) apply(payment, write);
  return results.front();
}

void Store::must(Payment& payment, const std::vector<Write>& writes) {
  const auto stored = write(payment, writes);
  if (!stored) FAIL("refused: ", std::string(code_name(stored.error().code)), ": ", stored.error().message);
}

Payment Store::initiated(std::uint64_t number) {
  Payment payment;
  payment.request = request_of(number);
  must(payment, {InitPayment{}});
  return payment;
}

Payment Store::in_flight(std::uint64_t number) {
  Payment payment;
  payment.request = request_of(number);
  must(payment, {InitPayment{}, RegisterAttempt{attempt_of(number * 10 + 1)}});
  return payment;
}

Payment Store::in_parts(std::uint64_t number) {
  Payment payment;
  payment.request = request_of(number);
  payment.request.max_parts = 3;
  std::vector<Write> writes{InitPayment{}};
  for (const std::uint32_t part : {1U, 2U, 3U}) {
    Attempt attempt = attempt_of(number * 10 + 1, part);
    attempt.amount = Msat::of(part == 1 ? 50'000 : 100'000);
    attempt.fee = Msat::of(10);
    writes.emplace_back(RegisterAttempt{attempt});
  }
  must(payment, writes);
  return payment;
}

Payment Store::paid(std::uint64_t number) {
  Payment payment = in_flight(number);
  const UnixNs at = after(static_cast<std::int64_t>(number) + 30);
  must(payment, {SettleAttempt{first_attempt(number), preimage_of(number), at}, Succeed{preimage_of(number), at}});
  return payment;
}

Payment Store::failed(std::uint64_t number) {
  Payment payment = in_flight(number);
  const UnixNs at = after(static_cast<std::int64_t>(number) + 30);
  must(payment, {FailAttempt{first_attempt(number), some_failure(), at}});
  must(payment, {FailPayment{FailureReason::no_route, at}});
  return payment;
}

Payment Store::written_off(std::uint64_t number) {
  Payment payment = in_flight(number);
  const UnixNs at = after(static_cast<std::int64_t>(number) + 30);
  must(payment, {CloseAttempt{first_attempt(number), Failure{FailureCode::preimage_lost, {}, {}, {}, {}}, at},
                 EndUnknown{EndNote::preimage_lost, at}});
  return payment;
}

Payment Store::assumed_failed(std::uint64_t number) {
  Payment payment = in_flight(number);
  const UnixNs at = after(static_cast<std::int64_t>(number) + 30);
  must(payment, {CloseAttempt{first_attempt(number), Failure{FailureCode::assumed_failed, {}, {}, {}, {}}, at},
                 FailPayment{FailureReason::error, at}});
  return payment;
}

void Store::one_of_each() {
  initiated(1);
  in_flight(2);
  paid(3);
  failed(4);
  written_off(5);
  assumed_failed(6);
}

std::unique_ptr<SQLite::Database> raw(const std::string& path) {
  auto database = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE, 5'000);
  database->exec("PRAGMA foreign_keys = ON");
  database->exec("PRAGMA wal_autocheckpoint = 0");
  db::payment_file().register_functions(*database);
  return database;
}

void damage(const std::string& path, const std::string& sql) {
  const auto database = raw(path);
  std::vector<std::string> triggers;
  {
    SQLite::Statement statement(*database, "SELECT sql FROM sqlite_master WHERE type = 'trigger'");
    while (statement.executeStep()) triggers.push_back(statement.getColumn(0).getString());
  }
  database->exec("BEGIN");
  {
    std::vector<std::string> names;
    SQLite::Statement statement(*database, "SELECT name FROM sqlite_master WHERE type = 'trigger'");
    while (statement.executeStep()) names.push_back(statement.getColumn(0).getString());
    statement.reset();
    for (const std::string& name : names) database->exec("DROP TRIGGER " + name);
  }
  database->exec("PRAGMA ignore_check_constraints = ON");
  database->exec(sql);
  for (const std::string& trigger : triggers) database->exec(trigger);
  database->exec("COMMIT");
}

void check_same(const Payment& expected, const Payment& stored) {
  CHECK(stored.index == expected.index);
  CHECK(stored.provenance == expected.provenance);
  CHECK(stored.duplicate_of == expected.duplicate_of);
  CHECK(stored.preimage == expected.preimage);
  CHECK(stored.late_preimage == expected.late_preimage);
  CHECK(stored.fail_reason == expected.fail_reason);
  CHECK(stored.stop_reason == expected.stop_reason);
  CHECK(stored.failure_detail == expected.failure_detail);
  CHECK(stored.end_note == expected.end_note);
  CHECK(stored.ended == expected.ended);
  CHECK(stored.status() == expected.status());
  const PaymentRequest& left = expected.request;
  const PaymentRequest& right = stored.request;
  CHECK(right.hash == left.hash);
  CHECK(right.demand.destination == left.demand.destination);
  CHECK(right.demand.amount == left.demand.amount);
  CHECK(right.demand.final_cltv_delta == left.demand.final_cltv_delta);
  CHECK(right.demand.fee_limit == left.demand.fee_limit);
  CHECK(right.demand.cltv_limit == left.demand.cltv_limit);
  CHECK(right.demand.outgoing_channels == left.demand.outgoing_channels);
  CHECK(right.payment_secret == left.payment_secret);
  CHECK(right.metadata == left.metadata);
  CHECK(right.invoice == left.invoice);
  CHECK(right.network == left.network);
  CHECK(right.label == left.label);
  CHECK(right.max_attempts == left.max_attempts);
  CHECK(right.max_parts == left.max_parts);
  CHECK(right.created == left.created);
  CHECK(right.deadline == left.deadline);
  CHECK(right.candidates == left.candidates);
  REQUIRE(stored.attempts.size() == expected.attempts.size());
  for (std::size_t i = 0; i < stored.attempts.size(); ++i) {
    CAPTURE(i);
    const Attempt& one = expected.attempts[i];
    const Attempt& other = stored.attempts[i];
    CHECK(other.row > 0);
    CHECK(other.id == one.id);
    CHECK(other.part == one.part);
    CHECK(other.origin == one.origin);
    CHECK(other.switch_key == one.switch_key);
    CHECK(other.marks == one.marks);
    CHECK(other.route == one.route);
    CHECK(other.amount == one.amount);
    CHECK(other.fee == one.fee);
    CHECK(other.registered == one.registered);
    CHECK(other.total_time_lock == one.total_time_lock);
    CHECK(other.expected_time_lock == one.expected_time_lock);
    CHECK(other.moved == one.moved);
    CHECK(other.dies_at == one.dies_at);
    CHECK(other.switch_run == one.switch_run);
    CHECK(other.accepted == one.accepted);
    CHECK(other.resolved == one.resolved);
    CHECK(other.outcome == one.outcome);
    CHECK(other.preimage == one.preimage);
    CHECK(other.failure == one.failure);
  }
}

int in_child(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool good = false;
    try {
      good = work();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

pid_t start_child(const std::function<void()>& work) {
  std::array<int, 2> ready{};
  REQUIRE(::pipe(ready.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(ready[0]);
    try {
      work();
      const char done = 1;
      if (::write(ready[1], &done, 1) != 1) ::_exit(98);
      while (true) ::pause();
    } catch (...) {
      ::_exit(99);
    }
  }
  ::close(ready[1]);
  char done = 0;
  REQUIRE(::read(ready[0], &done, 1) == 1);
  ::close(ready[0]);
  return child;
}

void kill_child(pid_t child) {
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
}

}  // namespace paytower::test
