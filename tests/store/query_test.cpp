// Goal: pages, streams and counts agree with the whole history. Method: every filter is compared with a list in memory.
#include <algorithm>
#include <map>
#include <random>

#include <sqlite3.h>

#include "migrations/payment_buckets.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;
using db::PaymentFilter;

namespace {

/// A history with every status, times that do not follow the index, and some labels.
struct History {
  explicit History(Store& store) {
    for (std::uint64_t number = 1; number <= 60; ++number) {
      switch (number % 6) {
        case 0: rows.push_back(store.initiated(number)); break;
        case 1: rows.push_back(store.in_flight(number)); break;
        case 2: rows.push_back(store.paid(number)); break;
        case 3: rows.push_back(store.failed(number)); break;
        case 4: rows.push_back(store.written_off(number)); break;
        default: rows.push_back(labelled(store, number)); break;
      }
    }
  }

  Payment labelled(Store& store, std::uint64_t number) {
    Payment payment;
    payment.request = request_of(number);
    payment.request.label = number % 4 == 1 ? "rent" : number % 5 == 0 ? "[rent" : "Coffee";
    payment.request.created = after(1'000 - static_cast<std::int64_t>(number));
    store.must(payment, {InitPayment{}});
    return payment;
  }

  std::vector<std::int64_t> matching(const PaymentFilter& filter) const {
    std::vector<std::int64_t> indexes;
    for (const Payment& payment : rows) {
      const bool status = filter.statuses.empty() || std::find(filter.statuses.begin(), filter.statuses.end(),
                                                               payment.status()) != filter.statuses.end();
      const bool hash = !filter.hash || payment.request.hash == *filter.hash;
      const bool label = !filter.label || payment.request.label == *filter.label;
      // The one pattern and the one text that are asked for below.
      const bool pattern = !filter.label_pattern || payment.request.label == "[rent";
      const bool text = !filter.search || payment.request.label == "Coffee";
      const bool time = (!filter.since || payment.request.created >= *filter.since) &&
                        (!filter.until || payment.request.created < *filter.until);
      if (status && hash && label && pattern && text && time) indexes.push_back(payment.index.value);
    }
    return indexes;
  }

  std::vector<Payment> rows;
};

std::vector<PaymentFilter> filters() {
  std::vector<PaymentFilter> all(1);
  for (const PaymentStatus status : {PaymentStatus::initiated, PaymentStatus::in_flight, PaymentStatus::succeeded,
                                     PaymentStatus::failed, PaymentStatus::unknown}) {
    all.emplace_back().statuses = {status};
  }
  all.emplace_back().statuses = {PaymentStatus::initiated, PaymentStatus::in_flight};
  all.emplace_back().statuses = {PaymentStatus::failed, PaymentStatus::unknown};
  all.emplace_back().label = "rent";
  all.emplace_back().label = "nobody's";
  all.emplace_back().label_pattern = "[r?n*";
  all.emplace_back().search = db::TextSearch{"COFF", {}};
  all.emplace_back().hash = request_of(7).hash;
  PaymentFilter& walked = all.emplace_back();
  walked.search = db::TextSearch{"coffee", {}};
  walked.since = after(970);
  walked.statuses = {PaymentStatus::initiated, PaymentStatus::failed};
  all.emplace_back().since = after(20);
  all.emplace_back().until = after(20);
  PaymentFilter& window = all.emplace_back();
  window.since = after(10);
  window.until = after(30);
  window.statuses = {PaymentStatus::succeeded};
  PaymentFilter& empty = all.emplace_back();
  empty.since = after(30);
  empty.until = after(10);
  return all;
}

std::vector<std::int64_t> indexes_of(const std::vector<Payment>& payments) {
  std::vector<std::int64_t> indexes;
  for (const Payment& payment : payments) indexes.push_back(payment.index.value);
  return indexes;
}

}  // namespace

TEST_CASE("pages in both directions, for every filter") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const History history(store);
  std::size_t number = 0;
  for (const PaymentFilter& filter : filters()) {
    CAPTURE(number++);
    const std::vector<std::int64_t> expected = history.matching(filter);
    CHECK(value_of(store.query.count(filter)) == expected.size());
    for (const bool forwards : {true, false}) {
      for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
        std::vector<std::int64_t> seen;
        db::PageRequest request{filter, PaymentIndex{}, forwards, size, false};
        for (bool more = true; more;) {
          const db::PaymentPage page = value_of(store.query.page(request));
          const auto indexes = indexes_of(page.payments);
          CHECK(std::is_sorted(indexes.begin(), indexes.end()));
          CHECK(page.payments.size() <= size);
          if (!indexes.empty()) {
            CHECK(page.first.value == indexes.front());
            CHECK(page.last.value == indexes.back());
          }
          seen.insert(forwards ? seen.end() : seen.begin(), indexes.begin(), indexes.end());
          request.offset = forwards ? page.last : page.first;
          more = page.more;
          if (more) CHECK(page.payments.size() == size);
        }
        CHECK(seen == expected);
      }
      std::vector<std::int64_t> streamed;
      (void)value_of(store.query.each(filter, forwards, true, [&](const std::variant<Payment, db::BadRow>& row) {
        streamed.push_back(std::get<Payment>(row).index.value);
        return true;
      }));
      if (!forwards) std::reverse(streamed.begin(), streamed.end());
      CHECK(streamed == expected);
    }
  }
}

TEST_CASE("the offset itself is not on the page") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 10; ++number) store.initiated(number);
  CHECK(indexes_of(value_of(store.query.page({{}, PaymentIndex{}, false, 3, false})).payments) ==
        std::vector<std::int64_t>{8, 9, 10});
  CHECK(indexes_of(value_of(store.query.page({{}, PaymentIndex{8}, false, 3, false})).payments) ==
        std::vector<std::int64_t>{5, 6, 7});
  CHECK(indexes_of(value_of(store.query.page({{}, PaymentIndex{}, true, 3, false})).payments) ==
        std::vector<std::int64_t>{1, 2, 3});
  CHECK(indexes_of(value_of(store.query.page({{}, PaymentIndex{3}, true, 3, false})).payments) ==
        std::vector<std::int64_t>{4, 5, 6});
  CHECK(value_of(store.query.page({{}, PaymentIndex{1}, false, 3, false})).payments.empty());
  CHECK(value_of(store.query.page({{}, PaymentIndex{INT64_MAX}, true, 3, false})).payments.empty());
  CHECK(value_of(store.query.page({{}, PaymentIndex{10}, true, 3, false})).first.value == 0);
}

TEST_CASE("a range of times far from where the walk begins, with rows out of order") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 3; ++number) store.initiated(number);
  // A gap of 40,000 indexes, and after it rows that were created before and after those.
  raw(folder.file("p"))->exec("UPDATE sqlite_sequence SET seq = 40000 WHERE name = 'payments'");
  for (std::uint64_t number = 4; number <= 6; ++number) store.initiated(number);
  Payment early;
  early.request = request_of(7);
  early.request.created = after(2);
  store.must(early, {InitPayment{}});
  PaymentFilter filter;
  filter.until = after(4);
  CHECK(indexes_of(value_of(store.query.page({filter, PaymentIndex{}, false, 2, true})).payments) ==
        std::vector<std::int64_t>{3, 40'004});
  CHECK(indexes_of(value_of(store.query.page({filter, PaymentIndex{40'004}, false, 9, true})).payments) ==
        std::vector<std::int64_t>{1, 2, 3});
  filter.until.reset();
  filter.since = after(3);
  CHECK(indexes_of(value_of(store.query.page({filter, PaymentIndex{}, true, 2, true})).payments) ==
        std::vector<std::int64_t>{3, 40'001});
  CHECK(indexes_of(value_of(store.query.page({filter, PaymentIndex{40'001}, true, 9, true})).payments) ==
        std::vector<std::int64_t>{40'002, 40'003});
  CHECK(value_of(store.query.page({filter, PaymentIndex{INT64_MAX - 1}, true, 9, true})).payments.empty());
}

TEST_CASE("ranges of times in histories of every disorder: pages and streams show what a reading of all shows") {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::uint32_t limit) { return static_cast<std::int64_t>(random() % limit); };
    const TempFolder folder;
    Store store(folder.file("p"));
    std::map<std::int64_t, UnixNs> created;
    std::int64_t clock = 1'000;
    std::int64_t index = 0;
    for (std::uint64_t number = 1; number <= 60; ++number) {
      // Two of three rows come after a gap that is longer than a near walk.
      if (below(3) != 0) index += 10'500 + below(3'000);
      raw(folder.file("p"))
          ->exec(
              "DELETE FROM sqlite_sequence WHERE name = 'payments'; INSERT INTO sqlite_sequence VALUES ('payments', " +
              std::to_string(index) + ")");
      clock += below(9);
      if (seed > 4 && below(20) == 0) clock += seed % 2 == 0 ? 500 : -400;  // somebody set the clock
      Payment payment;
      payment.request = request_of(number);
      payment.request.created = after(clock - below(seed % 3 == 0 ? 25 : 11));
      store.must(payment, {InitPayment{}});
      index = payment.index.value;
      created[index] = payment.request.created;
    }
    if (seed % 4 == 0) {
      // Imported rows are not noted by the trigger, but at the end of the import.
      const auto database = raw(folder.file("p"));
      for (int number = 1; number <= 20; ++number) {
        const std::int64_t at = index + 1 + 11'000 * ((number * 7) % 20);
        const UnixNs when = after(below(3'000));
        database->exec(
            "INSERT INTO payments (payment_index, payment_hash, amount_msat, created_ns, provenance, fail_reason, "
            "ended_ns) VALUES (" +
            std::to_string(at) + ", randomblob(32), 1, " + std::to_string(when.value) + ", 2, 1, 1)");
        created[at] = when;
      }
      database->exec("BEGIN");
      migrations::note_order(*database);
      migrations::note_order(*database);  // calling it twice changes nothing
      database->exec("COMMIT");
    }
    for (int question = 0; question < 40; ++question) {
      PaymentFilter filter;
      if (question % 3 != 1) filter.since = after(900 + below(900));
      if (question % 3 != 0) filter.until = after(900 + below(900));
      if (question == 0) filter.since = UnixNs{INT64_MIN};
      if (question == 1) filter.until = UnixNs{INT64_MIN};
      if (question == 3) filter.since = UnixNs{INT64_MAX};
      if (question == 4) filter.until = UnixNs{INT64_MAX};
      std::vector<std::int64_t> expected;
      for (const auto& [at, when] : created) {
        if ((!filter.since || when >= *filter.since) && (!filter.until || when < *filter.until)) expected.push_back(at);
      }
      for (const bool forwards : {true, false}) {
        std::vector<std::int64_t> in_order = expected;
        if (!forwards) std::reverse(in_order.begin(), in_order.end());
        const std::int64_t offset = question % 2 == 0 || in_order.empty() ? 0 : in_order[random() % in_order.size()];
        std::vector<std::int64_t> behind;
        for (const std::int64_t at : in_order) {
          if (offset == 0 || (forwards ? at > offset : at < offset)) behind.push_back(at);
        }
        const std::size_t size = 1 + random() % 9;
        const db::PaymentPage page = value_of(store.query.page({filter, PaymentIndex{offset}, forwards, size, true}));
        CHECK(page.more == (behind.size() > size));
        behind.resize(std::min(behind.size(), size));
        std::sort(behind.begin(), behind.end());
        CHECK(indexes_of(page.payments) == behind);
        std::vector<std::int64_t> streamed;
        (void)value_of(store.query.each(filter, forwards, true, [&](const auto& row) {
          streamed.push_back(std::get<Payment>(row).index.value);
          return true;
        }));
        CHECK(streamed == in_order);
      }
    }
  }
}

TEST_CASE("the page where a range of times begins is found without reading the range") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const auto database = raw(folder.file("p"));
  database->exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO payments "
      "(payment_index, payment_hash, amount_msat, created_ns, "
      "provenance, fail_reason, ended_ns) SELECT i, randomblob(32), 1, 1700000000000000000 + i * 1000000000, 2, 1, 1 "
      "FROM n");
  migrations::note_order(*database);
  const auto steps_of = [&](const PaymentFilter& filter, bool forwards) {
    (void)value_of(store.query.page({filter, PaymentIndex{}, forwards, 25, true}));
    std::int64_t before = 0;
    std::int64_t steps = 0;
    for (int round = 0; round < 2; ++round) {
      before = steps;
      steps = 0;
      for (sqlite3_stmt* one = nullptr;
           (one = sqlite3_next_stmt(store.connection.database().getHandle(), one)) != nullptr;) {
        steps += sqlite3_stmt_status(one, SQLITE_STMTSTATUS_VM_STEP, 0);
      }
      if (round == 0) (void)value_of(store.query.page({filter, PaymentIndex{}, forwards, 25, true}));
    }
    return steps - before;
  };
  PaymentFilter since;
  since.since = after(30'000);
  PaymentFilter until;
  until.until = after(30'000);
  // Half of it is the walk over the first 500 indexes; the range has 30,000 rows.
  CHECK(steps_of(since, true) < 20'000);
  CHECK(steps_of(until, false) < 20'000);
  const std::int64_t near = steps_of(since, false);
  CHECK(near < 5'000);
  MESSAGE("steps of SQLite's machine: since forwards " << steps_of(since, true) << ", until backwards "
                                                       << steps_of(until, false) << ", a page at the near end "
                                                       << near);
}

TEST_CASE("a stream stops when asked, and goes over many pages") {
  const TempFolder folder;
  Store store(folder.file("p"));
  std::vector<Payment> payments(1'200);
  std::vector<PaymentWrites> tick;
  const std::vector<Write> init = {InitPayment{}};
  for (std::size_t i = 0; i < payments.size(); ++i) {
    payments[i].request = request_of(i + 1);
    tick.push_back({&payments[i], init});
  }
  for (const auto& result : store.store.commit(tick)) REQUIRE(result);
  std::size_t seen = 0;
  (void)value_of(store.query.each({}, true, true, [&seen](const auto&) { return ++seen < 700; }));
  CHECK(seen == 700);
  seen = 0;
  (void)value_of(store.query.each({}, false, true, [&](const std::variant<Payment, db::BadRow>& row) {
    CHECK(std::get<Payment>(row).index.value == static_cast<std::int64_t>(1'200 - seen));
    ++seen;
    // No transaction of the stream is open between the rows of a page: others write and truncate the log.
    if (seen % 300 == 0) CHECK(sqlite3_get_autocommit(store.connection.database().getHandle()) != 0);
    return true;
  }));
  CHECK(seen == 1'200);
}

TEST_CASE("without hops: attempts and amounts, no routes") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  const auto page = value_of(store.query.page({{}, PaymentIndex{}, true, 1, true}));
  CHECK(page.payments[0].attempts[0].route.hops.empty());
  CHECK(page.payments[0].attempts[0].fee == Msat::of(1'000));
  CHECK(value_of(store.query.history(request_of(1).hash, true))->tries[0].attempts[0].route.hops.empty());
  CHECK_FALSE(value_of(store.query.history(request_of(1).hash))->tries[0].attempts[0].route.hops.empty());
}

TEST_CASE("hashes by their first digits, in payments and guards") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  store.failed(2);
  store.initiated(2);
  store.paid(3);
  db::DeleteRequest request;
  request.hashes = {request_of(3).hash};
  CHECK(value_of(store.admin.remove(request, alice)).deleted == 1);
  for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}}) {
    const PaymentHash hash = request_of(number).hash;
    const std::string hex = hash.hex();
    for (const std::size_t digits : {std::size_t{6}, std::size_t{7}, std::size_t{63}, std::size_t{64}}) {
      CHECK(value_of(store.query.find_hashes(hex.substr(0, digits), 10)) == std::vector{hash});
    }
    std::string upper = hex.substr(0, 9);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    CHECK(value_of(store.query.find_hashes(upper, 10)) == std::vector{hash});
  }
  CHECK(value_of(store.query.find_hashes("0123456789abcdef", 10)).empty());
  for (const char* wrong : {"", "12345", "12345g", "0x1234567"}) {
    CAPTURE(wrong);
    CHECK(store.query.find_hashes(wrong, 10).error().code == Errc::usage);
  }
  CHECK(store.query.find_hashes(std::string(65, 'a'), 10).error().code == Errc::usage);
}

TEST_CASE("the history of a hash: tries newest first, duplicates, the guard") {
  const TempFolder folder;
  Store store(folder.file("p"));
  CHECK_FALSE(value_of(store.query.history(request_of(1).hash)));
  store.failed(1);
  Payment again;
  again.request = request_of(1);
  store.must(again, {InitPayment{}, RegisterAttempt{attempt_of(500)}});
  auto history = value_of(store.query.history(request_of(1).hash));
  REQUIRE(history);
  CHECK(indexes_of(history->tries) == std::vector<std::int64_t>{2, 1});
  CHECK(history->head()->index == again.index);
  store.must(again, {FailAttempt{own_key(1, 500), some_failure(), after(70)}});
  store.must(again, {FailPayment{FailureReason::no_route, after(70)}});
  Payment first = *store.store.load(PaymentIndex{1}).value();
  store.must(first, {SettleAttempt{first_attempt(1), preimage_of(1), after(80)},
                     StoreLatePreimage{preimage_of(1), after(80)}});
  history = value_of(store.query.history(request_of(1).hash));
  CHECK(history->head()->index == first.index);
  // The hash also has a legacy duplicate.
  raw(folder.file("p"))
      ->exec(
          "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, provenance, duplicate_of, "
          "fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts, "
          "fail_reason, ended_ns) SELECT payment_hash, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM payments WHERE "
          "payment_index = 1");
  history = value_of(store.query.history(request_of(1).hash));
  CHECK(history->tries.size() == 2);
  REQUIRE(history->duplicates.size() == 1);
  CHECK(history->duplicates[0].duplicate_of == PaymentIndex{1});
  CHECK(history->duplicates[0].provenance == Provenance::lnd_legacy);
  CHECK_FALSE(history->guard);
}

TEST_CASE("an attempt that the operator closed is known of until the switch has told its end") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  store.failed(2);
  store.written_off(3);  // its preimage is lost: there is nothing to wait for
  CHECK_FALSE(value_of(store.query.any_watched()));
  Payment closed = store.assumed_failed(4);
  CHECK(value_of(store.query.any_watched()));
  store.must(closed, {FailAttempt{first_attempt(4), some_failure(), after(99)}});
  CHECK_FALSE(value_of(store.query.any_watched()));
}

TEST_CASE("guards and quarantined records, in pages") {
  const TempFolder folder;
  Store store(folder.file("p"));
  db::DeleteRequest request;
  for (std::uint64_t number = 1; number <= 5; ++number) {
    store.paid(number);
    request.hashes.push_back(request_of(number).hash);
  }
  CHECK(value_of(store.admin.remove(request, alice)).deleted == 5);
  std::optional<PaymentHash> last;
  std::vector<PaymentHash> seen;
  for (auto page = value_of(store.query.guards(last, 2)); !page.empty(); page = value_of(store.query.guards(last, 2))) {
    for (const db::StoredGuard& stored : page) {
      CHECK(stored.guard.kind == GuardKind::paid_deleted);
      CHECK(stored.guard.amount == Msat::of(250'000));
      CHECK_FALSE(stored.released);
      seen.push_back(stored.guard.hash);
    }
    last = seen.back();
  }
  std::sort(request.hashes.begin(), request.hashes.end());
  CHECK(seen == request.hashes);
  raw(folder.file("p"))
      ->exec(
          "INSERT INTO quarantine (source, sequence, payment_hash, reason, record, at_ns) VALUES ('payments', 17, "
          "zeroblob(32), 'cut', x'0102', 5), "
          "('payments', NULL, NULL, 'no key', x'', 6)");
  const auto records = value_of(store.query.quarantine(0, 10));
  REQUIRE(records.size() == 2);
  CHECK(records[0].sequence == 17);
  CHECK(records[0].record == Bytes{1, 2});
  CHECK(records[1].record.empty());
  CHECK_FALSE(records[1].hash);
  CHECK(value_of(store.query.quarantine(records[0].id, 10)).size() == 1);
  CHECK(value_of(store.query.quarantine(0, 1)).size() == 1);
}
