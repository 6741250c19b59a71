// M1, M7: a store's memory as a layer of the node: made, kept, filled, aged, made again, and never in the way.
#include <doctest/doctest.h>

#include <set>

#include "core/switch/cln/advice_layer.h"
#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// A node with layers, and a question that brings advice along.
struct Advised : World {
  Advised() {
    connect();
    for (const char* method : {"askrene-create-layer", "askrene-remove-layer", "askrene-age", "askrene-inform-channel",
                               "askrene-update-channel", "askrene-disable-node"})
      node.on_result(method, json::object());
    layers(json::array());
    node.on_result("getroutes",
                   json{{"routes", json::array({json{{"amount_msat", 100'000},
                                                     {"final_cltv", 10},
                                                     {"path", json::array({json{{"short_channel_id_dir", "111x1x0/1"},
                                                                                {"next_node_id", payee.hex()},
                                                                                {"amount_msat", 100'000},
                                                                                {"delay", 10}}})}}})}});
    question.demand = RouteDemand{payee, Msat::of(100'000), 10, Msat::of(2'000), 100, {}};
    question.memory = memory;
    question.store = store;
    question.now = clock.wall();
    dry("7x7x7", 1'000);
  }

  /// The node's layers, by name alone or with what they hold.
  void layers(json all) { node.on_result("askrene-listlayers", json{{"layers", std::move(all)}}); }
  [[nodiscard]] json own_layer(const char* channel, std::int64_t age_seconds) const {
    return json{{"layer", name()},
                {"constraints", json::array({json{{"short_channel_id_dir", channel},
                                                  {"timestamp", question.now.value / ns_per_second - age_seconds},
                                                  {"maximum_msat", 999}}})}};
  }
  [[nodiscard]] std::string name() const { return "paytower-" + store.hex(); }
  /// Some time ago this channel failed for this amount.
  void dry(const char* channel, std::uint64_t msat, std::int64_t ago_ns = 0) {
    Route route;
    route.hops = {Hop{*ShortChannelId::parse("111x1x0"), 0, peer, Msat::of(msat), 20},
                  Hop{*ShortChannelId::parse(channel), 0, payee, Msat::of(msat), 10}};
    memory->learn(PastResult{UnixNs{clock.wall().value - ago_ns}, route,
                             Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}}});
  }
  RouteAnswer ask() {
    node_switch.ask_route(question);
    const auto events = run();
    REQUIRE(only<RouteAnswer>(events) != nullptr);
    return *only<RouteAnswer>(events);
  }

  std::shared_ptr<MissionControl> memory = std::make_shared<MissionControl>();
  RouteQuestion question;
};

}  // namespace

TEST_CASE("advice: the layer is made where it is missing, filled once, and told only what is new from then on") {
  Advised world;
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-create-layer")[0].params == json{{"layer", world.name()}, {"persistent", false}});
  REQUIRE(world.node.of("askrene-inform-channel").size() == 1);
  CHECK(world.node.of("askrene-inform-channel")[0].params == json{{"layer", world.name()},
                                                                  {"short_channel_id_dir", "7x7x7/0"},
                                                                  {"amount_msat", 1'000},
                                                                  {"inform", "constrained"}});
  CHECK(world.node.of("getroutes")[0].params["layers"] ==
        json::array({"auto.localchans", "auto.sourcefree", world.name()}));
  world.dry("8x8x8", 2'000);
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-inform-channel").size() == 2);
  CHECK(world.node.of("askrene-listlayers").size() == 1);
  CHECK(world.node.of("askrene-create-layer").size() == 1);
  CHECK(world.node.of("askrene-remove-layer").empty());
}

TEST_CASE("advice: a layer that an earlier run left is kept, and told what it has not heard") {
  Advised world;
  world.layers(json::array({world.own_layer("7x7x7/0", 10)}));
  world.dry("6x6x6", 3'000, 20 * ns_per_second);  // the layer knows newer failures already
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-create-layer").empty());
  REQUIRE(world.node.of("askrene-inform-channel").size() == 1);
  CHECK(world.node.of("askrene-inform-channel")[0].params["short_channel_id_dir"] == "7x7x7/0");
  CHECK(world.node.of("askrene-age")[0].params["cutoff"] ==
        (world.question.now.value - knowledge_half_life_ns) / ns_per_second);
}

TEST_CASE("advice: M7, a layer that knows what the history does not have is made anew") {
  Advised world;
  world.layers(json::array({world.own_layer("5x5x5/0", 10)}));
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-remove-layer")[0].params["layer"] == world.name());
  CHECK(world.node.of("askrene-create-layer").size() == 1);
  CHECK(world.node.of("askrene-inform-channel").size() == 1);
}

TEST_CASE("advice: what is older than a half-life is not told, and the layer is aged again after one") {
  Advised world;
  world.dry("6x6x6", 3'000, knowledge_half_life_ns + ns_per_second);
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-inform-channel").size() == 1);
  world.question.now.value += knowledge_half_life_ns + 1;
  CHECK_FALSE(world.ask().routes.empty());
  CHECK(world.node.of("askrene-age").size() == 2);
}

TEST_CASE("advice: layers of questions whose process is dead are removed, those of others are not") {
  Advised world;
  const std::int64_t now = world.question.now.value / ns_per_second;
  const std::string old = world.name() + "-" + std::to_string(now - cln::question_life_seconds - 1) + "-ab";
  const std::string young = world.name() + "-" + std::to_string(now - 5) + "-ab";
  world.layers(json::array({json{{"layer", old}}, json{{"layer", young}}, json{{"layer", "xpay"}},
                            json{{"layer", "paytower-" + std::string(32, '0') + "-5-ab"}},
                            json{{"layer", world.name() + "-x"}}}));
  CHECK_FALSE(world.ask().routes.empty());
  REQUIRE(world.node.of("askrene-remove-layer").size() == 1);
  CHECK(world.node.of("askrene-remove-layer")[0].params["layer"] == old);
}

TEST_CASE("advice: M1, no route with advice says so, and the question without it decides") {
  Advised world;
  world.node.on_error("getroutes", 205);
  const RouteAnswer none = world.ask();
  CHECK_FALSE(!none.routes.empty());
  CHECK(none.advised);
  CHECK(world.node.of("getroutes").size() == 1);
  CHECK(world.node.of("listpeerchannels").empty());
  world.question.memory.reset();
  CHECK_FALSE(world.ask().advised);
  CHECK(world.node.of("getroutes")[1].params["layers"] == json::array({"auto.localchans", "auto.sourcefree"}));
}

TEST_CASE("advice: a node without layers is asked all the same, and not about layers again") {
  Advised world;
  world.node.on_error("askrene-listlayers", -32601);
  for (int i = 0; i < 3; ++i) {
    const RouteAnswer answer = world.ask();
    CHECK(!answer.routes.empty());
    CHECK_FALSE(answer.advised);
  }
  CHECK(world.node.of("askrene-listlayers").size() == 1);
}

TEST_CASE("advice: a layer that somebody removed is missed once, and put back") {
  Advised world;
  CHECK_FALSE(world.ask().routes.empty());
  world.node.on("getroutes", [](ScriptedNode& node, const Request& request) {
    node.say(json{{"jsonrpc", "2.0"},
                  {"id", request.id},
                  {"error", {{"code", -32602}, {"message", "layers: unknown layer"}}}}
                 .dump() +
             "\n\n");
  });
  CHECK(world.ask().advised);
  CHECK(world.node.of("getroute").empty());
  (void)world.ask();
  CHECK(world.node.of("askrene-create-layer").size() == 2);
}

TEST_CASE("advice: questions that come while the layer is looked for wait for it together") {
  Advised world;
  RouteQuestion other = world.question;
  other.ticket = 2;
  world.node_switch.ask_route(world.question);
  world.node_switch.ask_route(other);
  const auto events = world.run();
  CHECK(events.size() == 2);
  CHECK(world.node.of("askrene-listlayers").size() == 1);
  CHECK(world.node.of("getroutes").size() == 2);
}

TEST_CASE("advice: a question that leaves nothing has layers of its own, and they are gone before its answer") {
  Advised world;
  // The store's layer: without leaves_nothing it would be made again.
  world.layers(json::array({world.own_layer("5x5x5/0", 10)}));
  world.question.leaves_nothing = true;
  world.question.excluded_channels = {{*ShortChannelId::parse("8x8x8"), 0}};
  for (const bool advised : {true, false}) {
    world.node.requests.clear();
    if (!advised) world.question.memory.reset();
    CHECK_FALSE(world.ask().routes.empty());
    const auto made = world.node.of("askrene-create-layer");
    const auto gone = world.node.of("askrene-remove-layer");
    REQUIRE(made.size() == (advised ? 2U : 1U));
    REQUIRE(gone.size() == made.size());
    std::set<std::string> left;
    for (const Request& request : made) left.insert(request.params["layer"].get<std::string>());
    for (const Request& request : gone) left.erase(request.params["layer"].get<std::string>());
    CHECK(left.empty());
    for (const Request& request : made)
      CHECK(request.params["layer"].get<std::string>().rfind(world.name() + "-", 0) == 0);
    CHECK(world.node.of("askrene-listlayers").empty());
    for (const Request& request : world.node.of("askrene-inform-channel"))
      CHECK(request.params["layer"] != world.name());
    CHECK(world.node.of("getroutes")[0].params["layers"].size() == 2 + made.size());
  }
}
