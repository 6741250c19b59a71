// Small channel.db files and their parts, made up for tests and as seeds of fuzzing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/lnd/bbolt_writer.h"

namespace paytower::test {

/// 33 bytes: 02, then `fill`.
[[nodiscard]] Bytes node_key(std::uint8_t fill);
/// `count` bytes of `fill`.
[[nodiscard]] Bytes filled(std::size_t count, std::uint8_t fill);
[[nodiscard]] Bytes le16(std::uint16_t value);
/// bitcoin's length, then the bytes.
[[nodiscard]] Bytes var(const Bytes& bytes);
[[nodiscard]] std::string text_of(const Bytes& bytes);

/// An invented legacy record: 20 to 240 bytes that differ for each sequence.
[[nodiscard]] Bytes record_of(std::uint64_t sequence);

struct LegacyFile {
  BboltOptions options;
  std::uint32_t version = 8;
  std::uint64_t records = 3;
  std::optional<std::uint64_t> sequence;  ///< nothing: the number of records
};
/// Writes graph-node/source, metadata/dbp, an in-flight status of 04..04, and payments 1 to `records`, in one commit.
void write_legacy(BboltWriter& writer, const LegacyFile& what);
void write_legacy(const std::string& path, const LegacyFile& what);

/// Writes graph-node, metadata, next-payment-id-key (sequence 3000), and payments-root-bucket, filled by `payments`.
void write_kv(const std::string& path, std::uint32_t version, const std::function<void(BboltWriter&)>& payments,
              BboltOptions options = {});

}  // namespace paytower::test
