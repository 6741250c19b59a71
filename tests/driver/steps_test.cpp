// Goal: the driver walks through a payment in the one order that keeps money safe, whatever the switch answers and
// wherever the process ends. Method: step scripts, after lnd's TestRouterPaymentStateMachine, on the real store; the
// log of questions and commits is compared line by line.
#include <doctest/doctest.h>

#include "tests/driver/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// The first payment, as another process would read it.
Payment stored(World& world) { return value_of(world.store().load(PaymentIndex{1})).value(); }

const Failure local{FailureCode::local_refusal, 0, {}, {}, "no peer"};

void expect_up_to_send(World& world, std::uint64_t channel = 1) {
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(channel));
}

/// What is handed over is accepted, and this comes of it.
void expect_up_to_answer(World& world, const ScriptedSwitch::Reply& answer, std::uint64_t channel = 1) {
  expect_up_to_send(world, channel);
  world.node.expect("send", accepted());
  world.node.expect("query", answer);
}

/// The next hand-over pays.
void expect_paid(World& world) {
  world.node.expect("send", accepted());
  world.node.expect("query", settled());
}

/// A row of another user of the node.
SwitchRow another_wallets(RowState state) {
  SwitchRow row;
  row.id = AttemptId{1};
  row.state = state;
  row.label = "another wallet";
  return row;
}

const Log up_to_send = {"identify", "look", "route", "init+register", "send"};

Log operator+(Log left, const Log& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace

TEST_CASE("step script: success") {
  World world;
  expect_up_to_answer(world, settled());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::ended);
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(result.payment->preimage == right_preimage());
  CHECK(world.log == up_to_send + Log{"query", "settle+succeed"});
  CHECK(world.inner_commits() == 2);
  CHECK(world.node.done());
  world.check_stored(*result.payment);
}

TEST_CASE("the observer is told four times a second what is driven, as long as nothing else happens") {
  World world;
  expect_up_to_answer(world, nothing());
  world.options.wait_ns = 10 * ns_per_second;
  CHECK(world.send().end == DriveEnd::open);
  CHECK(world.observer.told_driving >= 38);
  CHECK(world.observer.told_driving <= 41);
  CHECK(world.observer.told_open >= 38);
}

TEST_CASE("a read that the store refuses ends the run with its words, and nothing is asked or sent after it") {
  const std::size_t steps_before[] = {0, 1, 2, up_to_send.size() + 1};
  for (unsigned which = 0; which < std::size(steps_before); ++which) {
    CAPTURE(which);
    World world;
    expect_up_to_answer(world, nothing());
    world.recording->refuse_read = which;
    CHECK_THROWS_WITH_AS((void)world.send(), "another program holds the database", RefusalError);
    CHECK(world.log.size() == steps_before[which]);
    CHECK(world.recording->reads == which + 1);
    CHECK(world.node.handovers.size() == (which < 3 ? 0 : 1));
    CHECK(value_of(world.store().fetch_in_flight(PaymentIndex{}, 10)).size() == (which < 3 ? 0 : 1));
  }
}

TEST_CASE("step script: failure, then success on another route") {
  World world;
  expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  world.node.expect("route", route(10));
  expect_paid(world);
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  REQUIRE(result.payment->attempts.size() == 2);
  CHECK(*result.payment->attempts[0].id < *result.payment->attempts[1].id);
  CHECK(world.node.last_question.excluded_channels == std::vector{ChannelDirection{ShortChannelId{2}, 1}});
  CHECK(world.log ==
        up_to_send + Log{"query", "fail-attempt", "look", "route", "register", "send", "query", "settle+succeed"});
  world.check_stored(*result.payment);
}

TEST_CASE("M1: no route is said only by a question without advice") {
  World world;
  expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  bool with_advice = false;
  world.node.expect("route", [&](ScriptedSwitch& node) {
    with_advice = node.last_question.memory != nullptr;
    RouteAnswer none = no_route_answer(node.last_question.ticket, {});
    none.advised = true;
    return std::vector<SwitchEvent>{none};
  });
  world.node.expect("route", route(10));
  expect_paid(world);
  CHECK(world.send().payment->status() == PaymentStatus::succeeded);
  CHECK(with_advice);
  CHECK(world.node.last_question.memory == nullptr);
  CHECK(world.node.last_question.excluded_channels.size() == 1);  // its own failure is excluded all the same
}

TEST_CASE("M5: results are read once, when the first route is asked for") {
  World world;
  expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  world.node.expect("route", [](ScriptedSwitch& node) {
    // Learned from the failure a moment ago, not read from the store.
    CHECK(node.last_question.memory->bounds({ShortChannelId{2}, 1})->failed == Msat::of(250'000));
    return std::vector<SwitchEvent>{routes_answer(node.last_question.ticket, {simple_route(10)})};
  });
  expect_paid(world);
  CHECK(world.send().payment->status() == PaymentStatus::succeeded);
  CHECK(world.results_read() == 1);
}

TEST_CASE("M6: without memory no result is read and no advice is asked for") {
  World world;
  world.options.use_memory = false;
  expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  world.node.expect("route", route(10));
  expect_paid(world);
  CHECK(world.send().payment->status() == PaymentStatus::succeeded);
  CHECK(world.results_read() == 0);
  CHECK(world.node.last_question.memory == nullptr);
  CHECK(world.node.last_question.excluded_channels.size() == 1);
}

TEST_CASE("step script: local refusal of the only copy, then success") {
  World world;
  expect_up_to_send(world);
  world.node.expect("send", not_sent());
  world.node.expect("look", quiet());
  world.node.expect("route", route(10));
  expect_paid(world);
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.log == up_to_send + Log{"fail-attempt", "look", "route", "register", "send", "query", "settle+succeed"});
}

TEST_CASE("step script: failure with one route") {
  World world;
  expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  world.node.expect("route", no_route());
  world.node.expect("look", shows_row(RowState::failed));
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::failed);
  CHECK(result.payment->fail_reason == FailureReason::no_route);
  CHECK(result.payment->definitive());
  CHECK(world.log == up_to_send + Log{"query", "fail-attempt", "look", "route", "set-stop", "look", "fail"});
}

TEST_CASE("step script: no route is said of a hash that was looked at behind the question") {
  World world;
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", no_route(FailureReason::insufficient_balance));
  world.node.expect("look", quiet());
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::failed);
  CHECK(result.payment->fail_reason == FailureReason::insufficient_balance);
  CHECK(world.log == Log{"identify", "look", "route", "init+set-stop", "look", "fail"});
}

TEST_CASE("R9: who takes the last balance for the same hash is no reason for FAILED") {
  World world;
  world.options.wait_ns = ns_per_second;
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", no_route(FailureReason::insufficient_balance));
  cln::NodeLists theirs = quiet_look();
  theirs.rows.emplace_back();
  theirs.rows.back().id = AttemptId{77};
  theirs.rows.back().state = RowState::pending;
  for (int i = 0; i < 20; ++i) world.node.expect("look", shows(theirs));
  const auto result = world.send();
  REQUIRE(result.payment);
  CHECK(result.payment->status() == PaymentStatus::initiated);
  CHECK(result.end == DriveEnd::open);
}

TEST_CASE("step script: why there is no route reaches whoever asked, also behind a failed attempt") {
  World world;
  FailureDetail why = detail_of(DetailCode::no_balance);
  why.words = "no way";
  const ScriptedSwitch::Reply poor = [why](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{no_route_answer(node.last_question.ticket, why)};
  };
  SUBCASE("at the first try") {
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    world.node.expect("route", poor);
    world.node.expect("look", quiet());
  }
  SUBCASE("behind a failed attempt") {
    expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
    world.node.expect("look", shows_row(RowState::failed));
    world.node.expect("route", poor);
    world.node.expect("look", shows_row(RowState::failed));
  }
  const auto result = world.send();
  CHECK(result.payment->fail_reason == FailureReason::insufficient_balance);
  CHECK(result.payment->why_failed() == why);
}

TEST_CASE("step script: the re-send is refused after each step") {
  // The process dies after each question of the protocol. A second send of the hash is decided by what is stored.
  const std::vector<std::string> questions = {"identify", "look", "route", "send", "query"};
  for (std::size_t last = 0; last < questions.size(); ++last) {
    CAPTURE(questions[last]);
    World world;
    const std::vector<ScriptedSwitch::Reply> replies = {identity(), quiet(), route(1), accepted(), settled()};
    for (std::size_t i = 0; i < last; ++i) world.node.expect(questions[i], replies[i]);
    world.node.expect(questions[last], [&world](ScriptedSwitch&) -> std::vector<SwitchEvent> {
      CHECK(world.send_beside().end == DriveEnd::busy);  // the first process still holds its lock
      throw Crash{};
    });
    CHECK_THROWS_AS((void)world.send(), Crash);
    const bool recorded = last >= 3;
    const auto again = world.send_without_switch();
    if (recorded) {
      CHECK(again.end == DriveEnd::refused);
      CHECK(again.error->code == Errc::in_flight);
    } else {
      CHECK(again.end == DriveEnd::unavailable);  // nothing was stored, so it may be sent
    }
  }
}

TEST_CASE("step script: restart with a result waiting") {
  World world;
  expect_up_to_answer(world, crash());
  CHECK_THROWS_AS((void)world.send(), Crash);

  SUBCASE("still in flight: asked again, and settled") {
    world.node.expect("identify", identity());
    world.node.expect("look", shows_row(RowState::pending));
    world.node.expect("query", settled());
    world.log.clear();
    CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
    CHECK(world.log == Log{"identify", "look", "query", "settle+succeed"});
  }
  SUBCASE("settled meanwhile: the look says so") {
    world.node.expect("identify", identity());
    world.node.expect("look", shows_row(RowState::complete));
    world.log.clear();
    CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
    CHECK(world.log == Log{"identify", "look", "settle+succeed"});
  }
  SUBCASE("failed meanwhile: the next route is tried, within the limits of the first process") {
    world.node.expect("identify", identity());
    world.node.expect("look",
                      shows_row(RowState::failed, Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}));
    world.node.expect("look", shows_row(RowState::failed));
    world.node.expect("route", route(10));
    expect_paid(world);
    world.log.clear();
    CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
    CHECK(world.node.last_question.demand.fee_limit == Msat::of(5'000));
    CHECK(world.log ==
          Log{"identify", "look", "fail-attempt", "look", "route", "register", "send", "query", "settle+succeed"});
  }
  SUBCASE("never arrived: the same attempt goes out again, same id, same arguments (R4)") {
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    expect_paid(world);
    world.log.clear();
    CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
    REQUIRE(world.node.handovers.size() == 2);
    CHECK(world.node.handovers[0].key == world.node.handovers[1].key);
    CHECK(world.node.handovers[0].label == world.node.handovers[1].label);
    CHECK(world.node.handovers[0].route == world.node.handovers[1].route);
    CHECK(world.observer.told_handovers == 2);  // the second one too, which no write comes before
    CHECK(world.log == Log{"identify", "look", "send", "query", "settle+succeed"});
  }
  SUBCASE("never arrived and past the deadline: fenced, and failed behind a look") {
    world.clock.sleep_until(MonoNs{120 * ns_per_second});
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    world.node.expect("fence", fenced());
    cln::NodeLists behind = quiet_look();
    SwitchRow row;
    row.id = world.node.sent().id;
    row.state = RowState::failed;
    row.label = world.node.handovers.back().label + ":fence";
    behind.rows.push_back(row);
    world.node.expect("look", shows(behind));
    world.node.expect("look", shows(behind));
    const auto result = world.resume();
    CHECK(result.payment->status() == PaymentStatus::failed);
    CHECK(result.payment->fail_reason == FailureReason::timeout);
    CHECK(result.payment->attempts.front().failure->code == FailureCode::fenced);
    CHECK(world.node.handovers.size() == 1);
  }
  SUBCASE("a refusal of the second copy says nothing (R3)") {
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    world.node.expect("send", not_sent());
    world.node.expect("look", shows_row(RowState::pending));
    world.node.expect("query", settled());
    CHECK(world.resume().payment->status() == PaymentStatus::succeeded);
    CHECK(std::count(world.log.begin(), world.log.end(), "fail-attempt") == 0);
  }
  SUBCASE("erased after it settled: never again, never FAILED (R5)") {
    cln::NodeLists erased = quiet_look();
    erased.now = cln::Counters{11, 11, 0, 11};
    erased.htlcs->push_back(cln::OutgoingHtlc{11, true});
    erased.debits->push_back(cln::Debit{11, world.node.sent().id, 0});
    world.node.expect("identify", identity());
    world.node.expect("look", shows(erased));
    const auto result = world.resume();
    CHECK(result.payment->status() == PaymentStatus::unknown);
    CHECK(result.payment->end_note == EndNote::preimage_lost);
    CHECK(world.node.handovers.size() == 1);
    const auto again = world.send_without_switch();
    CHECK(again.end == DriveEnd::refused);
    CHECK(again.error->code == Errc::already_ended);
  }
  SUBCASE("erased, lists and all: nothing is concluded and nothing is sent") {
    cln::NodeLists erased = quiet_look();
    erased.now.htlcs_deleted = 1;
    world.node.expect("identify", identity());
    world.node.expect("look", shows(erased));
    const auto result = world.resume();
    CHECK(result.end == DriveEnd::open);
    CHECK(result.payment->status() == PaymentStatus::in_flight);
    CHECK(world.node.handovers.size() == 1);
  }
  SUBCASE("another switch is not asked (R6)") {
    world.node.expect("identify", [](ScriptedSwitch&) {
      return std::vector<SwitchEvent>{IdentityAnswer{SwitchKey{node_key(8), "regtest"}}};
    });
    CHECK(world.resume().end == DriveEnd::other_switch);
  }
  SUBCASE("the node was restored from an old copy: stop") {
    cln::NodeLists older = quiet_look();
    older.now.htlcs_created = 9;
    world.node.expect("identify", identity());
    world.node.expect("look", shows(older));
    CHECK_THROWS_AS((void)world.resume(), RefusalError);
  }
  SUBCASE("--no-retry only collects") {
    world.options.collect_only = true;
    world.node.expect("identify", identity());
    world.node.expect("look", quiet());
    CHECK(world.resume().end == DriveEnd::open);
    CHECK(world.node.handovers.size() == 1);
  }
}

TEST_CASE("step script: re-send after a permanent failure keeps the earlier try") {
  World world;
  expect_up_to_answer(world, failed(FailureCode::incorrect_or_unknown_payment_details, 2));
  world.node.expect("look", shows_row(RowState::failed));
  const auto first = world.send();
  CHECK(first.payment->fail_reason == FailureReason::incorrect_payment_details);
  CHECK(world.log == up_to_send + Log{"query", "fail-attempt+set-stop", "look", "fail"});

  expect_up_to_answer(world, settled(), 10);
  const auto second = world.send();
  CHECK(second.payment->status() == PaymentStatus::succeeded);
  CHECK(first.payment->index < second.payment->index);
  CHECK(world.store().load(first.payment->index).value()->status() == PaymentStatus::failed);
  CHECK(*first.payment->attempts.front().id < *second.payment->attempts.front().id);
}

TEST_CASE("the process dies before and after every commit: the next one ends the payment with one HTLC") {
  for (unsigned commit = 0; commit < 3; ++commit) {
    for (const bool before : {true, false}) {
      CAPTURE(commit);
      CAPTURE(before);
      World world;
      (before ? world.recording->crash_before_commit : world.recording->crash_after_commit) =
          before ? commit : commit + 1;
      expect_up_to_answer(world, failed(FailureCode::temporary_channel_failure, 1));
      world.node.expect("look", shows_row(RowState::failed));
      world.node.expect("route", route(10));
      expect_paid(world);
      CHECK_THROWS_AS((void)world.send(), Crash);
      world.check_one_open_attempt_at_most();
    }
  }
}

TEST_CASE(
    "the connection is lost after a hand-over: what was sent stays open, and is looked for on the next connection") {
  World world;
  expect_up_to_send(world);
  world.node.expect("send", disconnect());
  world.node.expect("identify", identity());
  world.node.expect("look", shows_row(RowState::pending));
  world.node.expect("query", settled());
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.node.handovers.size() == 1);
}

TEST_CASE("the connection is lost before a route: nothing is recorded") {
  World world;
  world.node.expect("identify", identity());
  world.node.expect("look", disconnect());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::unavailable);
  CHECK_FALSE(result.payment);
  CHECK(world.inner_commits() == 0);
}

TEST_CASE("an orphan is proven by two looks 45 s apart at another run of the node, and nothing is sent beside it") {
  World world;
  const auto pending_at = [](std::string run) {
    return [run = std::move(run)](ScriptedSwitch& node) {
      const auto events = shows_row(RowState::pending)(node);
      cln::NodeLists look = lists_of(std::get<LookAnswer>(events.front()));
      look.run = run;
      return std::vector<SwitchEvent>{answer_of(std::move(look))};
    };
  };
  const auto still_pending = [&](ScriptedSwitch& node) {
    node.later.emplace_back(world.clock.mono().value + 30 * ns_per_second, QueryAnswer{node.last_key});
    return std::vector<SwitchEvent>{};
  };
  world.node.expect("identify", identity_of_run("7:100:boot"));
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));
  world.node.expect("send", lost_again());
  world.node.expect("identify", identity_of_run("8:200:boot"));
  for (int i = 0; i < 2; ++i) {
    world.node.expect("look", pending_at("8:200:boot"));
    world.node.expect("query", still_pending);
  }
  world.node.expect("look", pending_at("8:200:boot"));  // a minute after the first look
  for (int i = 0; i < 100; ++i) world.node.expect("look", pending_at("8:200:boot"));
  const auto result = world.send();
  REQUIRE(result.payment);
  CHECK(result.payment->attempts.size() == 1);
  CHECK(result.payment->attempts[0].switch_run == "7:100:boot");
  CHECK(result.payment->attempts[0].outcome == AttemptOutcome::failed);
  CHECK(result.payment->status() == PaymentStatus::in_flight);  // R9: the node still shows the row
  CHECK(world.node.handovers.size() == 1);
}

TEST_CASE("another run of the node gets a copy only after that was recorded") {
  World world;
  world.node.expect("identify", identity_of_run("7:100:boot"));
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));
  world.node.expect("send", lost_again());
  world.node.expect("identify", identity_of_run("8:200:boot"));
  cln::NodeLists restarted = quiet_look();
  restarted.run = "8:200:boot";
  world.node.expect("look", shows(restarted));
  expect_paid(world);
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(result.payment->attempts[0].switch_run == "8:200:boot");
  CHECK(world.node.handovers.size() == 2);
  CHECK(world.log == up_to_send + Log{"identify", "look", "move", "send", "query", "settle+succeed"});
}

TEST_CASE("a switch that is there is asked again, also before anything is recorded") {
  World world;
  world.node.expect("identify", lost_again());
  world.node.expect("identify", identity());
  world.node.expect("look", lost_again());
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", lost_again());
  expect_up_to_answer(world, settled());
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.node.handovers.size() == 1);
}

TEST_CASE("a switch that never answers with sense is given up in time, and nothing is recorded") {
  World world;
  for (int i = 0; i < 1'000; ++i) world.node.expect("identify", lost_again());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::unavailable);
  CHECK_FALSE(result.payment);
  CHECK(world.inner_commits() == 0);
  CHECK_FALSE(world.node.done());
}

TEST_CASE("a hand-over that nobody answers is looked for") {
  World world;
  expect_up_to_send(world);
  world.node.expect("send", nothing());
  world.node.expect("look", shows_row(RowState::pending));
  world.node.expect("query", settled());
  CHECK(world.send().payment->status() == PaymentStatus::succeeded);
  CHECK(world.node.handovers.size() == 1);
}

TEST_CASE("--wait ends the command, not the payment") {
  World world;
  world.options.wait_ns = 3 * ns_per_second;
  expect_up_to_answer(world, nothing());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::open);
  CHECK(result.payment->status() == PaymentStatus::in_flight);
  CHECK(world.clock.mono().value <= 4 * ns_per_second);
}

TEST_CASE("--wait 0 hands over and leaves at the first answer") {
  World world;
  world.options.wait_ns = 0;
  expect_up_to_send(world);
  world.node.expect("send", accepted());
  const auto result = world.send();
  CHECK(result.end == DriveEnd::open);
  CHECK(world.clock.mono().value <= ns_per_second);
}

TEST_CASE("a signal: no new attempt, within a second, open") {
  World world;
  expect_up_to_answer(world, [&world](ScriptedSwitch&) {
    world.clock.signal = 2;
    return std::vector<SwitchEvent>{};
  });
  const auto result = world.send();
  CHECK(result.end == DriveEnd::open);
  CHECK(world.clock.mono().value <= ns_per_second);
}

TEST_CASE("the deadline while an HTLC is held: a stop wish, the result still collected") {
  World world;
  world.options.wait_ns = std::nullopt;
  expect_up_to_answer(world, [](ScriptedSwitch& node) {
    node.later.emplace_back(90 * ns_per_second,
                            QueryAnswer{node.last_key, QueryAnswer::Kind::settled, right_preimage(), {}});
    return std::vector<SwitchEvent>{};
  });
  world.node.expect("look", shows_row(RowState::pending));
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(result.payment->stop_reason == FailureReason::timeout);
  CHECK(world.log == up_to_send + Log{"query", "set-stop", "look", "settle+succeed"});
}

TEST_CASE("the wall clock set back does not move the deadline") {
  World world;
  world.options.wait_ns = 200 * ns_per_second;
  expect_up_to_answer(world, [&world](ScriptedSwitch&) {
    world.clock.wall_shift = -3'600 * ns_per_second;
    return std::vector<SwitchEvent>{};
  });
  world.node.expect("look", shows_row(RowState::pending));
  const auto result = world.send();
  CHECK(result.payment->stop_reason == FailureReason::timeout);
}

TEST_CASE("cancel from another process: no further attempt, the first reason stands") {
  World world;
  expect_up_to_answer(world, [&world](ScriptedSwitch& node) {
    world.cancel_from_another_process();
    return failed(FailureCode::temporary_channel_failure, 1)(node);
  });
  world.node.expect("look", shows_row(RowState::failed));
  // The stop wish is noticed when the next attempt is registered, at the latest: the schema refuses the attempt.
  world.node.expect("route", route(10));
  world.node.expect("look", shows_row(RowState::failed));
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::failed);
  CHECK(result.payment->fail_reason == FailureReason::canceled);
  CHECK(world.node.handovers.size() == 1);
}

TEST_CASE("paid by another user of the node before the first hand-over: refused, and recorded with its proof") {
  World world;
  cln::NodeLists paid = quiet_look();
  SwitchRow row = another_wallets(RowState::complete);
  row.preimage = right_preimage();
  row.amount = Msat::of(250'000);
  row.amount_sent = Msat::of(251'000);
  paid.rows.push_back(row);
  world.node.expect("identify", identity());
  world.node.expect("look", shows(paid));
  const auto result = world.send();
  CHECK(result.end == DriveEnd::refused);
  CHECK(result.error->code == Errc::already_paid);
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(world.log == Log{"identify", "look", "init+foreign+succeed"});
  CHECK(world.node.handovers.empty());
}

TEST_CASE("pending by another user of the node: refused, nothing recorded") {
  World world;
  cln::NodeLists held = quiet_look();
  held.rows.push_back(another_wallets(RowState::pending));
  world.node.expect("identify", identity());
  world.node.expect("look", shows(held));
  const auto result = world.send();
  CHECK(result.end == DriveEnd::refused);
  CHECK(result.error->code == Errc::in_flight);
  CHECK(world.inner_commits() == 0);
}

TEST_CASE("FAILED waits for another user of the node who holds the hash, and yields to one who paid it") {
  World world;
  world.options.wait_ns = 30 * ns_per_second;
  expect_up_to_answer(world, failed(FailureCode::incorrect_or_unknown_payment_details, 2));
  cln::NodeLists held = quiet_look();
  held.rows.push_back(another_wallets(RowState::pending));
  world.node.expect("look", shows(held));
  SUBCASE("they fail: FAILED") {
    held.rows.front().state = RowState::failed;
    world.node.expect("look", shows(held));
    const auto result = world.send();
    CHECK(result.payment->status() == PaymentStatus::failed);
    CHECK(result.payment->fail_reason == FailureReason::incorrect_payment_details);
  }
  SUBCASE("they pay: SUCCEEDED, with their attempt") {
    held.rows.front().state = RowState::complete;
    held.rows.front().preimage = right_preimage();
    world.node.expect("look", shows(held));
    const auto result = world.send();
    CHECK(result.payment->status() == PaymentStatus::succeeded);
    CHECK(result.payment->settled_attempt()->origin == AttemptOrigin::foreign);
  }
}

TEST_CASE("R7: a wrong preimage settles nothing") {
  World world;
  world.options.wait_ns = 5 * ns_per_second;
  expect_up_to_answer(world, [](ScriptedSwitch& node) {
    return std::vector<SwitchEvent>{QueryAnswer{node.last_key, QueryAnswer::Kind::settled, wrong_preimage(), {}}};
  });
  world.node.expect("look", shows_row(RowState::pending));
  world.node.expect("query", settled());
  const auto result = world.send();
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(result.payment->preimage == right_preimage());
  CHECK(std::any_of(world.log.begin(), world.log.end(),
                    [](const std::string& line) { return line.rfind("warn: ", 0) == 0; }));
}

TEST_CASE("--idempotent: paid before with the same parameters is paid, with others it is refused") {
  World world;
  expect_up_to_answer(world, settled());
  CHECK(world.send().end == DriveEnd::ended);
  CHECK(world.send_without_switch().error->code == Errc::already_paid);
  const auto same = world.send_without_switch(true);
  CHECK(same.end == DriveEnd::ended);
  CHECK(same.payment->preimage == right_preimage());
  PaymentRequest other = fresh_payment().request;
  other.demand.amount = Msat::of(250'001);
  CHECK(world.send_without_switch(true, other).error->code == Errc::parameters_differ);
}

TEST_CASE("--idempotent joins what is open") {
  World world;
  expect_up_to_send(world);
  world.node.expect("send", crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  world.node.expect("identify", identity());
  world.node.expect("look", shows_row(RowState::pending));
  world.node.expect("query", settled());
  CHECK(world.send(true).payment->status() == PaymentStatus::succeeded);
}

TEST_CASE("max attempts are counted over all resumes together") {
  World world;
  world.request.max_attempts = 2;
  expect_up_to_answer(world, crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  world.node.expect("identify", identity());
  world.node.expect("look",
                    shows_row(RowState::failed, Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}));
  world.node.expect("look", shows_row(RowState::failed));
  world.node.expect("route", route(10));
  world.node.expect("send", accepted());
  world.node.expect("query", failed(FailureCode::temporary_channel_failure, 1));
  world.node.expect("look", shows_row(RowState::failed));
  const auto result = world.resume();
  CHECK(result.payment->status() == PaymentStatus::failed);
  CHECK(world.node.handovers.size() == 2);
}

TEST_CASE("until when the money is locked is stored with the attempt, and anew where it is handed over again") {
  World world;
  world.node.height = 119;
  expect_up_to_answer(world, crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  const std::uint32_t delay = simple_route(1).total_delay();
  CHECK(stored(world).attempts[0].expected_time_lock == 119 + delay);
  CHECK_FALSE(stored(world).attempts[0].moved);

  cln::NodeLists look = quiet_look();
  look.base_height = 119;
  SUBCASE("at the same height nothing is written") {}
  SUBCASE("where the node does not tell its height, neither") { look.base_height = 0; }
  SUBCASE("a copy at a lower height takes nothing back") { look.base_height = 110; }
  SUBCASE("some blocks later it is locked for longer") { look.base_height = 125; }
  world.node.expect("identify", identity());
  world.node.expect("look", shows(look));
  world.node.expect("send", crash());
  world.log.clear();
  CHECK_THROWS_AS((void)world.resume(), Crash);
  const bool moved = look.base_height == 125;
  CHECK(stored(world).attempts[0].expected_time_lock == (moved ? 125 : 119) + delay);
  CHECK(stored(world).attempts[0].moved.has_value() == moved);
  CHECK(world.log == (moved ? Log{"identify", "look", "move", "send"} : Log{"identify", "look", "send"}));
}

TEST_CASE("what is not handed over again is not moved") {
  World world;
  world.node.height = 119;
  expect_up_to_answer(world, crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  const Payment before = stored(world);
  cln::NodeLists look = quiet_look();
  look.base_height = 125;
  look.run = "8:200:boot";
  world.node.expect("identify", identity_of_run("8:200:boot"));
  world.node.expect("look", shows(look));
  world.log.clear();
  world.options.collect_only = true;
  CHECK(world.resume().end == DriveEnd::open);
  CHECK(world.log == Log{"identify", "look"});
  CHECK(stored(world).attempts[0].expected_time_lock == before.attempts[0].expected_time_lock);
  CHECK(stored(world).attempts[0].switch_run == before.attempts[0].switch_run);
  CHECK_FALSE(stored(world).attempts[0].moved);
}

TEST_CASE("why there was no route is known to every later process") {
  World world;
  world.request.demand.fee_limit = Msat::of(499);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));  // costs 500 msat
  world.node.expect("look", crash());
  CHECK_THROWS_AS((void)world.send(), Crash);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  CHECK(world.resume().payment->why_failed()->code == DetailCode::fee_limit);
  CHECK(stored(world).why_failed()->fee == Msat::of(500));
}

TEST_CASE("a route that breaks a limit or repeats what failed is not taken") {
  World world;
  world.request.demand.fee_limit = Msat::of(499);
  world.node.expect("identify", identity());
  world.node.expect("look", quiet());
  world.node.expect("route", route(1));  // costs 500 msat
  world.node.expect("look", quiet());
  const auto result = world.send();
  CHECK(result.payment->fail_reason == FailureReason::no_route);
  CHECK(result.payment->why_failed()->code == DetailCode::fee_limit);
  CHECK(result.payment->why_failed()->fee == Msat::of(500));
  CHECK(world.node.handovers.empty());
}

TEST_CASE("two tries of a hash share a look that reaches back to the older one's marks") {
  World world;
  world.options.wait_ns = ns_per_second;
  expect_up_to_answer(world, nothing());
  CHECK(world.send().end == DriveEnd::open);
  world.say_from_another_process(OperatorAssumesFailed{});  // marked as failed by hand, and watched from now on
  cln::NodeLists later = quiet_look();
  later.now = cln::Counters{50, 50, 0, 50};
  world.node.expect("identify", identity());
  world.node.expect("look", shows(later));
  world.node.expect("route", route(10));
  world.node.expect("send", accepted());
  world.node.expect("query", nothing());
  CHECK(world.send().end == DriveEnd::open);

  world.log.clear();
  world.node.expect("identify", identity());
  world.node.expect("look", crash());
  CHECK_THROWS_AS((void)world.resume_all(), Crash);
  CHECK(world.log == Log{"identify", "look"});
  REQUIRE(world.node.last_since);
  CHECK(world.node.last_since->htlcs_created == 10U);
}
