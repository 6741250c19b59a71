// The on-chain fallback of an invoice (field f): what it says and how people write it.
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

/// The address on `network` ("bitcoin", "testnet", "signet", "regtest", "simnet"); nothing where BOLT 11 or BIP 141
/// knows none.
[[nodiscard]] std::optional<std::string> fallback_address(const Fallback& fallback, const std::string& network);

}  // namespace paytower
