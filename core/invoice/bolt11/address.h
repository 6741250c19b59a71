// The on-chain fallback address of an invoice (field f), and how it is written for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"

namespace paytower {

/// Versions 0 to 16 are segwit programs, 17 is a public key hash, 18 a script hash (BOLT 11).
struct Fallback {
  std::uint8_t version = 0;
  Bytes program;
  auto operator<=>(const Fallback&) const = default;
};

/// The address on `network` ("bitcoin", "testnet", "signet", "regtest", "simnet"). Nothing if BOLT 11 or BIP 141
/// defines none.
[[nodiscard]] std::optional<std::string> fallback_address(const Fallback& fallback, const std::string& network);

}  // namespace paytower
