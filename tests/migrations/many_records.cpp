// Writes many payments straight to a file, batch by batch.
#include "tests/migrations/many_records.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/base/hash.h"
#include "tests/lnd/channel_db_files.h"
#include "tests/lnd/kv_bytes.h"
#include "tests/migrations/legacy_maker.h"

namespace paytower::test {

namespace {

/// lnd's tables, as far as they are read: columns, keys, and the indexes that an import needs.
const char* const native_tables = R"sql(
CREATE TABLE migration_tracker (version INTEGER UNIQUE NOT NULL, migration_time TIMESTAMP NOT NULL);
CREATE TABLE graph_nodes (id INTEGER PRIMARY KEY, version SMALLINT NOT NULL, pub_key BLOB NOT NULL);
CREATE TABLE graph_source_nodes (node_id BIGINT NOT NULL REFERENCES graph_nodes (id));
CREATE TABLE payments (id INTEGER PRIMARY KEY, amount_msat BIGINT NOT NULL, created_at TIMESTAMP NOT NULL, payment_identifier BLOB NOT NULL UNIQUE, fail_reason INTEGER);
CREATE TABLE payment_intents (id INTEGER PRIMARY KEY, payment_id BIGINT NOT NULL UNIQUE, intent_type SMALLINT NOT NULL, intent_payload BLOB);
CREATE TABLE payment_htlc_attempts (id INTEGER PRIMARY KEY, attempt_index BIGINT NOT NULL UNIQUE, payment_id BIGINT NOT NULL, session_key BLOB NOT NULL UNIQUE,
  attempt_time TIMESTAMP NOT NULL, payment_hash BLOB NOT NULL, first_hop_amount_msat BIGINT NOT NULL, route_total_time_lock INTEGER NOT NULL,
  route_total_amount BIGINT NOT NULL, route_source_key BLOB NOT NULL);
CREATE INDEX idx_htlc_payment_id ON payment_htlc_attempts (payment_id);
CREATE TABLE payment_htlc_attempt_resolutions (attempt_index INTEGER PRIMARY KEY, resolution_time TIMESTAMP NOT NULL, resolution_type INTEGER NOT NULL,
  settle_preimage BLOB, failure_source_index INTEGER, htlc_fail_reason INTEGER, failure_msg BLOB);
CREATE TABLE payment_route_hops (id INTEGER PRIMARY KEY, htlc_attempt_index BIGINT NOT NULL, hop_index INTEGER NOT NULL, pub_key BLOB, scid TEXT NOT NULL,
  outgoing_time_lock INTEGER NOT NULL, amt_to_forward BIGINT NOT NULL, meta_data BLOB, UNIQUE (htlc_attempt_index, hop_index));
CREATE TABLE payment_route_hop_mpp (hop_id INTEGER PRIMARY KEY, payment_addr BLOB NOT NULL, total_msat BIGINT NOT NULL);
CREATE TABLE payment_route_hop_amp (hop_id INTEGER PRIMARY KEY, root_share BLOB NOT NULL, set_id BLOB NOT NULL, child_index INTEGER NOT NULL);
CREATE TABLE payment_route_hop_blinded (hop_id INTEGER PRIMARY KEY, encrypted_data BLOB NOT NULL, blinding_point BLOB, blinded_path_total_amt BIGINT);
CREATE TABLE payment_hop_custom_records (id INTEGER PRIMARY KEY, hop_id BIGINT NOT NULL, key BIGINT NOT NULL, value BLOB NOT NULL, UNIQUE (hop_id, key));
CREATE TABLE payment_first_hop_custom_records (id INTEGER PRIMARY KEY, payment_id BIGINT NOT NULL, key BIGINT NOT NULL, value BLOB NOT NULL, UNIQUE (payment_id, key));
CREATE TABLE payment_attempt_first_hop_custom_records (id INTEGER PRIMARY KEY, htlc_attempt_index BIGINT NOT NULL, key BIGINT NOT NULL, value BLOB NOT NULL,
  UNIQUE (htlc_attempt_index, key));
CREATE TABLE payment_duplicates (id INTEGER PRIMARY KEY, payment_id BIGINT NOT NULL, amount_msat BIGINT NOT NULL, created_at TIMESTAMP NOT NULL, fail_reason INTEGER,
  settle_preimage BLOB, settle_time TIMESTAMP);
CREATE INDEX idx_payment_duplicates_payment_id ON payment_duplicates (payment_id);
INSERT INTO migration_tracker VALUES (14, '2023-11-14 22:13:20 +0000 UTC');
INSERT INTO graph_nodes VALUES (1, 1, x'02AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
INSERT INTO graph_source_nodes VALUES (1);
)sql";

std::string go_time_text(std::uint64_t i) {
  const std::uint64_t second = i / 1'000'000 % 60;
  std::string fraction = std::to_string(1'000'000 + i % 1'000'000);
  return "2020-09-13 12:26:" + std::string(second < 10 ? "0" : "") + std::to_string(second) + "." + fraction.substr(1) +
         " +0000 UTC";
}

void put(SQLite::Statement& statement, int at, const Bytes& bytes) {
  statement.bind(at, bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

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
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& left, const auto& right) { return left.first.bytes < right.first.bytes; });
  const auto at = [](std::uint64_t i) { return be64(1'600'000'000'000'000'000 + i * 1'000); };
  write_kv(path, 35, [&](BboltWriter& writer) {
    for (const auto& [key, i] : sorted) {
      const Bytes hash(key.bytes.begin(), key.bytes.end());
      const Bytes attempt = joined({session_key(), plain_route(true), at(i), hash});
      write_payment(writer, hash, i, creation_info(hash, 1'000, 1'600'000'000'000'000'000 + i * 1'000), {},
                    [&, number = i](BboltWriter& out) {
                      for (const std::uint64_t id : {2 * number, 2 * number + 1}) out.put(flat_key("ai", id), attempt);
                      out.put(flat_key("fi", 2 * number), fail_info(5, {0x10, 0x07}, 3, 2));
                      if (number % 100 == 0) return;
                      const Preimage preimage = numbered_preimage(number);
                      out.put(flat_key("si", 2 * number + 1),
                              joined({Bytes(preimage.bytes.begin(), preimage.bytes.end()), at(number)}));
                    });
    }
  });
}

void make_many_native(const std::string& path, std::uint64_t payments) { make_many_sql(path, payments, 4'096); }

void make_many_sql(const std::string& path, std::uint64_t payments, int page_bytes) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA page_size = " + std::to_string(page_bytes) +
                "; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN");
  database.exec(native_tables);
  SQLite::Statement payment(database, "INSERT INTO payments VALUES (?1, 1000, ?2, ?3, NULL)");
  SQLite::Statement intent(
      database,
      "INSERT INTO payment_intents (payment_id, intent_type, intent_payload) VALUES (?1, 0, CAST('lnbc' AS BLOB))");
  SQLite::Statement attempt(
      database,
      "INSERT INTO payment_htlc_attempts (attempt_index, payment_id, session_key, attempt_time, payment_hash, "
      "first_hop_amount_msat,"
      " route_total_time_lock, route_total_amount, route_source_key) VALUES (?1, ?2, ?3, ?4, ?5, 0, 700000, 1000, ?6)");
  SQLite::Statement hop(database,
                        "INSERT INTO payment_route_hops (htlc_attempt_index, hop_index, pub_key, scid, "
                        "outgoing_time_lock, amt_to_forward)"
                        " VALUES (?1, ?2, ?3, '769658139444150273', 699000, 990)");
  SQLite::Statement settled(database,
                            "INSERT INTO payment_htlc_attempt_resolutions VALUES (?1, ?2, 1, ?3, NULL, NULL, NULL)");
  SQLite::Statement failed(database,
                           "INSERT INTO payment_htlc_attempt_resolutions VALUES (?1, ?2, 2, NULL, 2, 3, x'1007')");
  const auto run = [](SQLite::Statement& statement) {
    statement.exec();
    statement.reset();
  };
  for (std::uint64_t i = 1; i <= payments; ++i) {
    const Preimage preimage = numbered_preimage(i);
    const PaymentHash key = hash_of(preimage);
    const Bytes hash(key.bytes.begin(), key.bytes.end());
    const std::string at = go_time_text(i);
    const auto number = static_cast<std::int64_t>(i);
    payment.bind(1, number);
    payment.bind(2, at);
    put(payment, 3, hash);
    run(payment);
    intent.bind(1, number);
    run(intent);
    for (const std::int64_t id : {2 * number, 2 * number + 1}) {
      attempt.bind(1, id);
      attempt.bind(2, number);
      put(attempt, 3, joined({be64(static_cast<std::uint64_t>(id)), filled(24, 7)}));
      attempt.bind(4, at);
      put(attempt, 5, hash);
      put(attempt, 6, node_key(0xaa));
      run(attempt);
      for (int index = 0; index < 2; ++index) {
        hop.bind(1, id);
        hop.bind(2, index);
        put(hop, 3, node_key(static_cast<std::uint8_t>(0xB1 + index)));
        run(hop);
      }
    }
    failed.bind(1, 2 * number);
    failed.bind(2, at);
    run(failed);
    if (i % 100 == 0) continue;
    settled.bind(1, 2 * number + 1);
    settled.bind(2, at);
    put(settled, 3, Bytes(preimage.bytes.begin(), preimage.bytes.end()));
    run(settled);
  }
  database.exec("COMMIT");
}

void make_many_kv_sql(const std::string& path, std::uint64_t payments, int page_bytes) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA page_size = " + std::to_string(page_bytes) +
                "; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN");
  database.exec(
      "CREATE TABLE channeldb_kv (key BLOB NOT NULL, value BLOB, parent_id BIGINT, id INTEGER PRIMARY KEY, sequence "
      "BIGINT);"
      "CREATE UNIQUE INDEX channeldb_kv_up ON channeldb_kv (parent_id, key) WHERE parent_id IS NOT NULL;"
      "CREATE UNIQUE INDEX channeldb_kv_unp ON channeldb_kv (key) WHERE parent_id IS NULL");
  SQLite::Statement entry(database,
                          "INSERT INTO channeldb_kv (key, value, parent_id, sequence) VALUES (?1, ?2, ?3, ?4)");
  const auto put_entry = [&](std::int64_t parent, const Bytes& key, const Bytes* value, std::int64_t sequence = 0) {
    put(entry, 1, key);
    value == nullptr ? entry.bind(2) : put(entry, 2, *value);
    parent == 0 ? entry.bind(3) : entry.bind(3, parent);
    entry.bind(4, sequence);
    entry.exec();
    entry.reset();
    return database.getLastInsertRowid();
  };
  const auto text = [](std::string_view name) { return Bytes(name.begin(), name.end()); };
  const Bytes version = be32(35), node = node_key(0xaa);
  put_entry(put_entry(0, text("metadata"), nullptr), text("dbp"), &version);
  put_entry(put_entry(0, text("graph-node"), nullptr), text("source"), &node);
  const std::int64_t root = put_entry(0, text("payments-root-bucket"), nullptr, static_cast<std::int64_t>(payments));
  for (std::uint64_t i = 1; i <= payments; ++i) {
    const Preimage preimage = numbered_preimage(i);
    const PaymentHash key = hash_of(preimage);
    const Bytes hash(key.bytes.begin(), key.bytes.end());
    const std::uint64_t at = 1'600'000'000'000'000'000 + i * 1'000;
    const Bytes sequence = be64(i), creation = creation_info(hash, 1'000, at),
                attempt = joined({session_key(), plain_route(true), be64(at), hash});
    const Bytes settle = joined({Bytes(preimage.bytes.begin(), preimage.bytes.end()), be64(at)});
    const std::int64_t bucket = put_entry(root, hash, nullptr);
    put_entry(bucket, text("payment-creation-info"), &creation);
    put_entry(bucket, text("payment-sequence-key"), &sequence);
    const std::int64_t htlcs = put_entry(bucket, text("payment-htlcs-bucket"), nullptr);
    put_entry(htlcs, flat_key("ai", i), &attempt);
    if (i % 100 != 0) put_entry(htlcs, flat_key("si", i), &settle);
  }
  database.exec("COMMIT");
}

}  // namespace paytower::test
