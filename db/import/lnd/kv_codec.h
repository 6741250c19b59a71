// The serialized parts of a payment in lnd's key-value layouts. All throw Undecodable (byte_reader.h) and nothing else.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "db/import/lnd/byte_reader.h"
#include "db/import/lnd/kv_types.h"

namespace paytower::db::lnd {

inline constexpr std::size_t session_key_bytes = 32;

/// What differs between versions. Duplicates have kept their first form in all later ones.
struct KvLayout {
  bool hop_tail = false;  ///< version 10: records after each hop
  bool parts = false;     ///< version 13: attempts in `payment-htlcs-bucket`, times in nanoseconds
  bool flat = false;      ///< version 23: without a bucket for each attempt
};
[[nodiscard]] KvLayout layout_of(std::uint32_t version, bool duplicate);

/// Reads `payment-creation-info` into hash, value, created, payment_request and first_hop_records of `payment`.
void decode_creation_info(std::span<const std::uint8_t> bytes, const KvLayout& layout, KvPayment& payment);
[[nodiscard]] KvRoute decode_kv_route(ByteReader& reader, const KvLayout& layout);
/// `payment-attempt-info` (it contains its id), or with layout.parts `htlc-attempt-info`, `ai...` (`id` is not
/// changed). The session key is skipped.
void decode_attempt_info(std::span<const std::uint8_t> bytes, const KvLayout& layout, KvAttempt& attempt);
/// With layout.parts the time comes after the preimage. `hash`: what the preimage should prove.
[[nodiscard]] KvSettle decode_settle_info(std::span<const std::uint8_t> bytes, const KvLayout& layout,
                                          const PaymentHash& hash);
/// `htlc-fail-info`, `fi...`.
[[nodiscard]] KvFail decode_fail_info(std::span<const std::uint8_t> bytes);
/// The same from its parts; `kind` is lnd's number for it.
[[nodiscard]] KvFail kv_fail(std::optional<UnixNs> at, std::uint64_t kind, Bytes wire_message,
                             std::uint32_t source_index);
/// `payment-fail-info`.
[[nodiscard]] FailureReason decode_reason(std::span<const std::uint8_t> bytes);

}  // namespace paytower::db::lnd
