// Goal: a seed or an exported graph becomes a complete network or none, and its invoices are real ones.
#include "tests/sim/world.h"

#include <set>

#include <nlohmann/json.hpp>

#include "cli/input/graph.h"
#include "core/base/hash.h"
#include "core/base/json.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

/// A ledger without the small network of World.
struct Plain {
  FakeClock clock;
  TestLedger ledger;
  TestAdmin admin{ledger, clock};
};

nlohmann::json parse(const std::string& text) {
  JsonRules rules;
  rules.max_bytes = 1 << 20;
  auto read = read_json(text, rules);
  REQUIRE(read);
  return std::move(*read);
}

std::string key_text(NodeIndex node) { return key_of(node).hex(); }
std::string low(NodeIndex a, NodeIndex b) { return std::min(key_text(a), key_text(b)); }
std::string high(NodeIndex a, NodeIndex b) { return std::max(key_text(a), key_text(b)); }

std::string lnd_policy(int base) {
  return R"({"time_lock_delta":40,"min_htlc":"1000","fee_base_msat":")" + std::to_string(base) +
         R"(","fee_rate_milli_msat":"7","disabled":false,"max_htlc_msat":"990000000","last_update":1})";
}

std::string lnd_edge(const char* id, NodeIndex a, NodeIndex b, const std::string& policy1, const std::string& policy2) {
  return R"({"channel_id":")" + std::string(id) + R"(","chan_point":"ab:0","node1_pub":")" + low(a, b) +
         R"(","node2_pub":")" + high(a, b) + R"(","capacity":"1000000","node1_policy":)" + policy1 +
         R"(,"node2_policy":)" + policy2 + "}";
}

std::string describegraph() {
  // 20 -- 21 -- 22, and a third channel with half a policy.
  return R"({"nodes":[{"last_update":1,"pub_key":")" + key_text(20) +
         R"(","alias":"ACINQ","addresses":[],"color":"#fff"},{"pub_key":")" + key_text(21) +
         R"(","alias":"two words"}],"edges":[)" + lnd_edge("879609302220865537", 20, 21, lnd_policy(1), lnd_policy(2)) +
         "," + lnd_edge("879609302220865538", 21, 22, lnd_policy(3), lnd_policy(4)) + "," +
         lnd_edge("879609302220865539", 20, 22, lnd_policy(5), "null") + "]}";
}

std::string cln_direction(const char* id, NodeIndex from, NodeIndex to, const char* amount) {
  return R"({"source":")" + key_text(from) + R"(","destination":")" + key_text(to) + R"(","short_channel_id":")" + id +
         R"(","direction":0,)" + R"("public":true,"amount_msat":)" + amount +
         R"(,"active":true,"base_fee_millisatoshi":1,"fee_per_millionth":10,"delay":6,)" +
         R"("htlc_minimum_msat":1,"htlc_maximum_msat":"990000000msat","features":""})";
}

}  // namespace

TEST_CASE("the same seed makes the same network, invoices included") {
  std::vector<std::string> invoices;
  std::vector<std::string> channels;
  for (int i = 0; i < 2; ++i) {
    Plain world;
    NetworkParams params;
    params.seed = 42;
    const auto summary = world.admin.create_network(params);
    REQUIRE(summary);
    CHECK(summary->nodes == 20);
    CHECK(summary->channels == 60);
    std::string text;
    for (const Channel& channel : world.admin.channels()) {
      text += channel.id.text() + ":" + std::to_string(channel.balances[0].value()) + ":" +
              std::to_string(channel.policies[1].fee_base_msat) + " ";
    }
    channels.push_back(text);
    InvoiceParams invoice;
    invoice.amount = Msat::of(250'000);
    invoices.push_back(world.admin.make_invoice(invoice)->text);
  }
  CHECK(channels[0] == channels[1]);
  CHECK(invoices[0] == invoices[1]);
}

TEST_CASE("every node can be reached, and the own node has money to send, for many shapes") {
  for (const auto& shape :
       std::vector<std::array<std::uint32_t, 2>>{{2, 1}, {2, 5}, {3, 2}, {3, 9}, {10, 9}, {50, 200}, {200, 199}}) {
    CAPTURE(shape[0]);
    CAPTURE(shape[1]);
    Plain world;
    NetworkParams params;
    params.seed = shape[0] + shape[1];
    params.nodes = shape[0];
    params.channels = shape[1];
    const auto summary = world.admin.create_network(params);
    REQUIRE(summary);
    CHECK(summary->channels == shape[1]);
    CHECK(summary->own_key == world.admin.node("n0")->key);
    std::uint64_t own_msat = 0;
    for (const Channel& channel : world.admin.channels()) {
      CHECK(channel.balances[0].value() + channel.balances[1].value() == channel.capacity.value());
      CHECK(world.admin.channel(channel.id)->nodes[0] != channel.nodes[1]);
      for (std::size_t side = 0; side < 2; ++side)
        own_msat += channel.nodes[side] == own_node ? channel.balances[side].value() : 0;
    }
    CHECK(own_msat >= 2'000'000 * sat);
    std::vector<std::uint32_t> distances;
    world.ledger.read([&](LedgerTx& tx) { distances = Graph::load(tx).distances(); });
    CHECK(*std::max_element(distances.begin(), distances.end()) < shape[0]);
    const auto again = world.admin.create_network(params);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Errc::usage);
  }
}

TEST_CASE("numbers that make no network") {
  for (const auto& shape :
       std::vector<std::array<std::uint32_t, 2>>{{0, 0}, {1, 1}, {5, 3}, {max_nodes + 1, 0}, {2, max_channels + 1}}) {
    NetworkParams params;
    params.nodes = shape[0];
    params.channels = shape[1];
    CHECK_FALSE(check_network(params));
    Plain world;
    CHECK_FALSE(world.admin.create_network(params));
    CHECK_FALSE(world.admin.node("n0").has_value());
  }
}

TEST_CASE("invoices are BOLT 11, signed by the node that was named") {
  World world;
  InvoiceParams params;
  params.amount = Msat::of(250'000);
  params.node = "n2";
  params.expiry_ns = 90 * ns_per_second;
  params.description = "two coffees";
  const auto made = world.admin().make_invoice(params);
  REQUIRE(made);
  const auto read = decode_invoice(made->text);
  REQUIRE(read);
  CHECK(made->text.rfind("lnbcrt", 0) == 0);
  CHECK(read->payee == key_of(2));
  CHECK(read->amount == Msat::of(250'000));
  CHECK(read->payment_hash == made->hash);
  CHECK(read->expiry == 90);
  CHECK(read->description == "two coffees");
  CHECK(read->min_final_cltv == 18);
  CHECK(read->timestamp == 1'700'000'000);
  CHECK(read->route_hints.empty());
  const auto kept = world.admin().invoice(made->hash);
  CHECK(kept->secret == read->payment_secret);
  CHECK(hash_of(kept->preimage) == made->hash);
  SUBCASE("by key") {
    params.node = key_of(4).hex();
    CHECK(world.admin().make_invoice(params)->payee == 4);
  }
  SUBCASE("any amount") {
    params.amount.reset();
    CHECK_FALSE(decode_invoice(world.admin().make_invoice(params)->text)->amount.has_value());
  }
  SUBCASE("nobody named: a payee some hops away, another each time, never the own node") {
    params.node.clear();
    std::set<NodeIndex> payees;
    for (int i = 0; i < 4; ++i) payees.insert(world.admin().make_invoice(params)->payee);
    // n3 is two hops away over n4, as is n2 over n1: nothing is farther.
    CHECK(payees == std::set<NodeIndex>{2, 3});
  }
  SUBCASE("unknown node") { CHECK(world.admin().make_invoice(InvoiceParams{{}, "n9"}).error().code == Errc::usage); }
  SUBCASE("no time") {
    params.expiry_ns = 0;
    CHECK_FALSE(world.admin().make_invoice(params));
  }
}

TEST_CASE("an lnd graph becomes a network in which payees can be paid") {
  const auto graph = cli::read_graph(parse(describegraph()));
  REQUIRE(graph);
  CHECK(graph->nodes.size() == 2);
  REQUIRE(graph->channels.size() == 3);
  CHECK(graph->channels[0].id.text() == "800000x1x1");
  CHECK(graph->channels[0].nodes[0].hex() == low(20, 21));
  CHECK(graph->channels[0].capacity == Msat::of(1'000'000 * sat));
  const Policy& first = *graph->channels[0].policies[0];
  CHECK(first.fee_base_msat == 1);
  CHECK(first.fee_proportional_millionths == 7);
  CHECK(first.cltv_delta == 40);
  CHECK(first.htlc_min == Msat::of(1'000));
  CHECK(first.htlc_max == Msat::of(990'000'000));
  CHECK_FALSE(graph->channels[2].policies[1].has_value());

  Plain world;
  NetworkParams params;
  params.graph = &*graph;
  const auto summary = world.admin.create_network(params);
  REQUIRE(summary);
  CHECK(summary->nodes == 12);  // n0, n1 to n8, and three of the graph
  CHECK(world.admin.node("ACINQ")->key == key_of(20));
  CHECK(world.admin.node(key_text(21))->name == key_text(21));  // an alias with a blank is no name
  CHECK_FALSE(world.admin.node("ACINQ")->secret.has_value());
  InvoiceParams wanted;
  wanted.amount = Msat::of(1'000 * sat);
  wanted.node = "ACINQ";
  CHECK(world.admin.make_invoice(wanted).error().code == Errc::usage);
  wanted.node.clear();
  for (int i = 0; i < 8; ++i) {
    const auto made = world.admin.make_invoice(wanted);
    REQUIRE(made);
    RouteQuestion asked;
    asked.demand.destination = decode_invoice(made->text)->payee;
    asked.demand.amount = *wanted.amount;
    asked.demand.fee_limit = Msat::of(100'000);
    world.ledger.read([&](LedgerTx& tx) {
      const auto route = find_route(Graph::load(tx), own_balances(tx), asked);
      REQUIRE(route);
      CHECK(route->hops.size() >= 2);
    });
  }
}

TEST_CASE("a Core Lightning graph: two entries make a channel") {
  const std::string text = R"({"channels":[)" + cln_direction("700x1x0", 20, 21, "1000000000") + "," +
                           cln_direction("700x1x0", 21, 20, "1000000000") + "," +
                           cln_direction("700x2x1", 22, 21, R"("500000000msat")") + "," +
                           cln_direction("700x3x1", 22, 22, "5") + "]}";
  const auto graph = cli::read_graph(parse(text));
  REQUIRE(graph);
  CHECK(graph->nodes.empty());
  REQUIRE(graph->channels.size() == 2);  // the self-channel is left out
  CHECK(graph->channels[0].id.text() == "700x1x0");
  CHECK(graph->channels[0].policies[0].has_value());
  CHECK(graph->channels[0].policies[1].has_value());
  CHECK(graph->channels[1].capacity == Msat::of(500'000'000));
  const std::size_t sender = key_of(22) < key_of(21) ? 0 : 1;
  CHECK(graph->channels[1].policies[sender]->htlc_max == Msat::of(500'000'000));  // clamped to the capacity
  Plain world;
  NetworkParams params;
  params.graph = &*graph;
  CHECK(world.admin.create_network(params)->nodes == 12);
}

TEST_CASE("hostile graphs are refused with their place, or harmless") {
  const auto refused = [](const std::string& text) {
    const auto graph = cli::read_graph(parse(text));
    REQUIRE_FALSE(graph);
    CHECK(graph.error().code == Errc::usage);
    return graph.error().message;
  };
  const auto edge_with = [](const std::string& from, const std::string& to) {
    std::string text = R"({"edges":[)" + lnd_edge("879609302220865537", 20, 21, lnd_policy(1), lnd_policy(2)) + "]}";
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (const char* text : {"[]", "{}", "17", "\"edges\"", "null", R"({"edges":{}})", R"({"edges":[1]})",
                           R"({"edges":[{}]})", R"({"channels":null})", R"({"nodes":3,"edges":[]})",
                           R"({"nodes":[{"pub_key":"02"}],"edges":[]})", R"({"channels":[{"source":[]}]})"}) {
    CAPTURE(text);
    refused(text);
  }
  CHECK(refused(edge_with(R"("capacity":"1000000")", R"("capacity":"-1")")).find("edges[0].capacity") !=
        std::string::npos);
  CHECK(refused(edge_with(R"("capacity":"1000000")", R"("capacity":"99999999999999999999999")")).find("capacity") !=
        std::string::npos);
  CHECK(refused(edge_with(R"("capacity":"1000000")", R"("capacity":2100000000000001)")).find("too large") !=
        std::string::npos);
  CHECK(refused(edge_with(R"("fee_base_msat":"1")", R"("fee_base_msat":"4294967296")"))
            .find("node1_policy.fee_base_msat") != std::string::npos);
  CHECK(refused(edge_with(R"("time_lock_delta":40)", R"("time_lock_delta":65536)")).find("time_lock_delta") !=
        std::string::npos);
  CHECK(refused(edge_with(R"("time_lock_delta":40)", R"("time_lock_delta":-40)")).find("time_lock_delta") !=
        std::string::npos);
  CHECK(refused(edge_with(R"("disabled":false)", R"("disabled":"no")")).find("disabled") != std::string::npos);
  CHECK(refused(edge_with(low(20, 21), std::string(66, '0'))).find("node1_pub") != std::string::npos);
  CHECK(refused(edge_with(R"("879609302220865537")", R"("x")")).find("channel_id") != std::string::npos);
  CHECK(refused(R"({"edges":[)" + lnd_edge("1", 20, 21, "null", "null") + "," + lnd_edge("1", 20, 22, "null", "null") +
                "]}")
            .find("comes twice") != std::string::npos);
  CHECK(refused(R"({"channels":[)" + cln_direction("7x1x0", 20, 21, "5") + "," + cln_direction("7x1x0", 20, 21, "5") +
                "]}")
            .find("comes twice") != std::string::npos);
  CHECK(refused(R"({"channels":[)" + cln_direction("7x1x0", 20, 21, "5") + "," + cln_direction("7x1x0", 22, 20, "5") +
                "]}")
            .find("contradicts") != std::string::npos);
  CHECK(refused(R"({"channels":[)" + cln_direction("7x1x0", 20, 21, "5") + "," + cln_direction("7x1x0", 21, 20, "6") +
                "]}")
            .find("contradicts") != std::string::npos);

  SUBCASE("nothing usable") {
    const auto graph = cli::read_graph(parse(R"({"edges":[)" + lnd_edge("1", 20, 21, "null", "null") + "]}"));
    REQUIRE(graph);
    CHECK(graph->channels.empty());
    Plain world;
    NetworkParams params;
    params.graph = &*graph;
    CHECK(world.admin.create_network(params).error().code == Errc::usage);
  }
  SUBCASE("aliases that imitate names and keys") {
    std::string text = describegraph();
    text.replace(text.find("ACINQ"), 5, "n0");
    text.replace(text.find("two words"), 9, key_text(22));
    const auto graph = cli::read_graph(parse(text));
    REQUIRE(graph);
    Plain world;
    NetworkParams params;
    params.graph = &*graph;
    REQUIRE(world.admin.create_network(params));
    CHECK(world.admin.node("n0")->index == 0);
    CHECK(world.admin.node(key_text(22))->key == key_of(22));
  }
  SUBCASE("keys of our own seed") {
    const auto graph = cli::read_graph(parse(describegraph()));
    ImportedGraph hostile = *graph;
    hostile.nodes[0].key = *public_key_of(node_secret(1, 3).bytes);
    Plain world;
    NetworkParams params;
    params.graph = &hostile;
    CHECK(world.admin.create_network(params).error().code == Errc::usage);
    CHECK_FALSE(world.admin.node("n0").has_value());
  }
}
