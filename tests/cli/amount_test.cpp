// Goal: an amount is read exactly or not at all. Method: a table of borders, and every printed amount reads back as
// itself.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <string>

#include "cli/input/amount.h"
#include "cli/output/text.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

struct Good {
  const char* text;
  std::uint64_t msat;
};

}  // namespace

TEST_CASE("amounts that are read") {
  for (const Good& good : std::array<Good, 13>{{{"0msat", 0},
                                                {"0sat", 0},
                                                {"1msat", 1},
                                                {"1000sat", 1'000'000},
                                                {"250000msat", 250'000},
                                                {"1.5sat", 1'500},
                                                {"0.001sat", 1},
                                                {"0.001btc", 100'000'000},
                                                {"0.00000000001btc", 1},
                                                {"1btc", 100'000'000'000},
                                                {"21000000btc", Msat::max_value},
                                                {"2100000000000000sat", Msat::max_value},
                                                {"2100000000000000000msat", Msat::max_value}}}) {
    CAPTURE(good.text);
    const auto amount = parse_amount(good.text);
    REQUIRE(amount);
    CHECK(amount->value() == good.msat);
  }
}

TEST_CASE("amounts that are refused") {
  for (const char* text : {"",
                           "sat",
                           "1000",
                           "0",
                           "-5sat",
                           "+5sat",
                           " 5sat",
                           "5 sat",
                           "5sat ",
                           "1e3sat",
                           "0x10sat",
                           "01sat",
                           "00sat",
                           "010msat",
                           ".5sat",
                           "5.sat",
                           "1.0005sat",
                           "1.5000sat",
                           "1.5msat",
                           "0.000000000001btc",
                           "1,000sat",
                           "1_000sat",
                           "5satfoo",
                           "5SAT",
                           "5BTC",
                           "5ksat",
                           "1..5sat",
                           "21000000.00000000001btc",
                           "21000001btc",
                           "2100000000000000001msat",
                           "18446744073709551617msat",
                           "99999999999999999999999999999999sat",
                           "\xd9\xa1sat",
                           "1\n0sat"}) {
    CAPTURE(text);
    const auto amount = parse_amount(text);
    REQUIRE_FALSE(amount);
    CHECK(amount.error().code == Errc::usage);
  }
}

TEST_CASE("a bare number is refused with the reason and the remedy") {
  const auto amount = parse_amount("1000");
  REQUIRE_FALSE(amount);
  CHECK(amount.error().message ==
        "amount \"1000\": a bare number is read as sat by lncli and as msat by Core Lightning, so the unit must be "
        "named: 1000sat or 1000msat");
}

TEST_CASE("what is printed reads back as itself") {
  CHECK(rc::check("parse_amount(amount_text(x)) == x", [] {
    const Msat amount = Msat::of(*rc::gen::inRange<std::uint64_t>(0, Msat::max_value + 1));
    const auto back = parse_amount(amount_text(amount));
    RC_ASSERT(static_cast<bool>(back));
    RC_ASSERT(*back == amount);
  }));
}

TEST_CASE("any text is an amount or a usage refusal") {
  CHECK(rc::check("no other end", [](const std::string& text) {
    const auto amount = parse_amount(text);
    RC_ASSERT(amount || amount.error().code == Errc::usage);
  }));
}

TEST_CASE("percent") {
  CHECK(parse_percent("1")->units == 10'000);
  CHECK(parse_percent("0")->units == 0);
  CHECK(parse_percent("100")->units == 1'000'000);
  CHECK(parse_percent("0.0001")->units == 1);
  CHECK(parse_percent("12.5")->units == 125'000);
  for (const char* text : {"", "-1", "01", "100.0001", "101", "0.00001", "1%", "1e1", ".5", "5.", "nan", "1,5"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_percent(text));
  }
}

TEST_CASE("percent is rounded down to 1 msat and never overflows") {
  CHECK(Percent{10'000}.of(Msat::of(99)).value() == 0);
  CHECK(Percent{10'000}.of(Msat::of(100)).value() == 1);
  CHECK(Percent{10'000}.of(Msat::of(250'000)).value() == 2'500);
  CHECK(Percent{1}.of(Msat::of(999'999)).value() == 0);
  CHECK(Percent{1}.of(Msat::of(1'000'000)).value() == 1);
  CHECK(Percent{Percent::max_units}.of(Msat::of(Msat::max_value)).value() == Msat::max_value);
  CHECK(Percent{333'333}.of(Msat::of(10)).value() == 3);
}

TEST_CASE("amounts for people") {
  CHECK(sat_text(Msat::of(250'000)) == "250 sat");
  CHECK(sat_text(Msat::of(1'012)) == "1.012 sat");
  CHECK(sat_text(Msat::of(1'500)) == "1.5 sat");
  CHECK(sat_text(Msat::of(0)) == "0 sat");
  CHECK(sat_text(Msat::of(1)) == "0.001 sat");
  CHECK(sat_text(Msat::of(1'000'000)) == "1,000 sat");
  CHECK(sat_text(Msat::of(123'456'789'012)) == "123,456,789.012 sat");
  CHECK(sat_text(Msat::of(Msat::max_value)) == "2,100,000,000,000,000 sat");
}
