// SHA-256, and whether a preimage belongs to a payment hash.
#pragma once

#include <span>

#include "core/base/types.h"

namespace paytower {

using Sha256Digest = FixedBytes<32, struct Sha256Tag>;

[[nodiscard]] Sha256Digest sha256(std::span<const std::uint8_t> data);

/// SHA256(preimage), which is the payment hash that it settles.
[[nodiscard]] PaymentHash hash_of(const Preimage& preimage);

/// R7: the only proof of a payment. Called before a settlement is stored and again when it is read.
[[nodiscard]] bool proves(const Preimage& preimage, const PaymentHash& hash);

}  // namespace paytower
