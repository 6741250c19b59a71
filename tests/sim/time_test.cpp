// Goal: payees hold HTLCs as they are told to, and the network follows its own time, whoever looks. Method: every rule
// once, by hand, as the node's client sees it.
#include "tests/sim/world.h"

#include "core/base/hash.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;
using Dispatched = DispatchAnswer::Kind;
using Queried = QueryAnswer::Kind;

TEST_CASE("a network that does not exist is a fault, not an answer") {
  TestLedger ledger;
  FakeClock clock;
  PipeNode node(ledger, clock, "nothing");
  const auto client = node.transport();
  REQUIRE(client->open());
  CHECK(client->write(R"({"jsonrpc":"2.0","id":1,"method":"getinfo","params":{}})"));
  CHECK_THROWS_AS(node.turn(), SwitchError);
  TestAdmin admin(ledger, clock);
  CHECK_THROWS_AS((void)admin.make_invoice({}), SwitchError);
}

TEST_CASE("holds") {
  World world;
  SUBCASE("for a time") {
    const auto made = world.invoice(100'000 * sat, Hold{3 * ns_per_second});
    const Handover given = world.handover(made, 1);
    const std::int64_t start = world.clock().mono().value;
    REQUIRE(world.pay(given).kind == Queried::settled);
    CHECK(world.clock().mono().value - start >= 3 * ns_per_second + default_latency_ns);
  }
  SUBCASE("until a release") {
    const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
    const Handover given = world.handover(made, 1);
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.clock().pass(90 * 86'400 * ns_per_second);
    world.admin().set_height(900'000);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    CHECK(world.oracle()[0].state == OracleState::held);
    CHECK(world.admin().release(made.hash, std::nullopt).value() == 1);
    CHECK(world.query(given.key).kind == Queried::settled);
    CHECK(world.admin().release(made.hash, std::nullopt).value() == 0);
  }
  SUBCASE("a release that fails it") {
    const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
    const Handover given = world.handover(made, 1);
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    CHECK(world.admin().release(made.hash, 0x400F).value() == 1);
    const QueryAnswer answer = world.query(given.key);
    CHECK(answer.failure.code == FailureCode::incorrect_or_unknown_payment_details);
    CHECK(answer.failure.source_index == 3u);
    CHECK(world.under_way(chan_c) == 0);
  }
  SUBCASE("a release before the HTLC counts too") {
    const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
    CHECK(world.admin().release(made.hash, 0x2002).value() == 0);
    CHECK(world.pay(world.handover(made, 1)).failure.code == FailureCode::temporary_node_failure);
    CHECK(world.pay(world.handover(made, 2)).kind == Queried::settled);
  }
  SUBCASE("seen by a switch that waits") {
    const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
    const Handover given = world.handover(made, 1);
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.node().query(given.key);
    CHECK(world.poll(ns_per_second).empty());
    REQUIRE(world.admin().release(made.hash, std::nullopt).value() == 1);
    const std::int64_t start = world.clock().mono().value;
    CHECK(world.one<QueryAnswer>().kind == Queried::settled);
    CHECK(world.clock().mono().value - start <= 25 * ns_per_ms);
  }
  SUBCASE("an unknown hash") {
    CHECK(world.admin().release(PaymentHash{}, std::nullopt).error().code == Errc::not_found);
  }
}

TEST_CASE("the network goes on when nobody runs, each end at its own time") {
  World world;
  const auto made = world.invoice(100'000 * sat, Hold{10 * ns_per_second});
  REQUIRE(world.dispatch(world.handover(made, 1)).kind == Dispatched::accepted);
  const std::int64_t start = world.admin().now().value;
  world.clock().pass(3'600 * ns_per_second);
  world.restart();
  const auto entries = world.oracle(made.hash);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].state == OracleState::settled);
  CHECK(entries[0].resolved->value == start + 10 * ns_per_second + default_latency_ns);
  CHECK(world.look(made.hash).rows[0].state == RowState::complete);
}

TEST_CASE("height, wall clock and network time do not follow each other") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  SUBCASE("frozen time: nothing ends") {
    world.admin().freeze_time(world.admin().now());
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.clock().pass(1'000 * ns_per_second);
    world.node().query(given.key);
    CHECK(world.poll(ns_per_second).empty());
    world.admin().freeze_time(UnixNs{world.admin().now().value + default_latency_ns});
    CHECK(world.one<QueryAnswer>().kind == Queried::settled);
  }
  SUBCASE("an offset brings the end nearer") {
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.admin().set_time_offset(ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("a wall clock that goes back delays, and loses nothing") {
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    const std::int64_t wall = world.clock().wall().value;
    world.clock().set_wall(wall - 3'600 * ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    world.clock().set_wall(wall + ns_per_second);
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("height alone ends nothing") {
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.admin().set_height(1'000'000);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  }
}

TEST_CASE("two clients of one node") {
  World world;
  SeededBytes ids;
  cln::ClnSwitch other = world.another_client(ids);
  const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  other.identify();
  REQUIRE(other.poll(MonoNs{world.clock().mono().value + ns_per_second}).size() == 1);
  other.query(given.key);
  CHECK(other.poll(world.clock().mono()).empty());
  world.node().query(given.key);
  CHECK(world.poll(0).empty());
  REQUIRE(world.admin().release(made.hash, std::nullopt).value() == 1);
  CHECK(world.one<QueryAnswer>().kind == Queried::settled);
  const auto events = other.poll(MonoNs{world.clock().mono().value + ns_per_second});
  REQUIRE(events.size() == 1);
  CHECK(std::get<QueryAnswer>(events[0]).kind == Queried::settled);
}
