// Goal: whatever people paste gives the bare invoice or the name of what it is. Method: a table of each kind, and as
// properties that nothing around an invoice changes it and that no refusal repeats what was pasted.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "cli/input/payable_text.h"
#include "core/base/limits.h"
#include "core/driver/admission.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

const std::string invoice = "lnbcrt10n1pj48ugqpp54255qfny7xjp7s8th3fvnxf7ke4wkdnxq22clha29qahrejdky3s";
const std::string node_key(64, 'a');

std::string read(const std::string& pasted) {
  const auto text = payable_text(pasted);
  if (!text) CHECK(text.error().code == Errc::usage);
  return text ? *text : text.error().message;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// The same letters, each of any case.
std::string any_case(std::string text) {
  for (char& c : text) c = *rc::gen::arbitrary<bool>() ? static_cast<char>(std::toupper(c)) : c;
  return text;
}

/// The same text, some of it percent-encoded.
std::string any_encoding(const std::string& text) {
  std::string out;
  for (const char c : text) {
    std::array<char, 4> code{};
    std::snprintf(code.data(), code.size(), *rc::gen::arbitrary<bool>() ? "%%%02x" : "%%%02X",
                  static_cast<unsigned>(c));
    out += *rc::gen::inRange(0, 4) == 0 ? std::string(code.data()) : std::string(1, c);
  }
  return out;
}

std::string any_blanks() {
  std::string out;
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
    out += *rc::gen::element<std::string>(" ", "\t", "\n", "\r\n", "\xc2\xa0", "\xef\xbb\xbf");
  return out;
}

}  // namespace

TEST_CASE("payable text: nothing around an invoice changes it") {
  CHECK(rc::check([] {
    const std::string wanted = *rc::gen::arbitrary<bool>() ? invoice : upper(invoice);
    const std::string scheme = any_case(*rc::gen::element<std::string>("", "lightning:", "lightning://"));
    const std::string tail = scheme.empty() ? std::string() : *rc::gen::element<std::string>("", "?label=1", "#1");
    const auto plain = payable_text(any_blanks() + scheme + any_blanks() + wanted + tail + any_blanks());
    RC_ASSERT(plain && *plain == wanted);

    const std::string before =
        *rc::gen::element<std::string>("", "amount=0.0000001&", "label=a%20b&lno=lno1x&", "pj=https://x/?y&", "&&x&");
    const std::string behind =
        *rc::gen::element<std::string>("", "&message=%E2%82%BF", "&pop=x", "#here", "&lightning=" + wanted);
    const std::string uri = any_blanks() + any_case("bitcoin:") +
                            *rc::gen::element<std::string>("", "bcrt1qxycnzvf3xycnzvf3xycnzvf3xycnzvf3") + "?" +
                            before + any_case("lightning") + "=" + any_encoding(wanted) + behind + any_blanks();
    const auto taken = payable_text(uri);
    RC_ASSERT(taken && *taken == wanted);
  }));
}

TEST_CASE("payable text: what is not a BOLT 11 invoice is named as what it is") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc", "BOLT 12 offer"},
      {"LNO1QGSQVGNWGCG35Z6EE2H3YCZRADDM72XRFUA9UVE2RLRM9DEU7XYFZRC", "BOLT 12 offer"},
      {"lightning:lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc", "BOLT 12 offer"},
      {"lnr1qqp6hn00zcssxr0juddeytv7nwawhk9nq9us0arnk8j8wnsq8r2e86vzgtfneupe", "BOLT 12 invoice request"},
      {"lni1qqgds4gweqxey37gexf5jus4kcrwuq3qqc3xu3s3rg94nj40zfsy866mhu5vxne6tcej5878k2mneuvgjy8s", "BOLT 12 invoice"},
      {"lnurl1dp68gurn8ghj7etcv9khqmr99e3k7mf0d3h82unvwqhhsm9cxlq", "LNURL"},
      {"LNURL1DP68GURN8GHJ7ETCV9KHQMR99E3K7MF0D3H82UNVWQHHSM9CXLQ", "LNURL"},
      {"lnurlp://example.com/lnurl", "LNURL"},
      {"lnurlw://example.com/lnurl", "LNURL"},
      {"lightning:lnurlp:example.com", "LNURL"},
      {"keyauth://example.com?tag=login&k1=00", "keyauth"},
      {"https://example.com/pay?lightning=LNURL1DP68GURN8GHJ7", "LNURL"},
      {"https://example.com/invoice/7", "web address"},
      {"satoshi@example.com", "Lightning address"},
      {"lightning:satoshi+tips@example.com", "Lightning address"},
      {"\xe2\x82\xbfsatoshi@example.com", "BIP 353"},
      {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "on-chain address"},
      {"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "on-chain address"},
      {"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "on-chain address"},
      {"bcrt1qxycnzvf3xycnzvf3xycnzvf3xycnzvf3", "on-chain address"},
      {"1RustyRX2oai4EYYDpQGWvEL62BBGqN9T", "on-chain address"},
      {"3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX", "on-chain address"},
      {"mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP", "on-chain address"},
      {"bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=1", "bitcoin: URI without lightning="},
      {"bitcoin:?lno=lno1qgsqvgnwgcg35", "BOLT 12 offer"},
      {"bitcoin:bc1q?lightning=LNURL1DP68GURN8GHJ7", "LNURL"},
      {"bitcoin:bc1q?lightning=", "there is no invoice in it"},
      {"bitcoin:bc1q?lightning=%4", "damaged"},
      {"bitcoin:bc1q?req-magic=1&lightning=" + invoice, "requires something that paytower does not know"},
      {"bitcoin:bc1q?lightning=" + invoice + "&lightning=" + upper(invoice), "two different lightning="},
      {"02" + node_key, "a node id,"},
      {"02" + node_key + "@203.0.113.7:9735", "node's id and address"},
      {node_key, "payment hash"},
      {"", "there is no invoice in it"},
      {" \r\n", "there is no invoice in it"},
      {"lightning:", "there is no invoice in it"},
      {invoice + "\n" + invoice, "blank or a line end inside"},
      {std::string(limits::max_pasted_bytes + 1, ' '), "longer than any invoice"}};
  for (const auto& [pasted, word] : table) {
    const std::string shown = pasted.substr(0, 100);
    CAPTURE(shown);
    const std::string said = read(pasted);
    CHECK_MESSAGE(said.find(word) != std::string::npos, said);
    if (pasted.size() > 20) CHECK(said.find(pasted.substr(pasted.size() - 16)) == std::string::npos);
  }
  for (const std::string other : {"hello", "lnbc", "lnltc1abc", "nonsense", "lntbs1x", "ln", "02abc"})
    CHECK(read(other) == other);  // decode_invoice() says what is wrong with it
}

TEST_CASE("an invoice is payable on a switch that says it is on the invoice's network") {
  PaymentRequest request;
  request.demand.amount = Msat::of(1);
  IdentityAnswer there;
  request.demand.destination.bytes.fill(2);
  const auto fits = [&](const std::string& wanted, const std::string& chain) {
    request.network = wanted;
    there.key.network = chain;
    const auto why = unfit(request, there);
    if (why) CHECK(why->code == Errc::wrong_network);
    if (why) CHECK(why->payment_hash == request.hash);
    return !why;
  };
  for (const char* network : {"bitcoin", "testnet", "signet", "regtest", "simnet"}) CHECK(fits(network, network));
  CHECK(fits("testnet", "testnet4"));  // one prefix for all testnets
  CHECK(fits("testnet", "testnet3"));
  CHECK_FALSE(fits("simnet", "signet"));
  CHECK_FALSE(fits("signet", "simnet"));
  CHECK_FALSE(fits("bitcoin", "testnet4"));
  CHECK(fits("", "bitcoin"));  // --dest names none
  there.key.node = request.demand.destination;
  const auto own = unfit(request, there);
  REQUIRE(own);
  CHECK(own->code == Errc::self_payment);
  CHECK(own->payment_hash == request.hash);
}

TEST_CASE("payable text: any bytes end in a text without blanks around it or in a sentence") {
  CHECK(rc::check([] {
    const std::string head = *rc::gen::element<std::string>("", "bitcoin:", "bitcoin:?lightning=", "lightning:", "ln",
                                                            "\xe2\x82\xbf", "lnurl");
    const auto text = payable_text(head + *rc::gen::arbitrary<std::string>());
    if (!text) {
      RC_ASSERT(!text.error().message.empty());
      return;
    }
    RC_ASSERT(!text->empty());
    RC_ASSERT(text->find_first_of(" \t\r\n") == std::string::npos);
  }));
}
