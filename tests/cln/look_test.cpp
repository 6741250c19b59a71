// A look at a payment hash: what is asked in which order, and when the answers count.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "tests/cln/world.h"
#include "tests/support/lists.h"

using namespace paytower;
using namespace paytower::test;

TEST_CASE("a look asks for marks, rows, HTLCs, movements and deletions, each behind the one before") {
  World world;
  world.connect();
  world.node.requests.clear();
  const cln::Counters since{1, 30, 3, 12};
  world.node.on_result(
      "listsendpays",
      json{{"payments", json::array({world.row("pending", world.handover.label), json{{"status", "complete"}}})}});
  world.node.on_result(
      "listhtlcs",
      json{{"htlcs",
            json::array(
                {json{{"created_index", 31},
                      {"direction", "out"},
                      {"state", "SENT_ADD_COMMIT"},
                      {"payment_hash", world.hash.hex()}},
                 json{{"created_index", 32}, {"direction", "in"}, {"state", "X"}, {"payment_hash", world.hash.hex()}},
                 json{{"created_index", 33},
                      {"direction", "out"},
                      {"state", "RCVD_REMOVE_ACK_REVOCATION"},
                      {"payment_hash", std::string(64, '0')}}})}});
  world.node.on_result("listchannelmoves", json{{"channelmoves", json::array({json{{"created_index", 13},
                                                                                   {"debit_msat", "101000msat"},
                                                                                   {"credit_msat", 0},
                                                                                   {"primary_tag", "invoice"},
                                                                                   {"payment_hash", world.hash.hex()},
                                                                                   {"group_id", 77},
                                                                                   {"part_id", 0}}})}});
  world.node.on("listchannelmoves",
                [&, answer = world.node.script["listchannelmoves"]](ScriptedNode& node, const Request& request) {
                  world.counters["htlcs.deleted"] = 4;  // changes while the lists are read
                  answer(node, request);
                });
  world.node_switch.look(world.hash, from(since));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const cln::NodeLists& look = lists_of(*only<LookAnswer>(events));
  CHECK(look.hash == world.hash);
  CHECK(look.now == cln::Counters{4, 40, 4, 20});
  CHECK(look.base_height == 119);
  REQUIRE(look.rows.size() == 2);
  CHECK(look.rows[0].id == AttemptId{77});
  CHECK(look.rows[0].lingers);
  CHECK(look.rows[1].state == RowState::pending);  // a row that cannot be read keeps the hash closed
  REQUIRE(look.htlcs.has_value());
  REQUIRE(look.htlcs->size() == 1);
  CHECK(look.htlcs->front().created_index == 31);
  CHECK_FALSE(look.htlcs->front().finished);
  REQUIRE(look.debits.has_value());
  REQUIRE(look.debits->size() == 1);
  CHECK(look.debits->front().id == AttemptId{77});
  std::vector<std::string> asked;
  for (const Request& request : world.node.requests) asked.push_back(request.method);
  CHECK(asked == std::vector<std::string>{"wait", "wait", "wait", "wait", "listsendpays", "listhtlcs",
                                          "listchannelmoves", "wait"});
  CHECK(world.node.of("listhtlcs")[0].params == json{{"index", "created"}, {"start", 31}, {"limit", 1000}});
}

TEST_CASE("money that left by no row that was read: the rows are read once more, behind it") {
  World world;
  world.connect();
  json others = world.row("complete", "somebody");
  others["groupid"] = 3;
  json first = json::array({world.row("failed", world.handover.label)});
  json second = json::array({world.row("failed", ""), others});
  std::size_t questions = 2;
  SUBCASE("another user paid in between") {}
  SUBCASE("a late copy of our own request settled in between") {
    first = json::array();
    second = json::array({world.row("complete", world.handover.label)});
  }
  SUBCASE("the row of it was read as failed") {
    others["status"] = "failed";
    first.push_back(others);
    others["status"] = "complete";
  }
  SUBCASE("the row of it was read as pending: it has to be read again before anything is concluded") {
    others["status"] = "pending";
    first.push_back(others);
    second = first;
    questions = 1;
  }
  SUBCASE("its row was deleted") { second = first; }
  world.node.on_error("waitsendpay", 204, world.failure(world.handover.label));
  const std::string group = second.back()["groupid"].dump();
  world.node.on_result("listchannelmoves", json{{"channelmoves", json::array({json{{"created_index", 13},
                                                                                   {"debit_msat", 101'000},
                                                                                   {"credit_msat", 0},
                                                                                   {"primary_tag", "invoice"},
                                                                                   {"payment_hash", world.hash.hex()},
                                                                                   {"group_id", std::stoull(group)},
                                                                                   {"part_id", 0}}})}});
  world.node.on("listsendpays", [&](ScriptedNode& node, const Request& request) {
    const bool paid = !world.node.of("listchannelmoves").empty();
    node.result(request, json{{"payments", paid ? second : first}});
  });
  world.node.requests.clear();
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const auto& rows = lists_of(*only<LookAnswer>(events)).rows;
  std::size_t complete = 0;
  for (const SwitchRow& row : rows) {
    if (row.state != RowState::complete) continue;
    ++complete;
    CHECK(row.id == AttemptId{std::stoull(group)});
    CHECK(row.preimage.has_value());
  }
  CHECK(complete == (second.back()["status"] == "complete" ? 1 : 0));
  // What the first answer said about a failure is kept.
  for (const SwitchRow& row : rows) {
    if (row.state == RowState::failed && row.id == AttemptId{77})
      CHECK(row.failure->code == FailureCode::temporary_channel_failure);
  }
  std::vector<std::string> asked;
  for (const Request& request : world.node.requests) {
    if (request.method == "listchannelmoves" || !asked.empty()) asked.push_back(request.method);
  }
  CHECK(asked == (questions == 2 ? std::vector<std::string>{"listchannelmoves", "listsendpays", "wait"}
                                 : std::vector<std::string>{"listchannelmoves", "wait"}));
}

TEST_CASE("an older node has fewer marks and lists, and they are absent, not empty") {
  World world;
  world.connect();
  world.node.on("wait", [&](ScriptedNode& node, const Request& request) {
    if (request.params["subsystem"] != "sendpays") return node.error(request, -32602);
    node.result(request, json{{"subsystem", "sendpays"}, {"created", 4}});
  });
  world.node.on_error("listhtlcs", -32602);
  world.node.on_error("listchannelmoves", -32601);
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const cln::NodeLists& look = lists_of(*only<LookAnswer>(events));
  CHECK(look.now == cln::Counters{4, {}, {}, {}});
  CHECK_FALSE(look.htlcs.has_value());
  CHECK_FALSE(look.debits.has_value());

  // A question that the node does not know is not asked again on this connection. The next one may lead to a node that
  // knows it.
  const auto methods_of_a_look = [&] {
    world.node.requests.clear();
    world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
    const auto more = world.run();
    REQUIRE(only<LookAnswer>(more) != nullptr);
    CHECK(lists_of(*only<LookAnswer>(more)).now == look.now);
    CHECK_FALSE(lists_of(*only<LookAnswer>(more)).htlcs.has_value());
    std::vector<std::string> methods;
    for (const Request& request : world.node.requests) methods.push_back(request.method);
    return methods;
  };
  CHECK(methods_of_a_look() == std::vector<std::string>{"wait", "listsendpays"});
  world.node.hang_up();
  (void)world.run();
  world.connect();
  CHECK(methods_of_a_look() ==
        std::vector<std::string>{"wait", "wait", "wait", "wait", "listsendpays", "listhtlcs", "listchannelmoves"});
}

TEST_CASE("half a look is no look") {
  for (const char* method : {"wait", "listsendpays", "listhtlcs", "listchannelmoves"}) {
    CAPTURE(method);
    for (const int kind : {0, 1, 2}) {
      CAPTURE(kind);
      World world;
      world.connect();
      if (kind == 0) world.node.on(method, [](ScriptedNode& node, const Request&) { node.hang_up(); });
      if (kind == 1) world.node.on_error(method, -1);
      if (kind == 2) world.node.on_result(method, json{{"payments", 5}});
      world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
      const auto events = world.run();
      CHECK(only<LookAnswer>(events) == nullptr);
      CHECK(only<Disconnected>(events) != nullptr);
    }
  }
}

TEST_CASE("a counter or an index that no database holds is no answer") {
  constexpr std::uint64_t beyond = std::uint64_t{1} << 63;
  for (const char* counter : {"sendpays.created", "htlcs.created", "htlcs.deleted", "channelmoves.created"}) {
    for (const std::uint64_t value : {beyond - 1, beyond, UINT64_MAX}) {
      World world;
      world.connect();
      world.counters[counter] = value;
      world.node_switch.look(world.hash, {});
      const auto events = world.run();
      CHECK((only<LookAnswer>(events) != nullptr) == (value < beyond));
    }
  }
  World world;
  world.connect();
  world.node.on_result("listhtlcs", json{{"htlcs", json::array({json{{"created_index", beyond},
                                                                     {"direction", "out"},
                                                                     {"state", "X"},
                                                                     {"payment_hash", world.hash.hex()}}})}});
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  CHECK(only<LookAnswer>(world.run()) == nullptr);
}

TEST_CASE("lists are read page by page") {
  World world;
  world.connect();
  world.node.on("listhtlcs", [&](ScriptedNode& node, const Request& request) {
    json page = json::array();
    const auto start = request.params["start"].get<std::uint64_t>();
    for (std::uint64_t index = start; index < 3'500 && page.size() < 1'000; ++index) {
      page.push_back(json{{"created_index", index},
                          {"direction", "out"},
                          {"state", "RCVD_REMOVE_ACK_REVOCATION"},
                          {"payment_hash", world.hash.hex()}});
    }
    node.result(request, json{{"htlcs", page}});
  });
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  CHECK(lists_of(*only<LookAnswer>(events)).htlcs->size() == 3'500 - 31);
  CHECK(world.node.of("listhtlcs").size() == 4);
}

TEST_CASE("the reason of a failed row is asked for, and kept only while no later failure replaced it") {
  World world;
  world.connect();
  json later = world.row("failed", "");
  later["groupid"] = 3;
  later["updated_index"] = 9;
  world.node.on_error("waitsendpay", 204, world.failure(world.handover.label));
  json rows = json::array({world.row("failed", world.handover.label)});
  bool kept = true;
  SUBCASE("the newest") {}
  SUBCASE("replaced before") {
    rows.push_back(later);
    kept = false;
  }
  SUBCASE("replaced between the two questions") {
    world.node.on("waitsendpay", [&](ScriptedNode& node, const Request& request) {
      rows.push_back(later);
      node.error(request, 204, world.failure(world.handover.label));
    });
    kept = false;
  }
  world.node.on("listsendpays", [&](ScriptedNode& node, const Request& request) {
    node.result(request, json{{"payments", rows}});
  });
  world.node_switch.look(world.hash, from(cln::Counters{1, 30, 3, 12}));
  const auto events = world.run();
  REQUIRE(only<LookAnswer>(events) != nullptr);
  const auto& found = lists_of(*only<LookAnswer>(events)).rows;
  CHECK(found[0].state == RowState::failed);
  CHECK(found[0].failure.has_value() == kept);

  world.node_switch.query(world.handover.key);
  const auto answers = world.run();
  REQUIRE(only<QueryAnswer>(answers) != nullptr);
  CHECK(only<QueryAnswer>(answers)->kind == QueryAnswer::Kind::failed);
  CHECK((only<QueryAnswer>(answers)->failure.code == FailureCode::temporary_channel_failure) == kept);
}

TEST_CASE("500 looks share their marks and lists") {
  World world;
  world.connect();
  for (std::uint32_t i = 0; i < 500; ++i) {
    PaymentHash hash = world.hash;
    hash.bytes[0] = static_cast<std::uint8_t>(i);
    hash.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    world.node_switch.look(hash, from(cln::Counters{1, 30 + i, 3, 12}));
  }
  std::set<PaymentHash> answered;
  for (const SwitchEvent& event : world.run()) answered.insert(std::get<LookAnswer>(event).hash);
  CHECK(answered.size() == 500);
  CHECK(world.node.of("listsendpays").size() == 500);
  CHECK(world.node.of("listhtlcs").size() == 1);
  CHECK(world.node.of("wait").size() == 5);
}

TEST_CASE("a restored database: every row that names its store") {
  World world;
  world.connect();
  json other = world.row("pending", "somebody");
  world.node.on_result("listsendpays",
                       json{{"payments", json::array({other, world.row("pending", world.handover.label)})}});
  world.node_switch.list_own(world.store);
  const auto events = world.run();
  REQUIRE(only<OwnRowsAnswer>(events) != nullptr);
  const auto& rows = only<OwnRowsAnswer>(events)->rows;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].row.id == AttemptId{77});
  CHECK(rows[0].row.destination == world.payee);
  CHECK(rows[0].created == UnixNs{1'795'392'600 * ns_per_second});
}

TEST_CASE("the newest rows of a store: read back from the end, no further than needed") {
  World world;
  world.connect();
  std::map<std::uint64_t, std::string> labels{
      {21, world.handover.label}};  // labels by created_index; all other rows are another user's
  std::uint64_t newest = 1'000;
  world.node.on("wait", [&](ScriptedNode& node, const Request& request) {
    node.result(request, json{{"subsystem", "sendpays"}, {"created", newest}});
  });
  world.node.on("listsendpays", [&](ScriptedNode& node, const Request& request) {
    const json& asked = request.params;
    json rows = json::array();
    const std::uint64_t first = asked.at("start");
    const std::uint64_t limit = asked.at("limit");
    for (std::uint64_t i = first; i < first + limit && i <= newest; ++i) {
      json one = world.row("complete", labels.count(i) != 0 ? labels.at(i) : "somebody");
      one["created_index"] = i;
      rows.push_back(std::move(one));
    }
    node.result(request, json{{"payments", std::move(rows)}});
  });
  const auto ask = [&](std::optional<std::uint64_t> since) {
    const std::size_t before = world.node.of("listsendpays").size();
    std::optional<Marks> marks;
    if (since) marks = cln::marks_of({since, {}, {}, {}});
    world.node_switch.newest_own(StoreTrace{world.store, UnixNs{}, marks});
    const auto events = world.run();
    REQUIRE(only<NewestOwnAnswer>(events) != nullptr);
    return std::pair(only<NewestOwnAnswer>(events)->ids, world.node.of("listsendpays").size() - before);
  };
  CHECK(ask(std::nullopt) == std::pair(std::vector{AttemptId{77}}, std::size_t{3}));
  CHECK(ask(990) == std::pair(std::vector<AttemptId>{}, std::size_t{1}));  // the store knows all older rows
  // There are many rows of others since then: they are read back from the end.
  CHECK(ask(900) == std::pair(std::vector<AttemptId>{}, std::size_t{3}));
  labels[995] = world.handover.label;
  CHECK(ask(990) == std::pair(std::vector{AttemptId{77}}, std::size_t{1}));
  // The search also ends at rows that are older than the store.
  labels.clear();
  world.node_switch.newest_own(StoreTrace{world.store, UnixNs{1'795'992'600 * ns_per_second}, std::nullopt});
  const auto events = world.run();
  CHECK(only<NewestOwnAnswer>(events)->ids.empty());
  // A node without rows, and one that does not know the question.
  newest = 0;
  CHECK(ask(std::nullopt).first.empty());
  world.node.on_error("wait", -32601);
  CHECK(ask(std::nullopt).first.empty());
}
