// libFuzzer target for BOLT 11. If the first byte is '#', the rest are five-bit words of an invoice, which get a right
// checksum so that the fields are reached; otherwise the input is the text of an invoice. Invariants: what is read and
// can be written again is read back the same, and what is accepted today is read the same under the older rules.
#include <algorithm>
#include <array>
#include <string>

#include "core/invoice/bolt11/bech32.h"
#include "core/invoice/bolt11/invoice.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::array<const char*, 9> prefixes{"lnbc",   "lnbc2500u", "lnbc1n", "lntb20m", "lnbcrt1p",
                                              "lntbs9", "lnbc10p",   "lnbcrt", "lnsb"};

std::string with_checksum(std::string_view body) {
  if (body.empty()) return {};
  const std::string prefix = prefixes[static_cast<std::uint8_t>(body.front()) % prefixes.size()];
  bech32::Words words;
  for (const char letter : body.substr(1)) words.push_back(static_cast<std::uint8_t>(letter) & 31U);
  return bech32::encode(prefix, words);
}

/// Everything but who signed.
bool same_fields(const Invoice& one, const Invoice& other) {
  return one.network == other.network && one.amount == other.amount && one.timestamp == other.timestamp &&
         one.payment_hash == other.payment_hash && one.payment_secret == other.payment_secret &&
         one.description == other.description && one.description_hash == other.description_hash &&
         one.expiry == other.expiry && one.min_final_cltv == other.min_final_cltv &&
         one.route_hints == other.route_hints && one.fallbacks == other.fallbacks && one.features == other.features &&
         one.metadata == other.metadata;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view input = text_of(bytes, size);
  const std::string text = !input.empty() && input.front() == '#' ? with_checksum(input.substr(1)) : std::string(input);
  const auto recorded = decode_recorded_invoice(text);
  const auto invoice = decode_invoice(text);
  must(!invoice || (recorded && same_fields(*recorded, *invoice) && recorded->extras == invoice->extras));
  if (!invoice) {
    must(!invoice.error().message.empty());
    return 0;
  }
  must(valid_public_key(invoice->payee));
  must(route_hints_of(text) == invoice->route_hints);
  must(description_in(text) == invoice->description);
  must(invoice->description.has_value() != invoice->description_hash.has_value());
  for (const RouteHint& hint : invoice->route_hints) {
    must(!hint.empty() &&
         std::all_of(hint.begin(), hint.end(), [](const HintHop& hop) { return valid_public_key(hop.node); }));
  }
  (void)expired(*invoice, invoice->timestamp);
  std::array<std::uint8_t, 32> key{};
  key.back() = 1;
  const auto written = encode_invoice(*invoice, key);
  if (!written) return 0;
  const auto again = decode_invoice(*written);
  must(again && same_fields(*again, *invoice));
  return 0;
}
