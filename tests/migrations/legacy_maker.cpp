// Writes legacy records byte by byte, and puts them into a version 1 database.
#include "legacy_maker.h"

#include <sys/stat.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/base/hash.h"
#include "migrations/migrations.h"

namespace paytower::test {

namespace {

void put(Bytes& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

template <typename Data> void put_counted(Bytes& out, const Data& data) {
  if (data.size() < 0xfd) {
    out.push_back(static_cast<std::uint8_t>(data.size()));
  } else {
    out.push_back(0xfd);
    out.push_back(static_cast<std::uint8_t>(data.size()));
    out.push_back(static_cast<std::uint8_t>(data.size() >> 8));
  }
  out.insert(out.end(), data.begin(), data.end());
}

void bind(SQLite::Statement& statement, int at, const Bytes& bytes) {
  statement.bind(at, bytes.empty() ? static_cast<const void*>("") : bytes.data(), static_cast<int>(bytes.size()));
}

void exec(SQLite::Statement& statement) {
  statement.exec();
  statement.reset();
}

}  // namespace

Bytes go_time(std::int64_t unix_seconds, std::uint32_t nanoseconds, std::int16_t zone_minutes) {
  Bytes out{1};
  put(out, static_cast<std::uint64_t>(unix_seconds + 62'135'596'800), 8);
  put(out, nanoseconds, 4);
  put(out, static_cast<std::uint16_t>(zone_minutes), 2);
  return out;
}

Bytes go_zero_time() {
  Bytes out(15, 0);
  out[0] = 1;
  out[13] = out[14] = 0xff;
  return out;
}

PublicKey hop_key(std::size_t hop) {
  PublicKey key;
  key.bytes.fill(static_cast<std::uint8_t>(0xb1 + hop));
  key.bytes[0] = static_cast<std::uint8_t>(2 + hop % 2);
  return key;
}

Preimage numbered_preimage(std::uint64_t number) {
  Bytes text;
  put(text, number, 8);
  return *Preimage::from_span(sha256(text).span());
}

Bytes legacy_record(const LegacyFields& fields) {
  Bytes out;
  put_counted(out, fields.memo);
  put_counted(out, fields.receipt);
  put_counted(out, fields.request);
  put_counted(out, fields.created.empty() ? go_time(1'558'000'000, 123'456'789, 120) : fields.created);
  put_counted(out, fields.settled.empty() ? go_zero_time() : fields.settled);
  out.insert(out.end(), 32, 0);
  put(out, fields.value, 8);
  out.push_back(0);
  if (!fields.v04) out.insert(out.end(), 24, 0);
  put(out, fields.fee, 8);
  put(out, fields.hops, 4);
  for (std::size_t i = 0; i < fields.hops; ++i) {
    const PublicKey key = hop_key(i);
    out.insert(out.end(), key.bytes.begin(), key.bytes.end());
  }
  put(out, fields.time_lock, 4);
  out.insert(out.end(), fields.preimage.bytes.begin(), fields.preimage.bytes.end());
  return out;
}

void make_empty_version_one(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.execAndGet("PRAGMA journal_mode = WAL");
  database.exec(std::string(migrations::steps().front().sql));
  database.exec("PRAGMA application_id = " + std::to_string(0x50617954));
  database.exec("PRAGMA user_version = 1");
  ::chmod(path.c_str(), 0600);
}

void make_version_one(const std::string& path, const VersionOne& content) {
  make_empty_version_one(path);
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  SQLite::Transaction transaction(database);
  SQLite::Statement record(database, "INSERT INTO outgoing_payments (sequence, record) VALUES (?1, ?2)");
  for (const auto& one : content.records) {
    record.bind(1, one.first);
    bind(record, 2, one.second);
    exec(record);
  }
  SQLite::Statement status(database, "INSERT INTO payment_statuses (payment_hash, status) VALUES (?1, ?2)");
  for (const auto& one : content.statuses) {
    bind(status, 1, one.first);
    status.bind(2, one.second);
    exec(status);
  }
  if (content.source) {
    SQLite::Statement source(database, "INSERT INTO source_node (pub_key) VALUES (?1)");
    bind(source, 1, *content.source);
    source.exec();
  }
  if (content.counter) {
    database.exec("DELETE FROM sqlite_sequence WHERE name = 'outgoing_payments'");
    SQLite::Statement counter(database, "INSERT INTO sqlite_sequence (name, seq) VALUES ('outgoing_payments', ?1)");
    counter.bind(1, *content.counter);
    counter.exec();
  }
  transaction.commit();
}

}  // namespace paytower::test
