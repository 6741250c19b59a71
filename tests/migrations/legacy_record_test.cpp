// Goal: the frozen record codec reads what lnd wrote, refuses everything else with the field's name, and never reads
// beyond its bytes. Method: the vectors of lnd's real files in hex, then records built field by field from the format
// alone.
#include <doctest/doctest.h>

#include <string>

#include "core/base/hash.h"
#include "legacy_maker.h"
#include "migrations/legacy_record.h"

using namespace paytower;
using namespace paytower::test;
using migrations::LegacyFlaw;
using migrations::LegacyRecord;
using migrations::read_legacy_record;

namespace {

/// B1 of a real file: 1000000 msat over two hops.
const char* const typical =
    "0000000f010000000ed46f2880075bcd1500780f01000000000000000000000000ffff00000000000000000000000000"
    "0000000000000000000000000000000000000000000000000f4240000000000000000000000000000000000000000000"
    "0000000000000000000004d20000000202b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
    "b103b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b20008ca7b00010203040506070809"
    "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

std::string flaw(const Bytes& record) {
  const auto outcome = read_legacy_record(record);
  const auto* found = std::get_if<LegacyFlaw>(&outcome);
  return found == nullptr ? "" : found->reason;
}

std::optional<PaymentHash> flawed_hash(const Bytes& record) {
  return std::get<LegacyFlaw>(read_legacy_record(record)).hash;
}

/// Reads a good record. Its bytes must outlive the result.
LegacyRecord good(const Bytes& record) {
  const auto outcome = read_legacy_record(record);
  CAPTURE(flaw(record));
  REQUIRE(std::holds_alternative<LegacyRecord>(outcome));
  return std::get<LegacyRecord>(outcome);
}

LegacyFields plain() {
  LegacyFields fields;
  fields.preimage = numbered_preimage(1);
  return fields;
}

/// As B2: memo, receipt and a request of 300 bytes; 491 bytes.
Bytes long_record() {
  LegacyFields fields;
  fields.memo = "coffee";
  fields.receipt = "\xde\xad";
  fields.request = std::string(300, 'x');
  fields.created = go_time(1'558'000'060, 0);
  fields.value = 5;
  fields.fee = 0;
  fields.hops = 1;
  fields.time_lock = 600'000;
  fields.preimage.bytes.fill(0x22);
  return legacy_record(fields);
}

}  // namespace

TEST_CASE("vector 1: the typical record of a real file") {
  const Bytes bytes = *bytes_from_hex(typical);
  REQUIRE(bytes.size() == 214);
  const LegacyRecord record = good(bytes);
  CHECK(record.value_msat == 1'000'000);
  CHECK(record.fee_msat == 1'234);
  CHECK(record.created_ns == 1'558'000'000'123'456'789);
  CHECK(record.hops() == 2);
  CHECK(to_hex(record.path) == hop_key(0).hex() + hop_key(1).hex());
  CHECK(record.time_lock == 576'123);
  CHECK(!record.has_more);
  CHECK(record.payment_request.empty());
  CHECK(hash_of(record.preimage).hex() == "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
}

TEST_CASE("vector 1: a record with memo, receipt and a long request") {
  const Bytes bytes = long_record();
  REQUIRE(bytes.size() == 491);
  const LegacyRecord record = good(bytes);
  CHECK(std::string(record.memo.begin(), record.memo.end()) == "coffee");
  CHECK(record.payment_request == std::string(300, 'x'));
  CHECK(record.has_more);
  CHECK(hash_of(record.preimage).hex() == "9f72ea0cf49536e3c66c787f705186df9a4378083753ae9536d65b3ad7fcddc4");
}

TEST_CASE("vector 14: records before version 3 are widened, and not misread without") {
  const Bytes wide = *bytes_from_hex(typical);
  Bytes narrow = wide;
  narrow.erase(narrow.begin() + 76, narrow.begin() + 100);
  REQUIRE(narrow.size() == 190);
  CHECK(migrations::widen_v04_record(narrow) == wide);
  CHECK(flaw(narrow) == "record truncated in path: it says 2981212593 hops");
  CHECK(!migrations::widen_v04_record(std::span(narrow).first(75)));
}

TEST_CASE("vector 15: lengths at their borders, each in its shortest form only") {
  for (const std::size_t size : {0U, 252U, 253U, 4096U}) {
    LegacyFields fields = plain();
    fields.request = std::string(size, 'x');
    CHECK(good(legacy_record(fields)).payment_request.size() == size);
  }
  LegacyFields fields = plain();
  fields.request = std::string(4097, 'x');
  CHECK(flaw(legacy_record(fields)) == "payment request of 4097 bytes, 4096 are the most");
  for (const char* field : {"memo", "receipt"}) {
    for (const std::size_t size : {1024U, 1025U}) {
      LegacyFields noted = plain();
      (std::string(field) == "memo" ? noted.memo : noted.receipt) = std::string(size, 'x');
      CHECK(flaw(legacy_record(noted)) ==
            (size == 1024 ? "" : std::string(field) + " of 1025 bytes, 1024 are the most"));
    }
  }
  const Bytes record = legacy_record(plain());
  const auto with_front = [&record](const char* hex) {
    Bytes changed = *bytes_from_hex(hex);
    changed.insert(changed.end(), record.begin() + 1, record.end());
    return changed;
  };
  CHECK(flaw(with_front("fd05006162636465")) == "memo: its length is not in the shortest form");
  CHECK(flaw(with_front("fe05000000")) == "memo: its length is not in the shortest form");
  CHECK(flaw(with_front("ff0500000000000000")) == "memo: its length is not in the shortest form");
  CHECK(flaw(with_front("feffffffff")) == "memo of 4294967295 bytes, 1024 are the most");
  CHECK(flaw(with_front("ffffffffffffffffff")) == "memo of 18446744073709551615 bytes, 1024 are the most");
}

TEST_CASE("vector 16: instants do not depend on zones; odd times are named") {
  const auto with = [](Bytes created) {
    LegacyFields fields = plain();
    fields.created = std::move(created);
    return legacy_record(fields);
  };
  for (const int zone : {-1, 0, 14 * 60, -12 * 60, 5 * 60 + 45})
    CHECK(good(with(go_time(1'558'000'000, 5, static_cast<std::int16_t>(zone)))).created_ns ==
          1'558'000'000'000'000'005);
  Bytes second_form = go_time(1'558'000'000, 5, 60);
  second_form[0] = 2;
  second_form.push_back(30);
  CHECK(good(with(second_form)).created_ns == 1'558'000'000'000'000'005);
  CHECK(good(with(go_zero_time())).created_ns == 0);
  CHECK(good(with(go_time(-1, 0))).created_ns == -1'000'000'000);
  CHECK(good(with(go_time(1, 999'999'999))).created_ns == 1'999'999'999);
  CHECK(flaw(with(go_time(1, 1'000'000'000))) == "creation date with more than 999999999 nanoseconds");
  Bytes unknown = go_time(1, 0);
  unknown[0] = 9;
  CHECK(flaw(with(unknown)) == "creation date in the unknown form 9");
  Bytes cut = go_time(1, 0);
  cut.pop_back();
  CHECK(flaw(with(cut)) == "creation date of 14 bytes");
  CHECK(flaw(with(go_time(INT64_C(9'223'372'036), 0))) == "creation date outside the years 1678 to 2262");
  CHECK(flaw(with(go_time(INT64_C(-9'223'372'037), 0))) == "creation date outside the years 1678 to 2262");
  Bytes none = legacy_record(plain());
  none.erase(none.begin() + 4, none.begin() + 19);
  none[3] = 0;
  CHECK(flaw(none) == "creation date of 0 bytes");
  LegacyFields settled = plain();
  settled.settled = go_time(7, 7);
  CHECK(good(legacy_record(settled)).has_more);
}

TEST_CASE("vector 17: cut at every length, and longer by 1 to 40 bytes") {
  for (const Bytes& whole : {long_record(), *bytes_from_hex(typical)}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      CAPTURE(length);
      CHECK(flaw(cut).rfind("record truncated in ", 0) == 0);
      CHECK(!flawed_hash(cut));
    }
    for (std::size_t more = 1; more <= 40; ++more) {
      Bytes extended = whole;
      extended.resize(whole.size() + more);
      CHECK(flaw(extended) == std::to_string(more) + " bytes behind the preimage");
      CHECK(flawed_hash(extended));  // it may well be paid
    }
  }
  const Bytes whole = *bytes_from_hex(typical);
  CHECK(flaw(Bytes(whole.begin(), whole.end() - 1)) == "record truncated in preimage");
  CHECK(flaw(Bytes(whole.begin(), whole.end() - 33)) == "record truncated in time lock");
  CHECK(flaw(Bytes(whole.begin(), whole.begin() + 80)) == "record truncated in add index");
}

TEST_CASE("vector 17: every bit of a record turned: a record within bounds, or a reason") {
  LegacyFields rich = plain();
  rich.memo = "coffee";
  rich.receipt = "two";
  rich.request = std::string(300, 'x');
  rich.settled = go_time(7, 7);
  LegacyFields pathless = plain();
  pathless.hops = 0;
  for (const Bytes& whole : {*bytes_from_hex(typical), legacy_record(rich), legacy_record(pathless)}) {
    std::size_t read = 0;
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      CAPTURE(bit);
      Bytes turned = whole;
      turned[bit / 8] = static_cast<std::uint8_t>(turned[bit / 8] ^ 1U << bit % 8);
      const auto outcome = read_legacy_record(turned);
      if (const auto* named = std::get_if<LegacyFlaw>(&outcome)) {
        ++refused;
        CHECK(!named->reason.empty());
        CHECK(named->reason.size() < 200);
        continue;
      }
      ++read;
      const auto& record = std::get<LegacyRecord>(outcome);
      CHECK(record.value_msat + record.fee_msat <= 2'100'000'000'000'000'000);
      CHECK(record.hops() <= 255);
      CHECK(record.path.size() + record.payment_request.size() + record.memo.size() < turned.size());
    }
    CHECK(read > 500);  // the preimage, keys, the lower bits of numbers
    CHECK(refused > 100);
  }
}

TEST_CASE("vector 18: paths of 0, 1, 20, 27 hops, a hostile count, and keys that are none") {
  for (const std::size_t hops : {0U, 1U, 20U, 27U, 255U}) {
    LegacyFields fields = plain();
    fields.hops = hops;
    CHECK(good(legacy_record(fields)).hops() == hops);
  }
  LegacyFields fields = plain();
  fields.hops = 256;
  CHECK(flaw(legacy_record(fields)) == "path of 256 hops, 255 are the most");
  Bytes hostile = *bytes_from_hex(typical);
  for (std::size_t i = 108; i < 112; ++i) hostile[i] = 0xff;
  CHECK(flaw(hostile) == "record truncated in path: it says 4294967295 hops");
  for (const std::uint8_t prefix : {std::uint8_t{0}, std::uint8_t{4}}) {
    Bytes odd = *bytes_from_hex(typical);
    odd[112 + 33] = prefix;
    CHECK(flaw(odd) == "path: hop 2 is no public key");
    CHECK(flawed_hash(odd)->hex() == "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
  }
}

TEST_CASE("vector 19: amounts") {
  const auto with = [](std::uint64_t value, std::uint64_t fee) {
    LegacyFields fields = plain();
    fields.value = value;
    fields.fee = fee;
    return legacy_record(fields);
  };
  CHECK(flaw(with(0, 0)).empty());
  CHECK(flaw(with(2'100'000'000'000'000'000, 0)).empty());
  CHECK(flaw(with(2'100'000'000'000'000'000, 1)) == "value and fee together above 21 million btc");
  CHECK(flaw(with(2'100'000'000'000'000'001, 0)) == "value above 21 million btc");
  CHECK(flaw(with(std::uint64_t{1} << 63, 0)) == "value above 21 million btc");
  CHECK(flaw(with(UINT64_MAX, 1)) == "value above 21 million btc");
  CHECK(flaw(with(1, UINT64_MAX)) == "fee above 21 million btc");
}

TEST_CASE("an all-zero preimage, and the payment hash in the preimage's place") {
  LegacyFields fields = plain();
  fields.preimage = Preimage{};
  CHECK(flaw(legacy_record(fields)) == "preimage of zeros");
  CHECK(flawed_hash(legacy_record(fields))->hex() ==
        "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
  // An invoice of the specification: its payment hash is
  // 0001020304050607080900010203040506070809000102030405060708090102.
  fields.request =
      "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5"
      "rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls0"
      "87fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";
  const std::string invoiced = "0001020304050607080900010203040506070809000102030405060708090102";
  REQUIRE(migrations::invoice_payment_hash(fields.request));
  CHECK(migrations::invoice_payment_hash(fields.request)->hex() == invoiced);
  CHECK(flawed_hash(legacy_record(fields))->hex() == invoiced);
  fields.preimage = *Preimage::from_hex_text(invoiced);
  CHECK(flaw(legacy_record(fields)) == "preimage: the payment hash stands in its place");
  CHECK(flawed_hash(legacy_record(fields))->hex() == invoiced);
  fields.preimage = numbered_preimage(5);
  CHECK(flaw(legacy_record(fields)) == "preimage does not hash to the payment hash of the invoice");
  // A text that is no invoice proves nothing.
  fields.request[40] = fields.request[40] == 'q' ? 'p' : 'q';
  CHECK(!migrations::invoice_payment_hash(fields.request));
  CHECK(flaw(legacy_record(fields)).empty());
}
