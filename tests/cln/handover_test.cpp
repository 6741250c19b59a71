// What a hand-over and a fence send to the node, and what follows from each answer, or from a lost one.
#include <doctest/doctest.h>

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

TEST_CASE("sendpay: all ids given, and only this attempt's own row is an acceptance") {
  World world;
  SUBCASE("accepted") {
    world.handover.invoice = "lnbcrt1";
    world.handover.description = "a cup of coffee\xff";
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
    CHECK(params["description"] == "a cup of coffee\xEF\xBF\xBD");  // the payee's bytes need not be UTF-8
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
    world.node.on_error(
        "sendpay", 204,
        json{{"erring_index", 0}, {"failcode", 4103}, {"erring_channel", "111x1x0"}, {"erring_direction", 0}});
    CHECK(dispatched(world) == DispatchAnswer::Kind::not_sent);
  }
  SUBCASE("204 with a row") {
    world.node.on_error("sendpay", 204, world.failure(world.handover.label));
    CHECK(dispatched(world) == DispatchAnswer::Kind::look);
  }
  SUBCASE("200: the hash is taken") {
    world.node.on_error("sendpay", 200);
    world.connect();
    world.node_switch.dispatch(world.handover);
    const auto events = world.run();
    const auto* answer = only<DispatchAnswer>(events);
    REQUIRE(answer != nullptr);
    CHECK(answer->kind == DispatchAnswer::Kind::not_sent);
    CHECK(answer->failure.code == FailureCode::local_refusal);
    CHECK(answer->failure.node == world.own);
    CHECK_FALSE(answer->failure.source_index);
  }
  SUBCASE("complete, of another group") {
    json row = world.row("complete", "another");
    row["groupid"] = world.handover.key.id.value + 1;
    world.node.on_result("sendpay", row);
    CHECK(dispatched(world) == DispatchAnswer::Kind::not_sent);
  }
  for (const std::int64_t code : {201, 202, 208, 209, 210, -1, -3, -4, -5}) {
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
  SUBCASE("an id of null") {
    last_words = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid token"}})"
                 "\n\n";
  }
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

TEST_CASE("a fence: all bitcoin over one named channel with an owner") {
  World world;
  world.connect();
  const Handover fence = fence_of(world);
  world.node.on_result("sendpay", world.row("pending", fence.label));
  world.node.on_error("waitsendpay", 204, world.failure(fence.label));
  bool fenced = false;
  SUBCASE("takes") { fenced = true; }
  SUBCASE("the attempt won") { world.node.on_result("sendpay", world.row("pending", world.handover.label)); }
  SUBCASE("the attempt won and settled") {
    world.node.on_result("sendpay", world.row("complete", world.handover.label));
  }
  SUBCASE("201") { world.node.on_error("sendpay", 201); }
  SUBCASE("200: something else is pending") { world.node.on_error("sendpay", 200); }
  SUBCASE("204 without a row") { world.node.on_error("sendpay", 204, json{{"erring_index", 0}}); }
  SUBCASE("its row does not end") { world.node.on_error("waitsendpay", 200); }
  SUBCASE("its row is gone") { world.node.on_error("waitsendpay", 208); }
  SUBCASE("another row ended") { world.node.on_error("waitsendpay", 204, world.failure(world.handover.label)); }
  SUBCASE("no channel has an owner") {
    world.node.on_result("listpeerchannels", json{{"channels", json::array({world.own_channel("111x2x0", nullptr)})}});
  }
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
