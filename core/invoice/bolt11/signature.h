// What an invoice needs of secp256k1: sign, verify, and recover the key of a signature.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/hash.h"
#include "core/base/types.h"

namespace paytower::secp {

struct RecoverableSignature {
  std::array<std::uint8_t, 64> bytes{};  ///< r, s
  std::uint8_t recovery_id = 0;          ///< 0 to 3
};

/// Low s, deterministic (RFC 6979). Nothing for an invalid key.
[[nodiscard]] std::optional<RecoverableSignature> sign(const Sha256Digest& digest,
                                                       const std::array<std::uint8_t, 32>& private_key);
/// The key that made the signature. Nothing if there is none.
[[nodiscard]] std::optional<PublicKey> recover(const Sha256Digest& digest, const RecoverableSignature& signature);
/// Also false for a high s: each message has only one valid signature, not two.
[[nodiscard]] bool verify(const Sha256Digest& digest, const RecoverableSignature& signature, const PublicKey& key);

}  // namespace paytower::secp
