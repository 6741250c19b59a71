// Goal: routes of other tools become ours without a doubt about any number. Method: the real shapes of lncli queryroutes and
// Core Lightning getroute, then each way to be wrong.
#include <doctest/doctest.h>

#include <string>

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
const PublicKey low = key("0210");   // below ours
const PublicKey high = key("0390");  // above both

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

/// Our node -> low -> high, 250000 msat delivered, 1012 msat of fee, at height 800000 with a final delta of 80.
std::string lnd_document() {
  return R"({"routes":[{"total_time_lock":800120,"total_fees":"1","total_amt":"251","hops":[
    {"chan_id":"879609302220865537","chan_capacity":"100000","amt_to_forward":"250","fee":"1","expiry":800080,"amt_to_forward_msat":"250000",
     "fee_msat":"1012","pub_key":")" + low.hex() + R"(","tlv_payload":true,"mpp_record":null,"custom_records":{},"metadata":""},
    {"chan_id":"879609302220865538","chan_capacity":"100000","amt_to_forward":"250","fee":"0","expiry":800080,"amt_to_forward_msat":"250000",
     "fee_msat":"0","pub_key":")" + high.hex() + R"(","tlv_payload":true}],
    "total_fees_msat":"1012","total_amt_msat":"251012"}],"success_prob":0.95})";
}

std::string cln_document() {
  return R"({"route":[{"id":")" + low.hex() + R"(","channel":"800000x1x1","direction":1,"amount_msat":251012,"delay":58,"style":"tlv"},
    {"id":")" + high.hex() + R"(","channel":"800000x1x2","direction":0,"amount_msat":250000,"delay":18,"style":"tlv"}]})";
}

Route expected() {
  Route route;
  route.hops.push_back(Hop{ShortChannelId{879609302220865537}, 1, low, Msat::of(251'012), 58});
  route.hops.push_back(Hop{ShortChannelId{879609302220865538}, 0, high, Msat::of(250'000), 18});
  return route;
}

Result<std::vector<Route>> parse(const std::string& text) { return parse_routes(text, {own, 18}); }

std::string refusal(const std::string& text) {
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
  CHECK(refusal(replaced(cln_document(), "251012", "\"251012sat\"")) == "routes: the route, hop 1: \"amount_msat\" is no whole number");
}

TEST_CASE("a direct channel") {
  const std::string text = R"({"routes":[{"total_time_lock":800080,"total_amt_msat":"5","hops":[{"chan_id":"1","pub_key":")" + high.hex() +
                           R"(","expiry":800080,"amt_to_forward_msat":"5","fee_msat":"0"}]}]})";
  const auto routes = parse(text);
  REQUIRE(routes);
  CHECK(routes->front().hops == std::vector<Hop>{{ShortChannelId{1}, 0, high, Msat::of(5), 18}});
}

TEST_CASE("what does not fit together is refused with its place") {
  CHECK(refusal(replaced(lnd_document(), "\"1012\"", "\"1013\"")) == "routes: route 1, hop 1: the amounts do not add up");
  CHECK(refusal(replaced(lnd_document(), "\"fee_msat\":\"0\"", "\"fee_msat\":\"1\"")) == "routes: route 1, hop 2: the amounts do not add up");
  CHECK(refusal(replaced(lnd_document(), "800120", "800079")) == "routes: route 1, hop 1: expires before the payee's HTLC");
  CHECK(refusal(replaced(lnd_document(), "800120", "18446744073709551615")).find("routes: route 1, hop 1: a delay of") == 0);
  CHECK(refusal(replaced(lnd_document(), "\"251012\"", "251012.5")).find("has a fraction") != std::string::npos);
  CHECK(refusal(replaced(lnd_document(), "\"251012\"", "\"-1\"")) == "routes: route 1: \"total_amt_msat\" is no whole number");
  CHECK(refusal(replaced(lnd_document(), "\"251012\"", "\"2100000000000000001\"")).find("21 million") != std::string::npos);
  CHECK(refusal(replaced(lnd_document(), low.hex(), own.hex())) == "routes: route 1, hop 1: leads from a node to itself");
  CHECK(refusal(replaced(lnd_document(), low.hex(), "04")).find("is no node key") != std::string::npos);
  CHECK(refusal(replaced(lnd_document(), "\"chan_id\":\"8", "\"chan_id\":\"x8")).find("is no channel id") != std::string::npos);
  CHECK(refusal(replaced(lnd_document(), "\"expiry\":800080,\"amt", "\"amt")).find("\"expiry\" is missing") != std::string::npos);
  CHECK(refusal(replaced(cln_document(), "\"direction\":1", "\"direction\":0")).find("does not begin at this node") != std::string::npos);
  CHECK(refusal(replaced(cln_document(), "\"delay\":58", "\"delay\":65536")).find("a delay of 65536 blocks") != std::string::npos);
  CHECK(refusal(replaced(cln_document(), "251012", "125506")) == "routes: the route, hop 2: the amount rises on the way");
  CHECK(refusal(replaced(cln_document(), "\"delay\":58", "\"delay\":17")) == "routes: the route, hop 2: the delay rises on the way");
  CHECK(refusal(replaced(lnd_document(), "800080", "800121")) == "routes: route 1, hop 2: the delay rises on the way");
}

TEST_CASE("documents of another kind are refused") {
  CHECK(refusal("{}").find("neither lncli queryroutes JSON") != std::string::npos);
  CHECK(refusal("[]").find("neither lncli queryroutes JSON") != std::string::npos);
  CHECK(refusal("{\"routes\":[]}") == "routes: it holds no route");
  CHECK(refusal("{\"route\":[]}").find("holds no hops") != std::string::npos);
  CHECK(refusal("{\"routes\":[1]}") == "routes: route 1: not an object");
  CHECK(refusal("nope") == "routes: not JSON: line 1, column 2");
}

TEST_CASE("more than 20 hops or 100 routes are refused") {
  std::string hops;
  for (int i = 0; i < 21; ++i) hops += std::string(i == 0 ? "" : ",") + "{}";
  CHECK(refusal("{\"route\":[" + hops + "]}") == "routes: the route: 21 hops; 20 are the most");
  std::string routes;
  for (int i = 0; i < 101; ++i) routes += std::string(i == 0 ? "" : ",") + "{}";
  CHECK(refusal("{\"routes\":[" + routes + "]}") == "routes: 101 routes; 100 are the most");
}
