// The seeds themselves: invoices, JSON, answers of nodes and other text, each in a file.
#include "tests/fuzz/text_seeds.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/invoice/bolt11/bech32.h"
#include "core/payment/channel_update.h"
#include "tests/lnd_switch/recorded.h"

namespace paytower::test {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_answer = 16'000;
constexpr std::size_t answers_of_a_file = 40;
const std::string data = std::string(PAYTOWER_TEST_DATA) + "/data/";
const std::string low_key = "0210" + std::string(62, '0');
const std::string own_key = "0250" + std::string(61, '0') + "a";  // as fuzz_routes has it
const std::string high_key = "0390" + std::string(62, '0');

class SeedFolder {
 public:
  explicit SeedFolder(const fs::path& path) : path_(path) { fs::create_directories(path_); }
  void add(const std::string& text) { std::ofstream(path_ / std::to_string(count_++), std::ios::binary) << text; }

 private:
  fs::path path_;
  std::size_t count_ = 0;
};

/// Invoices as texts, and as the words to which fuzz_bolt11 adds a checksum.
void bolt11(SeedFolder folder) {
  std::ifstream file(data + "bolt11/spec_vectors.json");
  const auto vectors = nlohmann::json::parse(file);
  for (const char* kind : {"valid", "invalid"}) {
    for (const auto& vector : vectors.at(kind)) {
      const auto text = vector.at("invoice").get<std::string>();
      folder.add(text);
      const bech32::Outcome taken = bech32::decode(text);
      if (taken.flaw == bech32::Flaw::none)
        folder.add("#0" + std::string(taken.decoded.words.begin(), taken.decoded.words.end()));
    }
  }
}

/// Each code's message as the second node of fuzz_channel_update's route signs it; the first byte names code and place.
void channel_update(SeedFolder folder) {
  std::array<std::uint8_t, 32> key{};
  key.fill(2);
  ChannelPolicy policy;
  policy.channel = ChannelDirection{ShortChannelId{3}, 0};
  policy.forwarding = ForwardingPolicy{700, 25, 34};
  policy.htlc_max = Msat::of(5'000'000);
  constexpr std::array codes = {FailureCode::amount_below_minimum, FailureCode::fee_insufficient,
                                FailureCode::incorrect_cltv_expiry, FailureCode::expiry_too_soon,
                                FailureCode::channel_disabled};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto message = failure_message(FailedForward{codes[i], Msat::of(900), 20}, policy, key);
    folder.add(std::string(1, static_cast<char>(i + 2 * codes.size())) + std::string(message->begin(), message->end()));
  }
}

void rpc(SeedFolder folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(data + "cln")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& path : files) {
    std::ifstream file(path);
    std::size_t taken = 0;
    for (std::string line; taken < answers_of_a_file && std::getline(file, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      if (!entry.is_object() || entry.value("dir", "") != "res" || !entry.contains("json") ||
          !entry["json"].is_object())
        continue;
      auto answer = entry["json"];
      answer["id"] = "a1";  // ours are texts
      const std::string text = answer.dump();
      if (text.size() > largest_answer) continue;
      folder.add("\xff" + text + "\n\n");
      ++taken;
    }
  }
  folder.add(
      "\x03{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32601,\"message\":\"Unknown command\"}}\n\n{}\n\n");
}

void rest(SeedFolder folder) {
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sat, 28 Nov 2026 14:12:22 GMT\r\n";
  folder.add("\x04" + head + "Content-Length: 11\r\n\r\n{\"status\":1}");
  folder.add("\x04HTTP/1.1 100 Continue\r\n\r\n" + head + "Connection: close\r\nContent-Length: 2\r\n\r\n{}x");
  for (const char* form : {"\x04", "\x05", "\x07"}) {
    folder.add(form + head +
               "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n4;x=\"y\"\r\n1}\n{\r\n2\r\n}\n\r\n0\r\nA: b\r\n\r\n");
    folder.add(form + head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    folder.add(form + head + "Transfer-Encoding: gzip\r\n\r\n{}\n{}");
    folder.add(form + head + "\r\n{}\n\n{}");
  }
}

void routes(SeedFolder folder) {
  folder.add(R"({"routes":[{"total_time_lock":800120,"total_fees_msat":"1012","total_amt_msat":"251012","hops":[
{"chan_id":"879609302220865537","amt_to_forward_msat":"250000","fee_msat":"1012","expiry":800080,"pub_key":")" +
             low_key + R"(","tlv_payload":true},
{"chan_id":"879609302220865538","amt_to_forward_msat":"250000","fee_msat":"0","expiry":800080,"pub_key":")" +
             high_key + R"("}]}],"success_prob":0.95})");
  folder.add(R"({"route":[{"id":")" + low_key +
             R"(","channel":"800000x1x1","direction":1,"amount_msat":251012,"delay":58,"style":"tlv"},
{"id":")" + high_key +
             R"(","channel":"800000x1x2","direction":0,"amount_msat":"250000msat","delay":18}]})");
  folder.add(R"({"route":{"total_time_lock":800080,"total_amt_msat":"5","hops":[{"chan_id":1,"pub_key":")" + high_key +
             R"(","expiry":800080,"amt_to_forward_msat":5,"fee_msat":"0"}]}})");
  folder.add(
      R"({"probability_ppm":999996,"routes":[{"probability_ppm":999996,"amount_msat":250000,"final_cltv":18,"path":[
{"short_channel_id_dir":"800000x1x1/1","next_node_id":")" +
      low_key + R"(","amount_msat":251012,"delay":58},
{"short_channel_id_dir":"800000x1x2/0","next_node_id":")" +
      high_key + R"(","amount_msat":251012,"delay":58}]}]})");
  folder.add(
      R"({"routes":[{"amount_msat":250000,"final_cltv":18,"path":[{"short_channel_id_dir":"1x1x1/0","node_id_in":")" +
      own_key + R"(","node_id_out":")" + high_key +
      R"(","amount_in_msat":250000,"amount_out_msat":250000,"cltv_in":18,"cltv_out":18,"next_node_id":")" + high_key +
      R"(","amount_msat":250000,"delay":18}]},{"amount_msat":1,"final_cltv":18,"path":[{"short_channel_id_dir":"1x1x2/0","next_node_id":")" +
      high_key + R"(","amount_msat":1,"delay":18}]}]})");
}

void batch(SeedFolder folder) {
  std::ifstream file(data + "bolt11/spec_vectors.json");
  const auto vectors = nlohmann::json::parse(file);
  folder.add(R"({"invoice":")" + vectors.at("valid").at(0).at("invoice").get<std::string>() +
             R"(","amt":"250sat","label":"rent","idempotent":true})");
  folder.add(R"({"invoice":" bitcoin:1RustyRX2oai4EYYDpQGWvEL62BBGqN9T?amount=1&LIGHTNING=%6C)" +
             vectors.at("valid").at(1).at("invoice").get<std::string>().substr(1) +
             R"(\r\n"})"
             "\n"
             R"({"invoice":"-"})"
             "\n"
             R"({"invoice":"me@example.com"})");
  folder.add(R"({"dest":")" + low_key + R"(","payment_hash":")" + std::string(64, 'a') + R"(","payment_secret":")" +
             std::string(64, 'b') +
             R"(","amt":"1000sat","final_cltv_delta":40,"fee_limit_percent":"0.5"})"
             "\n"
             R"({"invoice":null,"max_attempts":3,"timeout":"10s","outgoing_chan_id":["1x2x3"]})");
}

void graph(SeedFolder folder) {
  const std::string policy =
      R"({"time_lock_delta":40,"min_htlc":"1000","fee_base_msat":"1000","fee_rate_milli_msat":"1","disabled":false,"max_htlc_msat":"990000000"})";
  folder.add(R"({"nodes":[{"pub_key":")" + low_key + R"(","alias":"low"},{"pub_key":")" + high_key +
             R"(","alias":"high"}],
"edges":[{"channel_id":"879609302220865537","node1_pub":")" +
             low_key + R"(","node2_pub":")" + high_key + R"(","capacity":"1000000",
"node1_policy":)" +
             policy + R"(,"node2_policy":null}]})");
  folder.add(R"({"channels":[{"source":")" + low_key + R"(","destination":")" + high_key +
             R"(","short_channel_id":"800000x1x1","direction":0,
"public":true,"amount_msat":1000000000,"active":true,"base_fee_millisatoshi":1,"fee_per_millionth":10,"delay":6,"htlc_minimum_msat":0,"htlc_maximum_msat":990000000}]})");
}

void words(SeedFolder folder) {
  for (const char* word : {"1000sat",
                           "250000msat",
                           "0.001btc",
                           "1.5sat",
                           "0sat",
                           "21000000btc",
                           "1",
                           "0.25",
                           "99.9999",
                           "100",
                           "500ms",
                           "60s",
                           "5m",
                           "36h",
                           "90d",
                           "2w",
                           "0",
                           "1738000000",
                           "2026-11-23T00:20:28Z",
                           "2026-11-23T00:20:28.5+05:45",
                           "0123456789abcdef"}) {
    folder.add(word);
  }
  folder.add(std::string(64, 'A'));
  for (const char* pasted :
       {"lightning:lnbc1abc", "LIGHTNING://LNBC1ABC\r\n", "bitcoin:bc1q?amount=1&lightning=lnbc1abc",
        "bitcoin:?req-x=1&lno=lno1q#x", "lno1qgsq", "lnr1q", "lni1q", "lnurl1dp68", "lnurlp://example.com",
        "keyauth://example.com", "me@example.com", "\xe2\x82\xbfme@example.com",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1RustyRX2oai4EYYDpQGWvEL62BBGqN9T",
        "https://example.com/?lightning=LNURL1Q", "-"}) {
    folder.add(pasted);
  }
  folder.add("03" + std::string(64, 'a') + "@203.0.113.7:9735");
}

void lnd_answers(SeedFolder folder) {
  for (const char* path : {"/v1", "/v2"}) {
    for (const Exchange& one : recorded(path)) {
      if (one.body.size() < 8'000) folder.add(std::string(1, one.status == 200 ? '\x08' : '\x0d') + one.body);
    }
  }
  folder.add(std::string(1, '\0') + "[Application Options]\nrestlisten=0.0.0.0:8081\ntlscertpath=~/tls.cert\n");
}

void config(SeedFolder folder) {
  folder.add("# payments\ndb = /var/lib/paytower/payments.db\nswitch = cln:/run/lightning-rpc\n\nwait = 10m\nquiet\n");
  folder.add("json=true\nfee-limit = 5sat\r\ncolor= never\n");
}

}  // namespace

void write_text_seeds(const std::string& folder) {
  const fs::path root(folder);
  bolt11(SeedFolder(root / "bolt11"));
  channel_update(SeedFolder(root / "channel_update"));
  rpc(SeedFolder(root / "rpc"));
  rest(SeedFolder(root / "rest"));
  lnd_answers(SeedFolder(root / "lnd_answers"));
  routes(SeedFolder(root / "routes"));
  batch(SeedFolder(root / "batch"));
  graph(SeedFolder(root / "graph"));
  words(SeedFolder(root / "words"));
  config(SeedFolder(root / "config"));
}

}  // namespace paytower::test
