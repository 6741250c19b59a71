// SHA-256, by libsodium.
#include "core/base/hash.h"

#include <sodium.h>

namespace paytower {

Sha256Digest sha256(std::span<const std::uint8_t> data) {
  Sha256Digest digest;
  crypto_hash_sha256(digest.bytes.data(), data.data(), data.size());
  return digest;
}

PaymentHash hash_of(const Preimage& preimage) { return PaymentHash{sha256(preimage.bytes).bytes}; }

bool proves(const Preimage& preimage, const PaymentHash& hash) { return hash_of(preimage) == hash; }

}  // namespace paytower
