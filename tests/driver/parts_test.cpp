// Goal: a payment in parts is handed over, completed, planned again and given up as the rules of parts say. Method:
// step scripts on the real store, as in steps_test.cpp.
#include <doctest/doctest.h>

#include "core/driver/item.h"
#include "core/driver/route_session.h"
#include "tests/driver/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

void want_parts(World& world, std::uint32_t most = 4) {
  world.request.max_parts = most;
  world.request.max_attempts = 8;
  world.request.payment_secret.emplace();
}

ScriptedSwitch::Reply routes(std::vector<Route> set) {
  return [set = std::move(set)](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{routes_answer(node.last_question.ticket, set)};
  };
}

/// Routes for two parts, which send 150,250 and 100,250 msat over our channels.
ScriptedSwitch::Reply two_routes() { return routes({part_route(150'000, 1), part_route(100'000, 11)}); }

/// A script that hands over two parts; then the connection breaks.
void expect_two_parts(World& world) {
  want_parts(world);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", two_routes());
  world.node.expect("send", nothing());
  world.node.expect("send", lost_again());
}

AttemptKey part(const ScriptedSwitch& node, std::size_t sent) { return node.handovers.at(sent).key; }

QueryAnswer told(const AttemptKey& key, FailureCode code, std::uint32_t source) {
  return QueryAnswer{key, QueryAnswer::Kind::failed, {}, Failure{code, source, {}, {}, {}}, {}};
}
QueryAnswer paid(const AttemptKey& key) {
  return QueryAnswer{key, QueryAnswer::Kind::settled, right_preimage(), {}, {}};
}

SwitchRow row_of(const Handover& handover, RowState state) {
  SwitchRow row;
  row.id = handover.key.id;
  row.part = handover.key.part;
  row.label = handover.label;
  row.state = state;
  if (state == RowState::complete) row.preimage = right_preimage();
  return row;
}

/// Accepts the last two hand-overs.
ScriptedSwitch::Reply accept_all() {
  return [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{
        DispatchAnswer{node.handovers.at(node.handovers.size() - 2).key, DispatchAnswer::Kind::accepted, {}},
        DispatchAnswer{node.handovers.back().key, DispatchAnswer::Kind::accepted, {}}};
  };
}

ScriptedSwitch::Reply say(std::function<SwitchEvent(ScriptedSwitch&)> what) {
  return [what = std::move(what)](ScriptedSwitch& node) { return std::vector<SwitchEvent>{what(node)}; };
}

/// A script with two accepted parts. The first query gets no answer; what the second one gets is up to the test.
void expect_accepted_parts(World& world) {
  want_parts(world);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", two_routes());
  world.node.expect("send", nothing());
  world.node.expect("send", accept_all());
  world.node.expect("query", nothing());
}

/// Both parts' rows, as the switch would show them.
ScriptedSwitch::Reply shows_parts(RowState first, RowState second) {
  return [first, second](ScriptedSwitch& node) {
    cln::NodeLists look = quiet_look();
    look.rows = {row_of(node.handovers[0], first), row_of(node.handovers[1], second)};
    return std::vector<SwitchEvent>{answer_of(look)};
  };
}

}  // namespace

TEST_CASE("parts: a payment without a secret goes in one piece, whatever is allowed") {
  Payment payment = fresh_payment();
  payment.request.max_parts = 4;
  CHECK(payment.parts_left() == 1);
  CHECK(payment.next_part() == 0);
  payment.request.payment_secret.emplace();
  payment.request.max_attempts = 8;
  CHECK(payment.parts_left() == 4);
  CHECK(payment.next_part() == 1);
}

TEST_CASE("parts: nobody leaves a proven payment while something is known of it that is not stored") {
  Item item;
  item.proven = MonoNs{0};
  ItemContext at;
  at.mono = MonoNs{3 * ns_per_second};
  item.backlog.push_back(Settled{key_of(first_id, 2), right_preimage()});
  CHECK(leave_proven(item, at).empty());
  item.backlog.clear();
  CHECK(leave_proven(item, at).size() == 1);
}

TEST_CASE("parts: a round is one commit, then its hand-overs; the first proof is the payment's, the others follow") {
  World world;
  expect_accepted_parts(world);
  world.node.expect("query", say([](ScriptedSwitch& node) { return paid(part(node, 1)); }));
  world.node.later.emplace_back(50 * ns_per_ms, Disconnected{"cut", true});
  world.node.expect("identify", identity());
  world.node.expect("look", shows_parts(RowState::complete, RowState::complete));
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  REQUIRE(result.payment->attempts.size() == 2);
  CHECK(result.payment->attempts[0].part == 1);
  CHECK(result.payment->attempts[1].part == 2);
  CHECK(result.payment->attempts[0].id == result.payment->attempts[1].id);
  CHECK(settlement_of(*result.payment)->amount == Msat::of(250'000));
  CHECK(settlement_of(*result.payment)->fee == Msat::of(500));
  CHECK(world.log == Log{"identify", "look", "route", "init+register+register", "send", "send", "query", "query",
                         "settle+succeed", "identify", "look", "settle"});
  CHECK(world.node.handovers[0].amount == Msat::of(250'000));  // what the payee asked for in all
  CHECK(world.node.last_question.max_parts == 4);
  world.check_stored(*result.payment);
}

TEST_CASE("parts: two seconds after the proof nobody waits for the rest, and a resume collects it") {
  World world;
  expect_two_parts(world);
  world.node.expect("identify", identity());
  world.node.expect("look", shows_parts(RowState::pending, RowState::complete));
  world.node.expect("query", nothing());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::ended);
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(result.payment->has_open_attempt());
  CHECK(world.clock.mono().value <= 4 * ns_per_second);
  world.node.expect("identify", identity());
  world.node.expect("look", shows_parts(RowState::complete, RowState::complete));
  const auto later = world.resume();
  CHECK_FALSE(later.payment->has_open_attempt());
  CHECK(settlement_of(*later.payment)->amount == Msat::of(250'000));
  CHECK(world.node.handovers.size() == 2);
}

TEST_CASE("parts: a part that failed beside the others is replaced in the same round, by no more than is missing") {
  World world;
  expect_accepted_parts(world);
  world.node.expect("query", say([](ScriptedSwitch& node) {
                      return told(part(node, 1), FailureCode::temporary_channel_failure, 1);
                    }));
  world.node.expect("route", [](ScriptedSwitch& node) {
    CHECK(node.last_question.demand.amount == Msat::of(100'000));
    CHECK(node.last_question.demand.fee_limit == Msat::of(5'000 - 250));
    REQUIRE(node.last_question.beside.size() == 1);
    CHECK(node.last_question.beside[0] == part_route(150'000, 1));
    REQUIRE(node.last_question.bounds.size() == 1);
    CHECK(node.last_question.bounds[0].below == Msat::of(50'000));
    return std::vector<SwitchEvent>{no_route_answer(node.last_question.ticket, {})};
  });
  world.node.expect("route", [](ScriptedSwitch& node) {  // half of what failed finds no way, so more is asked for
    CHECK(node.last_question.bounds[0].below == Msat::of(75'000));
    return std::vector<SwitchEvent>{routes_answer(node.last_question.ticket, {part_route(100'000, 21)})};
  });
  world.node.expect("send", say([](ScriptedSwitch& node) {
                      return DispatchAnswer{node.sent(), DispatchAnswer::Kind::accepted, {}};
                    }));
  world.node.expect("query", [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{paid(part(node, 2)), paid(part(node, 0))};
  });
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  REQUIRE(result.payment->attempts.size() == 3);
  CHECK(result.payment->attempts[2].part == 3);
  CHECK(result.payment->attempts[2].id == result.payment->attempts[0].id);
  CHECK(result.payment->attempts[2].route.total_amount() == Msat::of(100'251));  // R5: an amount of its own
  CHECK(settlement_of(*result.payment)->amount == Msat::of(250'000));
}

TEST_CASE("parts: what the payee gives back is planned anew when all of it has come, in a new round") {
  World world;
  expect_accepted_parts(world);
  world.node.expect("query", [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{told(part(node, 0), FailureCode::mpp_timeout, 2),
                                    told(part(node, 1), FailureCode::mpp_timeout, 2)};
  });
  world.node.expect("look", quiet());
  world.node.expect("route", [](ScriptedSwitch& node) {
    CHECK(node.last_question.demand.amount == Msat::of(250'000));
    CHECK(node.last_question.bounds.empty());  // an MPP_TIMEOUT blames nobody
    return std::vector<SwitchEvent>{routes_answer(node.last_question.ticket, {simple_route(31)})};
  });
  world.node.expect("send", accepted());
  world.node.expect("query", settled());
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  REQUIRE(result.payment->attempts.size() == 3);
  CHECK(*result.payment->attempts[2].id > *result.payment->attempts[0].id);
  CHECK(result.payment->attempts[2].part == 3);
  CHECK(result.payment->own_attempts() == 2);
}

TEST_CASE("parts: a part that was never written goes again only while the others still stand") {
  World world;
  expect_two_parts(world);
  world.node.expect("identify", identity());
  bool stands = false;
  SUBCASE("the other part is pending: the same part again") { stands = true; }
  SUBCASE("the other part has failed: fenced") {}
  world.node.expect("look", [stands](ScriptedSwitch& node) {
    cln::NodeLists look = quiet_look();
    look.rows = {row_of(node.handovers[0], stands ? RowState::pending : RowState::failed)};
    look.htlcs->push_back(cln::OutgoingHtlc{11, !stands, node.handovers[0].route.total_amount()});
    return std::vector<SwitchEvent>{answer_of(look)};
  });
  if (stands) {
    world.node.expect("query", nothing());
    world.node.expect("send", [](ScriptedSwitch& node) {
      CHECK(node.sent() == part(node, 1));
      return std::vector<SwitchEvent>{DispatchAnswer{node.sent(), DispatchAnswer::Kind::accepted, {}}};
    });
    world.node.expect("query", [](ScriptedSwitch& node) {
      return std::vector<SwitchEvent>{paid(part(node, 0)), paid(part(node, 1))};
    });
    CHECK(world.send().payment->status() == PaymentStatus::succeeded);
  } else {
    world.node.expect("fence", crash());
    CHECK_THROWS_AS(world.send(), Crash);
    CHECK(world.node.fences.at(0).key == part(world.node, 1));
  }
}

TEST_CASE("parts: beside the proof a part that has no row is fenced, and the refusal of its fence ends it") {
  World world;
  expect_two_parts(world);
  world.node.expect("identify", identity());
  const auto one_paid = [](ScriptedSwitch& node) {
    cln::NodeLists look = quiet_look();
    look.rows = {row_of(node.handovers[0], RowState::complete)};
    look.htlcs->push_back(cln::OutgoingHtlc{11, true, node.handovers[0].route.total_amount()});
    look.debits->push_back(cln::Debit{11, node.handovers[0].key.id, 1});
    return std::vector<SwitchEvent>{answer_of(look)};
  };
  world.node.expect("look", one_paid);
  world.node.expect("fence", say([](ScriptedSwitch& node) {
                      return FenceAnswer{node.fences.back().key, FenceAnswer::Kind::barred};
                    }));
  world.node.expect("look", one_paid);
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK_FALSE(result.payment->has_open_attempt());
  CHECK(result.payment->attempts[1].failure->code == FailureCode::fenced);
  CHECK(world.node.handovers.size() == 2);  // nothing is handed over after the proof
}

TEST_CASE("parts: no amount is told twice where a msat can tell attempts apart") {
  Payment payment = fresh_payment();
  payment.request.max_parts = 4;
  payment.attempts = {part_attempt(first_id, 1, 150'000, Shape::failed)};
  const auto totals = [](const std::vector<Route>& routes) {
    std::vector<std::uint64_t> found;
    for (const Route& route : routes) found.push_back(route.total_amount().value());
    return found;
  };
  // A part that may fill a channel of ours sends less, never more. The smallest part takes the difference, and pays 1
  // msat more of fee for it.
  std::vector<Route> set = {part_route(150'000, 1), part_route(60'000, 11), part_route(40'000, 21)};
  tell_apart(set, payment);
  CHECK(totals(set) == std::vector<std::uint64_t>{150'249, 60'250, 40'252});
  CHECK(set[2].delivered() == Msat::of(40'001));
  CHECK(set[0].delivered().value() + set[1].delivered().value() + set[2].delivered().value() == 250'000);
  SUBCASE("equal parts alone: a msat of fee") {
    set = {part_route(125'000, 1), part_route(125'000, 11)};
    tell_apart(set, payment);
    CHECK(totals(set) == std::vector<std::uint64_t>{125'250, 125'251});
  }
  SUBCASE("no fee is left: they stay equal") {
    payment.request.demand.fee_limit = Msat::of(750);
    set = {part_route(150'000, 1), part_route(50'000, 11), part_route(50'000, 21)};
    tell_apart(set, payment);
    CHECK(totals(set) == std::vector<std::uint64_t>{150'250, 50'250, 50'250});
  }
  SUBCASE("single hops: a msat moves from one part to another") {
    const auto direct = [](std::uint64_t channel, std::uint64_t msat) {
      Route route;
      route.hops.push_back(Hop{ShortChannelId{channel}, 0, node_key(2), Msat::of(msat), 18});
      return route;
    };
    set = {direct(1, 125'000), direct(2, 125'000)};
    tell_apart(set, payment);
    CHECK(set[0].total_amount() != set[1].total_amount());
    CHECK(set[0].delivered().value() + set[1].delivered().value() == 250'000);
  }
}
