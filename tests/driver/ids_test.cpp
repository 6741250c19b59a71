// Goal: attempt ids are unique and in order of time, whatever chance, other processes and the clock do (R12), and a
// wrong clock never makes paytower say that a payment was not sent when it was.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/driver/attempt_id.h"
#include "tests/driver/sim_world.h"
#include "tests/driver/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

void expect_payment(World& world) {
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));
  world.node.expect("send", accepted());
  world.node.expect("query", settled());
}

/// Sets the wall clock for the next calls.
void set_clock(World& world, UnixNs at) { world.clock.wall_shift += at.value - world.clock.wall().value; }

/// Another process stores an attempt with this very id, for another hash.
void take_id(World& world, AttemptId id) {
  Payment other = world.other_payment();
  Attempt attempt = own_attempt(id, Shape::open);
  const std::array<Write, 2> writes{InitPayment{}, RegisterAttempt{attempt}};
  const PaymentWrites entry{&other, writes};
  const auto stored = world.store().commit(std::span(&entry, 1));
  REQUIRE(stored.front());
}

}  // namespace

TEST_CASE("R12: ids are above the highest known one, below 2^62, and hold until they are said to") {
  CountingRandomness randomness;
  randomness.repeats = true;
  const AttemptId first = *draw_attempt_id(created, randomness, AttemptId{});
  const AttemptId second = *draw_attempt_id(created, randomness, first);
  CHECK(first < second);
  CHECK(second < *draw_attempt_id(UnixNs{created.value + 10 * ns_per_second}, randomness, second));
  CHECK(second < *draw_attempt_id(UnixNs{0}, randomness, second));
  CHECK(second < *draw_attempt_id(UnixNs{INT64_MIN}, randomness, second));
  const UnixNs last{ids_hold_until.value - 1};
  CHECK(draw_attempt_id(last, randomness, AttemptId{})->value < end_of_ids);
  for (const UnixNs late : {ids_hold_until, UnixNs{INT64_MAX}})
    CHECK(draw_attempt_id(late, randomness, AttemptId{}).error().code == Errc::clock);
  CHECK(draw_attempt_id(created, randomness, AttemptId{end_of_ids - 1}).error().code == Errc::clock);
}

TEST_CASE("R12: payments of one process get ids of their own and in order, whatever chance draws") {
  SimWorld world;
  world.randomness.repeats = true;
  std::vector<PaymentRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back(world.invoice());
  const auto results = world.send_all(requests);
  REQUIRE(results.size() == requests.size());
  std::vector<AttemptId> ids;
  for (const DriveResult& result : results) {
    CHECK(result.end == DriveEnd::ended);
    REQUIRE(result.payment);
    CHECK(result.payment->status() == PaymentStatus::succeeded);
    for (const Attempt& attempt : result.payment->attempts) ids.push_back(*attempt.id);
  }
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
}

TEST_CASE("R12: an id that another process drew too is drawn again, and the payment is paid") {
  World world;
  world.randomness.repeats = true;
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", [&world](ScriptedSwitch& node) {
    CountingRandomness same;
    same.repeats = true;
    take_id(world, *draw_attempt_id(world.clock.wall(), same, AttemptId{}));
    return route(1)(node);
  });
  world.node.expect("send", accepted());
  world.node.expect("query", settled());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::ended);
  REQUIRE(result.payment);
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.log == Log{"identify", "look", "route", "refused init+register: attempt_id_taken", "init+register",
                         "send", "query", "settle+succeed"});
  CHECK(world.node.handovers.size() == 1);
  CHECK(world.node.handovers.front().key.id == *result.payment->attempts.front().id);
}

TEST_CASE("R12: a clock that was set back draws above what the store knows, of whichever hash") {
  World world;
  const AttemptId known{(std::uint64_t{1} << 61) + 5};
  take_id(world, known);
  expect_payment(world);
  const auto result = world.send();
  REQUIRE(result.payment);
  CHECK(*result.payment->attempts.front().id > known);
}

TEST_CASE("by a clock before the release, or after the last of all ids, nothing begins and nothing is written") {
  for (const UnixNs wrong :
       {UnixNs{created.value - 1}, ids_hold_until, UnixNs{ids_hold_until.value + 1'000'000 * ns_per_second}}) {
    World world;
    world.options.clock_from = created;
    set_clock(world, wrong);
    world.request.deadline = UnixNs{wrong.value + 60 * ns_per_second};
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    const auto result = world.send();
    CHECK(result.end == DriveEnd::refused);
    REQUIRE(result.error);
    CHECK(result.error->code == Errc::clock);
    CHECK_FALSE(result.payment);
    CHECK(world.log == Log{"identify", "look"});
  }
}

TEST_CASE("by such a clock, outcomes are collected and no new attempt is made") {
  for (const bool paid : {true, false}) {
    World world;
    world.options.clock_from = created;
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    world.node.expect("route", route(1));
    world.node.expect("send", crash());
    CHECK_THROWS_AS((void)world.send(), Crash);
    set_clock(world, UnixNs{created.value - 1'000 * ns_per_second});
    world.log.clear();
    world.node.expect("identify", identity());
    if (paid) {
      world.node.expect("look", shows_row(RowState::complete));
      CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
      CHECK(world.log == Log{"identify", "look", "settle+succeed"});
      const Payment stored = *world.store().find(world.request.hash).value().payment;
      CHECK(*stored.ended >= stored.request.created);
    } else {
      world.node.expect("look",
                        shows_row(RowState::failed, Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}));
      world.node.expect("look",
                        shows_row(RowState::failed, Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}));
      const auto result = world.resume();
      CHECK(result.end == DriveEnd::open);
      CHECK(result.payment->status() == PaymentStatus::in_flight);
      REQUIRE(world.log.size() == 5);
      CHECK(world.log[2] == "fail-attempt");
      CHECK(world.log[4].starts_with("warn: the clock of this machine shows "));
    }
  }
}
