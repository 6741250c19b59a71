// The form of an invoice, as far as its reader and its writer share it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/invoice/bolt11/bech32.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::bolt11 {

using bech32::Words;

inline constexpr std::size_t timestamp_words = 7;
inline constexpr std::size_t field_head_words = 3;
inline constexpr std::size_t signature_words = 104;
inline constexpr std::size_t hash_words = 52;
inline constexpr std::size_t key_words = 53;
inline constexpr std::size_t hint_hop_bytes = 51;
inline constexpr std::size_t longest_field = 1'023;
inline constexpr std::uint64_t msat_per_btc = 100'000'000'000;

// Field tags are letters of the bech32 alphabet (BOLT 11, "Tagged Fields").
inline constexpr std::uint8_t tag_p = 1, tag_r = 3, tag_9 = 5, tag_x = 6, tag_f = 9, tag_d = 13, tag_s = 16, tag_n = 19,
                              tag_h = 23, tag_c = 24, tag_m = 27;
// lnd writes this into an invoice whose payee uses blinded paths; no BOLT names it either.
inline constexpr std::uint8_t tag_blinded_path = 20;
inline constexpr std::size_t blinded_paths_bit = 262;
inline constexpr std::size_t basic_mpp_bit = 16;

struct Network {
  std::string_view prefix;
  std::string_view name;
};
// Longer prefixes first: "bcrt" begins with "bc".
inline constexpr std::array<Network, 5> networks = {
    {{"bcrt", "regtest"}, {"tbs", "signet"}, {"tb", "testnet"}, {"bc", "bitcoin"}, {"sb", "simnet"}}};

struct Multiplier {
  char letter;         ///< 0: whole bitcoin
  std::uint64_t msat;  ///< in one unit
};
inline constexpr std::array<Multiplier, 4> multipliers = {
    {{0, msat_per_btc}, {'m', msat_per_btc / 1'000}, {'u', msat_per_btc / 1'000'000}, {'n', 100}}};

/// What is signed: the human-readable part as text, then the words as bytes, filled up with zero bits (BOLT 11,
/// "signature").
[[nodiscard]] Sha256Digest signed_digest(std::string_view hrp, std::span<const std::uint8_t> words);

/// The extra fields that a reader finds in these tagged fields. Nothing if it refuses one of them.
[[nodiscard]] std::optional<std::vector<InvoiceExtra>> extras_in(std::span<const std::uint8_t> fields);

}  // namespace paytower::bolt11
