// Goal: routes of other tools become ours without a doubt about any number. Method: the real shapes of lncli
// queryroutes and buildroute, and of Core Lightning getroute and getroutes in both of its versions, then each way to be
// wrong.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/input/routes.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

PublicKey key(const std::string& start) {
  std::string hex = start;
  hex.resize(66, '0');
  return *PublicKey::from_hex_text(hex);
}

const PublicKey own = key("0250");
const PublicKey low = key("0210");   // a lower key than ours
const PublicKey high = key("0390");  // a higher key than both

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

/// Our node -> low -> high, 250000 msat delivered, 1012 msat of fee, at height 800000 with a final delta of 80.
std::string lnd_document() {
  return R"({"routes":[{"total_time_lock":800120,"total_fees":"1","total_amt":"251","hops":[
    {"chan_id":"879609302220865537","chan_capacity":"100000","amt_to_forward":"250","fee":"1","expiry":800080,"amt_to_forward_msat":"250000",
     "fee_msat":"1012","pub_key":")" +
         low.hex() + R"(","tlv_payload":true,"mpp_record":null,"custom_records":{},"metadata":""},
    {"chan_id":"879609302220865538","chan_capacity":"100000","amt_to_forward":"250","fee":"0","expiry":800080,"amt_to_forward_msat":"250000",
     "fee_msat":"0","pub_key":")" +
         high.hex() + R"(","tlv_payload":true}],
    "total_fees_msat":"1012","total_amt_msat":"251012"}],"success_prob":0.95})";
}

std::string cln_document() {
  return R"({"route":[{"id":")" + low.hex() +
         R"(","channel":"800000x1x1","direction":1,"amount_msat":251012,"delay":58,"style":"tlv"},
    {"id":")" +
         high.hex() + R"(","channel":"800000x1x2","direction":0,"amount_msat":250000,"delay":18,"style":"tlv"}]})";
}

/// lncli buildroute: one route as an object; numbers may also be bare.
std::string built_document() {
  std::string text = lnd_document();
  text = text.substr(text.find('[') + 1);
  return R"({"route":)" + text.substr(0, text.rfind(']')) + "}";
}

/// Core Lightning 25's getroutes: "amount_msat" and "delay" are what goes into the hop.
std::string layered_document() {
  return R"({"probability_ppm":999996,"routes":[{"probability_ppm":999996,"amount_msat":250000,"final_cltv":18,"path":[
    {"short_channel_id_dir":"800000x1x1/1","next_node_id":")" +
         low.hex() + R"(","amount_msat":251012,"delay":58},
    {"short_channel_id_dir":"800000x1x2/0","next_node_id":")" +
         high.hex() + R"(","amount_msat":251012,"delay":58}]}]})";
}

/// The same from Core Lightning 26, which names both ends of a hop.
std::string newer_document() {
  return R"({"probability_ppm":999996,"routes":[{"probability_ppm":999996,"amount_msat":250000,"final_cltv":18,"path":[
    {"short_channel_id_dir":"800000x1x1/1","node_id_in":")" +
         own.hex() + R"(","node_id_out":")" + low.hex() + R"(",
     "amount_in_msat":251012,"amount_out_msat":251012,"cltv_in":58,"cltv_out":58},
    {"short_channel_id_dir":"800000x1x2/0","node_id_in":")" +
         low.hex() + R"(","node_id_out":")" + high.hex() + R"(",
     "amount_in_msat":251012,"amount_out_msat":250000,"cltv_in":58,"cltv_out":18}]}]})";
}

/// The same with deprecated names allowed: the old names beside the new ones.
std::string both_document() {
  std::string text = newer_document();
  const std::string first = R"("cltv_out":58)";
  const std::string last = R"("cltv_out":18)";
  text.replace(text.find(first), first.size(),
               first + R"(,"next_node_id":")" + low.hex() + R"(","amount_msat":251012,"delay":58)");
  text.replace(text.find(last), last.size(),
               last + R"(,"next_node_id":")" + high.hex() + R"(","amount_msat":251012,"delay":58)");
  return text;
}

/// Several routes of one hop each, which carry these amounts.
std::string direct_routes(const std::vector<std::string>& amounts) {
  std::string text;
  for (const std::string& amount : amounts) {
    text += std::string(text.empty() ? "" : ",") + R"({"amount_msat":)" + amount +
            R"(,"final_cltv":18,"path":[{"short_channel_id_dir":"1x1x)" + std::to_string(text.size()) +
            R"(/0","next_node_id":")" + high.hex() + R"(","amount_msat":)" + amount + R"(,"delay":18}]})";
  }
  return R"({"probability_ppm":1,"routes":[)" + text + "]}";
}

Route expected() {
  Route route;
  route.hops.push_back(Hop{ShortChannelId{879609302220865537}, 1, low, Msat::of(251'012), 58});
  route.hops.push_back(Hop{ShortChannelId{879609302220865538}, 0, high, Msat::of(250'000), 18});
  return route;
}

Result<std::vector<Route>> parse(const std::string& text) { return parse_routes(text, {own, 18}); }

std::string refused_routes(const std::string& text) {
  const auto routes = parse(text);
  return routes ? "read" : routes.error().message;
}

}  // namespace

TEST_CASE("lnd's absolute heights become delays above the payee's") {
  const auto routes = parse(lnd_document());
  REQUIRE(routes);
  REQUIRE(routes->size() == 1);
  CHECK(routes->front() == expected());
}

TEST_CASE("getroute says the same") {
  const auto routes = parse(cln_document());
  REQUIRE(routes);
  REQUIRE(routes->size() == 1);
  CHECK(routes->front() == expected());
}

TEST_CASE("amounts of an old getroute carry their unit") {
  CHECK(parse(replaced(cln_document(), "251012", "\"251012msat\""))->front() == expected());
  CHECK(refused_routes(replaced(cln_document(), "251012", "\"251012sat\"")) ==
        "routes: the route, hop 1: \"amount_msat\" is not a whole number");
}

TEST_CASE("buildroute, and getroutes under the names of either version, say the same") {
  for (const std::string& text : {built_document(), layered_document(), newer_document(), both_document()}) {
    CAPTURE(text);
    const auto routes = parse(text);
    REQUIRE(routes);
    REQUIRE(routes->size() == 1);
    CHECK(routes->front() == expected());
  }
  CHECK(parse(replaced(built_document(), "\"1012\"", "1012"))->front() == expected());
}

TEST_CASE("what getroutes charges for the first hop is not paid: nobody takes a fee for their own channel") {
  const std::string charged =
      replaced(layered_document(), "\"amount_msat\":251012,\"delay\":58},", "\"amount_msat\":252000,\"delay\":64},");
  CHECK(parse(charged)->front() == expected());
  CHECK(parse(replaced(newer_document(), "\"amount_in_msat\":251012", "\"amount_in_msat\":252000"))->front() ==
        expected());
}

TEST_CASE("several routes of getroutes are parts when each carries less than the payment") {
  const auto read = [](const std::vector<std::string>& amounts, std::optional<Msat> amount) {
    const auto routes = parse_routes(direct_routes(amounts), {own, 18, amount});
    return routes ? std::to_string(routes->size()) : routes.error().message;
  };
  CHECK(read({"600000", "1400000"}, Msat::of(2'000'000)) ==
        "routes: the 2 routes are parts of the payment, each carries less than its 2,000 sat; paytower takes "
        "--routes for one part only: ask getroutes with maxparts=1");
  CHECK(read({"2000000", "2000000"}, Msat::of(2'000'000)) == "2");
  CHECK(read({"2000000", "1400000"}, Msat::of(2'000'000)) == "2");  // check_route names the one that carries too little
  CHECK(read({"600000"}, Msat::of(2'000'000)) == "1");
  CHECK(read({"600000", "1400000"}, std::nullopt) == "2");
}

TEST_CASE("getroutes that does not fit together is refused with its place") {
  const auto older = [](const std::string& what, const std::string& with) {
    return refused_routes(replaced(layered_document(), what, with));
  };
  const auto newer = [](const std::string& what, const std::string& with) {
    return refused_routes(replaced(newer_document(), what, with));
  };
  const auto both = [](const std::string& what, const std::string& with) {
    return refused_routes(replaced(both_document(), what, with));
  };
  CHECK(older("1x1/1", "1x1/0") ==
        "routes: route 1, hop 1: the direction does not fit: the route does not begin at this node");
  CHECK(older("1x2/0", "1x2/1") == "routes: route 1, hop 2: the direction does not fit the two nodes");
  CHECK(older("1x2/0", "1x2").find("is not a channel with its direction") != std::string::npos);
  CHECK(older("1x2/0", "1x2/2").find("is not a channel with its direction") != std::string::npos);
  CHECK(older("\"final_cltv\":18,", "").find("\"final_cltv\" is missing") != std::string::npos);
  CHECK(older("\"final_cltv\":18", "\"final_cltv\":65536").find("a delay of 65536 blocks") != std::string::npos);
  CHECK(older("\"amount_msat\":250000", "\"amount_msat\":251013") ==
        "routes: route 1, hop 2: the amount rises on the way");
  CHECK(older("\"final_cltv\":18", "\"final_cltv\":59") == "routes: route 1, hop 2: the delay rises on the way");
  CHECK(older(low.hex(), own.hex()) == "routes: route 1, hop 1: leads from a node to itself");
  CHECK(newer(own.hex(), high.hex()) == "routes: route 1, hop 1: the route does not begin at this node");
  CHECK(newer("\"amount_out_msat\":251012", "\"amount_out_msat\":251013") ==
        "routes: route 1, hop 1: it says two different ends of the channel");
  CHECK(newer("\"amount_out_msat\":250000", "\"amount_out_msat\":250001") ==
        "routes: route 1, hop 2: it says two different ends of the channel");
  CHECK(newer("\"cltv_out\":18", "\"cltv_out\":19") ==
        "routes: route 1, hop 2: it says two different ends of the channel");
  CHECK(both("\"delay\":58},", "\"delay\":57},") ==
        "routes: route 1, hop 1: it says two different beginnings of the channel");
  CHECK(both("\"next_node_id\":\"" + low.hex(), "\"next_node_id\":\"" + high.hex()) ==
        "routes: route 1, hop 1: it says two different nodes");
  CHECK(refused_routes(R"({"routes":[{"path":[1],"amount_msat":1,"final_cltv":18}]})") ==
        "routes: route 1, hop 1: not an object");
  CHECK(refused_routes(R"({"routes":[{"path":[],"amount_msat":1,"final_cltv":18}]})") ==
        "routes: route 1: \"path\" holds no hops");
}

TEST_CASE("a direct channel") {
  const std::string text =
      R"({"routes":[{"total_time_lock":800080,"total_amt_msat":"5","hops":[{"chan_id":"1","pub_key":")" + high.hex() +
      R"(","expiry":800080,"amt_to_forward_msat":"5","fee_msat":"0"}]}]})";
  const auto routes = parse(text);
  REQUIRE(routes);
  CHECK(routes->front().hops == std::vector<Hop>{{ShortChannelId{1}, 0, high, Msat::of(5), 18}});
}

TEST_CASE("what does not fit together is refused with its place") {
  CHECK(refused_routes(replaced(lnd_document(), "\"1012\"", "\"1013\"")) ==
        "routes: route 1, hop 1: the amounts do not add up");
  CHECK(refused_routes(replaced(lnd_document(), "\"fee_msat\":\"0\"", "\"fee_msat\":\"1\"")) ==
        "routes: route 1, hop 2: the amounts do not add up");
  CHECK(refused_routes(replaced(lnd_document(), "800120", "800079")) ==
        "routes: route 1, hop 1: expires before the payee's HTLC");
  CHECK(refused_routes(replaced(lnd_document(), "800120", "18446744073709551615"))
            .find("routes: route 1, hop 1: a delay of") == 0);
  CHECK(refused_routes(replaced(lnd_document(), "\"251012\"", "251012.5")).find("has a fraction") != std::string::npos);
  CHECK(refused_routes(replaced(lnd_document(), "\"251012\"", "\"-1\"")) ==
        "routes: route 1: \"total_amt_msat\" is not a whole number");
  CHECK(refused_routes(replaced(lnd_document(), "\"251012\"", "\"2100000000000000001\"")).find("21 million") !=
        std::string::npos);
  CHECK(refused_routes(replaced(lnd_document(), low.hex(), own.hex())) ==
        "routes: route 1, hop 1: leads from a node to itself");
  CHECK(refused_routes(replaced(lnd_document(), low.hex(), "04")).find("is not a node key") != std::string::npos);
  CHECK(refused_routes(replaced(lnd_document(), "\"chan_id\":\"8", "\"chan_id\":\"x8")).find("is not a channel id") !=
        std::string::npos);
  CHECK(refused_routes(replaced(lnd_document(), "\"expiry\":800080,\"amt", "\"amt")).find("\"expiry\" is missing") !=
        std::string::npos);
  CHECK(refused_routes(replaced(cln_document(), "\"direction\":1", "\"direction\":0"))
            .find("does not begin at this node") != std::string::npos);
  CHECK(refused_routes(replaced(cln_document(), "\"delay\":58", "\"delay\":65536")).find("a delay of 65536 blocks") !=
        std::string::npos);
  CHECK(refused_routes(replaced(cln_document(), "251012", "125506")) ==
        "routes: the route, hop 2: the amount rises on the way");
  CHECK(refused_routes(replaced(cln_document(), "\"delay\":58", "\"delay\":17")) ==
        "routes: the route, hop 2: the delay rises on the way");
  CHECK(refused_routes(replaced(lnd_document(), "800080", "800121")) ==
        "routes: route 1, hop 2: the delay rises on the way");
}

TEST_CASE("documents of another kind are refused") {
  CHECK(refused_routes("{}").find("neither lncli queryroutes") != std::string::npos);
  CHECK(refused_routes("[]").find("neither lncli queryroutes") != std::string::npos);
  CHECK(refused_routes("{\"routes\":[]}") == "routes: it holds no route");
  CHECK(refused_routes("{\"route\":[]}").find("holds no hops") != std::string::npos);
  CHECK(refused_routes("{\"routes\":[1]}") == "routes: route 1: not an object");
  CHECK(refused_routes("nope") == "routes: not JSON: line 1, column 2");
}

TEST_CASE("more than 20 hops or 100 routes are refused") {
  std::string hops;
  for (int i = 0; i < 21; ++i) hops += std::string(i == 0 ? "" : ",") + "{}";
  CHECK(refused_routes("{\"route\":[" + hops + "]}") == "routes: the route: 21 hops; 20 are the most");
  std::string routes;
  for (int i = 0; i < 101; ++i) routes += std::string(i == 0 ? "" : ",") + "{}";
  CHECK(refused_routes("{\"routes\":[" + routes + "]}") == "routes: 101 routes; 100 are the most");
}
