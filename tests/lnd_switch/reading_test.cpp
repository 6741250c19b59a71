// Every recorded answer of a real lnd is read, and its fields are those of the text; what no lnd says is refused.
#include <doctest/doctest.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/payment/channel_update.h"
#include "core/switch/lnd/failures.h"
#include "core/switch/lnd/fields.h"
#include "core/switch/lnd/reading.h"
#include "tests/lnd_switch/recorded.h"

using namespace paytower;
using namespace paytower::lnd;
using nlohmann::json;
using test::Exchange;
using test::recorded;

namespace {

const std::string key_a = "027b144f81231223f59f7e8f57270515eca23a2ce214fb55142d1031fc5d8cab49";
const std::string key_b = "03f0f2ce79e5ba35996456cd4ec9df0c2100f92bc1cce85eb3ae0a7356a32d2cd4";
const std::string key_d = "022ce884ff248c0365ea119a3d93aaa7f1977bc3ad32bf6e3b5c5f25d8ba3e4371";

PublicKey key(const std::string& hex) { return *PublicKey::from_hex_text(hex); }

const char* word(Htlc::State state) {
  if (state == Htlc::State::settled) return "SUCCEEDED";
  return state == Htlc::State::failed ? "FAILED" : "IN_FLIGHT";
}

const char* word(Record::Status status) {
  if (status == Record::Status::succeeded) return "SUCCEEDED";
  return status == Record::Status::failed ? "FAILED" : "IN_FLIGHT";
}

/// Compares the HTLC with its JSON text, which is read here without our own reader.
void check_htlc(const Htlc& htlc, const json& text) {
  CHECK(std::to_string(htlc.attempt_id) == text["attempt_id"]);
  CHECK(word(htlc.state) == text["status"]);
  CHECK(std::to_string(htlc.attempt_time.value) == text["attempt_time_ns"]);
  CHECK(std::to_string(htlc.sent.value()) == text["route"]["total_amt_msat"]);
  CHECK(htlc.total_time_lock == text["route"]["total_time_lock"]);
  CHECK((htlc.preimage ? to_base64(htlc.preimage->bytes) : "") == text["preimage"]);
  CHECK(htlc.failure.has_value() == !text["failure"].is_null());
  if (htlc.failure && htlc.failure->source_index)
    CHECK(*htlc.failure->source_index == text["failure"]["failure_source_index"]);
  if (htlc.failure) CHECK(failure_name(htlc.failure->code) == text["failure"]["code"]);
  const json& hops = text["route"]["hops"];
  REQUIRE_FALSE(hops.empty());
  CHECK(std::to_string(htlc.amount.value()) == hops.back()["amt_to_forward_msat"]);
  CHECK(htlc.destination->hex() == hops.back()["pub_key"]);
  CHECK(std::to_string(htlc.first_channel->value) == hops.front()["chan_id"]);
  const json& records = hops.back()["custom_records"];
  CHECK(htlc.mark.has_value() == records.contains("5564161"));
  if (htlc.mark) CHECK(to_base64(*htlc.mark) == records["5564161"]);
}

void check_payment(const PaymentShown& shown, const json& text) {
  CHECK(shown.hash.hex() == text["payment_hash"]);
  CHECK(word(shown.record.status) == text["status"]);
  CHECK(std::to_string(shown.record.value.value()) == text["value_msat"]);
  CHECK(std::to_string(shown.record.created.value) == text["creation_time_ns"]);
  CHECK(std::to_string(shown.index) == text["payment_index"]);
  CHECK(shown.invoice == text["payment_request"]);
  CHECK((shown.record.preimage ? shown.record.preimage->hex() : std::string(64, '0')) == text["payment_preimage"]);
  REQUIRE(shown.record.htlcs.size() == text["htlcs"].size());
  for (std::size_t i = 0; i < shown.record.htlcs.size(); ++i) check_htlc(shown.record.htlcs[i], text["htlcs"][i]);
}

json sample_attempt() {
  return json{{"attempt_id", "7"},
              {"status", "FAILED"},
              {"route",
               {{"total_time_lock", 530},
                {"total_amt_msat", "51000"},
                {"hops", json::array({{{"chan_id", "17592186044416000000"},
                                       {"pub_key", key_d},
                                       {"amt_to_forward_msat", "50000"},
                                       {"custom_records", {{"5564161", "ABEiM0RVZneImaq7zN3u/w=="}}}}})}}},
              {"attempt_time_ns", "5"},
              {"failure", {{"code", "MPP_TIMEOUT"}, {"failure_source_index", 1}}},
              {"preimage", ""}};
}

json sample_payment() {
  return json{{"payment_hash", std::string(64, 'a')},
              {"status", "IN_FLIGHT"},
              {"value_msat", "50000"},
              {"creation_time_ns", "9"},
              {"htlcs", json::array({sample_attempt()})}};
}

/// A field of a message with a value that lnd never writes.
struct Wrong {
  const char* where;
  json value;
};

bool reads(const json& payment) { return bool(read_stream_line(json{{"result", payment}}.dump())); }

}  // namespace

TEST_CASE("lnd: every recorded answer to a hand-over is read") {
  std::size_t read = 0;
  for (const Exchange& one : recorded("/v2/router/route/send")) {
    INFO(one.place);
    if (one.status != 200) {
      CHECK(read_error(one.body).has_value());
      CHECK_FALSE(bool(read_attempt(one.body)));
      continue;
    }
    const auto htlc = read_attempt(one.body);
    REQUIRE(htlc);
    check_htlc(*htlc, json::parse(one.body));
    ++read;
  }
  CHECK(read > 60);
}

TEST_CASE("lnd: every recorded line of a stream is read") {
  std::size_t payments = 0;
  std::size_t errors = 0;
  for (const char* path : {"/v2/router/track/", "/v2/router/payments", "/v2/router/send"}) {
    for (const Exchange& one : recorded(path)) {
      INFO(one.place);
      const auto line = read_stream_line(one.body);
      const json text = json::parse(one.body, nullptr, false);
      if (text.contains("code")) {  // the gateway's own: no stream was opened
        CHECK(read_error(one.body)->wrapped == false);
        continue;
      }
      REQUIRE(line);
      if (const auto* shown = std::get_if<PaymentShown>(&*line)) {
        check_payment(*shown, text["result"]);
        ++payments;
      } else {
        CHECK(std::get<RestError>(*line).message == text["error"]["message"]);
        CHECK(std::get<RestError>(*line).wrapped);
        ++errors;
      }
    }
  }
  CHECK(payments > 100);
  CHECK(errors > 10);
}

TEST_CASE("lnd: every recorded page of payments is read") {
  std::size_t rows = 0;
  for (const Exchange& one : recorded("/v1/payments?")) {
    if (one.method != "GET" || one.status != 200) continue;
    INFO(one.place);
    const auto page = read_payments(one.body);
    const json text = json::parse(one.body);
    REQUIRE(page);
    CHECK(page->rows == text["payments"].size());
    CHECK(std::to_string(page->last_index) == text["last_index_offset"]);
    REQUIRE(page->payments.size() == page->rows);
    for (std::size_t i = 0; i < page->rows; ++i) check_payment(page->payments[i], text["payments"][i]);
    rows += page->rows;
  }
  CHECK(rows > 15);
}

TEST_CASE("lnd: a page leaves out what cannot be read, and counts it") {
  json odd = sample_payment();
  odd["status"] = "TELEPORTED";
  const json page{{"payments", json::array({odd, sample_payment()})}, {"last_index_offset", "4"}};
  const auto read = read_payments(page.dump());
  REQUIRE(read);
  CHECK(read->rows == 2);
  CHECK(read->payments.size() == 1);
  CHECK(read->last_index == 4);
  CHECK_FALSE(bool(read_payments(R"({"payments": 5})")));
  CHECK_FALSE(bool(read_payments("[]")));
}

TEST_CASE("lnd: who it is and how far it has come") {
  const auto infos = recorded("/v1/getinfo");
  REQUIRE_FALSE(infos.empty());
  const auto info = read_node_info(infos.front().body);
  REQUIRE(info);
  CHECK(info->key.hex() == key_a);
  CHECK(info->network == "simnet");
  CHECK(info->height == 367);
  CHECK(info->synced);
  CHECK(info->version == "0.21.2-beta commit=");
  json text = json::parse(infos.front().body);
  text["chains"][0]["network"] = "mainnet";
  CHECK(read_node_info(text.dump())->network == "bitcoin");
  text["chains"] = json::array();
  CHECK_FALSE(bool(read_node_info(text.dump())));
  for (const Exchange& one : recorded("/v1/state")) {
    // In 19_http two requests are under way on one connection, and the other one is answered first.
    if (json::parse(one.body).contains("state")) CHECK(*read_state(one.body) == ServerState::active);
  }
  CHECK(*read_state(R"({"state":"RPC_ACTIVE"})") == ServerState::rpc_active);
  CHECK(*read_state(R"({"state":"WAITING_TO_START"})") == ServerState::starting);
  CHECK(*read_state(R"({"state":"UNLOCKED"})") == ServerState::starting);
  CHECK(*read_state(R"({"state":"LOCKED"})") == ServerState::locked);
  CHECK(*read_state(R"({"state":"NON_EXISTING"})") == ServerState::no_wallet);
  for (const char* odd : {"{}", "", "[]", R"({"state":1})", R"({"state":"OTHER"})"}) CHECK_FALSE(bool(read_state(odd)));
}

TEST_CASE("lnd: channels, and what they carry away") {
  std::size_t carried = 0;
  for (const Exchange& one : recorded("/v1/channels")) {
    if (one.status != 200 || one.path.find("/v1/channels/") == 0) continue;
    INFO(one.place);
    const auto channels = read_channels(one.body);
    const json text = json::parse(one.body)["channels"];
    REQUIRE(channels);
    REQUIRE(channels->size() == text.size());
    for (std::size_t i = 0; i < channels->size(); ++i) {
      const OwnChannel& channel = (*channels)[i];
      CHECK(std::to_string(channel.id.value) == text[i]["chan_id"]);
      CHECK(channel.active == text[i]["active"]);
      std::vector<std::string> out;
      for (const json& htlc : text[i]["pending_htlcs"])
        if (!htlc["incoming"]) out.push_back(htlc["hash_lock"]);
      REQUIRE(channel.pending_out.size() == out.size());
      for (std::size_t n = 0; n < out.size(); ++n) CHECK(to_base64(channel.pending_out[n].bytes) == out[n]);
      carried += out.size();
    }
  }
  CHECK(carried > 0);
  const std::string peer = R"("remote_pubkey":"02)" + std::string(64, 'a') + R"(",)";
  const auto coming = read_channels(R"({"channels":[{"chan_id":"5",)" + peer +
                                    R"("local_balance":"900","local_chan_reserve_sat":"100",)"
                                    R"("pending_htlcs":[{"incoming":true,"hash_lock":")" +
                                    to_base64(Bytes(32, 1)) + R"("}]}]})");
  REQUIRE(coming);
  CHECK(coming->front().pending_out.empty());
  CHECK(coming->front().spendable == Msat::of(800'000));
  const auto below = read_channels(R"({"channels":[{"chan_id":"5",)" + peer +
                                   R"("local_balance":"9","local_chan_reserve_sat":"100"}]})");
  REQUIRE(below);
  CHECK(below->front().spendable == Msat{});
  CHECK_FALSE(bool(read_channels(R"({"channels":[{"chan_id":"5"}]})")));
  CHECK_FALSE(
      bool(read_channels(R"({"channels":[{"chan_id":"5",)" + peer + R"("pending_htlcs":[{"hash_lock":"AAAA"}]}]})")));
}

TEST_CASE("lnd: routes, with directions by the keys and delays above the height") {
  std::size_t read = 0;
  for (const Exchange& one : recorded("/v1/graph/routes/")) {
    if (one.status != 200 || one.place.rfind("E_", 0) == 0) continue;
    INFO(one.place);
    const auto routes = read_routes(one.body, key(key_a), 100);
    const json text = json::parse(one.body)["routes"];
    REQUIRE(routes);
    REQUIRE(routes->size() == text.size());
    const Route& route = routes->front();
    CHECK(std::to_string(route.total_amount().value()) == text[0]["total_amt_msat"]);
    CHECK(std::to_string(route.fees().value()) == text[0]["total_fees_msat"]);
    CHECK(route.total_delay() + 100 == text[0]["total_time_lock"]);
    CHECK(route.hops.back().delay + 100 == text[0]["hops"].back()["expiry"]);
    CHECK(route.hops.back().node.hex() == text[0]["hops"].back()["pub_key"]);
    for (std::size_t i = 1; i < route.hops.size(); ++i) {
      CHECK(std::to_string(route.hops[i].amount.value()) == text[0]["hops"][i - 1]["amt_to_forward_msat"]);
      CHECK(route.hops[i].delay + 100 == text[0]["hops"][i - 1]["expiry"]);
      CHECK(route.hops[i].direction == (route.hops[i - 1].node < route.hops[i].node ? 0 : 1));
    }
    CHECK(route.hops.front().direction == (key(key_a) < route.hops.front().node ? 0 : 1));
    ++read;
  }
  CHECK(read > 10);
}

TEST_CASE("lnd: a route that a hand-over could not repeat is refused") {
  json whole;
  for (const Exchange& one : recorded("/v1/graph/routes/")) {
    if (one.status == 200 && whole.is_null()) whole = json::parse(one.body);
  }
  const auto readable = [](const json& text, std::uint32_t height = 367) {
    return bool(read_routes(text.dump(), key(key_a), height));
  };
  CHECK(readable(whole));
  CHECK_FALSE(readable(whole, 451));  // it expires before the height
  const std::vector<Wrong> wrongs = {
      {"/routes/0/hops/1/amt_to_forward_msat", "49999"},
      {"/routes/0/hops/1/expiry", 449},
      {"/routes/0/hops/0/amt_to_forward_msat", "52000"},
      {"/routes/0/hops/0/expiry", 531},
      {"/routes/0/hops/0/pub_key", ""},
      {"/routes/0/hops/0/pub_key", "02"},
      {"/routes/0/hops/1/encrypted_data", "AAAA"},
      {"/routes/0/hops", json::array()},
      {"/routes/0/total_amt_msat", "-1"},
      {"/routes/0/total_time_lock", 4'000'000'000'000},
  };
  for (const Wrong& wrong : wrongs) {
    INFO(wrong.where);
    json text = whole;
    text[json::json_pointer(wrong.where)] = wrong.value;
    CHECK_FALSE(readable(text));
  }
  json long_one = whole;
  for (std::size_t i = 0; i < limits::max_hops; ++i)
    long_one["routes"][0]["hops"].push_back(long_one["routes"][0]["hops"].back());
  CHECK_FALSE(readable(long_one));
  CHECK(read_routes(R"({"routes":[]})", key(key_a), 1)->empty());
}

TEST_CASE("lnd: every name of a failure") {
  // All of lnrpc.Failure.FailureCode.
  const std::vector<std::pair<const char*, FailureCode>> names = {
      {"RESERVED", FailureCode::unknown_code},
      {"INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", FailureCode::incorrect_or_unknown_payment_details},
      {"INCORRECT_PAYMENT_AMOUNT", FailureCode::incorrect_or_unknown_payment_details},
      {"FINAL_INCORRECT_CLTV_EXPIRY", FailureCode::final_incorrect_cltv_expiry},
      {"FINAL_INCORRECT_HTLC_AMOUNT", FailureCode::final_incorrect_htlc_amount},
      {"FINAL_EXPIRY_TOO_SOON", FailureCode::incorrect_or_unknown_payment_details},
      {"INVALID_REALM", FailureCode::invalid_realm},
      {"EXPIRY_TOO_SOON", FailureCode::expiry_too_soon},
      {"INVALID_ONION_VERSION", FailureCode::invalid_onion_version},
      {"INVALID_ONION_HMAC", FailureCode::invalid_onion_hmac},
      {"INVALID_ONION_KEY", FailureCode::invalid_onion_key},
      {"AMOUNT_BELOW_MINIMUM", FailureCode::amount_below_minimum},
      {"FEE_INSUFFICIENT", FailureCode::fee_insufficient},
      {"INCORRECT_CLTV_EXPIRY", FailureCode::incorrect_cltv_expiry},
      {"CHANNEL_DISABLED", FailureCode::channel_disabled},
      {"TEMPORARY_CHANNEL_FAILURE", FailureCode::temporary_channel_failure},
      {"REQUIRED_NODE_FEATURE_MISSING", FailureCode::required_node_feature_missing},
      {"REQUIRED_CHANNEL_FEATURE_MISSING", FailureCode::required_channel_feature_missing},
      {"UNKNOWN_NEXT_PEER", FailureCode::unknown_next_peer},
      {"TEMPORARY_NODE_FAILURE", FailureCode::temporary_node_failure},
      {"PERMANENT_NODE_FAILURE", FailureCode::permanent_node_failure},
      {"PERMANENT_CHANNEL_FAILURE", FailureCode::permanent_channel_failure},
      {"EXPIRY_TOO_FAR", FailureCode::expiry_too_far},
      {"MPP_TIMEOUT", FailureCode::mpp_timeout},
      {"INVALID_ONION_PAYLOAD", FailureCode::invalid_onion_payload},
      {"INVALID_ONION_BLINDING", FailureCode::invalid_onion_blinding},
      {"INTERNAL_FAILURE", FailureCode::local_refusal},
      {"UNKNOWN_FAILURE", FailureCode::unknown_code},
      {"UNREADABLE_FAILURE", FailureCode::unreadable},
      {"", FailureCode::unknown_code},
      {"WRITTEN_OFF", FailureCode::unknown_code},
      {"FENCED", FailureCode::unknown_code},
  };
  for (const auto& one : names) {
    INFO(one.first);
    CHECK(failure_code(one.first) == one.second);
  }
  const auto source = [](const char* name, std::uint64_t index) {
    return read_failure(json{{"code", name}, {"failure_source_index", index}}).source_index;
  };
  CHECK(source("FEE_INSUFFICIENT", 0) == 0U);
  CHECK(source("FEE_INSUFFICIENT", 3) == 3U);
  CHECK(source("INTERNAL_FAILURE", 0) == 0U);
  CHECK(source("UNKNOWN_FAILURE", 2) == 2U);
  CHECK_FALSE(source("UNKNOWN_FAILURE", 0).has_value());
  CHECK_FALSE(source("UNREADABLE_FAILURE", 0).has_value());
  CHECK_FALSE(source("FEE_INSUFFICIENT", UINT64_MAX).has_value());
}

TEST_CASE("lnd: the policy that a node told is put together again, and its signature holds") {
  const Route route{{Hop{ShortChannelId{393625162809344}, 0, key(key_b), Msat::of(51'000), 163},
                     Hop{ShortChannelId{396923697692672}, 1, key(key_d), Msat::of(50'000), 83}}};
  std::size_t told = 0;
  for (const Exchange& one : recorded("/v2/router/route/send")) {
    if (one.status != 200) continue;
    const auto htlc = read_attempt(one.body);
    REQUIRE(htlc);
    if (!htlc->failure || htlc->failure->source_index != 1U || htlc->failure_message.empty()) continue;
    // TEMPORARY_CHANNEL_FAILURE carries no new policy, and this EXPIRY_TOO_SOON carried the policy of the channel
    // before the node.
    if (htlc->failure->code == FailureCode::temporary_channel_failure) continue;
    if (htlc->failure->code == FailureCode::expiry_too_soon) continue;
    INFO(one.place);
    const auto policy = policy_told_by(htlc->failure_message, *htlc->failure, route);
    REQUIRE(policy);
    CHECK(policy->forwarding.fee_base_msat == 1'000);
    CHECK(policy->forwarding.fee_proportional_millionths == 10);
    CHECK(policy->forwarding.cltv_delta == 80);
    CHECK(policy->htlc_max == Msat::of(2'970'000'000));
    ++told;
  }
  CHECK(told >= 2);
}

TEST_CASE("lnd: a failure message is whole or empty") {
  json failure;
  for (const Exchange& one : recorded("/v2/router/route/send")) {
    if (one.body.find("\"FEE_INSUFFICIENT\"") != std::string::npos) failure = json::parse(one.body)["failure"];
  }
  REQUIRE(failure.is_object());
  CHECK(failure_message(failure).size() == 2 + 8 + 2 + 138);
  const std::vector<Wrong> wrongs = {
      {"/channel_update", nullptr},
      {"/channel_update/signature", "AAAA"},
      {"/channel_update/signature", "?"},
      {"/channel_update/chain_hash", ""},
      {"/channel_update/time_lock_delta", 65'536},
      {"/channel_update/channel_flags", 256},
      {"/channel_update/message_flags", 256},
      {"/channel_update/base_fee", 4'294'967'296},
      {"/channel_update/extra_opaque_data", to_base64(Bytes(40'000, 7))},
      {"/code", "MPP_TIMEOUT"},
  };
  for (const Wrong& wrong : wrongs) {
    INFO(wrong.where);
    json text = failure;
    text[json::json_pointer(wrong.where)] = wrong.value;
    CHECK(failure_message(text).empty());
  }
  CHECK(failure_message(json::array()).empty());
  failure["code"] = "EXPIRY_TOO_SOON";
  CHECK(failure_message(failure).size() == 2 + 2 + 138);
}

TEST_CASE("lnd: absent fields are zero, others are read or refused") {
  CHECK(reads(sample_payment()));
  CHECK(reads(json{{"payment_hash", std::string(64, 'a')}, {"status", "INITIATED"}}));
  const auto line = read_stream_line(json{{"result", sample_payment()}}.dump());
  REQUIRE(line);
  const auto& shown = std::get<PaymentShown>(*line);
  CHECK_FALSE(shown.record.preimage.has_value());
  CHECK(shown.record.htlcs.front().first_channel == ShortChannelId{17592186044416000000ULL});
  CHECK(shown.record.htlcs.front().failure->code == FailureCode::mpp_timeout);
  const std::vector<Wrong> wrongs = {
      {"/payment_hash", ""},
      {"/payment_hash", "aa"},
      {"/status", "UNKNOWN"},
      {"/status", ""},
      {"/status", 2},
      {"/value_msat", "2100000000000000001"},
      {"/value_msat", "18446744073709551616"},
      {"/value_msat", "-1"},
      {"/value_msat", " 1"},
      {"/value_msat", true},
      {"/creation_time_ns", "9223372036854775808"},
      {"/htlcs", json::object()},
      {"/htlcs/0", 5},
      {"/htlcs/0/status", "HELD"},
      {"/htlcs/0/preimage", "AAAA"},
      {"/htlcs/0/preimage", "_-__"},
      {"/htlcs/0/route/total_time_lock", 4'294'967'296},
      {"/htlcs/0/route/total_amt_msat", "2100000000000000001"},
      {"/htlcs/0/route/hops/0/pub_key", "zz"},
      {"/htlcs/0/route/hops/0/custom_records/5564161", "A"},
      {"/htlcs/0/route/hops/0/custom_records", "A"},
  };
  for (const Wrong& wrong : wrongs) {
    INFO(wrong.where);
    json payment = sample_payment();
    payment[json::json_pointer(wrong.where)] = wrong.value;
    CHECK_FALSE(reads(payment));
  }
}

TEST_CASE("lnd: a mark is 16 bytes of the last hop, and 64 zeros are no preimage") {
  json attempt = sample_attempt();
  json& records = attempt["route"]["hops"][0]["custom_records"];
  CHECK(read_attempt(attempt.dump())->mark.has_value());
  records["5564161"] = to_base64(Bytes(17, 1));
  CHECK_FALSE(read_attempt(attempt.dump())->mark.has_value());
  records["5564161"] = to_base64(Bytes(16, 1));
  attempt["route"]["hops"].push_back({{"chan_id", "1"}, {"pub_key", key_d}});
  CHECK_FALSE(read_attempt(attempt.dump())->mark.has_value());
  attempt["preimage"] = to_base64(Bytes(32, 0));
  CHECK_FALSE(read_attempt(attempt.dump())->preimage.has_value());
  attempt["preimage"] = to_base64(Bytes(32, 1));
  CHECK(read_attempt(attempt.dump())->preimage.has_value());
  attempt["status"] = "FAILED";
  attempt["failure"] = nullptr;
  CHECK(read_attempt(attempt.dump())->failure == Failure{});
  attempt.erase("status");
  CHECK_FALSE(bool(read_attempt(attempt.dump())));
}

TEST_CASE("lnd: torn, deep, long and double texts are refused") {
  const std::string whole = json{{"result", sample_payment()}}.dump();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(bool(read_stream_line(whole.substr(0, size))));
    CHECK_FALSE(read_error(whole.substr(0, size)).has_value());
  }
  CHECK_FALSE(bool(read_stream_line(whole + whole)));
  CHECK_FALSE(bool(read_stream_line(std::string(100'000, '['))));
  CHECK_FALSE(bool(read_stream_line(std::string(max_answer_bytes + 1, ' '))));
  CHECK_FALSE(bool(read_stream_line(R"({"result":{},"result":{}})")));
  CHECK_FALSE(bool(read_stream_line(json{{"result", sample_payment()}, {"error", {{"code", 5}}}}.dump())));
  json many = sample_payment();
  many["htlcs"] = json(limits::max_rows_per_look + 1, sample_attempt());
  CHECK_FALSE(reads(many));
}

TEST_CASE("lnd: errors with and without their wrapper") {
  const auto plain = read_error(R"({"code":2,"message":"permission denied","details":[]})");
  REQUIRE(plain);
  CHECK(plain->code == 2);
  CHECK(plain->message == "permission denied");
  CHECK_FALSE(plain->wrapped);
  CHECK(read_error(R"({"error":{"code":5,"message":"payment isn't initiated","details":[]}})")->wrapped);
  for (const char* none : {"", "{}", "[]", "null", R"({"error":"x"})", R"({"error":{}})", R"({"code":"x"})",
                           R"({"code":2,"message":7})", R"({"code":-2})", "<html>"})
    CHECK_FALSE(read_error(none).has_value());
}

TEST_CASE("lnd: answers with wrong bytes in them are read or refused, and nothing is thrown") {
  std::uint64_t state = 1;  // of Knuth's generator: the same bytes in every run
  const auto random = [&state](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U) % below;
  };
  const std::string pieces = "{}[]\",:0-9.e\\ntu\x7f\xc3";
  std::size_t refused = 0;
  std::size_t taken = 0;
  for (const char* path : {"/v2/router/route/send", "/v2/router/track/", "/v1/channels", "/v1/graph/routes/"}) {
    for (const Exchange& one : recorded(path)) {
      for (int round = 0; round < 8 && !one.body.empty(); ++round) {
        std::string bent = one.body;
        for (std::size_t count = 1 + random(3); count > 0; --count)
          bent[random(bent.size())] = pieces[random(pieces.size())];
        const auto line = read_stream_line(bent);
        const auto htlc = read_attempt(bent);
        const auto routes = read_routes(bent, key(key_a), 100);
        const auto channels = read_channels(bent);
        const bool any = line || htlc || routes || channels || read_error(bent);
        ++(any ? taken : refused);
      }
    }
  }
  CHECK(refused > 500);
  CHECK(taken > 100);
}
