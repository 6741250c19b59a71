// What follows from each answer of lnd: one row for each that was measured, and every recorded one again.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>

#include "core/base/hash.h"
#include "core/switch/lnd/conclusions.h"
#include "core/switch/lnd/fields.h"
#include "tests/lnd_switch/recorded.h"

using namespace paytower;
using namespace paytower::lnd;
using nlohmann::json;
using test::Exchange;
using test::recorded;
using Word = SendMeaning::Word;

namespace {

constexpr Mark ours = {1, 2, 3};

/// An HTLCAttempt, as lnd answers a hand-over with our mark.
json attempt(const char* status) {
  return json{{"attempt_id", "7"},
              {"status", status},
              {"route", {{"hops", json::array({{{"custom_records", {{"5564161", to_base64(ours)}}}}})}}},
              {"failure", nullptr},
              {"preimage", ""}};
}

std::string settled() {
  json answer = attempt("SUCCEEDED");
  answer["preimage"] = to_base64(Bytes(32, 9));
  return answer.dump();
}

std::string failed() {
  json answer = attempt("FAILED");
  answer["failure"] = json{{"code", "TEMPORARY_CHANNEL_FAILURE"}, {"failure_source_index", 2}};
  return answer.dump();
}

std::string with(json answer, const char* where, const json& value) {
  answer[json::json_pointer(where)] = value;
  return answer.dump();
}

std::string error(int code, const std::string& words) {
  return json{{"code", code}, {"message", words}, {"details", json::array()}}.dump();
}

std::string wrapped(int code, const std::string& words) {
  return json{{"error", json::parse(error(code, words))}}.dump();
}

const std::string expired = "caveat \"time-before 2026-11-28T14:12:22.737423Z\" not satisfied: macaroon has expired";

struct SendRow {
  const char* name;
  int status;
  std::string body;
  Word word;
  bool blames_route = false;  ///< for not_sent
};

std::vector<SendRow> send_rows() {
  const json bare_success = attempt("SUCCEEDED");
  return {
      {"200 SUCCEEDED with a preimage", 200, settled(), Word::settled},
      {"200 SUCCEEDED without a preimage", 200, bare_success.dump(), Word::look},
      {"200 SUCCEEDED with 64 zeros", 200, with(bare_success, "/preimage", to_base64(Bytes(32, 0))), Word::look},
      {"200 SUCCEEDED of another mark", 200,
       with(json::parse(settled()), "/route/hops/0/custom_records/5564161", to_base64(Bytes(16, 5))), Word::look},
      {"200 FAILED", 200, failed(), Word::failed},
      {"200 FAILED without a failure", 200, attempt("FAILED").dump(), Word::failed},
      {"200 FAILED without a mark", 200, with(json::parse(failed()), "/route/hops/0/custom_records", json::object()),
       Word::look},
      {"200 IN_FLIGHT", 200, attempt("IN_FLIGHT").dump(), Word::look},
      {"200 with another status", 200, attempt("HELD").dump(), Word::look},
      {"200 with {}", 200, "{}", Word::look},
      {"200 with half an answer", 200, failed().substr(0, 60), Word::look},
      {"200 with an error inside", 200, error(6, "payment is in transition"), Word::look},
      {"202 with a failed attempt", 202, failed(), Word::look},
      {"409 payment is in transition", 409, error(6, "payment is in transition"), Word::not_sent},
      {"409 payment already exists", 409, error(6, "payment already exists"), Word::not_sent},
      {"409 invoice is already paid", 409, error(6, "invoice is already paid"), Word::not_sent},
      {"409 in the SQL store's words", 409,
       error(6, "failed to initialize payment: payment is not initializable: payment is in transition"),
       Word::not_sent},
      {"409 with another code", 409, error(10, "aborted"), Word::look},
      {"409 with the wrapper of a stream", 409, wrapped(6, "payment is in transition"), Word::look},
      {"500 with the code of 409", 500, error(6, "payment is in transition"), Word::look},
      {"500 with the code of 400", 500, error(3, "unexpected EOF"), Word::look},
      {"500 with the code of 501", 500, error(12, "Method Not Allowed"), Word::look},
      {"400 with another code", 400, error(2, "unexpected EOF"), Word::look},
      {"501 with another code", 501, error(2, "Method Not Allowed"), Word::look},
      {"409 without a body", 409, "", Word::look},
      {"500 attempted value exceeds", 500,
       error(2, "attempted value exceeds payment amount: attempted=100000 mSAT, payment amount=50000 mSAT"),
       Word::not_sent},
      {"500 attempted value exceeds, in the SQL store's words", 500,
       error(2,
             "failed to register attempt: failed to verify attempt: attempted value exceeds payment amount: "
             "attempted=100000 mSAT, payment amount=50000 mSAT"),
       Word::not_sent},
      {"500 payment address mismatch", 500, error(2, "payment address mismatch"), Word::look},
      {"500 total mismatch", 500, error(2, "mp payment total amount mismatch"), Word::look},
      {"500 payment has failure reason", 500, error(2, "payment has failure reason"), Word::look},
      {"500 payment has already failed", 500, error(2, "payment has already failed"), Word::look},
      {"500 in the SQL store's words", 500,
       error(2, "failed to register attempt: failed to verify attempt: attempted value exceeds payment amount"),
       Word::look},
      {"500 htlcswitch shutting down: it is in flight", 500, error(2, "htlcswitch shutting down"), Word::look},
      {"500 route has too many hops", 500, error(2, "route has too many hops"), Word::look},
      {"500 max payload size exceeded", 500,
       error(2, "payload size 1538, payload limit 1300: max payload size exceeded"), Word::look},
      {"500 invalid public key", 500, error(2, "invalid public key: x >= field prime"), Word::look},
      {"500 starting up", 500,
       error(2, "the RPC server is in the process of starting up, but not yet ready to accept calls"), Word::look},
      {"500 permission denied", 500, error(2, "permission denied"), Word::not_sent, true},
      {"500 wallet locked", 500, error(2, "wallet locked, unlock it to enable full RPC access"), Word::not_sent},
      {"500 waiting to start", 500, error(2, "waiting to start, RPC services not available"), Word::not_sent},
      {"500 macaroon has expired", 500, error(2, expired), Word::not_sent},
      {"500 a caveat of another kind", 500,
       error(2, "caveat \"ipaddr 10.0.0.1\" not satisfied: macaroon locked to different IP address"), Word::look},
      {"500 expired inside other words", 500, error(2, "htlcswitch: macaroon has expired"), Word::look},
      {"500 expired behind other words", 500, error(2, "failed to register attempt: " + expired), Word::look},
      {"500 permission denied inside other words", 500, error(2, "open channel.db: permission denied"), Word::look},
      {"500 permission denied of another code", 500, error(7, "permission denied"), Word::look},
      {"500 permission denied with the wrapper", 500, wrapped(2, "permission denied"), Word::look},
      {"500 of a proxy", 500, "<html>502</html>", Word::look},
      {"400 unknown field", 400, error(3, "proto: (line 1:1154): unknown field \"bogus\""), Word::not_sent, true},
      {"400 bad JSON", 400, error(3, "unexpected EOF"), Word::not_sent, true},
      {"400 of a proxy", 400, "Bad Request", Word::look},
      {"404 wrong path", 404, error(5, "Not Found"), Word::not_sent, true},
      {"404 with another text", 404, error(5, "payment isn't initiated"), Word::look},
      {"404 with the wrapper", 404, wrapped(5, "Not Found"), Word::look},
      {"501 method not allowed", 501, error(12, "Method Not Allowed"), Word::not_sent, true},
      {"501 of a proxy", 501, "", Word::look},
      {"499 context canceled", 499, error(1, "context canceled"), Word::look},
      {"503 of a proxy", 503, error(14, "unavailable"), Word::look},
      {"no answer at all", 0, "", Word::look},
  };
}

const PaymentHash hash = *PaymentHash::from_hex_text(std::string(64, 'a'));

std::string shown(const char* status, const json& htlcs = json::array()) {
  return json{{"result", {{"payment_hash", hash.hex()}, {"status", status}, {"value_msat", "50000"}, {"htlcs", htlcs}}}}
      .dump();
}

enum class Track { none, record, nothing };

struct TrackRow {
  const char* name;
  int status;
  std::string message;
  Track meaning;
  Record::Status record = Record::Status::in_flight;  ///< of record
};

std::vector<TrackRow> track_rows() {
  return {
      {"SUCCEEDED", 200, shown("SUCCEEDED", json::array({attempt("SUCCEEDED")})), Track::record,
       Record::Status::succeeded},
      {"FAILED, erased", 200, shown("FAILED"), Track::record, Record::Status::failed},
      {"FAILED with HTLCs", 200, shown("FAILED", json::array({attempt("FAILED")})), Track::record,
       Record::Status::failed},
      {"IN_FLIGHT, one live", 200, shown("IN_FLIGHT", json::array({attempt("IN_FLIGHT")})), Track::record},
      {"IN_FLIGHT, all failed", 200, shown("IN_FLIGHT", json::array({attempt("FAILED")})), Track::record},
      {"IN_FLIGHT, none", 200, shown("IN_FLIGHT"), Track::record},
      {"INITIATED", 200, shown("INITIATED"), Track::record},
      {"no record", 404, wrapped(5, "payment isn't initiated"), Track::none},
      {"wrong path", 404, error(5, "Not Found"), Track::nothing},
      {"no record without the wrapper", 404, error(5, "payment isn't initiated"), Track::nothing},
      {"no record with another status", 500, wrapped(5, "payment isn't initiated"), Track::nothing},
      {"no record with another code", 404, wrapped(2, "payment isn't initiated"), Track::nothing},
      {"no record in other words", 404, wrapped(5, "unable to locate invoice"), Track::nothing},
      {"start-up", 500, wrapped(2, "wallet locked, unlock it to enable full RPC access"), Track::nothing},
      {"bad hash", 500, wrapped(2, "invalid hash length of 30, want 32"), Track::nothing},
      {"shutting down", 200, wrapped(2, "routerrpc server shutting down"), Track::nothing},
      {"an unknown status", 200, shown("UNKNOWN"), Track::nothing},
      {"of another hash", 200, with(json::parse(shown("FAILED")), "/result/payment_hash", std::string(64, 'b')),
       Track::nothing},
      {"a record with another HTTP status", 500, shown("FAILED"), Track::nothing},
      {"cut", 200, shown("FAILED").substr(0, 30), Track::nothing},
      {"empty", 200, "", Track::nothing},
      {"of a proxy", 502, "<html>", Track::nothing},
  };
}

Track kind(const TrackMeaning& meaning) {
  if (std::holds_alternative<NoRecord>(meaning)) return Track::none;
  return std::holds_alternative<Record>(meaning) ? Track::record : Track::nothing;
}

/// The mark in a recorded request; nothing if it has none.
std::optional<Mark> asked_mark(const std::string& asked) {
  const json request = json::parse(asked, nullptr, false);
  if (!request.is_object() || !request.contains("route") || !request["route"].contains("hops")) return std::nullopt;
  const json& hops = request["route"]["hops"];
  if (hops.empty() || !hops.back().contains("custom_records")) return std::nullopt;
  const auto bytes = from_base64(hops.back()["custom_records"].value("5564161", ""));
  Mark mark{};
  if (!bytes || bytes->size() != mark.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), mark.begin());
  return mark;
}

}  // namespace

TEST_CASE("lnd: what an answer to a hand-over says") {
  for (const SendRow& row : send_rows()) {
    INFO(row.name);
    const SendMeaning meaning = conclude_send(row.status, row.body, ours);
    CHECK(meaning.word == row.word);
    if (row.word != Word::not_sent) continue;
    CHECK(meaning.failure.code == FailureCode::local_refusal);
    CHECK(meaning.failure.source_index.has_value() == row.blames_route);
    CHECK(meaning.failure.message == json::parse(row.body)["message"]);
  }
}

TEST_CASE("lnd: an answer's preimage and failure are handed on") {
  CHECK(conclude_send(200, settled(), ours).preimage.bytes[31] == 9);
  const SendMeaning meaning = conclude_send(200, failed(), ours);
  CHECK(meaning.failure.code == FailureCode::temporary_channel_failure);
  CHECK(meaning.failure.source_index == 2U);
  CHECK(conclude_send(200, attempt("FAILED").dump(), ours).failure.code == FailureCode::unknown_code);
}

TEST_CASE("lnd: only its own words say that it keeps to a macaroon's time") {
  const std::string long_over =
      R"(caveat "time-before 1970-01-01T00:00:01.000000Z" not satisfied: macaroon has expired)";
  CHECK(conclude_limits(500, error(2, long_over)) == TimeLimits::kept);
  const std::string node = R"({"identity_pubkey":"02f6725f9c1c40333b67faea92fd211c183050f28df32cac3f9d69685fe9665432",)"
                           R"("block_height":367,"synced_to_chain":true,"version":"0.21.2-beta",)"
                           R"("chains":[{"chain":"bitcoin","network":"simnet"}]})";
  CHECK(conclude_limits(200, node) == TimeLimits::not_kept);
  CHECK(conclude_limits(200, "{}") == TimeLimits::untold);
  CHECK(conclude_limits(200, "") == TimeLimits::untold);
  CHECK(conclude_limits(200, node.substr(0, node.size() / 2)) == TimeLimits::untold);
  CHECK(conclude_limits(200, error(2, "something went wrong")) == TimeLimits::untold);
  CHECK(conclude_limits(500, error(2, "permission denied")) == TimeLimits::untold);
  CHECK(conclude_limits(500, error(2, "htlcswitch shutting down")) == TimeLimits::untold);
  CHECK(conclude_limits(503, error(2, long_over)) == TimeLimits::untold);
  CHECK(conclude_limits(500, error(13, long_over)) == TimeLimits::untold);
  CHECK(conclude_limits(502, "<html>Bad Gateway</html>") == TimeLimits::untold);
  CHECK(conclude_limits(500, "") == TimeLimits::untold);
}

TEST_CASE("lnd: what the first message of a look says") {
  for (const TrackRow& row : track_rows()) {
    INFO(row.name);
    const TrackMeaning meaning = conclude_track(row.status, row.message, hash);
    CHECK(kind(meaning) == row.meaning);
    if (const auto* record = std::get_if<Record>(&meaning)) CHECK(record->status == row.record);
    if (const auto* nothing = std::get_if<NothingKnown>(&meaning)) CHECK_FALSE(nothing->why.empty());
  }
}

TEST_CASE("lnd: what follows from every recorded answer to a hand-over") {
  std::map<Word, std::size_t> words;
  for (const Exchange& one : recorded("/v2/router/route/send")) {
    INFO(one.place);
    const auto mark = asked_mark(one.asked);
    const SendMeaning meaning = conclude_send(one.status, one.body, mark.value_or(ours));
    const json text = json::parse(one.body);
    ++words[meaning.word];
    if (one.status == 409 || one.status == 400) CHECK(meaning.word == Word::not_sent);
    const std::string message = text.value("message", "");
    const bool no_room = message.find("attempted value exceeds payment amount: attempted=") != std::string::npos;
    if (one.status == 500) CHECK((meaning.word == Word::not_sent) == (no_room || message == "permission denied"));
    CHECK(meaning.hash_taken == (one.status == 409 || (one.status == 500 && no_room)));
    if (one.status != 200) continue;
    if (!mark)
      CHECK(meaning.word == Word::look);
    else
      CHECK(meaning.word == (text["status"] == "SUCCEEDED" ? Word::settled : Word::failed));
    if (meaning.word == Word::settled) {
      const auto asked = from_base64(json::parse(one.asked)["payment_hash"].get<std::string>());
      CHECK(proves(meaning.preimage, *PaymentHash::from_span(*asked)));
    }
  }
  CHECK(words[Word::settled] >= 2);
  CHECK(words[Word::failed] > 10);
  CHECK(words[Word::not_sent] > 10);
  CHECK(words[Word::look] > 10);
}

TEST_CASE("lnd: what follows from every recorded look") {
  std::map<Track, std::size_t> kinds;
  for (const Exchange& one : recorded("/v2/router/track/")) {
    INFO(one.place);
    std::string name = one.path.substr(std::string("/v2/router/track/").size());
    name.resize(std::min(name.find('?'), name.size()));
    std::replace(name.begin(), name.end(), '-', '+');
    std::replace(name.begin(), name.end(), '_', '/');
    const auto asked = from_base64(name);
    const auto named = asked ? PaymentHash::from_span(*asked) : std::nullopt;
    const Track meaning = kind(conclude_track(one.status, one.body, named.value_or(hash)));
    ++kinds[meaning];
    const json text = json::parse(one.body);
    if (text.contains("result")) CHECK(meaning == Track::record);
    if (!text.contains("result"))
      CHECK((meaning == Track::none) ==
            (text.contains("error") && text["error"]["message"] == "payment isn't initiated"));
  }
  CHECK(kinds[Track::record] > 50);
  CHECK(kinds[Track::none] > 5);
  CHECK(kinds[Track::nothing] > 2);
}

TEST_CASE("lnd: an lnd that comes, goes or is not understood says nothing about routes") {
  PublicKey own;
  const auto answer = [&](int status, const std::string& message) {
    return conclude_routes(status, json{{"code", 2}, {"message", message}, {"details", json::array()}}.dump(), own, 1);
  };
  for (const char* words :
       {"wallet locked, unlock it to enable full RPC access", "waiting to start, RPC services not available",
        "the RPC server is in the process of starting up, but not yet ready to accept calls",
        "htlcswitch shutting down"})
    CHECK(std::holds_alternative<NothingKnown>(answer(500, words)));
  CHECK(std::holds_alternative<NothingKnown>(answer(503, "later")));
  for (const char* body : {"", "<html>", "[]", R"({"routes":7})"}) {
    CHECK(std::holds_alternative<NothingKnown>(conclude_routes(200, body, own, 1)));
    CHECK(std::holds_alternative<NothingKnown>(conclude_routes(502, body, own, 1)));
  }
  for (const char* words : {"unable to find a path to destination", "insufficient local balance", "something else"})
    CHECK(std::holds_alternative<RestError>(answer(500, words)));
}

TEST_CASE("lnd: why there is no route") {
  CHECK(why_no_route({2, "insufficient local balance", false}).code == DetailCode::no_balance);
  const FailureDetail other = why_no_route({2, "unable to find a path to destination", false});
  CHECK(other.code == DetailCode::unexplained);
  CHECK(other.words == "unable to find a path to destination");
}
