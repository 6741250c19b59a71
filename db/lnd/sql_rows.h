// A payment as lnd's native SQL tables (0.21) have it: its rows as one tree of bytes, and what they say.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/types.h"
#include "db/lnd/bucket_copy.h"
#include "db/lnd/kv_types.h"

namespace paytower::db::lnd {

/// Rows of one payment in the form that BucketCopy has for buckets, so that what is decoded, what is kept raw and what is fuzzed
/// are the same bytes. A table, and a row, is a bucket; a column is a value under the column's name: one byte for its type
/// (`i` with 8 bytes big-endian, `t`, `b`, `r` with the 8 bytes of a double) and the value. NULL is no entry. Rows lie under
/// their number in 8 bytes. The session key is never read.
///
///   payments                  id, amount_msat, created_at, payment_identifier, fail_reason
///   payment_intents           intent_type, intent_payload
///   first_hop_custom_records  8 bytes of type -> value
///   payment_htlc_attempts     8 bytes of attempt_index -> columns, and
///     resolution              resolution_time, resolution_type, settle_preimage, failure_source_index, htlc_fail_reason, failure_msg
///     first_hop_custom_records
///     route_hops              8 bytes of hop_index -> columns of the hop, of its MPP, AMP and blinded rows, and
///       custom_records
///   payment_duplicates        (a duplicate's record has this alone)
namespace sql_names {
inline constexpr std::string_view payment = "payments", intent = "payment_intents", attempts = "payment_htlc_attempts", duplicate = "payment_duplicates";
inline constexpr std::string_view first_hop_records = "first_hop_custom_records", resolution = "resolution", hops = "route_hops", hop_records = "custom_records";
}  // namespace sql_names

/// The record of the rows in `copy`, whose top is named by the payment's identifier. Never throws for content.
[[nodiscard]] KvRecord decode_sql_payment(const BucketCopy& copy);
/// A row of `payment_duplicates`; `sequence` is the number that it is given, for it has none.
[[nodiscard]] KvRecord decode_sql_duplicate(const BucketCopy& copy, std::uint64_t sequence);
/// The payment of bytes that were kept of either (KvRecord::raw) of `hash`. Nothing where they cannot be decoded.
[[nodiscard]] std::optional<KvPayment> decode_kept_sql_payment(std::span<const std::uint8_t> raw, const PaymentHash& hash);
/// Attempt rows that belong to no payment: an entry with its reason.
[[nodiscard]] KvRecord sql_orphan(const BucketCopy& copy, const std::optional<PaymentHash>& hash, std::string_view why, bool settled);

/// As Go prints a time: "2023-11-14 22:14:20.1234568 +0000 UTC", perhaps with " m=+0.03" behind it; or SQLite's own forms without
/// a zone, with Z, or with "+00:00". Nothing for Go's zero time and for 1970-01-01 00:00:00, which mean "not recorded". Throws
/// Undecodable for anything else, and for years outside 1678 to 2261.
[[nodiscard]] std::optional<UnixNs> decode_go_time(std::string_view text);

}  // namespace paytower::db::lnd
