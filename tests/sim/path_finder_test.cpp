// Goal: the path finder gives the cheapest route that keeps to every limit. Method: small seeded networks on which
// every simple path is tried one by one; and each limit and exclusion by hand.
#include "tests/sim/world.h"

#include <functional>
#include <map>
#include <set>

#include "core/base/limits.h"
#include "core/sim/path_finder.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

struct Best {
  bool found = false;
  std::uint64_t cost = 0;
};

/// What find_route adds for one channel of a forwarding node, written independently.
std::uint64_t risk(std::uint64_t amount, std::uint64_t delta) {
  return amount / 1'000'000 * delta * 15 / 1'000 + amount % 1'000'000 * delta * 15 / 1'000'000'000;
}

/// Every simple path from the payee back to the own node.
class BruteForce {
 public:
  BruteForce(const std::vector<Channel>& channels, const OwnBalances& balances, const RouteQuestion& question,
             const std::vector<PublicKey>& keys)
      : channels_(channels), balances_(balances), question_(question), keys_(keys) {}

  Best run(NodeIndex payee) {
    if (excluded(payee) || question_.demand.final_cltv_delta > question_.demand.cltv_limit) return best_;
    visited_ = {payee};
    step(payee, question_.demand.amount.value(), question_.demand.final_cltv_delta, 0, 0);
    return best_;
  }

 private:
  bool excluded(NodeIndex node) const {
    const auto& list = question_.excluded_nodes;
    return std::find(list.begin(), list.end(), keys_[node]) != list.end();
  }

  void step(NodeIndex at, std::uint64_t amount, std::uint64_t delay, std::uint64_t risks, std::size_t hops) {
    for (const Channel& channel : channels_) {
      for (std::uint8_t side = 0; side < 2; ++side) {
        if (channel.nodes[1 - side] == at) try_channel(channel, side, amount, delay, risks, hops);
      }
    }
  }

  void try_channel(const Channel& channel, std::uint8_t side, std::uint64_t amount, std::uint64_t delay,
                   std::uint64_t risks, std::size_t hops) {
    const RouteDemand& demand = question_.demand;
    const Policy& out = channel.policies[side];
    const NodeIndex from = channel.nodes[side];
    const auto& bad = question_.excluded_channels;
    if (out.disabled || amount < out.htlc_min.value() || amount > out.htlc_max.value() || hops + 1 > limits::max_hops)
      return;
    if (visited_.count(from) != 0 || std::find(bad.begin(), bad.end(), ChannelDirection{channel.id, side}) != bad.end())
      return;
    if (from == own_node) {
      const auto& wanted = demand.outgoing_channels;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), channel.id) == wanted.end()) return;
      if (balances_.at(channel.id).value() < amount) return;
      const std::uint64_t cost = amount + risks;
      if (!best_.found || cost < best_.cost) best_ = Best{true, cost};
      return;
    }
    if (excluded(from)) return;
    const std::uint64_t with_fee = amount + out.fee_base_msat + amount * out.fee_proportional_millionths / 1'000'000;
    const std::uint64_t with_delay = delay + out.cltv_delta;
    if (with_fee - demand.amount.value() > demand.fee_limit.value() || with_delay > demand.cltv_limit) return;
    visited_.insert(from);
    step(from, with_fee, with_delay, risks + risk(amount, out.cltv_delta), hops + 1);
    visited_.erase(from);
  }

  const std::vector<Channel>& channels_;
  const OwnBalances& balances_;
  const RouteQuestion& question_;
  const std::vector<PublicKey>& keys_;
  std::set<NodeIndex> visited_;
  Best best_;
};

struct RandomNetwork {
  Graph graph;
  std::vector<Channel> channels;
  std::vector<PublicKey> keys;
  OwnBalances balances;
};

RandomNetwork random_network(std::uint64_t seed) {
  TestLedger ledger;
  RandomNetwork made;
  SeededNumbers numbers(seed);
  NetworkParams params;
  params.seed = seed;
  params.nodes = static_cast<std::uint32_t>(4 + numbers.below(4));
  params.channels = static_cast<std::uint32_t>(params.nodes - 1 + numbers.below(7));
  ledger.write([&](LedgerTx& tx) {
    REQUIRE(build_network(tx, params));
    tx.each_channel([&](const Channel& channel) {
      made.channels.push_back(channel);
      return true;
    });
    for (Channel& channel : made.channels) {
      // Wider spread than the generator's, so that fees, time and limits pull in different directions.
      for (std::uint8_t side = 0; side < 2; ++side) {
        Policy& now = channel.policies[side];
        now.fee_base_msat = static_cast<std::uint32_t>(numbers.below(30'000));
        now.fee_proportional_millionths = static_cast<std::uint32_t>(numbers.below(20'000));
        now.cltv_delta = static_cast<std::uint32_t>(1 + numbers.below(300));
        now.disabled = numbers.below(12) == 0;
        if (numbers.below(10) == 0) now.htlc_max = Msat::of(1'000'000 + numbers.below(2'000'000));
        tx.set_policy(ChannelDirection{channel.id, side}, now);
        if (channel.nodes[side] == own_node) made.balances[channel.id] = Msat::of(numbers.below(3'000'000));
      }
    }
    tx.each_node([&](const Node& node) {
      made.keys.push_back(node.key);
      return true;
    });
    made.graph = Graph::load(tx);
  });
  return made;
}

RouteQuestion random_question(const RandomNetwork& network, SeededNumbers& numbers, NodeIndex payee) {
  RouteQuestion question;
  question.demand.destination = network.keys[payee];
  question.demand.amount = Msat::of(1'000'000 + numbers.below(1'000'000));
  question.demand.fee_limit = Msat::of(numbers.below(2) == 0 ? 10'000'000 : numbers.below(60'000));
  question.demand.cltv_limit = static_cast<std::uint32_t>(numbers.below(2) == 0 ? 2'016 : 20 + numbers.below(500));
  for (const Channel& channel : network.channels) {
    if (numbers.below(10) == 0)
      question.excluded_channels.push_back({channel.id, static_cast<std::uint8_t>(numbers.below(2))});
    const bool ours = channel.nodes[0] == own_node || channel.nodes[1] == own_node;
    if (ours && numbers.below(6) == 0) question.demand.outgoing_channels.push_back(channel.id);
  }
  if (numbers.below(3) == 0) question.excluded_nodes.push_back(network.keys[numbers.below(network.keys.size())]);
  return question;
}

/// The cost of a route as find_route counts it, from its own numbers.
std::uint64_t cost_of(const Route& route) {
  std::uint64_t risks = 0;
  for (std::size_t i = 1; i < route.hops.size(); ++i) {
    risks += risk(route.hops[i].amount.value(), route.hops[i - 1].delay - route.hops[i].delay);
  }
  return route.total_amount().value() + risks;
}

}  // namespace

TEST_CASE("as good as trying every path, and never against a limit") {
  std::size_t found = 0;
  std::size_t none = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    const RandomNetwork network = random_network(seed);
    SeededNumbers numbers(seed * 1'000);
    for (int i = 0; i < 8; ++i) {
      CAPTURE(i);
      const auto payee = static_cast<NodeIndex>(1 + numbers.below(network.keys.size() - 1));
      const RouteQuestion question = random_question(network, numbers, payee);
      const Best best = BruteForce(network.channels, network.balances, question, network.keys).run(payee);
      const auto route = find_route(network.graph, network.balances, question);
      REQUIRE(route.has_value() == best.found);
      found += best.found ? 1 : 0;
      none += best.found ? 0 : 1;
      if (!best.found) continue;
      CHECK(cost_of(*route) == best.cost);
      CHECK(check_route(*route, question.demand));
      const auto again = find_route(network.graph, network.balances, question);
      CHECK(*again == *route);
      for (const Hop& hop : route->hops) {
        for (const ChannelDirection& bad : question.excluded_channels)
          CHECK(bad != ChannelDirection{hop.channel, hop.direction});
        for (const PublicKey& bad : question.excluded_nodes) CHECK(hop.node != bad);
      }
    }
  }
  CHECK(found > 400);
  CHECK(none > 200);
}

TEST_CASE("each exclusion and limit takes the cheap way away") {
  World world;
  const auto made = world.invoice();
  RouteQuestion asked = world.question(made);
  const auto first_channel = [&] {
    const auto answer = world.route(asked);
    return !answer.routes.empty() ? answer.routes[0].hops[0].channel : ShortChannelId{};
  };
  REQUIRE(first_channel() == chan_a);
  SUBCASE("a channel in its direction") {
    asked.excluded_channels = {world.direction(chan_b, 1)};
    CHECK(first_channel() == chan_d);
  }
  SUBCASE("a channel in the other direction means nothing") {
    asked.excluded_channels = {world.direction(chan_b, 2)};
    CHECK(first_channel() == chan_a);
  }
  SUBCASE("a node") {
    asked.excluded_nodes = {key_of(2)};
    CHECK(first_channel() == chan_d);
  }
  SUBCASE("the outgoing channels") {
    asked.demand.outgoing_channels = {chan_d};
    CHECK(first_channel() == chan_d);
    asked.demand.outgoing_channels = {chan_e};
    CHECK(first_channel() == ShortChannelId{});
  }
  SUBCASE("the time limit") {
    asked.demand.cltv_limit = 88;
    CHECK(first_channel() == chan_a);
    asked.demand.cltv_limit = 87;
    CHECK(first_channel() == chan_d);
    asked.demand.cltv_limit = 27;
    CHECK(first_channel() == ShortChannelId{});
  }
  SUBCASE("the fee limit") {
    asked.demand.fee_limit = Msat::of(111'510);
    CHECK(first_channel() == chan_a);
    asked.demand.fee_limit = Msat::of(111'509);
    CHECK(first_channel() == ShortChannelId{});
  }
  SUBCASE("the payee itself") {
    asked.excluded_nodes = {key_of(3)};
    CHECK(first_channel() == ShortChannelId{});
  }
  SUBCASE("our own node as payee") {
    asked.demand.destination = key_of(0);
    CHECK(first_channel() == ShortChannelId{});
  }
  SUBCASE("a payee that nobody knows") {
    asked.demand.destination = *public_key_of(node_secret(99, 99).bytes);
    CHECK(first_channel() == ShortChannelId{});
  }
}

TEST_CASE("no route and too little balance are told apart") {
  World world;
  const auto made = world.invoice();
  RouteQuestion asked = world.question(made);
  const auto set_own = [&](ShortChannelId id, std::uint64_t ours) {
    const bool first = world.admin().channel(id)->nodes[0] == 0;
    REQUIRE(world.admin().set_balance(id, Msat::of(first ? ours : capacity - ours)));
  };
  set_own(chan_d, 1'000);
  set_own(chan_a, 100'111'510);
  CHECK(!world.route(asked).routes.empty());
  set_own(chan_a, 100'111'509);
  asked.excluded_nodes = {key_of(2), key_of(4)};
  CHECK(world.route(asked).routes.empty());
}

TEST_CASE("balances of other nodes are not known") {
  World world;
  const auto made = world.invoice();
  const bool first = world.admin().channel(chan_c)->nodes[0] == 2;
  REQUIRE(world.admin().set_balance(chan_c, Msat::of(first ? 0 : capacity)));
  const Handover given = world.handover(made, 1);
  CHECK(given.route.hops[2].channel == chan_c);
  CHECK(world.pay(given).failure.code == FailureCode::temporary_channel_failure);
}

TEST_CASE("a route hint leads over a channel that nobody announced") {
  World world;
  const ShortChannelId hidden = scid(50);
  world.admin().add_node(Node{5, "n5", key_of(5), node_secret(7, 5)});
  Channel channel = channel_between(hidden, 3, 5, policy(700, 50, 25), 400'000 * sat);
  channel.announced = false;
  world.admin().add_channel(channel);
  InvoiceParams params;
  params.amount = Msat::of(10'000 * sat);
  params.node = "n5";
  const auto made = *world.admin().make_invoice(params);
  const auto read = decode_invoice(made.text);
  REQUIRE(read);
  REQUIRE(read->route_hints.size() == 1);
  CHECK(read->route_hints[0] == RouteHint{HintHop{key_of(3), hidden, 700, 50, 25}});
  RouteQuestion asked = world.question(made, 10'000 * sat);
  CHECK(world.route(asked).routes.empty());
  asked.hints = read->route_hints;
  const auto answer = world.route(asked);
  REQUIRE(!answer.routes.empty());
  CHECK(answer.routes[0].hops.size() == 4);
  CHECK(answer.routes[0].hops[3].channel == hidden);
  CHECK(answer.routes[0].hops[2].amount == Msat::of(10'000 * sat + 700 + 500));
  Handover given;
  given.key = AttemptKey{made.hash, AttemptId{1}, 0};
  given.label = attempt_label(StoreId{}, given.key.id);
  given.route = answer.routes[0];
  given.amount = Msat::of(10'000 * sat);
  given.payment_secret = read->payment_secret;
  CHECK(world.pay(given).kind == QueryAnswer::Kind::settled);
}
