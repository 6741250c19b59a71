// Goal: M1, M2: what each failure code teaches, from each place of a route. Method: one table, each line of which is
// tried on a payment of its own and on what other payments learn from it.
//
// A route of three channels: ours (1), the middle one (2) and the last one (3). The places of the failing node are: our
// own node (channel 1 comes next), our peer (channel 2), the last hop (channel 3), the payee.
//   C    the channel after the place, whatever the amount     c  the same, for as much as it was to carry, or more
//   N    the node                                              -  nothing
//   all  every channel but ours: nobody knows who it was       !  the payment ends
// "own": what is excluded from then on within the payment. "others": what is advised against to other payments.
#include <doctest/doctest.h>

#include <set>
#include <sstream>

#include "core/driver/caution.h"
#include "core/driver/mission_control.h"
#include "core/driver/route_session.h"
#include "tests/lifecycle/states.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr const char* table = R"(
code                                  | ours: own others | first: own others | last: own others | payee: own others
INVALID_REALM                         |  C   -           |  N   N            |  N   N           |  !   -
TEMPORARY_NODE_FAILURE                |  C   -           |  N   N            |  N   N           |  C   C
PERMANENT_NODE_FAILURE                |  C   -           |  N   N            |  N   N           |  !   -
REQUIRED_NODE_FEATURE_MISSING         |  C   -           |  N   N            |  N   N           |  !   -
INVALID_ONION_VERSION                 |  C   -           |  C   C            |  C   C           |  !   -
INVALID_ONION_HMAC                    |  C   -           |  C   C            |  C   C           |  !   -
INVALID_ONION_KEY                     |  C   -           |  C   C            |  C   C           |  !   -
TEMPORARY_CHANNEL_FAILURE             |  c   -           |  c   c            |  c   c           |  C   C
PERMANENT_CHANNEL_FAILURE             |  C   -           |  C   C            |  C   C           |  !   -
REQUIRED_CHANNEL_FEATURE_MISSING      |  C   -           |  C   C            |  C   C           |  !   -
UNKNOWN_NEXT_PEER                     |  C   -           |  C   C            |  C   C           |  !   -
AMOUNT_BELOW_MINIMUM                  |  C   -           |  C   -            |  C   -           |  C   C
FEE_INSUFFICIENT                      |  C   -           |  C   -            |  C   -           |  C   C
INCORRECT_CLTV_EXPIRY                 |  C   -           |  C   -            |  C   -           |  C   C
EXPIRY_TOO_SOON                       |  C   -           |  C   -            |  C   -           |  C   C
INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS  |  C   -           |  N   N            |  N   N           |  !   -
FINAL_INCORRECT_CLTV_EXPIRY           |  C   -           |  N   N            |  N   N           |  -   -
FINAL_INCORRECT_HTLC_AMOUNT           |  C   -           |  N   N            |  N   N           |  -   -
CHANNEL_DISABLED                      |  C   -           |  C   C            |  C   C           |  C   C
EXPIRY_TOO_FAR                        |  C   -           |  N   N            |  N   N           |  C   C
INVALID_ONION_PAYLOAD                 |  C   -           |  N   N            |  N   N           |  !   -
MPP_TIMEOUT                           |  C   -           |  N   N            |  N   N           |  -   -
INVALID_ONION_BLINDING                |  C   -           |  C   C            |  C   C           |  !   -
LOCAL_REFUSAL                         |  c   -           |  c   c            |  c   c           |  C   C
CHANNEL_FULL                          |  C   -           |  C   C            |  C   C           |  C   C
UNREADABLE                            |  all all         |  all all          |  all all         |  all all
FENCED                                |  -   -           |  -   -            |  -   -           |  C   C
NO_DEBIT                              |  -   -           |  -   -            |  -   -           |  C   C
UNKNOWN_CODE                          |  C   -           |  N   N            |  N   N           |  C   C
UNKNOWN_PERMANENT                     |  C   -           |  N   N            |  N   N           |  !   -
)";

constexpr std::uint64_t amount = 1'000'000;

Route three_hops() {
  Route route;
  for (std::uint8_t i = 1; i <= 3; ++i)
    route.hops.push_back(Hop{ShortChannelId{i}, 0, node_key(i), Msat::of(amount + 3U - i), 100U - i});
  return route;
}

/// A refusal by the payee: every hop has carried the amount and got it back.
const Failure came_back{FailureCode::mpp_timeout, 3, {}, {}, {}};

Payment payment_of(Msat wanted) {
  Payment payment = fresh_payment();
  payment.request.demand.destination = node_key(3);
  payment.request.demand.amount = wanted;
  payment.request.demand.fee_limit = Msat::of(10);
  return payment;
}

/// What is excluded within the payment; `smaller`: if it asked for a hundredth.
Exclusions excluded(const Failure& failure, bool smaller) {
  Payment payment = payment_of(Msat::of(smaller ? amount / 100 : amount));
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = three_hops();
  failed.failure = failure;
  payment.attempts.push_back(failed);
  return exclusions_for(payment);
}

std::string named(bool all, bool channel_out, bool small_out, bool node_out) {
  if (all) return "all";
  if (channel_out) return small_out ? "C" : "c";
  return node_out ? "N" : "-";
}

std::string own_word(const Failure& failure, std::uint32_t place) {
  if (judge(failure, three_hops()).final_reason) return "!";
  const auto has = [](const auto& list, const auto& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
  };
  const Exclusions whole = excluded(failure, false);
  const Exclusions small = excluded(failure, true);
  const ChannelDirection behind = forward_of(std::min(place + 1, 3U));
  return named(whole.channels.size() > 1, has(whole.channels, behind), has(small.channels, behind),
               place > 0 && has(whole.nodes, node_key(static_cast<std::uint8_t>(place))));
}

std::string others_word(const Failure& failure, std::uint32_t place) {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), failure});
  const auto out = [&](std::uint64_t n, std::uint64_t msat) {
    return memory.chance(forward_of(n), Msat::of(msat), created) < 0.01;
  };
  CHECK_FALSE(out(1, amount));  // the node knows our own channel better
  const bool node = place > 0 && memory.node_failed(node_key(static_cast<std::uint8_t>(place))).has_value();
  if (node) CHECK(out(place + 1, 1));
  const std::uint64_t behind = std::min(place + 1, 3U);
  return named(!node && out(2, amount) && out(3, amount), !node && out(behind, amount), out(behind, amount / 100),
               node);
}

}  // namespace

TEST_CASE("M1, M2: what each failure code from each place excludes and advises") {
  std::istringstream lines(table);
  std::string line;
  std::set<std::string> seen;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string code_name, bar;
    words >> code_name;
    const auto code = failure_from_name(code_name);
    if (code_name.empty() || code_name == "code") continue;
    REQUIRE(code);
    seen.insert(code_name);
    for (const std::uint32_t place : {0U, 1U, 2U, 3U}) {
      std::string own, others;
      words >> bar >> own >> others;
      CAPTURE(code_name);
      CAPTURE(place);
      const Failure failure{*code, place, {}, {}, {}};
      CHECK(own_word(failure, place) == own);
      CHECK(others_word(failure, place) == others);
    }
  }
  for (std::uint32_t wire = 0; wire < 0x10000; ++wire) {
    if (failure_from_wire(wire) != FailureCode::unknown_code)
      CHECK(seen.count(std::string(failure_name(failure_from_wire(wire)))) == 1);
  }
}

TEST_CASE("M2: a refusal by the payee shows that every hop carries the amount") {
  for (const FailureCode code : {FailureCode::incorrect_or_unknown_payment_details, FailureCode::mpp_timeout,
                                 FailureCode::final_incorrect_cltv_expiry, FailureCode::final_incorrect_htlc_amount}) {
    MissionControl memory;
    memory.learn(PastResult{created, three_hops(), Failure{code, 3, {}, {}, {}}});
    for (const std::uint64_t n : {1U, 2U, 3U}) {
      REQUIRE(memory.bounds(forward_of(n)) != nullptr);
      CHECK(memory.bounds(forward_of(n))->carried == three_hops().hops[n - 1].amount);
      CHECK_FALSE(memory.bounds(forward_of(n))->failed);
    }
  }
}

TEST_CASE("M3: the hops before the failing one have carried the amount") {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), Failure{FailureCode::temporary_channel_failure, 2, {}, {}, {}}});
  CHECK(memory.bounds(forward_of(2))->carried == three_hops().hops[1].amount);
  CHECK(memory.bounds(forward_of(3))->failed == three_hops().hops[2].amount);
  CHECK_FALSE(memory.bounds(forward_of(3))->carried);
}

TEST_CASE("M3: a channel that failed 1,000,000 sat carries 10,000 sat a second later") {
  constexpr std::uint64_t much = 1'000'000'000;
  constexpr std::uint64_t little = 10'000'000;
  Route route = three_hops();
  for (Hop& hop : route.hops) hop.amount = Msat::of(much);
  const Failure dry{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  const UnixNs soon{created.value + ns_per_second};
  MissionControl memory;
  memory.learn(PastResult{created, route, dry});
  CHECK(memory.chance(forward_of(2), Msat::of(much), soon) < 0.01);
  // A much smaller amount is hardly affected.
  CHECK(memory.chance(forward_of(2), Msat::of(little), soon) > 0.98 * untried_chance);
  Payment payment = payment_of(Msat::of(much));
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = route;
  failed.failure = dry;
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment).channels == std::vector{forward_of(2)});
  payment.request.demand.amount = Msat::of(little);
  CHECK(exclusions_for(payment).channels.empty());
}

TEST_CASE("M3: what was seen counts half after an hour") {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}});
  const auto chance_after = [&](std::int64_t ns) {
    return memory.chance(forward_of(2), Msat::of(amount + 1), UnixNs{created.value + ns});
  };
  CHECK(chance_after(0) == doctest::Approx(least_chance));
  CHECK(chance_after(knowledge_half_life_ns) == doctest::Approx(0.5 * untried_chance));
  CHECK(chance_after(2 * knowledge_half_life_ns) == doctest::Approx(0.75 * untried_chance));
  CHECK(weight_of(created, UnixNs{created.value - 5}) == 1);  // the clock was set back
}

TEST_CASE("memory: between what it carried and what it did not carry the chance falls evenly") {
  MissionControl memory;
  Route small = three_hops();
  small.hops[1].amount = Msat::of(amount / 2);
  memory.learn(PastResult{created, small, came_back});
  memory.learn(PastResult{created, three_hops(), Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}});
  CHECK(memory.chance(forward_of(2), Msat::of(amount / 2), created) == doctest::Approx(1));
  CHECK(memory.chance(forward_of(2), Msat::of(amount * 3 / 4), created) ==
        doctest::Approx(0.5 * untried_chance).epsilon(0.01));
}

TEST_CASE(
    "memory: what a channel is known to hold speaks for it against one that nobody has tried, and less as it ages") {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), came_back});
  const auto chance_after = [&](std::uint64_t n, std::uint64_t msat, std::int64_t ns) {
    return memory.chance(forward_of(n), Msat::of(msat), UnixNs{created.value + ns});
  };
  CHECK(chance_after(2, amount, 0) == doctest::Approx(1));
  CHECK(chance_after(2, amount / 2, 0) == doctest::Approx(1));
  CHECK(chance_after(2, 2 * amount, 0) == doctest::Approx(untried_chance));
  CHECK(chance_after(99, amount, 0) == doctest::Approx(untried_chance));
  CHECK(chance_after(2, amount, knowledge_half_life_ns) == doctest::Approx((1 + untried_chance) / 2));
  // It failed for four times the amount, long ago. Now it has carried the amount: twice as much is not expected of it.
  Route large = three_hops();
  large.hops[1].amount = Msat::of(4 * amount);
  const UnixNs late{created.value + knowledge_life_ns};
  memory.learn(PastResult{created, large, Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}});
  memory.learn(PastResult{late, three_hops(), came_back});
  CHECK(memory.chance(forward_of(2), Msat::of(amount), late) == doctest::Approx(1));
  CHECK(memory.chance(forward_of(2), Msat::of(2 * amount), late) == doctest::Approx(untried_chance).epsilon(0.02));
}

TEST_CASE("memory: what settled was carried, and is not there any more") {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), came_back});
  const Msat whole = memory.bounds(forward_of(2))->carried.value();
  Route small = three_hops();
  for (Hop& hop : small.hops) hop.amount = Msat::of(amount / 4);
  memory.learn(PastResult{created, small, {}});
  CHECK(memory.bounds(forward_of(2))->carried == whole);
  CHECK(memory.bounds(forward_of(2))->gone == Msat::of(amount / 4));
  CHECK(memory.chance(forward_of(2), Msat::of(amount * 3 / 4), created) == doctest::Approx(1));
  CHECK(memory.chance(forward_of(2), whole, created) == doctest::Approx(untried_chance));
  // More has settled than it was known to hold: nobody knows how much is left.
  memory.learn(PastResult{created, three_hops(), {}});
  CHECK(memory.bounds(forward_of(2))->carried == whole);
  CHECK(memory.chance(forward_of(2), Msat::of(1), created) == doctest::Approx(untried_chance));
  // A switch that keeps such knowledge itself is told nothing new once it knows that nothing is left.
  const std::uint64_t told = memory.lessons();
  memory.learn(PastResult{created, three_hops(), {}});
  CHECK(memory.lessons() == told);
}

TEST_CASE("memory: a success takes back what failed before, and no older result replaces a newer one") {
  const Failure dry{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  MissionControl memory;
  memory.learn_all({PastResult{UnixNs{created.value + 1}, three_hops(), {}}, PastResult{created, three_hops(), dry}});
  CHECK_FALSE(memory.bounds(forward_of(2))->failed);
  CHECK(memory.chance(forward_of(2), Msat::of(amount), created) == doctest::Approx(untried_chance));
  memory.learn(PastResult{created, three_hops(), dry});  // told late
  CHECK_FALSE(memory.bounds(forward_of(2))->failed);
  memory.learn(PastResult{UnixNs{created.value + 2}, three_hops(), dry});
  CHECK(memory.bounds(forward_of(2))->failed == Msat::of(amount + 1));
  CHECK(*memory.bounds(forward_of(2))->carried < *memory.bounds(forward_of(2))->failed);
}

TEST_CASE("memory: what settles over a channel is not there any more: so much less is too much") {
  MissionControl memory;
  memory.learn(PastResult{created, three_hops(), Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}});
  Route small = three_hops();
  small.hops[1].amount = Msat::of(400'000);
  memory.learn(PastResult{UnixNs{created.value + 1}, small, {}});
  CHECK(memory.bounds(forward_of(2))->failed == Msat::of(600'001));
  CHECK(memory.bounds(forward_of(2))->carried == Msat::of(400'000));
  small.hops[1].amount = Msat::of(350'000);
  memory.learn(PastResult{UnixNs{created.value + 2}, small, {}});
  CHECK(memory.bounds(forward_of(2))->failed == Msat::of(250'001));
  CHECK(memory.bounds(forward_of(2))->carried == Msat::of(250'000));
}

TEST_CASE("memory: what is told again within minutes is no new lesson, and lessons are bounded") {
  MissionControl memory;
  const Failure dry{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  memory.learn(PastResult{created, three_hops(), dry});
  const std::uint64_t first = memory.lessons();
  CHECK(first == 1);  // no lesson about our own channel: the node knows
  memory.learn(PastResult{UnixNs{created.value + ns_per_second}, three_hops(), dry});
  CHECK(memory.lessons() == first);
  Route route = three_hops();
  for (std::uint64_t n = 0; n < MissionControl::most_lessons; ++n) {
    route.hops[1].channel = ShortChannelId{100 + n};
    memory.learn(PastResult{created, route, dry});
  }
  CHECK(memory.lessons_since(0).size() == MissionControl::most_lessons);
  CHECK(memory.lessons_since(memory.lessons() - 1).size() == 1);
  CHECK(memory.lessons_since(memory.lessons()).empty());
}

TEST_CASE("memory: more channels than it holds: what is old makes room, and nothing grows beyond the bound") {
  MissionControl memory;
  Route route = three_hops();
  for (std::uint64_t n = 0; n < MissionControl::most_channels + 10; ++n) {
    route.hops[2].channel = ShortChannelId{100 + n};
    memory.learn(PastResult{created, route, {}});
  }
  CHECK(memory.size() == MissionControl::most_channels);
  route.hops[2].channel = ShortChannelId{7};
  memory.learn(PastResult{UnixNs{created.value + 2 * knowledge_life_ns}, route, {}});
  CHECK(memory.size() < 10);
  CHECK(memory.bounds(forward_of(7)) != nullptr);
}

namespace {

/// A part of the payment's first round, over three_hops().
Attempt part_failed_at(std::uint32_t part, std::uint32_t source) {
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.part = part;
  failed.route = three_hops();
  failed.failure = Failure{FailureCode::temporary_channel_failure, source, {}, {}, {}};
  return failed;
}

Payment payment_in_parts(std::vector<Attempt> attempts) {
  Payment payment = payment_of(Msat::of(2 * amount));
  payment.request.max_parts = 4;
  payment.attempts = std::move(attempts);
  return payment;
}

Msat asked_below(const Payment& payment, unsigned caution) {
  return cautious({ChannelBound{forward_of(2), Msat::of(1'024)}}, payment, caution).at(0).below;
}

}  // namespace

TEST_CASE("M3: a part that held a channel's money while another failed there counts, although it failed behind it") {
  Payment payment = payment_in_parts({part_failed_at(1, 1), part_failed_at(2, 2)});
  const std::vector<ChannelBound> beside{{forward_of(2), Msat::of(2 * (amount + 1))},
                                         {forward_of(3), Msat::of(amount)}};
  CHECK(exclusions_for(payment).bounds == beside);
  payment.attempts[1].resolved = UnixNs{payment.attempts[0].registered.value - 1};
  CHECK(exclusions_for(payment).bounds.at(0).below == Msat::of(amount + 1));
}

TEST_CASE("caution: half of what a channel may hold is asked for first, and never quite what it did not carry") {
  const Payment payment = payment_in_parts({part_failed_at(1, 1)});
  CHECK(asked_below(payment, most_caution) == Msat::of(512));
  CHECK(asked_below(payment, 2) == Msat::of(768));
  CHECK(asked_below(payment, 1) == Msat::of(960));
  CHECK(asked_below(payment, 0) == Msat::of(1'023));
}

TEST_CASE("caution: what a channel has carried of the payment is asked for again") {
  Attempt small = part_failed_at(1, 2);
  small.route.hops[1].amount = Msat::of(24);
  CHECK(asked_below(payment_in_parts({small}), most_caution) == Msat::of(524));
  Attempt waited = small;
  waited.failure = came_back;
  Attempt beside = waited;
  beside.part = 2;
  CHECK(asked_below(payment_in_parts({waited, beside}), most_caution) == Msat::of(536));  // both at once
}

TEST_CASE("caution: of a channel of ours the node knows the balance, and only what makes parts differ is left") {
  const Payment payment = payment_in_parts({part_failed_at(1, 0)});
  const ChannelBound ours{forward_of(1), Msat::of(amount)};
  for (unsigned caution = 0; caution <= most_caution; ++caution)
    CHECK(cautious({ours}, payment, caution).at(0).below == Msat::of(amount - most_difference));
}
