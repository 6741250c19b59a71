// Legacy records and version 1 databases for tests, written from lnd's format alone and not with the code under test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/types.h"

namespace paytower::test {

/// The fields of a record, as lnd's daemon would have written them unless a test says otherwise.
struct LegacyFields {
  std::string memo;
  std::string receipt;
  std::string request;
  Bytes created;  ///< Go binary time; empty = 2019-05-16 and a few nanoseconds, zone +02:00
  Bytes settled;  ///< empty = Go's zero time
  std::uint64_t value = 1'000'000;
  std::uint64_t fee = 1'234;
  std::size_t hops = 2;
  std::uint32_t time_lock = 576'123;
  Preimage preimage{};
  bool v04 = false;  ///< without the 24 bytes of version 3
};

[[nodiscard]] Bytes legacy_record(const LegacyFields& fields);
/// Version 1 of Go's binary time.
[[nodiscard]] Bytes go_time(std::int64_t unix_seconds, std::uint32_t nanoseconds, std::int16_t zone_minutes = -1);
[[nodiscard]] Bytes go_zero_time();
/// 0x02 or 0x03, then 32 times 0xb1 + hop.
[[nodiscard]] PublicKey hop_key(std::size_t hop);
/// SHA-256 of the number: a different preimage for each.
[[nodiscard]] Preimage numbered_preimage(std::uint64_t number);

struct VersionOne {
  std::vector<std::pair<std::int64_t, Bytes>> records;
  std::vector<std::pair<Bytes, std::int64_t>> statuses;
  std::optional<Bytes> source = Bytes(PublicKey::size, 2);
  std::optional<std::int64_t> counter;
};

/// A database of version 1 in the new file `path`.
void make_version_one(const std::string& path, const VersionOne& content);
/// An empty one, for a generator to fill.
void make_empty_version_one(const std::string& path);

}  // namespace paytower::test
