// Writes fallback addresses: base 58 and segwit.
#include "core/invoice/bolt11/address.h"

#include <algorithm>

#include "core/base/hash.h"
#include "core/invoice/bolt11/bech32.h"

namespace paytower {

namespace {

constexpr std::uint8_t key_hash_version = 17;
constexpr std::uint8_t script_hash_version = 18;
constexpr std::size_t hash160_bytes = 20;

/// Base 58 of a payload, followed by the first four bytes of its double SHA-256.
std::string base58check(Bytes payload) {
  static constexpr std::string_view alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const Sha256Digest sum = sha256(sha256(payload).bytes);
  payload.insert(payload.end(), sum.bytes.begin(), sum.bytes.begin() + 4);
  std::vector<std::uint8_t> digits;  // in base 58, the least significant first
  for (const std::uint8_t byte : payload) {
    std::uint32_t carry = byte;
    for (std::uint8_t& digit : digits) {
      carry += std::uint32_t{digit} << 8;
      digit = static_cast<std::uint8_t>(carry % 58);
      carry /= 58;
    }
    for (; carry > 0; carry /= 58) digits.push_back(static_cast<std::uint8_t>(carry % 58));
  }
  std::string text;
  for (std::size_t i = 0; i < payload.size() && payload[i] == 0; ++i) text.push_back('1');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) text.push_back(alphabet[*digit]);
  return text;
}

std::string segwit_prefix(const std::string& network) {
  if (network == "bitcoin") return "bc";
  if (network == "simnet") return "sb";
  return network == "regtest" ? "bcrt" : "tb";
}

struct Base58Prefixes {
  std::uint8_t key_hash;
  std::uint8_t script_hash;
};

Base58Prefixes base58_prefixes(const std::string& network) {
  if (network == "bitcoin") return {0, 5};
  if (network == "simnet") return {63, 123};
  return {111, 196};
}

}  // namespace

std::optional<std::string> fallback_address(const Fallback& fallback, const std::string& network) {
  if (fallback.version == key_hash_version || fallback.version == script_hash_version) {
    if (fallback.program.size() != hash160_bytes) return std::nullopt;
    const Base58Prefixes prefixes = base58_prefixes(network);
    Bytes payload{fallback.version == key_hash_version ? prefixes.key_hash : prefixes.script_hash};
    payload.insert(payload.end(), fallback.program.begin(), fallback.program.end());
    return base58check(std::move(payload));
  }
  const std::size_t size = fallback.program.size();
  if (fallback.version > 16 || size < 2 || size > 40) return std::nullopt;
  if (fallback.version == 0 && size != 20 && size != 32) return std::nullopt;
  bech32::Words words{fallback.version};
  const auto program = bech32::to_words(fallback.program);
  words.insert(words.end(), program.begin(), program.end());
  return bech32::encode(segwit_prefix(network), words,
                        fallback.version == 0 ? bech32::Checksum::bech32 : bech32::Checksum::bech32m);
}

}  // namespace paytower
