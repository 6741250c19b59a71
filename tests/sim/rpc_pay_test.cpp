// Goal: sendpay, waitsendpay and delpay answer as the tables of codes and texts say, which were measured on a real
// node. Method: one case for each row of these tables, over the engine's own states.
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

constexpr std::uint64_t amount = 100'000 * sat;
const Hold forever{Hold::forever};

nlohmann::json with_amount(nlohmann::json params, std::uint64_t more) {
  for (auto& hop : params["route"]) hop["amount_msat"] = hop["amount_msat"].get<std::uint64_t>() + more;
  return params;
}

/// A part of a payment whose total is `amount`.
nlohmann::json part(nlohmann::json params, std::uint32_t number, std::uint64_t msat) {
  const std::uint64_t delivered = params["route"].back()["amount_msat"];
  for (auto& hop : params["route"]) hop["amount_msat"] = hop["amount_msat"].get<std::uint64_t>() - delivered + msat;
  params["partid"] = number;
  params["amount_msat"] = amount;
  return params;
}

}  // namespace

TEST_CASE("rpc sendpay: pending, then complete with the preimage") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const Said sent = rpc.call("sendpay", rpc.sendpay(invoice, 7));
  CHECK(sent.body["message"] == "Monitor status with listpays or waitsendpay");
  CHECK(sent.body["status"] == "pending");
  CHECK(sent.body["groupid"] == 7);
  CHECK(sent.body["created_index"] == 1);
  CHECK(sent.body["id"] == 1);
  CHECK(sent.body["amount_msat"] == amount);
  CHECK(sent.body["amount_sent_msat"] > amount);
  CHECK(sent.body["label"] == "paytower:00:7");
  CHECK_FALSE(sent.body.contains("partid"));
  const Said ended = rpc.outcome(invoice, 7);
  CHECK(ended.body["status"] == "complete");
  CHECK_FALSE(ended.body.contains("message"));
  CHECK(hash_of(*Preimage::from_hex_text(ended.body["payment_preimage"].get<std::string>())) == invoice.hash);
}

TEST_CASE("rpc sendpay: the same attempt again is the same HTLC") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  const auto params = rpc.sendpay(invoice, 10);
  CHECK(rpc.call("sendpay", params).code == 0);
  auto other_label = params;
  other_label["label"] = "second";
  const Said again = rpc.call("sendpay", other_label);
  CHECK(again.body["status"] == "pending");
  CHECK(again.body["created_index"] == 1);
  CHECK(again.body["label"] == "paytower:00:10");
  CHECK(rpc.world().oracle().size() == 1);
}

TEST_CASE("rpc sendpay: complete in any group is the answer to every other group") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 10)).code == 0);
  CHECK(rpc.outcome(invoice, 10).code == 0);
  const Said other = rpc.call("sendpay", rpc.sendpay(invoice, 11));
  CHECK(other.body["status"] == "complete");
  CHECK(other.body["groupid"] == 10);
  CHECK(other.body.contains("payment_preimage"));
  CHECK_FALSE(other.body.contains("message"));
  CHECK(rpc.rows(invoice).size() == 1);
}

TEST_CASE("rpc sendpay: 200 another group in progress") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 10)).code == 0);
  const Said busy = rpc.call("sendpay", rpc.sendpay(invoice, 11));
  CHECK(busy.code == 200);
  CHECK(busy.message == "Payment with groupid=10 still in progress, cannot retry before that completes.");
  CHECK_FALSE(busy.body.contains("data"));
}

TEST_CASE("rpc sendpay: 200 and -32602 for parts that do not fit together") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  const auto whole = rpc.sendpay(invoice, 10);
  SUBCASE("non-parallel in progress") {
    CHECK(rpc.call("sendpay", whole).code == 0);
    const Said busy = rpc.call("sendpay", part(whole, 1, amount));
    CHECK(busy.code == 200);
    CHECK(busy.message == "Already have non-parallel payment in progress");
  }
  SUBCASE("parallel in progress") {
    CHECK(rpc.call("sendpay", part(whole, 1, amount / 2)).code == 0);
    const Said busy = rpc.call("sendpay", whole);
    CHECK(busy.code == 200);
    CHECK(busy.message == "Already have parallel payment in progress");
  }
  SUBCASE("all of it in progress") {
    CHECK(rpc.call("sendpay", part(whole, 1, amount)).code == 0);
    const Said busy = rpc.call("sendpay", part(whole, 2, amount / 2));
    CHECK(busy.code == 200);
    CHECK(busy.message == "Already have 100000000msat of 100000000msat payments in progress");
  }
  SUBCASE("another total") {
    CHECK(rpc.call("sendpay", part(whole, 1, amount / 2)).code == 0);
    auto other = part(whole, 2, amount / 2);
    other["amount_msat"] = amount - 1;
    const Said refused = rpc.call("sendpay", other);
    CHECK(refused.code == -32602);
    CHECK(refused.message == "msatoshi was previously 100000000msat, now 99999999msat");
  }
  SUBCASE("a part without a total, or without a secret") {
    auto no_total = part(whole, 1, amount / 2);
    no_total.erase("amount_msat");
    CHECK(rpc.call("sendpay", no_total).message == "Must specify msatoshi with partid");
    auto no_secret = part(whole, 1, amount / 2);
    no_secret.erase("payment_secret");
    CHECK(rpc.call("sendpay", no_secret).message == "partid requires payment_secret");
  }
  SUBCASE("two parts make a payment") {
    REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
    CHECK(rpc.call("sendpay", part(whole, 1, amount / 2)).body["partid"] == 1);
    CHECK(rpc.call("sendpay", part(whole, 2, amount / 2)).code == 0);
    (void)rpc.later(ns_per_second);
    const Json rows = rpc.rows(invoice);
    REQUIRE(rows.size() == 2);
    CHECK(rows[1]["partid"] == 2);
    CHECK(rows[0]["status"] == "complete");
    const Said other = rpc.call("sendpay", part(whole, 3, amount / 2));
    CHECK(other.code == 201);
    CHECK(other.message == "Already succeeded other parts");
  }
}

TEST_CASE("rpc sendpay: 201 in each of its texts") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  const auto params = rpc.sendpay(invoice, 10);
  auto elsewhere = params;
  elsewhere["route"].back()["id"] = key_of(4).hex();
  SUBCASE("pending with another amount or destination") {
    CHECK(rpc.call("sendpay", params).code == 0);
    const Said other = rpc.call("sendpay", with_amount(params, 1));
    CHECK(other.code == 201);
    CHECK(other.message == "Already pending with amount 100000000msat (not 100000001msat)");
    const Said to = rpc.call("sendpay", elsewhere);
    CHECK(to.code == 201);
    CHECK(to.message == "Already pending to " + key_of(3).hex());
  }
  SUBCASE("succeeded with another amount or destination") {
    REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
    CHECK(rpc.call("sendpay", params).code == 0);
    (void)rpc.later(ns_per_second);
    CHECK(rpc.call("sendpay", with_amount(params, 1)).message ==
          "Already succeeded with amount 100000000msat (not 100000001msat)");
    CHECK(rpc.call("sendpay", elsewhere).message == "Already succeeded to " + key_of(3).hex());
  }
  SUBCASE("has failed, whatever stands beside it") {
    REQUIRE(rpc.world().admin().release(invoice.hash, 0x2002));
    CHECK(rpc.call("sendpay", params).code == 0);
    (void)rpc.later(ns_per_second);
    const Said again = rpc.call("sendpay", params);
    CHECK(again.code == 201);
    CHECK(again.message == "There already is a payment with payment_hash=" + invoice.hash.hex() +
                               ", groupid=10, partid=0. Either change the partid, or wait for the payment to complete "
                               "and start a new group.");
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 3)).code == 0);  // groups need not grow
  }
}

TEST_CASE("rpc sendpay: 204 without a row") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  auto params = rpc.sendpay(invoice, 10);
  SUBCASE("no such channel of ours") {
    params["route"][0]["channel"] = "1x2x3";
    const Said refused = rpc.call("sendpay", params);
    CHECK(refused.code == 204);
    CHECK(refused.message == "No connection to first peer found");
    CHECK(refused.body["data"] == Json{{"erring_index", 0},
                                       {"failcode", 16394},
                                       {"failcodename", "WIRE_UNKNOWN_NEXT_PEER"},
                                       {"erring_node", key_of(0).hex()}});
  }
  SUBCASE("peer not ready") {
    Policy off = rpc.world().policy_of(chan_a, 0);
    off.disabled = true;
    const auto named = *ShortChannelId::parse(params["route"][0]["channel"].get<std::string>());
    rpc.world().admin().set_policy(rpc.world().direction(named, 0), off);
    const Said refused = rpc.call("sendpay", params);
    CHECK(refused.code == 204);
    CHECK(refused.message == "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (First peer not ready)");
    CHECK(refused.body["data"]["failcode"] == 4103);
    CHECK(refused.body["data"].contains("erring_channel"));
    CHECK_FALSE(refused.body["data"].contains("created_index"));
    CHECK_FALSE(refused.body["data"].contains("payment_hash"));
  }
  CHECK(rpc.rows(invoice).empty());
  CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "created", 0})).body["created"] == 0);
}

TEST_CASE("rpc sendpay: what its own channel refuses leaves a row that has failed") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(0);
  const auto params = with_amount(rpc.sendpay(invoice, 10, 1'000), 900'000 * sat);
  const Said sent = rpc.call("sendpay", params);
  CHECK(sent.code == 0);
  CHECK(sent.body["status"] == "pending");
  const Said ended = rpc.outcome(invoice, 10);
  CHECK(ended.code == 204);
  CHECK(ended.body["data"]["erring_index"] == 0);
  CHECK(ended.body["data"]["failcode"] == 4103);
  CHECK_FALSE(ended.body["data"].contains("raw_message"));
  CHECK(rpc.rows(invoice)[0]["status"] == "failed");
  CHECK(rpc.world().oracle().empty());
}

TEST_CASE("rpc sendpay: wrong parameters do nothing") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto good = rpc.sendpay(invoice, 10);
  const auto wrong = [&](const char* name, const nlohmann::json& value, const std::string& message) {
    auto params = good;
    params[name] = value;
    const Said said = rpc.call("sendpay", params);
    CHECK(said.code == -32602);
    CHECK(said.message == message);
  };
  wrong("route", 5, "route must be an array");
  wrong("payment_hash", "zz", "payment_hash: should be a 32 byte hex value: invalid token '\"zz\"'");
  wrong("groupid", -1, "groupid: should be an unsigned 64 bit integer: invalid token '-1'");
  wrong("partid", 1.5, "partid: should be an unsigned 32 bit integer: invalid token '1.5'");
  wrong("amount_msat", amount - 1,
        "Do not specify msatoshi (99999999msat) without partid: if you do, it must be exactly the final amount "
        "(100000000msat)");
  auto params = good;
  params["route"][0]["amount_msat"] = UINT64_MAX;  // kills a real node's channel
  CHECK(rpc.call("sendpay", params).message ==
        "amount_msat: should be a millisatoshi amount: invalid token '18446744073709551615'");
  params = good;
  params["route"] = nlohmann::json::array();
  CHECK(rpc.call("sendpay", params).message == "Self-payment requires amount_msat");
  params["amount_msat"] = amount;
  CHECK(rpc.call("sendpay", params).code == 203);
  CHECK(rpc.rows(invoice).empty());
}

TEST_CASE("rpc sendpay: amounts and ids as strings, parameters by position, no groupid") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  auto params = rpc.sendpay(invoice, 10);
  for (auto& hop : params["route"])
    hop["amount_msat"] = std::to_string(hop["amount_msat"].get<std::uint64_t>()) + "msat";
  const Said sent =
      rpc.call("sendpay", nlohmann::json::array({params["route"], params["payment_hash"], "label", nullptr, nullptr,
                                                 params["payment_secret"], "0", nullptr, "12"}));
  CHECK(sent.code == 0);
  CHECK(sent.body["groupid"] == 12);
  CHECK(rpc.outcome(invoice, 12).code == 0);
  const MadeInvoice other = rpc.world().invoice();
  auto no_group = rpc.sendpay(other, 1);
  no_group.erase("groupid");
  CHECK(rpc.call("sendpay", no_group).body["groupid"] == 1);
}

TEST_CASE("rpc waitsendpay: every code of a failure") {
  struct Row {
    const char* fail;
    int code;
    std::uint32_t failcode;
    std::uint32_t index;
    const char* message;
  };
  const std::vector<Row> rows = {
      {"INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", 203, 0x400F, 3,
       "failed: WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS (reply from remote)"},
      {"16386", 203, 0x4002, 3, "failed: UNKNOWN 16386 (reply from remote)"},
      {"TEMPORARY_NODE_FAILURE", 204, 0x2002, 3, "failed: WIRE_TEMPORARY_NODE_FAILURE (reply from remote)"},
      {"8217", 204, 8217, 3, "failed: UNKNOWN 8217 (reply from remote)"},
      {"MPP_TIMEOUT", 204, 23, 3, "failed: WIRE_MPP_TIMEOUT (reply from remote)"},
      {"UNKNOWN_NEXT_PEER@2", 204, 0x400A, 2, "failed: WIRE_UNKNOWN_NEXT_PEER (reply from remote)"},
      {"TEMPORARY_CHANNEL_FAILURE@1", 204, 0x1007, 1, "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (reply from remote)"},
      {"INVALID_ONION_HMAC@1", 204, 0xC005, 1, "failed: WIRE_INVALID_ONION_HMAC (reply from remote)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fail);
    RpcWorld rpc;
    const MadeInvoice invoice = rpc.world().invoice(amount, {}, row.fail);
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 9)).code == 0);
    const Said live = rpc.outcome(invoice, 9);
    CHECK(live.code == row.code);
    CHECK(live.message == row.message);
    const Json data = live.body["data"];
    CHECK(data["failcode"] == row.failcode);
    CHECK(data["erring_index"] == row.index);
    CHECK(data["status"] == "pending");  // the row as it was loaded before its end
    CHECK(data.contains("erring_channel"));
    CHECK(data["payment_hash"] == invoice.hash.hex());
    const Said later = rpc.waitsendpay(invoice, 9);
    CHECK(later.code == row.code);
    CHECK(later.body["data"]["status"] == "failed");
    CHECK_FALSE(later.body["data"].contains("raw_message"));
    CHECK(rpc.rows(invoice)[0]["status"] == "failed");
  }
}

TEST_CASE("rpc waitsendpay: the message of the onion") {
  RpcWorld rpc;
  const MadeInvoice unknown = rpc.world().invoice(50'000, {}, "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
  CHECK(rpc.call("sendpay", rpc.sendpay(unknown, 1, 50'000)).code == 0);
  CHECK(rpc.outcome(unknown, 1).body["data"]["raw_message"] == "400f000000000000c350000c3500");  // amount and height
  const MadeInvoice plain = rpc.world().invoice(50'000, {}, "TEMPORARY_NODE_FAILURE");
  CHECK(rpc.call("sendpay", rpc.sendpay(plain, 1, 50'000)).code == 0);
  CHECK(rpc.outcome(plain, 1).body["data"]["raw_message"] == "2002");
}

TEST_CASE("rpc waitsendpay: 200 when its time is over, and not before") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 9)).code == 0);
  CHECK(rpc.waitsendpay(invoice, 9, 2).waits);
  CHECK(rpc.later(ns_per_second).waits);
  const Said over = rpc.later(ns_per_second);
  CHECK(over.code == 200);
  CHECK(over.message == "Timed out while waiting");
}

TEST_CASE("rpc waitsendpay: 208 for what has no row") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const std::string words = "Never attempted payment part 0 for '" + invoice.hash.hex() + "'";
  CHECK(rpc.waitsendpay(invoice, 9).code == 208);
  CHECK(rpc.waitsendpay(invoice, 9).message == words);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 9)).code == 0);
  CHECK(rpc.waitsendpay(invoice, 8).code == 208);
  CHECK(rpc.call("waitsendpay", {{"payment_hash", invoice.hash.hex()}, {"groupid", 9}, {"partid", 1}}).code == 208);
}

TEST_CASE("rpc waitsendpay: without groupid the highest group is asked, not the newest") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, {}, "TEMPORARY_NODE_FAILUREx1");
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 13)).code == 0);
  CHECK(rpc.outcome(invoice, 13).code == 204);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 11)).code == 0);
  CHECK(rpc.outcome(invoice, 11).code == 0);
  CHECK(rpc.call("waitsendpay", {{"payment_hash", invoice.hash.hex()}}).code == 204);
}

TEST_CASE("rpc waitsendpay: a later failure of the hash overwrites the details of an older one") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, {}, "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1");
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
  CHECK(rpc.outcome(invoice, 1).code == 203);
  (void)rpc.world().admin().release(invoice.hash, 0x2002);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 2)).code == 0);
  CHECK(rpc.outcome(invoice, 2).code == 204);
  const Said older = rpc.waitsendpay(invoice, 1);
  CHECK(older.code == 204);
  CHECK(older.body["data"]["failcode"] == 0x2002);
  CHECK(older.body["data"]["groupid"] == 1);
}

TEST_CASE("rpc sendpay: a payee that breaks its word") {
  RpcWorld rpc;
  SUBCASE("wrong preimage") {
    const MadeInvoice invoice = rpc.world().invoice(amount, {}, nullptr, PayeeBehaviour::wrong_preimage);
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
    const Said ended = rpc.outcome(invoice, 1);
    CHECK(hash_of(*Preimage::from_hex_text(ended.body["payment_preimage"].get<std::string>())) != invoice.hash);
  }
  SUBCASE("none") {
    const MadeInvoice invoice = rpc.world().invoice(amount, {}, nullptr, PayeeBehaviour::complete_without_preimage);
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
    const Said ended = rpc.outcome(invoice, 1);
    CHECK(ended.body["status"] == "complete");
    CHECK_FALSE(ended.body.contains("payment_preimage"));
  }
}

TEST_CASE("rpc fence: a row that fails, and the late original is refused") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const Said fence = rpc.call("sendpay", rpc.fence(invoice, 5));
  CHECK(fence.body["status"] == "pending");
  CHECK(fence.body["label"] == "paytower:00:5:fence");
  CHECK(fence.body["amount_msat"] == Msat::max_value);
  const Said ended = rpc.waitsendpay(invoice, 5);
  CHECK(ended.code == 204);
  CHECK(ended.message == "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (Capacity exceeded: this HTLC is a fence)");
  CHECK(ended.body["data"]["erring_index"] == 0);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 5)).code == 201);
  CHECK(rpc.call("sendpay", rpc.fence(invoice, 5)).code == 201);
  CHECK(rpc.world().count(OracleState::fenced) == 1);
  CHECK(rpc.world().count(OracleState::settled) == 0);
  CHECK(rpc.call("wait", nlohmann::json::array({"htlcs", "created", 0})).body["created"] == 0);
}

TEST_CASE("rpc fence: what is in its way") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  SUBCASE("the original is pending") {
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 5)).code == 0);
    const Said fence = rpc.call("sendpay", rpc.fence(invoice, 5));
    CHECK(fence.code == 201);
    CHECK(fence.message == "Already pending with amount 100000000msat (not 2100000000000000000msat)");
  }
  SUBCASE("another group is pending") {
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 6)).code == 0);
    CHECK(rpc.call("sendpay", rpc.fence(invoice, 5)).code == 200);
  }
  SUBCASE("the hash is paid") {
    REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 6)).code == 0);
    (void)rpc.later(ns_per_second);
    CHECK(rpc.call("sendpay", rpc.fence(invoice, 5)).message.substr(0, 29) == "Already succeeded with amount");
  }
  SUBCASE("no such channel") {
    auto params = rpc.fence(invoice, 5);
    params["route"][0]["channel"] = "1x2x3";
    CHECK(rpc.call("sendpay", params).code == 204);
    CHECK(rpc.rows(invoice).empty());
  }
}

TEST_CASE("rpc delpay: the node's refusals, and what it deletes") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(amount, forever);
  const std::string hash = invoice.hash.hex();
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "failed"}}).message ==
        "Unknown payment with payment_hash: " + hash);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 3)).code == 0);
  CHECK(rpc.call("delpay", {{"payment_hash", hash}}).message == "missing required parameter: status");
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "pending"}}).message ==
        "status: Cannot delete pending status: invalid token '\"pending\"'");
  const Said pending = rpc.call("delpay", {{"payment_hash", hash}, {"status", "complete"}});
  CHECK(pending.code == 208);
  CHECK(pending.message ==
        "Payment with hash " + hash + " has pending status but it different from the one provided complete");
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "failed"}, {"groupid", 3}}).message ==
        "Must set both partid and groupid, or neither");
  REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "complete"}, {"groupid", 4}, {"partid", 0}}).message ==
        "No payment for that payment_hash with that partid and groupid");
  const Said deleted =
      rpc.call("delpay", {{"payment_hash", hash}, {"status", "complete"}, {"groupid", 3}, {"partid", 0}});
  REQUIRE(deleted.body["payments"].size() == 1);
  CHECK(deleted.body["payments"][0]["status"] == "complete");
  CHECK(rpc.rows(invoice).empty());
  CHECK(rpc.call("listhtlcs").body["htlcs"].size() == 1);  // the HTLC stays
  CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "deleted", 0})).body["deleted"] == 1);
  CHECK(rpc.waitsendpay(invoice, 3).code == 208);
}
