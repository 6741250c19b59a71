// lnd's words for why an HTLC failed, as ours.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "core/base/bytes.h"
#include "core/payment/failure.h"

namespace paytower::lnd {

/// A name of lnrpc.Failure.FailureCode. The two that BOLT 4 has dropped mean what it replaced them by; an unknown name
/// is unknown_code.
[[nodiscard]] FailureCode failure_code(std::string_view name);

/// lnrpc.Failure; anything that cannot be read is a failure without a known code. lnd does not say who sent an
/// unreadable failure, nor, where it is position 0, an unknown one: then source_index is absent.
[[nodiscard]] Failure read_failure(const nlohmann::json& failure);

/// BOLT 4's failure message as the erring node sent it, with its signed channel_update, put together again from the
/// fields that lnd took it apart into. Empty for a code that carries none, and where a field is missing or too large.
[[nodiscard]] Bytes failure_message(const nlohmann::json& failure);

}  // namespace paytower::lnd
