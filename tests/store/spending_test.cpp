// Goal: the limits of the config file hold to the msat, and a day's sum is judged in the commit that records a payment,
// over what every process has stored. Method: tables, and two stores on one file.
#include "core/payment/spending.h"

#include "tests/store/fixture.h"

using namespace paytower;
using test::after;
using test::first_attempt;
using test::preimage_of;
using test::request_of;
using test::Store;
using test::TempFolder;

namespace {

/// The fixture's payments are of 250 sat each.
SpendingLimits a_day_of(std::uint64_t msat) {
  SpendingLimits allowed;
  allowed.max_day = Msat::of(msat);
  return allowed;
}

Result<Stored> begin(Store& store, std::uint64_t number, std::int64_t at_seconds) {
  Payment payment;
  payment.request = request_of(number);
  payment.request.created = after(at_seconds);
  payment.request.deadline = after(at_seconds + 60);
  return store.write(payment, {InitPayment{}});
}

constexpr std::int64_t day = 24 * 3'600;

}  // namespace

TEST_CASE("a payment by itself is judged by its amount and its fee limit") {
  PaymentRequest request = request_of(1);
  SpendingLimits allowed;
  CHECK_FALSE(over_limit(allowed, request));
  allowed.max_amount = Msat::of(250'000);
  CHECK_FALSE(over_limit(allowed, request));
  allowed.max_amount = Msat::of(249'999);
  CHECK(over_limit(allowed, request)->code == Errc::policy);
  CHECK(over_limit(allowed, request)->payment_hash == request.hash);
  allowed = SpendingLimits{};
  allowed.max_fee_ppm = 20'000;  // 5,000 of 250,000 msat
  CHECK_FALSE(over_limit(allowed, request));
  allowed.max_fee_ppm = 19'999;
  CHECK(over_limit(allowed, request)->code == Errc::policy);
  allowed.max_fee_ppm = 0;
  request.demand.fee_limit = Msat{};
  CHECK_FALSE(over_limit(allowed, request));
}

TEST_CASE("the highest fee limit is rounded down and does not overflow") {
  SpendingLimits allowed;
  CHECK_FALSE(highest_fee_limit(allowed, Msat::of(1)));
  allowed.max_fee_ppm = 1'500;
  CHECK(*highest_fee_limit(allowed, Msat::of(999)) == Msat::of(1));
  CHECK(*highest_fee_limit(allowed, Msat::of(1'999'999)) == Msat::of(2'999));
  allowed.max_fee_ppm = 1'000'000;
  CHECK(*highest_fee_limit(allowed, Msat::of(Msat::max_value)) == Msat::of(Msat::max_value));
}

TEST_CASE("a day's sum counts what is paid or may still be paid") {
  const TempFolder folder;
  Store store(folder.path() + "/payments.db");
  (void)store.paid(1);
  (void)store.in_flight(2);
  (void)store.failed(3);
  CHECK(value_of(store.store.spent_in_day(after(100))) == Msat::of(500'000));
  (void)store.assumed_failed(4);
  (void)store.written_off(5);
  CHECK(value_of(store.store.spent_in_day(after(100))) == Msat::of(1'000'000));
  // What was paid and deleted was paid.
  db::DeleteRequest all;
  all.include_non_failed = true;
  (void)value_of(store.admin.remove(all, test::alice));
  CHECK(value_of(store.store.spent_in_day(after(100))) >= Msat::of(750'000));
  CHECK(value_of(store.store.spent_in_day(after(day + 1'000))) == Msat{});
}

TEST_CASE("what is over the day's limit is not recorded, and what fails makes room") {
  const TempFolder folder;
  Store store(folder.path() + "/payments.db");
  store.store.set_limits(a_day_of(500'000));
  (void)store.paid(1);
  Payment second = store.in_flight(2);
  const auto refused = begin(store, 3, 10);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::policy);
  CHECK_FALSE(value_of(store.query.history(request_of(3).hash)));
  store.must(second, {FailAttempt{first_attempt(2), test::some_failure(), after(40)}});
  store.must(second, {FailPayment{FailureReason::no_route, after(40)}});
  CHECK(begin(store, 3, 50));
  CHECK_FALSE(begin(store, 4, 50));
  // A day later the first ones count no more.
  CHECK(begin(store, 4, day + 2));
  CHECK_FALSE(begin(store, 5, day + 3));
}

TEST_CASE("a late preimage counts again") {
  const TempFolder folder;
  Store store(folder.path() + "/payments.db");
  store.store.set_limits(a_day_of(500'000));
  (void)store.paid(1);
  Payment failed = store.failed(2);
  store.must(failed, {SettleAttempt{first_attempt(2), preimage_of(2), after(50)},
                      StoreLatePreimage{preimage_of(2), after(50)}});
  CHECK_FALSE(begin(store, 3, 60));
}

TEST_CASE("two processes do not pass the day's limit together") {
  const TempFolder folder;
  Store one(folder.path() + "/payments.db");
  Store two(folder.path() + "/payments.db", db::OpenMode::read_write);
  for (Store* store : {&one, &two}) store->store.set_limits(a_day_of(750'000));
  CHECK(begin(one, 1, 1));
  CHECK(begin(two, 2, 2));
  CHECK(begin(one, 3, 3));
  CHECK_FALSE(begin(two, 4, 4));
  CHECK_FALSE(begin(one, 5, 5));
}

TEST_CASE("one commit with several payments is judged one by one") {
  const TempFolder folder;
  Store store(folder.path() + "/payments.db");
  store.store.set_limits(a_day_of(500'000));
  std::vector<Payment> payments(3);
  const std::vector<Write> init{InitPayment{}};
  std::vector<PaymentWrites> tick;
  for (std::size_t i = 0; i < payments.size(); ++i) {
    payments[i].request = request_of(i + 1);
    tick.push_back(PaymentWrites{&payments[i], init});
  }
  const auto stored = store.store.commit(tick);
  CHECK(stored[0]);
  CHECK(stored[1]);
  REQUIRE_FALSE(stored[2]);
  CHECK(stored[2].error().code == Errc::policy);
}
