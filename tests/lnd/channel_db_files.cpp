// The buckets and keys of small channel.db files.
#include "tests/lnd/channel_db_files.h"

namespace paytower::test {

Bytes node_key(std::uint8_t fill) {
  Bytes key(33, fill);
  key[0] = 2;
  return key;
}

Bytes filled(std::size_t count, std::uint8_t fill) { return Bytes(count, fill); }

Bytes le16(std::uint16_t value) {
  return {static_cast<std::uint8_t>(value & 0xFF), static_cast<std::uint8_t>(value >> 8)};
}

Bytes var(const Bytes& bytes) {
  if (bytes.size() < 0xFD) return joined({{static_cast<std::uint8_t>(bytes.size())}, bytes});
  return joined({{0xFD}, le16(static_cast<std::uint16_t>(bytes.size())), bytes});
}

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

Bytes record_of(std::uint64_t sequence) {
  Bytes record = joined({bytes_of("record "), be64(sequence)});
  record.resize(20 + sequence * 37 % 221, static_cast<std::uint8_t>(sequence));
  return record;
}

void write_legacy(BboltWriter& writer, const LegacyFile& what) {
  writer.begin("graph-node");
  writer.put("source", node_key(0xAA));
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(what.version));
  writer.end();
  writer.begin("payment-status");
  writer.put(filled(32, 4), {1});
  writer.end();
  writer.begin("payments");
  for (std::uint64_t i = 1; i <= what.records; ++i) writer.put(be64(i), record_of(i));
  writer.end(what.sequence.value_or(what.records));
  writer.commit();
}

void write_legacy(const std::string& path, const LegacyFile& what) {
  BboltWriter writer(path, what.options);
  write_legacy(writer, what);
}

void write_kv(const std::string& path, std::uint32_t version, const std::function<void(BboltWriter&)>& payments,
              BboltOptions options) {
  BboltWriter writer(path, options);
  writer.begin("graph-node");
  writer.put("source", node_key(0xAA));
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(version));
  writer.end();
  writer.begin("next-payment-id-key");
  writer.end(3000);
  writer.begin("payments-root-bucket");
  payments(writer);
  writer.end(1000);
  writer.commit();
}

}  // namespace paytower::test
