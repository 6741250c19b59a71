// Goal: what a client writes is cut and answered as a real node did it. Method: the recorded talks of tests/data/cln
// are replayed, each connection by itself; then the same bytes one by one, and what no recording holds.
#include <fstream>
#include <map>

#include "core/sim/node/framing.h"
#include "tests/sim/rpc_world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

std::vector<std::string> all_of(RequestFramer& framer) {
  std::vector<std::string> values;
  while (auto value = framer.next()) values.push_back(*value);
  return values;
}

/// One connection to the node, without the socket.
class Talk {
 public:
  explicit Talk(RpcWorld& world) : world_(world) {}

  std::vector<std::string> write(std::string_view bytes) {
    std::vector<std::string> answers;
    if (framer_.dead()) return answers;
    framer_.feed(bytes);
    while (auto value = framer_.next()) answers.push_back(answer(read_call(*value)));
    if (const auto complaint = framer_.take_complaint()) {
      answers.push_back(answer_text("null", reply_of(CallError(RpcCode::invalid_request, *complaint)), {}));
    }
    return answers;
  }

 private:
  std::string answer(const ReadCall& read) {
    if (read.refused) return answer_text(read.call.id, *read.refused, {});
    const Said said = world_.call(read.call);
    CallReply reply;
    reply.failed = said.code != 0;
    reply.body = said.body;
    return answer_text(read.call.id, reply, read.call.filter);
  }

  RpcWorld& world_;
  RequestFramer framer_;
};

struct Exchange {
  std::string note;
  std::string bytes;
  std::vector<std::string> answers;
};

std::map<int, std::vector<Exchange>> recorded() {
  std::ifstream file(PAYTOWER_TEST_DATA "/data/cln/framing.jsonl");
  std::map<int, std::vector<Exchange>> talks;
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line);
    Exchange exchange{json["note"], {}, json["answers"]};
    if (json["write"].is_string()) {
      exchange.bytes = json["write"];
    } else {
      const Bytes bytes = *bytes_from_hex(json["write_hex"].get<std::string>());
      exchange.bytes.assign(bytes.begin(), bytes.end());
    }
    talks[json["connection"]].push_back(exchange);
  }
  return talks;
}

void check_answers(const std::vector<std::string>& said, const std::vector<std::string>& wanted) {
  REQUIRE(said.size() == wanted.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    CHECK(said[i].substr(0, wanted[i].size()) == wanted[i]);  // of a result its beginning was kept: the node is another
    CHECK(said[i].substr(said[i].size() - 2) == "\n\n");
    CHECK(said[i].find('\n') == said[i].size() - 2);
  }
}

}  // namespace

TEST_CASE("rpc framing: every recorded request is answered as the node answered it") {
  const auto talks = recorded();
  REQUIRE(talks.size() == 59);
  RpcWorld world;
  for (const auto& recording : talks) {
    const int connection = recording.first;  // clang 14 captures no structured binding
    Talk talk(world);
    for (const Exchange& exchange : recording.second) {
      CAPTURE(connection);
      CAPTURE(exchange.note);
      const auto said = talk.write(exchange.bytes);
      // Behind a bare number the recorder stopped reading at the first answer.
      check_answers(connection == 48 && !said.empty() ? std::vector<std::string>{said.front()} : said,
                    exchange.answers);
    }
  }
}

TEST_CASE("rpc framing: good requests that come byte by byte are the same requests") {
  RpcWorld world;
  std::size_t compared = 0;
  for (const auto& recording : recorded()) {
    if (recording.first >= 48) continue;  // there a read's end makes a difference
    Talk talk(world);
    for (const Exchange& exchange : recording.second) {
      CAPTURE(exchange.note);
      std::vector<std::string> said;
      for (const char byte : exchange.bytes) {
        for (std::string& answer : talk.write(std::string_view(&byte, 1))) said.push_back(std::move(answer));
      }
      check_answers(said, exchange.answers);
      ++compared;
    }
  }
  CHECK(compared > 80);
}

TEST_CASE("rpc framing: braces and quotes inside strings end nothing") {
  RequestFramer framer;
  const std::string first = R"({"id":"}\"]{","method":"a\\"})";
  const std::string second = R"({"a":["[",{"b":"}"}]})";
  framer.feed(first + "\n\n " + second + first.substr(0, 9));
  CHECK(all_of(framer) == std::vector<std::string>{first, second});
  framer.feed(first.substr(9));
  CHECK(all_of(framer) == std::vector<std::string>{first});
  CHECK_FALSE(framer.dead());
}

TEST_CASE("rpc framing: 1000 requests in one read") {
  RequestFramer framer;
  std::string bytes;
  for (int i = 0; i < 1'000; ++i) bytes += "{\"id\":" + std::to_string(i) + "}";
  framer.feed(bytes);
  const auto values = all_of(framer);
  REQUIRE(values.size() == 1'000);
  CHECK(values[999] == "{\"id\":999}");
}

TEST_CASE("rpc framing: a request that is too long ends the talk with a word") {
  RequestFramer framer;
  framer.feed("{\"x\":\"");
  const std::string block(std::size_t{1} << 20, 'a');
  for (std::size_t i = 0; i < 20 && !framer.dead(); ++i) framer.feed(block);
  REQUIRE(framer.dead());
  CHECK(framer.take_complaint() == std::optional<std::string>("The request is too long"));
  CHECK_FALSE(framer.take_complaint());
  CHECK_FALSE(framer.next());
}

TEST_CASE("rpc framing: a request that is too deep ends the talk") {
  RequestFramer framer;
  framer.feed(std::string(max_request_depth, '['));
  CHECK_FALSE(framer.dead());
  framer.feed("[");
  CHECK(framer.dead());
}

TEST_CASE("rpc framing: what is no JSON ends the talk") {
  for (const char* text : {"{\"a\" 1}", "{\"a\":1 2}", "{1:2}", "[1 2]", "{\"a\":}", "{,}", "]", "{\"a\":tru}",
                           "{\"a\":01x}", "{\"a\":\"\\q\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\xC0\xAF\"}",
                           "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":1..2}", "{\"id\":\"a\n\n\"}", "[}", "{\"a\"]"}) {
    CAPTURE(text);
    RequestFramer framer;
    framer.feed(text);
    CHECK(framer.dead());
    CHECK(framer.take_complaint());
  }
}

TEST_CASE("rpc framing: members and elements in their own bytes") {
  const auto found = members_of(R"({ "a" : [1, "x,]" ,{"b":2}] , "c:\"d" :null,})");
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "a");
  CHECK(found[0].value == R"([1, "x,]" ,{"b":2}])");
  CHECK(found[1].name == R"(c:\"d)");
  CHECK(found[1].value == "null");
  const auto elements = elements_of(found[0].value);
  REQUIRE(elements.size() == 3);
  CHECK(elements[1] == R"("x,]")");
  CHECK(elements[2] == R"({"b":2})");
  CHECK(elements_of("[]").empty());
}

TEST_CASE("rpc framing: whatever is written, each answer is a line of JSON and nothing breaks") {
  RpcWorld rpc;
  const MadeInvoice invoice = rpc.world().invoice();
  std::vector<std::string> seeds;
  for (const auto& recording : recorded()) {
    if (recording.first < 58) seeds.push_back(recording.second.front().bytes);  // what follows is 20 KB deep
  }
  const auto request = [](const char* method, const nlohmann::json& params) {
    return nlohmann::json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump();
  };
  const std::string hash = invoice.hash.hex();
  seeds.push_back(request("sendpay", rpc.sendpay(invoice, 3)));
  seeds.push_back(request("sendpay", rpc.fence(invoice, 4)));
  seeds.push_back(request("waitsendpay", {{"payment_hash", hash}, {"groupid", 3}, {"timeout", 1}}));
  seeds.push_back(request("delpay", {{"payment_hash", hash}, {"status", "complete"}}));
  seeds.push_back(request("listsendpays", {{"index", "updated"}, {"start", 1}, {"limit", 5}}));
  seeds.push_back(request("wait", {{"subsystem", "htlcs"}, {"indexname", "created"}, {"nextvalue", 0}}));
  seeds.push_back(
      request("getroute",
              {{"id", key_of(3).hex()}, {"amount_msat", "5msat"}, {"riskfactor", 1}, {"exclude", {"700000x1x0/1"}}}));
  seeds.push_back(request("decode", {{"string", invoice.text}}));
  SeededNumbers numbers(17);
  const std::string pieces = "{}[]\",:0123456789-.eE\\u\xC3 tfn";
  std::size_t answers = 0;
  for (int round = 0; round < 4'000; ++round) {
    Talk talk(rpc);
    std::string bytes = seeds[numbers.below(seeds.size())];
    for (std::uint64_t changes = numbers.below(4); changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = numbers.below(bytes.size());
      switch (numbers.below(4)) {
        case 0: bytes[at] = static_cast<char>(numbers.below(256)); break;
        case 1: bytes.insert(at, 1, pieces[numbers.below(pieces.size())]); break;
        case 2: bytes.erase(at, 1 + numbers.below(8)); break;
        default: bytes.insert(at, bytes.substr(numbers.below(bytes.size()), numbers.below(40)));
      }
    }
    for (const std::string& answer : talk.write(bytes)) {
      ++answers;
      REQUIRE(answer.substr(answer.size() - 2) == "\n\n");
      REQUIRE(answer.find('\n') == answer.size() - 2);
      REQUIRE(nlohmann::json::accept(answer));
    }
  }
  CHECK(answers > 2'000);
  CHECK(rpc.world().count(OracleState::settled) <= 1);
}
