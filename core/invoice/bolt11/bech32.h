// Bech32 and bech32m as in BIP 173 and BIP 350, but without their length limit (BOLT 11 has none).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paytower::bech32 {

/// Five bits each, 0 to 31.
using Words = std::vector<std::uint8_t>;

/// What the checksum of a valid string gives: bech32 for invoices and segwit version 0, bech32m for later versions.
enum class Checksum : std::uint32_t { bech32 = 1, bech32m = 0x2bc830a3 };

struct Decoded {
  std::string hrp;  ///< human-readable part, lower case
  Words words;      ///< without the checksum
};

/// Why a string is not bech32.
enum class Flaw { none, mixed_case, no_separator, bad_character, too_short, bad_checksum };

struct Outcome {
  Flaw flaw = Flaw::none;
  Decoded decoded;  ///< valid when flaw is none
};

/// The word that a character of either case stands for. Nothing for one that bech32 does not use.
[[nodiscard]] std::optional<std::uint8_t> word_of(char c);
/// Splits a string at its last 1. All upper case is as good as all lower case. Uses no more memory than the text.
[[nodiscard]] Outcome decode(std::string_view text, Checksum checksum = Checksum::bech32);
/// REQUIRES: hrp is lower case, every word is below 32.
[[nodiscard]] std::string encode(std::string_view hrp, std::span<const std::uint8_t> words,
                                 Checksum checksum = Checksum::bech32);

/// Bytes as words; the last word is filled up with zero bits.
[[nodiscard]] Words to_words(std::span<const std::uint8_t> bytes);
/// Words as bytes; bits after the last whole byte are dropped. `strict`: nothing unless those are fewer than 5 and
/// zero.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> to_bytes(std::span<const std::uint8_t> words, bool strict);

}  // namespace paytower::bech32
