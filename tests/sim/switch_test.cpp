// Goal: the simulated node answers as Core Lightning was seen to answer (identity of rows, fences, marks, erased rows,
// other users), and the network goes on by its own time. Method: every rule once, by hand, through the switch port.
#include "tests/sim/world.h"

#include "core/base/hash.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;
using Dispatched = DispatchAnswer::Kind;
using Queried = QueryAnswer::Kind;

TEST_CASE("the node says who it is") {
  World world;
  world.node().identify();
  const auto answer = world.one<IdentityAnswer>();
  CHECK(answer.key == SwitchKey{key_of(0), "regtest"});
  CHECK(answer.height == 800'000);
}

TEST_CASE("answers come in the order of the questions") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  world.node().look(made.hash, std::nullopt);
  world.node().dispatch(given);
  world.node().identify();
  world.node().look(made.hash, std::nullopt);
  const auto events = world.poll();
  REQUIRE(events.size() == 4);
  CHECK(std::get<LookAnswer>(events[0]).look.rows.empty());
  CHECK(std::get<DispatchAnswer>(events[1]).kind == Dispatched::accepted);
  CHECK(std::holds_alternative<IdentityAnswer>(events[2]));
  CHECK(std::get<LookAnswer>(events[3]).look.rows.size() == 1);
}

TEST_CASE("a network that does not exist is a fault, not an answer") {
  TestLedger ledger;
  FakeClock clock;
  SimSwitch node(ledger, clock);
  node.identify();
  CHECK_THROWS_AS((void)node.poll(MonoNs{clock.mono().value + 1}), SwitchError);
  SimAdmin admin(ledger, clock);
  CHECK_THROWS_AS((void)admin.make_invoice({}), SwitchError);
}

TEST_CASE("the same attempt again is the same HTLC") {
  World world;
  const auto made = world.invoice();
  Handover given = world.handover(made, 5);
  CHECK(world.dispatch(given).kind == Dispatched::accepted);
  CHECK(world.dispatch(given).kind == Dispatched::accepted);
  SUBCASE("another label or secret is not compared") {
    given.label = "somebody";
    given.payment_secret.reset();
    CHECK(world.dispatch(given).kind == Dispatched::accepted);
    CHECK(world.look(made.hash).rows[0].label == "paytower:00:5");
  }
  SUBCASE("another amount is") {
    given.route.hops.back().amount = Msat::of(1);
    CHECK(world.dispatch(given).kind == Dispatched::look);
  }
  SUBCASE("another attempt has to wait") {
    given.key.id = AttemptId{6};
    CHECK(world.dispatch(given).kind == Dispatched::look);
  }
  CHECK(world.query(AttemptKey{made.hash, AttemptId{5}, 0}).kind == Queried::settled);
  CHECK(world.count(OracleState::settled) == 1);
  CHECK(world.oracle().size() == 1);
  const LookResult look = world.look(made.hash);
  CHECK(look.rows.size() == 1);
  CHECK(look.htlcs->size() == 1);
  CHECK(look.debits->size() == 1);
}

TEST_CASE("after the end: complete and failed rows keep their id, other ids go on after a failure") {
  World world;
  const auto made = world.invoice(100'000 * sat, {}, "TEMPORARY_NODE_FAILUREx1");
  Handover given = world.handover(made, 9);
  REQUIRE(world.pay(given).kind == Queried::failed);
  CHECK(world.dispatch(given).kind == Dispatched::look);
  given.key.id = AttemptId{4};  // groups need not grow
  REQUIRE(world.pay(given).kind == Queried::settled);
  CHECK(world.dispatch(given).kind == Dispatched::look);
  given.key.id = AttemptId{10};
  CHECK(world.dispatch(given).kind == Dispatched::look);
  CHECK(world.count(OracleState::settled) == 1);
  const LookResult look = world.look(made.hash);
  REQUIRE(look.rows.size() == 2);
  CHECK(look.rows[0].id == AttemptId{9});
  CHECK(look.rows[0].state == RowState::failed);
  CHECK(look.rows[0].failure->code == FailureCode::temporary_node_failure);
  CHECK(look.rows[1].state == RowState::complete);
  CHECK(proves(*look.rows[1].preimage, made.hash));
  CHECK(look.rows[1].amount == Msat::of(100'000 * sat));
  CHECK(look.rows[1].amount_sent == Msat::of(100'111'510));
  CHECK(look.now == Marks{2, 2, 0, 1});
  CHECK(look.height == 800'000);
  CHECK(look.debits->front().id == AttemptId{4});
}

TEST_CASE("a query waits for the end; without a row it says look at once") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  CHECK(world.query(given.key).kind == Queried::look);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  world.node().query(given.key);
  CHECK(world.poll(39 * ns_per_ms).empty());
  const auto events = world.poll(2 * ns_per_ms);
  REQUIRE(events.size() == 1);
  CHECK(std::get<QueryAnswer>(events[0]).kind == Queried::settled);
  CHECK(world.query(given.key).kind == Queried::settled);
  CHECK(world.oracle()[0].resolved->value - world.oracle()[0].created.value == default_latency_ns);
}

TEST_CASE("poll returns when its time is over, when it has news, and when a signal comes") {
  World world;
  const std::int64_t start = world.clock().mono().value;
  CHECK(world.poll(123 * ns_per_ms).empty());
  CHECK(world.clock().mono().value == start + 123 * ns_per_ms);
  const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  world.node().query(given.key);
  CHECK(world.poll(ns_per_second).empty());
  world.clock().raise(2);
  CHECK(world.poll(1'000 * ns_per_second).empty());
}

TEST_CASE("without latency the result is there with the acceptance") {
  World world;
  world.admin().set_latency(0);
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  world.node().dispatch(given);
  world.node().query(given.key);
  const auto events = world.poll(0);
  REQUIRE(events.size() == 2);
  CHECK(std::get<QueryAnswer>(events[1]).kind == Queried::settled);
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
    CHECK(world.look(made.hash).height == 1'000'000);
  }
}

TEST_CASE("fences") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  SUBCASE("before the attempt: its late copy makes no HTLC") {
    CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
    const LookResult look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].label == "paytower:00:1:fence");
    CHECK(look.rows[0].state == RowState::failed);
    CHECK(look.htlcs->empty());
    CHECK(look.now == Marks{1, 0, 0, 0});
    CHECK(world.dispatch(given).kind == Dispatched::look);
    CHECK(world.query(given.key).kind == Queried::look);
    CHECK(world.count(OracleState::fenced) == 1);
    CHECK(world.oracle().size() == 1);
  }
  SUBCASE("twice is once") {
    CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
    CHECK(world.look(made.hash).rows.size() == 1);
    CHECK(world.oracle().size() == 1);
  }
  SUBCASE("another attempt may follow") {
    REQUIRE(world.fence(given).kind == FenceAnswer::Kind::fenced);
    CHECK(world.pay(world.handover(made, 2)).kind == Queried::settled);
  }
  SUBCASE("the attempt was there first") {
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    CHECK(world.query(given.key).kind == Queried::settled);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    CHECK(world.count(OracleState::fenced) == 0);
  }
  SUBCASE("the attempt has failed") {
    REQUIRE(world.admin().release(made.hash, 0x2002).value() == 0);
    REQUIRE(world.pay(given).kind == Queried::failed);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
  }
  SUBCASE("something else of the hash is pending, or complete") {
    const Handover other = world.handover(made, 2);
    REQUIRE(world.dispatch(other).kind == Dispatched::accepted);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    REQUIRE(world.query(other.key).kind == Queried::settled);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    CHECK(world.look(made.hash).rows.size() == 1);
  }
  SUBCASE("refused: no row") {
    world.fault(FaultKind::refuse_fence, Step::before_fence);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    CHECK(world.look(made.hash).rows.empty());
    CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
  }
  SUBCASE("killed half-way: its row is pending for ever") {
    world.fault(FaultKind::orphan_fence, Step::before_fence);
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    world.clock().pass(90 * 86'400 * ns_per_second);
    const LookResult look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].state == RowState::pending);
    CHECK(look.rows[0].label == "paytower:00:1:fence");
    CHECK(look.htlcs->empty());
    CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::look);
  }
}

TEST_CASE("two clients on one network") {
  World world;
  SimSwitch other(world.ledger(), world.clock());
  const auto made = world.invoice(100'000 * sat, Hold{Hold::forever});
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
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

TEST_CASE("the rows of one store, of whatever hash") {
  World world;
  StoreId ours;
  ours.bytes[0] = 1;
  StoreId theirs;
  theirs.bytes[0] = 2;
  const auto paid = world.invoice();
  const auto fenced = world.invoice();
  const auto other = world.invoice();
  Handover first = world.handover(paid, 11);
  first.label = attempt_label(ours, first.key.id);
  REQUIRE(world.pay(first).kind == Queried::settled);
  Handover second = world.handover(fenced, 12);
  second.label = attempt_label(ours, second.key.id);
  REQUIRE(world.fence(second).kind == FenceAnswer::Kind::fenced);
  Handover third = world.handover(other, 13);
  third.label = attempt_label(theirs, third.key.id);
  REQUIRE(world.dispatch(third).kind == Dispatched::accepted);
  world.node().list_own(ours);
  const auto rows = world.one<OwnRowsAnswer>().rows;
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].hash == paid.hash);
  CHECK(rows[0].row.state == RowState::complete);
  CHECK(rows[0].row.destination == key_of(3));
  CHECK(rows[0].invoice == paid.text);
  CHECK(rows[0].row.label == first.label);
  CHECK(rows[1].hash == fenced.hash);
  CHECK(parse_attempt_label(rows[1].row.label)->fence);

  world.node().newest_own(StoreTrace{ours, UnixNs{}, std::nullopt});
  CHECK(world.one<NewestOwnAnswer>().ids == std::vector{AttemptId{11}, AttemptId{12}});
  world.node().newest_own(StoreTrace{StoreId{}, UnixNs{}, std::nullopt});
  CHECK(world.one<NewestOwnAnswer>().ids.empty());
}
