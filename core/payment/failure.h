// Why an HTLC did not settle: the codes of BOLT 4, and a few of our own that never travel in an onion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/types.h"

namespace paytower {

/// Below 0x10000: BOLT 4 failure codes as on the wire. From 0x10000: local ends of an attempt. An imported record may
/// have a wire code that is not in this list.
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

  local_refusal = 0x10001,   ///< our node did not take the HTLC (no peer, no balance, unusable channel)
  unreadable = 0x10002,      ///< failed for certain, but nobody can tell who failed it (Core Lightning 202)
  fenced = 0x10003,          ///< the id was made unusable before it became an HTLC (R4)
  no_debit = 0x10004,        ///< the HTLC ended and no money moved; the record itself is gone (R5)
  assumed_failed = 0x10005,  ///< marked as failed by the operator (closed, on the watch list)
  written_off = 0x10006,     ///< written off by the operator (closed, never payable)
  preimage_lost = 0x10007,   ///< settled, but the preimage is lost (closed, never payable)
  unknown_code = 0x10008,    ///< failed for certain with a code that BOLT 4 does not name
  channel_full = 0x10009,    ///< our own channel takes no more HTLCs until one in it has ended
  not_executed = 0x1000a,    ///< its time to be executed is over, and the switch has not executed it
  erased = 0x1000b,          ///< failed for certain, but the switch has erased the reason
  /// As unknown_code, and marked as permanent by the node that failed it (BOLT 4's PERM bit).
  unknown_permanent = 0x14008,
};

/// The BOLT 4 name in upper case ("TEMPORARY_CHANNEL_FAILURE") or our own ("FENCED"). "UNKNOWN_CODE" for a code without
/// a name.
[[nodiscard]] std::string_view failure_name(FailureCode code);
/// The inverse of failure_name, any case; nothing for a name that is not listed.
[[nodiscard]] std::optional<FailureCode> failure_from_name(std::string_view name);
/// The number on the wire; nothing for the local ones.
[[nodiscard]] std::optional<std::uint32_t> wire_code(FailureCode code);
/// The enumerator of a wire code; unknown_code when there is none.
[[nodiscard]] FailureCode failure_from_wire(std::uint32_t code);

struct Failure {
  FailureCode code = FailureCode::unknown_code;
  std::optional<std::uint32_t> source_index;  ///< 0 = our node, 1 = the first peer, ...; nothing when unknown
  std::optional<ChannelDirection> channel;    ///< the erring channel, where the switch names one
  std::optional<PublicKey> node;              ///< the erring node, where known; our own, with neither source nor
                                              ///< channel: it has other HTLCs of the hash
  std::string message{};                      ///< what the switch said: untrusted text
  auto operator<=>(const Failure&) const = default;
};

/// Why a payment failed in the end, in lnd's words. The values are stored; they are lnd's.
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
  bool lasting = false;  ///< for any amount; otherwise only for the amount that was to be carried, or more
  std::vector<PublicKey> exclude_nodes;
  std::size_t carried = 0;  ///< how many hops, from ours on, have shown that they can carry their amount
  /// An outdated policy may be the cause: exclude the channel the first time, and `policy_node` the second time.
  bool policy = false;
  std::optional<PublicKey> policy_node;
};

}  // namespace paytower
