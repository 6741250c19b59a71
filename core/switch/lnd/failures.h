// Why an HTLC failed, from lnd's words to ours.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "core/base/bytes.h"
#include "core/payment/failure.h"

namespace paytower::lnd {

/// A name of lnrpc.Failure.FailureCode. The two that BOLT 4 has dropped mean what replaced them; an unknown name is
/// unknown_code.
[[nodiscard]] FailureCode failure_code(std::string_view name);

/// An lnrpc.Failure. What cannot be read is a failure without a known code. lnd does not say who sent an unreadable
/// failure, nor, if it says position 0, who sent an unknown one: then there is no source_index.
[[nodiscard]] Failure read_failure(const nlohmann::json& failure);

/// BOLT 4's failure message as the failing node sent it, with the signed channel_update, put together again from lnd's
/// fields. Empty for a code that comes without a channel_update, or if a field is missing or too large.
[[nodiscard]] Bytes failure_message(const nlohmann::json& failure);

}  // namespace paytower::lnd
