// Every recorded answer of a real node to sendpay, waitsendpay and listsendpays, and what is concluded from it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/payment/lifecycle.h"
#include "core/switch/cln/conclusions.h"

using namespace paytower;
using namespace paytower::cln;
using nlohmann::json;

namespace {

constexpr std::size_t answer_bound = 16U << 20U;

/// One recorded answer with the request that it belongs to.
struct Exchange {
  std::string place;  ///< file and line
  std::string file;
  json request;
  json answer;
  RpcReply reply;  ///< as our reader sees the bytes of the socket
};

/// The recorder mostly used numbers as ids, we use strings: only the id is rewritten.
std::string with_text_id(std::string raw) {
  const std::string start = R"({"jsonrpc":"2.0","id":)";
  REQUIRE(raw.rfind(start, 0) == 0);
  if (raw[start.size()] == '"') return raw;
  const std::size_t end = raw.find(',', start.size());
  raw.insert(end, "\"");
  raw.insert(start.size(), "\"");
  return raw;
}

std::vector<Exchange> recorded(const std::string& method, const std::string& folder = "cln", std::size_t count = 30) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(PAYTOWER_TEST_DATA) + "/data/" + folder)) {
    if (entry.path().extension() == ".jsonl" &&
        std::isdigit(static_cast<unsigned char>(entry.path().filename().string()[0])) != 0)
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() == count);
  std::vector<Exchange> found;
  for (const auto& file : files) {
    std::map<std::string, json> requests;
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      const json entry = json::parse(line);
      if (entry["dir"] == "note" || !entry["json"].is_object() || !entry["json"].contains("id")) continue;
      const std::string id = entry["conn"].get<std::string>() + " " + entry["json"]["id"].dump();
      if (entry["dir"] == "req") {
        requests[id] = entry["json"];
        continue;
      }
      const auto asked = requests.find(id);
      if (asked == requests.end() || asked->second.value("method", "") != method) continue;
      std::string raw = entry["raw"].get<std::string>();
      REQUIRE(raw.substr(raw.size() - 2) == "\n\n");
      auto reply = read_reply(with_text_id(raw.substr(0, raw.size() - 2)), answer_bound);
      const std::string place = file.filename().string() + ":" + std::to_string(number);
      INFO(place);
      REQUIRE(static_cast<bool>(reply));
      found.push_back(Exchange{place, file.filename().string(), asked->second, entry["json"], std::move(*reply)});
    }
  }
  return found;
}

std::int64_t code_of(const Exchange& exchange) {
  return exchange.answer.contains("error") ? exchange.answer["error"]["code"].get<std::int64_t>() : 0;
}
std::string message_of(const Exchange& exchange) {
  return exchange.answer.contains("error") ? exchange.answer["error"]["message"].get<std::string>() : "";
}
std::string status_of(const Exchange& exchange) {
  return exchange.answer.contains("result") ? exchange.answer["result"].value("status", "") : "";
}

/// A row of the table: the answers it is about, how many of them were recorded, and what follows from them.
template <typename Word> struct Row {
  const char* name;
  std::int64_t code;      ///< 0: a result
  const char* beginning;  ///< of the message, or the status of a result
  int recorded;
  Word word;
};

template <typename Word>
const Row<Word>* row_for(const std::vector<Row<Word>>& table, const Exchange& exchange,
                         std::map<std::string, int>& seen) {
  const std::string words = code_of(exchange) == 0 ? status_of(exchange) : message_of(exchange);
  const Row<Word>* found = nullptr;
  for (const Row<Word>& row : table) {
    if (row.code != code_of(exchange) || words.rfind(row.beginning, 0) != 0) continue;
    CHECK_MESSAGE(found == nullptr, exchange.place, ": two rows");
    found = &row;
    ++seen[row.name];
  }
  CHECK_MESSAGE(found != nullptr, exchange.place, ": no row for ", code_of(exchange), " ", words);
  return found;
}

template <typename Word>
void check_counts(const std::vector<Row<Word>>& table, const std::map<std::string, int>& seen) {
  for (const Row<Word>& row : table) {
    const auto count = seen.find(row.name);
    CHECK_MESSAGE((count == seen.end() ? 0 : count->second) == row.recorded, row.name);
  }
}

/// The hand-over that would have made the recorded request.
Handover handover_of(const Exchange& exchange) {
  const json& params = exchange.request["params"];
  Handover handover;
  if (const auto hash = bytes<PaymentHash>(params, "payment_hash")) handover.key.hash = *hash;
  handover.key.id = AttemptId{number(params, "groupid").value_or(0)};
  handover.key.part = static_cast<std::uint32_t>(number(params, "partid").value_or(0));
  handover.label = text(params, "label").value_or("");
  return handover;
}

}  // namespace

TEST_CASE("sendpay: every recorded answer means what the table says") {
  const std::vector<Row<SendpayWord>> table = {
      {"pending: a row exists, possibly in flight", 0, "pending", 103, SendpayWord::pending},
      {"complete: settled by some row, not by this request", 0, "complete", 8, SendpayWord::complete},
      {"200 another group in progress", 200, "Payment with groupid=", 9, SendpayWord::busy},
      {"200 parallel and non-parallel", 200, "Already have non-parallel payment in progress", 1, SendpayWord::busy},
      {"200 non-parallel and parallel", 200, "Already have parallel payment in progress", 1, SendpayWord::busy},
      {"200 the parts reach the total", 200, "Already have 1", 1, SendpayWord::busy},
      {"201 pending with other amount or destination", 201, "Already pending ", 11, SendpayWord::exists},
      {"201 succeeded with another amount", 201, "Already succeeded with", 1, SendpayWord::exists},
      {"201 another part succeeded", 201, "Already succeeded other parts", 3, SendpayWord::exists},
      {"201 the same ids have failed", 201, "There already is a payment", 7, SendpayWord::exists},
      {"204 no first peer, no row", 204, "No connection to first peer found", 2, SendpayWord::no_row},
      {"204 first peer not ready, no row", 204, "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (First peer not ready", 4,
       SendpayWord::no_row},
      {"203 self payment", 203, "Unknown invoice", 2, SendpayWord::not_sent},
      {"-32602 another total", -32602, "msatoshi was previously", 1, SendpayWord::no_row},
      {"-32602 part without amount", -32602, "Must specify msatoshi", 1, SendpayWord::no_row},
      {"-32602 part without secret", -32602, "partid requires", 1, SendpayWord::no_row},
  };
  std::map<std::string, int> seen;
  for (const Exchange& exchange : recorded("sendpay")) {
    const auto* row = row_for(table, exchange, seen);
    if (row == nullptr) continue;
    const SendpayMeaning meaning = conclude_sendpay(exchange.reply);
    CHECK_MESSAGE(meaning.word == row->word, exchange.place, ": ", row->name);
    CHECK_MESSAGE(meaning.record.has_value() == (row->code == 0), exchange.place);

    Handover handover = handover_of(exchange);
    const DispatchAnswer answer = dispatch_answer(meaning, handover);
    const bool taken = row->word == SendpayWord::busy ||
                       (row->word == SendpayWord::complete && meaning.record->row.id != handover.key.id);
    const bool not_sent = taken || row->word == SendpayWord::no_row || row->word == SendpayWord::not_sent;
    CHECK_MESSAGE((answer.kind == DispatchAnswer::Kind::not_sent) == not_sent, exchange.place, ": ", row->name);
    if (not_sent) CHECK_MESSAGE((answer.failure.source_index == 0U) == !taken, exchange.place);
    // An answer means accepted only if the ids and the label of its row are those of this hand-over.
    const std::string stored = row->word == SendpayWord::pending ? exchange.answer["result"].value("label", "") : "";
    const bool own = row->word == SendpayWord::pending && stored == handover.label &&
                     handover.key.id == meaning.record->row.id && handover.key.part == meaning.record->row.part;
    CHECK_MESSAGE((answer.kind == DispatchAnswer::Kind::accepted) == own, exchange.place);
    handover.label += "x";
    CHECK_MESSAGE(dispatch_answer(meaning, handover).kind != DispatchAnswer::Kind::accepted, exchange.place);
  }
  check_counts(table, seen);
}

TEST_CASE("waitsendpay: every recorded answer means what the table says") {
  const std::vector<Row<WaitWord>> table = {
      {"complete: settled", 0, "complete", 45, WaitWord::settled},
      {"200 timed out: nothing", 200, "Timed out while waiting", 17, WaitWord::pending},
      {"202 unreadable: failed", 202, "Malformed error reply", 2, WaitWord::failed},
      {"203 the payee, for good: failed", 203, "failed: ", 10, WaitWord::failed},
      {"204 anything else: failed", 204, "failed: ", 47, WaitWord::failed},
      {"208 no row now: nothing", 208, "Never attempted payment part", 22, WaitWord::no_row},
      {"-32602 no question: nothing", -32602, "", 2, WaitWord::unknown},
  };
  std::map<std::string, int> seen;
  for (const Exchange& exchange : recorded("waitsendpay")) {
    const auto* row = row_for(table, exchange, seen);
    if (row == nullptr) continue;
    INFO(exchange.place << ": " << row->name);
    const WaitMeaning meaning = conclude_waitsendpay(exchange.reply);
    CHECK(meaning.word == row->word);
    if (row->word == WaitWord::settled) CHECK(proves(*meaning.record->row.preimage, meaning.record->hash));
    if (row->word != WaitWord::failed) continue;
    REQUIRE(meaning.record.has_value());
    const json& data = exchange.answer["error"]["data"];
    CHECK(meaning.record->row.id.value == data["groupid"].get<std::uint64_t>());
    if (row->code == 202) {
      CHECK(meaning.failure.code == FailureCode::unreadable);
      CHECK_FALSE(meaning.failure.source_index.has_value());
      continue;
    }
    CHECK(meaning.failure.source_index == data["erring_index"].get<std::uint32_t>());
    if (data.contains("erring_channel"))
      CHECK(meaning.failure.channel->channel.text() == data["erring_channel"].get<std::string>());
    if (data.contains("erring_direction"))
      CHECK(meaning.failure.channel->direction == data["erring_direction"].get<int>());
    const auto wire = data["failcode"].get<std::uint32_t>();
    if (row->code == 204 && meaning.failure.source_index == 0U) {
      CHECK(meaning.failure.code == FailureCode::local_refusal);
    } else if (failure_from_wire(wire) == FailureCode::unknown_code) {
      CHECK(meaning.failure.code == (row->code == 203 ? FailureCode::unknown_permanent : FailureCode::unknown_code));
    } else {
      CHECK(static_cast<std::uint32_t>(meaning.failure.code) == wire);
    }
  }
  check_counts(table, seen);
}

TEST_CASE("listsendpays: every recorded row is read as it stands") {
  int lists = 0;
  int refused = 0;
  std::map<RowState, int> states;
  for (const Exchange& exchange : recorded("listsendpays")) {
    INFO(exchange.place);
    if (exchange.answer.contains("error")) {
      CHECK_FALSE(conclude_listsendpays(exchange.reply, PaymentHash{}).has_value());
      ++refused;
      continue;
    }
    ++lists;
    for (const json& row : exchange.answer["result"]["payments"]) {
      const auto hash = *PaymentHash::from_hex_text(row["payment_hash"].get<std::string>());
      const auto records = conclude_listsendpays(exchange.reply, hash);
      REQUIRE(records.has_value());
      const auto record = std::find_if(records->begin(), records->end(), [&](const Record& one) {
        return one.created_index == row["created_index"].get<std::uint64_t>();
      });
      REQUIRE(record != records->end());
      CHECK(record->row.id.value == row["groupid"].get<std::uint64_t>());
      CHECK(record->row.part == row.value("partid", 0U));
      CHECK(record->row.label == row.value("label", ""));
      CHECK(record->row.amount->value() == row["amount_msat"].get<std::uint64_t>());
      CHECK(record->row.amount_sent->value() == row["amount_sent_msat"].get<std::uint64_t>());
      CHECK(record->row.destination->hex() == row["destination"].get<std::string>());
      const std::string status = row["status"].get<std::string>();
      CHECK((record->row.state == RowState::complete) == (status == "complete"));
      CHECK((record->row.state == RowState::failed) == (status == "failed"));
      if (status == "complete") CHECK(proves(*record->row.preimage, hash));
      ++states[record->row.state];
    }
  }
  CHECK(lists == 183);
  CHECK(refused == 2);
  CHECK(states[RowState::pending] == 58);
  CHECK(states[RowState::complete] == 54);
  CHECK(states[RowState::failed] == 123);
}

TEST_CASE("fences: 100 recorded races, and what each answer to the fence means") {
  int stands = 0;
  int lost = 0;
  for (const Exchange& exchange : recorded("sendpay")) {
    if (exchange.file.rfind("08h", 0) != 0 || handover_of(exchange).label != "poison") continue;
    INFO(exchange.place);
    const bool expected = status_of(exchange) == "pending" && exchange.answer["result"]["label"] == "poison";
    CHECK(fence_stands(conclude_sendpay(exchange.reply), handover_of(exchange)) == expected);
    ++(expected ? stands : lost);
  }
  CHECK(stands > 0);
  CHECK(lost > 0);
  for (const Exchange& exchange : recorded("waitsendpay")) {
    if (exchange.file.rfind("08h", 0) != 0 || !exchange.answer.contains("error")) continue;
    const WaitMeaning meaning = conclude_waitsendpay(exchange.reply);
    CHECK(meaning.word == WaitWord::failed);
    CHECK(meaning.record->row.label == "poison");
  }
}

TEST_CASE("parts: every recorded set of routes is read as it stands, and delivers what was asked for") {
  int sets = 0;
  for (const Exchange& exchange : recorded("getroutes", "cln/parts", 3)) {
    INFO(exchange.place);
    if (exchange.answer.contains("error")) {
      CHECK(code_of(exchange) == 205);
      continue;
    }
    const json& result = exchange.answer["result"];
    const std::size_t count = result["routes"].size();
    const std::vector<Route> routes = read_routes_answer(result, count);
    REQUIRE(routes.size() == count);
    CHECK(read_routes_answer(result, count - 1).empty());
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const json& path = result["routes"][i]["path"];
      REQUIRE(routes[i].hops.size() == path.size());
      CHECK(routes[i].hops.back().node.hex() == exchange.request["params"]["destination"].get<std::string>());
      CHECK(routes[i].total_amount() >= routes[i].delivered());
      CHECK(routes[i].total_amount() ==
            amount(path[0], path[0].contains("amount_msat") ? "amount_msat" : "amount_out_msat"));
      CHECK(routes[i].hops.back().delay == 10);
      sum += routes[i].delivered().value();
    }
    CHECK(sum == exchange.request["params"]["amount_msat"].get<std::uint64_t>());
    if (count > 1) ++sets;
  }
  CHECK(sets > 10);
  int layers = 0;
  for (const Exchange& exchange : recorded("askrene-create-layer", "cln/parts", 3)) {
    const json& layer = exchange.answer["result"]["layers"][0];
    // A version with reservations in layers also lists biases of nodes.
    CHECK(layer.contains("node_biases") == (exchange.file.find("_26") != std::string::npos));
    ++layers;
  }
  CHECK(layers == 4);
}

TEST_CASE("parts: every recorded answer to a part's sendpay means what it means for one") {
  std::map<std::pair<std::int64_t, SendpayWord>, int> seen;
  for (const Exchange& exchange : recorded("sendpay", "cln/parts", 3)) {
    INFO(exchange.place);
    const SendpayMeaning meaning = conclude_sendpay(exchange.reply);
    ++seen[{code_of(exchange), meaning.word}];
    if (meaning.word != SendpayWord::pending) continue;
    CHECK(meaning.record->row.part == exchange.request["params"]["partid"].get<std::uint32_t>());
    CHECK(dispatch_answer(meaning, handover_of(exchange)).kind == DispatchAnswer::Kind::accepted);
  }
  using Kind = std::pair<std::int64_t, SendpayWord>;
  const std::vector<Kind> kinds{
      {-32602, SendpayWord::no_row}, {0, SendpayWord::pending}, {200, SendpayWord::busy}, {201, SendpayWord::exists}};
  std::vector<Kind> met;
  for (const auto& one : seen) met.push_back(one.first);
  CHECK(met == kinds);
  CHECK(seen[{0, SendpayWord::pending}] == 12);
}

TEST_CASE("the details of an older group's failure are no evidence") {
  // Group 1 failed with 203. Asked about it after group 2019 had failed, the node gives the details of 2019's failure.
  bool overwritten = false;
  for (const Exchange& exchange : recorded("waitsendpay")) {
    if (exchange.file.rfind("03_", 0) != 0 || code_of(exchange) != 204) continue;
    const json& data = exchange.answer["error"]["data"];
    overwritten = overwritten || (data["groupid"] == 1 && data["failcode"] == 8217);
  }
  CHECK(overwritten);
  bool several = false;
  for (const Exchange& exchange : recorded("listsendpays")) {
    if (exchange.file.rfind("03_", 0) != 0 || exchange.answer.contains("error") ||
        exchange.answer["result"]["payments"].empty())
      continue;
    const json& rows = exchange.answer["result"]["payments"];
    const auto records =
        *conclude_listsendpays(exchange.reply, *PaymentHash::from_hex_text(rows[0]["payment_hash"].get<std::string>()));
    const Record* newest = newest_failure(records, 0);
    for (const Record& record : records) {
      if (record.row.state == RowState::failed) CHECK(record.updated_index <= newest->updated_index);
    }
    several = several || records.size() > 1;
  }
  CHECK(several);
}

TEST_CASE("answers that were read in the node's source only") {
  const auto error = [](std::int64_t code, json data = nullptr) {
    RpcReply reply;
    reply.error = RpcError{code, "words", std::move(data)};
    return reply;
  };
  for (const std::int64_t code : {-1, -3, -4, -5, 0, 202, 205, 206, 207, 208, 209, 210, 212, 302, 1000}) {
    CHECK(conclude_sendpay(error(code)).word == SendpayWord::unknown);
  }
  CHECK(conclude_sendpay(error(204, json{{"created_index", 5}})).word == SendpayWord::unknown);
  CHECK(conclude_sendpay(error(204, json{{"payment_hash", "00"}})).word == SendpayWord::unknown);
  for (const std::int64_t code : {-1, -3, -4, -5, 0, 201, 205, 206, 207, 210, 212, 1000, -32600, -32601, -32602}) {
    CHECK(conclude_waitsendpay(error(code)).word == WaitWord::unknown);
  }
  const WaitMeaning lost = conclude_waitsendpay(error(209));
  CHECK(lost.word == WaitWord::failed);
  CHECK(lost.failure == Failure{});
}

TEST_CASE("our own channel that is full is told from one that does not take the HTLC") {
  const auto refused = [](const std::string& words, std::uint64_t index = 0) {
    RpcReply reply;
    reply.error = RpcError{
        204, "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (WIRE_TEMPORARY_CHANNEL_FAILURE: " + words + ")",
        json{{"erring_index", index}, {"failcode", 4103U}, {"erring_channel", "111x1x0"}, {"erring_direction", 0U}}};
    return conclude_waitsendpay(reply);
  };
  CHECK(refused("Too many HTLCs").word == WaitWord::failed);
  CHECK(refused("Too many HTLCs").failure.code == FailureCode::channel_full);
  CHECK(refused("HTLC too dusty, allowed dust limit reached").failure.code == FailureCode::channel_full);
  CHECK(refused("Capacity exceeded - HTLC fee: 1sat").failure.code == FailureCode::local_refusal);
  // About other nodes' channels the text says nothing.
  CHECK(refused("Too many HTLCs", 1).failure.code == FailureCode::temporary_channel_failure);
}

TEST_CASE("a failure that the payee calls final ends the payment, also without a name") {
  Route route;
  route.hops.resize(2);
  bool seen = false;
  for (const Exchange& exchange : recorded("waitsendpay")) {
    if (code_of(exchange) != 203 || exchange.answer["error"]["data"]["erring_index"] != 2) continue;
    INFO(exchange.place);
    CHECK(judge(conclude_waitsendpay(exchange.reply).failure, route).final_reason.has_value());
    seen = true;
  }
  CHECK(seen);
  CHECK(judge(Failure{FailureCode::local_refusal, {}, {}, {}, ""}, route).exclude_channels.empty());
}
