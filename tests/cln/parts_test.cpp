// Payments in parts: sets of routes, and what is in the way of each part's hand-over and fence.
#include <doctest/doctest.h>

#include <set>

#include "tests/cln/world.h"
#include "tests/support/lists.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr const char* shortest_path_words =
    "We could not find a usable set of paths. The shortest path is 111x1x0->111x4x0, but 111x4x0/0 layer pq says max "
    "is 500000000msat";

ShortChannelId scid(const char* text) { return *ShortChannelId::parse(text); }

/// A question for 1,000,000 msat in several parts, over routes of two hops: our channel to `peer`, and its channel to
/// the payee.
struct PartsWorld : World {
  PartsWorld() {
    connect();
    question.ticket = 5;
    question.demand = RouteDemand{payee, Msat::of(1'000'000), 10, Msat::of(5'000), 100, {}};
    question.max_parts = 4;
    question.store = store;
    question.now = clock.wall();
    node.on("askrene-create-layer", [this](ScriptedNode& at, const Request& request) {
      json layer{{"layer", request.params["layer"]}, {"persistent", false}};
      if (newer) layer["node_biases"] = json::array();
      at.result(request, json{{"layers", json::array({layer})}});
    });
    for (const char* method : {"askrene-update-channel", "askrene-disable-node", "askrene-inform-channel",
                               "askrene-reserve", "askrene-remove-layer"})
      node.on_result(method, json::object());
    in_one_piece(false);
  }

  /// In the form of 26.06: with the amounts that go in and come out.
  [[nodiscard]] json path(const char* first, const char* second, std::uint64_t delivered, std::uint64_t fee) const {
    const auto hop = [&](const char* channel, const PublicKey& to, std::uint64_t in, std::uint64_t out, int delay) {
      return json{{"short_channel_id_dir", std::string(channel) + "/0"},
                  {"node_id_out", to.hex()},
                  {"amount_in_msat", in},
                  {"amount_out_msat", out},
                  {"cltv_in", 16},
                  {"cltv_out", delay}};
    };
    return json{{"probability_ppm", 1},
                {"amount_msat", delivered},
                {"final_cltv", 10},
                {"path", json::array({hop(first, peer, delivered + fee, delivered + fee, 16),
                                      hop(second, payee, delivered + fee, delivered, 10)})}};
  }
  [[nodiscard]] static json set_of(const std::vector<json>& paths) {
    return json{{"probability_ppm", 1}, {"routes", paths}};
  }
  void refuse(const Request& request, const char* words = shortest_path_words) {
    node.say(json{{"jsonrpc", "2.0"}, {"id", request.id}, {"error", {{"code", 205}, {"message", words}}}}.dump() +
             "\n\n");
  }
  /// `goes`: the node finds a route for one piece. For several parts it answers with `parts`.
  void in_one_piece(bool goes) {
    node.on("getroutes", [this, goes](ScriptedNode& at, const Request& request) {
      if (request.params["maxparts"] != 1) return parts.empty() ? refuse(request) : at.result(request, set_of(parts));
      goes ? at.result(request, set_of({path("111x1x0", "111x4x0", 1'000'000, 1'000)})) : refuse(request);
    });
  }
  void older_node_with_getroute() {
    for (const char* unknown : {"getroutes", "askrene-create-layer", "askrene-listlayers"})
      node.on_error(unknown, -32601);
  }

  RouteAnswer ask() {
    node_switch.ask_route(question);
    const auto events = run();
    REQUIRE(only<RouteAnswer>(events) != nullptr);
    return *only<RouteAnswer>(events);
  }
  [[nodiscard]] std::vector<json> told(const std::string& method) const {
    std::vector<json> found;
    for (const Request& request : node.of(method)) {
      found.push_back(request.params);
      found.back().erase("layer");
    }
    return found;
  }
  static json constrained(const char* channel, std::uint64_t amount) {
    return json{{"short_channel_id_dir", channel}, {"amount_msat", amount}, {"inform", "constrained"}};
  }
  [[nodiscard]] std::vector<int> asked_parts() const {
    std::vector<int> found;
    for (const Request& request : node.of("getroutes")) found.push_back(request.params["maxparts"].get<int>());
    return found;
  }

  RouteQuestion question;
  std::vector<json> parts{path("111x1x0", "111x4x0", 600'000, 1'000), path("111x2x0", "111x5x0", 400'000, 900)};
  bool newer = true;  ///< 25.12 and above
};

}  // namespace

TEST_CASE("one piece is asked for first, and parts only where there is none") {
  PartsWorld world;
  SUBCASE("one piece goes") {
    world.in_one_piece(true);
    CHECK(world.ask().routes.size() == 1);
    CHECK(world.asked_parts() == std::vector<int>{1});
  }
  SUBCASE("two parts") {
    const auto routes = world.ask().routes;
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].delivered() == Msat::of(600'000));
    CHECK(routes[0].total_amount() == Msat::of(601'000));
    CHECK(routes[1].delivered() == Msat::of(400'000));
    CHECK(routes[1].hops[0].channel == scid("111x2x0"));
    CHECK(world.asked_parts() == std::vector<int>{1, 4});
    CHECK(world.node.of("getroutes")[1].params["maxfee_msat"] == 5'000);
    CHECK(world.node.of("askrene-create-layer").empty());
  }
  SUBCASE("parts are not allowed: what is said of one part is said") {
    world.question.max_parts = 1;
    world.node.on("getroutes", [&](ScriptedNode& at, const Request& request) {
      request.params["amount_msat"] == 1'000'000
          ? world.refuse(request)
          : at.result(request, PartsWorld::set_of({world.path("111x1x0", "111x4x0", 62'500, 100)}));
    });
    CHECK(world.ask().detail.code == DetailCode::amount_in_one_part);
    for (const int parts : world.asked_parts()) CHECK(parts == 1);
  }
  SUBCASE("an amount of which no two parts can be made is asked for in one") {
    world.question.demand.amount = Msat::of(19'999);
    CHECK(world.ask().routes.empty());
    for (const int parts : world.asked_parts()) CHECK(parts == 1);
  }
  SUBCASE("a payee that nobody knows is asked for once") {
    world.node.on("getroutes",
                  [&](ScriptedNode&, const Request& request) { world.refuse(request, "Unknown destination node 02"); });
    CHECK(world.ask().detail.code == DetailCode::payee_unknown);
    CHECK(world.asked_parts() == std::vector<int>{1});
  }
}

TEST_CASE("a set that is not all that was asked for is none") {
  PartsWorld world;
  const auto one = [&](std::uint64_t delivered, std::uint64_t fee = 500) {
    return world.path("111x1x0", "111x4x0", delivered, fee);
  };
  SUBCASE("too little") { world.parts = {one(600'000), one(399'999)}; }
  SUBCASE("too dear together") { world.parts = {one(600'000, 2'500), one(400'000, 2'501)}; }
  SUBCASE("too many") { world.parts = {one(200'000), one(200'000), one(200'000), one(200'000), one(200'000)}; }
  SUBCASE("a part that is too small") { world.parts = {one(990'001), one(9'999)}; }
  SUBCASE("to somebody else") { world.parts[1]["path"][1]["node_id_out"] = key_of(77).hex(); }
  SUBCASE("over what was excluded") { world.question.excluded_channels = {{scid("111x5x0"), 0}}; }
  SUBCASE("as much as a channel failed to carry") {
    world.question.bounds = {ChannelBound{{scid("111x5x0"), 0}, Msat::of(400'000)}};
  }
  SUBCASE("as much, all parts together") {
    world.question.bounds = {ChannelBound{{scid("111x4x0"), 0}, Msat::of(1'000'000)}};
    world.parts = {one(600'000), one(400'000)};
  }
  SUBCASE("as much, with an open part") {
    world.question.bounds = {ChannelBound{{scid("111x5x0"), 0}, Msat::of(500'000)}};
    world.question.beside = {Route{{Hop{scid("111x1x0"), 0, world.peer, Msat::of(100'500), 16},
                                    Hop{scid("111x5x0"), 0, world.payee, Msat::of(100'000), 10}}}};
  }
  SUBCASE("above the largest HTLC that a node has told of") {
    ChannelPolicy told;
    told.channel = {scid("111x4x0"), 0};
    told.htlc_max = Msat::of(599'999);
    world.question.policies = {told};
  }
  SUBCASE("one of them cannot be read") { world.parts[1]["path"][0].erase("short_channel_id_dir"); }
  CHECK(world.ask().routes.empty());
}

TEST_CASE("the smallest parts, the last msat of the limit and of a bound are taken") {
  PartsWorld world;
  world.question.bounds = {ChannelBound{{scid("111x4x0"), 0}, Msat::of(990'001)}};
  world.parts = {world.path("111x1x0", "111x4x0", 990'000, 4'000), world.path("111x2x0", "111x5x0", 10'000, 1'000)};
  CHECK(world.ask().routes.size() == 2);
  // What the node's routes deliver too much is taken off the largest part.
  world.parts = {world.path("111x1x0", "111x4x0", 990'000, 4'000), world.path("111x2x0", "111x5x0", 10'001, 1'000)};
  const auto routes = world.ask().routes;
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].delivered() == Msat::of(989'999));
  CHECK(routes[0].fees() == Msat::of(4'000));
}

TEST_CASE("what a channel failed to carry bounds it: as good as excluded for one piece, constrained for parts") {
  PartsWorld world;
  world.question.bounds = {ChannelBound{{scid("7x7x7"), 1}, Msat::of(1'000'000)},
                           ChannelBound{{scid("8x8x8"), 0}, Msat::of(1'000'001)}};
  CHECK(world.ask().routes.size() == 2);
  CHECK(world.told("askrene-update-channel") ==
        std::vector<json>{json{{"short_channel_id_dir", "7x7x7/1"}, {"enabled", false}}});
  CHECK(world.told("askrene-inform-channel") ==
        std::vector<json>{PartsWorld::constrained("8x8x8/0", 1'000'001),  // the question for one piece
                          PartsWorld::constrained("7x7x7/1", 1'000'000),  // the question for parts
                          PartsWorld::constrained("8x8x8/0", 1'000'001)});
  (void)world.run();
  CHECK(world.node.of("askrene-remove-layer").size() == 2);
}

TEST_CASE("what our open parts occupy is kept free of others, but not our own channels, which the node knows") {
  PartsWorld world;
  const auto open = [&](std::uint64_t amount) {
    return Route{{Hop{scid("111x1x0"), 0, world.peer, Msat::of(amount + 1'000), 22},
                  Hop{scid("111x3x0"), 1, key_of(6), Msat::of(amount + 500), 16},
                  Hop{scid("111x5x0"), 0, world.payee, Msat::of(amount), 10}}};
  };
  world.question.beside = {open(2'000'000), open(500'000)};
  world.question.bounds = {ChannelBound{{scid("111x3x0"), 1}, Msat::of(9'000'000)},
                           ChannelBound{{scid("111x1x0"), 0}, Msat::of(4'000'000)}};
  world.node.on("listchannels", [](ScriptedNode& at, const Request& request) {
    CHECK(request.params.size() == 1);
    json channels = json::array();
    if (request.params["short_channel_id"] != "111x5x0") channels.push_back(json{{"amount_msat", 8'000'000}});
    if (request.params["short_channel_id"] == "111x5x0")
      channels = json::array({json{{"amount_msat", "3000000msat"}}, json{{"amount_msat", 3'000'000}}});
    at.result(request, json{{"channels", channels}});
  });
  SUBCASE("a node from 25.12 on takes reservations in our layer") {
    CHECK(world.ask().routes.size() == 2);
    REQUIRE(world.node.of("askrene-reserve").size() == 2);
    const Request reserve = world.node.of("askrene-reserve")[1];
    const json layer = world.node.of("getroutes")[1].params["layers"].back();
    CHECK(reserve.params ==
          json{{"path",
                json::array(
                    {json{{"short_channel_id_dir", "111x3x0/1"}, {"amount_msat", 2'501'000}, {"layer", layer}},
                     json{{"short_channel_id_dir", "111x5x0/0"}, {"amount_msat", 2'500'000}, {"layer", layer}}})}});
    CHECK(world.told("askrene-inform-channel")[2] == PartsWorld::constrained("111x3x0/1", 9'000'000));
    CHECK(world.told("askrene-inform-channel")[3] == PartsWorld::constrained("111x1x0/0", 1'498'000));
    CHECK(world.node.of("listchannels").empty());
    (void)world.run();
    CHECK(world.node.of("askrene-remove-layer")[1].params["layer"] == layer);
  }
  SUBCASE("an older one would reserve for everybody, and for ever") {
    world.newer = false;
    world.question.max_parts = 2;
    world.in_one_piece(true);
    CHECK(world.ask().routes.size() == 1);
    CHECK(world.node.of("askrene-reserve").empty());
    CHECK(world.told("askrene-inform-channel") == std::vector<json>{PartsWorld::constrained("111x3x0/1", 6'499'000),
                                                                    PartsWorld::constrained("111x1x0/0", 1'498'000),
                                                                    PartsWorld::constrained("111x3x0/1", 5'499'001),
                                                                    PartsWorld::constrained("111x5x0/0", 500'001)});
  }
}

TEST_CASE("parts to the entry of a hint: its hops' fees are paid for each") {
  PartsWorld world;
  world.question.hints = {{HintHop{world.peer, scid("9x9x9"), 1'000, 100, 6}}};
  std::uint64_t asked = 0;
  world.node.on("getroutes", [&](ScriptedNode& at, const Request& request) {
    if (request.params["destination"] == world.payee.hex() || request.params["maxparts"] == 1)
      return world.refuse(request);
    asked = request.params["amount_msat"].get<std::uint64_t>();
    CHECK(request.params["maxfee_msat"] == 5'000 - (asked - 1'000'000));
    CHECK(request.params["final_cltv"] == 16);
    std::vector<json> paths;
    for (const std::uint64_t amount : {asked - 300'000, std::uint64_t{300'000}}) {
      json one = world.path("111x1x0", "111x4x0", amount, 0);
      one["final_cltv"] = 16;
      one["path"].erase(1);
      one["path"][0]["short_channel_id_dir"] = amount == 300'000 ? "111x1x0/0" : "111x2x0/0";
      paths.push_back(one);
    }
    at.result(request, PartsWorld::set_of(paths));
  });
  const auto routes = world.ask().routes;
  REQUIRE(routes.size() == 2);
  CHECK(asked >= 1'004'100);  // the base fee for each of four parts, plus the proportional fee
  CHECK(asked <= 1'004'110);
  CHECK(routes[0].delivered().value() + routes[1].delivered().value() == 1'000'000);
  for (const Route& route : routes) {
    REQUIRE(route.hops.size() == 2);
    CHECK(route.hops.back().channel == scid("9x9x9"));
    CHECK(route.fees().value() == 1'000 + route.delivered().value() / 10'000);
  }
  SUBCASE("no limit for so many parts: fewer are asked for") {
    world.question.demand.fee_limit = Msat::of(3'200);
    world.node.requests.clear();
    world.node.on("getroutes", [&](ScriptedNode&, const Request& request) { world.refuse(request); });
    CHECK(world.ask().routes.empty());
    CHECK(world.node.of("getroutes")[3].params["maxparts"] == 3);
  }
  SUBCASE("what the hint's channel failed to carry, several parts do not carry") {
    const auto direction = static_cast<std::uint8_t>(world.peer < world.payee ? 0 : 1);
    world.question.bounds = {ChannelBound{{scid("9x9x9"), direction}, Msat::of(1'000'000)}};
    world.node.requests.clear();
    CHECK(world.ask().routes.empty());
    for (const Request& request : world.node.of("getroutes")) {
      if (request.params["destination"] == world.peer.hex()) CHECK(request.params["maxfee_msat"] > 5'000);
    }
  }
}

TEST_CASE("why there is neither one route nor a set") {
  PartsWorld world;
  world.parts.clear();
  SUBCASE("nothing helps: what is said of one part is not said") {
    world.question.demand.amount = Msat::of(6'000'000);
    world.node.on_result("listpeerchannels",
                         json{{"channels", json::array({world.own_channel("111x1x0", "channeld"),
                                                        world.own_channel("111x2x0", "channeld")})}});
    CHECK(world.ask().detail == FailureDetail{DetailCode::unexplained, {}, {}, {}, {}, shortest_path_words});
  }
  SUBCASE("our channels together hold too little") {
    world.question.demand.amount = Msat::of(6'000'000);
    CHECK(world.ask().reason == FailureReason::insufficient_balance);
  }
  SUBCASE("a set costs more than the limit") {
    world.node.on("getroutes", [&](ScriptedNode& at, const Request& request) {
      if (request.params["maxparts"] == 1 || request.params["maxfee_msat"] == 5'000) return world.refuse(request);
      at.result(request, PartsWorld::set_of({world.path("111x1x0", "111x4x0", 600'000, 4'000),
                                             world.path("111x2x0", "111x5x0", 400'000, 2'000)}));
    });
    const auto why = world.ask().detail;
    CHECK(why.code == DetailCode::fee_limit);
    CHECK(why.fee == Msat::of(6'000));
  }
  SUBCASE("every set uses what failed before") {
    world.question.bounds = {ChannelBound{{scid("111x4x0"), 0}, Msat::of(1'000)}};
    world.node.on("getroutes", [&](ScriptedNode& at, const Request& request) {
      request.params["layers"].size() > 2
          ? world.refuse(request)
          : at.result(request, PartsWorld::set_of({world.path("111x1x0", "111x4x0", 1'000'000, 1'000)}));
    });
    CHECK(world.ask().detail.code == DetailCode::excluded);
  }
}

TEST_CASE("a node with getroute alone: what finds no route is halved") {
  PartsWorld world;
  world.older_node_with_getroute();
  world.question.demand.amount = Msat::of(8'000'000);
  world.question.demand.fee_limit = Msat::of(10'000);
  world.node.on_result(
      "listpeerchannels",
      json{{"channels", json::array({world.own_channel("111x1x0", "channeld"), world.own_channel("111x2x0", "channeld"),
                                     world.own_channel("111x3x0", nullptr)})}});
  std::set<std::string> full;
  std::uint64_t most = 4'000'000;
  world.node.on("getroute", [&](ScriptedNode& at, const Request& request) {
    const json& params = request.params;
    const std::uint64_t amount = params["amount_msat"].get<std::uint64_t>();
    std::string first = "111x1x0";
    if (params.contains("exclude")) {
      for (const json& one : params["exclude"]) {
        if (one == "111x1x0/0") first = "111x2x0";
        full.insert(one.get<std::string>());
      }
    }
    if (amount > most) return at.error(request, 205);
    at.result(request, json{{"route", json::array({json{{"id", world.peer.hex()},
                                                        {"channel", first},
                                                        {"direction", 0},
                                                        {"amount_msat", amount + 1'000},
                                                        {"delay", 16}},
                                                   json{{"id", world.payee.hex()},
                                                        {"channel", "111x4x0"},
                                                        {"direction", 0},
                                                        {"amount_msat", amount},
                                                        {"delay", 10}}})}});
  });
  SUBCASE("two halves, each over a channel that has room for it") {
    const auto routes = world.ask().routes;
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].hops[0].channel == scid("111x1x0"));
    CHECK(routes[1].hops[0].channel == scid("111x2x0"));
    CHECK(routes[0].delivered() == Msat::of(4'000'000));
    CHECK(routes[1].delivered() == Msat::of(4'000'000));
    CHECK(full.count("111x3x0/0") == 1);
  }
  SUBCASE("a channel that the fees would fill is told to the node") {
    world.question.demand.amount = Msat::of(9'999'000);
    world.question.max_parts = 2;
    most = 5'000'000;
    CHECK(world.ask().routes.empty());  // 4,999,500 plus 1,000 of fees is more than 5,000,000
    CHECK(full.count("111x2x0/0") == 1);
  }
  SUBCASE("quarters, as long as parts are allowed") {
    most = 2'000'000;
    CHECK(world.ask().routes.size() == 4);
    world.question.max_parts = 3;
    CHECK(world.ask().routes.empty());
  }
  SUBCASE("down to the least part, and no further") {
    world.question.demand.amount = Msat::of(80'000);
    world.question.max_parts = 100;
    most = 10'000;
    CHECK(world.ask().routes.size() == 8);
    most = 9'999;
    world.node.requests.clear();
    CHECK(world.ask().routes.empty());
    CHECK(world.node.of("getroute").size() < 8);
  }
  SUBCASE("a bound that earlier pieces and open parts have filled") {
    world.question.bounds = {ChannelBound{{scid("111x4x0"), 0}, Msat::of(8'000'000)}};
    world.question.beside = {Route{{Hop{scid("111x1x0"), 0, world.payee, Msat::of(1'000), 10}}}};
    CHECK(world.ask().routes.empty());
    CHECK(full.count("111x4x0/0") == 1);
  }
}

// --- hand-overs, fences and looks of parts ---

TEST_CASE("a part's hand-over and its fence carry the payment's total and the same secret") {
  World world;
  world.connect();
  world.handover.key.part = 3;
  world.handover.amount = Msat::of(250'000);
  world.handover.payment_secret = PaymentSecret{};
  world.handover.payment_secret->bytes.fill(0x77);
  world.node.on_error("sendpay", 208);
  world.node_switch.dispatch(world.handover);
  (void)world.run();
  world.handover.label = attempt_label(world.store, AttemptId{77}, true);
  world.node_switch.fence(world.handover);
  (void)world.run();
  const auto sent = world.node.of("sendpay");
  REQUIRE(sent.size() == 2);
  for (const Request& request : sent) {
    CHECK(request.params["partid"] == 3);
    CHECK(request.params["groupid"] == 77);
    CHECK(request.params["amount_msat"] == 250'000);
    CHECK(request.params["payment_secret"] == world.handover.payment_secret->hex());
    CHECK(request.params["route"].back()["id"] == world.payee.hex());
    CHECK(request.params["route"].back()["amount_msat"] == 100'000);
  }
  const json& fence = sent[1].params["route"];
  REQUIRE(fence.size() == 2);
  CHECK(fence[0]["amount_msat"] == 2'100'000'000'000'000'000ULL);
  CHECK(fence[0]["channel"] == "111x1x0");
  CHECK(fence[0]["id"] == world.peer.hex());
  CHECK(fence[1]["channel"] == "1x1x1");
}

TEST_CASE("a fence that can never take is told from one that did not") {
  World world;
  world.connect();
  world.handover.key.part = 2;
  world.handover.label = attempt_label(world.store, AttemptId{77}, true);
  json other = world.row("complete", attempt_label(world.store, AttemptId{77}));
  other["partid"] = 1;
  json own = world.row("failed", attempt_label(world.store, AttemptId{77}));
  own["partid"] = 2;
  std::int64_t code = 201;
  bool barred = false;
  std::vector<json> rows{other};
  SUBCASE("another part is complete, and this one has no row") { barred = true; }
  SUBCASE("its row is there") { rows.push_back(own); }
  SUBCASE("another round is complete") { rows[0]["groupid"] = 78; }
  SUBCASE("nothing is complete") { rows[0]["status"] = "pending"; }
  SUBCASE("another answer") { code = 200; }
  SUBCASE("-32602") { code = -32602; }
  SUBCASE("an attempt from before there were parts") { world.handover.key.part = 0; }
  world.node.on_error("sendpay", code);
  world.node.on_result("listsendpays", json{{"payments", rows}});
  world.node_switch.fence(world.handover);
  const auto events = world.run();
  REQUIRE(only<FenceAnswer>(events) != nullptr);
  CHECK(only<FenceAnswer>(events)->kind == (barred ? FenceAnswer::Kind::barred : FenceAnswer::Kind::look));
}

TEST_CASE("a look asks why each part failed, the newest of its number, and not without an end") {
  World world;
  world.connect();
  const std::string label = attempt_label(world.store, AttemptId{77});
  const auto failed = [&](int part, int index) {
    json row = world.row("failed", label);
    row["partid"] = part;
    row["updated_index"] = index;
    return row;
  };
  std::vector<json> rows{failed(1, 11), failed(2, 12)};
  world.node.on("listsendpays", [&](ScriptedNode& at, const Request& request) {
    at.result(request, json{{"payments", rows}});
  });
  world.node.on("waitsendpay", [&](ScriptedNode& at, const Request& request) {
    json data = world.failure(label);
    data["partid"] = request.params["partid"];
    data["failcode"] = request.params["partid"] == 1 ? 4103 : 16'399;
    at.error(request, request.params["partid"] == 1 ? 204 : 203, data);
  });
  const auto look = [&] {
    world.node_switch.look(world.hash, {});
    const auto events = world.run();
    REQUIRE(only<LookAnswer>(events) != nullptr);
    return lists_of(*only<LookAnswer>(events));
  };
  SUBCASE("each has its own") {
    const cln::NodeLists found = look();
    REQUIRE(found.rows.size() == 2);
    CHECK(found.rows[0].failure->code == FailureCode::temporary_channel_failure);
    CHECK(static_cast<std::uint32_t>(found.rows[1].failure->code) == 16'399);
    CHECK(world.node.of("waitsendpay").size() == 2);
    CHECK(world.node.of("listsendpays").size() == 2);
  }
  SUBCASE("another round's failure has taken its place: meanwhile, or before") {
    json later = failed(1, 20);
    later["groupid"] = 78;
    later["label"] = "somebody";
    SUBCASE("before") { rows.push_back(later); }
    SUBCASE("meanwhile") {
      world.node.on("waitsendpay",
                    [&, answer = world.node.script["waitsendpay"]](ScriptedNode& at, const Request& request) {
                      if (rows.size() == 2) rows.push_back(later);
                      answer(at, request);
                    });
    }
    const cln::NodeLists found = look();
    CHECK_FALSE(found.rows[0].failure.has_value());
    CHECK(found.rows[1].failure.has_value());
  }
  SUBCASE("the newest of very many") {
    rows.clear();
    for (int part = 1; part <= 40; ++part) rows.push_back(failed(part, 100 + part));
    const cln::NodeLists found = look();
    CHECK(world.node.of("waitsendpay").size() == 32);
    CHECK_FALSE(found.rows[7].failure.has_value());
    CHECK(found.rows[8].failure.has_value());
  }
}

TEST_CASE("an HTLC's amount tells whose part it is; a node that does not say it leaves that open") {
  World world;
  world.connect();
  const auto htlc = [&](int index) {
    return json{{"created_index", index},
                {"direction", "out"},
                {"state", "SENT_ADD_COMMIT"},
                {"payment_hash", world.hash.hex()}};
  };
  json told = htlc(31);
  told["amount_msat"] = 61'001;
  world.node.on_result("listhtlcs", json{{"htlcs", json::array({told, htlc(32)})}});
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const auto& htlcs = *lists_of(*only<LookAnswer>(events)).htlcs;
  CHECK(htlcs[0].amount == Msat::of(61'001));
  CHECK_FALSE(htlcs[1].amount.has_value());
}
