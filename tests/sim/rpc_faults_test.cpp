// Goal: a SPEC means the same faults for the same requests every time, each fault of the node does what it says, and
// the faults that the network's file keeps strike here too. Method: the grammar by itself, then the node without a
// socket.
#include "core/sim/node/connection.h"
#include "core/sim/node/faults.h"
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

/// What strikes the first occasion of `method`.
RpcStrikes struck(const char* spec, const char* method = "sendpay") { return RpcFaults::parse(spec)->strike(method); }

}  // namespace

TEST_CASE("rpc faults: the N-th occasion, some, every one, one of another kind") {
  RpcFaults faults = *RpcFaults::parse("drop-reply@sendpay:2,ignore@waitsendpay:2x2,twice@*,late=2s@connect");
  CHECK_FALSE(faults.strike("sendpay").drop_reply);
  CHECK(faults.strike("sendpay").drop_reply);
  CHECK_FALSE(faults.strike("sendpay").drop_reply);
  std::vector<bool> ignored;
  for (int i = 0; i < 4; ++i) ignored.push_back(faults.strike("waitsendpay").ignore);
  CHECK(ignored == std::vector<bool>{false, true, true, false});
  CHECK(faults.strike("getinfo").twice);
  CHECK_FALSE(faults.strike("connect").twice);
  CHECK(faults.strike("connect").late_ns == 2 * ns_per_second);
}

TEST_CASE("rpc faults: by seed, the same every time, and others with another seed") {
  const auto draws = [](const char* spec) {
    RpcFaults faults = *RpcFaults::parse(spec);
    std::vector<bool> drawn;
    for (int i = 0; i < 400; ++i) drawn.push_back(faults.strike("sendpay").drop_reply);
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
                           "hold=1s/x@sendpay"}) {
    CAPTURE(spec);
    const auto parsed = RpcFaults::parse(spec);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::usage);
  }
  CHECK(RpcFaults::parse(""));
  CHECK(RpcFaults::parse("lag=3,without=listchannelmoves+getroutes,lightningd")->traits().without.size() == 2);
  CHECK(RpcFaults::parse("lightningd")->poses_as_lightningd());
  CHECK_FALSE(RpcFaults::parse("lightningd,forwarder")->poses_as_lightningd());
  CHECK(RpcFaults::parse("forwarder")->behind_forwarder());
}

TEST_CASE("rpc faults: each kind of the wire") {
  CHECK(struck("unread=3s@sendpay").unread_ns == 3 * ns_per_second);
  CHECK(struck("break@sendpay").break_before);
  CHECK(struck("break@after-sendpay").break_after);
  CHECK(struck("close=9@sendpay").cut == 9);
  CHECK(struck("shuffle=5@sendpay").shuffle == 5);
  CHECK(struck("restart@sendpay").restart_before);
  CHECK(struck("restart@after-sendpay").restart_after);
  CHECK(struck("die@sendpay").die_before);
  CHECK(struck("die@after-sendpay").die_after);
  CHECK(struck("refuse=1m@sendpay").refuse_before == 60 * ns_per_second);
  CHECK(struck("error=-1@sendpay").error_before == -1);
  CHECK_FALSE(struck("error=-1@sendpay").executes());
  CHECK(struck("error=208@after-sendpay").executes());
}

TEST_CASE("rpc faults: spoiled answers") {
  RpcCall call;
  call.id = "7";
  const CallReply reply{false, Json{{"a", 1}}};
  const std::string good = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n\n";
  CHECK(spoiled_answer(call, reply, {}) == good);
  CHECK(spoiled_answer(call, reply, struck("twice@sendpay")) == good + good);
  CHECK(spoiled_answer(call, reply, struck("close=5@sendpay")) == good.substr(0, 5));
  CHECK(spoiled_answer(call, reply, struck("wrong-id@sendpay")).find("\"id\":7,") == std::string::npos);
  CHECK(spoiled_answer(call, reply, struck("big=2000000@sendpay")).size() == 2'000'000);
  CHECK(spoiled_answer(call, reply, struck("deep=10000@sendpay")).find(std::string(10'000, '[')) != std::string::npos);
  CHECK(spoiled_answer(call, reply, struck("error=-3@sendpay")).find("\"code\":-3") != std::string::npos);
  CHECK_FALSE(nlohmann::json::accept(spoiled_answer(call, reply, struck("garbage@sendpay"))));
}

TEST_CASE("rpc faults: orphan row") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), struck("orphan@sendpay").orders).body["status"] == "pending");
  CHECK(rpc.waitsendpay(invoice, 1).waits);
  CHECK(rpc.later(3'600 * ns_per_second).code == 200);
  CHECK(rpc.call("listhtlcs").body["htlcs"].empty());
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 2)).code == 200);
  CHECK(rpc.world().oracle().empty());
}

TEST_CASE("rpc faults: a hand-over held back is executed late, also for a client that has gone") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), struck("hold=5s@sendpay").orders).waits);
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
                   struck("forget@listsendpays", "listsendpays").orders)
              .body["payments"]
              .empty());
    CHECK(rpc.call("listhtlcs").body["htlcs"].size() == 1);
  }
  SUBCASE("all, with the HTLCs, and the counter tells") {
    (void)rpc.call("getinfo", {}, struck("forget-all@getinfo", "getinfo").orders);
    CHECK(rpc.rows(invoice).empty());
    CHECK(rpc.call("listhtlcs").body["htlcs"].empty());
    CHECK(rpc.call("wait", nlohmann::json::array({"htlcs", "deleted", 0})).body["deleted"] == 1);
  }
  SUBCASE("a new store under the same node id") {
    (void)rpc.call("getinfo", {}, struck("new-store@getinfo", "getinfo").orders);
    CHECK(rpc.rows(invoice).empty());
    CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "created", 0})).body["created"] == 0);
  }
  CHECK(rpc.world().count(OracleState::settled) == 1);  // the truth stays
}

TEST_CASE("rpc faults: restored from an older state") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  (void)rpc.call("getinfo", {}, struck("save=old@getinfo", "getinfo").orders);
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1)).code == 0);
  (void)rpc.later(ns_per_second);
  const Said looked = rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}},
                               struck("restore=old@listsendpays", "listsendpays").orders);
  CHECK(looked.body["payments"].empty());
  CHECK(rpc.call("wait", nlohmann::json::array({"sendpays", "created", 0})).body["created"] == 0);
}

TEST_CASE("rpc faults: another user of the node") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto params = rpc.sendpay(invoice, 1);
  SUBCASE("has paid before") {
    const Said sent = rpc.call("sendpay", params, struck("foreign-complete@sendpay").orders);
    CHECK(sent.body["status"] == "complete");
    CHECK(sent.body["label"] == "another user of the node");
  }
  SUBCASE("holds the hash") {
    auto second = params;
    second["groupid"] = 2;
    CHECK(rpc.call("sendpay", second, struck("foreign-hold@sendpay").orders).code == 200);
  }
  SUBCASE("has failed") {
    auto second = params;
    second["groupid"] = 2;
    CHECK(rpc.call("sendpay", second, struck("foreign-fail@sendpay").orders).code == 0);
    CHECK(rpc.rows(invoice).size() == 2);
  }
  SUBCASE("pays behind a question") {
    const auto orders = struck("foreign-pay@after-listsendpays", "listsendpays").orders;
    CHECK(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}}, orders).body["payments"].empty());
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
    CHECK(rpc.call("sendpay", params, struck("refuse-fence@fence", "fence").orders).code == 204);
    CHECK(rpc.rows(invoice).empty());
  }
  SUBCASE("orphan: the row stays") {
    CHECK(rpc.call("sendpay", params, struck("orphan-fence@fence", "fence").orders).body["status"] == "pending");
    CHECK(rpc.waitsendpay(invoice, 5).waits);
    CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 6)).code == 200);
  }
}

TEST_CASE("rpc faults: payees") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  CHECK(rpc.call("sendpay", rpc.sendpay(invoice, 1), struck("no-preimage@sendpay").orders).code == 0);
  CHECK_FALSE(rpc.outcome(invoice, 1).body.contains("payment_preimage"));
}

TEST_CASE("rpc faults: those of the network's file strike the requests that mean the same") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  const auto params = rpc.sendpay(invoice, 1);
  SUBCASE("dispatch, reply lost") {
    rpc.world().fault(FaultKind::lose_reply, Step::after_dispatch);
    const Said lost = rpc.call("sendpay", params);
    CHECK_FALSE(lost.answered);
    CHECK_FALSE(lost.breaks);
    CHECK(rpc.rows(invoice).size() == 1);
  }
  SUBCASE("dispatch, never executed") {
    rpc.world().fault(FaultKind::disconnect, Step::before_dispatch);
    CHECK(rpc.call("sendpay", params).breaks);
    CHECK(rpc.rows(invoice).empty());
  }
  SUBCASE("look") {
    rpc.world().fault(FaultKind::lose_reply, Step::before_look);
    CHECK_FALSE(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}}).answered);
    CHECK(rpc.call("listsendpays", {{"payment_hash", invoice.hash.hex()}}).answered);
  }
  SUBCASE("query") {
    rpc.world().fault(FaultKind::lose_reply, Step::query);
    CHECK(rpc.call("sendpay", params).code == 0);
    CHECK(rpc.waitsendpay(invoice, 1).waits);
    CHECK_FALSE(rpc.later(ns_per_second).answered);
    CHECK(rpc.waitsendpay(invoice, 1).body["status"] == "complete");
  }
  SUBCASE("fence") {
    rpc.world().fault(FaultKind::refuse_fence, Step::before_fence);
    CHECK(rpc.call("sendpay", rpc.fence(invoice, 1)).code == 204);
  }
}
