// Answers that come late, out of order, twice, from an older connection, or never.
#include <doctest/doctest.h>

#include <random>
#include <set>

#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

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
  world.node.on("sendpay", [&](ScriptedNode& node, const Request&) {
    node.result(Request{old_id, "", {}}, world.row("pending", world.handover.label));
  });
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
    node.at(world.clock.at + 10 * ns_per_second,
            [&, request] { node.result(request, world.row("pending", world.handover.label)); });
  });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run(9 * ns_per_second).empty());
  const auto events = world.run(2 * ns_per_second);
  REQUIRE(only<DispatchAnswer>(events) != nullptr);
  CHECK(only<DispatchAnswer>(events)->kind == DispatchAnswer::Kind::accepted);
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
  SUBCASE("a failed fence is no failed attempt") {
    world.node.on_error("waitsendpay", 204, world.failure(world.handover.label + ":fence"));
  }
  SUBCASE("still pending") { world.node.on_error("waitsendpay", 200); }
  SUBCASE("no row") { world.node.on_error("waitsendpay", 208); }
  SUBCASE("-1") { world.node.on_error("waitsendpay", -1); }
  SUBCASE("failed, but the list says complete") {
    world.node.on_error("waitsendpay", 204, world.failure(world.handover.label));
    world.node.on_result("listsendpays",
                         json{{"payments", json::array({world.row("complete", world.handover.label)})}});
  }
  world.node_switch.query(world.handover.key);
  const auto events = world.run();
  REQUIRE(only<QueryAnswer>(events) != nullptr);
  CHECK(only<QueryAnswer>(events)->kind == expected);
  const json params = world.node.of("waitsendpay")[0].params;
  CHECK(params == json{{"payment_hash", world.hash.hex()}, {"partid", 0}, {"groupid", 77}, {"timeout", 16}});
}

TEST_CASE("a lost answer to waitsendpay costs half a minute, and no other question") {
  World world;
  world.connect();
  world.node_switch.dispatch(world.handover);  // never answered either
  world.node_switch.query(world.handover.key);
  CHECK(world.run(29 * ns_per_second).empty());
  const auto events = world.run(2 * ns_per_second);
  REQUIRE(events.size() == 1);
  REQUIRE(only<QueryAnswer>(events) != nullptr);
  CHECK(only<QueryAnswer>(events)->kind == QueryAnswer::Kind::look);
  CHECK(world.node.of("waitsendpay").size() == 1);

  world.node.result(world.node.of("waitsendpay")[0],
                    world.row("complete", world.handover.label));  // it comes after all: too late
  world.node.result(world.node.of("sendpay")[0], world.row("pending", world.handover.label));
  const auto late = world.run();
  REQUIRE(late.size() == 1);
  CHECK(only<DispatchAnswer>(late) != nullptr);
  CHECK(world.node.connections == 1);
}

TEST_CASE("a fence whose end nobody tells is no fence after half a minute") {
  World world;
  world.connect();
  world.handover.label = attempt_label(world.store, AttemptId{77}, true);
  world.node.on_result("sendpay", world.row("pending", world.handover.label));
  world.node_switch.fence(world.handover);
  const auto events = world.run(31 * ns_per_second);
  REQUIRE(only<FenceAnswer>(events) != nullptr);
  CHECK(only<FenceAnswer>(events)->kind == FenceAnswer::Kind::look);
}

TEST_CASE("a payment that stays pending is asked for three times a minute, and looked at once") {
  World world;
  world.connect();
  world.node.on("waitsendpay", [&](ScriptedNode& node, const Request& request) {
    node.at(world.clock.at + 20 * ns_per_second, [&node, request] { node.error(request, 200); });
  });
  world.node_switch.query(world.handover.key);
  CHECK(world.run(59 * ns_per_second).empty());
  const auto events = world.run(2 * ns_per_second);
  REQUIRE(only<QueryAnswer>(events) != nullptr);
  CHECK(only<QueryAnswer>(events)->kind == QueryAnswer::Kind::look);
  CHECK(world.node.of("waitsendpay").size() == 3);
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
      json row =
          world.row("complete", attempt_label(world.store, AttemptId{one.params["groupid"].get<std::uint64_t>()}));
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

TEST_CASE("a node that fills the line with answers to nobody does not keep poll past its hour") {
  World world;
  world.connect();
  world.node.on("sendpay", [&](ScriptedNode& node, const Request&) {
    for (int i = 0; i < 10'000; ++i) node.result(Request{std::to_string(i), "", {}}, json::object());
  });
  world.node_switch.dispatch(world.handover);
  CHECK(world.run().empty());
}
