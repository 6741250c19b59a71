// As much of BOLT 11 as is needed to find a payment hash. Frozen, like the record that contains the invoice.
#include <array>
#include <vector>

#include "migrations/legacy_record.h"

namespace paytower::migrations {

namespace {

constexpr std::size_t checksum_words = 6;
constexpr std::size_t timestamp_words = 7;
constexpr std::size_t signature_words = 104;
constexpr std::size_t hash_words = 52;
constexpr std::uint8_t payment_hash_field = 1;

/// The five bits of a bech32 character; 32 for any other character.
std::uint8_t word_of(char letter) {
  constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  const std::size_t at = alphabet.find(letter);
  return at == std::string_view::npos ? std::uint8_t{32} : static_cast<std::uint8_t>(at);
}

class Polymod {
 public:
  void add(std::uint8_t word) {
    constexpr std::array<std::uint32_t, 5> generator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = value_ >> 25;
    value_ = (value_ & 0x1ffffff) << 5 ^ word;
    for (std::size_t i = 0; i < generator.size(); ++i) {
      if ((top >> i & 1) != 0) value_ ^= generator[i];
    }
  }
  [[nodiscard]] bool right() const { return value_ == 1; }

 private:
  std::uint32_t value_ = 1;
};

bool right_checksum(std::string_view prefix, const std::vector<std::uint8_t>& words) {
  Polymod sum;
  for (const char letter : prefix) sum.add(static_cast<std::uint8_t>(static_cast<unsigned char>(letter) >> 5));
  sum.add(0);
  for (const char letter : prefix) sum.add(static_cast<std::uint8_t>(letter & 31));
  for (const std::uint8_t word : words) sum.add(word);
  return sum.right();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& letter : out) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  return out;
}

/// 52 words are 260 bits: the hash, and 4 unused bits.
PaymentHash hash_of_words(std::span<const std::uint8_t> words) {
  PaymentHash hash;
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t at = 0;
  for (const std::uint8_t word : words) {
    bits = bits << 5 | word;
    held += 5;
    if (held >= 8 && at < PaymentHash::size) hash.bytes[at++] = static_cast<std::uint8_t>(bits >> (held -= 8));
  }
  return hash;
}

/// Fields are a type, a length in two words, and as many words. The first payment hash counts (BOLT 11).
std::optional<PaymentHash> find_payment_hash(std::span<const std::uint8_t> fields) {
  while (fields.size() >= 3) {
    const std::uint8_t type = fields[0];
    const std::size_t length = static_cast<std::size_t>(fields[1]) * 32 + fields[2];
    fields = fields.subspan(3);
    if (length > fields.size()) return std::nullopt;
    if (type == payment_hash_field && length == hash_words) return hash_of_words(fields.first(length));
    fields = fields.subspan(length);
  }
  return std::nullopt;
}

}  // namespace

std::optional<PaymentHash> invoice_payment_hash(std::string_view invoice) {
  const std::string text = lower(invoice);
  const std::size_t separator = text.rfind('1');
  if (separator == std::string::npos || text.rfind("ln", 0) != 0) return std::nullopt;
  std::vector<std::uint8_t> words;
  words.reserve(text.size() - separator);
  for (const char letter : std::string_view(text).substr(separator + 1)) {
    words.push_back(word_of(letter));
    if (words.back() > 31) return std::nullopt;
  }
  if (words.size() < timestamp_words + signature_words + checksum_words) return std::nullopt;
  if (!right_checksum(std::string_view(text).substr(0, separator), words)) return std::nullopt;
  const std::span<const std::uint8_t> all(words);
  return find_payment_hash(
      all.subspan(timestamp_words, all.size() - timestamp_words - signature_words - checksum_words));
}

}  // namespace paytower::migrations
