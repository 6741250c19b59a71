#include "tests/lnd/lnd_fixture.h"

#include <doctest/doctest.h>


namespace paytower::test {

std::string example(const std::string& name) { return std::string(PAYTOWER_TEST_DATA) + "/data/lnd/" + name; }

Error refusal_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const RefusalError& refused) {
    return refused.error();
  }
  FAIL("nothing was refused");
  return {};
}

Bytes node_key(std::uint8_t fill) {
  Bytes key(33, fill);
  key[0] = 2;
  return key;
}

Bytes filled(std::size_t count, std::uint8_t fill) { return Bytes(count, fill); }

Bytes le16(std::uint16_t value) { return {static_cast<std::uint8_t>(value & 0xFF), static_cast<std::uint8_t>(value >> 8)}; }

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

void write_kv(const std::string& path, std::uint32_t version, const std::function<void(BboltWriter&)>& payments, BboltOptions options) {
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

std::vector<db::lnd::RawEntry> all(db::lnd::RawStream stream) {
  std::vector<db::lnd::RawEntry> entries;
  while (auto entry = stream.next()) entries.push_back(std::move(*entry));
  return entries;
}

std::vector<db::lnd::KvRecord> all_payments(const std::string& path) {
  const db::lnd::ChannelDb database = db::lnd::ChannelDb::open(path);
  db::lnd::KvPayments stream(database);
  std::vector<db::lnd::KvRecord> records;
  while (auto record = stream.next()) records.push_back(std::move(*record));
  return records;
}

const db::lnd::KvPayment& payment_in(const db::lnd::KvRecord& record) {
  const auto* unreadable = std::get_if<db::lnd::KvUnreadable>(&record.what);
  if (unreadable != nullptr) FAIL(unreadable->reason);
  return std::get<db::lnd::KvPayment>(record.what);
}

const db::lnd::KvUnreadable& unreadable_in(const db::lnd::KvRecord& record) {
  REQUIRE(std::holds_alternative<db::lnd::KvUnreadable>(record.what));
  return std::get<db::lnd::KvUnreadable>(record.what);
}


}  // namespace paytower::test
