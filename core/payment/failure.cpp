// The names and wire codes of failures.
#include "core/payment/failure.h"

#include <algorithm>
#include <array>
#include <utility>

namespace paytower {

namespace {

constexpr std::array names = {
    std::pair{FailureCode::invalid_realm, std::string_view("INVALID_REALM")},
    std::pair{FailureCode::temporary_node_failure, std::string_view("TEMPORARY_NODE_FAILURE")},
    std::pair{FailureCode::permanent_node_failure, std::string_view("PERMANENT_NODE_FAILURE")},
    std::pair{FailureCode::required_node_feature_missing, std::string_view("REQUIRED_NODE_FEATURE_MISSING")},
    std::pair{FailureCode::invalid_onion_version, std::string_view("INVALID_ONION_VERSION")},
    std::pair{FailureCode::invalid_onion_hmac, std::string_view("INVALID_ONION_HMAC")},
    std::pair{FailureCode::invalid_onion_key, std::string_view("INVALID_ONION_KEY")},
    std::pair{FailureCode::temporary_channel_failure, std::string_view("TEMPORARY_CHANNEL_FAILURE")},
    std::pair{FailureCode::permanent_channel_failure, std::string_view("PERMANENT_CHANNEL_FAILURE")},
    std::pair{FailureCode::required_channel_feature_missing, std::string_view("REQUIRED_CHANNEL_FEATURE_MISSING")},
    std::pair{FailureCode::unknown_next_peer, std::string_view("UNKNOWN_NEXT_PEER")},
    std::pair{FailureCode::amount_below_minimum, std::string_view("AMOUNT_BELOW_MINIMUM")},
    std::pair{FailureCode::fee_insufficient, std::string_view("FEE_INSUFFICIENT")},
    std::pair{FailureCode::incorrect_cltv_expiry, std::string_view("INCORRECT_CLTV_EXPIRY")},
    std::pair{FailureCode::expiry_too_soon, std::string_view("EXPIRY_TOO_SOON")},
    std::pair{FailureCode::incorrect_or_unknown_payment_details,
              std::string_view("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")},
    std::pair{FailureCode::final_incorrect_cltv_expiry, std::string_view("FINAL_INCORRECT_CLTV_EXPIRY")},
    std::pair{FailureCode::final_incorrect_htlc_amount, std::string_view("FINAL_INCORRECT_HTLC_AMOUNT")},
    std::pair{FailureCode::channel_disabled, std::string_view("CHANNEL_DISABLED")},
    std::pair{FailureCode::expiry_too_far, std::string_view("EXPIRY_TOO_FAR")},
    std::pair{FailureCode::invalid_onion_payload, std::string_view("INVALID_ONION_PAYLOAD")},
    std::pair{FailureCode::mpp_timeout, std::string_view("MPP_TIMEOUT")},
    std::pair{FailureCode::invalid_onion_blinding, std::string_view("INVALID_ONION_BLINDING")},
    std::pair{FailureCode::local_refusal, std::string_view("LOCAL_REFUSAL")},
    std::pair{FailureCode::unreadable, std::string_view("UNREADABLE")},
    std::pair{FailureCode::fenced, std::string_view("FENCED")},
    std::pair{FailureCode::no_debit, std::string_view("NO_DEBIT")},
    std::pair{FailureCode::not_executed, std::string_view("NOT_EXECUTED")},
    std::pair{FailureCode::erased, std::string_view("ERASED")},
    std::pair{FailureCode::assumed_failed, std::string_view("ASSUMED_FAILED")},
    std::pair{FailureCode::written_off, std::string_view("WRITTEN_OFF")},
    std::pair{FailureCode::preimage_lost, std::string_view("PREIMAGE_LOST")},
    std::pair{FailureCode::unknown_code, std::string_view("UNKNOWN_CODE")},
    std::pair{FailureCode::channel_full, std::string_view("CHANNEL_FULL")},
    std::pair{FailureCode::unknown_permanent, std::string_view("UNKNOWN_PERMANENT")},
};

constexpr std::uint32_t first_local_code = 0x10000;

}  // namespace

std::string_view failure_name(FailureCode code) {
  for (const auto& [known, name] : names) {
    if (known == code) return name;
  }
  return "UNKNOWN_CODE";
}

std::optional<FailureCode> failure_from_name(std::string_view name) {
  const auto same_letter = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
  for (const auto& [code, known] : names) {
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(), same_letter)) return code;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> wire_code(FailureCode code) {
  const auto number = static_cast<std::uint32_t>(code);
  if (number >= first_local_code) return std::nullopt;
  return number;
}

FailureCode failure_from_wire(std::uint32_t code) {
  if (code >= first_local_code) return FailureCode::unknown_code;
  const auto wanted = static_cast<FailureCode>(code);
  for (const auto& [known, name] : names) {
    if (known == wanted) return known;
  }
  return FailureCode::unknown_code;
}

std::string_view reason_name(FailureReason reason) {
  switch (reason) {
    case FailureReason::timeout: return "FAILURE_REASON_TIMEOUT";
    case FailureReason::no_route: return "FAILURE_REASON_NO_ROUTE";
    case FailureReason::error: return "FAILURE_REASON_ERROR";
    case FailureReason::incorrect_payment_details: return "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS";
    case FailureReason::insufficient_balance: return "FAILURE_REASON_INSUFFICIENT_BALANCE";
    case FailureReason::canceled: return "FAILURE_REASON_CANCELED";
  }
  return "FAILURE_REASON_ERROR";
}

}  // namespace paytower
