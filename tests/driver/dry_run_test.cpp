// Goal: a dry run is the driver itself, on ports that store, lock and send nothing. Method: step scripts like those of
// a send; what reaches the switch and what the store holds are compared.
#include <doctest/doctest.h>

#include "core/driver/dry_run.h"
#include "tests/driver/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

struct Told {
  DriveResult result;
  std::vector<Route> planned;
};

Told rehearse(World& world, bool idempotent = false, std::optional<std::int64_t> wait_ns = 100 * ns_per_second) {
  DryRun dry(world.node, &world.store(), world.clock, world.randomness, world.observer);
  DriverOptions options;
  options.wait_ns = wait_ns;
  options.collect_only = wait_ns == 0;  // as for a payment that another process has begun
  Driver driver(dry.ports(), options);
  driver.submit({world.request, idempotent});
  auto results = value_of(driver.run());
  REQUIRE(results.size() == 1);
  return {std::move(results.front()), dry.planned()};
}

bool knows(World& world) { return world.store().find(world.request.hash).value().payment.has_value(); }

/// The process dies after it has recorded the attempt and written the hand-over.
void leave_open(World& world) {
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));
  world.node.expect("send", crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  world.log.clear();
}

/// A look that shows a record which keeps the hash busy and which nobody needs any more.
class KeptBusy final : public Shown {
 public:
  [[nodiscard]] LookResult about(const StoreId&, std::span<const Asked>) const override {
    LookResult look;
    look.movement = Movement::none;
    look.to_release = true;
    return look;
  }
};

ScriptedSwitch::Reply kept_busy() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{LookAnswer{node.last_hash, std::make_shared<KeptBusy>()}};
  };
}

}  // namespace

TEST_CASE("dry run: the way of a send, up to the commit that would record its attempt") {
  World world;
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));
  const Told told = rehearse(world);
  CHECK(told.planned == std::vector{simple_route(1)});
  CHECK(told.result.end == DriveEnd::refused);
  CHECK_FALSE(told.result.handed_over);
  CHECK(world.log == Log{"identify", "look", "route"});
  CHECK(world.node.last_question.leaves_nothing);
  CHECK_FALSE(knows(world));
}

TEST_CASE("dry run: R9, no route is followed by the look of a send, and nothing of it is stored") {
  World world;
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", no_route(FailureReason::insufficient_balance));
  world.node.expect("look", quiet());
  const Told told = rehearse(world);
  CHECK(told.planned.empty());
  REQUIRE(told.result.payment);
  CHECK(told.result.payment->status() == PaymentStatus::failed);
  CHECK(told.result.payment->fail_reason == FailureReason::insufficient_balance);
  CHECK(world.log == Log{"identify", "look", "route", "look"});
  CHECK_FALSE(knows(world));
}

TEST_CASE("dry run: what stands in the way is not released, and is gone for this run") {
  World world;
  world.node.expect("identify", identity());
  world.node.expect("look", kept_busy());
  world.node.expect("look", kept_busy());
  world.node.expect("route", route(1));
  CHECK(rehearse(world).planned.size() == 1);
  CHECK(world.node.releases.empty());
}

TEST_CASE("dry run: an open payment is looked at, and nothing of it goes out again") {
  World world;
  leave_open(world);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  SUBCASE("as a payment that somebody else has begun") {
    const Told told = rehearse(world, true, 0);
    CHECK(told.result.end == DriveEnd::open);
    CHECK(told.result.joined);
  }
  SUBCASE("also where it was taken for a new one") {
    CHECK(rehearse(world, true, ns_per_second).result.end == DriveEnd::open);
  }
  CHECK(world.log == Log{"identify", "look"});
  CHECK(world.node.handovers.size() == 1);
  CHECK(world.store().find(world.request.hash).value().payment->has_open_attempt());
}

TEST_CASE("dry run: what the node has settled since is told, and left for others to store") {
  World world;
  leave_open(world);
  world.node.expect("identify", identity());
  world.node.expect("look", shows_row(RowState::complete));
  const Told told = rehearse(world, true, 0);
  CHECK(told.result.end == DriveEnd::ended);
  CHECK(told.result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.log == Log{"identify", "look"});
  CHECK(world.store().find(world.request.hash).value().payment->status() == PaymentStatus::in_flight);
}

TEST_CASE("dry run: without a database, and beside somebody who has the payment's lock") {
  World world;
  db::FilePaymentLocks theirs(world.path());
  REQUIRE(theirs.try_lock(world.request.hash));
  for (const bool stored : {false, true}) {
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    world.node.expect("route", route(1));
    DryRun dry(world.node, stored ? &world.store() : nullptr, world.clock, world.randomness, world.observer);
    Driver driver(dry.ports(), DriverOptions{});
    driver.submit({world.request});
    CHECK(value_of(driver.run()).at(0).end == DriveEnd::refused);
    CHECK(dry.planned().size() == 1);
  }
}
