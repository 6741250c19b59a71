// Macaroons: ours have the same bytes as another program's, and what is not a macaroon is refused.
#include <doctest/doctest.h>

#include <type_traits>

#include "core/base/bytes.h"
#include "core/switch/lnd/macaroon.h"

using namespace paytower;
using namespace paytower::lnd;

namespace {

// Made by tests/lndnode/macaroon.py: encode() and constrained(), with the root key 00 01 02 ... 1f.
const std::string baked =
    "0201036c6e64023d030a10000102030405060708090a0b0c0d0e0f1201371a0c0a04696e666f1204726561641a170a08"
    "6f6666636861696e1204726561641205777269746500000620b5f445a67c01bcaa4e81c3d5e23347aeae12b6d9e04e31"
    "273f0d535d95db3c2c";
const std::string once =
    "0201036c6e64023d030a10000102030405060708090a0b0c0d0e0f1201371a0c0a04696e666f1204726561641a170a08"
    "6f6666636861696e1204726561641205777269746500022774696d652d6265666f726520323032362d31312d32385431"
    "343a31323a32322e3733373432335a00000620c96f30985096a7a6fa5ab07134f939e1df0698a5d60df842cd6f1af299"
    "b2c2c1";
const std::string twice =
    "0201036c6e64023d030a10000102030405060708090a0b0c0d0e0f1201371a0c0a04696e666f1204726561641a170a08"
    "6f6666636861696e1204726561641205777269746500022774696d652d6265666f726520323032362d31312d32385431"
    "343a31323a32322e3733373432335a00022774696d652d6265666f726520323130302d30312d30315430303a30303a30"
    "302e3030303030305a000006201f0916022577f7b33b5862e2803cf6abb6c64f7b936eb4de752b2a14f837f812";
/// Made by another program: no location, and a third party's caveat.
const std::string foreign =
    "0202c8017878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "78787878787878787878787800010d68747470733a2f2f74686972640202747004487676767676767676767676767676"
    "767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767600000620274158b75f27acb84a2d5726411ff1015e370b6057c23e91e0287c8c026189d2";
const std::string foreign_once =
    "0202c8017878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "78787878787878787878787800010d68747470733a2f2f74686972640202747004487676767676767676767676767676"
    "767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676767676"
    "7676767676767676767600022774696d652d6265666f726520323032362d31312d32385431343a31323a32322e373337"
    "3432335a00000620aa159cdbf489a932869457eb44e9d21a7e320ca6c0b0b87a3831d79067f36b36";

constexpr UnixNs first_limit{1'795'875'142'737'423'999};   // 2026-11-28T14:12:22.737423999Z
constexpr UnixNs second_limit{4'102'444'800'000'000'000};  // 2100-01-01T00:00:00Z

Result<Macaroon> read(const std::string& hex) { return Macaroon::read(*bytes_from_hex(hex)); }

Result<Macaroon> read_text(const std::string& text) { return Macaroon::read(Bytes(text.begin(), text.end())); }

}  // namespace

TEST_CASE("macaroon: what was read is written") {
  for (const std::string& hex : {baked, once, twice, foreign}) {
    const auto macaroon = read(hex);
    REQUIRE(macaroon);
    CHECK(macaroon->hex() == hex);
    CHECK(to_hex(macaroon->binary().span()) == hex);
  }
}

TEST_CASE("macaroon: a limit in time is added without its maker") {
  const auto macaroon = read(baked);
  REQUIRE(macaroon);
  const Macaroon limited = macaroon->limited(first_limit);
  CHECK(limited.hex() == once);
  CHECK(limited.limited(second_limit).hex() == twice);
  CHECK(macaroon->hex() == baked);
  CHECK(read(foreign)->limited(first_limit).hex() == foreign_once);
}

TEST_CASE("macaroon: the limit's words") {
  CHECK(time_before_caveat(first_limit) == "time-before 2026-11-28T14:12:22.737423Z");
  CHECK(time_before_caveat(UnixNs{0}) == "time-before 1970-01-01T00:00:00.000000Z");
  CHECK(time_before_caveat(UnixNs{951'782'400'000'001'000}) == "time-before 2000-02-29T00:00:00.000001Z");
  CHECK(time_before_caveat(UnixNs{INT64_MAX}) == "time-before 2262-04-11T23:47:16.854775Z");
  CHECK_THROWS_AS((void)time_before_caveat(UnixNs{-1}), std::logic_error);
}

TEST_CASE("macaroon: torn and strange files are refused, and nothing of them is shown") {
  const Bytes whole = *bytes_from_hex(once);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(bool(Macaroon::read(std::span(whole).first(size))));
  Bytes longer = whole;
  longer.push_back(0);
  CHECK_FALSE(bool(Macaroon::read(longer)));
  CHECK_FALSE(bool(Macaroon::read(Bytes(Macaroon::max_bytes + 1, 2))));
  for (const char* odd : {
           "02",  // a version alone
           "01"
           "0200"
           "00"
           "00",  // another version
           "02"
           "0101"
           "61"
           "00"
           "00",  // no identifier
           "02"
           "0261"
           "0000",  // a length beyond the end
           "02"
           "02ffffffffff7f"
           "0000",  // a field that no macaroon has
           "02"
           "020161"
           "010161"
           "0000"  // fields out of order
       })
    CHECK_FALSE(bool(read(odd)));
  Bytes short_signature = *bytes_from_hex(
      "0202016100"
      "00"
      "061f");
  short_signature.resize(short_signature.size() + 31);
  CHECK_FALSE(bool(Macaroon::read(short_signature)));
  const auto refused = Macaroon::read(longer);
  REQUIRE_FALSE(bool(refused));
  CHECK(refused.error().code == Errc::usage);
  CHECK(refused.error().message == "the macaroon file holds no macaroon of version 2, as lnd writes them");
}

TEST_CASE("macaroon: every single wrong byte is read as another macaroon or refused") {
  const Bytes whole = *bytes_from_hex(once);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int wrong : {0, 1, 2, 6, 0x7F, 0x80, 0xFF}) {
      Bytes bent = whole;
      bent[at] = static_cast<std::uint8_t>(wrong);
      if (const auto macaroon = Macaroon::read(bent)) CHECK(macaroon->hex() == to_hex(bent));
    }
  }
}

TEST_CASE("macaroon: hex text instead of bytes is refused, with the way out") {
  for (const std::string& text : {baked, baked + "\n", std::string("0201036C6E64\r\n")}) {
    const auto refused = read_text(text);
    REQUIRE_FALSE(bool(refused));
    CHECK(refused.error().message == "the macaroon file holds hex text, but lnd's binary form is needed");
    CHECK(refused.error().hint == "xxd -r -p FILE NEW_FILE");
  }
  CHECK(read_text("").error().hint.empty());
  CHECK(read_text("{\"c\":[]}").error().hint.empty());
}

TEST_CASE("macaroon: a secret cannot be copied, and moving leaves nothing behind") {
  static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
  static_assert(!std::is_copy_constructible_v<Macaroon>);
  SecretBytes one(4);
  one.append(Bytes{1, 2, 3});
  CHECK_THROWS_AS(one.append(Bytes{4, 5}), std::logic_error);
  SecretBytes other(std::move(one));
  CHECK(other.span().size() == 3);
  CHECK(one.span().empty());  // NOLINT(bugprone-use-after-move)
  SecretBytes third(1);
  third = std::move(other);
  CHECK(to_hex(third.span()) == "010203");
}
