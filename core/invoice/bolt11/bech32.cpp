// Bech32 and bech32m: checksums, and bytes as words of five bits.
#include "core/invoice/bolt11/bech32.h"

#include <algorithm>
#include <array>

#include "core/base/require.h"

namespace paytower::bech32 {

namespace {

constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t checksum_words = 6;

constexpr std::uint8_t no_word = 0xff;
constexpr std::array<std::uint8_t, 128> words_by_character = [] {
  std::array<std::uint8_t, 128> table{};
  table.fill(no_word);
  for (std::uint8_t word = 0; word < alphabet.size(); ++word) {
    const char c = alphabet[word];
    table[static_cast<unsigned char>(c)] = word;
    if (c >= 'a') table[static_cast<unsigned char>(c - 'a' + 'A')] = word;
  }
  return table;
}();

std::uint32_t step(std::uint32_t state, std::uint8_t word) {
  static constexpr std::array<std::uint32_t, 5> generator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                             0x2a1462b3};
  const std::uint32_t top = state >> 25;
  state = (state & 0x1ffffff) << 5 ^ word;
  for (std::size_t i = 0; i < generator.size(); ++i) {
    if ((top >> i & 1) != 0) state ^= generator[i];
  }
  return state;
}

std::uint32_t polymod(std::string_view hrp, std::span<const std::uint8_t> words) {
  std::uint32_t state = 1;
  for (const char c : hrp) state = step(state, static_cast<std::uint8_t>(static_cast<unsigned char>(c) >> 5));
  state = step(state, 0);
  for (const char c : hrp) state = step(state, static_cast<std::uint8_t>(c & 31));
  for (const std::uint8_t word : words) state = step(state, word);
  return state;
}

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return c >= 'a' && c <= 'z'; }

Outcome flawed(Flaw flaw) {
  Outcome outcome;
  outcome.flaw = flaw;
  return outcome;
}

}  // namespace

std::optional<std::uint8_t> word_of(char c) {
  const auto place = static_cast<unsigned char>(c);
  if (place >= words_by_character.size() || words_by_character[place] == no_word) return std::nullopt;
  return words_by_character[place];
}

Outcome decode(std::string_view text, Checksum checksum) {
  bool has_upper = false;
  bool has_lower = false;
  std::string low;
  low.reserve(text.size());
  for (const char c : text) {
    if (c < 33 || c > 126) return flawed(Flaw::bad_character);
    has_upper = has_upper || upper(c);
    has_lower = has_lower || lower(c);
    low.push_back(upper(c) ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (has_upper && has_lower) return flawed(Flaw::mixed_case);
  const std::size_t separator = low.rfind('1');
  if (separator == std::string::npos || separator == 0) return flawed(Flaw::no_separator);
  if (low.size() - separator - 1 < checksum_words) return flawed(Flaw::too_short);

  Outcome outcome;
  outcome.decoded.hrp = low.substr(0, separator);
  outcome.decoded.words.reserve(low.size() - separator - 1);
  for (std::size_t i = separator + 1; i < low.size(); ++i) {
    const auto word = word_of(low[i]);
    if (!word) return flawed(Flaw::bad_character);
    outcome.decoded.words.push_back(*word);
  }
  if (polymod(outcome.decoded.hrp, outcome.decoded.words) != static_cast<std::uint32_t>(checksum))
    return flawed(Flaw::bad_checksum);
  outcome.decoded.words.resize(outcome.decoded.words.size() - checksum_words);
  return outcome;
}

std::string encode(std::string_view hrp, std::span<const std::uint8_t> words, Checksum checksum) {
  require(std::none_of(hrp.begin(), hrp.end(), [](char c) { return c >= 'A' && c <= 'Z'; }), "hrp is lower case");
  require(std::all_of(words.begin(), words.end(), [](std::uint8_t word) { return word < 32; }), "a word has 5 bits");
  Words all(words.begin(), words.end());
  all.resize(all.size() + checksum_words, 0);
  const std::uint32_t sum = polymod(hrp, all) ^ static_cast<std::uint32_t>(checksum);
  for (std::size_t i = 0; i < checksum_words; ++i) {
    all[all.size() - checksum_words + i] = static_cast<std::uint8_t>(sum >> 5 * (checksum_words - 1 - i) & 31);
  }
  std::string text(hrp);
  text.push_back('1');
  for (const std::uint8_t word : all) text.push_back(alphabet[word]);
  return text;
}

Words to_words(std::span<const std::uint8_t> bytes) {
  Words words;
  words.reserve(bytes.size() * 8 / 5 + 1);
  std::uint32_t held = 0;
  int bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5) words.push_back(static_cast<std::uint8_t>(held >> (bits - 5) & 31));
  }
  if (bits > 0) words.push_back(static_cast<std::uint8_t>(held << (5 - bits) & 31));
  return words;
}

std::optional<std::vector<std::uint8_t>> to_bytes(std::span<const std::uint8_t> words, bool strict) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(words.size() * 5 / 8 + 1);
  std::uint32_t held = 0;
  int bits = 0;
  for (const std::uint8_t word : words) {
    held = held << 5 | word;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(held >> bits));
    }
  }
  if (strict && (bits >= 5 || (held & ((1U << bits) - 1)) != 0)) return std::nullopt;
  return bytes;
}

}  // namespace paytower::bech32
