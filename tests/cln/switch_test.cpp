// The switch against a scripted node: what it asks, in which order, and what it makes of every silence, loss and lie.
#include <doctest/doctest.h>

#include <random>
#include <set>

#include "core/switch/json_rpc.h"
#include "core/switch/socket.h"
#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

DispatchAnswer::Kind dispatched(World& world) {
  world.connect();
  world.node_switch.dispatch(world.handover);
  const auto events = world.run();
  const auto* answer = only<DispatchAnswer>(events);
  REQUIRE(answer != nullptr);
  CHECK(answer->key == world.handover.key);
  return answer->kind;
}

Handover fence_of(const World& world) {
  Handover fence = world.handover;
  fence.label = attempt_label(world.store, AttemptId{77}, true);
  return fence;
}

}  // namespace

TEST_CASE("getinfo is the first word on every connection") {
  World world;
  world.node_switch.identify();
  const auto events = world.run(ns_per_ms);
  const auto* who = only<IdentityAnswer>(events);
  REQUIRE(who != nullptr);
  CHECK(who->key == SwitchKey{world.own, "regtest"});
  CHECK(who->height == 118);

  world.node.hang_up();
  world.node_switch.look(world.hash, {});
  const auto lost = world.run();
  CHECK(only<Disconnected>(lost) != nullptr);
  world.node.on_result("getinfo", json{{"id", world.peer.hex()}, {"network", "regtest"}});
  world.node_switch.identify();
  const auto other = world.run();
  REQUIRE(only<IdentityAnswer>(other) != nullptr);
  CHECK(only<IdentityAnswer>(other)->key.node == world.peer);  // the driver sees that it is another node (R6)
  CHECK(world.node.connections == 2);
  CHECK(world.node.requests.back().method == "getinfo");
}

TEST_CASE("nothing is asked before the node has said who it is") {
  World world;
  world.node_switch.dispatch(world.handover);
  world.node_switch.look(world.hash, {});
  world.node_switch.query(world.handover.key);
  world.node_switch.fence(world.handover);
  const auto events = world.run();
  REQUIRE(only<DispatchAnswer>(events) != nullptr);
  CHECK(only<DispatchAnswer>(events)->kind == DispatchAnswer::Kind::not_sent);
  CHECK(only<Disconnected>(events) != nullptr);
  CHECK(world.node.requests.empty());
}

TEST_CASE("nobody there, then somebody: retried with growing pauses") {
  World world;
  world.node.stop_listening();
  std::vector<std::int64_t> tries;
  for (int i = 0; i < 6; ++i) {
    world.node_switch.identify();
    while (only<Disconnected>(world.node_switch.poll(MonoNs{world.clock.at + 10 * ns_per_second})) == nullptr) {
    }
    tries.push_back(world.clock.at);
  }
  CHECK(tries[0] == 0);
  for (std::size_t i = 1; i + 1 < tries.size(); ++i) CHECK(tries[i + 1] - tries[i] >= tries[i] - tries[i - 1]);
  CHECK(tries[1] >= 250 * ns_per_ms);
  CHECK(tries[5] - tries[4] <= 5 * ns_per_second);
  world.node.listen();
  world.node_switch.identify();
  CHECK(only<IdentityAnswer>(world.run(6 * ns_per_second)) != nullptr);
}

TEST_CASE("a node that does not say who it is is no node") {
  for (const json& answer : {json{{"id", "02"}, {"network", "regtest"}}, json{{"network", "regtest"}}, json::array(), json{{"id", key_of(1).hex()}}}) {
    World world;
    world.node.on_result("getinfo", answer);
    world.node_switch.identify();
    const auto events = world.run();
    CHECK(only<Disconnected>(events) != nullptr);
    CHECK(only<IdentityAnswer>(events) == nullptr);
  }
}

TEST_CASE("sendpay: all ids given, and only this attempt's own row is an acceptance") {
  World world;
  SUBCASE("accepted") {
    world.handover.invoice = "lnbcrt1";
    world.handover.payment_secret = PaymentSecret{};
    world.handover.metadata = Bytes{1, 2};
    world.node.on_result("sendpay", world.row("pending", world.handover.label));
    CHECK(dispatched(world) == DispatchAnswer::Kind::accepted);
    const json& params = world.node.requests.back().params;
    CHECK(params["groupid"] == 77);
    CHECK(params["partid"] == 0);
    CHECK(params["payment_hash"] == world.hash.hex());
    CHECK(params["label"] == world.handover.label);
    CHECK(params["amount_msat"] == 100'000);
    CHECK(params["payment_metadata"] == "0102");
    CHECK(params["bolt11"] == "lnbcrt1");
    CHECK(params["route"].size() == 2);
    CHECK(params["route"][0]["amount_msat"] == 101'000);
  }
  SUBCASE("the fence's row stands there") {
    world.node.on_result("sendpay", world.row("pending", world.handover.label + ":fence"));
    CHECK(dispatched(world) == DispatchAnswer::Kind::look);
  }
  SUBCASE("complete") {
    world.node.on_result("sendpay", world.row("complete", world.handover.label));
    CHECK(dispatched(world) == DispatchAnswer::Kind::look);
  }
  SUBCASE("204 without a row") {
    world.node.on_error("sendpay", 204, json{{"erring_index", 0}, {"failcode", 4103}, {"erring_channel", "111x1x0"}, {"erring_direction", 0}});
    CHECK(dispatched(world) == DispatchAnswer::Kind::not_sent);
  }
  SUBCASE("204 with a row") {
    world.node.on_error("sendpay", 204, world.failure(world.handover.label));
    CHECK(dispatched(world) == DispatchAnswer::Kind::look);
  }
  for (const std::int64_t code : {200, 201, 202, 208, 209, 210, -1, -3, -4, -5}) {
    CAPTURE(code);
    World other;
    other.node.on_error("sendpay", code);
    CHECK(dispatched(other) == DispatchAnswer::Kind::look);
  }
}

TEST_CASE("an empty route, and one to the node itself, never reach the node") {
  World world;
  SUBCASE("empty") { world.handover.route.hops.clear(); }
  SUBCASE("to itself") { world.handover.route.hops.back().node = world.own; }
  CHECK(dispatched(world) == DispatchAnswer::Kind::not_sent);
  CHECK(world.node.of("sendpay").empty());
}

TEST_CASE("after the first byte a lost connection says nothing of the hand-over") {
  World world;
  world.connect();
  std::string last_words;
  SUBCASE("end of file") {}
  SUBCASE("half an answer") { last_words = R"({"jsonrpc":"2.0","id":)"; }
  SUBCASE("garbage") { last_words = "garbage\n\n"; }
  SUBCASE("an id of null") { last_words = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid token"}})" "\n\n"; }
  SUBCASE("too deep") { last_words = std::string(10'000, '[') + "\n\n"; }
  world.node.on("sendpay", [&](ScriptedNode& node, const Request&) {
    node.say(last_words);
    node.at(world.clock.at + ns_per_ms, [&node] { node.hang_up(); });
  });
  world.node_switch.dispatch(world.handover);
  const auto events = world.run();
  CHECK(world.node.of("sendpay").size() == 1);
  CHECK(only<DispatchAnswer>(events) == nullptr);
  CHECK(only<Disconnected>(events) != nullptr);
}

TEST_CASE("before the first byte it says that nothing was sent") {
  World world;
  world.connect();
  world.node.hang_up();
  world.node_switch.dispatch(world.handover);
  const auto events = world.run();
  REQUIRE(only<DispatchAnswer>(events) != nullptr);
  CHECK(only<DispatchAnswer>(events)->kind == DispatchAnswer::Kind::not_sent);
  CHECK_FALSE(only<DispatchAnswer>(events)->failure.source_index.has_value());
  CHECK(std::holds_alternative<Disconnected>(events.back()));
}

TEST_CASE("answers to other requests are passed over, and late ones of an old connection never match") {
  World world;
  world.connect();
  std::string old_id;
  world.node.on("sendpay", [&](ScriptedNode& node, const Request& request) {
    old_id = request.id;
    node.result(Request{"0123456789abcdef0123456789abcdef", "", {}}, world.row("pending", world.handover.label));
  });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run().empty());
  world.node.hang_up();
  CHECK(only<Disconnected>(world.run()) != nullptr);
  world.connect();
  (void)world.run();
  world.node.on("sendpay", [&](ScriptedNode& node, const Request&) { node.result(Request{old_id, "", {}}, world.row("pending", world.handover.label)); });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run().empty());
  CHECK(old_id.size() == 32);
  std::set<std::string> ids;
  for (const Request& request : world.node.requests) ids.insert(request.id);
  CHECK(ids.size() == world.node.requests.size());
}

TEST_CASE("a silent node: poll returns at its hour, and the connection is given up after a minute") {
  World world;
  world.connect();
  world.node_switch.dispatch(world.handover);
  const std::int64_t start = world.clock.at;
  CHECK(world.node_switch.poll(MonoNs{start + 10 * ns_per_second}).empty());
  CHECK(world.clock.at == start + 10 * ns_per_second);
  const auto events = world.run(60 * ns_per_second);
  CHECK(only<Disconnected>(events) != nullptr);
  CHECK(only<DispatchAnswer>(events) == nullptr);
}

TEST_CASE("an answer that comes 10 s late is an answer") {
  World world;
  world.connect();
  world.node.on("sendpay", [&](ScriptedNode& node, const Request& request) {
    node.at(world.clock.at + 10 * ns_per_second, [&, request] { node.result(request, world.row("pending", world.handover.label)); });
  });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run(9 * ns_per_second).empty());
  const auto events = world.run(2 * ns_per_second);
  REQUIRE(only<DispatchAnswer>(events) != nullptr);
  CHECK(only<DispatchAnswer>(events)->kind == DispatchAnswer::Kind::accepted);
}

TEST_CASE("a look asks for marks, rows, HTLCs, movements and deletions, each behind the one before") {
  World world;
  world.connect();
  world.node.requests.clear();
  const Marks since{1, 30, 3, 12};
  world.node.on_result("listsendpays", json{{"payments", json::array({world.row("pending", world.handover.label), json{{"status", "complete"}}})}});
  world.node.on_result("listhtlcs", json{{"htlcs", json::array({json{{"created_index", 31}, {"direction", "out"}, {"state", "SENT_ADD_COMMIT"}, {"payment_hash", world.hash.hex()}},
                                                               json{{"created_index", 32}, {"direction", "in"}, {"state", "X"}, {"payment_hash", world.hash.hex()}},
                                                               json{{"created_index", 33}, {"direction", "out"}, {"state", "RCVD_REMOVE_ACK_REVOCATION"}, {"payment_hash", std::string(64, '0')}}})}});
  world.node.on_result("listchannelmoves", json{{"channelmoves", json::array({json{{"created_index", 13}, {"debit_msat", "101000msat"}, {"credit_msat", 0}, {"primary_tag", "invoice"},
                                                                                  {"payment_hash", world.hash.hex()}, {"group_id", 77}, {"part_id", 0}}})}});
  world.node.on("listchannelmoves", [&, answer = world.node.script["listchannelmoves"]](ScriptedNode& node, const Request& request) {
    world.counters["htlcs.deleted"] = 4;  // while the lists are read
    answer(node, request);
  });
  world.node_switch.look(world.hash, since);
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const LookResult& look = only<LookAnswer>(events)->look;
  CHECK(look.hash == world.hash);
  CHECK(look.now == Marks{4, 40, 4, 20});
  CHECK(look.height == 118);
  REQUIRE(look.rows.size() == 2);
  CHECK(look.rows[0].id == AttemptId{77});
  CHECK(look.rows[0].lingers);
  CHECK(look.rows[1].state == RowState::pending);  // a row that cannot be read keeps the hash closed
  REQUIRE(look.htlcs.has_value());
  REQUIRE(look.htlcs->size() == 1);
  CHECK(look.htlcs->front().created_index == 31);
  CHECK_FALSE(look.htlcs->front().finished);
  REQUIRE(look.debits.has_value());
  REQUIRE(look.debits->size() == 1);
  CHECK(look.debits->front().id == AttemptId{77});
  std::vector<std::string> asked;
  for (const Request& request : world.node.requests) asked.push_back(request.method);
  CHECK(asked == std::vector<std::string>{"wait", "wait", "wait", "wait", "listsendpays", "listhtlcs", "listchannelmoves", "wait"});
  CHECK(world.node.of("listhtlcs")[0].params == json{{"index", "created"}, {"start", 31}, {"limit", 1000}});
}

TEST_CASE("an older node has fewer marks and lists, and they are absent, not empty") {
  World world;
  world.connect();
  world.node.on("wait", [&](ScriptedNode& node, const Request& request) {
    if (request.params["subsystem"] != "sendpays") return node.error(request, -32602);
    node.result(request, json{{"subsystem", "sendpays"}, {"created", 4}});
  });
  world.node.on_error("listhtlcs", -32602);
  world.node.on_error("listchannelmoves", -32601);
  world.node_switch.look(world.hash, Marks{1, 30, 3, 12});
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const LookResult& look = only<LookAnswer>(events)->look;
  CHECK(look.now == Marks{4, {}, {}, {}});
  CHECK_FALSE(look.htlcs.has_value());
  CHECK_FALSE(look.debits.has_value());
}

TEST_CASE("half a look is no look") {
  for (const char* method : {"wait", "listsendpays", "listhtlcs", "listchannelmoves"}) {
    CAPTURE(method);
    for (const int kind : {0, 1, 2}) {
      CAPTURE(kind);
      World world;
      world.connect();
      if (kind == 0) world.node.on(method, [](ScriptedNode& node, const Request&) { node.hang_up(); });
      if (kind == 1) world.node.on_error(method, -1);
      if (kind == 2) world.node.on_result(method, json{{"payments", 5}});
      world.node_switch.look(world.hash, Marks{1, 30, 3, 12});
      const auto events = world.run();
      CHECK(only<LookAnswer>(events) == nullptr);
      CHECK(only<Disconnected>(events) != nullptr);
    }
  }
}

TEST_CASE("lists are read page by page") {
  World world;
  world.connect();
  world.node.on("listhtlcs", [&](ScriptedNode& node, const Request& request) {
    json page = json::array();
    const auto start = request.params["start"].get<std::uint64_t>();
    for (std::uint64_t index = start; index < 3'500 && page.size() < 1'000; ++index) {
      page.push_back(json{{"created_index", index}, {"direction", "out"}, {"state", "RCVD_REMOVE_ACK_REVOCATION"}, {"payment_hash", world.hash.hex()}});
    }
    node.result(request, json{{"htlcs", page}});
  });
  world.node_switch.look(world.hash, Marks{1, 30, 3, 12});
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  CHECK(only<LookAnswer>(events)->look.htlcs->size() == 3'500 - 31);
  CHECK(world.node.of("listhtlcs").size() == 4);
}

TEST_CASE("the reason of a failed row is asked for, and kept only while no later failure replaced it") {
  World world;
  world.connect();
  json later = world.row("failed", "");
  later["groupid"] = 3;
  later["updated_index"] = 9;
  world.node.on_error("waitsendpay", 204, world.failure(world.handover.label));
  json rows = json::array({world.row("failed", world.handover.label)});
  bool kept = true;
  SUBCASE("the newest") {}
  SUBCASE("replaced before") {
    rows.push_back(later);
    kept = false;
  }
  SUBCASE("replaced between the two questions") {
    world.node.on("waitsendpay", [&](ScriptedNode& node, const Request& request) {
      rows.push_back(later);
      node.error(request, 204, world.failure(world.handover.label));
    });
    kept = false;
  }
  world.node.on("listsendpays", [&](ScriptedNode& node, const Request& request) { node.result(request, json{{"payments", rows}}); });
  world.node_switch.look(world.hash, Marks{1, 30, 3, 12});
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const auto& found = only<LookAnswer>(events)->look.rows;
  CHECK(found[0].state == RowState::failed);
  CHECK(found[0].failure.has_value() == kept);

  world.node_switch.query(world.handover.key);
  const auto answers = world.run();
  REQUIRE(only<QueryAnswer>(answers) != nullptr);
  CHECK(only<QueryAnswer>(answers)->kind == QueryAnswer::Kind::failed);
  CHECK((only<QueryAnswer>(answers)->failure.code == FailureCode::temporary_channel_failure) == kept);
}

TEST_CASE("waitsendpay: what ends an attempt, and what does not") {
  World world;
  world.connect();
  auto expected = QueryAnswer::Kind::look;
  SUBCASE("settled") {
    world.node.on_result("waitsendpay", world.row("complete", world.handover.label));
    expected = QueryAnswer::Kind::settled;
  }
  SUBCASE("settled, another's label") { world.node.on_result("waitsendpay", world.row("complete", "mine")); }
  SUBCASE("a failed fence is no failed attempt") { world.node.on_error("waitsendpay", 204, world.failure(world.handover.label + ":fence")); }
  SUBCASE("still pending") { world.node.on_error("waitsendpay", 200); }
  SUBCASE("no row") { world.node.on_error("waitsendpay", 208); }
  SUBCASE("-1") { world.node.on_error("waitsendpay", -1); }
  SUBCASE("failed, but the list says complete") {
    world.node.on_error("waitsendpay", 204, world.failure(world.handover.label));
    world.node.on_result("listsendpays", json{{"payments", json::array({world.row("complete", world.handover.label)})}});
  }
  world.node_switch.query(world.handover.key);
  const auto events = world.run();
  REQUIRE(only<QueryAnswer>(events) != nullptr);
  CHECK(only<QueryAnswer>(events)->kind == expected);
  const json params = world.node.of("waitsendpay")[0].params;
  CHECK(params == json{{"payment_hash", world.hash.hex()}, {"partid", 0}, {"groupid", 77}, {"timeout", 60}});
}

TEST_CASE("a fence: all bitcoin over one named channel with an owner") {
  World world;
  world.connect();
  const Handover fence = fence_of(world);
  world.node.on_result("sendpay", world.row("pending", fence.label));
  world.node.on_error("waitsendpay", 204, world.failure(fence.label));
  bool fenced = false;
  SUBCASE("takes") { fenced = true; }
  SUBCASE("the attempt won") { world.node.on_result("sendpay", world.row("pending", world.handover.label)); }
  SUBCASE("the attempt won and settled") { world.node.on_result("sendpay", world.row("complete", world.handover.label)); }
  SUBCASE("201") { world.node.on_error("sendpay", 201); }
  SUBCASE("200: something else is pending") { world.node.on_error("sendpay", 200); }
  SUBCASE("204 without a row") { world.node.on_error("sendpay", 204, json{{"erring_index", 0}}); }
  SUBCASE("its row does not end") { world.node.on_error("waitsendpay", 200); }
  SUBCASE("its row is gone") { world.node.on_error("waitsendpay", 208); }
  SUBCASE("another row ended") { world.node.on_error("waitsendpay", 204, world.failure(world.handover.label)); }
  SUBCASE("no channel has an owner") { world.node.on_result("listpeerchannels", json{{"channels", json::array({world.own_channel("111x2x0", nullptr)})}}); }
  world.node_switch.fence(fence);
  const auto events = world.run();
  REQUIRE(only<FenceAnswer>(events) != nullptr);
  CHECK((only<FenceAnswer>(events)->kind == FenceAnswer::Kind::fenced) == fenced);
  for (const Request& request : world.node.of("sendpay")) {
    CHECK(request.params["label"] == fence.label);
    CHECK(request.params["groupid"] == 77);
    REQUIRE(request.params["route"].size() == 1);
    CHECK(request.params["route"][0]["channel"] == "111x1x0");
    CHECK(request.params["route"][0]["amount_msat"] == 2'100'000'000'000'000'000ULL);
    CHECK_FALSE(request.params.contains("amount_msat"));
  }
}

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

TEST_CASE("500 questions at once, answered in random order: none lost, none crossed") {
  World world;
  world.connect();
  constexpr std::uint64_t count = 500;
  std::vector<Request> waiting;
  std::mt19937 random(11);
  world.node.on("waitsendpay", [&](ScriptedNode& node, const Request& request) {
    waiting.push_back(request);
    if (waiting.size() < count) return;
    std::shuffle(waiting.begin(), waiting.end(), random);
    for (const Request& one : waiting) {
      json row = world.row("complete", attempt_label(world.store, AttemptId{one.params["groupid"].get<std::uint64_t>()}));
      row["payment_hash"] = one.params["payment_hash"];
      row["groupid"] = one.params["groupid"];
      row["payment_preimage"] = one.params["payment_hash"];
      node.result(one, row);
    }
  });
  std::set<AttemptKey> asked;
  for (std::uint64_t i = 1; i <= count; ++i) {
    AttemptKey key{world.hash, AttemptId{1'000 + i}, 0};
    key.hash.bytes[0] = static_cast<std::uint8_t>(i);
    key.hash.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    asked.insert(key);
    world.node_switch.query(key);
  }
  for (const SwitchEvent& event : world.run()) {
    const auto* answer = std::get_if<QueryAnswer>(&event);
    REQUIRE(answer != nullptr);
    CHECK(answer->kind == QueryAnswer::Kind::settled);
    CHECK(answer->preimage.bytes == answer->key.hash.bytes);
    CHECK(asked.erase(answer->key) == 1);
  }
  CHECK(asked.empty());
}

TEST_CASE("500 looks share their marks and lists") {
  World world;
  world.connect();
  for (std::uint32_t i = 0; i < 500; ++i) {
    PaymentHash hash = world.hash;
    hash.bytes[0] = static_cast<std::uint8_t>(i);
    hash.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    world.node_switch.look(hash, Marks{1, 30 + i, 3, 12});
  }
  std::set<PaymentHash> answered;
  for (const SwitchEvent& event : world.run()) answered.insert(std::get<LookAnswer>(event).look.hash);
  CHECK(answered.size() == 500);
  CHECK(world.node.of("listsendpays").size() == 500);
  CHECK(world.node.of("listhtlcs").size() == 1);
  CHECK(world.node.of("wait").size() == 5);
}

TEST_CASE("a restored database: every row that names its store") {
  World world;
  world.connect();
  json other = world.row("pending", "somebody");
  world.node.on_result("listsendpays", json{{"payments", json::array({other, world.row("pending", world.handover.label)})}});
  world.node_switch.list_own(world.store);
  const auto events = world.run();
  REQUIRE(only<OwnRowsAnswer>(events) != nullptr);
  const auto& rows = only<OwnRowsAnswer>(events)->rows;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].row.id == AttemptId{77});
  CHECK(rows[0].destination == world.payee);
  CHECK(rows[0].created == UnixNs{1'795'392'600 * ns_per_second});
}

TEST_CASE("a node that fills the line with answers to nobody does not keep poll past its hour") {
  World world;
  world.connect();
  world.node.on("sendpay", [&](ScriptedNode& node, const Request&) {
    for (int i = 0; i < 10'000; ++i) node.result(Request{std::to_string(i), "", {}}, json::object());
  });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run().empty());
}

TEST_CASE("the identity of a daemon is its process, and only under its own name") {
  const auto own = daemon_identity(::getpid(), "cln_test");
  REQUIRE(own.has_value());
  CHECK(own->pid == ::getpid());
  CHECK(own->start_ticks > 0);
  CHECK(own->boot_id.size() == 36);
  CHECK(daemon_identity(::getpid(), "cln_test") == own);
  CHECK_FALSE(daemon_identity(::getpid(), "lightningd").has_value());
  CHECK_FALSE(daemon_identity(0, "cln_test").has_value());
}

TEST_CASE("a path that no socket can have is refused at once") {
  TestClock clock;
  SeededRandomness randomness;
  ScriptedNode node(clock);
  CHECK_THROWS_AS(cln::ClnSwitch(cln::ClnOptions{std::string(108, 'x'), {}}, clock, node, randomness), SwitchError);
}
