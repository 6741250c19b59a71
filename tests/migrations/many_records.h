// Large files with any number of records, made without using more memory for more records: for tests that measure a
// migration.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/bytes.h"

namespace paytower::test {

/// Payment `i` of the first two files. Every hundredth repeats an earlier payment's preimage; 1 to 5 hops.
[[nodiscard]] Bytes many_record(std::uint64_t i);

/// A database of version 1 in the new file `path`; one hash in a hundred has a status in flight and no record.
void make_many_version_one(const std::string& path, std::uint64_t records);
/// The same records as lnd's channel.db of version 8, without statuses.
void make_many_legacy(const std::string& path, std::uint64_t records);
/// A channel.db of version 35: each payment failed once and settled with its second attempt, except every hundredth,
/// which is in flight. Uses 64 bytes of memory for each payment, because the keys have to be sorted.
void make_many_kv(const std::string& path, std::uint64_t payments);
/// An lnd.sqlite of native SQL tables with the same payments. `page_bytes`: a small one makes a small file of few
/// payments.
void make_many_sql(const std::string& path, std::uint64_t payments, int page_bytes);
void make_many_native(const std::string& path, std::uint64_t payments);
/// The same as the key-value tree in one SQLite table.
void make_many_kv_sql(const std::string& path, std::uint64_t payments, int page_bytes);

}  // namespace paytower::test
