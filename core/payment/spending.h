// Limits over all payments of a database, which its operator sets in the config file and no flag raises.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/error.h"
#include "core/base/msat.h"
#include "core/payment/payment.h"

namespace paytower {

struct SpendingLimits {
  std::optional<Msat> max_amount;            ///< of one payment
  std::optional<Msat> max_day;               ///< of all payments begun within spending_day_ns
  std::optional<std::uint32_t> max_fee_ppm;  ///< of a payment's fee limit, in millionths of its amount
};

inline constexpr std::int64_t spending_day_ns = 24 * 3'600 * ns_per_second;

/// The highest fee limit of a payment of `amount`, rounded down; nothing where none is set.
[[nodiscard]] std::optional<Msat> highest_fee_limit(const SpendingLimits& allowed, Msat amount);

/// Errc::policy where the payment by itself is over a limit.
[[nodiscard]] std::optional<Error> over_limit(const SpendingLimits& allowed, const PaymentRequest& request);

/// Errc::policy where the day allows no more: `spent` is what the others of the day may come to.
[[nodiscard]] std::optional<Error> over_day(const SpendingLimits& allowed, const PaymentRequest& request, Msat spent);

}  // namespace paytower
