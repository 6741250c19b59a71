// Routes of the node: asked for with what failed before excluded, and checked against every limit.
#include <doctest/doctest.h>

#include "core/base/limits.h"
#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

TEST_CASE("an older node's routes are checked against every limit") {
  World world;
  world.connect();
  for (const char* unknown : {"getroutes", "askrene-create-layer", "askrene-listlayers"})
    world.node.on_error(unknown, -32601);
  RouteQuestion question;
  question.ticket = 5;
  question.demand = RouteDemand{world.payee, Msat::of(100'000), 10, Msat::of(2'000), 100, {}};
  const auto route = [&](std::uint64_t first, std::uint32_t delay) {
    return json{{"route", json::array({json{{"id", world.peer.hex()},
                                            {"channel", "111x1x0"},
                                            {"direction", 1},
                                            {"amount_msat", first},
                                            {"delay", delay}},
                                       json{{"id", world.payee.hex()},
                                            {"channel", "111x4x0"},
                                            {"direction", 0},
                                            {"amount_msat", "100000msat"},
                                            {"delay", 10}}})}};
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
    REQUIRE(!answer.routes.empty());
    CHECK(answer.routes[0].hops[0].direction == 1);
    CHECK(answer.routes[0].fees() == Msat::of(1'000));
    CHECK(world.node.of("getroute")[0].params["exclude"] == json::array({"7x7x7/1", key_of(44).hex()}));
  }
  SUBCASE("too dear, then asked for the cheapest") {
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      node.result(request, route(request.params["riskfactor"] == 0 ? 102'000 : 102'001, 16));
    });
    CHECK_FALSE(ask().routes.empty());
  }
  SUBCASE("too dear whatever is asked: the reason costs no further question") {
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      node.result(request, route(request.params["riskfactor"] == 0 ? 102'001 : 103'000, 16));
    });
    const auto answer = ask();
    CHECK(answer.routes.empty());
    CHECK(answer.reason == FailureReason::no_route);
    CHECK(answer.detail == FailureDetail{DetailCode::fee_limit, Msat::of(2'001), 16, {}, {}, {}});
    CHECK(world.node.requests.size() == 4);
  }
  SUBCASE("too long locked") {
    world.node.on_result("getroute", route(101'000, 101));
    CHECK(ask().detail == FailureDetail{DetailCode::cltv_limit, Msat::of(1'000), 101, {}, {}, {}});
  }
  SUBCASE("one route is too dear, the other too long: the fee is named") {
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      request.params["riskfactor"] == 0 ? node.result(request, route(101'000, 200))
                                        : node.result(request, route(103'000, 16));
    });
    CHECK(ask().detail == FailureDetail{DetailCode::fee_limit, Msat::of(3'000), 16, {}, {}, {}});
  }
  SUBCASE("empty") {
    world.node.on_result("getroute", json{{"route", json::array()}});
    CHECK(ask().routes.empty());
  }
  SUBCASE("the node uses what was excluded") {
    question.excluded_nodes = {world.peer};
    world.node.on_result("getroute", route(101'000, 16));
    CHECK(ask().routes.empty());
  }
  SUBCASE("none, and nobody could pay that much") {
    question.demand.amount = Msat::of(6'000'000);
    world.node.on_error("getroute", 205);
    const auto answer = ask();
    CHECK(answer.reason == FailureReason::insufficient_balance);
    CHECK(answer.detail == FailureDetail{DetailCode::no_balance, {}, {}, Msat::of(5'000'000), {}, "words"});
  }
  SUBCASE("two channels hold enough together") {
    question.demand.amount = Msat::of(6'000'000);
    world.node.on_error("getroute", 205);
    world.node.on_result("listpeerchannels",
                         json{{"channels", json::array({world.own_channel("111x1x0", "channeld"),
                                                        world.own_channel("111x2x0", "channeld")})}});
    const auto answer = ask();
    CHECK(answer.reason == FailureReason::no_route);
    CHECK(answer.detail == FailureDetail{DetailCode::amount_in_one_part, {}, {}, Msat::of(10'000'000), {}, "words"});
    CHECK(world.node.of("getroute").size() == 1);
  }
  SUBCASE("a channel holds the amount, but not its fees") {
    question.demand.amount = Msat::of(4'999'000);
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      if (request.params["amount_msat"] == 4'999'000) return node.error(request, 205);
      json part = route(312'500, 16);
      part["route"][1]["amount_msat"] = 312'437;
      node.result(request, part);
    });
    CHECK(ask().detail == FailureDetail{DetailCode::no_balance, {}, {}, Msat::of(5'000'000), {}, "words"});
  }
  SUBCASE("a part of the amount would get through") {
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      request.params["amount_msat"] == 100'000 ? node.error(request, 205) : node.result(request, route(6'250, 16));
    });
    CHECK(ask().detail == FailureDetail{DetailCode::amount_in_one_part, {}, {}, Msat::of(5'000'000), {}, "words"});
    CHECK(world.node.of("getroute")[1].params["amount_msat"] == 6'250);
    CHECK(world.node.requests.size() == 5);
  }
  SUBCASE("a route over what is excluded, which is asked for once") {
    question.excluded_channels = {{*ShortChannelId::parse("111x4x0"), 0}};
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      request.params.contains("exclude") ? node.error(request, 205) : node.result(request, route(101'000, 16));
    });
    CHECK(ask().detail.code == DetailCode::excluded);
    CHECK(world.node.of("getroute").size() == 2);
  }
  SUBCASE("nobody knows the payee") {
    world.node.on_error("getroute", -32602);
    CHECK(ask().detail == FailureDetail{DetailCode::payee_unknown, {}, {}, {}, {}, "words"});
    CHECK(world.node.requests.size() == 3);
  }
  SUBCASE("the hint of a payee that nobody knows is excluded") {
    question.hints = {{HintHop{world.peer, *ShortChannelId::parse("9x9x9"), 1'000, 10'000, 6}}};
    question.excluded_nodes = {world.peer};
    world.node.on_error("getroute", -32602);
    CHECK(ask().detail.code == DetailCode::excluded);
  }
  SUBCASE("our node has no channel that can be used") {
    world.node.on_error("getroute", 205);
    world.node.on_result("listpeerchannels", json{{"channels", json::array({world.own_channel("111x2x0", nullptr)})}});
    CHECK(ask().detail.code == DetailCode::no_channel);
  }
  SUBCASE("the node does not tell of its channels") {
    world.node.on_error("getroute", 205);
    world.node.on_error("listpeerchannels", -1);
    CHECK(ask().detail == FailureDetail{DetailCode::unexplained, {}, {}, {}, {}, "words"});
  }
  SUBCASE("what an outgoing channel lacks") {
    world.node.on_error("getroute", 205);
    question.demand.outgoing_channels = {*ShortChannelId::parse("7x7x7")};
    CHECK(ask().detail.code == DetailCode::outgoing_channel_unknown);
    question.demand.outgoing_channels = {*ShortChannelId::parse("111x2x0")};
    CHECK(ask().detail.code == DetailCode::outgoing_channel_unusable);
    question.demand.outgoing_channels.push_back(*ShortChannelId::parse("111x1x0"));
    question.demand.amount = Msat::of(6'000'000);
    const auto answer = ask();
    CHECK(answer.detail == FailureDetail{DetailCode::outgoing_channel_balance,
                                         {},
                                         {},
                                         Msat::of(5'000'000),
                                         ShortChannelId::parse("111x1x0"),
                                         "words"});
    CHECK(answer.reason == FailureReason::insufficient_balance);
  }
  SUBCASE("words without an end are cut") {
    world.node.on("getroute", [](ScriptedNode& node, const Request& request) {
      node.say(json{{"jsonrpc", "2.0"},
                    {"id", request.id},
                    {"error", {{"code", 205}, {"message", std::string(100'000, 'x')}}}}
                   .dump() +
               "\n\n");
    });
    CHECK(ask().detail.words.size() == limits::max_failure_message_bytes);
  }
  SUBCASE("a hint that begins at our own node is never asked about") {
    question.demand.fee_limit = Msat::of(0);
    question.hints = {{HintHop{world.own, *ShortChannelId::parse("9x9x9"), 0, 0, 6}}};
    question.demand.cltv_limit = 5;
    world.node.on_error("getroute", -32602);
    CHECK(ask().routes.empty());
    for (const Request& request : world.node.of("getroute")) CHECK(request.params["id"] == world.payee.hex());
  }
  SUBCASE("the node itself") {
    question.demand.destination = world.own;
    CHECK(ask().routes.empty());
    CHECK(world.node.of("getroute").empty());
  }
  SUBCASE("outgoing channels") {
    question.demand.outgoing_channels = {*ShortChannelId::parse("111x1x0")};
    world.node.on_result("getroute", route(101'000, 16));
    CHECK_FALSE(ask().routes.empty());
    CHECK(world.node.of("getroute")[0].params["exclude"] == json::array({"111x2x0/0"}));
  }
  SUBCASE("through a route hint") {
    question.hints = {{HintHop{world.peer, *ShortChannelId::parse("9x9x9"), 1'000, 10'000, 6}}};
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) {
      if (request.params["id"] == world.payee.hex()) return node.error(request, -32602);
      CHECK(request.params["amount_msat"] == 102'000);
      CHECK(request.params["cltv"] == 16);
      node.result(request, json{{"route", json::array({json{{"id", world.peer.hex()},
                                                            {"channel", "111x1x0"},
                                                            {"direction", 1},
                                                            {"amount_msat", 102'000},
                                                            {"delay", 16}}})}});
    });
    const auto answer = ask();
    REQUIRE(!answer.routes.empty());
    CHECK(answer.routes[0].hops.size() == 2);
    CHECK(answer.routes[0].hops.back().node == world.payee);
  }
  SUBCASE("the way to a hint does not lead through the payee") {
    question.hints = {{HintHop{world.peer, *ShortChannelId::parse("9x9x9"), 1'000, 10'000, 6}}};
    world.node.on("getroute", [&](ScriptedNode& node, const Request& request) { node.error(request, 205); });
    CHECK(ask().routes.empty());
    const auto asked = world.node.of("getroute");
    REQUIRE(asked.size() >= 2);
    CHECK(asked[1].params["id"] == world.peer.hex());
    CHECK(asked[1].params["exclude"] == json::array({world.payee.hex()}));
  }
}

TEST_CASE("a node is asked with getroutes, what failed put into a layer of its own") {
  World world;
  world.connect();
  world.node.on_error("getroute", -1);
  world.node.on_result("askrene-create-layer", json::object());
  world.node.on_result("askrene-update-channel", json::object());
  world.node.on_result("askrene-disable-node", json::object());
  world.node.on_result("askrene-remove-layer", json::object());
  const auto answer = [](const json& path) {
    return json{
        {"probability_ppm", 1},
        {"routes",
         json::array({json{{"probability_ppm", 1}, {"amount_msat", 100'000}, {"final_cltv", 10}, {"path", path}}})}};
  };
  // The first node takes its fee of 1,000 msat out of what goes into the second hop; ours costs nothing.
  const json older = json::array({json{{"short_channel_id_dir", "111x1x0/1"},
                                       {"next_node_id", world.peer.hex()},
                                       {"amount_msat", "101000msat"},
                                       {"delay", 16}},
                                  json{{"short_channel_id_dir", "111x4x0/0"},
                                       {"next_node_id", world.payee.hex()},
                                       {"amount_msat", 101'000},
                                       {"delay", 16}}});
  const json newer = json::array({json{{"short_channel_id_dir", "111x1x0/1"},
                                       {"node_id_in", world.own.hex()},
                                       {"node_id_out", world.peer.hex()},
                                       {"amount_in_msat", 101'000},
                                       {"amount_out_msat", 101'000},
                                       {"cltv_in", 16},
                                       {"cltv_out", 16}},
                                  json{{"short_channel_id_dir", "111x4x0/0"},
                                       {"node_id_in", world.peer.hex()},
                                       {"node_id_out", world.payee.hex()},
                                       {"amount_in_msat", 101'000},
                                       {"amount_out_msat", 100'000},
                                       {"cltv_in", 16},
                                       {"cltv_out", 10}}});
  RouteQuestion question;
  question.demand = RouteDemand{world.payee, Msat::of(100'000), 10, Msat::of(2'000), 100, {}};
  const auto ask = [&] {
    world.node_switch.ask_route(question);
    const auto events = world.run();
    REQUIRE(only<RouteAnswer>(events) != nullptr);
    return *only<RouteAnswer>(events);
  };
  SUBCASE("as 25.09 tells it") {
    world.node.on_result("getroutes", answer(older));
    const auto routes = ask().routes;
    REQUIRE(routes.size() == 1);
    const Route* route = &routes.front();
    REQUIRE(route->hops.size() == 2);
    CHECK(route->hops[0].amount == Msat::of(101'000));
    CHECK(route->hops[0].delay == 16);
    CHECK(route->hops[0].direction == 1);
    CHECK(route->hops[1].amount == Msat::of(100'000));
    CHECK(route->hops[1].delay == 10);
    const json params = world.node.of("getroutes")[0].params;
    CHECK(params == json{{"source", world.own.hex()},
                         {"destination", world.payee.hex()},
                         {"amount_msat", 100'000},
                         {"maxfee_msat", 2'000},
                         {"final_cltv", 10},
                         {"layers", json::array({"auto.localchans", "auto.sourcefree"})},
                         {"maxdelay", 100},
                         {"maxparts", 1}});
    CHECK(world.node.of("askrene-create-layer").empty());
  }
  SUBCASE("as 26.06 tells it") {
    world.node.on_result("getroutes", answer(newer));
    const auto routes = ask().routes;
    REQUIRE(routes.size() == 1);
    const Route* route = &routes.front();
    CHECK(route->hops[0].amount == Msat::of(101'000));
    CHECK(route->hops[1].amount == Msat::of(100'000));
    CHECK(route->hops[1].delay == 10);
  }
  SUBCASE("exclusions") {
    question.excluded_channels = {{*ShortChannelId::parse("7x7x7"), 1}};
    question.excluded_nodes = {key_of(44)};
    world.node.on_result("getroutes", answer(older));
    CHECK_FALSE(ask().routes.empty());
    const json layer = world.node.of("askrene-create-layer")[0].params["layer"];
    CHECK(world.node.of("askrene-create-layer")[0].params["persistent"] == false);
    CHECK(world.node.of("askrene-update-channel")[0].params ==
          json{{"layer", layer}, {"short_channel_id_dir", "7x7x7/1"}, {"enabled", false}});
    CHECK(world.node.of("askrene-disable-node")[0].params == json{{"layer", layer}, {"node", key_of(44).hex()}});
    CHECK(world.node.of("getroutes")[0].params["layers"] == json::array({"auto.localchans", "auto.sourcefree", layer}));
    (void)world.run();
    CHECK(world.node.of("askrene-remove-layer")[0].params == json{{"layer", layer}});
  }
  SUBCASE("an exclusion that the node does not know is asked for once a connection, and getroute never") {
    question.excluded_channels = {{*ShortChannelId::parse("7x7x7"), 1}};
    question.excluded_nodes = {key_of(44)};
    world.node.on_error("askrene-disable-node", -32601);
    world.node.on_result("getroutes", answer(older));
    for (int i = 0; i < 3; ++i) CHECK_FALSE(ask().routes.empty());
    CHECK(world.node.of("getroutes").size() == 3);
    CHECK(world.node.of("getroute").empty());
    CHECK(world.node.of("askrene-update-channel").size() == 3);
    CHECK(world.node.of("askrene-disable-node").size() == 1);
    world.node.hang_up();
    (void)world.run();
    world.connect();
    CHECK_FALSE(ask().routes.empty());
    CHECK(world.node.of("askrene-disable-node").size() == 2);
  }
  SUBCASE("a node that does not know all that is asked of getroutes is asked with getroute from then on") {
    world.node.on_error("getroutes", -32602);
    for (int i = 0; i < 3; ++i) CHECK(ask().routes.empty());
    CHECK(world.node.of("getroutes").size() == 1);
    CHECK(world.node.of("getroute").size() > 3);
  }
  SUBCASE(
      "M4: a policy that is newer than the graph goes into the question's layer; getroute is kept off the channel") {
    ChannelPolicy told;
    told.channel = {*ShortChannelId::parse("7x7x7"), 1};
    told.forwarding = {1'500, 20, 30};
    told.htlc_max = Msat::of(9'000);
    question.policies = {told};
    world.node.on_result("getroutes", answer(older));
    CHECK_FALSE(ask().routes.empty());
    json update = world.node.of("askrene-update-channel")[0].params;
    update.erase("layer");
    CHECK(update == json{{"short_channel_id_dir", "7x7x7/1"},
                         {"enabled", true},
                         {"fee_base_msat", 1'500},
                         {"fee_proportional_millionths", 20},
                         {"cltv_expiry_delta", 30},
                         {"htlc_minimum_msat", 0},
                         {"htlc_maximum_msat", 9'000}});
    world.node.on_error("getroutes", -32602);
    (void)ask();
    CHECK(world.node.of("getroute")[0].params["exclude"] == json::array({"7x7x7/1"}));
  }
  SUBCASE("the node passes over an exclusion") {
    question.excluded_nodes = {world.peer};
    world.node.on_error("askrene-disable-node", -1);
    world.node.on_result("getroutes", answer(older));
    CHECK(ask().routes.empty());
  }
  SUBCASE("too dear, too long, in two parts, none, or nothing that can be read") {
    json parts = answer(older);
    parts["routes"].push_back(parts["routes"][0]);
    json dear = older;
    dear[1]["amount_msat"] = 102'001;
    json far = older;
    far[1]["delay"] = 101;
    json rising = older;
    rising[1]["amount_msat"] = 99'999;
    for (const json& bad : {parts, answer(dear), answer(far), answer(rising), answer(json::array()),
                            answer(json::array({json::object()})), json::object(), json::array()}) {
      world.node.on_result("getroutes", bad);
      CHECK(ask().routes.empty());
    }
    world.node.on_error("getroutes", 205);
    CHECK(ask().routes.empty());
    world.node.on_error("getroutes", -32601);
    CHECK(ask().routes.empty());
  }
  SUBCASE("the reason is asked for without the limits, once") {
    json dear = older;
    dear[1]["amount_msat"] = 105'000;
    world.node.on("getroutes", [&](ScriptedNode& node, const Request& request) {
      request.params["maxfee_msat"] == 2'000 ? node.error(request, 206) : node.result(request, answer(dear));
    });
    const auto why = ask().detail;
    CHECK(why.code == DetailCode::fee_limit);
    CHECK(why.fee == Msat::of(5'000));
    CHECK(why.words == "words");
    CHECK(world.node.of("getroutes").size() == 2);
    CHECK(world.node.of("getroutes")[1].params["maxdelay"] == 2'016);
    CHECK(world.node.of("listpeerchannels").empty());
  }
  SUBCASE("nothing helps: three further questions, and no more") {
    world.node.on_error("getroutes", 205);
    CHECK(ask().detail == FailureDetail{DetailCode::unexplained, {}, {}, {}, {}, "words"});
    CHECK(world.node.of("getroutes").size() == 3);
    CHECK(world.node.of("listpeerchannels").size() == 1);
  }
  SUBCASE("nobody knows the payee: getroutes has words for it, and no code") {
    world.node.on("getroutes", [](ScriptedNode& node, const Request& request) {
      node.say(json{{"jsonrpc", "2.0"},
                    {"id", request.id},
                    {"error", {{"code", 205}, {"message", "Unknown destination node 02"}}}}
                   .dump() +
               "\n\n");
    });
    CHECK(ask().detail.code == DetailCode::payee_unknown);
    CHECK(world.node.of("getroutes").size() == 1);
  }
  SUBCASE("behind a route hint, whose fees come out of the limit") {
    question.hints = {{HintHop{world.peer, *ShortChannelId::parse("9x9x9"), 1'000, 0, 6}}};
    world.node.on("getroutes", [&](ScriptedNode& node, const Request& request) {
      if (request.params["destination"] == world.payee.hex()) return node.error(request, 205);
      CHECK(request.params["amount_msat"] == 101'000);
      CHECK(request.params["maxfee_msat"] == 1'000);
      CHECK(request.params["final_cltv"] == 16);
      json direct = answer(json::array({older[0]}));
      direct["routes"][0]["amount_msat"] = 101'000;
      direct["routes"][0]["final_cltv"] = 16;
      node.result(request, direct);
    });
    const auto routes = ask().routes;
    REQUIRE(routes.size() == 1);
    const Route* route = &routes.front();
    CHECK(route->hops.size() == 2);
    CHECK(route->fees() == Msat::of(1'000));
  }
}
