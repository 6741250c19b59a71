// Goal: every row of the table of switches can be named, helped with and told apart. Method: what the command line
// says of kinds is compared with the rows, so that a new row needs no case of its own here.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "cli/commands/commands.h"
#include "cli/input/switch_address.h"
#include "cli/system/system.h"
#include "core/driver/ports.h"
#include "db/sim/ledger.h"

using namespace paytower;
using namespace paytower::cli;

TEST_CASE("a row's name and place are what --switch reads") {
  std::set<std::string_view> names;
  for (const SwitchKind& kind : switch_kinds()) {
    CHECK(names.insert(kind.name).second);
    const auto address = read_switch_address(std::string(kind.name) + ":some:place");
    REQUIRE(address);
    CHECK(address->kind == &kind);
    CHECK(address->place == "some:place");
    CHECK_FALSE(address->node_user);
    CHECK(form_of(kind).find(std::string(kind.name) + ":") == 0);
    CHECK_FALSE(read_switch_address(kind.name));
    CHECK_FALSE(read_switch_address(std::string(kind.name) + ":"));
  }
  CHECK(names.size() >= 2);
}

TEST_CASE("help and refusals name every kind, with what its place is") {
  const auto refused = read_switch_address("nonsense");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::usage);
  const auto flags = global_flags();
  const auto help = std::find_if(flags.begin(), flags.end(), [](const Flag& flag) { return flag.name == "switch"; });
  REQUIRE(help != flags.end());
  for (const SwitchKind& kind : switch_kinds()) {
    const std::string words = form_of(kind) + ", " + std::string(kind.help);
    CHECK(refused.error().message.find(words) != std::string::npos);
    CHECK(help_of(*help).find(words) != std::string::npos);
  }
}

TEST_CASE("the flags of a row are global, and may stand in the config file as the address does") {
  const auto flags = global_flags();
  for (const SwitchKind& kind : switch_kinds()) {
    for (const std::string_view name : kind.flags) {
      const auto flag = std::find_if(flags.begin(), flags.end(), [name](const Flag& one) { return one.name == name; });
      REQUIRE(flag != flags.end());
      CHECK(flag->has(is::configurable));
    }
  }
}

TEST_CASE("a place that cannot be meant is refused with what to write") {
  const auto folder = read_switch_address("cln:/tmp");
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message == "\"/tmp\" is a folder; name the socket in it, such as /tmp/bitcoin/lightning-rpc");
  for (const SwitchKind& kind : switch_kinds()) {
    const auto home = read_switch_address(std::string(kind.name) + ":~/x");
    REQUIRE_FALSE(home);
    CHECK(home.error().code == Errc::usage);
    CHECK(home.error().message == "\"~/x\" begins with ~, which only a shell replaces: write the whole path");
  }
}

TEST_CASE("one kind is the simulated network") {
  const auto kinds = switch_kinds();
  CHECK(std::count_if(kinds.begin(), kinds.end(), [](const SwitchKind& kind) { return kind.simulated; }) == 1);
  const auto address = read_switch_address(simulated_address("net.sim"));
  REQUIRE(address);
  CHECK(address->kind->simulated);
  CHECK(address->place == "net.sim");
}

TEST_CASE("a row opens its switch, or says why not") {
  SystemClock clock;
  SystemRandomness randomness;
  SystemPoller poller(clock);
  const SwitchNeeds needs{clock, randomness, poller, "", db::open_sim_ledger};
  const auto missing = read_switch_address(simulated_address("/nonexistent/net.sim"));
  REQUIRE(missing);
  CHECK(missing->kind->open(*missing, needs).error().code == Errc::switch_unavailable);
  const auto node = read_switch_address("cln:/nonexistent/lightning-rpc");
  REQUIRE(node);
  const auto handle = node->kind->open(*node, needs);
  REQUIRE(handle);
  (*handle)->node().identify();
  const auto events = (*handle)->node().poll(clock.mono());
  REQUIRE_FALSE(events.empty());
  CHECK(std::holds_alternative<Disconnected>(events.front()));
}
