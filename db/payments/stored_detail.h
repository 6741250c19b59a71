// Why a payment failed, as its column has it.
#pragma once

#include <optional>
#include <string>

#include "core/payment/failure_detail.h"

namespace paytower::db {

/// JSON, such as {"code":"fee_limit","fee_msat":1070}. Nothing for nothing, and for a detail that says nothing.
[[nodiscard]] std::optional<std::string> encode_detail(const std::optional<FailureDetail>& detail);

/// Only for people, so it makes no payment unreadable: what is no such JSON reads as nothing, a code of a newer program
/// as `unexplained`, and a figure that is none is left out.
[[nodiscard]] std::optional<FailureDetail> decode_detail(const std::string& stored);

}  // namespace paytower::db
