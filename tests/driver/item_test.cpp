// What answers and decisions make of one payment on its way: data in, data out.
#include <doctest/doctest.h>

#include "core/driver/item.h"
#include "tests/lifecycle/states.h"

using namespace paytower;

namespace {

const IdentityAnswer here{SwitchKey{test::node_key(9), "regtest"}, "run"};

ItemContext at(std::int64_t seconds) {
  ItemContext context;
  context.mono = MonoNs{seconds * ns_per_second};
  context.wall = UnixNs{test::created.value + seconds * ns_per_second};
  context.identity = &here;
  context.look_pause_ns = 250 * ns_per_ms;
  return context;
}

Item item_with_open_attempt() {
  Item item;
  item.payment = test::fresh_payment();
  item.payment.index.value = 1;
  item.payment.attempts.push_back(test::own_attempt(test::first_id, test::Shape::open));
  item.payment.attempts.back().switch_run = here.run;
  return item;
}

AttemptKey key_of(std::uint32_t part) { return AttemptKey{test::fresh_payment().request.hash, test::first_id, part}; }

Decision acts(Act act) {
  Decision decision;
  decision.acts.push_back(act);
  return decision;
}

const NotSent& last_not_sent(const Item& item) { return std::get<NotSent>(item.backlog.back()); }

DispatchAnswer not_sent(std::uint32_t part) { return DispatchAnswer{key_of(part), DispatchAnswer::Kind::not_sent, {}}; }

}  // namespace

TEST_CASE("item: R3, the only copy is counted for each part of an id") {
  Item item = item_with_open_attempt();
  item.handovers = {HandoverRecord{key_of(0), true, 1, at(0).mono}, HandoverRecord{key_of(1), true, 2, at(0).mono}};
  on(item, not_sent(0), at(1));
  CHECK(last_not_sent(item).only_copy);
  CHECK(unanswered(item));  // the other part's answer is still missing
  on(item, not_sent(1), at(1));
  CHECK(!last_not_sent(item).only_copy);
  CHECK(!unanswered(item));
}

TEST_CASE("item: R3, a second copy and another process's id are no only copy") {
  Item item = item_with_open_attempt();
  REQUIRE(perform(item, acts(Dispatch{key_of(0)}), at(0)).size() == 1);
  on(item, not_sent(0), at(1));
  CHECK(!last_not_sent(item).only_copy);  // this process has not drawn the id
  item.handovers.front().drawn_here = true;
  on(item, not_sent(0), at(1));
  CHECK(last_not_sent(item).only_copy);
  REQUIRE(perform(item, acts(Dispatch{key_of(0)}), at(2)).size() == 1);
  on(item, not_sent(0), at(3));
  CHECK(!last_not_sent(item).only_copy);
}

TEST_CASE("item: R3, an id that was another's is not ours, and the new one is") {
  Item item = item_with_open_attempt();
  item.payment.attempts.clear();
  routes_ready(item, {test::simple_route()}, test::first_id, at(0));
  RoutesReady taken = std::get<RoutesReady>(item.backlog.back());
  item.backlog.clear();
  take_other_id(item, taken, test::second_id);
  REQUIRE(item.backlog.size() == 1);
  CHECK(std::get<RoutesReady>(item.backlog.front()).round == test::second_id);
  CHECK(!find_handover(item, key_of(0))->drawn_here);
  CHECK(find_handover(item, AttemptKey{key_of(0).hash, test::second_id, 0})->drawn_here);
}

TEST_CASE("item: R9, a hand-over outdates a look that is under way, and its answer leads to another") {
  Item item = item_with_open_attempt();
  want_look(item, at(0).mono);
  REQUIRE(take_look(item, at(0).mono));
  REQUIRE(perform(item, acts(Dispatch{key_of(0)}), at(1)).size() == 1);
  CHECK(!look_came(item, at(2)));
  CHECK(!look_due(item));  // no look before the hand-over is answered
  on(item, DispatchAnswer{key_of(0), DispatchAnswer::Kind::look, {}}, at(3));
  CHECK(look_due(item) == at(3).mono);
  REQUIRE(take_look(item, at(3).mono));
  CHECK(look_came(item, at(4)) == at(3).mono);
}

TEST_CASE("item: a look that is wanted while one is under way stays wanted, the earliest wish first") {
  Item item = item_with_open_attempt();
  want_look(item, at(5).mono);
  want_look(item, at(7).mono);
  CHECK(look_due(item) == at(5).mono);
  CHECK(!take_look(item, at(4).mono));
  REQUIRE(take_look(item, at(5).mono));
  CHECK(!look_due(item));
  want_look(item, at(20).mono);
  SUBCASE("its answer is dropped") {
    item.handovers = {HandoverRecord{key_of(0), true, 1, at(5).mono}};
    CHECK(!look_came(item, at(8)));
    CHECK(look_due(item) == at(20).mono);
  }
  SUBCASE("the connection breaks: a look is wanted at once") {
    on(item, Disconnected{}, at(8));
    CHECK(look_due(item) == at(8).mono);
  }
}

TEST_CASE(
    "item: R4, the answer to a question about a round that has ended meanwhile is dropped, and a look comes first") {
  Item item = item_with_open_attempt();
  item.payment.request.max_parts = 2;
  const AttemptKey open = key_of(0);
  for (const bool found : {true, false}) {
    for (const bool again : {true, false}) {
      Item now = item;
      route_asked(now, RouteAsked{});
      if (again) CHECK_FALSE(may_ask_routes(now, AskRoutes{}));
      const Decision ended = decide(now.payment, {test::before_deadline, Failed{open, {}}});
      REQUIRE(ended.writes.size() == 1);
      on_stored(now, now.payment.index, ended, at(1).mono);
      CHECK(perform(now, ended, at(1)).empty());
      CHECK(look_due(now));
      if (found) CHECK(on(now, routes_answer(0, {test::simple_route(7)})).empty());
      if (!found) CHECK(on(now, no_route_answer(0, {})).empty());
      CHECK_FALSE(now.route);
      CHECK(now.backlog.empty());  // no new round, and no wish to stop
      CHECK(may_ask_routes(now, AskRoutes{}));
    }
  }
}

TEST_CASE("item: silence is doubted every two seconds, and the deadline is told once") {
  Item item = item_with_open_attempt();
  REQUIRE(perform(item, acts(Dispatch{key_of(0)}), at(0)).size() == 1);
  CHECK(wakes_at(item, at(0)) == at(2).mono);
  doubt_silence(item, at(1));
  CHECK(!look_due(item));
  doubt_silence(item, at(2));
  CHECK(look_due(item) == at(2).mono);
  CHECK(wakes_at(item, at(2)) == at(4).mono);
  tell_deadline(item, at(59));
  CHECK(item.backlog.empty());
  tell_deadline(item, at(60));
  tell_deadline(item, at(61));
  CHECK(item.backlog.size() == 1);
}

TEST_CASE("item: what is not the moment for a hand-over leads to a look or an end, and nothing counts as sent") {
  Item item = item_with_open_attempt();
  ItemContext context = at(0);
  SUBCASE("not connected") { context.identity = nullptr; }
  SUBCASE("restarted since it was decided") { item.payment.attempts.back().switch_run = "an earlier run"; }
  SUBCASE("a signal came") { context.mode = ItemContext::Mode::leaving; }
  SUBCASE("--no-retry, and the id is of another process") { context.mode = ItemContext::Mode::collect_only; }
  const Wishes wishes = perform(item, acts(Dispatch{key_of(0)}), context);
  const bool leaves = wishes.size() == 1 && std::holds_alternative<Leave>(wishes.front());
  CHECK(leaves == (context.mode != ItemContext::Mode::drive));
  CHECK(leaves != look_due(item).has_value());
  CHECK(!unanswered(item));
}

TEST_CASE("item: R8, what is read again drops conclusions and keeps proofs") {
  Item item = item_with_open_attempt();
  item.backlog = {Pending{key_of(0)}, Settled{key_of(0), test::right_preimage()}, Quiet{}};
  const Payment stored = item.payment;
  CHECK(on_reload(item, stored, at(1)).empty());
  REQUIRE(item.backlog.size() == 1);
  CHECK(std::holds_alternative<Settled>(item.backlog.front()));
  CHECK(look_due(item) == at(1).mono);
}

TEST_CASE("item: looks 45 s apart prove an orphan, and one without it begins anew") {
  Item item = item_with_open_attempt();
  const auto look = [&](std::int64_t seconds, bool orphan) {
    LookFinding finding;
    finding.events.push_back(Pending{key_of(0)});
    if (orphan) finding.orphans.push_back(key_of(0));
    on(item, finding, at(seconds).mono, at(seconds));
    return std::holds_alternative<Orphaned>(item.backlog.back());
  };
  CHECK(!look(0, true));
  CHECK(!look(44, true));
  CHECK(!look(45, false));
  CHECK(!look(46, true));
  CHECK(!look(90, true));
  CHECK(look(91, true));
}
