// What lnd is asked, byte for byte. test_double.py tests that the double of lnd understands it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/switch/lnd/fields.h"
#include "core/switch/lnd/requests.h"

using namespace paytower;
using namespace paytower::lnd;
using nlohmann::json;

namespace {

PublicKey key(std::uint8_t last) {
  PublicKey made;
  made.bytes[0] = 2;
  made.bytes[32] = last;
  return made;
}

Hop hop(std::uint64_t channel, std::uint8_t node, std::uint64_t msat, std::uint32_t delay) {
  return Hop{ShortChannelId{channel}, 0, key(node), Msat::of(msat), delay};
}

Handover handover() {
  Handover made;
  made.key.hash.bytes.fill(0xFF);
  made.route.hops = {hop(11, 1, 52'000, 203), hop(22, 2, 51'000, 123), hop(33, 3, 50'000, 83)};
  made.amount = Msat::of(80'000);
  made.payment_secret = PaymentSecret{};
  made.metadata = Bytes{1, 2};
  return made;
}

json sent(const Handover& what, const SendTerms& terms) {
  const Request request = send_request(what, terms);
  CHECK(request.method == "POST");
  CHECK(request.target == "/v2/router/route/send");
  CHECK(request.body.back() == '}');
  return json::parse(request.body);
}

RouteQuestion question() {
  RouteQuestion made;
  made.demand.destination = key(9);
  made.demand.amount = Msat::of(50'000);
  made.demand.fee_limit = Msat::of(0);
  made.demand.final_cltv_delta = 80;
  made.demand.cltv_limit = 500;
  return made;
}

json asked(const RouteQuestion& what) {
  const Request request = routes_request(what);
  CHECK(request.method == "POST");
  CHECK(request.target == "/v1/graph/routes/" + what.demand.destination.hex() + "/0");
  CHECK(request.body.back() == '}');
  return json::parse(request.body);
}

json edge(const char* channel, bool reverse) { return json{{"channel_id", channel}, {"direction_reverse", reverse}}; }

}  // namespace

TEST_CASE("lnd: of our own channels the others are named, where one is excluded: lnd would exclude its parallel ones") {
  const auto channel = [](std::uint64_t id) { return ShortChannelId{id}; };
  const std::vector<OwnChannel> own{{channel(11), key(5), true, Msat{}, {}}, {channel(12), key(5), true, Msat{}, {}}};
  RouteQuestion what = question();
  what.excluded_channels = {{channel(11), 0}, {channel(40), 1}};
  const json body = json::parse(routes_request(what, own).body);
  CHECK(body.at("outgoing_chan_ids") == json::array({"12"}));
  CHECK(body.at("ignored_edges") == json::array({edge("40", true)}));
  what.demand.outgoing_channels = {channel(11)};
  CHECK(first_channels(what, own) == std::vector<ShortChannelId>{});
  what.excluded_channels.clear();
  CHECK(first_channels(what, own) == what.demand.outgoing_channels);
  what.demand.outgoing_channels.clear();
  CHECK(first_channels(what, own) == std::nullopt);
  what.bounds = {{{channel(12), 0}, what.demand.amount}};
  CHECK(first_channels(what, own) == std::vector<ShortChannelId>{channel(11)});
}

TEST_CASE("lnd: questions without a body") {
  for (const Request& one : {state_request(), node_info_request(), channels_request(), track_all_request()}) {
    CHECK(one.method == "GET");
    CHECK(one.body.empty());
  }
  CHECK(state_request().target == "/v1/state");
  CHECK(node_info_request().target == "/v1/getinfo");
  CHECK(channels_request().target == "/v1/channels");
  CHECK(track_all_request().target == "/v2/router/payments");
  CHECK(payments_request(7).target == "/v1/payments?include_incomplete=true&index_offset=7&max_payments=1000");
  PaymentHash hash;
  hash.bytes.fill(0xFF);  // in the other alphabet it has slashes, which end a part of a path
  CHECK(track_request(hash).target == "/v2/router/track/" + std::string(42, '_') + "8=");
}

TEST_CASE("lnd: a hand-over names what each node is to send on, and until when") {
  const json body = sent(handover(), {Mark{7}, 1'203, false});
  CHECK(body["payment_hash"] == to_base64(Bytes(32, 0xFF)));
  CHECK(body["skip_temp_err"] == false);
  const json& route = body["route"];
  CHECK(route["total_time_lock"] == 1'203);
  CHECK(route["total_amt_msat"] == "52000");
  CHECK(route["total_fees_msat"] == "2000");
  REQUIRE(route["hops"].size() == 3);
  const json first = {{"chan_id", "11"},    {"pub_key", key(1).hex()}, {"amt_to_forward_msat", "51000"},
                      {"fee_msat", "1000"}, {"expiry", 1'123},         {"tlv_payload", true}};
  CHECK(route["hops"][0] == first);
  const json second = {{"chan_id", "22"},    {"pub_key", key(2).hex()}, {"amt_to_forward_msat", "50000"},
                       {"fee_msat", "1000"}, {"expiry", 1'083},         {"tlv_payload", true}};
  CHECK(route["hops"][1] == second);
  const json last = {{"chan_id", "33"},
                     {"pub_key", key(3).hex()},
                     {"amt_to_forward_msat", "50000"},
                     {"fee_msat", "0"},
                     {"expiry", 1'083},
                     {"tlv_payload", true},
                     {"custom_records", {{"5564161", to_base64(Mark{7})}}},
                     {"mpp_record", {{"payment_addr", to_base64(Bytes(32, 0))}, {"total_amt_msat", "80000"}}},
                     {"metadata", "AQI="}};
  CHECK(route["hops"][2] == last);
}

TEST_CASE("lnd: a hand-over is the same bytes each time, and another for another mark") {
  const Handover what = handover();
  CHECK(send_request(what, {Mark{7}, 1'203, true}).body == send_request(what, {Mark{7}, 1'203, true}).body);
  CHECK(send_request(what, {Mark{7}, 1'203, true}).body != send_request(what, {Mark{8}, 1'203, true}).body);
  CHECK(sent(what, {Mark{7}, 1'203, true})["skip_temp_err"] == true);
}

TEST_CASE("lnd: a hand-over over one channel, without secret and metadata") {
  Handover what = handover();
  what.route.hops = {hop(11, 1, 50'000, 83)};
  what.payment_secret.reset();
  what.metadata.reset();
  const json route = sent(what, {Mark{7}, 83, false})["route"];
  CHECK(route["total_fees_msat"] == "0");
  CHECK(route["hops"][0]["expiry"] == 83);
  CHECK(route["hops"][0]["amt_to_forward_msat"] == "50000");
  CHECK_FALSE(route["hops"][0].contains("mpp_record"));
  CHECK_FALSE(route["hops"][0].contains("metadata"));
  CHECK(route["hops"][0]["custom_records"].size() == 1);
  CHECK_THROWS_AS((void)send_request(what, {Mark{7}, 82, false}), std::logic_error);
  what.route.hops.clear();
  CHECK_THROWS_AS((void)send_request(what, {Mark{7}, 82, false}), std::logic_error);
}

TEST_CASE("lnd: a fence is nobody's payment, and its release the same without skip_temp_err") {
  FenceTerms terms;
  terms.hash.bytes.fill(1);
  terms.node = key(4);
  terms.expiry = 467;
  terms.mark = Mark{9};
  json fence = json::parse(fence_request(terms).body);
  const json release = json::parse(release_request(terms).body);
  CHECK(fence_request(terms).target == "/v2/router/route/send");
  CHECK(fence_request(terms).body.back() == '}');
  CHECK(fence["skip_temp_err"] == true);
  REQUIRE(fence["route"]["hops"].size() == 1);
  const json& hop = fence["route"]["hops"][0];
  CHECK(fence["route"]["total_amt_msat"] == "1");
  CHECK(fence["route"]["total_time_lock"] == 467);
  CHECK(hop["chan_id"] == "1");
  CHECK(hop["amt_to_forward_msat"] == "1");
  CHECK(hop["expiry"] == 467);
  CHECK(hop["mpp_record"] == json{{"payment_addr", to_base64(Bytes(32, 0xFE))}, {"total_amt_msat", "1"}});
  CHECK(hop["custom_records"] == json{{"5564161", to_base64(Mark{9})}});
  fence["skip_temp_err"] = false;
  CHECK(fence == release);
}

TEST_CASE("lnd: a question for a route always has a fee limit, and three blocks more for the payee") {
  const json body = asked(question());
  CHECK(body["amt_msat"] == "50000");
  CHECK(body["fee_limit"] == json{{"fixed_msat", "0"}});
  CHECK(body["final_cltv_delta"] == 83);
  CHECK(body["cltv_limit"] == 500);
  CHECK(body["use_mission_control"] == true);
  RouteQuestion alone = question();
  alone.advised = false;
  CHECK(asked(alone)["use_mission_control"] == false);
  for (const char* list : {"ignored_edges", "ignored_nodes", "outgoing_chan_ids", "route_hints"})
    CHECK(body[list] == json::array());
  CHECK(body.size() == 9);
}

TEST_CASE("lnd: limits of blocks at their ends") {
  RouteQuestion what = question();
  what.demand.cltv_limit = usual_max_cltv;
  CHECK_FALSE(asked(what).contains("cltv_limit"));
  what.demand.cltv_limit = usual_max_cltv - 1;
  CHECK(asked(what)["cltv_limit"] == usual_max_cltv - 1);
  what.demand.cltv_limit = 0;  // to lnd, none
  CHECK(asked(what)["cltv_limit"] == 1);
  what.demand.final_cltv_delta = 65'535;
  CHECK(asked(what)["final_cltv_delta"] == 65'535);
}

TEST_CASE("lnd: what is excluded, by name and by bound") {
  RouteQuestion what = question();
  what.excluded_channels = {{ShortChannelId{5}, 0}, {ShortChannelId{UINT64_MAX}, 1}};
  what.excluded_nodes = {key(4)};
  what.demand.outgoing_channels = {ShortChannelId{77}};
  what.bounds = {{{ShortChannelId{6}, 0}, Msat::of(50'001)},   // carries the amount
                 {{ShortChannelId{7}, 1}, Msat::of(50'000)},   // does not carry it
                 {{ShortChannelId{8}, 0}, Msat::of(60'000)}};  // does not carry it together with the open part
  what.beside = {Route{{hop(8, 2, 10'000, 40)}}};
  const json body = asked(what);
  CHECK(body["ignored_edges"] ==
        json::array({edge("5", false), edge("18446744073709551615", true), edge("7", true), edge("8", false)}));
  CHECK(body["ignored_nodes"] == json::array({to_base64(key(4).bytes)}));
  CHECK(body["outgoing_chan_ids"] == json::array({"77"}));
}

TEST_CASE("lnd: hints go along, but for those over an excluded channel") {
  RouteQuestion what = question();
  what.hints = {{HintHop{key(1), ShortChannelId{41}, 5, 6, 7}, HintHop{key(2), ShortChannelId{42}, 1, 2, 3}},
                {HintHop{key(20), ShortChannelId{43}, 0, 0, 0}},
                {}};
  const json both = asked(what)["route_hints"];
  REQUIRE(both.size() == 2);
  const json first = {{"node_id", key(1).hex()},
                      {"chan_id", "41"},
                      {"fee_base_msat", 5},
                      {"fee_proportional_millionths", 6},
                      {"cltv_expiry_delta", 7}};
  CHECK(both[0]["hop_hints"][0] == first);
  CHECK(both[0]["hop_hints"].size() == 2);
  what.excluded_channels = {{ShortChannelId{42}, 1}};  // from 2 to 9 it is the other direction
  CHECK(asked(what)["route_hints"].size() == 2);
  what.excluded_channels = {{ShortChannelId{42}, 0}};
  CHECK(asked(what)["route_hints"] == json::array({both[1]}));
  what.excluded_channels = {{ShortChannelId{43}, 1}, {ShortChannelId{41}, 0}};
  CHECK(asked(what)["route_hints"] == json::array());
}
