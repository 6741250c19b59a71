// Goal: every way in which a node, its users or the connection go wrong can be asked for, strikes once and at the right
// place, and never changes what really happened. Method: each fault by hand, as the node's client sees it.
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
    const cln::NodeLists look = world.look(paid.hash);
    CHECK(look.rows.empty());
    REQUIRE(look.htlcs->size() == 1);
    CHECK(look.htlcs->front().finished);
    CHECK(look.debits->size() == 1);
    CHECK(look.now == cln::Counters{2, 2, 0, 1});
    CHECK(world.query(good.key).kind == Queried::look);
    CHECK(world.look(failed.hash).rows.size() == 1);
  }
  SUBCASE("a failed one has no debit") {
    erasure.attempt = AttemptId{2};
    CHECK(world.admin().erase(erasure) == 1);
    const cln::NodeLists look = world.look(failed.hash);
    CHECK(look.rows.empty());
    CHECK(look.htlcs->size() == 1);
    CHECK(look.debits->empty());
  }
  SUBCASE("with the HTLC list, as after a restart: htlcs_deleted moves") {
    erasure.htlcs_too = true;
    CHECK(world.admin().erase(erasure) == 2);
    const cln::NodeLists look = world.look(paid.hash);
    CHECK(look.htlcs->empty());
    CHECK(look.debits->size() == 1);
    CHECK(look.now == cln::Counters{2, 2, 2, 1});
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
    CHECK(world.look(paid.hash).now == cln::Counters{2, 2, 0, 1});
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
  const cln::NodeLists look = world.look(made.hash);
  CHECK(look.now.movements_created == 1u);
  CHECK(look.debits->front().id == AttemptId{1});
}

TEST_CASE("a result that is lost in the moment in which it comes") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  world.fault(FaultKind::lose_result, "end");
  REQUIRE(world.dispatch(given).kind == Dispatched::accepted);
  CHECK(world.query(given.key).kind == Queried::look);
  const cln::NodeLists look = world.look(made.hash);
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
    world.fault(FaultKind::orphan, "sendpay");
    CHECK(world.dispatch(given).kind == Dispatched::accepted);
  }
  SUBCASE("found there") { world.admin().add_orphan_row(given); }
  world.clock().pass(90 * 86'400 * ns_per_second);
  const cln::NodeLists look = world.look(made.hash);
  REQUIRE(look.rows.size() == 1);
  CHECK(look.rows[0].state == RowState::pending);
  CHECK(look.rows[0].label == given.label);
  CHECK(look.htlcs->empty());
  CHECK(look.now == cln::Counters{1, 0, 0, 0});
  CHECK(world.dispatch(given).kind == Dispatched::accepted);
  CHECK(world.fence(given).kind == FenceAnswer::Kind::look);
  CHECK(world.oracle().empty());
}

TEST_CASE("a request that is executed late") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  Fault fault{.kind = FaultKind::hold, .occasion = "sendpay", .value = 10 * ns_per_second, .times = 1};
  SUBCASE("by time, also when nobody runs, at its time") {
    world.faults().add(fault);
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
    world.faults().add(fault);
    world.node().dispatch(given);
    CHECK(world.poll(9 * ns_per_second).empty());
    CHECK(world.one<DispatchAnswer>().kind == Dispatched::accepted);
  }
  SUBCASE("at a later height") {
    fault.value = 0;
    fault.height = 800'144;
    world.faults().add(fault);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.oracle().empty());
    world.restart();
    world.admin().set_height(800'144);
    world.admin().advance();
    world.clock().pass(ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("behind a fence it makes nothing") {
    world.faults().add(fault);
    world.node().dispatch(given);
    CHECK(world.poll(ns_per_second).empty());
    Handover fence = given;
    fence.label = attempt_label(StoreId{}, given.key.id, true);
    CHECK(world.fence(fence).kind == FenceAnswer::Kind::fenced);
    world.clock().pass(60 * ns_per_second);
    CHECK(world.count(OracleState::fenced) == 1);
    CHECK(world.oracle().size() == 1);
  }
  SUBCASE("the same attempt again before it: one HTLC of the two") {
    world.faults().add(fault);
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
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::not_sent);
    world.clock().pass(ns_per_second);
    const cln::NodeLists look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].label == "theirs");
    CHECK(look.rows[0].state == RowState::complete);
    CHECK(world.oracle()[0].foreign);
    CHECK(world.dispatch(world.handover(made, 2)).kind == Dispatched::not_sent);
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
    world.fault(FaultKind::foreign_complete, "sendpay");
    CHECK(world.dispatch(world.handover(made, 9)).kind == Dispatched::not_sent);
    const cln::NodeLists look = world.look(made.hash);
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
    world.fault(FaultKind::foreign_complete, "end");
    CHECK(world.pay(world.handover(flaky, 9)).kind == Queried::failed);
    const cln::NodeLists look = world.look(flaky.hash);
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
  const cln::Counters then = world.look(first.hash).now;
  const auto second = world.invoice();
  REQUIRE(world.pay(world.handover(second, 3)).kind == Queried::settled);
  REQUIRE(world.admin().release(held.hash, std::nullopt).value() == 1);
  const cln::Counters before = world.look(first.hash).now;
  CHECK(before.payments_created > then.payments_created);
  REQUIRE(world.admin().restore_copy("monday"));
  const cln::NodeLists look = world.look(second.hash);
  CHECK(look.rows.empty());
  CHECK(look.now.payments_created < before.payments_created);
  CHECK(look.now.htlcs_created < before.htlcs_created);
  CHECK(world.look(first.hash).rows.size() == 1);
  // The peers report how the held one ended: it was released after the copy was made.
  CHECK(world.look(held.hash).rows[0].state == RowState::complete);
  CHECK(world.look(held.hash).debits->size() == 1);
  CHECK(world.count(OracleState::settled) == 3);
  CHECK_FALSE(world.admin().restore_copy("tuesday"));
  world.admin().new_store();
  CHECK(world.look(first.hash).rows.empty());
  CHECK(world.look(first.hash).now == cln::Counters{0, 0, 0, 0});
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

TEST_CASE("the payment that another user makes at each step is seen by the next look") {
  struct Place {
    const char* occasion;
    bool after;
  };
  for (const Place& place :
       {Place{"listsendpays", false}, Place{"sendpay", false}, Place{"fence", false}, Place{"fence", true}}) {
    CAPTURE(place.occasion);
    World world;
    const auto made = world.invoice();
    world.faults().add({.kind = FaultKind::foreign_hold,
                        .occasion = place.occasion,
                        .after = place.after,
                        .hash = made.hash,
                        .times = 1,
                        .group = 77,
                        .text = "theirs"});
    const Handover given = world.handover(made, 9);
    const std::string_view occasion = place.occasion;
    if (occasion == "sendpay") CHECK(world.dispatch(given).kind == Dispatched::not_sent);
    if (occasion == "fence")
      CHECK(world.fence(given).kind == (place.after ? FenceAnswer::Kind::fenced : FenceAnswer::Kind::look));
    const cln::NodeLists look = world.look(made.hash);
    REQUIRE_FALSE(look.rows.empty());
    CHECK(look.rows.back().label == "theirs");
    CHECK(look.rows.back().id == AttemptId{77});
    CHECK(look.rows.back().state == RowState::pending);
    CHECK_FALSE(look.htlcs->back().finished);
  }
}

TEST_CASE("requests and replies that are lost, and a node that lets nobody in") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  const auto unanswered = [&](FaultKind kind, bool after = false) {
    world.fault(kind, "sendpay", after);
    world.node().dispatch(given);
    return world.poll(ns_per_second);
  };
  SUBCASE("reply lost: executed once") {
    CHECK(unanswered(FaultKind::drop_reply).empty());
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("request lost: not executed") {
    CHECK(unanswered(FaultKind::ignore).empty());
    CHECK(world.look(made.hash).rows.empty());
  }
  SUBCASE("connection lost, before the execution and behind it") {
    CHECK(std::holds_alternative<Disconnected>(unanswered(FaultKind::break_off).at(0)));
    world.connect();
    CHECK(world.look(made.hash).rows.empty());
    CHECK(std::holds_alternative<Disconnected>(unanswered(FaultKind::break_off, true).at(0)));
    world.connect();
    CHECK(world.query(given.key).kind == Queried::settled);
  }
  SUBCASE("nobody gets in for a time, and the network goes on") {
    world.faults().add(
        {.kind = FaultKind::refuse, .occasion = "sendpay", .value = 5 * ns_per_second, .after = true, .times = 1});
    world.node().dispatch(given);
    CHECK(std::holds_alternative<Disconnected>(world.poll(ns_per_second).at(0)));
    const auto let_in = [&] {
      world.node().identify();
      const auto events = world.poll(ns_per_second);
      return !events.empty() && std::holds_alternative<IdentityAnswer>(events[0]);
    };
    CHECK_FALSE(let_in());
    world.clock().pass(5 * ns_per_second);
    bool in = false;
    for (int i = 0; i < 3 && !in; ++i) in = let_in();
    CHECK(in);
    CHECK(world.look(made.hash).rows[0].state == RowState::complete);
  }
  SUBCASE("what somebody else brings to its end meets its faults") {
    const auto held = world.invoice(100'000 * sat, Hold{Hold::forever});
    const Handover theirs = world.handover(held, 2);
    REQUIRE(world.dispatch(theirs).kind == Dispatched::accepted);
    world.fault(FaultKind::lose_result, "end");
    REQUIRE(world.admin().release(held.hash, std::nullopt).value() == 1);
    CHECK(world.query(theirs.key).kind == Queried::look);
    CHECK(world.count(OracleState::settled) == 1);
  }
}
