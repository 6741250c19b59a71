// Goal: a set of routes is found wherever the network can carry the amount, and all its parts together keep every limit
// of a single route. Method: seeded networks, compared with a maximum flow that is computed independently; every set is
// checked again from its hops alone. Then limits, layers and reservations by hand, through the node's commands.
#include "tests/sim/rpc_world.h"

#include <functional>
#include <map>

#include "core/sim/flow.h"
#include "tests/sim/max_flow.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

constexpr std::uint32_t parts = 16;

struct Net {
  Graph graph;
  std::vector<Channel> channels;
  std::vector<PublicKey> keys;
  OwnBalances balances;
};

Net unbalanced_net(std::uint64_t seed, Fees fees) {
  TestLedger ledger;
  Net made;
  SeededNumbers numbers(seed);
  const NetworkParams params = draw_size(numbers, seed);
  ledger.write([&](LedgerTx& tx) {
    REQUIRE(build_network(tx, params));
    tx.each_channel([&](const Channel& channel) { return made.channels.push_back(channel), true; });
    for (Channel& channel : made.channels) {
      for (std::uint8_t side = 0; side < 2; ++side) {
        Policy& now = channel.policies[side];
        draw_terms(numbers, fees, now);
        tx.set_policy(ChannelDirection{channel.id, side}, now);
        if (channel.nodes[side] != own_node) continue;
        // If the payer has much, other nodes' channels are the bottleneck.
        const std::uint64_t all = channel.capacity.value();
        made.balances[channel.id] = Msat::of(seed % 2 == 0 ? all : numbers.below(all));
      }
    }
    tx.each_node([&](const Node& node) { return made.keys.push_back(node.key), true; });
    made.graph = Graph::load(tx);
  });
  return made;
}

/// What a direction can carry, as a payer knows it.
std::uint64_t most_over(const Net& net, const Channel& channel, std::uint8_t side) {
  if (channel.policies[side].disabled) return 0;
  return channel.nodes[side] == own_node ? net.balances.at(channel.id).value() : channel.capacity.value();
}

/// The maximum flow, as far as a payer knows the network.
MaxFlow flow_of(const Net& net) {
  MaxFlow flow(net.keys.size());
  for (const Channel& channel : net.channels) {
    for (std::uint8_t side = 0; side < 2; ++side)
      flow.add(channel.nodes[side], channel.nodes[1 - side], most_over(net, channel, side));
  }
  return flow;
}

RouteQuestion question_to(const Net& net, NodeIndex payee, std::uint64_t amount, std::uint64_t fee_limit) {
  RouteQuestion question;
  question.demand.destination = net.keys[payee];
  question.demand.amount = Msat::of(amount);
  question.demand.fee_limit = Msat::of(fee_limit);
  return question;
}

const Channel& channel_of(const Net& net, ShortChannelId id) {
  return *std::find_if(net.channels.begin(), net.channels.end(), [id](const Channel& one) { return one.id == id; });
}

/// Checks a set by its hops alone, with the channels' policies and nothing of the planner's.
void check_set(const Net& net, const RouteQuestion& question, const std::vector<Route>& routes, std::uint32_t most) {
  REQUIRE_FALSE(routes.empty());
  CHECK(routes.size() <= most);
  std::map<std::pair<std::uint64_t, std::uint8_t>, std::uint64_t> used;
  std::uint64_t delivered = 0;
  std::uint64_t fees = 0;
  for (const Route& route : routes) {
    RouteDemand demand = question.demand;
    demand.amount = route.delivered();
    CHECK(check_route(route, demand));
    CHECK((routes.size() == 1 || route.delivered() >= least_part));
    delivered += route.delivered().value();
    fees += route.fees().value();
    NodeIndex from = own_node;
    for (std::size_t i = 0; i < route.hops.size(); ++i) {
      const Hop& hop = route.hops[i];
      const Channel& channel = channel_of(net, hop.channel);
      const Policy& policy = channel.policies[hop.direction];
      CHECK(channel.nodes[hop.direction] == from);
      from = channel.nodes[1 - hop.direction];
      CHECK(net.keys[from] == hop.node);
      CHECK(hop.amount <= policy.htlc_max);
      CHECK(hop.amount >= policy.htlc_min);
      used[{hop.channel.value, hop.direction}] += hop.amount.value();
      if (i == 0) continue;
      CHECK(route.hops[i - 1].amount.value() ==
            hop.amount.value() + policy.fee_base_msat +
                hop.amount.value() * policy.fee_proportional_millionths / 1'000'000);
      CHECK(route.hops[i - 1].delay == hop.delay + policy.cltv_delta);
    }
  }
  CHECK(delivered == question.demand.amount.value());
  CHECK(fees <= question.demand.fee_limit.value());
  for (const auto& [direction, amount] : used)
    CHECK(amount <= most_over(net, channel_of(net, ShortChannelId{direction.first}), direction.second));
}

struct Score {
  int asked = 0;
  int found = 0;
  int alone = 0;  ///< one route would have done
  int with_more = 0;
  int parts = 0;
};

void ask(Score& score, const Net& net, NodeIndex payee, std::uint64_t amount, std::uint64_t fee_limit) {
  const RouteQuestion question = question_to(net, payee, amount, fee_limit);
  const auto routes = find_routes(net.graph, net.balances, question, parts);
  ++score.asked;
  score.alone += find_route(net.graph, net.balances, question) ? 1 : 0;
  if (routes) {
    ++score.found;
    score.parts += static_cast<int>(routes->size());
    check_set(net, question, *routes, parts);
  } else {
    score.with_more += find_routes(net.graph, net.balances, question, 8 * parts) ? 1 : 0;
  }
}

std::string text_of(const Score& score) {
  return std::to_string(score.found) + " of " + std::to_string(score.asked) + " found, " + std::to_string(score.alone) +
         " by one route alone, " + std::to_string(score.parts) + " parts, " + std::to_string(score.with_more) +
         " more with 128 parts";
}

}  // namespace

TEST_CASE("flow: what the network can carry is found in at most 16 parts, and never more than it can carry") {
  std::map<int, Score> free;
  std::map<int, Score> charged;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    for (const Fees fees : {Fees::none, Fees::small}) {
      const Net net = unbalanced_net(seed, fees);
      for (NodeIndex payee = 1; payee < net.keys.size(); payee += 2) {
        CAPTURE(payee);
        const std::uint64_t most = flow_of(net).run(payee);
        if (most < 1'000'000) continue;
        CHECK_FALSE(find_routes(net.graph, net.balances, question_to(net, payee, most + 1, Msat::max_value), parts));
        for (const int percent : {25, 60, 90, 98, 100}) {
          const std::uint64_t amount =
              most / 100 * static_cast<std::uint64_t>(percent) + (percent == 100 ? most % 100 : 0);
          if (fees == Fees::none) ask(free[percent], net, payee, amount, 0);
          if (fees == Fees::small && percent < 100) ask(charged[percent], net, payee, amount, amount / 50);
        }
      }
    }
  }
  for (const auto& [percent, score] : free) {
    MESSAGE(percent << " % of the maximum flow, no fees: " << text_of(score));
    CHECK(score.asked > 500);
    CHECK(score.found * 1'000 >= score.asked * 990);
    CHECK(score.found + score.with_more == score.asked);  // the missing ones need more parts
  }
  for (const auto& [percent, score] : charged) {
    MESSAGE(percent << " % of the maximum flow, fees: " << text_of(score));
    CHECK(score.found * 1'000 >= score.asked * 990);
    CHECK(score.found + score.with_more == score.asked);
  }
  CHECK(free[98].alone * 2 < free[98].asked);
}

TEST_CASE("flow: a cheap path that stands in the way of two others gives way") {
  //   n0 --- n1 --- n3 --- n5     each carries 1,000,000 sat. The cheapest way is n0, n1, n4, n5: it takes all that n1
  //      \       \         /      gets and all that n4 can send on. So part of it must go by n3 again, that what n2
  //      sends
  //       n2 ---- n4 -----        finds room after n4.
  TestLedger ledger;
  Net net;
  ledger.write([&](LedgerTx& tx) {
    for (NodeIndex i = 0; i < 6; ++i) tx.add_node(Node{i, "n" + std::to_string(i), key_of(i), node_secret(7, i)});
    const Policy cheap = policy(0, 0, 1);
    const Policy dear = policy(0, 900, 40);
    const std::array<std::tuple<NodeIndex, NodeIndex, Policy>, 7> channels{
        {{0, 1, cheap}, {0, 2, cheap}, {1, 3, dear}, {1, 4, cheap}, {2, 4, dear}, {3, 5, cheap}, {4, 5, cheap}}};
    std::uint32_t number = 0;
    for (const auto& [from, to, out] : channels)
      tx.add_channel(channel_between(scid(++number), from, to, out, capacity));
    tx.each_channel([&](const Channel& channel) { return net.channels.push_back(channel), true; });
    tx.each_node([&](const Node& node) { return net.keys.push_back(node.key), true; });
    net.graph = Graph::load(tx);
    net.balances = own_balances(tx);
  });
  const RouteQuestion question = question_to(net, 5, capacity / 10 * 19, Msat::max_value);
  const auto routes = find_routes(net.graph, net.balances, question, parts);
  REQUIRE(routes);
  check_set(net, question, *routes, parts);
  std::uint64_t crosswise = 0;
  for (const Route& route : *routes) {
    if (route.hops[0].channel == scid(1) && route.hops[1].channel == scid(4)) crosswise += route.delivered().value();
  }
  CHECK(crosswise <= capacity / 10);
}

TEST_CASE("flow: fewer parts are a limit, and the fees of all parts together are") {
  int with_two = 0;
  int with_many = 0;
  int cheaper = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    const Net net = unbalanced_net(seed, Fees::small);
    const std::uint64_t most = flow_of(net).run(1);
    if (most < 1'000'000) continue;
    RouteQuestion question = question_to(net, 1, most / 10 * 8, Msat::max_value);
    for (const std::uint32_t limit : {1U, 2U, 3U}) {
      const auto routes = find_routes(net.graph, net.balances, question, limit);
      if (routes) check_set(net, question, *routes, limit);
      with_two += limit == 2 && routes ? 1 : 0;
    }
    const auto routes = find_routes(net.graph, net.balances, question, parts);
    if (!routes) continue;
    ++with_many;
    std::uint64_t fees = 0;
    for (const Route& route : *routes) fees += route.fees().value();
    if (fees == 0) continue;
    question.demand.fee_limit = Msat::of(fees);
    const auto again = find_routes(net.graph, net.balances, question, parts);
    REQUIRE(again);
    CHECK(*again == *routes);
    question.demand.fee_limit = Msat::of(fees - 1);
    if (const auto other = find_routes(net.graph, net.balances, question, parts)) {
      ++cheaper;
      check_set(net, question, *other, parts);
    }
  }
  CHECK(with_two > 10);
  CHECK(with_many > with_two);
  MESSAGE(cheaper << " of " << with_many << " sets had a cheaper one behind a lower limit");
}

TEST_CASE("flow: no part below 10,000 msat, unless it is the payment") {
  World world;
  const auto find = [&world](std::uint64_t amount) {
    std::optional<std::vector<Route>> routes;
    const auto made = world.invoice();
    RouteQuestion question = world.question(made, amount);
    question.demand.fee_limit = Msat::of(Msat::max_value);
    world.ledger().read(
        [&](LedgerTx& tx) { routes = find_routes(Graph::load(tx), own_balances(tx), question, parts); });
    return routes;
  };
  const auto small = find(3);
  REQUIRE(small);
  CHECK(small->size() == 1);
  // A route over A carries 800,000 sat with its fees. What is left for the other route is less than the smallest part.
  for (std::uint64_t amount = 798'000 * sat; amount < 802'000 * sat; amount += 7'013) {
    const auto routes = find(amount);
    REQUIRE(routes);
    for (const Route& route : *routes) CHECK(route.delivered() >= least_part);
  }
}

namespace {

Json set_question(std::uint64_t amount, std::uint32_t most = parts) {
  return Json{{"source", key_of(0).hex()}, {"destination", key_of(3).hex()},
              {"amount_msat", amount},     {"layers", Json::array({"auto.localchans", "auto.sourcefree", "mine"})},
              {"maxfee_msat", 10'000'000}, {"final_cltv", 18},
              {"maxparts", most}};
}

/// How much the routes of an answer send in one direction of a channel.
std::uint64_t over(const Said& said, const std::string& direction) {
  std::uint64_t sum = 0;
  for (const Json& route : said.body["routes"]) {
    for (std::size_t i = 0; i < route["path"].size(); ++i) {
      if (route["path"][i]["short_channel_id_dir"] != direction) continue;
      sum += (i + 1 < route["path"].size() ? route["path"][i + 1]["amount_msat"] : route["amount_msat"])
                 .get<std::uint64_t>();
    }
  }
  return sum;
}

std::string name_of(RpcWorld& rpc, ShortChannelId id, NodeIndex from) {
  return id.text() + "/" + std::to_string(rpc.world().direction(id, from).direction);
}

}  // namespace

TEST_CASE("rpc getroutes: a set that can be handed over as it is") {
  RpcWorld rpc;
  CHECK(rpc.call("askrene-create-layer", {{"layer", "mine"}}).code == 0);
  const std::uint64_t amount = 1'200'000 * sat;
  CHECK(rpc.call("getroutes", set_question(amount, 1)).code == 205);
  CHECK(rpc.call("getroutes", set_question(amount, 0)).code == -32602);
  const Said found = rpc.call("getroutes", set_question(amount));
  REQUIRE(found.body["routes"].size() == 2);
  CHECK(over(found, name_of(rpc, chan_a, 0)) <= 800'000 * sat);
  CHECK(over(found, name_of(rpc, chan_d, 0)) <= 800'000 * sat);
  CHECK(over(found, name_of(rpc, chan_c, 2)) + over(found, name_of(rpc, chan_e, 4)) == amount);
  for (const Json& route : found.body["routes"]) {
    CHECK(route["final_cltv"] == 18);
    for (const Json& hop : route["path"]) CHECK(hop.contains("next_node_id"));
  }
  auto unlimited = set_question(amount);
  unlimited.erase("maxparts");
  CHECK(rpc.call("getroutes", unlimited).body == found.body);
  auto cheap = set_question(amount);
  cheap["maxfee_msat"] = 1'000;
  CHECK(rpc.call("getroutes", cheap).code == 206);
  auto soon = set_question(amount);
  soon["maxdelay"] = 30;
  CHECK(rpc.call("getroutes", soon).message == "Could not find route without excessive delays");

  // When the other nodes have their share of the money, the parts settle.
  for (const auto& [id, from] :
       {std::pair{chan_b, NodeIndex{1}}, std::pair{chan_c, NodeIndex{2}}, std::pair{chan_e, NodeIndex{4}}}) {
    const bool first = rpc.world().admin().channel(id)->nodes[0] == from;
    REQUIRE(rpc.world().admin().set_balance(id, Msat::of(first ? capacity : 0)));
  }
  const MadeInvoice invoice = rpc.world().invoice(amount);
  std::uint32_t number = 0;
  for (const Json& route : found.body["routes"]) {
    nlohmann::json params = rpc.part(invoice, 1, ++number, 1'000, amount);
    params["route"] = nlohmann::json::array();
    for (std::size_t i = 0; i < route["path"].size(); ++i) {
      const Json& hop = route["path"][i];
      const bool last = i + 1 == route["path"].size();
      const std::string direction = hop["short_channel_id_dir"];
      params["route"].push_back(
          {{"id", hop["next_node_id"].get<std::string>()},
           {"channel", direction.substr(0, direction.find('/'))},
           {"amount_msat", (last ? route["amount_msat"] : route["path"][i + 1]["amount_msat"]).get<std::uint64_t>()},
           {"delay", (last ? route["final_cltv"] : route["path"][i + 1]["delay"]).get<std::uint32_t>()}});
    }
    CHECK(rpc.call("sendpay", params).code == 0);
  }
  (void)rpc.later(ns_per_second);
  CHECK(rpc.world().count(OracleState::settled) == 2);
}

TEST_CASE("rpc getroutes: what layers say bounds a set, and reservations bound everybody whom they concern") {
  RpcWorld rpc;
  CHECK(rpc.call("askrene-create-layer", {{"layer", "mine"}}).code == 0);
  const std::string c = name_of(rpc, chan_c, 2);
  const std::string a = name_of(rpc, chan_a, 0);
  const auto plan = [&](std::uint64_t sats, std::uint32_t most = parts) {
    return rpc.call("getroutes", set_question(sats * sat, most));
  };
  REQUIRE(over(plan(1'200'000), c) > 300'000 * sat);
  SUBCASE("a channel that is off") {
    CHECK(
        rpc.call("askrene-update-channel", {{"layer", "mine"}, {"short_channel_id_dir", c}, {"enabled", false}}).code ==
        0);
    CHECK(over(plan(700'000), c) == 0);
    CHECK(plan(900'000).code == 205);
  }
  SUBCASE("a node that is off") {
    CHECK(rpc.call("askrene-disable-node", {{"layer", "mine"}, {"node", key_of(4).hex()}}).code == 0);
    CHECK(over(plan(700'000), c) == 700'000 * sat);
    CHECK(plan(900'000).code == 205);
  }
  SUBCASE("a channel that did not carry an amount: all parts together stay below it") {
    const Said informed = rpc.call(
        "askrene-inform-channel",
        {{"layer", "mine"}, {"short_channel_id_dir", c}, {"amount_msat", 300'000 * sat}, {"inform", "constrained"}});
    REQUIRE(informed.body["constraints"].size() == 1);
    CHECK(informed.body["constraints"][0]["maximum_msat"] == 300'000 * sat - 1);
    const Said found = plan(1'000'000);
    REQUIRE(found.code == 0);
    CHECK(over(found, c) < 300'000 * sat);
    CHECK(over(found, c) > 0);
    CHECK(plan(1'200'000).code == 205);
  }
  SUBCASE("what is under way over our own channel") {
    const MadeInvoice invoice = rpc.world().invoice(300'000 * sat, Hold{Hold::forever});
    const auto held = rpc.part(invoice, 1, 1, 300'000 * sat, 300'000 * sat);
    CHECK(plan(1'310'000).code == 0);
    REQUIRE(held["route"][0]["channel"] == chan_a.text());
    CHECK(rpc.call("sendpay", held).code == 0);
    CHECK(over(plan(1'200'000), a) < 500'000 * sat);
    CHECK(plan(1'310'000).code == 205);
  }
  SUBCASE("a reservation") {
    const auto reserve = [&](const char* method, const std::string& direction, std::uint64_t sats, const char* layer) {
      nlohmann::json hop{{"short_channel_id_dir", direction}, {"amount_msat", sats * sat}};
      if (layer) hop["layer"] = layer;
      return rpc.call(method, {{"path", nlohmann::json::array({hop})}});
    };
    CHECK(reserve("askrene-reserve", c, 700'000, "nobody's").code == -32602);
    CHECK(reserve("askrene-reserve", c, 700'000, "mine").body == Json::object());
    CHECK(over(plan(1'000'000), c) <= 300'000 * sat);
    CHECK(over(plan(500'000, 1), c) == 0);  // also for a payment in one piece
    auto others = set_question(1'200'000 * sat);
    others["layers"] = Json::array({"auto.localchans"});
    CHECK(rpc.call("getroutes", others).code == 0);
    CHECK(rpc.call("askrene-listreservations").body["reservations"].empty());  // reservations in a layer are not listed
    CHECK(reserve("askrene-unreserve", c, 600'000, "mine").message == "Unknown reservation for " + c);
    CHECK(reserve("askrene-unreserve", c, 700'000, nullptr).code == -32602);
    CHECK(reserve("askrene-unreserve", c, 700'000, "mine").code == 0);
    CHECK(plan(1'200'000).code == 0);

    CHECK(reserve("askrene-reserve", a, 500'000, nullptr).code == 0);
    CHECK(rpc.call("getroutes", others).code == 205);
    CHECK(over(plan(1'000'000), a) <= 300'000 * sat);
    const Json listed = rpc.call("askrene-listreservations").body["reservations"];
    REQUIRE(listed.size() == 1);
    CHECK(listed[0]["short_channel_id_dir"] == a);
    CHECK(listed[0]["amount_msat"] == 500'000 * sat);
    CHECK(reserve("askrene-reserve", c, 900'000, "mine").code == 0);
    CHECK(rpc.call("askrene-remove-layer", {{"layer", "mine"}}).code == 0);  // its reservations end with it
    CHECK(rpc.call("askrene-create-layer", {{"layer", "mine"}}).code == 0);
    CHECK(over(plan(1'000'000), c) > 100'000 * sat);
    CHECK(reserve("askrene-unreserve", a, 500'000, nullptr).code == 0);
    CHECK(reserve("askrene-unreserve", a, 500'000, nullptr).code == -32602);
  }
}
