// Writes and signs BOLT 11 invoices.
#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/base/number.h"
#include "core/invoice/bolt11/address.h"
#include "core/invoice/bolt11/format.h"
#include "core/invoice/bolt11/signature.h"

namespace paytower::bolt11 {

namespace {

Error no_invoice(std::string_view what) {
  return Error{Errc::usage, fmt::format("this invoice cannot be written: {}", what), {}};
}

void put_field(Words& out, std::uint8_t tag, std::span<const std::uint8_t> words) {
  out.push_back(tag);
  out.push_back(static_cast<std::uint8_t>(words.size() >> 5));
  out.push_back(static_cast<std::uint8_t>(words.size() & 31));
  out.insert(out.end(), words.begin(), words.end());
}

void put_bytes(Words& out, std::uint8_t tag, std::span<const std::uint8_t> bytes) {
  put_field(out, tag, bech32::to_words(bytes));
}

/// A number as as few big-endian words as possible; none for 0.
Words number_words(std::uint64_t value) {
  Words words;
  for (; value > 0; value >>= 5) words.insert(words.begin(), static_cast<std::uint8_t>(value & 31));
  return words;
}

Words feature_words(const Bytes& features) {
  Words words((features.size() * 8 + 4) / 5, 0);
  for (std::size_t bit = 0; bit < features.size() * 8; ++bit) {
    if ((features[features.size() - 1 - bit / 8] >> bit % 8 & 1) != 0)
      words[words.size() - 1 - bit / 5] |= static_cast<std::uint8_t>(1U << bit % 5);
  }
  const auto first = std::find_if(words.begin(), words.end(), [](std::uint8_t word) { return word != 0; });
  words.erase(words.begin(), first);
  return words;
}

Bytes hint_bytes(const RouteHint& hint) {
  Bytes bytes;
  for (const HintHop& hop : hint) {
    bytes.insert(bytes.end(), hop.node.bytes.begin(), hop.node.bytes.end());
    put_big_endian(bytes, hop.channel.value, 8);
    put_big_endian(bytes, hop.fee_base_msat, 4);
    put_big_endian(bytes, hop.fee_proportional_millionths, 4);
    put_big_endian(bytes, hop.cltv_expiry_delta, 2);
  }
  return bytes;
}

std::string amount_text(Msat amount) {
  for (const Multiplier& multiplier : multipliers) {
    if (amount.value() % multiplier.msat != 0) continue;
    return fmt::format("{}{}", amount.value() / multiplier.msat,
                       multiplier.letter == 0 ? "" : std::string(1, multiplier.letter));
  }
  return fmt::format("{}0p", amount.value());
}

Words data_words(const Invoice& fields, const PublicKey& payee) {
  Words out;
  for (std::size_t i = timestamp_words; i > 0; --i)
    out.push_back(static_cast<std::uint8_t>(fields.timestamp >> 5 * (i - 1) & 31));
  put_bytes(out, tag_p, fields.payment_hash.bytes);
  put_bytes(out, tag_s, fields.payment_secret.bytes);
  if (fields.description) put_bytes(out, tag_d, Bytes(fields.description->begin(), fields.description->end()));
  if (fields.description_hash) put_bytes(out, tag_h, fields.description_hash->bytes);
  if (fields.metadata) put_bytes(out, tag_m, *fields.metadata);
  if (fields.payee_named) put_bytes(out, tag_n, payee.bytes);
  if (fields.expiry != default_invoice_expiry_s) put_field(out, tag_x, number_words(fields.expiry));
  if (fields.min_final_cltv != default_min_final_cltv) put_field(out, tag_c, number_words(fields.min_final_cltv));
  for (const Fallback& fallback : fields.fallbacks) {
    Words words{fallback.version};
    const Words program = bech32::to_words(fallback.program);
    words.insert(words.end(), program.begin(), program.end());
    put_field(out, tag_f, words);
  }
  for (const RouteHint& hint : fields.route_hints) put_bytes(out, tag_r, hint_bytes(hint));
  if (!fields.features.empty()) put_field(out, tag_9, feature_words(fields.features));
  for (const InvoiceExtra& extra : fields.extras) put_field(out, extra.tag, extra.words);
  return out;
}

/// Nothing if every field can be written and follows the writer's rules of BOLT 11. Otherwise a sentence that says why
/// not.
std::optional<Error> unwritable(const Invoice& fields) {
  constexpr std::size_t longest_bytes = longest_field * 5 / 8;
  if (fields.timestamp >> 35 != 0) return no_invoice("its time is beyond 35 bits");
  if (fields.amount && fields.amount->value() == 0) return no_invoice("its amount is 0");
  if (fields.description && fields.description->size() > longest_bytes)
    return no_invoice("its description is longer than 639 bytes");
  if (fields.description && fields.description_hash) return no_invoice("it has both a description and the hash of one");
  if (!fields.description && !fields.description_hash) return no_invoice("it has no description");
  if (fields.metadata && fields.metadata->size() > longest_bytes)
    return no_invoice("its metadata is longer than 639 bytes");
  for (const RouteHint& hint : fields.route_hints) {
    if (hint.empty() || hint.size() * hint_hop_bytes > longest_bytes)
      return no_invoice("a route hint has no hop or more than 12");
    const bool keys =
        std::all_of(hint.begin(), hint.end(), [](const HintHop& hop) { return valid_public_key(hop.node); });
    if (!keys) return no_invoice("a route hint has a node id that is not a public key");
  }
  for (const Fallback& fallback : fields.fallbacks) {
    if (!fallback_address(fallback, fields.network)) return no_invoice("a fallback address is not an address");
  }
  for (const InvoiceExtra& extra : fields.extras) {
    const bool words = std::all_of(extra.words.begin(), extra.words.end(), [](std::uint8_t word) { return word < 32; });
    if (extra.tag > 31 || extra.words.size() > longest_field || !words)
      return no_invoice("an extra field is not a field");
  }
  if (fields.features.size() > longest_bytes) return no_invoice("its features are too long");
  return std::nullopt;
}

/// True if a reader will find no meaning in the extra fields either: with the tag of an absent field an extra would
/// become that field, and with a length that its tag cannot have it would spoil the invoice.
bool extras_stay(const Invoice& fields, std::span<const std::uint8_t> words) {
  return extras_in(words.subspan(timestamp_words)) == fields.extras;
}

}  // namespace

}  // namespace paytower::bolt11

namespace paytower {

Result<std::string> encode_invoice(const Invoice& fields, const std::array<std::uint8_t, 32>& private_key) {
  using namespace bolt11;
  const auto network =
      std::find_if(networks.begin(), networks.end(), [&](const Network& n) { return n.name == fields.network; });
  if (network == networks.end()) return no_invoice("its network is unknown");
  if (auto error = unwritable(fields)) return *error;
  const auto payee = public_key_of(private_key);
  if (!payee) return no_invoice("the private key is invalid");
  const std::string hrp = fmt::format("ln{}{}", network->prefix, fields.amount ? amount_text(*fields.amount) : "");
  Words words = data_words(fields, *payee);
  if (!extras_stay(fields, words)) return no_invoice("an extra field would be read as one with a meaning");
  const auto signature = secp::sign(signed_digest(hrp, words), private_key);
  if (!signature) return no_invoice("the private key is invalid");
  Bytes bytes(signature->bytes.begin(), signature->bytes.end());
  bytes.push_back(signature->recovery_id);
  const Words signed_words = bech32::to_words(bytes);
  words.insert(words.end(), signed_words.begin(), signed_words.end());
  std::string text = bech32::encode(hrp, words);
  if (text.size() > limits::max_invoice_chars)
    return no_invoice(fmt::format("it is longer than {} characters", limits::max_invoice_chars));
  return text;
}

}  // namespace paytower
