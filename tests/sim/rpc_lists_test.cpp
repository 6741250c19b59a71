// Goal: lists, counters, routes and the node's own words have the shapes that clients read. Method: the small network,
// one command after the other.
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

nlohmann::json array(nlohmann::json::initializer_list_t values) { return nlohmann::json::array(values); }

}  // namespace

TEST_CASE("rpc lists: rows by hash, invoice, status and index") {
  RpcWorld rpc;
  const MadeInvoice paid = rpc.world().invoice();
  const MadeInvoice held = rpc.world().invoice(50'000 * sat, Hold{Hold::forever});
  CHECK(rpc.call("sendpay", rpc.sendpay(paid, 1)).code == 0);
  (void)rpc.later(ns_per_second);
  CHECK(rpc.call("sendpay", rpc.sendpay(held, 2, 50'000 * sat)).code == 0);
  const auto count = [&](const nlohmann::json& params) {
    return rpc.call("listsendpays", params).body["payments"].size();
  };
  CHECK(count(nlohmann::json::object()) == 2);
  CHECK(count({{"payment_hash", paid.hash.hex()}}) == 1);
  CHECK(count({{"bolt11", held.text}}) == 1);
  CHECK(count({{"status", "pending"}}) == 1);
  CHECK(count({{"status", "failed"}}) == 0);
  CHECK(count({{"index", "created"}, {"start", 2}}) == 1);
  CHECK(count({{"index", "created"}, {"start", 3}}) == 0);
  CHECK(count({{"index", "created"}, {"start", 1}, {"limit", 1}}) == 1);
  CHECK(count({{"payment_hash", paid.hash.hex()}, {"status", "pending"}}) == 0);
  CHECK(rpc.call("listsendpays", {{"status", "bogus"}}).message ==
        "status: should be an invoice status: invalid token '\"bogus\"'");
  CHECK(rpc.call("listsendpays", {{"payment_hash", "00"}}).message ==
        "payment_hash: should be a 32 byte hex value: invalid token '\"00\"'");
  CHECK(rpc.call("listsendpays", {{"payment_hash", paid.hash.hex()}, {"bolt11", paid.text}}).code == -32602);
  const Json row = rpc.rows(paid)[0];
  CHECK(row["completed_at"].is_number_integer());
  CHECK(row["status"] == "complete");
  CHECK(row["updated_index"] == 1);
  CHECK_FALSE(rpc.rows(held)[0].contains("updated_index"));
  CHECK(count({{"index", "updated"}, {"start", 1}}) == 1);
  CHECK(count({{"index", "updated"}, {"start", 2}}) == 0);
}

TEST_CASE("rpc lists: pages of many rows hold each once") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(1'000, {}, "TEMPORARY_NODE_FAILURE");
  const auto first = rpc.sendpay(invoice, 1, 1'000);
  for (int group = 1; group <= 40; ++group) {
    auto params = first;
    params["groupid"] = group;
    REQUIRE(rpc.call("sendpay", params).code == 0);
    (void)rpc.later(ns_per_second);
  }
  std::uint64_t next = 1;
  std::vector<std::uint64_t> seen;
  for (;;) {
    const Json page = rpc.call("listsendpays", {{"index", "created"}, {"start", next}, {"limit", 7}}).body["payments"];
    if (page.empty()) break;
    for (const Json& row : page) seen.push_back(row["created_index"]);
    next = seen.back() + 1;
  }
  REQUIRE(seen.size() == 40);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == i + 1);
}

TEST_CASE("rpc lists: HTLCs, debits and counters tell settled from failed") {
  RpcWorld rpc;
  const MadeInvoice paid = rpc.world().invoice();
  const MadeInvoice failed = rpc.world().invoice(50'000 * sat, {}, "TEMPORARY_NODE_FAILURE");
  CHECK(rpc.call("sendpay", rpc.sendpay(paid, 1)).code == 0);
  CHECK(rpc.call("listhtlcs").body["htlcs"][0]["state"] == "SENT_ADD_ACK_REVOCATION");
  (void)rpc.later(ns_per_second);
  CHECK(rpc.call("sendpay", rpc.sendpay(failed, 2, 50'000 * sat)).code == 0);
  (void)rpc.later(ns_per_second);
  const Json htlcs = rpc.call("listhtlcs", {{"index", "created"}, {"start", 1}}).body["htlcs"];
  REQUIRE(htlcs.size() == 2);
  for (const Json& htlc : htlcs) {
    CHECK(htlc["state"] == "RCVD_REMOVE_ACK_REVOCATION");
    CHECK(htlc["direction"] == "out");
  }
  CHECK(htlcs[0]["payment_hash"] == paid.hash.hex());
  CHECK(rpc.call("listhtlcs", {{"index", "created"}, {"start", 2}}).body["htlcs"].size() == 1);
  CHECK(rpc.call("listhtlcs", {{"id", htlcs[0]["short_channel_id"]}, {"index", "created"}, {"limit", 1}})
            .body["htlcs"]
            .size() == 1);
  const Json moves = rpc.call("listchannelmoves").body["channelmoves"];
  REQUIRE(moves.size() == 1);
  CHECK(moves[0]["payment_hash"] == paid.hash.hex());
  CHECK(moves[0]["group_id"] == 1);
  CHECK(moves[0]["part_id"] == 0);
  CHECK(moves[0]["primary_tag"] == "invoice");
  CHECK(moves[0]["debit_msat"] == htlcs[0]["amount_msat"]);
  CHECK(rpc.call("wait", array({"sendpays", "created", 0})).body == Json{{"subsystem", "sendpays"}, {"created", 2}});
  CHECK(rpc.call("wait", array({"sendpays", "updated", 0})).body["updated"] == 2);
  CHECK(rpc.call("wait", array({"htlcs", "created", "0"})).body["created"] == 2);
  CHECK(rpc.call("wait", array({"htlcs", "deleted", 0})).body["deleted"] == 0);
  CHECK(rpc.call("wait", array({"channelmoves", "created", 0})).body["created"] == 1);
  CHECK(rpc.call("wait", array({"weather", "created", 0})).code == -32602);
}

TEST_CASE("rpc wait: answers when the counter has come there, with the row") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto params = rpc.sendpay(invoice, 4);
  CHECK(rpc.call("wait", array({"sendpays", "created", 1})).waits);
  CHECK(rpc.later(ns_per_second).waits);
  rpc.world().ledger().write([&](LedgerTx& tx) {
    RpcCall call;
    call.method = "sendpay";
    call.params = params;
    (void)rpc.node().execute(tx, call, RpcMoment{rpc.world().clock().wall(), {}});
  });
  const Said there = rpc.later(0);
  CHECK(there.body["created"] == 1);
  CHECK(there.body["sendpays"] ==
        Json{{"status", "pending"}, {"partid", 0}, {"groupid", 4}, {"payment_hash", invoice.hash.hex()}});
}

TEST_CASE("rpc getroute: what the engine's own path finder says, with exclusions and limits") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const nlohmann::json params = {
      {"id", key_of(3).hex()}, {"amount_msat", 100'000 * sat}, {"riskfactor", 10}, {"cltv", 18}};
  const Json route = rpc.call("getroute", params).body["route"];
  const Route expected = rpc.world().route(rpc.world().question(invoice)).routes.at(0);
  REQUIRE(route.size() == expected.hops.size());
  for (std::size_t i = 0; i < route.size(); ++i) {
    CHECK(route[i]["id"] == expected.hops[i].node.hex());
    CHECK(route[i]["channel"] == expected.hops[i].channel.text());
    CHECK(route[i]["direction"] == expected.hops[i].direction);
    CHECK(route[i]["amount_msat"] == expected.hops[i].amount.value());
    CHECK(route[i]["delay"] == expected.hops[i].delay);
  }
  auto without = params;
  without["exclude"] = array({key_of(1).hex()});
  CHECK(rpc.call("getroute", without).body["route"][0]["channel"] == chan_d.text());
  without["exclude"] =
      array({route[0]["channel"].get<std::string>() + "/" + std::to_string(route[0]["direction"].get<int>())});
  CHECK(rpc.call("getroute", without).body["route"][0]["channel"] == chan_d.text());
  without["exclude"] = array({"nonsense"});
  CHECK(rpc.call("getroute", without).code == -32602);
  auto default_cltv = params;
  default_cltv.erase("cltv");
  CHECK(rpc.call("getroute", default_cltv).body["route"].back()["delay"] == 9);
  auto short_one = params;
  short_one["maxhops"] = 1;
  CHECK(rpc.call("getroute", short_one).code == 205);
  auto much = params;
  much["amount_msat"] = 99'999'999'999'999;
  CHECK(rpc.call("getroute", much).message == "Could not find a route");
  auto nobody = params;
  nobody["id"] = std::string("02") + std::string(64, '2');
  CHECK(rpc.call("getroute", nobody).code == -32602);
  auto ourselves = params;
  ourselves["id"] = key_of(0).hex();
  CHECK(rpc.call("getroute", ourselves).body["route"].empty());
}

TEST_CASE("rpc graph: channels in both directions, our own with balances") {
  RpcWorld rpc;
  const Json all = rpc.call("listchannels").body["channels"];
  CHECK(all.size() == 10);
  CHECK(rpc.call("listchannels", {{"short_channel_id", chan_b.text()}}).body["channels"].size() == 2);
  const Json from = rpc.call("listchannels", {{"source", key_of(1).hex()}}).body["channels"];
  REQUIRE(from.size() == 2);
  for (const Json& channel : from) {
    if (channel["short_channel_id"] != chan_b.text()) continue;
    CHECK(channel["base_fee_millisatoshi"] == 1'000);
    CHECK(channel["fee_per_millionth"] == 100);
    CHECK(channel["delay"] == 40);
    CHECK(channel["active"] == true);
  }
  CHECK(rpc.call("listchannels", {{"destination", key_of(3).hex()}}).body["channels"].size() == 2);
  CHECK(rpc.call("listchannels", {{"destination", key_of(3).hex()}, {"source", key_of(1).hex()}}).code == -32602);

  const MadeInvoice invoice = rpc.world().invoice(100'000 * sat, Hold{Hold::forever});
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
  const Json ours = rpc.call("listpeerchannels").body["channels"];
  REQUIRE(ours.size() == 2);
  std::size_t htlcs = 0;
  for (const Json& channel : ours) {
    CHECK(channel["owner"] == "channeld");
    CHECK(channel["state"] == "CHANNELD_NORMAL");
    htlcs += channel["htlcs"].size();
  }
  CHECK(htlcs == 1);
  Policy off = rpc.world().policy_of(chan_a, 0);
  off.disabled = true;
  rpc.world().admin().set_policy(rpc.world().direction(chan_a, 0), off);
  const Json one = rpc.call("listpeerchannels", {{"id", key_of(1).hex()}}).body["channels"];
  REQUIRE(one.size() == 1);
  CHECK_FALSE(one[0].contains("owner"));
  CHECK(one[0]["peer_connected"] == false);
}

TEST_CASE("rpc askrene: a layer keeps what channels showed, leads another way round, and is aged") {
  RpcWorld rpc;
  const Json asked{{"source", key_of(0).hex()},
                   {"destination", key_of(3).hex()},
                   {"amount_msat", 50'000},
                   {"layers", Json::array({"auto.localchans", "advice"})},
                   {"maxfee_msat", 1'000'000'000},
                   {"final_cltv", 18},
                   {"maxparts", 1}};
  CHECK(rpc.call("askrene-create-layer", {{"layer", "advice"}}).code == 0);
  const auto path = [&] { return rpc.call("getroutes", asked).body["routes"][0]["path"]; };
  const Json first = path();
  const Json last = first.back()["short_channel_id_dir"];
  const auto inform = [&](const char* how, std::uint64_t amount) {
    return rpc
        .call("askrene-inform-channel",
              {{"layer", "advice"}, {"short_channel_id_dir", last}, {"amount_msat", amount}, {"inform", how}})
        .code;
  };
  CHECK(inform("constrained", 60'000) == 0);
  CHECK(path() != first);  // between nothing and 60 sat, 50 sat are likely too much
  CHECK(inform("unconstrained", 55'000) == 0);
  CHECK(path() == first);
  const Json kept = rpc.call("askrene-listlayers", {{"layer", "advice"}}).body["layers"][0]["constraints"];
  REQUIRE(kept.size() == 2);
  CHECK(kept[0]["minimum_msat"] == 55'000);
  CHECK(kept[1]["maximum_msat"] == 59'999);
  CHECK(inform("constrained", 1) == 0);
  CHECK(path() != first);
  const std::uint64_t later = kept[1]["timestamp"].get<std::uint64_t>() + 1;
  CHECK(rpc.call("askrene-age", {{"layer", "advice"}, {"cutoff", later - 1}}).body["num_removed"] == 0);
  CHECK(rpc.call("askrene-age", {{"layer", "advice"}, {"cutoff", later}}).body["num_removed"] == 1);
  CHECK(path() == first);
  CHECK(inform("constrained", 0) == -32602);
  CHECK(inform("perhaps", 5) == -32602);
  CHECK(rpc.call("askrene-listlayers", {{"layer", "nobody's"}}).code == -32602);
}

TEST_CASE("rpc askrene: advice closes no way, and a policy that a layer tells is what the route pays") {
  RpcWorld rpc;
  Json asked{{"source", key_of(0).hex()},
             {"destination", key_of(3).hex()},
             {"amount_msat", 50'000},
             {"layers", Json::array({"auto.localchans", "advice"})},
             {"maxfee_msat", 1'000'000'000},
             {"final_cltv", 18},
             {"maxparts", 1}};
  CHECK(rpc.call("askrene-create-layer", {{"layer", "advice"}}).code == 0);
  const Json channels = rpc.call("listchannels").body["channels"];
  for (const Json& channel : channels) {
    const std::string name =
        channel["short_channel_id"].get<std::string>() + "/" + std::to_string(channel["direction"].get<int>());
    CHECK(rpc.call("askrene-inform-channel",
                   {{"layer", "advice"}, {"short_channel_id_dir", name}, {"amount_msat", 1}, {"inform", "constrained"}})
              .code == 0);
  }
  const Json route = rpc.call("getroutes", asked).body["routes"][0]["path"];
  REQUIRE(route.size() > 1);
  CHECK(rpc.call("askrene-update-channel", {{"layer", "advice"},
                                            {"short_channel_id_dir", route.back()["short_channel_id_dir"]},
                                            {"enabled", true},
                                            {"fee_base_msat", 7},
                                            {"fee_proportional_millionths", 0},
                                            {"cltv_expiry_delta", 11},
                                            {"htlc_minimum_msat", 0},
                                            {"htlc_maximum_msat", 1'000'000'000}})
            .code == 0);
  const Json told = rpc.call("getroutes", asked).body["routes"][0]["path"];
  CHECK(told.back()["amount_msat"] == 50'007);
  CHECK(told.back()["delay"] == 29);
}

TEST_CASE("rpc node: getinfo, a lagging and an older node, help, decode, invoice, stop") {
  RpcWorld rpc;
  const Json info = rpc.call("getinfo").body;
  CHECK(info["id"] == key_of(0).hex());
  CHECK(info["network"] == "regtest");
  CHECK(info["blockheight"] == 800'000);
  CHECK_FALSE(info.contains("warning_lightningd_sync"));
  RpcWorld older(RpcTraits{{"listchannelmoves"}, 6});
  CHECK(older.call("getinfo").body["blockheight"] == 799'994);
  CHECK(older.call("getinfo").body.contains("warning_lightningd_sync"));
  CHECK(older.call("listchannelmoves").code == -32601);
  CHECK(older.call("wait", array({"channelmoves", "created", 0})).code == -32602);
  CHECK(older.call("wait", array({"htlcs", "created", 0})).code == 0);
  CHECK(rpc.call("help").body["help"].size() > 10);
  CHECK(rpc.call("help", array({"sendpay"})).body["help"].size() == 1);
  CHECK(rpc.call("notifications", {{"enable", true}}).body == Json::object());
  CHECK(rpc.call("nosuch").message == "Unknown command 'nosuch'");
  const Json made = rpc.call("invoice", array({25'000, "label", "coffee"})).body;
  const Json decoded = rpc.call("decode", array({made["bolt11"]})).body;
  CHECK(decoded["payment_hash"] == made["payment_hash"]);
  CHECK(decoded["payment_secret"] == made["payment_secret"]);
  CHECK(decoded["amount_msat"] == 25'000);
  CHECK(decoded["description"] == "coffee");
  CHECK(decoded["currency"] == "bcrt");
  CHECK(decoded["valid"] == true);
  CHECK(rpc.call("decode", array({"lnbcrt1nonsense"})).message ==
        "string: Bad bech32 string: invalid token '\"lnbcrt1nonsense\"'");
  CHECK_FALSE(rpc.node().stop_asked());
  CHECK(rpc.call("stop").body["result"] == "Shutdown complete");
  CHECK(rpc.node().stop_asked());
}
