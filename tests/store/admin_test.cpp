// Goal: deleting never makes a paid or open hash payable, a plan says what the deletion then does, and it blocks
// nobody; a backup is complete; a check finds what is wrong. Method: real files, and a second connection that works at
// the same time.
#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;
using db::DeleteReport;
using db::DeleteRequest;
using db::OperatorDecision;

namespace {

DeleteRequest named(std::vector<std::uint64_t> numbers) {
  DeleteRequest request;
  for (const std::uint64_t number : numbers) request.hashes.push_back(request_of(number).hash);
  return request;
}

std::map<PaymentHash, std::string> reasons(const DeleteReport& report) {
  std::map<PaymentHash, std::string> map;
  for (const auto& skipped : report.skipped) map[skipped.hash] = skipped.reason;
  CHECK(map.size() == report.skipped.size());
  return map;
}

/// Plans, deletes, and checks that both reports say the same.
DeleteReport remove_as_planned(Store& store, const DeleteRequest& request) {
  const DeleteReport plan = value_of(store.admin.plan(request));
  const DeleteReport done = value_of(store.admin.remove(request, alice));
  CHECK(done.deleted == plan.deleted);
  CHECK(done.deleted_htlcs == plan.deleted_htlcs);
  CHECK(done.forgotten == plan.forgotten);
  CHECK(reasons(done) == reasons(plan));
  CHECK_FALSE(done.interrupted);
  return done;
}

Errc init_again(Store& store, std::uint64_t number) {
  Payment payment;
  payment.request = request_of(number);
  const auto stored = store.write(payment, {InitPayment{}});
  return stored ? Errc::internal : stored.error().code;
}

std::vector<int> words(Store& store) {
  std::vector<int> said;
  SQLite::Statement statement(store.connection.database(), "SELECT word FROM operator_words ORDER BY id");
  while (statement.executeStep()) said.push_back(statement.getColumn(0).getInt());
  return said;
}

}  // namespace

TEST_CASE("delete by hash: what is open or watched stays, what is paid leaves a guard") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  const DeleteReport report = remove_as_planned(store, named({1, 2, 3, 4, 5, 6, 7}));
  CHECK(report.deleted == 3);
  CHECK(report.deleted_htlcs == 3);
  CHECK(report.forgotten == 0);
  CHECK(reasons(report) == std::map<PaymentHash, std::string>{{request_of(1).hash, "in_flight"},
                                                              {request_of(2).hash, "in_flight"},
                                                              {request_of(6).hash, "watched"},
                                                              {request_of(7).hash, "not_found"}});
  CHECK(value_of(store.query.count({})) == 3);
  CHECK(init_again(store, 3) == Errc::already_paid);
  CHECK(init_again(store, 4) == Errc::internal);  // no refusal: a failed hash is payable again
  CHECK(init_again(store, 5) == Errc::guarded);
  const HashState paid = store.store.find(request_of(3).hash).value();
  REQUIRE(paid.guard);
  CHECK(paid.guard->kind == GuardKind::paid_deleted);
  CHECK(paid.guard->preimage == preimage_of(3));
  CHECK(paid.guard->amount == request_of(3).demand.amount);
  CHECK(paid.guard->destination == request_of(3).demand.destination);
  CHECK_FALSE(paid.guard->payment_secret_hash);
  CHECK(store.store.find(request_of(5).hash).value().guard->kind == GuardKind::written_off);
  // The same once more: only the guard is left.
  CHECK(reasons(remove_as_planned(store, named({3}))).at(request_of(3).hash) == "guarded");
  CHECK(value_of(store.admin.check()).problems.empty());
}

TEST_CASE("the guard of a paid payment keeps the hash of its secret, not the secret") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment;
  payment.request = request_of(1);
  payment.request.payment_secret.emplace().bytes.fill(9);
  store.must(payment, {InitPayment{}, RegisterAttempt{attempt_of(11)}});
  store.must(payment, {SettleAttempt{own_key(1, 11), preimage_of(1), after(9)}, Succeed{preimage_of(1), after(9)}});
  CHECK(remove_as_planned(store, named({1})).deleted == 1);
  CHECK(store.store.find(request_of(1).hash).value().guard->payment_secret_hash ==
        sha256(payment.request.payment_secret->bytes));
}

TEST_CASE("delete --all: the failed ones; with include_non_failed all that ended; by age of the end") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  store.failed(14);
  DeleteRequest request;
  request.ended_before = after(44);  // 14 ended at 44
  DeleteReport report = remove_as_planned(store, request);
  CHECK(report.deleted == 1);
  CHECK(reasons(report).count(request_of(14).hash) == 0);
  CHECK(reasons(report).at(request_of(1).hash) == "in_flight");
  request.ended_before.reset();
  CHECK(remove_as_planned(store, request).deleted == 1);
  CHECK(value_of(store.query.count({})) == 5);
  request.include_non_failed = true;
  report = remove_as_planned(store, request);
  CHECK(report.deleted == 2);
  CHECK(report.skipped.size() == 3);
  CHECK(value_of(store.query.count({})) == 3);
  CHECK(init_again(store, 3) == Errc::already_paid);
}

TEST_CASE("a named payment that ended too recently is told") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.failed(1);
  DeleteRequest request = named({1});
  request.ended_before = after(31);
  CHECK(reasons(remove_as_planned(store, request)).at(request_of(1).hash) == "too_recent");
  request.ended_before = after(32);
  CHECK(remove_as_planned(store, request).deleted == 1);
}

TEST_CASE("failed attempts only: payments, proofs and watched ones stay") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  Payment retried = store.in_flight(7);
  store.must(retried, {FailAttempt{first_attempt(7), some_failure(), after(9)}});
  store.must(retried, {RegisterAttempt{attempt_of(72)}});
  store.must(retried, {SettleAttempt{own_key(7, 72), preimage_of(7), after(10)}, Succeed{preimage_of(7), after(10)}});
  Payment trying = store.in_flight(8);
  store.must(trying, {FailAttempt{first_attempt(8), some_failure(), after(9)}});
  DeleteRequest request;
  request.failed_htlcs_only = true;
  const DeleteReport report = remove_as_planned(store, request);
  CHECK(report.deleted == 0);
  CHECK(report.deleted_htlcs == 2);
  CHECK(value_of(store.query.count({})) == 8);
  CHECK(store.store.load(retried.index).value()->attempts.size() == 1);
  // This payment goes on, and its limits count these attempts.
  CHECK(store.store.load(trying.index).value()->attempts.size() == 1);
  CHECK(store.store.load(PaymentIndex{4}).value()->status() == PaymentStatus::failed);
  CHECK(store.store.load(PaymentIndex{4}).value()->attempts.empty());
  CHECK(remove_as_planned(store, request).deleted_htlcs == 0);
}

TEST_CASE("--forget drops the guard too, by a word that is written down") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  DeleteRequest request = named({3});
  request.forget = true;
  CHECK(remove_as_planned(store, request).forgotten == 1);
  CHECK(init_again(store, 3) == Errc::internal);
  // Only a guard is left.
  CHECK(remove_as_planned(store, named({5})).forgotten == 0);
  request = named({5});
  request.forget = true;
  const DeleteReport report = remove_as_planned(store, request);
  CHECK(report.deleted == 0);
  CHECK(report.forgotten == 1);
  CHECK(init_again(store, 5) == Errc::internal);
  CHECK(words(store) == std::vector<int>{3, 3});
  // An open payment keeps everything.
  request = named({2});
  request.forget = true;
  CHECK(reasons(remove_as_planned(store, request)).at(request_of(2).hash) == "in_flight");
}

TEST_CASE("all tries of a hash and their duplicates go together") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.failed(1);
  store.assumed_failed(2);
  Payment again;
  again.request = request_of(1);
  store.must(again, {InitPayment{}, FailPayment{FailureReason::no_route, after(99)}});
  const auto legacy = raw(folder.file("p"));
  legacy->exec(
      "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, provenance, duplicate_of, "
      "fee_limit_msat, cltv_limit, final_cltv_delta, "
      "max_attempts, fail_reason, ended_ns) SELECT payment_hash, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM payments WHERE "
      "payment_index = 1");
  legacy->exec(
      "INSERT INTO attempts (payment_index, origin, amount_msat, fee_msat, registered_ns, outcome, resolved_ns, "
      "failure_code) VALUES (4, 2, 7, 0, 1, 2, 1, 1)");
  const DeleteReport report = remove_as_planned(store, named({1}));
  CHECK(report.deleted == 3);
  CHECK(report.deleted_htlcs == 2);
  CHECK_FALSE(value_of(store.query.history(request_of(1).hash)));
}

TEST_CASE("an open duplicate keeps its first record") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.failed(1);
  raw(folder.file("p"))
      ->exec(
          "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, provenance, duplicate_of, "
          "fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts) "
          "SELECT payment_hash, 7, 1, 1, 1, 1, 1, 1, 1, 1 FROM payments WHERE payment_index = 1");
  CHECK(reasons(remove_as_planned(store, named({1}))).at(request_of(1).hash) == "in_flight");
  CHECK(value_of(store.query.count({})) == 2);
  CHECK(init_again(store, 1) == Errc::in_flight);
}

TEST_CASE("a large delete goes in batches, stops when asked, goes on, and gives the pages back") {
  const TempFolder folder;
  Store store(folder.file("p"));
  std::vector<Payment> payments(1'300);
  std::vector<PaymentWrites> tick;
  const std::vector<Write> writes = {InitPayment{}, FailPayment{FailureReason::no_route, after(9)}};
  for (std::size_t i = 0; i < payments.size(); ++i) {
    payments[i].request = request_of(i + 1);
    payments[i].request.invoice = std::string(1'000, 'x');
    tick.push_back({&payments[i], writes});
  }
  for (const auto& result : store.store.commit(tick)) REQUIRE(result);
  const auto pages = [&] { return store.connection.database().execAndGet("PRAGMA page_count").getInt(); };
  const int before = pages();
  std::vector<std::uint64_t> steps;
  const DeleteReport first = value_of(store.admin.remove({}, alice, [&steps](const DeleteReport& so_far) {
    steps.push_back(so_far.deleted);
    return steps.size() < 2;
  }));
  CHECK(first.interrupted);
  CHECK(first.deleted == 1'000);
  CHECK(steps == std::vector<std::uint64_t>{500, 1'000});
  CHECK(value_of(store.query.count({})) == 300);
  // Others write between the batches.
  Store other(folder.file("p"));
  std::uint64_t written = 2'000;
  const DeleteReport second = value_of(store.admin.remove({}, alice, [&](const DeleteReport&) {
    other.in_flight(++written);
    return true;
  }));
  CHECK(second.deleted == 300);
  CHECK_FALSE(second.interrupted);
  CHECK(store.connection.database().execAndGet("PRAGMA freelist_count").getInt() < 20);
  CHECK(pages() < before / 4);
  CHECK(value_of(store.query.count({})) == written - 2'000);
  CHECK(value_of(store.admin.check()).problems.empty());
}

TEST_CASE("a payment that opens between the plan and the deed stays") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.failed(1);
  store.failed(2);
  Store other(folder.file("p"));
  Payment second = *other.store.load(PaymentIndex{2}).value();
  bool changed = false;
  // The second hash is looked at after the first one's batch.
  const DeleteReport report = value_of(store.admin.remove(named({1, 2}), alice, [&](const DeleteReport&) {
    if (!changed) {
      changed = true;
      Payment again;
      again.request = request_of(2);
      other.must(again, {InitPayment{}, RegisterAttempt{attempt_of(900)}});
    }
    return true;
  }));
  CHECK(report.deleted == 2);
  CHECK(reasons(report).at(request_of(2).hash) == "in_flight");
  CHECK(store.store.find(request_of(2).hash).value().payment->has_open_attempt());
}

TEST_CASE("the operator's words: written down, and what they do to guards") {
  const TempFolder folder;
  Store store(folder.file("p"));
  raw(folder.file("p"))
      ->exec("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 4, NULL, 'x')");
  const auto guard = [&](std::uint64_t number, int kind) {
    SQLite::Statement insert(store.connection.database(),
                             "INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (?1, ?2, 1)");
    const PaymentHash hash = request_of(number).hash;
    insert.bind(1, hash.bytes.data(), 32);
    insert.bind(2, kind);
    insert.exec();
  };
  guard(1, 1);
  guard(2, 2);
  guard(3, 1);
  CHECK(store.admin.release_guard(request_of(1).hash, alice));
  CHECK(init_again(store, 1) == Errc::internal);
  CHECK(value_of(store.query.history(request_of(1).hash))->guard_released);
  CHECK(store.admin.release_guard(request_of(2).hash, alice).error().code == Errc::already_paid);
  CHECK(store.admin.write_off_guard(request_of(2).hash, alice).error().code == Errc::already_paid);
  CHECK(store.admin.release_guard(request_of(9).hash, alice).error().code == Errc::not_found);
  CHECK(store.admin.write_off_guard(request_of(3).hash, alice));
  CHECK(init_again(store, 3) == Errc::guarded);
  CHECK(store.store.find(request_of(3).hash).value().guard->kind == GuardKind::written_off);
  guard(5, 4);
  store.connection.database().exec(
      "UPDATE hash_guards SET amp = 1 WHERE kind = 4 AND released_ns IS NULL AND "
      "payment_hash = x'" +
      request_of(5).hash.hex() + "'");
  CHECK(store.store.find(request_of(5).hash).value().guard->amp);
  CHECK(store.admin.release_guard(request_of(5).hash, alice).error().code == Errc::already_ended);
  CHECK(init_again(store, 5) == Errc::already_ended);
  (void)value_of(store.admin.record_decision(OperatorDecision::cancel, request_of(4).hash, alice));
  (void)value_of(store.admin.record_decision(OperatorDecision::restored, std::nullopt, alice));
  CHECK(words(store) == std::vector<int>{4, 1, 2, 5, 4});
  CHECK(store.connection.database().execAndGet("SELECT speaker FROM operator_words WHERE word = 5").getString() ==
        "alice");
  (void)value_of(store.admin.accept_ids_up_to(AttemptId{77}));
  (void)value_of(store.admin.accept_ids_up_to(AttemptId{5}));
  CHECK(store.store.find(request_of(1).hash).value().knowledge.deleted_up_to == AttemptId{77});
}

TEST_CASE("a backup is whole while others write, and opens as what it is") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 200; ++number) store.paid(number);
  Store other(folder.file("p"));
  std::uint64_t written = 0;
  const auto done = store.admin.backup(folder.file("copy"), [&](int pages, int all) {
    CHECK(pages <= all);
    other.paid(1'000 + ++written);
    return true;
  });
  CHECK(done);
  CHECK(written > 0);
  struct stat seen {};
  REQUIRE(::stat(folder.file("copy").c_str(), &seen) == 0);
  CHECK((seen.st_mode & 07777) == 0600);
  CHECK_FALSE(std::filesystem::exists(folder.file("copy-wal")));
  Store copy(folder.file("copy"), db::OpenMode::read_write);
  CHECK(value_of(copy.query.count({})) == 200);
  CHECK(copy.store.store_id() == store.store.store_id());
  CHECK(value_of(copy.store.take_in_spool(after(1))).left.empty());
  CHECK(value_of(copy.admin.check()).problems.empty());
  copy.in_flight(5'000);
  CHECK(value_of(store.query.count({})) == 200 + written);
}

TEST_CASE("a backup never overwrites, and leaves nothing half done") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  CHECK(store.admin.backup(folder.file("copy")));
  CHECK_FALSE(store.admin.backup(folder.file("copy")));
  CHECK_FALSE(store.admin.backup(folder.file("p")));
  CHECK(store.admin.backup("").error().code == Errc::usage);
  CHECK(store.admin.backup(":memory:").error().code == Errc::usage);
  CHECK(store.admin.backup("file:x").error().code == Errc::usage);
  CHECK(store.admin.backup(folder.file("no/folder/copy")).error().code == Errc::database);
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(folder.path()), {}); };
  const auto before = files();
  CHECK(store.admin.backup(folder.file("other"), [](int, int) { return false; }).error().code == Errc::database);
  CHECK(files() == before);
  CHECK(value_of(Store(folder.file("copy"), db::OpenMode::read_only).query.count({})) == 1);
}

TEST_CASE("check counts what is open for each switch, and finds what is wrong") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  db::CheckReport report = value_of(store.admin.check());
  CHECK(report.problems.empty());
  CHECK(report.payments == 6);
  CHECK(report.attempts == 5);
  REQUIRE(report.open.size() == 1);
  CHECK(report.open[0].first == SwitchKey{key_of(9), "regtest"});
  CHECK(report.open[0].second == 1);
  const auto finds = [&](const std::string& text) {
    for (const std::string& problem : value_of(store.admin.check()).problems) {
      if (problem.find(text) != std::string::npos) return true;
    }
    return false;
  };
  SUBCASE("a proof that does not prove") {
    damage(folder.file("p"), "UPDATE payments SET preimage = zeroblob(32) WHERE payment_index = 3");
    CHECK(finds("payment 3"));
  }
  SUBCASE("an attempt without its payment") {
    raw(folder.file("p"))->exec("PRAGMA foreign_keys = OFF");
    const auto loose = raw(folder.file("p"));
    loose->exec("PRAGMA foreign_keys = OFF");
    loose->exec("DROP TRIGGER attempts_immutable");
    loose->exec("UPDATE attempts SET payment_index = 999 WHERE payment_index = 4");
    CHECK(finds("trigger attempts_immutable is missing"));
    CHECK(finds("attempts points nowhere"));
  }
  SUBCASE("a settled attempt of a payment that is not paid") {
    damage(folder.file("p"),
           "UPDATE attempts SET outcome = 1, resolved_ns = 1, preimage = (SELECT preimage FROM payments WHERE "
           "payment_index = 3) WHERE payment_index = 2");
    CHECK(finds("settled"));
  }
  SUBCASE("a counter that went back") {
    damage(folder.file("p"), "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'payments'");
    CHECK(finds("counter"));
  }
  SUBCASE("files that others can read or write") {
    const std::pair<mode_t, const char*> modes[] = {
        {0644, "can be read by everyone"},
        {0640, "can be read by its group"},
        {0620, "can be written by its group"},
        {0602, "can be written by everyone"},
        {0660, "can be read and written by its group"},
        {0606, "can be read and written by everyone"},
        {0664, "can be read by everyone and written by its group"},
        {0642, "can be read by its group and written by everyone"},
        {0610, "has the mode 0610"},
    };
    for (const char* end : {"", "-wal", ".lock", ".spool"}) {
      const std::string path = folder.file("p") + end;
      for (const auto& [mode, words] : modes) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(finds(fmt::format("{} {}: chmod 600 it", path, words)));
      }
      REQUIRE(::chmod(path.c_str(), 0600) == 0);
    }
  }
  SUBCASE("no spool") {
    std::filesystem::remove(folder.file("p.spool"));
    CHECK(finds("spool is missing"));
  }
}
