// A payment as in lnd's native SQL tables (0.21): its rows as one tree of bytes, and what they say.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/types.h"
#include "db/import/lnd/bucket_copy.h"
#include "db/import/lnd/kv_types.h"

namespace paytower::db::lnd {

/// The rows of one payment in the form that BucketCopy has for buckets, so that the same bytes are decoded, kept raw
/// and fuzzed. A row is a value: its columns in the order of `sql_columns`, each as a byte for its type and what it
/// holds: `n` NULL, `i` 8 bytes big-endian, `r` the 8 bytes of a double, `t` and `b` a length in 4 bytes and as many
/// bytes. Session keys are never read. The top has the payment's identifier as its name:
///
///   payments, payment_intents      a row each
///   first_hop_custom_records       a bucket: 8 bytes of type -> the column `value`
///   payment_htlc_attempts          a bucket: 8 bytes of attempt_index -> a bucket:
///     attempt, resolution            a row each
///     first_hop_custom_records       as above
///     route_hops                     a bucket: 8 bytes of hop_index -> the row of the hop, with MPP, AMP, blinding
///     hop_custom_records             a bucket: 8 bytes of hop_index -> a bucket as above
///   payment_duplicates             a row (a duplicate's record has this alone)
namespace sql_names {
inline constexpr std::string_view payment = "payments", intent = "payment_intents", attempts = "payment_htlc_attempts",
                                  duplicate = "payment_duplicates";
inline constexpr std::string_view first_hop_records = "first_hop_custom_records", attempt = "attempt",
                                  resolution = "resolution";
inline constexpr std::string_view hops = "route_hops", hop_records = "hop_custom_records";
}  // namespace sql_names

using SqlColumns = std::span<const std::string_view>;
namespace sql_columns {
inline constexpr std::array<std::string_view, 5> payment = {"payment_identifier", "id", "amount_msat", "created_at",
                                                            "fail_reason"};
inline constexpr std::array<std::string_view, 2> intent = {"intent_type", "intent_payload"};
inline constexpr std::array<std::string_view, 6> attempt = {"attempt_time",          "payment_hash",
                                                            "first_hop_amount_msat", "route_total_time_lock",
                                                            "route_total_amount",    "route_source_key"};
inline constexpr std::array<std::string_view, 6> resolution = {
    "resolution_time", "resolution_type", "settle_preimage", "failure_source_index", "htlc_fail_reason", "failure_msg"};
inline constexpr std::array<std::string_view, 13> hop = {"pub_key",
                                                         "scid",
                                                         "outgoing_time_lock",
                                                         "amt_to_forward",
                                                         "meta_data",
                                                         "payment_addr",
                                                         "total_msat",
                                                         "root_share",
                                                         "set_id",
                                                         "child_index",
                                                         "encrypted_data",
                                                         "blinding_point",
                                                         "blinded_path_total_amt"};
inline constexpr std::array<std::string_view, 6> duplicate = {"id",          "amount_msat",     "created_at",
                                                              "fail_reason", "settle_preimage", "settle_time"};
inline constexpr std::size_t most = 13;
}  // namespace sql_columns

/// The record of the rows in `copy`, whose top is named by the payment's identifier. Never throws because of the
/// content. It keeps the rows, not their bytes (KvRecord::whole).
[[nodiscard]] KvRecord decode_sql_payment(BucketCopy copy);
/// A row of `payment_duplicates`. It has no number, so it gets `sequence`.
[[nodiscard]] KvRecord decode_sql_duplicate(BucketCopy copy, std::uint64_t sequence);
/// The payment in bytes that were kept of either kind (KvRecord::raw) of `hash`. Nothing if they cannot be decoded.
[[nodiscard]] std::optional<KvPayment> decode_kept_sql_payment(std::span<const std::uint8_t> raw,
                                                               const PaymentHash& hash);
/// Attempt rows that belong to no payment: an entry with the reason.
[[nodiscard]] KvRecord sql_orphan(BucketCopy copy, const std::optional<PaymentHash>& hash, std::string_view why,
                                  bool settled);

/// A time as Go prints it: "2023-11-14 22:14:20.1234568 +0000 UTC", perhaps followed by " m=+0.03"; or SQLite's own
/// forms without a zone, with Z, or with "+00:00". Nothing for Go's zero time and for 1970-01-01 00:00:00, which mean
/// "not stored". Throws Undecodable for anything else, and for years outside 1678 to 2261.
[[nodiscard]] std::optional<UnixNs> decode_go_time(std::string_view text);

}  // namespace paytower::db::lnd
