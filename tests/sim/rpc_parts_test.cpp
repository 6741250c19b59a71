// Goal: sendpay, waitsendpay, listsendpays and delpay treat parts as a real node does (recordings 10 to 26 of parts).
// Method: the recordings again, answer by answer, over the small network.
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

constexpr std::uint64_t total = 100'000 * sat;
constexpr std::uint64_t unit = 1'000 * sat;  ///< a hundredth of the total; 1,000 msat in the recordings

std::string exists(const MadeInvoice& invoice, int group, int number) {
  return "There already is a payment with payment_hash=" + invoice.hash.hex() + ", groupid=" + std::to_string(group) +
         ", partid=" + std::to_string(number) +
         ". Either change the partid, or wait for the payment to complete and start a new group.";
}

/// The row of this part.
Json row_of(RpcWorld& rpc, const MadeInvoice& invoice, std::uint32_t number) {
  for (const Json& row : rpc.rows(invoice)) {
    if (row.value("partid", 0U) == number) return row;
  }
  return nullptr;
}

std::uint64_t mark(RpcWorld& rpc, const char* subsystem, const char* index) {
  return rpc.call("wait", nlohmann::json::array({subsystem, index, 0})).body[index];
}

std::uint64_t received(RpcWorld& rpc) {
  std::uint64_t sum = 0;
  for (const OracleEntry& entry : rpc.world().oracle()) {
    if (entry.state == OracleState::settled) sum += entry.amount.value();
  }
  return sum;
}

ActiveFaults met(const char* spec, std::uint32_t number) {
  return Faults::parse(spec)->at("sendpay", std::nullopt, number);
}

}  // namespace

TEST_CASE("rpc parts: one piece as part 1, held, then settled") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(total, Hold{Hold::forever});
  const auto one = rpc.part(invoice, 100, 1, total);
  const Said sent = rpc.call("sendpay", one);
  CHECK(sent.body["partid"] == 1);
  CHECK(sent.body["message"] == "Monitor status with listpays or waitsendpay");
  auto other_label = one;
  other_label["label"] = "other";
  CHECK(rpc.call("sendpay", other_label).body["label"] == "paytower:00:100:1");
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, total - unit)).message ==
        "Already pending with amount 100000000msat (not 99000000msat)");
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, total, total + 1)).body["created_index"] == 1);  // total ignored
  const auto refused = [&](const nlohmann::json& params, int code, const std::string& message) {
    const Said said = rpc.call("sendpay", params);
    CHECK(said.code == code);
    CHECK(said.message == message);
  };
  refused(rpc.part(invoice, 100, 2, unit), 200, "Already have 100000000msat of 100000000msat payments in progress");
  refused(rpc.part(invoice, 101, 1, total), 200,
          "Payment with groupid=100 still in progress, cannot retry before that completes.");
  refused(rpc.sendpay(invoice, 100, total), 200, "Already have parallel payment in progress");
  CHECK(rpc.waitsendpay(invoice, 100, 1, 1).waits);
  CHECK(rpc.later(ns_per_second).code == 200);
  CHECK(rpc.waitsendpay(invoice, 100).message == "Never attempted payment part 0 for '" + invoice.hash.hex() + "'");
  CHECK(rpc.call("waitsendpay", {{"payment_hash", invoice.hash.hex()}}).code == 208);
  REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
  CHECK(rpc.waitsendpay(invoice, 100, 10, 1).body["status"] == "complete");
  for (const int group : {100, 555}) {
    const Said again = rpc.call("sendpay", rpc.part(invoice, static_cast<std::uint64_t>(group), 1, total));
    CHECK(again.body["status"] == "complete");
    CHECK(again.body["groupid"] == 100);
  }
  refused(rpc.part(invoice, 100, 2, unit), 201, "Already succeeded other parts");
  refused(rpc.sendpay(invoice, 100, total), 201, "Already succeeded other parts");
  refused(rpc.part(invoice, 777, 1, 60 * unit), 201, "Already succeeded with amount 100000000msat (not 60000000msat)");
  refused(rpc.part(invoice, 777, 2, unit, 5 * total), 201, "Already succeeded other parts");
  CHECK(rpc.rows(invoice).size() == 1);
}

TEST_CASE("rpc parts: a failed one, another beside it, part 0 when nothing is pending, a lower group") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(total, {}, "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx3");
  const auto fails = [&](const nlohmann::json& params, std::uint32_t number) {
    CHECK(rpc.call("sendpay", params).code == 0);
    CHECK(rpc.waitsendpay(invoice, 100, 10, number).waits);
    CHECK(rpc.later(ns_per_second).code == 203);
  };
  fails(rpc.part(invoice, 100, 1, total), 1);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, total)).message == exists(invoice, 100, 1));
  fails(rpc.part(invoice, 100, 2, total), 2);
  fails(rpc.sendpay(invoice, 100, total), 0);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 50, 1, total)).code == 0);
  CHECK(rpc.waitsendpay(invoice, 50, 10, 1).waits);
  CHECK(rpc.later(ns_per_second).body["status"] == "complete");
  CHECK(rpc.waitsendpay(invoice, 100, 1, 1).code == 203);
  CHECK(rpc.rows(invoice).size() == 4);
}

TEST_CASE("rpc parts: only a sum that is pending already is in the way of another part") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, 60 * unit)).code == 0);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, 40 * unit), met("fail=0x1007@2@sendpay#2", 2)).code == 0);
  CHECK(rpc.waitsendpay(invoice, 100, 10, 2).waits);
  const Said failed = rpc.later(ns_per_second);
  CHECK(failed.code == 204);
  CHECK(failed.body["data"]["erring_index"] == 2);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, 40 * unit)).message == exists(invoice, 100, 2));
  for (const std::uint32_t number : {1U, 7U})
    CHECK(rpc.call("sendpay", rpc.part(invoice, 101, number, 40 * unit)).code == 200);
  SUBCASE("two of 60 % are 120 %") {
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 3, 60 * unit)).code == 0);
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 4, unit)).message ==
          "Already have 120000000msat of 100000000msat payments in progress");
    const Said much = rpc.call("sendpay", rpc.part(invoice, 100, 5, total + 1));
    CHECK(much.code == -32602);
    CHECK(much.message == "Final amount 100000001msat is greater than 100000000msat, despite MPP");
    (void)rpc.later(ns_per_second);
    CHECK(received(rpc) == 120 * unit);
    CHECK(rpc.waitsendpay(invoice, 100, 1, 1).body["status"] == "complete");
    CHECK(rpc.waitsendpay(invoice, 100, 1, 3).body["status"] == "complete");
    CHECK(rpc.waitsendpay(invoice, 100, 1, 2).code == 204);
    CHECK(rpc.call("waitsendpay", {{"payment_hash", invoice.hash.hex()}}).code == 208);
  }
  SUBCASE("a total that does not fit") {
    const Said other = rpc.call("sendpay", rpc.part(invoice, 100, 3, 40 * unit, total + 1));
    CHECK(other.code == -32602);
    CHECK(other.message == "msatoshi was previously 100000000msat, now 100000001msat");
  }
  SUBCASE("a part that no channel takes: 204 without a row, and its ids are free") {
    auto nowhere = rpc.part(invoice, 100, 3, 40 * unit);
    nowhere["route"][0]["channel"] = "9x9x9";
    CHECK(rpc.call("sendpay", nowhere).message == "No connection to first peer found");
    CHECK(row_of(rpc, invoice, 3).is_null());
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 3, 40 * unit)).code == 0);
  }
}

TEST_CASE("rpc parts: one settled, one pending; nothing can be added, until the complete row is gone") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, 60 * unit)).code == 0);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, 40 * unit), met("stall=forever@sendpay", 2)).code == 0);
  CHECK(rpc.waitsendpay(invoice, 100, 10, 1).waits);
  CHECK(rpc.later(ns_per_second).body["status"] == "complete");
  CHECK(row_of(rpc, invoice, 2)["status"] == "pending");
  const auto said = [&](const nlohmann::json& params) { return rpc.call("sendpay", params); };
  CHECK(said(rpc.part(invoice, 100, 3, 20 * unit)).message == "Already succeeded other parts");
  CHECK(said(rpc.part(invoice, 100, 2, 40 * unit)).body["status"] == "pending");
  CHECK(said(rpc.part(invoice, 100, 1, 60 * unit)).body["status"] == "complete");
  CHECK(said(rpc.part(invoice, 200, 9, 60 * unit)).code == 200);
  CHECK(said(rpc.part(invoice, 200, 1, 60 * unit)).body["groupid"] == 100);
  CHECK(said(rpc.part(invoice, 200, 2, 40 * unit)).code == 200);
  CHECK(said(rpc.part_fence(invoice, 100, 2, 40 * unit)).body["label"] == "paytower:00:100:2");
  CHECK(said(rpc.part_fence(invoice, 100, 3, 40 * unit)).message == "Already succeeded other parts");
  const auto one = [&](std::uint32_t number) {
    return nlohmann::json{
        {"payment_hash", invoice.hash.hex()}, {"status", "complete"}, {"partid", number}, {"groupid", 100}};
  };
  CHECK(rpc.call("delpay", one(1)).body["payments"].size() == 1);
  CHECK(mark(rpc, "sendpays", "deleted") == 1);
  CHECK(rpc.rows(invoice).size() == 1);
  CHECK(said(rpc.part(invoice, 100, 3, 20 * unit)).code == 0);
  CHECK(said(rpc.part(invoice, 100, 1, 59 * unit)).code == 0);
  (void)rpc.later(ns_per_second);
  CHECK(rpc.waitsendpay(invoice, 100, 1, 3).code == 203);
  CHECK(rpc.waitsendpay(invoice, 100, 1, 1).code == 203);
  REQUIRE(rpc.world().admin().release(invoice.hash, std::nullopt));
  (void)rpc.later(ns_per_second);
  CHECK(received(rpc) == total);
}

TEST_CASE("rpc parts: delpay of a hash takes the rows of its status and leaves the others") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const std::string hash = invoice.hash.hex();
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 1, 60 * unit)).code == 0);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 2, 40 * unit), met("fail=0x1007@2@sendpay", 2)).code == 0);
  (void)rpc.later(ns_per_second);
  const Said deleted = rpc.call("delpay", {{"payment_hash", hash}, {"status", "failed"}});
  REQUIRE(deleted.body["payments"].size() == 1);
  CHECK(deleted.body["payments"][0]["partid"] == 2);
  CHECK(mark(rpc, "sendpays", "deleted") == 0);
  CHECK(rpc.rows(invoice).size() == 1);
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "failed"}, {"partid", 2}, {"groupid", 10}}).message ==
        "No payment for that payment_hash with that partid and groupid");
  const Said half = rpc.call("delpay", {{"payment_hash", hash}, {"status", "failed"}, {"partid", 2}});
  CHECK(half.code == -32602);
  CHECK(half.message == "Must set both partid and groupid, or neither");
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "complete"}, {"partid", 1}, {"groupid", 10}}).message ==
        "Payment with hash " + hash + " has pending status but it different from the one provided complete");
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 2, 40 * unit)).code == 0);  // its ids are free again
  (void)rpc.later(ns_per_second);
  CHECK(received(rpc) == total);
  CHECK(rpc.call("delpay", {{"payment_hash", hash}, {"status", "complete"}}).body["payments"].size() == 2);
  CHECK(rpc.rows(invoice).empty());
  // The HTLCs and their fees are known without the rows.
  CHECK(rpc.call("listhtlcs").body["htlcs"].size() == 3);
  const Json moves = rpc.call("listchannelmoves").body["channelmoves"];
  REQUIRE(moves.size() == 2);
  for (const Json& move : moves) {
    CHECK(move["group_id"] == 10);
    CHECK(move["fees_msat"].get<std::uint64_t>() > 1'500);
    CHECK(move["debit_msat"].get<std::uint64_t>() - move["fees_msat"].get<std::uint64_t>() ==
          (move["part_id"] == 1 ? 60 : 40) * unit);
  }
}

TEST_CASE("rpc parts: every HTLC shows its amount and no part; only the one of a settled part is told apart") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(total, Hold{Hold::forever});
  std::vector<std::uint64_t> sent;
  for (const std::uint32_t number : {1U, 2U}) {
    const auto params = rpc.part(invoice, 10, number, (number == 1 ? 60 : 40) * unit);
    sent.push_back(params["route"][0]["amount_msat"]);
    CHECK(rpc.call("sendpay", params).code == 0);
  }
  const Json htlcs = rpc.call("listhtlcs").body["htlcs"];
  REQUIRE(htlcs.size() == 2);
  Json of_channels = Json::array();
  const Json channels = rpc.call("listpeerchannels").body["channels"];
  for (const Json& channel : channels) {
    for (const Json& htlc : channel["htlcs"]) of_channels.push_back(htlc);
  }
  REQUIRE(of_channels.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(htlcs[i]["amount_msat"] == sent[i]);
    CHECK(of_channels[i]["amount_msat"] == sent[i]);
    for (const char* name : {"partid", "part_id", "groupid", "group_id"}) {
      CHECK_FALSE(htlcs[i].contains(name));
      CHECK_FALSE(of_channels[i].contains(name));
    }
  }
  CHECK(rpc.call("listchannelmoves").body["channelmoves"].empty());
}

TEST_CASE("rpc parts: a fence of a part, with nothing there and beside a pending sibling") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  bool sibling = false;
  SUBCASE("nothing there") {}
  SUBCASE("beside a sibling") { sibling = true; }
  if (sibling) CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 1, 60 * unit)).code == 0);
  const std::uint64_t htlcs = mark(rpc, "htlcs", "created");
  // The node refuses it unless its total is that of the other parts.
  const Said wrong = rpc.call("sendpay", rpc.part_fence(invoice, 10, 2, 40 * unit, 40 * unit));
  CHECK(wrong.code == (sibling ? -32602 : 0));
  const std::uint32_t number = sibling ? 2 : 3;
  const Said fence = rpc.call("sendpay", rpc.part_fence(invoice, 10, number, 40 * unit));
  CHECK(fence.body["status"] == "pending");
  CHECK(fence.body["amount_msat"] == 40 * unit);
  CHECK(fence.body["amount_sent_msat"] == Msat::max_value);
  CHECK(fence.body["destination"] == key_of(3).hex());
  const Said ended = rpc.waitsendpay(invoice, 10, 10, number);
  CHECK(ended.code == 204);
  CHECK(ended.body["data"]["erring_index"] == 0);
  CHECK(ended.body["data"]["failcode"] == 4103);
  CHECK(ended.body["data"]["label"] == "paytower:00:10:" + std::to_string(number) + ":fence");
  CHECK(row_of(rpc, invoice, number)["status"] == "failed");
  CHECK(mark(rpc, "htlcs", "created") == htlcs);
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, number, 40 * unit)).message ==
        exists(invoice, 10, static_cast<int>(number)));
  // A replacement is sent in the same group.
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 9, (sibling ? 40 : 100) * unit)).code == 0);
  (void)rpc.later(ns_per_second);
  CHECK(received(rpc) == total);
}

TEST_CASE("rpc parts: what is no fence of a part") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(total, Hold{Hold::forever});
  CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 1, 60 * unit)).code == 0);
  SUBCASE("the original is there: its own row is the answer") {
    const Said said = rpc.call("sendpay", rpc.part_fence(invoice, 10, 1, 60 * unit));
    CHECK(said.body["label"] == "paytower:00:10:1");
    CHECK(said.body["amount_sent_msat"] != Msat::max_value);
  }
  SUBCASE("another group") { CHECK(rpc.call("sendpay", rpc.part_fence(invoice, 11, 1, 60 * unit)).code == 200); }
  SUBCASE("one hop of all money is more than the total") {
    auto params = rpc.part_fence(invoice, 10, 2, 40 * unit);
    params["route"] = nlohmann::json::array({params["route"][0]});
    CHECK(rpc.call("sendpay", params).message ==
          "Final amount 2100000000000000000msat is greater than 100000000msat, despite MPP");
  }
  SUBCASE("all of it is pending") {
    CHECK(rpc.call("sendpay", rpc.part(invoice, 10, 2, 40 * unit)).code == 0);
    CHECK(rpc.call("sendpay", rpc.part_fence(invoice, 10, 3, 40 * unit)).message ==
          "Already have 100000000msat of 100000000msat payments in progress");
  }
  SUBCASE("no such channel") {
    auto params = rpc.part_fence(invoice, 10, 2, 40 * unit);
    params["route"][0]["channel"] = "9x9x9";
    CHECK(rpc.call("sendpay", params).code == 204);
    CHECK(row_of(rpc, invoice, 2).is_null());
  }
  CHECK(rpc.world().count(OracleState::fenced) == 0);
}

TEST_CASE("rpc parts: beside an orphan its group goes on, and no other; one of the whole amount stops all") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  SUBCASE("an orphan of a part") {
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 3, 30 * unit), met("orphan@sendpay#3", 3)).code == 0);
    const Json orphan = row_of(rpc, invoice, 3);
    CHECK(orphan["amount_sent_msat"] > orphan["amount_msat"]);
    CHECK(rpc.call("listhtlcs").body["htlcs"].empty());
    CHECK(rpc.call("sendpay", rpc.part(invoice, 200, 1, total)).code == 200);
    SUBCASE("two parts: the node counts the orphan") {
      CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 4, 70 * unit)).code == 0);
      CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 5, 30 * unit)).message ==
            "Already have 100000000msat of 100000000msat payments in progress");
    }
    SUBCASE("one part of all") {
      CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 4, total)).code == 0);
      (void)rpc.later(ns_per_second);
      CHECK(received(rpc) == total);
      CHECK(rpc.call("sendpay", rpc.part(invoice, 200, 1, total)).code == 200);
    }
  }
  SUBCASE("an orphan of the whole amount") {
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 1, total), met("orphan@sendpay#1", 1)).code == 0);
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, total)).code == 200);
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, unit)).code == 200);
    CHECK(rpc.call("sendpay", rpc.part(invoice, 100, 2, total, 2 * total)).message ==
          "msatoshi was previously 100000000msat, now 200000000msat");
    CHECK(rpc.call("sendpay", rpc.part(invoice, 101, 1, total)).code == 200);
  }
}

TEST_CASE("rpc parts: details of a failure are overwritten by the next one of the same part, and of no other") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(total, {}, "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1");
  const auto fails = [&](std::uint64_t group, std::uint32_t number, const char* spec) {
    CHECK(
        rpc.call("sendpay", rpc.part(invoice, group, number, total), spec ? met(spec, number) : ActiveFaults{}).code ==
        0);
    (void)rpc.later(ns_per_second);
  };
  fails(1, 1, nullptr);
  fails(2, 2, "fail=0x1007@2@sendpay");
  CHECK(rpc.waitsendpay(invoice, 1, 2, 1).code == 203);
  fails(3, 1, "fail=0x1007@2@sendpay");
  const Said overwritten = rpc.waitsendpay(invoice, 1, 2, 1);
  CHECK(overwritten.code == 204);
  CHECK(overwritten.body["data"]["failcode"] == 4103);
}

TEST_CASE("rpc parts: two over one channel, of which the second finds too little there") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice(0);
  const std::uint64_t whole = rpc.world().balance(chan_a, 0);
  const auto first = rpc.part(invoice, 1, 1, whole / 8 * 3, whole);
  CHECK(rpc.call("sendpay", first).code == 0);
  auto second = rpc.part(invoice, 1, 2, 1'000, whole);
  CHECK(second["route"][0]["channel"] == first["route"][0]["channel"]);
  // The first part's fees are gone from the channel, so the second part is too much.
  for (auto& hop : second["route"]) hop["amount_msat"] = hop["amount_msat"].get<std::uint64_t>() + whole / 8 * 5;
  CHECK(rpc.call("sendpay", second).code == 0);
  const Said refused = rpc.waitsendpay(invoice, 1, 3, 2);
  CHECK(refused.code == 204);
  REQUIRE(refused.body.contains("data"));
  CHECK(refused.body["data"]["erring_index"] == 0);
  CHECK_FALSE(refused.body["data"].contains("raw_message"));
  CHECK(row_of(rpc, invoice, 1)["status"] == "pending");
}
