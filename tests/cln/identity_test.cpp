// Who the switch speaks to: the first question on every connection, and what happens when one is lost.
#include <doctest/doctest.h>

#include "core/switch/rpc/unix_socket.h"
#include "tests/cln/world.h"

using namespace paytower;
using namespace paytower::test;

TEST_CASE("getinfo is the first word on every connection") {
  World world;
  world.node_switch.identify();
  const auto events = world.run(ns_per_ms);
  const auto* who = only<IdentityAnswer>(events);
  REQUIRE(who != nullptr);
  CHECK(who->key == SwitchKey{world.own, "regtest"});
  CHECK(world.node_switch.base_height() == 119);  // the node counts from its next block

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

TEST_CASE("a connection is asked once who it is, however many want to know") {
  World world;
  for (int i = 0; i < 3; ++i) {
    world.node_switch.identify();
    const auto events = world.run(ns_per_ms);
    REQUIRE(only<IdentityAnswer>(events) != nullptr);
    CHECK(only<IdentityAnswer>(events)->key == SwitchKey{world.own, "regtest"});
  }
  CHECK(world.node.of("getinfo").size() == 1);
  // The node has hung up, which we have not noticed yet. What it said about itself is valid for that connection only.
  world.node.hang_up();
  world.node_switch.identify();
  CHECK(only<Disconnected>(world.run()) != nullptr);
  world.node_switch.identify();
  CHECK(only<IdentityAnswer>(world.run()) != nullptr);
  CHECK(world.node.connections == 2);
  CHECK(world.node.of("getinfo").size() == 2);
}

TEST_CASE("the height is asked for again when it is a minute old") {
  World world;
  world.node_switch.identify();
  (void)world.run(ns_per_ms);
  const auto height_after_a_look = [&world](std::int64_t ns, const json& info) {
    world.clock.at += ns;
    world.node.on_result("getinfo", info);
    world.node_switch.look(world.hash, {});
    (void)world.run();
    return world.node_switch.base_height();
  };
  json info{{"id", world.own.hex()}, {"network", "regtest"}, {"blockheight", 130}};
  CHECK(height_after_a_look(50 * ns_per_second, info) == 119);
  CHECK(height_after_a_look(10 * ns_per_second, info) == 131);
  info["warning_lightningd_sync"] = "Still loading latest blocks from bitcoind.";
  CHECK(height_after_a_look(60 * ns_per_second, info) == 0);
  info.erase("warning_lightningd_sync");
  info["blockheight"] = 499'999'999;
  CHECK(height_after_a_look(60 * ns_per_second, info) == 500'000'000);
  for (const json& none : {json(500'000'000), json(-1), json("130"), json()}) {
    info["blockheight"] = none;
    CHECK(height_after_a_look(60 * ns_per_second, info) == 0);
  }
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
    for (bool told = false; !told;) {
      const auto events = world.node_switch.poll(MonoNs{world.clock.at + 10 * ns_per_second});
      told = only<Disconnected>(events) != nullptr;
      if (told) CHECK_FALSE(only<Disconnected>(events)->reached);
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
  for (const json& answer : {json{{"id", "02"}, {"network", "regtest"}}, json{{"network", "regtest"}}, json::array(),
                             json{{"id", key_of(1).hex()}}}) {
    World world;
    world.node.on_result("getinfo", answer);
    world.node_switch.identify();
    const auto events = world.run();
    REQUIRE(only<Disconnected>(events) != nullptr);
    CHECK(only<Disconnected>(events)->reached);  // it may answer on the next connection
    CHECK(only<IdentityAnswer>(events) == nullptr);
  }
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
  CHECK_THROWS_AS(UnixSocket(std::string(108, 'x')), SwitchError);
}
