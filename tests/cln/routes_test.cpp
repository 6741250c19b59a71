// Routes of the node: asked for with what failed before excluded, and checked against every limit.
#include <doctest/doctest.h>

#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

TEST_CASE("routes are checked against every limit") {
  World world;
  world.connect();
  RouteQuestion question;
  question.ticket = 5;
  question.demand = RouteDemand{world.payee, Msat::of(100'000), 10, Msat::of(2'000), 100, {}};
  const auto route = [&](std::uint64_t first, std::uint32_t delay) {
    return json{{"route", json::array({json{{"id", world.peer.hex()}, {"channel", "111x1x0"}, {"direction", 1}, {"amount_msat", first}, {"delay", delay}},
                                       json{{"id", world.payee.hex()}, {"channel", "111x4x0"}, {"direction", 0}, {"amount_msat", "100000msat"}, {"delay", 10}}})}};
  };
  const auto ask = [&] {
    world.node_switch.ask_route(question);
    const auto events = world.run();
    REQUIRE(only<RouteAnswer>(events) != nullptr);
    CHECK(only<RouteAnswer>(events)->ticket == 5);
    return *only<RouteAnswer>(events);
  };
  SUBCASE("good") {
    question.excluded_channels = {{*ShortChannelId::parse("7x7x7"), 1}};
    question.excluded_nodes = {key_of(44)};
    world.node.on_result("getroute", route(101'000, 16));
    const auto answer = ask();
    REQUIRE(answer.route.has_value());
    CHECK(answer.route->hops[0].direction == 1);
    CHECK(answer.route->fees() == Msat::of(1'000));
    CHECK(world.node.of("getroute")[0].params["exclude"] == json::array({"7x7x7/1", key_of(44).hex()}));
  }
  SUBCASE("too dear, then asked for the cheapest") {
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) { node.result(request, route(request.params["riskfactor"] == 0 ? 102'000 : 102'001, 16)); });
    CHECK(ask().route.has_value());
  }
  SUBCASE("too dear whatever is asked") {
    world.node.on_result("getroute", route(102'001, 16));
    CHECK_FALSE(ask().route.has_value());
  }
  SUBCASE("too long locked") {
    world.node.on_result("getroute", route(101'000, 101));
    CHECK_FALSE(ask().route.has_value());
  }
  SUBCASE("empty") {
    world.node.on_result("getroute", json{{"route", json::array()}});
    CHECK_FALSE(ask().route.has_value());
  }
  SUBCASE("the node uses what was excluded") {
    question.excluded_nodes = {world.peer};
    world.node.on_result("getroute", route(101'000, 16));
    CHECK_FALSE(ask().route.has_value());
  }
  SUBCASE("none, and nobody could pay that much") {
    question.demand.amount = Msat::of(6'000'000);
    world.node.on_error("getroute", 205);
    CHECK(ask().reason == FailureReason::insufficient_balance);
  }
  SUBCASE("the node itself") {
    question.demand.destination = world.own;
    CHECK_FALSE(ask().route.has_value());
    CHECK(world.node.of("getroute").empty());
  }
  SUBCASE("outgoing channels") {
    question.demand.outgoing_channels = {*ShortChannelId::parse("111x1x0")};
    world.node.on_result("getroute", route(101'000, 16));
    CHECK(ask().route.has_value());
    CHECK(world.node.of("getroute")[0].params["exclude"] == json::array({"111x2x0/0"}));
  }
  SUBCASE("through a route hint") {
    question.hints = {{HintHop{world.peer, *ShortChannelId::parse("9x9x9"), 1'000, 10'000, 6}}};
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      if (request.params["id"] == world.payee.hex()) return node.error(request, -32602);
      CHECK(request.params["amount_msat"] == 102'000);
      CHECK(request.params["cltv"] == 16);
      node.result(request, json{{"route", json::array({json{{"id", world.peer.hex()}, {"channel", "111x1x0"}, {"direction", 1}, {"amount_msat", 102'000}, {"delay", 16}}})}});
    });
    const auto answer = ask();
    REQUIRE(answer.route.has_value());
    CHECK(answer.route->hops.size() == 2);
    CHECK(answer.route->hops.back().node == world.payee);
  }
}
