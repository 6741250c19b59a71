// Goal: every way in which a node, its users or the connection spoil things can be asked for, is durable, strikes once
// and where it should, and never touches what really happened. Method: each fault by hand, through the switch port.
#include "tests/sim/world.h"

#include "core/base/hash.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;
using Dispatched = DispatchAnswer::Kind;
using Queried = QueryAnswer::Kind;

TEST_CASE("erased rows: what the HTLC list, the debits and the marks still tell") {
  World world;
  const auto paid = world.invoice();
  const auto failed = world.invoice(100'000 * sat, {}, "TEMPORARY_NODE_FAILURE");
  const Handover good = world.handover(paid, 1);
  const Handover bad = world.handover(failed, 2);
  REQUIRE(world.pay(good).kind == Queried::settled);
  REQUIRE(world.pay(bad).kind == Queried::failed);
  Erasure erasure;
  SUBCASE("by hash, as delpay: rows go, the rest stays") {
    erasure.hash = paid.hash;
    CHECK(world.admin().erase(erasure) == 1);
    const LookResult look = world.look(paid.hash);
    CHECK(look.rows.empty());
    REQUIRE(look.htlcs->size() == 1);
    CHECK(look.htlcs->front().finished);
    CHECK(look.debits->size() == 1);
    CHECK(look.now == Marks{2, 2, 0, 1});
    CHECK(world.query(good.key).kind == Queried::look);
    CHECK(world.look(failed.hash).rows.size() == 1);
  }
  SUBCASE("a failed one has no debit") {
    erasure.attempt = AttemptId{2};
    CHECK(world.admin().erase(erasure) == 1);
    const LookResult look = world.look(failed.hash);
    CHECK(look.rows.empty());
    CHECK(look.htlcs->size() == 1);
    CHECK(look.debits->empty());
  }
  SUBCASE("with the HTLC list, as after a restart: htlcs_deleted moves") {
    erasure.htlcs_too = true;
    CHECK(world.admin().erase(erasure) == 2);
    const LookResult look = world.look(paid.hash);
    CHECK(look.htlcs->empty());
    CHECK(look.debits->size() == 1);
    CHECK(look.now == Marks{2, 2, 2, 1});
  }
  SUBCASE("in two steps") {
    CHECK(world.admin().erase(erasure) == 2);
    erasure.htlcs_too = true;
    CHECK(world.admin().erase(erasure) == 0);
    CHECK(world.look(paid.hash).htlcs->empty());
    CHECK(world.look(paid.hash).now.htlcs_deleted == 2u);
  }
  SUBCASE("a node that hides the deletion") {
    erasure.htlcs_too = true;
    erasure.move_counter = false;
    CHECK(world.admin().erase(erasure) == 2);
    CHECK(world.look(paid.hash).now == Marks{2, 2, 0, 1});
  }
  SUBCASE("by age") {
    erasure.ended_before = UnixNs{world.oracle(paid.hash)[0].resolved->value + 1};
    CHECK(world.admin().erase(erasure) == 1);
    CHECK(world.look(paid.hash).rows.empty());
    CHECK(world.look(failed.hash).rows.size() == 1);
  }
  SUBCASE("pending rows stay") {
    const auto held = world.invoice(100'000 * sat, Hold{Hold::forever});
    REQUIRE(world.dispatch(world.handover(held, 3)).kind == Dispatched::accepted);
    erasure.htlcs_too = true;
    CHECK(world.admin().erase(erasure) == 2);
    CHECK(world.look(held.hash).rows.size() == 1);
    CHECK_FALSE(world.look(held.hash).htlcs->front().finished);
  }
  CHECK(world.count(OracleState::settled) == 1);
  CHECK(world.count(OracleState::failed) == 1);
}

TEST_CASE("after an erased success the node would pay again, and a fence holds: only marks and money tell") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  REQUIRE(world.pay(given).kind == Queried::settled);
  Erasure erasure;
  erasure.hash = made.hash;
  REQUIRE(world.admin().erase(erasure) == 1);
  CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
  const LookResult look = world.look(made.hash);
  CHECK(look.now.movements_created == 1u);
  CHECK(look.debits->front().id == AttemptId{1});
}

TEST_CASE("a result that is lost in the moment in which it comes") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  world.fault(FaultKind::lose_result, Step::resolve);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  CHECK(world.query(given.key).kind == Queried::look);
  const LookResult look = world.look(made.hash);
  CHECK(look.rows.empty());
  CHECK(look.htlcs->front().finished);
  CHECK(look.debits->size() == 1);
  CHECK(world.count(OracleState::settled) == 1);
}

TEST_CASE("orphan rows: pending for ever, and no HTLC") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  SUBCASE("made by a hand-over") {
    world.fault(FaultKind::orphan_row, Step::before_dispatch);
    CHECK(world.dispatch(given).kind == Dispatched::accepted);
  }
  SUBCASE("found there") { world.admin().add_orphan_row(given.key, given.label, given.route.delivered()); }
  world.clock().pass(90 * 86'400 * ns_per_second);
  const LookResult look = world.look(made.hash);
  REQUIRE(look.rows.size() == 1);
  CHECK(look.rows[0].state == RowState::pending);
  CHECK(look.rows[0].label == given.label);
  CHECK(look.htlcs->empty());
  CHECK(look.now == Marks{1, 0, 0, 0});
  CHECK(world.dispatch(given).kind == Dispatched::accepted);
  CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
  CHECK(world.oracle().empty());
}

TEST_CASE("requests and replies that are lost") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  SUBCASE("reply lost: executed once") {
    world.fault(FaultKind::lose_reply, Step::after_dispatch);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("request lost: not executed") {
    world.fault(FaultKind::lose_reply, Step::before_dispatch);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.look(made.hash).rows.empty());
  }
  SUBCASE("connection lost behind it: what was asked before is not answered") {
    const auto other = world.invoice(100'000 * sat, Hold{Hold::forever});
    const Handover held = world.handover(other, 2);
    REQUIRE(world.dispatch(held).kind == Dispatched::accepted);
    world.node().query(held.key);
    CHECK(world.poll(ns_per_second).empty());
    world.fault(FaultKind::disconnect, Step::after_dispatch);
    world.node().identify();
    world.node().dispatch(given);
    world.node().look(made.hash, std::nullopt);
    const auto events = world.poll(ns_per_second);
    REQUIRE(events.size() == 2);
    CHECK(std::holds_alternative<IdentityAnswer>(events[0]));
    CHECK(std::holds_alternative<Disconnected>(events[1]));
    REQUIRE(world.admin().release(other.hash, std::nullopt).value() == 1);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("the answer to a query is lost") {
    world.fault(FaultKind::lose_reply, Step::query);
    REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
    world.node().query(given.key);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("faults of another hash strike nobody else; skip and times count") {
    Fault fault;
    fault.kind = FaultKind::lose_reply;
    fault.step = Step::before_look;
    fault.hash = PaymentHash{};
    world.admin().add_fault(fault);
    fault.hash = made.hash;
    fault.skip = 1;
    fault.times = 2;
    world.admin().add_fault(fault);
    CHECK(world.look(made.hash).rows.empty());
    for (int i = 0; i < 2; ++i) {
      world.node().look(made.hash, std::nullopt);
      CHECK(world.poll(ns_per_second).empty());
    }
    CHECK(world.look(made.hash).rows.empty());
    CHECK(world.admin().faults().size() == 1);
  }
}

TEST_CASE("a request that is executed late") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  Fault fault;
  fault.kind = FaultKind::hold_request;
  fault.step = Step::before_dispatch;
  fault.delay_ns = 10 * ns_per_second;
  SUBCASE("by time, also when nobody runs, at its time") {
    world.admin().add_fault(fault);
    const std::int64_t start = world.admin().now().value;
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.look(made.hash).rows.empty());
    world.restart();
    world.clock().pass(3'600 * ns_per_second);
    const auto entries = world.oracle();
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].created.value == start + 10 * ns_per_second);
    CHECK(entries[0].resolved->value == start + 10 * ns_per_second + default_latency_ns);
  }
  SUBCASE("the connection that asked gets its answer") {
    world.admin().add_fault(fault);
    world.node().dispatch(given);
    CHECK(world.poll(9 * ns_per_second).empty());
    CHECK(world.one<DispatchAnswer>().kind == Dispatched::accepted);
  }
  SUBCASE("at a later height") {
    fault.delay_ns = 0;
    fault.height = 800'144;
    world.admin().add_fault(fault);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.oracle().empty());
    world.admin().set_height(800'144);
    world.clock().pass(ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("behind a fence it makes nothing") {
    world.admin().add_fault(fault);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
    world.clock().pass(60 * ns_per_second);
    CHECK(world.count(OracleState::fenced) == 1);
    CHECK(world.oracle().size() == 1);
  }
  SUBCASE("the same attempt again before it: one HTLC of the two") {
    world.admin().add_fault(fault);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.dispatch(given).kind == Dispatched::accepted);
    world.clock().pass(60 * ns_per_second);
    CHECK(world.oracle().size() == 1);
  }
}

TEST_CASE("another user of the node") {
  World world;
  const auto made = world.invoice();
  SUBCASE("pays") {
    CHECK(world.admin().foreign(made.hash, ForeignAct::pay, "theirs").value() == AttemptId{1});
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::look);
    world.clock().pass(ns_per_second);
    const LookResult look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].label == "theirs");
    CHECK(look.rows[0].state == RowState::complete);
    CHECK(world.oracle()[0].foreign);
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::look);
    CHECK(world.admin().foreign(made.hash, ForeignAct::pay, "theirs").error().code == Errc::already_paid);
  }
  SUBCASE("holds, and is released") {
    REQUIRE(world.admin().foreign(made.hash, ForeignAct::hold, "theirs", 4'711));
    world.clock().pass(86'400 * ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    CHECK(world.admin().release(made.hash, 0x2002).value() == 1);
    CHECK(world.look(made.hash).rows[0].state == RowState::failed);
  }
  SUBCASE("has failed: we may go on, above its id") {
    REQUIRE(world.pay(world.handover(world.invoice(), 3)).kind == Queried::settled);
    CHECK(world.admin().foreign(made.hash, ForeignAct::fail, "theirs", 41).value() == AttemptId{41});
    CHECK(world.look(made.hash).rows[0].state == RowState::failed);
    CHECK(world.admin().foreign(made.hash, ForeignAct::fail, "theirs").value() == AttemptId{42});
    const auto fresh = world.invoice();
    CHECK(world.pay(world.handover(fresh, 7)).kind == Queried::settled);
  }
  SUBCASE("has paid, between two of our steps") {
    Fault fault;
    fault.kind = FaultKind::foreign;
    fault.step = Step::before_dispatch;
    fault.act = ForeignAct::complete;
    fault.text = "theirs";
    world.admin().add_fault(fault);
    CHECK(world.dispatch(world.handover(made, 9)).kind == Dispatched::look);
    const LookResult look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].state == RowState::complete);
    CHECK(proves(*look.rows[0].preimage, made.hash));
  }
  SUBCASE("comes while ours is in flight: the node refuses") {
    REQUIRE(world.dispatch(world.handover(made, 9)).kind == Dispatched::accepted);
    CHECK(world.admin().foreign(made.hash, ForeignAct::pay, "theirs").error().code == Errc::in_flight);
  }
  SUBCASE("pays right after ours has failed") {
    const auto flaky = world.invoice(100'000 * sat, {}, "TEMPORARY_NODE_FAILUREx1");
    Fault fault;
    fault.kind = FaultKind::foreign;
    fault.step = Step::resolve;
    fault.act = ForeignAct::complete;
    fault.text = "theirs";
    world.admin().add_fault(fault);
    CHECK(world.pay(world.handover(flaky, 9)).kind == Queried::failed);
    const LookResult look = world.look(flaky.hash);
    REQUIRE(look.rows.size() == 2);
    CHECK(look.rows[1].state == RowState::complete);
    CHECK(look.rows[1].id == AttemptId{10});
  }
}

TEST_CASE("the node starts again from an old copy of its store") {
  World world;
  const auto first = world.invoice();
  REQUIRE(world.pay(world.handover(first, 1)).kind == Queried::settled);
  const auto held = world.invoice(100'000 * sat, Hold{Hold::forever});
  const Handover waiting = world.handover(held, 2);
  REQUIRE(world.dispatch(waiting).kind == Dispatched::accepted);
  world.admin().save_copy("monday");
  const Marks then = world.look(first.hash).now;
  const auto second = world.invoice();
  REQUIRE(world.pay(world.handover(second, 3)).kind == Queried::settled);
  REQUIRE(world.admin().release(held.hash, std::nullopt).value() == 1);
  const Marks before = world.look(first.hash).now;
  CHECK(before.payments_created > then.payments_created);
  REQUIRE(world.admin().restore_copy("monday"));
  const LookResult look = world.look(second.hash);
  CHECK(look.rows.empty());
  CHECK(look.now.payments_created < before.payments_created);
  CHECK(look.now.htlcs_created < before.htlcs_created);
  CHECK(world.look(first.hash).rows.size() == 1);
  // The peers tell how the held one ended: it was released after the copy was made.
  CHECK(world.look(held.hash).rows[0].state == RowState::complete);
  CHECK(world.look(held.hash).debits->size() == 1);
  CHECK(world.count(OracleState::settled) == 3);
  CHECK_FALSE(world.admin().restore_copy("tuesday"));
  world.admin().new_store();
  CHECK(world.look(first.hash).rows.empty());
  CHECK(world.look(first.hash).now == Marks{0, 0, 0, 0});
  world.node().identify();
  CHECK(world.one<IdentityAnswer>().key.node == key_of(0));
}

TEST_CASE("an HTLC that is under way while its row is forgotten ends all the same") {
  World world;
  world.admin().save_copy("empty");
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  REQUIRE(world.admin().restore_copy("empty"));
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);  // a second HTLC: the node has forgotten the first
  CHECK(world.query(given.key).kind == Queried::settled);
  CHECK(world.count(OracleState::settled) == 1);
  CHECK(world.count(OracleState::failed) == 1);
  CHECK(world.under_way(chan_a) == 0);
}

TEST_CASE("nodes and payees that do not keep to the rules") {
  World world;
  SUBCASE("a preimage that proves nothing") {
    const auto made = world.invoice(100'000 * sat, {}, nullptr, PayeeBehaviour::wrong_preimage);
    const QueryAnswer answer = world.pay(world.handover(made, 1));
    CHECK(answer.kind == Queried::settled);
    CHECK_FALSE(proves(answer.preimage, made.hash));
  }
  SUBCASE("complete without preimage") {
    const auto made = world.invoice(100'000 * sat, {}, nullptr, PayeeBehaviour::complete_without_preimage);
    CHECK(world.pay(world.handover(made, 1)).kind == Queried::look);
    const LookResult look = world.look(made.hash);
    CHECK(look.rows[0].state == RowState::complete);
    CHECK_FALSE(look.rows[0].preimage.has_value());
  }
}

TEST_CASE("nobody answers for a time, and the network goes on") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  world.node().query(given.key);
  SUBCASE("until a time") {
    world.admin().set_unreachable(UnixNs{world.admin().now().value + 10 * ns_per_second});
    CHECK(std::holds_alternative<Disconnected>(world.poll(0).at(0)));
    world.node().identify();
    CHECK(std::holds_alternative<Disconnected>(world.poll(0).at(0)));
    CHECK(world.poll(10 * ns_per_second).empty());
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("for ever, until somebody mends it") {
    world.admin().set_unreachable(std::nullopt);
    CHECK(std::holds_alternative<Disconnected>(world.poll(0).at(0)));
    world.clock().pass(86'400 * ns_per_second);
    world.node().dispatch(given);
    CHECK(std::holds_alternative<Disconnected>(world.poll(0).at(0)));
    world.admin().set_reachable();
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("from one request on") {
    Fault fault;
    fault.kind = FaultKind::unreachable;
    fault.step = Step::before_look;
    fault.delay_ns = 5 * ns_per_second;
    world.admin().add_fault(fault);
    world.node().look(made.hash, std::nullopt);
    CHECK(std::holds_alternative<Disconnected>(world.poll(0).at(0)));
    world.clock().pass(5 * ns_per_second);
    CHECK(world.look(made.hash).rows.size() == 1);
  }
}

TEST_CASE("the node forgets between two of our steps") {
  World world;
  const auto made = world.invoice(100'000 * sat, {}, "TEMPORARY_NODE_FAILUREx1");
  Fault fault;
  SUBCASE("ended rows, before a look") {
    REQUIRE(world.pay(world.handover(made, 1)).kind == Queried::failed);
    world.fault(FaultKind::erase_rows, Step::before_look);
    CHECK(world.look(made.hash).rows.empty());
    CHECK(world.look(made.hash).htlcs->size() == 1);
  }
  SUBCASE("ended rows, behind a look that still shows them") {
    REQUIRE(world.pay(world.handover(made, 1)).kind == Queried::failed);
    world.fault(FaultKind::erase_rows, Step::after_look);
    CHECK(world.look(made.hash).rows.size() == 1);
    CHECK(world.look(made.hash).rows.empty());
  }
  SUBCASE("everything, as it is handed the attempt") {
    world.admin().save_copy("old");
    REQUIRE(world.pay(world.handover(made, 1)).kind == Queried::failed);
    fault.kind = FaultKind::restore_copy;
    fault.step = Step::after_dispatch;
    fault.text = "old";
    world.admin().add_fault(fault);
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::accepted);
    const LookResult look = world.look(made.hash);
    CHECK(look.rows.empty());
    CHECK(look.htlcs->empty());
    CHECK(look.now == Marks{0, 0, 0, 0});
    world.clock().pass(ns_per_second);
    CHECK(world.count(OracleState::settled) == 1);
  }
  SUBCASE("a fault can be taken back") {
    fault.kind = FaultKind::erase_rows;
    fault.step = Step::before_look;
    world.admin().remove_fault(world.admin().add_fault(fault));
    CHECK(world.admin().faults().empty());
  }
}

TEST_CASE("the payment that another user makes at each step is seen by the next look") {
  for (const Step step : {Step::before_look, Step::before_dispatch, Step::before_fence, Step::after_fence}) {
    CAPTURE(static_cast<int>(step));
    World world;
    const auto made = world.invoice();
    Fault fault;
    fault.kind = FaultKind::foreign;
    fault.step = step;
    fault.act = ForeignAct::hold;
    fault.text = "theirs";
    world.admin().add_fault(fault);
    const Handover given = world.handover(made, 9);
    if (step == Step::before_dispatch) CHECK(world.dispatch(given).kind == Dispatched::look);
    if (step == Step::before_fence) CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
    if (step == Step::after_fence) CHECK(world.fence(given).kind == FenceAnswer::Kind::fenced);
    const LookResult look = world.look(made.hash);
    REQUIRE_FALSE(look.rows.empty());
    CHECK(look.rows.back().label == "theirs");
    CHECK(look.rows.back().state == RowState::pending);
    CHECK_FALSE(look.htlcs->back().finished);
  }
}
