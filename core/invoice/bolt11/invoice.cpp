// Reads and checks BOLT 11 invoices, field by field, and answers what follows from one.
#include "core/invoice/bolt11/invoice.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/number.h"
#include "core/invoice/bolt11/bech32.h"
#include "core/invoice/bolt11/format.h"
#include "core/invoice/bolt11/signature.h"

namespace paytower::bolt11 {

namespace {

/// How to treat a field that BOLT 11 refuses since 2025, and that readers skipped before.
enum class Rules {
  today,     ///< the invoice is refused
  recorded,  ///< the field is skipped: the invoice was accepted once, and what was paid with it must stay readable
};

Error flaw(std::string_view what) {
  return Error{Errc::usage, fmt::format("not a BOLT 11 invoice that can be paid: {}", what), {}};
}
Error no_bolt11() {
  return Error{Errc::usage, "not an invoice (must start with lnbc, lntb, lntbs, lnbcrt or lnsb)", {}};
}

/// The value of a multiplier in msat. Nothing for an unknown one.
std::optional<std::uint64_t> unit_msat(std::string_view unit) {
  for (const Multiplier& multiplier : multipliers) {
    const bool meant = multiplier.letter == 0 ? unit.empty() : unit == std::string_view(&multiplier.letter, 1);
    if (meant) return multiplier.msat;
  }
  return std::nullopt;
}

Result<std::optional<Msat>> read_amount(std::string_view text) {
  if (text.empty()) return std::optional<Msat>{};
  if (text.front() < '1' || text.front() > '9') return flaw("its amount does not begin with a digit above 0");
  const std::size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view digits = text.substr(0, size);
  const std::string_view unit = text.substr(size);
  std::uint64_t per_unit = 1;
  if (unit == "p") {
    // A pico-bitcoin is a tenth of an msat. The 0 at the end is cut off before the number is read, because all bitcoin
    // in pico-bitcoin do not fit into 64 bits.
    if (digits.back() != '0') return flaw("its amount is not a whole number of millisatoshi");
    digits.remove_suffix(1);
  } else if (const auto known = unit_msat(unit)) {
    per_unit = *known;
  } else {
    return flaw("its amount has an unknown multiplier");
  }
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (parsed.ec != std::errc{} || number > Msat::max_value / per_unit)
    return flaw("its amount is larger than all bitcoin");
  return Msat::from(number * per_unit);
}

/// A big-endian number of 5-bit words; all ones if it does not fit.
std::uint64_t read_number(std::span<const std::uint8_t> words) {
  std::uint64_t value = 0;
  for (const std::uint8_t word : words) {
    if (value >> 59 != 0) return UINT64_MAX;
    value = value << 5 | word;
  }
  return value;
}

/// The bit field 9, aligned to the right: bit 0 is the last bit. Without leading zero bytes.
Bytes read_features(std::span<const std::uint8_t> words) {
  Bytes bytes((words.size() * 5 + 7) / 8, 0);
  for (std::size_t bit = 0; bit < words.size() * 5; ++bit) {
    const std::uint8_t word = words[words.size() - 1 - bit / 5];
    if ((word >> bit % 5 & 1) != 0) bytes[bytes.size() - 1 - bit / 8] |= static_cast<std::uint8_t>(1U << bit % 8);
  }
  const auto first = std::find_if(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; });
  bytes.erase(bytes.begin(), first);
  return bytes;
}

bool has_bit(const Bytes& features, std::size_t bit) {
  return bit / 8 < features.size() && (features[features.size() - 1 - bit / 8] >> bit % 8 & 1) != 0;
}

/// The first feature bit that a payer must know and that we do not know (BOLT 9: even bits are compulsory).
std::optional<std::size_t> unknown_compulsory_bit(const Bytes& features) {
  // var_onion_optin, payment_secret, basic_mpp, option_route_blinding, option_attribution_data, option_payment_metadata
  static constexpr std::array<std::size_t, 6> known = {8, 14, 16, 24, 36, 48};
  for (std::size_t bit = 0; bit < features.size() * 8; bit += 2) {
    if (has_bit(features, bit) && std::find(known.begin(), known.end(), bit) == known.end()) return bit;
  }
  return std::nullopt;
}

std::optional<RouteHint> read_hint(std::span<const std::uint8_t> words) {
  const auto bytes = bech32::to_bytes(words, false);
  if (bytes->empty() || bytes->size() % hint_hop_bytes != 0) return std::nullopt;
  RouteHint hint;
  std::span<const std::uint8_t> rest(*bytes);
  while (!rest.empty()) {
    HintHop hop;
    hop.node = *PublicKey::from_span(rest.first(PublicKey::size));
    rest = rest.subspan(PublicKey::size);
    hop.channel.value = take_big_endian(rest, 8);
    hop.fee_base_msat = static_cast<std::uint32_t>(take_big_endian(rest, 4));
    hop.fee_proportional_millionths = static_cast<std::uint32_t>(take_big_endian(rest, 4));
    hop.cltv_expiry_delta = static_cast<std::uint16_t>(take_big_endian(rest, 2));
    hint.push_back(hop);
  }
  return hint;
}

std::optional<Fallback> read_fallback(std::span<const std::uint8_t> words) {
  if (words.empty() || words.front() > 18) return std::nullopt;
  Fallback fallback;
  fallback.version = words.front();
  fallback.program = *bech32::to_bytes(words.subspan(1), false);
  return fallback;
}

/// The field may have only one length, and has another one.
std::optional<Error> wrong_length(std::uint8_t tag, std::size_t size) {
  switch (tag) {
    case tag_p:
      return size == hash_words ? std::nullopt
                                : std::optional(flaw("a payment hash in it (field p) has the wrong length"));
    case tag_s:
      return size == hash_words ? std::nullopt
                                : std::optional(flaw("a payment secret in it (field s) has the wrong length"));
    case tag_h:
      return size == hash_words ? std::nullopt
                                : std::optional(flaw("a description hash in it (field h) has the wrong length"));
    case tag_n:
      return size == key_words ? std::nullopt : std::optional(flaw("a payee in it (field n) has the wrong length"));
    default: return std::nullopt;
  }
}

/// The field is a number that is written longer than needed. No words at all means 0, which is allowed.
std::optional<Error> leading_zeros(std::uint8_t tag, std::span<const std::uint8_t> words) {
  if (words.empty() || words.front() != 0) return std::nullopt;
  switch (tag) {
    case tag_x: return flaw("its expiry (field x) has leading zeros");
    case tag_c: return flaw("its final CLTV delta (field c) has leading zeros");
    case tag_9: return flaw("its feature bits (field 9) have leading zeros");
    default: return std::nullopt;
  }
}

/// A hint without hops says nothing and is skipped. A hint that is cut off, or has an invalid key, is an error.
std::optional<Error> broken_hint(std::uint8_t tag, std::span<const std::uint8_t> words) {
  if (tag != tag_r || words.empty()) return std::nullopt;
  const auto hint = read_hint(words);
  if (!hint) return flaw("a route hint in it (field r) is cut off");
  const bool keys =
      std::all_of(hint->begin(), hint->end(), [](const HintHop& hop) { return valid_public_key(hop.node); });
  return keys ? std::nullopt
              : std::optional(flaw("a route hint in it (field r) has a node id that is not a public key"));
}

/// Takes over the tagged fields. A field without a meaning is kept as an extra, and so is a second one where only one
/// is allowed.
class FieldReader {
 public:
  FieldReader(Invoice& invoice, Rules rules) : invoice_(invoice), rules_(rules) {}

  std::optional<Error> take(std::uint8_t tag, std::span<const std::uint8_t> words) {
    if (rules_ == Rules::today) {
      if (auto error = wrong_length(tag, words.size())) return error;
      if (auto error = leading_zeros(tag, words)) return error;
      if (auto error = broken_hint(tag, words)) return error;
    }
    if (!understood(tag, words)) invoice_.extras.push_back(InvoiceExtra{tag, Bytes(words.begin(), words.end())});
    return std::nullopt;
  }

  [[nodiscard]] bool has_hash() const { return has_hash_; }
  [[nodiscard]] bool has_secret() const { return has_secret_; }

 private:
  template <typename Fixed> static bool fill(Fixed& out, std::span<const std::uint8_t> words) {
    const auto bytes = bech32::to_bytes(words, false);
    std::copy_n(bytes->begin(), Fixed::size, out.bytes.begin());
    return true;
  }

  bool understood(std::uint8_t tag, std::span<const std::uint8_t> words) {
    switch (tag) {
      case tag_p: return words.size() == hash_words && !has_hash_ && (has_hash_ = fill(invoice_.payment_hash, words));
      case tag_s:
        return words.size() == hash_words && !has_secret_ && (has_secret_ = fill(invoice_.payment_secret, words));
      case tag_n:
        return words.size() == key_words && !invoice_.payee_named &&
               (invoice_.payee_named = fill(invoice_.payee, words));
      case tag_h:
        return words.size() == hash_words && !invoice_.description_hash &&
               fill(invoice_.description_hash.emplace(), words);
      case tag_d: return !invoice_.description && read_description(words);
      case tag_m: return !invoice_.metadata && read_metadata(words);
      case tag_x: return !has_expiry_ && (has_expiry_ = read_into(invoice_.expiry, words));
      case tag_c: return !has_cltv_ && (has_cltv_ = read_into(invoice_.min_final_cltv, words));
      case tag_9: return !has_features_ && (has_features_ = read_features_into(words));
      case tag_r: return keep(invoice_.route_hints, read_hint(words));
      case tag_f: return keep(invoice_.fallbacks, read_fallback(words));
      default: return false;
    }
  }

  template <typename T> static bool keep(std::vector<T>& list, std::optional<T> value) {
    if (value) list.push_back(std::move(*value));
    return value.has_value();
  }
  static bool read_into(std::uint64_t& out, std::span<const std::uint8_t> words) {
    out = read_number(words);
    return true;
  }
  bool read_description(std::span<const std::uint8_t> words) {
    const auto bytes = bech32::to_bytes(words, false);
    invoice_.description.emplace(bytes->begin(), bytes->end());
    return true;
  }
  bool read_metadata(std::span<const std::uint8_t> words) {
    invoice_.metadata = bech32::to_bytes(words, false);
    return true;
  }
  bool read_features_into(std::span<const std::uint8_t> words) {
    invoice_.features = read_features(words);
    return true;
  }

  Invoice& invoice_;
  Rules rules_;
  bool has_hash_ = false;
  bool has_secret_ = false;
  bool has_expiry_ = false;
  bool has_cltv_ = false;
  bool has_features_ = false;
};

std::optional<Error> check_signature(Invoice& invoice, std::string_view hrp, std::span<const std::uint8_t> words) {
  const auto bytes = *bech32::to_bytes(words.last(signature_words), false);
  std::copy_n(bytes.begin(), invoice.signature.size(), invoice.signature.begin());
  invoice.recovery_id = bytes.back();
  if (invoice.recovery_id > 3) return flaw("its signature has a recovery id above 3");
  const Sha256Digest digest = signed_digest(hrp, words.first(words.size() - signature_words));
  const secp::RecoverableSignature signature{invoice.signature, invoice.recovery_id};
  if (invoice.payee_named) {
    if (!valid_public_key(invoice.payee)) return flaw("its payee (field n) is not a public key");
    if (!secp::verify(digest, signature, invoice.payee)) return flaw("its signature is not the payee's");
    return std::nullopt;
  }
  const auto payee = secp::recover(digest, signature);
  if (!payee) return flaw("its signature belongs to no key");
  invoice.payee = *payee;
  return std::nullopt;
}

/// Reads all tagged fields. An error if their lengths do not fit the invoice, or if one of them is refused.
std::optional<Error> take_fields(FieldReader& reader, std::span<const std::uint8_t> words) {
  while (!words.empty()) {
    if (words.size() < field_head_words) return flaw("its last field is cut off");
    const std::size_t size = std::size_t{words[1]} << 5 | words[2];
    if (words.size() - field_head_words < size) return flaw("a field is longer than the invoice");
    if (auto error = reader.take(words[0], words.subspan(field_head_words, size))) return error;
    words = words.subspan(field_head_words + size);
  }
  return std::nullopt;
}

bool has_blinded_paths(const Invoice& invoice) {
  const auto is_path = [](const InvoiceExtra& extra) { return extra.tag == tag_blinded_path; };
  return has_bit(invoice.features, blinded_paths_bit) ||
         std::any_of(invoice.extras.begin(), invoice.extras.end(), is_path);
}

std::optional<Error> read_fields(Invoice& invoice, std::span<const std::uint8_t> words, Rules rules) {
  FieldReader reader(invoice, rules);
  if (auto error = take_fields(reader, words)) return error;
  if (!reader.has_hash()) return flaw("it has no payment hash");
  if (!reader.has_secret() && has_blinded_paths(invoice)) {
    return flaw(
        "its payee hides behind blinded paths, which paytower cannot pay to; ask the payee for an invoice without "
        "them");
  }
  if (!reader.has_secret()) return flaw("it has no payment secret");
  if (rules == Rules::today && invoice.description.has_value() == invoice.description_hash.has_value()) {
    return flaw(invoice.description ? "it has both a description and the hash of one"
                                    : "it has neither a description nor the hash of one");
  }
  if (const auto bit = unknown_compulsory_bit(invoice.features)) {
    return flaw(fmt::format("it asks for feature bit {}, which paytower does not know", *bit));
  }
  return std::nullopt;
}

std::optional<Error> read_prefix(Invoice& invoice, std::string_view hrp) {
  if (hrp.substr(0, 2) != "ln") return no_bolt11();
  hrp.remove_prefix(2);
  for (const Network& network : networks) {
    if (hrp.substr(0, network.prefix.size()) != network.prefix) continue;
    invoice.network = network.name;
    auto amount = read_amount(hrp.substr(network.prefix.size()));
    if (!amount) return amount.error();
    invoice.amount = *amount;
    return std::nullopt;
  }
  return flaw("it is for a network that paytower does not know");
}

bool begins_like_one(std::string_view text) {
  return text.size() >= 2 && (text[0] | 0x20) == 'l' && (text[1] | 0x20) == 'n';
}

std::string_view without_scheme(std::string_view text) {
  static constexpr std::string_view scheme = "lightning:";
  const auto same_letter = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  if (text.size() > scheme.size() &&
      std::equal(scheme.begin(), scheme.end(), text.begin(), [&](char b, char a) { return same_letter(a, b); })) {
    text.remove_prefix(scheme.size());
  }
  return text;
}

std::string_view explain(bech32::Flaw what) {
  switch (what) {
    case bech32::Flaw::none: return "";
    case bech32::Flaw::mixed_case: return "it mixes upper and lower case";
    case bech32::Flaw::no_separator: return "it is cut off";
    case bech32::Flaw::bad_character: return "it has a character that no invoice has";
    case bech32::Flaw::too_short: return "it is cut off";
    case bech32::Flaw::bad_checksum: return "its checksum is wrong, so it was mistyped or cut off";
  }
  return "";
}

/// An invoice whose signature is not checked yet.
struct Unverified {
  Invoice invoice;
  bech32::Decoded text;
};

Result<Unverified> read_unverified(std::string_view text, Rules rules) {
  text = without_scheme(text);
  if (!begins_like_one(text)) return no_bolt11();
  if (text.size() > limits::max_invoice_chars)
    return flaw(fmt::format("it is longer than {} characters", limits::max_invoice_chars));
  bech32::Outcome outcome = bech32::decode(text);
  if (outcome.flaw != bech32::Flaw::none) return flaw(std::string(explain(outcome.flaw)));
  Unverified read{{}, std::move(outcome.decoded)};
  Invoice& invoice = read.invoice;
  const Words& words = read.text.words;
  if (auto error = read_prefix(invoice, read.text.hrp)) return *error;
  if (words.size() < timestamp_words + signature_words) return flaw("it is too short for a time and a signature");
  invoice.timestamp = read_number(std::span(words).first(timestamp_words));
  const auto fields =
      std::span<const std::uint8_t>(words).subspan(timestamp_words, words.size() - timestamp_words - signature_words);
  if (auto error = read_fields(invoice, fields, rules)) return *error;
  return read;
}

Result<Invoice> decode(std::string_view text, Rules rules) {
  auto read = read_unverified(text, rules);
  if (!read) return read.error();
  if (auto error = check_signature(read->invoice, read->text.hrp, read->text.words)) return *error;
  return std::move(read->invoice);
}

}  // namespace

Sha256Digest signed_digest(std::string_view hrp, std::span<const std::uint8_t> words) {
  Words padded(words.begin(), words.end());
  while (padded.size() * 5 % 8 != 0) padded.push_back(0);
  auto bytes = *bech32::to_bytes(padded, false);
  bytes.resize((words.size() * 5 + 7) / 8);
  bytes.insert(bytes.begin(), hrp.begin(), hrp.end());
  return sha256(bytes);
}

std::optional<std::vector<InvoiceExtra>> extras_in(std::span<const std::uint8_t> fields) {
  Invoice read;
  FieldReader reader(read, Rules::today);
  if (take_fields(reader, fields)) return std::nullopt;
  return std::move(read.extras);
}

}  // namespace paytower::bolt11

namespace paytower {

Result<Invoice> decode_invoice(std::string_view text) { return bolt11::decode(text, bolt11::Rules::today); }
Result<Invoice> decode_recorded_invoice(std::string_view text) { return bolt11::decode(text, bolt11::Rules::recorded); }

std::vector<RouteHint> route_hints_of(std::string_view verified) {
  auto read = bolt11::read_unverified(verified, bolt11::Rules::recorded);
  if (!read) return {};
  return std::move(read->invoice.route_hints);
}

std::optional<std::string> description_in(std::string_view verified) {
  using namespace bolt11;
  verified = without_scheme(verified);
  if (!begins_like_one(verified) || verified.size() > limits::max_invoice_chars) return std::nullopt;
  constexpr std::size_t checksum_chars = 6;
  constexpr std::size_t around = timestamp_words + signature_words + checksum_chars;
  const std::size_t separator = verified.rfind('1');
  if (separator == std::string_view::npos || verified.size() - separator - 1 < around) return std::nullopt;
  std::string_view fields = verified.substr(separator + 1 + timestamp_words, verified.size() - separator - 1 - around);
  const auto word = [&fields](std::size_t at) { return bech32::word_of(fields[at]).value_or(0); };
  while (fields.size() >= field_head_words) {
    const std::size_t size = std::size_t{word(1)} << 5 | word(2);
    if (fields.size() - field_head_words < size) return std::nullopt;
    if (word(0) == tag_d) {
      Words words(size);
      for (std::size_t i = 0; i < size; ++i) words[i] = word(field_head_words + i);
      const auto bytes = bech32::to_bytes(words, false);
      return std::string(bytes->begin(), bytes->end());
    }
    fields.remove_prefix(field_head_words + size);
  }
  return std::nullopt;
}

bool takes_parts(const Invoice& invoice) {
  return bolt11::has_bit(invoice.features, bolt11::basic_mpp_bit) ||
         bolt11::has_bit(invoice.features, bolt11::basic_mpp_bit + 1);
}

std::uint64_t expiry_time(const Invoice& invoice) {
  return invoice.expiry > UINT64_MAX - invoice.timestamp ? UINT64_MAX : invoice.timestamp + invoice.expiry;
}

bool pays_on(std::string_view invoice_network, std::string_view chain) {
  return invoice_network == chain || (invoice_network == "testnet" && (chain == "testnet3" || chain == "testnet4"));
}

bool expired(const Invoice& invoice, std::uint64_t now_seconds) {
  if (invoice.expiry > UINT64_MAX - invoice.timestamp) return false;
  return now_seconds >= expiry_time(invoice);
}

std::optional<NotPayable> not_payable(const Invoice& invoice, std::uint64_t now_seconds) {
  if (expired(invoice, now_seconds)) return NotPayable::expired;
  if (invoice.min_final_cltv > limits::max_cltv_delta) return NotPayable::final_cltv_too_large;
  return std::nullopt;
}

std::string_view not_payable_name(NotPayable why) {
  switch (why) {
    case NotPayable::expired: return "expired";
    case NotPayable::final_cltv_too_large: return "final_cltv_too_large";
  }
  return "";
}

}  // namespace paytower
