#include "tests/migrations/many_records.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/hash.h"
#include "tests/lnd/channel_db_files.h"
#include "tests/lnd/kv_bytes.h"
#include "tests/migrations/legacy_maker.h"

namespace paytower::test {

Bytes many_record(std::uint64_t i) {
  LegacyFields fields;
  fields.value = i * 1'000;
  fields.hops = 1 + i % 5;
  fields.preimage = numbered_preimage(i % 100 == 0 ? i / 2 : i);
  fields.created = go_time(1'500'000'000 + static_cast<std::int64_t>(i * 60), 1);
  return legacy_record(fields);
}

void make_many_version_one(const std::string& path, std::uint64_t records) {
  make_empty_version_one(path);
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  SQLite::Transaction transaction(database);
  database.exec("INSERT INTO source_node (pub_key) VALUES (x'02" + std::string(64, 'a') + "')");
  SQLite::Statement insert(database, "INSERT INTO outgoing_payments (sequence, record) VALUES (?1, ?2)");
  SQLite::Statement status(database, "INSERT INTO payment_statuses (payment_hash, status) VALUES (?1, 1)");
  for (std::uint64_t i = 1; i <= records; ++i) {
    const Bytes record = many_record(i);
    insert.bind(1, static_cast<std::int64_t>(i));
    insert.bindNoCopy(2, record.data(), static_cast<int>(record.size()));
    insert.exec();
    insert.reset();
    if (i % 100 != 1) continue;
    const Preimage hash = numbered_preimage(i + 1'000'000'000);
    status.bindNoCopy(1, hash.bytes.data(), static_cast<int>(hash.bytes.size()));
    status.exec();
    status.reset();
  }
  transaction.commit();
}

void make_many_legacy(const std::string& path, std::uint64_t records) {
  BboltWriter writer(path);
  writer.begin("graph-node");
  writer.put("source", node_key(0xaa));
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  for (std::uint64_t i = 1; i <= records; ++i) writer.put(be64(i), many_record(i));
  writer.end(records);
  writer.commit();
}

void make_many_kv(const std::string& path, std::uint64_t payments) {
  std::vector<std::pair<PaymentHash, std::uint64_t>> sorted;
  sorted.reserve(payments);
  for (std::uint64_t i = 1; i <= payments; ++i) sorted.emplace_back(hash_of(numbered_preimage(i)), i);
  std::sort(sorted.begin(), sorted.end(), [](const auto& left, const auto& right) { return left.first.bytes < right.first.bytes; });
  const auto at = [](std::uint64_t i) { return be64(1'600'000'000'000'000'000 + i * 1'000); };
  write_kv(path, 35, [&](BboltWriter& writer) {
    for (const auto& [key, i] : sorted) {
      const Bytes hash(key.bytes.begin(), key.bytes.end());
      const Bytes attempt = joined({session_key(), plain_route(true), at(i), hash});
      write_payment(writer, hash, i, creation_info(hash, 1'000, 1'600'000'000'000'000'000 + i * 1'000), {}, [&, number = i](BboltWriter& out) {
        for (const std::uint64_t id : {2 * number, 2 * number + 1}) out.put(flat_key("ai", id), attempt);
        out.put(flat_key("fi", 2 * number), fail_info(5, {0x10, 0x07}, 3, 2));
        if (number % 100 == 0) return;
        const Preimage preimage = numbered_preimage(number);
        out.put(flat_key("si", 2 * number + 1), joined({Bytes(preimage.bytes.begin(), preimage.bytes.end()), at(number)}));
      });
    }
  });
}

}  // namespace paytower::test
