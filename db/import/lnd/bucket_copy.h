// A bucket with all it holds, copied into memory within a bound: what a record is decoded from, and what is kept of it
// raw.
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

/// One key with its value, or a bucket with its entries in key order. Owns everything.
struct BucketEntry {
  Bytes key;
  Bytes value;  ///< of a plain value
  bool is_bucket = false;
  std::uint64_t sequence = 0;        ///< of a bucket
  std::vector<BucketEntry> entries;  ///< of a bucket

  /// The entry of this name, nullptr when there is none.
  [[nodiscard]] const BucketEntry* find(std::string_view name) const;
};

/// How much one copy may take: keys and values, and entry_cost for each of them. A payment of 1,500 attempts fits.
inline constexpr std::size_t max_copy_bytes = 2 << 20;
inline constexpr std::size_t entry_cost = 64;

struct BucketCopy {
  BucketEntry top;
  bool complete =
      true;  ///< false: it holds more than max_copy_bytes; what came first is there, values cut at the bound
};

/// Copies what the cursor stands on, a value or a whole bucket. Pages are claimed as by any cursor. Throws RefusalError
/// (usage) for damage of the file's structure.
[[nodiscard]] BucketCopy copy_entry(const Cursor& at, PageSet& pages);

/// A copy as one run of bytes, to be kept: `00 key value` for a plain value, `01 key sequence entries... 02` for a
/// bucket, key and value each after their length in 4 bytes, sequence in 8, all big-endian.
[[nodiscard]] Bytes raw_bytes(const BucketEntry& entry);
/// The inverse. Nothing for bytes that raw_bytes() did not write, among them those that were cut.
[[nodiscard]] std::optional<BucketEntry> parse_raw(std::span<const std::uint8_t> bytes);

}  // namespace paytower::db::lnd
