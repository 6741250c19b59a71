// Goal: every failure code from every place of a route leads to a final reason or to something to avoid, as lnd's
// mission control reads them; a table for the ones that people meet, a sweep for the rest.
#include <doctest/doctest.h>

#include "core/driver/route_session.h"
#include "tests/lifecycle/states.h"

using namespace paytower;
using namespace paytower::test;

namespace {

Route judged_route() {
  Route route;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    route.hops.push_back(Hop{ShortChannelId{i}, 0, node_key(i), Msat::of(1'000U - i), 100U - i});
  }
  return route;
}

Verdict verdict(FailureCode code, std::optional<std::uint32_t> source) {
  return judge(Failure{code, source, {}, {}, {}}, judged_route());
}

}  // namespace

TEST_CASE("judge: the payee's word is final") {
  CHECK(verdict(FailureCode::incorrect_or_unknown_payment_details, 3).final_reason ==
        FailureReason::incorrect_payment_details);
  CHECK(verdict(FailureCode::incorrect_or_unknown_payment_details, std::nullopt).final_reason ==
        FailureReason::incorrect_payment_details);
  CHECK(verdict(FailureCode::permanent_node_failure, 3).final_reason == FailureReason::error);
  CHECK_FALSE(verdict(FailureCode::mpp_timeout, 3).final_reason);
  CHECK(verdict(FailureCode::final_incorrect_htlc_amount, 3).exclude_channels.empty());
}

TEST_CASE("judge: a node on the way excludes a channel or itself") {
  CHECK(verdict(FailureCode::temporary_channel_failure, 1).exclude_channels == std::vector{forward_of(2)});
  CHECK(verdict(FailureCode::temporary_channel_failure, 0).exclude_channels == std::vector{forward_of(1)});
  CHECK(verdict(FailureCode::local_refusal, 0).exclude_channels == std::vector{forward_of(1)});
  CHECK(verdict(FailureCode::channel_full, 0).exclude_channels == std::vector{forward_of(1)});
  CHECK(verdict(FailureCode::unknown_next_peer, 2).exclude_channels == std::vector{forward_of(3)});
  CHECK(verdict(FailureCode::temporary_node_failure, 2).exclude_nodes == std::vector{node_key(2)});
  CHECK(verdict(FailureCode::incorrect_or_unknown_payment_details, 1).exclude_nodes == std::vector{node_key(1)});
  const Verdict policy = verdict(FailureCode::fee_insufficient, 2);
  CHECK(policy.exclude_channels == std::vector{forward_of(3)});
  CHECK(policy.policy);
  CHECK(policy.policy_node == node_key(2));
}

TEST_CASE("judge: nobody knows who failed it") {
  CHECK(verdict(FailureCode::unreadable, std::nullopt).exclude_channels == std::vector{forward_of(2), forward_of(3)});
  Route direct;
  direct.hops.push_back(judged_route().hops.front());
  CHECK(judge(Failure{FailureCode::unreadable, {}, {}, {}, {}}, direct).final_reason == FailureReason::error);
}

TEST_CASE("judge: a channel that is not on the route is no evidence against it") {
  const Failure lie{FailureCode::temporary_channel_failure, 1, forward_of(99), {}, {}};
  CHECK(judge(lie, judged_route()).exclude_channels == std::vector{forward_of(2)});
}

TEST_CASE(
    "judge: every wire code from every place is final or excludes something, so that no route is tried for ever, but "
    "for "
    "a payee that may still take the payment") {
  for (std::uint32_t wire = 0; wire < 0x10000; ++wire) {
    for (std::uint32_t source = 0; source <= 3; ++source) {
      const Verdict seen = verdict(failure_from_wire(wire), source);
      // M2: these refusals by the payee blame nobody. --max-attempts bounds them.
      const bool refused = source == 3 && (wire == 18 || wire == 19 || wire == 23);
      REQUIRE((seen.final_reason || !seen.exclude_channels.empty() || !seen.exclude_nodes.empty()) == !refused);
    }
  }
}

TEST_CASE("exclusions: a second policy failure of one node excludes the node, each attempt counted once") {
  Payment payment = fresh_payment();
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = judged_route();
  failed.failure = Failure{FailureCode::fee_insufficient, 1, {}, {}, {}};
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment).nodes.empty());
  CHECK(exclusions_for(payment).channels == std::vector{forward_of(2)});
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment).nodes == std::vector{node_key(1)});
}

TEST_CASE("exclusions: a full channel of ours is out for the next route, and not for good") {
  Payment payment = fresh_payment();
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = judged_route();
  failed.failure = Failure{FailureCode::channel_full, 0, forward_of(1), {}, {}};
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment).channels == std::vector{forward_of(1)});
  CHECK(met_full_channel(payment, {}));
  CHECK(exclusions_for(payment, {}, first_id).channels.empty());
  CHECK_FALSE(met_full_channel(payment, first_id));
  failed.id = second_id;
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment, {}, first_id).channels == std::vector{forward_of(1)});
  CHECK(met_full_channel(payment, first_id));
  CHECK(met_full_channel(payment, first_id, forward_of(1).channel));  // it is still full, whatever another channel has
  CHECK_FALSE(met_full_channel(payment, first_id, forward_of(2).channel));
  payment.attempts.back().failure->code = FailureCode::local_refusal;
  CHECK(exclusions_for(payment, {}, second_id).channels == std::vector{forward_of(1)});
  CHECK_FALSE(met_full_channel(payment, first_id));
}

TEST_CASE("exclusions: the payee is never excluded") {
  Payment payment = fresh_payment();
  payment.request.demand.destination = node_key(2);
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = judged_route();
  failed.failure = Failure{FailureCode::temporary_node_failure, 2, {}, {}, {}};
  payment.attempts.push_back(failed);
  CHECK(exclusions_for(payment).nodes.empty());
}

TEST_CASE("given routes that break a limit: the limit is named, else that none is left") {
  Payment payment = fresh_payment();
  payment.request.candidates = {simple_route(1)};  // costs 500 msat
  payment.request.demand.fee_limit = Msat::of(499);
  const auto dear = next_routes(payment, 1, {});
  REQUIRE(std::holds_alternative<NothingLeft>(dear));
  CHECK(std::get<NothingLeft>(dear).detail.code == DetailCode::fee_limit);
  CHECK(std::get<NothingLeft>(dear).detail.fee == Msat::of(500));
  payment.attempts.push_back(own_attempt(first_id, Shape::failed));  // used simple_route(1)
  const auto used = next_routes(payment, 1, {});
  REQUIRE(std::holds_alternative<NothingLeft>(used));
  CHECK(std::get<NothingLeft>(used).detail.code == DetailCode::given_routes);
}

TEST_CASE("given routes are tried in order, each once") {
  Payment payment = fresh_payment();
  payment.request.candidates = {simple_route(1), simple_route(10)};
  const auto first = next_routes(payment, 1, {});
  REQUIRE(std::holds_alternative<Route>(first));
  CHECK(std::get<Route>(first) == simple_route(1));
  payment.attempts.push_back(own_attempt(first_id, Shape::failed));  // used simple_route(1)
  const auto second = next_routes(payment, 1, {});
  REQUIRE(std::holds_alternative<Route>(second));
  CHECK(std::get<Route>(second) == simple_route(10));
  payment.attempts.push_back(own_attempt(second_id, Shape::failed));
  payment.attempts.back().route = simple_route(10);
  CHECK(std::holds_alternative<NothingLeft>(next_routes(payment, 1, {})));
}
