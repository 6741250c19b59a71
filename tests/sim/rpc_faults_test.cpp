// Goal: a SPEC gives the same faults for the same requests every time, and each fault of the node does what it says.
// Method: the grammar alone, then the node without a socket.
#include "core/sim/node/connection.h"
#include "core/sim/node/faults.h"
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

/// The faults that the first request with this method meets.
ActiveFaults first_of(const char* spec, const char* method = "sendpay") { return Faults::parse(spec)->at(method); }

}  // namespace

TEST_CASE("rpc faults: the N-th occasion, some, every one, one of another kind") {
  Faults faults = *Faults::parse("drop-reply@sendpay:2,ignore@waitsendpay:2x2,twice@*,late=2s@connect");
  CHECK_FALSE(faults.at("sendpay").has(FaultKind::drop_reply));
  CHECK(faults.at("sendpay").has(FaultKind::drop_reply));
  CHECK_FALSE(faults.at("sendpay").has(FaultKind::drop_reply));
  std::vector<bool> ignored;
  for (int i = 0; i < 4; ++i) ignored.push_back(faults.at("waitsendpay").has(FaultKind::ignore));
  CHECK(ignored == std::vector<bool>{false, true, true, false});
  CHECK(faults.at("getinfo").has(FaultKind::twice));
  CHECK_FALSE(faults.at("connect").has(FaultKind::twice));
  CHECK(faults.at("connect").value(FaultKind::late) == 2 * ns_per_second);
}

TEST_CASE("rpc faults: of one payment, which others neither meet nor count") {
  PaymentHash mine;
  mine.bytes[0] = 7;
  Faults faults = *Faults::parse("forget@listsendpays/" + mine.hex() + ":2x2,twice@listsendpays/" + mine.hex());
  std::vector<bool> met;
  for (int i = 0; i < 4; ++i) {
    CHECK(faults.at("listsendpays", PaymentHash{}).all.empty());
    CHECK(faults.at("listsendpays").all.empty());
    met.push_back(faults.at("listsendpays", mine).has(FaultKind::forget));
  }
  CHECK(met == std::vector<bool>{false, true, true, false});
  CHECK(faults.at("listsendpays", mine).has(FaultKind::twice));
  faults.clear();
  CHECK(faults.at("listsendpays", mine).all.empty());
}

TEST_CASE("rpc faults: of one part, which others neither meet nor count") {
  PaymentHash mine;
  mine.bytes[0] = 7;
  Faults faults = *Faults::parse("ignore@sendpay#2:2,twice@sendpay/" + mine.hex() + "#0");
  for (const std::uint32_t part : {0U, 1U, 2U, 3U})
    CHECK_FALSE(faults.at("sendpay", mine, part).has(FaultKind::ignore));
  CHECK_FALSE(faults.at("sendpay", mine).has(FaultKind::ignore));
  CHECK(faults.at("sendpay", PaymentHash{}, 2).has(FaultKind::ignore));
  CHECK_FALSE(faults.at("sendpay", mine, 2).has(FaultKind::ignore));
  CHECK(faults.at("sendpay", mine, 0).has(FaultKind::twice));
  CHECK_FALSE(faults.at("sendpay", PaymentHash{}, 0).has(FaultKind::twice));
  RpcCall call;
  call.method = "sendpay";
  CHECK_FALSE(RpcNode::part_of(call).has_value());  // no request at all
  call.params = {{"route", 1}, {"payment_hash", 2}};
  CHECK(RpcNode::part_of(call) == 0u);
  call.params["partid"] = "7";
  CHECK(RpcNode::part_of(call) == 7u);
  call.method = "listsendpays";
  call.params = nlohmann::json::object();
  CHECK_FALSE(RpcNode::part_of(call).has_value());
}

TEST_CASE("rpc faults: by seed, the same every time, and others with another seed") {
  const auto draws = [](const char* spec) {
    Faults faults = *Faults::parse(spec);
    std::vector<bool> drawn;
    for (int i = 0; i < 400; ++i) drawn.push_back(faults.at("sendpay").has(FaultKind::drop_reply));
    return drawn;
  };
  const auto first = draws("seed=5,drop-reply@sendpay~4");
  CHECK(first == draws("seed=5,drop-reply@sendpay~4"));
  CHECK(first != draws("seed=6,drop-reply@sendpay~4"));
  const auto hits = std::count(first.begin(), first.end(), true);
  CHECK(hits > 60);
  CHECK(hits < 140);
}

TEST_CASE("rpc faults: what is no SPEC is refused") {
  for (const char* spec : {"drop-reply",
                           "nonsense@sendpay",
                           "late@sendpay",
                           "late=2@sendpay",
                           "close=x@sendpay",
                           "drop-reply@",
                           "drop-reply@sendpay:0",
                           "drop-reply@sendpay:x",
                           "drop-reply@sendpay/00:1",
                           "drop-reply@sendpay~0",
                           "drop-reply=1@sendpay",
                           "drop-reply@after-sendpay",
                           "orphan@after-sendpay",
                           "save@sendpay",
                           "error=many@sendpay",
                           "without",
                           "lose-result@sendpay",
                           "lag=-1",
                           "seed=x",
                           ",",
                           "ignore@sendpay#",
                           "ignore@sendpay#two",
                           "ignore@sendpay#2/00",
                           "fail@sendpay",
                           "fail=NO_SUCH_CODE@sendpay",
                           "fail=0x1007x2@sendpay",
                           "fail=0x1007@after-sendpay",
                           "stall@sendpay",
                           "stall=soon@sendpay",
                           "restart-payee=1@sendpay",
                           "hold=1s/x@sendpay"}) {
    CAPTURE(spec);
    const auto parsed = Faults::parse(spec);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::usage);
  }
  CHECK(Faults::parse(""));
  CHECK(Faults::parse("lag=3,without=listchannelmoves+getroutes,lightningd")->traits().without.size() == 2);
  CHECK(Faults::parse("lightningd")->poses_as_lightningd());
  CHECK_FALSE(Faults::parse("lightningd,forwarder")->poses_as_lightningd());
  CHECK(Faults::parse("forwarder")->behind_forwarder());
}

TEST_CASE("rpc faults: each kind of the wire") {
  CHECK(first_of("unread=3s@sendpay").value(FaultKind::unread) == 3 * ns_per_second);
  CHECK(first_of("break@sendpay").has(FaultKind::break_off));
  CHECK(first_of("break@after-sendpay").has(FaultKind::break_off, true));
  CHECK(first_of("close=9@sendpay").value(FaultKind::close) == 9);
  CHECK(first_of("stall=9s@sendpay").value(FaultKind::stall) == 9 * ns_per_second);
  CHECK(first_of("stall=forever@sendpay").value(FaultKind::stall) == Hold::forever);
  CHECK(first_of("fail=temporary_node_failure@2@sendpay").find(FaultKind::fail)->fail == FailSpec{0x2002, 2, {}});
  CHECK(first_of("shuffle=5@sendpay").value(FaultKind::shuffle) == 5);
  CHECK(first_of("restart@sendpay").has(FaultKind::restart));
  CHECK(first_of("restart@after-sendpay").has(FaultKind::restart, true));
  CHECK(first_of("die@sendpay").has(FaultKind::die));
  CHECK(first_of("die@after-sendpay").ends_batch());
  CHECK(first_of("refuse=1m@sendpay").value(FaultKind::refuse) == 60 * ns_per_second);
  CHECK(first_of("error=-1@sendpay").value(FaultKind::error) == -1);
  CHECK_FALSE(first_of("error=-1@sendpay").executes());
  CHECK(first_of("error=208@after-sendpay").executes());
}

TEST_CASE("rpc faults: spoiled answers") {
  RpcCall call;
  call.id = "7";
  const CallReply reply{false, Json{{"a", 1}}};
  const std::string good = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n\n";
  CHECK(spoiled_answer(call, reply, {}) == good);
  CHECK(spoiled_answer(call, reply, first_of("twice@sendpay")) == good + good);
  CHECK(spoiled_answer(call, reply, first_of("close=5@sendpay")) == good.substr(0, 5));
  CHECK(spoiled_answer(call, reply, first_of("wrong-id@sendpay")).find("\"id\":7,") == std::string::npos);
  CHECK(spoiled_answer(call, reply, first_of("big=2000000@sendpay")).size() == 2'000'000);
  CHECK(spoiled_answer(call, reply, first_of("deep=10000@sendpay")).find(std::string(10'000, '[')) !=
        std::string::npos);
  CHECK(spoiled_answer(call, reply, first_of("error=-3@sendpay")).find("\"code\":-3") != std::string::npos);
  CHECK_FALSE(nlohmann::json::accept(spoiled_answer(call, reply, first_of("garbage@sendpay"))));
}

TEST_CASE("rpc faults: orphan row") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), first_of("orphan@sendpay")).body["status"] == "pending");
  CHECK(rpc.waitsendpay(invoice, 1).waits);
  CHECK(rpc.later(3'600 * ns_per_second).code == 200);
  CHECK(rpc.call("listhtlcs").body["htlcs"].empty());
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 2)).code == 200);
  CHECK(rpc.world().oracle().empty());
}

TEST_CASE("rpc faults: a hand-over held back is executed late, also for a client that has gone") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), first_of("hold=5s@sendpay")).waits);
  CHECK(rpc.rows(invoice).empty());
  CHECK(rpc.later(4 * ns_per_second).waits);
  const Said late = rpc.later(ns_per_second);
  CHECK(late.body["status"] == "pending");
  CHECK(rpc.outcome(invoice, 1).body["status"] == "complete");
}

TEST_CASE("rpc faults: what was remembered is forgotten") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
  (void)rpc.later(ns_per_second);
  SUBCASE("the rows of the hash") {
    CHECK(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}},
                   first_of("forget@listsendpays", "listsendpays"))
              .body["payments"]
              .empty());
    CHECK(rpc.call("listhtlcs").body["htlcs"].size() == 1);
  }
  SUBCASE("behind a look that still shows them") {
    CHECK(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}},
                   first_of("forget@after-listsendpays", "listsendpays"))
              .body["payments"]
              .size() == 1);
    CHECK(rpc.rows(invoice).empty());
  }
  SUBCASE("all, with the HTLCs, and the counter tells") {
    (void)rpc.call("getinfo", {}, first_of("forget-all@getinfo", "getinfo"));
    CHECK(rpc.rows(invoice).empty());
    CHECK(rpc.call("listhtlcs").body["htlcs"].empty());
    CHECK(rpc.call("wait", nlohmann::json::array({"htlcs", "deleted", 0})).body["deleted"] == 1);
  }
  SUBCASE("a new store under the same node id") {
    (void)rpc.call("getinfo", {}, first_of("new-store@getinfo", "getinfo"));
    CHECK(rpc.rows(invoice).empty());
    CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "created", 0})).body["created"] == 0);
  }
  CHECK(rpc.world().count(OracleState::settled) == 1);  // the truth stays
}

TEST_CASE("rpc faults: restored from an older state") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  (void)rpc.call("getinfo", {}, first_of("save=old@getinfo", "getinfo"));
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
  (void)rpc.later(ns_per_second);
  const Said looked = rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}},
                               first_of("restore=old@listsendpays", "listsendpays"));
  CHECK(looked.body["payments"].empty());
  CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "created", 0})).body["created"] == 0);
}

TEST_CASE("rpc faults: another user of the node") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto params = rpc.sendpay(invoice, 1);
  SUBCASE("has paid before") {
    const Said sent = rpc.call("sendpay", params, first_of("foreign-complete@sendpay"));
    CHECK(sent.body["status"] == "complete");
    CHECK(sent.body["label"] == "another user of the node");
  }
  SUBCASE("holds the hash") {
    auto second = params;
    second["groupid"] = 2;
    CHECK(rpc.call("sendpay", second, first_of("foreign-hold@sendpay")).code == 200);
  }
  SUBCASE("has failed") {
    auto second = params;
    second["groupid"] = 2;
    CHECK(rpc.call("sendpay", second, first_of("foreign-fail@sendpay")).code == 0);
    CHECK(rpc.rows(invoice).size() == 2);
  }
  SUBCASE("pays behind a question") {
    const auto met = first_of("foreign-pay@after-listsendpays", "listsendpays");
    CHECK(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}}, met).body["payments"].empty());
    CHECK(rpc.rows(invoice).size() == 1);
  }
}

TEST_CASE("rpc faults: fences that do not take") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto params = rpc.fence(invoice, 5);
  RpcCall call;
  call.method = "sendpay";
  call.params = params;
  CHECK(RpcNode::is_fence(call));
  call.params = rpc.sendpay(invoice, 5);
  CHECK_FALSE(RpcNode::is_fence(call));
  SUBCASE("refused: no row") {
    CHECK(rpc.call("sendpay", params, first_of("refuse-fence@fence", "fence")).code == 204);
    CHECK(rpc.rows(invoice).empty());
  }
  SUBCASE("orphan: the row stays") {
    CHECK(rpc.call("sendpay", params, first_of("orphan-fence@fence", "fence")).body["status"] == "pending");
    CHECK(rpc.waitsendpay(invoice, 5).waits);
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 6)).code == 200);
  }
}

TEST_CASE("rpc faults: payees") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), first_of("no-preimage@sendpay")).code == 0);
  CHECK_FALSE(rpc.outcome(invoice, 1).body.contains("payment_preimage"));
}
