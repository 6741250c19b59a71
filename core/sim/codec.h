// The binary forms of what a ledger keeps in one column: failures and held requests.
#pragma once

#include <optional>
#include <span>

#include "core/base/bytes.h"
#include "core/driver/ports.h"
#include "core/payment/failure.h"

namespace paytower::sim {

[[nodiscard]] Bytes encode_failure(const Failure& failure);
/// Nothing for bytes that encode_failure did not make.
[[nodiscard]] std::optional<Failure> decode_failure(std::span<const std::uint8_t> data);

[[nodiscard]] Bytes encode_handover(const Handover& handover);
/// Nothing for bytes that encode_handover did not make.
[[nodiscard]] std::optional<Handover> decode_handover(std::span<const std::uint8_t> data);

}  // namespace paytower::sim
