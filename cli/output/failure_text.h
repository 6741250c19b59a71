// Why a payment failed, in one sentence: the same for `send`, its dry run, `resume`, `show`, and in JSON.
#pragma once

#include <string>

#include "core/payment/payment.h"

namespace paytower::cli {

/// "the cheapest route costs 12.5 sat, --fee-limit allows 10 sat". Untrusted words in it are printable.
[[nodiscard]] std::string detail_text(const FailureDetail& detail, const Payment& payment);

/// What stands between "Not paid: " and the full stop. REQUIRES: the payment has a fail_reason.
[[nodiscard]] std::string why_not_paid(const Payment& payment);

/// "TEMPORARY_CHANNEL_FAILURE at hop 1 (800000x1x1)", without the switch's words.
[[nodiscard]] std::string failure_place(const Failure& failure);

}  // namespace paytower::cli
