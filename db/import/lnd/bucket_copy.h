// A bucket with everything in it, copied into memory within a bound. Records are decoded from such copies, and kept in
// this form if they cannot be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "db/import/lnd/bbolt_bucket.h"

namespace paytower::db::lnd {

/// One key with its value, or a bucket with its entries in the order of keys. Owns everything.
struct BucketEntry {
  Bytes key;
  Bytes value;  ///< if it is a plain value
  bool is_bucket = false;
  std::uint64_t sequence = 0;        ///< if it is a bucket
  std::vector<BucketEntry> entries;  ///< if it is a bucket

  /// The entry with this name, or nullptr.
  [[nodiscard]] const BucketEntry* find(std::string_view name) const;
};

/// How much one copy may take: keys and values, plus entry_cost for each of them. A payment with 1,500 attempts fits.
inline constexpr std::size_t max_copy_bytes = 2 << 20;
inline constexpr std::size_t entry_cost = 64;

struct BucketCopy {
  BucketEntry top;
  /// False: it holds more than max_copy_bytes; what came first is there, values cut at the bound.
  bool complete = true;
};

/// Copies what is at the cursor, a value or a whole bucket. Pages are claimed as by any cursor. Refuses (usage) if the
/// structure of the file is damaged.
[[nodiscard]] BucketCopy copy_entry(const Cursor& at, PageSet& pages);

/// A copy as bytes, to be kept: `00 key value` for a plain value, `01 key sequence entries... 02` for a bucket. Key and
/// value come after their length in 4 bytes, the sequence takes 8, all big-endian.
[[nodiscard]] Bytes raw_bytes(const BucketEntry& entry);
/// The inverse. Nothing for bytes that raw_bytes() did not make, such as cut ones.
[[nodiscard]] std::optional<BucketEntry> parse_raw(std::span<const std::uint8_t> bytes);

}  // namespace paytower::db::lnd
