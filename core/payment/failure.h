// Why an HTLC did not settle: BOLT 4 codes, and the few of our own that no onion carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/types.h"

namespace paytower {

/// BOLT 4 failure codes as on the wire (below 0x10000), and local ends of an attempt (from 0x10000). An imported record
/// may have a wire code that stands nowhere here.
enum class FailureCode : std::uint32_t {
  invalid_realm = 0x4000 | 1,
  temporary_node_failure = 0x2000 | 2,
  permanent_node_failure = 0x4000 | 0x2000 | 2,
  required_node_feature_missing = 0x4000 | 0x2000 | 3,
  invalid_onion_version = 0x8000 | 0x4000 | 4,
  invalid_onion_hmac = 0x8000 | 0x4000 | 5,
  invalid_onion_key = 0x8000 | 0x4000 | 6,
  temporary_channel_failure = 0x1000 | 7,
  permanent_channel_failure = 0x4000 | 8,
  required_channel_feature_missing = 0x4000 | 9,
  unknown_next_peer = 0x4000 | 10,
  amount_below_minimum = 0x1000 | 11,
  fee_insufficient = 0x1000 | 12,
  incorrect_cltv_expiry = 0x1000 | 13,
  expiry_too_soon = 0x1000 | 14,
  incorrect_or_unknown_payment_details = 0x4000 | 15,
  final_incorrect_cltv_expiry = 18,
  final_incorrect_htlc_amount = 19,
  channel_disabled = 0x1000 | 20,
  expiry_too_far = 21,
  invalid_onion_payload = 0x4000 | 22,
  mpp_timeout = 23,
  invalid_onion_blinding = 0x8000 | 0x4000 | 24,

  local_refusal = 0x10001,      ///< our node did not take the HTLC (no peer, no balance, unusable channel)
  unreadable = 0x10002,         ///< failed for certain, by whom cannot be read (Core Lightning 202)
  fenced = 0x10003,             ///< the id was made unusable before it became an HTLC (R4)
  no_debit = 0x10004,           ///< the HTLC ended and no money moved; the record itself is gone (R5)
  assumed_failed = 0x10005,     ///< the operator's word (closed, on the watch list)
  written_off = 0x10006,        ///< the operator's word (closed, never payable)
  preimage_lost = 0x10007,      ///< settled, and nobody has the preimage any more (closed, never payable)
  unknown_code = 0x10008,       ///< failed for certain with a code that BOLT 4 does not name
  not_executed = 0x1000a,       ///< the time of its hand-over is over, and the switch has not executed it
  erased = 0x1000b,             ///< failed for certain, and the switch has erased why
  channel_full = 0x10009,       ///< our own channel takes no further HTLC until one of those in it has ended
  unknown_permanent = 0x14008,  ///< the same, and whoever failed it said that it is for good (BOLT 4's PERM bit)
};

/// The BOLT 4 name in upper case ("TEMPORARY_CHANNEL_FAILURE"), or ours ("FENCED"); "UNKNOWN_CODE" for a code without a
/// name.
[[nodiscard]] std::string_view failure_name(FailureCode code);
/// The inverse of failure_name, any case; nothing for a name that is not listed.
[[nodiscard]] std::optional<FailureCode> failure_from_name(std::string_view name);
/// The number on the wire; nothing for the local ones.
[[nodiscard]] std::optional<std::uint32_t> wire_code(FailureCode code);
/// The enumerator of a wire code, unknown_code when there is none.
[[nodiscard]] FailureCode failure_from_wire(std::uint32_t code);

struct Failure {
  FailureCode code = FailureCode::unknown_code;
  std::optional<std::uint32_t> source_index;  ///< 0 = our node, 1 = the first peer, ...; nothing when unknown
  std::optional<ChannelDirection> channel;    ///< the erring channel, where the switch names one
  std::optional<PublicKey> node;              ///< the erring node, where known
  std::string message{};                      ///< the switch's words: untrusted text
  auto operator<=>(const Failure&) const = default;
};

/// Final reasons of a payment, in lnd's words. Values are stored; they are lnd's.
enum class FailureReason : std::uint8_t {
  timeout = 0,
  no_route = 1,
  error = 2,
  incorrect_payment_details = 3,
  insufficient_balance = 4,
  canceled = 5,
};

/// "FAILURE_REASON_TIMEOUT" ...
[[nodiscard]] std::string_view reason_name(FailureReason reason);

/// What one failed attempt teaches the search for the next route.
struct Verdict {
  std::optional<FailureReason> final_reason;  ///< set = no further attempt of this payment
  std::vector<ChannelDirection> exclude_channels;
  bool lasting = false;  ///< whatever the amount; else only for as much as they were to carry, or more
  std::vector<PublicKey> exclude_nodes;
  std::size_t carried = 0;  ///< so many hops, from ours on, have shown that they carry their amount
  bool policy =
      false;  ///< a stale policy may be at fault: exclude the channel once, at the second failure `policy_node`
  std::optional<PublicKey> policy_node;
};

}  // namespace paytower
