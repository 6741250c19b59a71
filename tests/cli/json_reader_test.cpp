// Goal: the one JSON reader takes what is JSON within bounds and nothing else. Method: one document for each rule.
#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/json.h"
#include "core/base/limits.h"

using namespace paytower;

namespace {

std::string refusal(std::string_view text) {
  const auto document = read_json(text, {1000});
  return document ? "read" : document.error().message;
}

}  // namespace

TEST_CASE("documents that are read") {
  CHECK(read_json("{\"a\":[1,-2,true,null,\"x\"],\"b\":{}}", {1000})->dump() ==
        "{\"a\":[1,-2,true,null,\"x\"],\"b\":{}}");
  CHECK(read_json(" 18446744073709551615 ", {1000})->get<std::uint64_t>() == 18446744073709551615ULL);
  CHECK(read_json("-9223372036854775808", {1000})->get<std::int64_t>() == INT64_MIN);
  CHECK(read_json("[[],[[]],{\"a\":[{}]}]", {1000})->dump() == "[[],[[]],{\"a\":[{}]}]");
}

TEST_CASE("floats are refused with their place") {
  CHECK(refusal("{\"hops\":[{},{\"fee_msat\":1.5}]}") ==
        "\"hops[1].fee_msat\": the number 1.5 has a fraction or an exponent; whole numbers only");
  CHECK(refusal("{\"a\":1e3}").find("\"a\": the number 1e3") == 0);
  CHECK(refusal("1.0").find("the number 1.0") == 0);
}

TEST_CASE("a key that holds a probability may hold a float, and it is read as null") {
  static constexpr std::array<std::string_view, 1> keys{"success_prob"};
  CHECK(read_json("{\"success_prob\":0.95,\"a\":1}", {1000, keys})->dump() == "{\"a\":1,\"success_prob\":null}");
  CHECK_FALSE(read_json("{\"a\":0.95}", {1000, keys}));
  CHECK_FALSE(read_json("{\"success_prob\":184467440737095516160}", {1000, keys}));
}

TEST_CASE("numbers beyond 64 bit are refused") {
  CHECK(refusal("{\"a\":18446744073709551616}") == "\"a\": the number 18446744073709551616 is beyond 64 bits");
  CHECK(refusal("[-9223372036854775809]") == "\"[0]\": the number -9223372036854775809 is beyond 64 bits");
}

TEST_CASE("a key that comes twice is refused") {
  CHECK(refusal("{\"x\":{\"a\":1,\"a\":2}}") == "\"x.a\": this key is here twice");
  CHECK(refusal("[{\"a\":1},{\"a\":2}]") == "read");
}

TEST_CASE("depth and size are bounded") {
  const std::string deep(limits::max_json_depth, '[');
  const std::string ends(limits::max_json_depth, ']');
  CHECK(refusal(deep + ends) == "read");
  CHECK(refusal("[" + deep + ends + "]").find("nested more than 32 deep") != std::string::npos);
  CHECK(refusal(std::string(1001, ' ')) == "more than 1000 bytes of JSON");
}

TEST_CASE("what is no JSON is refused with line and column") {
  CHECK(refusal("") == "not JSON: line 1, column 1");
  CHECK(refusal("{\n  \"a\": nope}").find("not JSON: line 2, column") == 0);
  CHECK(refusal("{} {}").find("not JSON") == 0);
  CHECK(refusal("[1,]").find("not JSON") == 0);
  CHECK(refusal("{\"a\":01}").find("not JSON") == 0);
  CHECK(refusal("// x\n1").find("not JSON") == 0);
  CHECK(refusal("\"\xff\"").find("not JSON") == 0);
  CHECK(refusal(std::string_view("1\0 2", 4)) == "not JSON: it holds a NUL byte");
}
