// Goal: statistics say what a person would count, whatever else is in the file. Method: a history counted by hand; the
// histogram against sorted lists of seeded numbers.
#include <algorithm>
#include <random>

#include "db/payments/stats.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;

namespace {

db::PaymentStats stats_of(Store& store, const db::StatsSpan& span = {}) {
  return *value_of(db::payment_stats(store.connection, span));
}

/// A payment of `amount` msat that pays `fee` after `failures` failed attempts, and settles `took` seconds after its
/// creation.
void paid_payment(Store& store, std::uint64_t number, std::uint64_t amount, std::uint64_t fee, std::uint64_t failures,
                  std::int64_t took) {
  Payment payment;
  payment.request = request_of(number);
  payment.request.demand.amount = Msat::of(amount);
  payment.request.demand.fee_limit = Msat::of(1'000'000'000);
  store.must(payment, {InitPayment{}});
  for (std::uint64_t i = 0; i <= failures; ++i) {
    Attempt attempt = attempt_of(number * 100 + i + 1);
    attempt.amount = Msat::of(amount);
    attempt.fee = Msat::of(fee);
    store.must(payment, {RegisterAttempt{attempt}});
    const UnixNs at{payment.request.created.value + took * ns_per_second};
    if (i < failures) {
      const Failure failure{FailureCode::fee_insufficient, 1, ChannelDirection{ShortChannelId{9'007}, 1}, {}, "low"};
      store.must(payment, {FailAttempt{payment.key(attempt), failure, at}});
    } else {
      const Preimage proof = preimage_of(number);
      store.must(payment, {SettleAttempt{payment.key(attempt), proof, at}, Succeed{proof, at}});
    }
  }
}

}  // namespace

TEST_CASE("a history counted by hand") {
  const TempFolder folder;
  Store store(folder.file("p"));
  paid_payment(store, 1, 1'000'000, 100, 0, 2);
  paid_payment(store, 2, 2'000'000, 50, 2, 4);
  paid_payment(store, 3, 1'000, 200, 1, 9);
  (void)store.failed(4);
  (void)store.failed(5);
  (void)store.in_flight(6);
  (void)store.initiated(7);
  (void)store.written_off(8);

  const db::PaymentStats stats = stats_of(store);
  CHECK(stats.paid_in_parts == 0);
  CHECK(stats.parts_each.count() == 3);
  CHECK(stats.parts_each.percentile(100) == 1);
  CHECK(stats.payments == 8);
  CHECK(stats.with(PaymentStatus::succeeded) == 3);
  CHECK(stats.with(PaymentStatus::failed) == 2);
  CHECK(stats.with(PaymentStatus::in_flight) == 1);
  CHECK(stats.with(PaymentStatus::initiated) == 1);
  CHECK(stats.with(PaymentStatus::unknown) == 1);
  CHECK(stats.success_ppm() == 600'000);
  CHECK(stats.attempts == 6 + 2 + 1 + 1);
  CHECK(stats.attempts_each.count() == 6);
  CHECK(stats.attempts_each.percentile(50) == 1);
  CHECK(stats.attempts_each.percentile(100) == 3);
  CHECK(stats.amount_msat == 3'001'000);
  CHECK(stats.fee_msat.sum() == 350);
  CHECK(stats.fee_msat.percentile(50) == 100);
  CHECK(stats.fee_msat.percentile(1) == 50);
  CHECK(stats.fee_ppm.percentile(50) == 100);  // 100, 25 and 200,000
  CHECK(stats.fee_ppm.percentile(1) == 25);
  CHECK(stats.fee_ppm.percentile(100) == 200'000);
  CHECK(stats.overall_fee_ppm() == 116);  // 350 of 3,001,000
  CHECK(stats.settle_us.count() == 3);
  CHECK(stats.settle_us.percentile(100) == 9'000'000);
  CHECK(stats.by_code.at(FailureCode::fee_insufficient) == 3);
  CHECK(stats.by_code.at(FailureCode::preimage_lost) == 1);
  CHECK(stats.by_reason.at(FailureReason::no_route) == 2);
  const auto channel = std::find_if(stats.by_channel.begin(), stats.by_channel.end(),
                                    [](const auto& c) { return c.channel.channel.value == 9'007; });
  REQUIRE(channel != stats.by_channel.end());
  CHECK(channel->count == 3);
  CHECK(channel->channel.direction == 1);
  CHECK(stats.bad_rows == 0);
  CHECK(stats.text_bytes >= 3 * 3);  // "low", three times
  CHECK(stats.file_bytes > 0);
}

TEST_CASE("nothing, and a span without payments") {
  const TempFolder folder;
  Store store(folder.file("p"));
  CHECK(stats_of(store).payments == 0);
  CHECK_FALSE(stats_of(store).success_ppm());
  CHECK_FALSE(stats_of(store).overall_fee_ppm());
  CHECK_FALSE(stats_of(store).fee_msat.percentile(50));
  (void)store.paid(1);
  db::StatsSpan span;
  span.since = UnixNs{INT64_MAX - 1};
  CHECK(stats_of(store, span).payments == 0);
}

TEST_CASE("a span is begun and ended by the time of creation") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 20; ++number) (void)store.paid(number);
  const UnixNs fifth = value_of(store.query.page({})).payments[4].request.created;
  const UnixNs tenth = value_of(store.query.page({})).payments[9].request.created;
  REQUIRE(fifth < tenth);
  CHECK(stats_of(store, {fifth, tenth}).payments == 5);
  CHECK(stats_of(store, {fifth, std::nullopt}).payments == 16);
  CHECK(stats_of(store, {std::nullopt, fifth}).payments == 4);
}

TEST_CASE("more payments than a page, and an end in between") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 2'100; ++number) (void)store.initiated(number);
  CHECK(stats_of(store).payments == 2'100);
  std::vector<std::uint64_t> seen;
  CHECK_FALSE(value_of(db::payment_stats(store.connection, {}, [&seen](std::uint64_t done, std::uint64_t total) {
    CHECK(total == 2'100);
    seen.push_back(done);
    return seen.size() < 2;
  })));
  CHECK(seen == std::vector<std::uint64_t>{1'000, 2'000});
}

TEST_CASE("rows that cannot be read are counted, and hide no other") {
  const TempFolder folder;
  const std::string path = folder.file("p");
  {
    Store store(path);
    for (std::uint64_t number = 1; number <= 5; ++number) (void)store.paid(number);
  }
  damage(path,
         "UPDATE payments SET amount_msat = -1 WHERE payment_index = 5; UPDATE attempts SET fee_msat = -5 WHERE "
         "payment_index = 2");
  Store store(path, db::OpenMode::read_only);
  const db::PaymentStats stats = stats_of(store);
  CHECK(stats.bad_rows == 2);
  CHECK(stats.payments == 4);
}

TEST_CASE("percentiles are exact below 256, and above at most 1/128 too low") {
  std::mt19937_64 random(11);
  for (const unsigned bits : {4U, 8U, 20U, 40U, 64U}) {
    db::LogHistogram histogram;
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 3'000; ++i) values.push_back(random() >> (64 - bits));
    for (const std::uint64_t value : values) histogram.add(value);
    std::sort(values.begin(), values.end());
    for (const unsigned percent : {1U, 50U, 90U, 99U, 100U}) {
      CAPTURE(bits);
      CAPTURE(percent);
      const std::uint64_t exact = values[(values.size() * percent + 99) / 100 - 1];
      const std::uint64_t told = *histogram.percentile(percent);
      CHECK(told <= exact);
      CHECK(exact - told <= (exact < 256 ? 0 : exact / 128));
    }
  }
}

TEST_CASE("the largest numbers have a bucket, and sums stay at theirs") {
  db::LogHistogram histogram;
  histogram.add(UINT64_MAX);
  histogram.add(UINT64_MAX);
  histogram.add(0);
  CHECK(histogram.sum() == UINT64_MAX);
  CHECK(histogram.percentile(100) == UINT64_MAX);
  CHECK(histogram.percentile(1) == 0);
}

TEST_CASE("a precondition that does not hold is found in every build") {
  db::LogHistogram values;
  values.add(1);
  CHECK_THROWS_AS((void)values.percentile(0), std::logic_error);
  CHECK_THROWS_AS((void)values.percentile(101), std::logic_error);
}

TEST_CASE("a payment in parts: its fee is that of all settled parts, and each HTLC is an attempt") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.in_parts(1);
  const auto close = [&](std::uint32_t part, bool settles) {
    const AttemptKey key = own_key(1, 11, part);
    store.must(payment, {settles ? Write{SettleAttempt{key, preimage_of(1), after(9)}}
                                 : Write{FailAttempt{key, some_failure(), after(8)}}});
  };
  close(2, false);
  Attempt again = attempt_of(11, 4);
  again.amount = Msat::of(100'000);
  again.fee = Msat::of(7);
  store.must(payment, {RegisterAttempt{again}});
  close(1, true);
  store.must(payment, {Succeed{preimage_of(1), after(9)}});
  CHECK(stats_of(store).parts_each.percentile(100) == 1);  // it is proven, and two parts are still open
  close(3, true);
  close(4, true);
  const db::PaymentStats stats = stats_of(store);
  CHECK(stats.payments == 1);
  CHECK(stats.attempts == 4);
  CHECK(stats.paid_in_parts == 1);
  CHECK(stats.parts_each.percentile(100) == 3);
  CHECK(stats.fee_msat.sum() == 10 + 10 + 7);
  CHECK(stats.amount_msat == 250'000);
  check_same(payment, *store.store.load(payment.index).value());
  CHECK(parts_of(payment) == 3);
  CHECK(settlement_of(payment)->amount == Msat::of(250'000));
}
