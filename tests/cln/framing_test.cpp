// The stream of answers, cut and read, whatever the node sends.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "core/switch/cln/reading.h"
#include "core/switch/rpc/json_rpc.h"

using namespace paytower;

namespace {

constexpr std::size_t bound = 4U << 20U;

std::vector<std::string> cut(const std::string& stream, const std::vector<std::size_t>& pieces) {
  FrameSplitter splitter(bound);
  std::vector<std::string> frames;
  std::size_t at = 0;
  for (const std::size_t piece : pieces) {
    REQUIRE(splitter.feed(std::string_view(stream).substr(at, piece)));
    at += std::min(piece, stream.size() - at);
    while (auto frame = splitter.next()) frames.push_back(std::move(*frame));
  }
  return frames;
}

bool readable(const std::string& frame) { return static_cast<bool>(read_reply(frame, bound)); }

}  // namespace

TEST_CASE("answers are cut at \\n\\n wherever reads end") {
  const std::string stream = "{\"a\":1}\n\n{\"b\":\"\\n\\n\"}\n\n{}\n\n";
  const std::vector<std::string> expected = {"{\"a\":1}", "{\"b\":\"\\n\\n\"}", "{}"};
  CHECK(cut(stream, {stream.size()}) == expected);
  CHECK(cut(stream, std::vector<std::size_t>(stream.size(), 1)) == expected);
  for (std::size_t first = 0; first <= stream.size(); ++first) CHECK(cut(stream, {first, stream.size()}) == expected);
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::size_t> pieces;
    for (std::size_t sum = 0; sum < stream.size(); sum += pieces.back()) pieces.push_back(1 + random() % 5);
    CHECK(cut(stream, pieces) == expected);
  }
}

TEST_CASE("half a line is no answer") { CHECK(cut("{\"a\":1}\n", {8}).empty()); }

TEST_CASE("an answer of 2 MB passes, one beyond the bound does not") {
  const std::string long_answer = "{\"x\":\"" + std::string(2U << 20U, 'x') + "\"}";
  std::vector<std::size_t> pieces((long_answer.size() + 2) / 65'536 + 1, 65'536);
  CHECK(cut(long_answer + "\n\n", pieces) == std::vector{long_answer});

  FrameSplitter splitter(1'000);
  CHECK(splitter.feed(std::string(600, ' ') + "\n\n" + std::string(900, ' ')));
  CHECK(splitter.next().has_value());
  CHECK_FALSE(splitter.next().has_value());
  CHECK(splitter.feed(std::string(100, ' ')));
  CHECK_FALSE(splitter.feed(" "));
}

TEST_CASE("only a whole, unambiguous answer to a request of ours is read") {
  CHECK(readable(R"({"jsonrpc":"2.0","id":"a","result":{}})"));
  CHECK(readable(R"({"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m"}})"));
  CHECK(readable(R"({"id":"a","error":{"code":204,"message":"m","data":{"erring_index":0}}})"));

  CHECK_FALSE(readable(""));
  CHECK_FALSE(readable("garbage"));
  CHECK_FALSE(readable(R"({"id":"a","result":{})"));
  CHECK_FALSE(readable(R"({"id":"a","result":{}}{})"));
  CHECK_FALSE(readable(R"([{"id":"a","result":{}}])"));
  CHECK_FALSE(readable(R"({"id":"a"})"));
  CHECK_FALSE(readable(R"({"id":"a","result":{},"error":{"code":1}})"));
  CHECK_FALSE(readable(R"({"id":null,"error":{"code":-32600,"message":"Invalid token in json input"}})"));
  CHECK_FALSE(readable(R"({"id":7,"result":{}})"));
  CHECK_FALSE(readable(R"({"result":{}})"));
  CHECK_FALSE(readable(R"({"id":"a","error":{"message":"no code"}})"));
  CHECK_FALSE(readable(R"({"id":"a","error":{"code":"204"}})"));
  CHECK_FALSE(readable(R"({"id":"a","error":{"code":204.0}})"));
  CHECK_FALSE(readable(R"({"id":"a","error":{"code":18446744073709551615}})"));
  CHECK_FALSE(readable(R"({"id":"a","result":{"x":1,"x":2}})"));
  CHECK_FALSE(readable(std::string("{\"id\":\"a\",\"result\":{}}\0", 23)));
  CHECK_FALSE(readable("{\"id\":\"a\",\"result\":\"\xff\"}"));
  CHECK_FALSE(readable("{\"id\":\"a\",\"result\":" + std::string(10'000, '[') + std::string(10'000, ']') + "}"));
  CHECK_FALSE(readable(std::string(100'000, '[')));
}

TEST_CASE("a request is one line of JSON") {
  const std::string text =
      request_text("ab\"c", "sendpay", {{"label", "two\nlines"}, {"groupid", 4611686018427387903ULL}});
  CHECK(
      text ==
      R"({"id":"ab\"c","jsonrpc":"2.0","method":"sendpay","params":{"groupid":4611686018427387903,"label":"two\nlines"}})");
}

TEST_CASE("amounts are whole numbers, with or without their unit") {
  using namespace paytower::cln;
  const nlohmann::json values = nlohmann::json::parse(
      R"({"int":12,"text":"12msat","zero":"0msat","all":2100000000000000000,"more":2100000000000000001,"sat":"12sat","bare":"12",
          "unit":"msat","minus":-1,"signed":"-1msat","space":" 1msat","large":"18446744073709551616msat","null":null})");
  CHECK(amount(values, "int") == Msat::of(12));
  CHECK(amount(values, "text") == Msat::of(12));
  CHECK(amount(values, "zero") == Msat{});
  CHECK(amount(values, "all") == Msat::of(Msat::max_value));
  for (const char* key : {"more", "sat", "bare", "unit", "minus", "signed", "space", "large", "null", "absent"})
    CHECK_FALSE(amount(values, key).has_value());
}
