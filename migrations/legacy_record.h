// lnd's serialized outgoing payment, as in its databases before version 9. Frozen: a migration that has run anywhere
// must always read the same bytes in the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/hash.h"
#include "core/base/types.h"

namespace paytower::migrations {

/// The fields of one record. Spans point into the bytes that were read.
struct LegacyRecord {
  std::span<const std::uint8_t> memo;
  std::span<const std::uint8_t> receipt;
  std::string_view payment_request;  ///< untrusted text, at most 4096 bytes, usually empty
  std::int64_t created_ns = 0;       ///< since 1970 UTC; 0 if the record has Go's zero time
  std::uint64_t value_msat = 0;      ///< the delivered amount; value_msat + fee_msat <= max_legacy_msat
  std::uint64_t fee_msat = 0;
  std::span<const std::uint8_t> path;  ///< 33 bytes for each hop, a compressed public key; may be empty
  std::uint32_t time_lock = 0;         ///< block height
  Preimage preimage;
  /// A field for which the migration has no place contains something that lnd's own daemon never wrote: memo, receipt,
  /// settle date, the invoice's preimage, state, indexes or amount paid.
  bool has_more = false;

  [[nodiscard]] std::size_t hops() const { return path.size() / PublicKey::size; }
};

/// Why a record cannot be read.
struct LegacyFlaw {
  std::string reason;  ///< names the field: "record truncated in preimage"
  /// The hash of the preimage, if there is one and only what it contains is refused: that hash may well be paid.
  std::optional<PaymentHash> hash;
};

inline constexpr std::uint64_t max_legacy_msat = 2'100'000'000'000'000'000ULL;
inline constexpr std::size_t max_legacy_hops = 255;

/// Reads the form of lnd's database versions 3 to 8. Strict: every byte is accounted for, and each length is checked
/// against its limit and against what is left before it is used. Only the words of a flaw allocate memory. Never throws
/// because of the content.
[[nodiscard]] std::variant<LegacyRecord, LegacyFlaw> read_legacy_record(std::span<const std::uint8_t> data);

/// Turns the form of versions 0 to 2 into that of version 3: 24 zero bytes after the state, which is all that lnd's own
/// migration did. Nothing if the bytes end before the state, or if a field before it is damaged.
[[nodiscard]] std::optional<Bytes> widen_v04_record(std::span<const std::uint8_t> data);

/// The payment hash of a BOLT 11 invoice with a correct checksum; nothing for any other text. The signature is not
/// checked.
[[nodiscard]] std::optional<PaymentHash> invoice_payment_hash(std::string_view invoice);

}  // namespace paytower::migrations
