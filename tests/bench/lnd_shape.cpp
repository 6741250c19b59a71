// The same lifecycle of a payment, written to tables like those of lnd's SQL schema.
#include "tests/bench/lnd_shape.h"

#include <cstdint>
#include <map>
#include <optional>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "core/base/hash.h"

namespace paytower::bench {

namespace {

// Tables, keys, indexes and checks as in lnd 0.21. The tables for AMP and blinded paths stay empty, as they do in lnd.
constexpr const char* schema = R"sql(
CREATE TABLE payments (id INTEGER PRIMARY KEY, amount_msat BIGINT NOT NULL, created_at TIMESTAMP NOT NULL, payment_identifier BLOB NOT NULL UNIQUE,
  fail_reason INTEGER);
CREATE INDEX payments_created ON payments (created_at);
CREATE INDEX payments_not_failed ON payments (id) WHERE fail_reason IS NULL;
CREATE TABLE payment_intents (id INTEGER PRIMARY KEY, payment_id BIGINT NOT NULL UNIQUE REFERENCES payments (id) ON DELETE CASCADE,
  intent_type SMALLINT NOT NULL, intent_payload BLOB);
CREATE INDEX intents_type ON payment_intents (intent_type);
CREATE TABLE payment_htlc_attempts (id INTEGER PRIMARY KEY, attempt_index BIGINT NOT NULL UNIQUE,
  payment_id BIGINT NOT NULL REFERENCES payments (id) ON DELETE CASCADE, session_key BLOB NOT NULL UNIQUE, attempt_time TIMESTAMP NOT NULL,
  payment_hash BLOB NOT NULL, first_hop_amount_msat BIGINT NOT NULL, route_total_time_lock INTEGER NOT NULL, route_total_amount BIGINT NOT NULL,
  route_source_key BLOB NOT NULL);
CREATE INDEX attempts_payment ON payment_htlc_attempts (payment_id);
CREATE INDEX attempts_hash ON payment_htlc_attempts (payment_hash);
CREATE INDEX attempts_time ON payment_htlc_attempts (attempt_time);
CREATE INDEX attempts_payment_time ON payment_htlc_attempts (payment_id, attempt_time);
CREATE TABLE payment_htlc_attempt_resolutions (attempt_index INTEGER PRIMARY KEY REFERENCES payment_htlc_attempts (attempt_index) ON DELETE CASCADE,
  resolution_time TIMESTAMP NOT NULL, resolution_type INTEGER NOT NULL CHECK (resolution_type IN (1, 2)), settle_preimage BLOB,
  failure_source_index INTEGER, htlc_fail_reason INTEGER, failure_msg BLOB,
  CHECK ((resolution_type = 1 AND settle_preimage IS NOT NULL AND coalesce(failure_source_index, htlc_fail_reason, failure_msg) IS NULL)
      OR (resolution_type = 2 AND settle_preimage IS NULL)));
CREATE INDEX resolutions_time ON payment_htlc_attempt_resolutions (resolution_time);
CREATE INDEX resolutions_type ON payment_htlc_attempt_resolutions (resolution_type);
CREATE INDEX resolutions_type_attempt ON payment_htlc_attempt_resolutions (resolution_type, attempt_index);
CREATE TABLE payment_route_hops (id INTEGER PRIMARY KEY, htlc_attempt_index BIGINT NOT NULL REFERENCES payment_htlc_attempts (attempt_index) ON DELETE CASCADE,
  hop_index INTEGER NOT NULL, pub_key BLOB, scid TEXT NOT NULL, outgoing_time_lock INTEGER NOT NULL, amt_to_forward BIGINT NOT NULL, meta_data BLOB,
  UNIQUE (htlc_attempt_index, hop_index));
CREATE INDEX hops_attempt ON payment_route_hops (htlc_attempt_index);
CREATE TABLE payment_route_hop_mpp (hop_id INTEGER PRIMARY KEY REFERENCES payment_route_hops (id) ON DELETE CASCADE, payment_addr BLOB NOT NULL,
  total_msat BIGINT NOT NULL);
CREATE TABLE payment_route_hop_amp (hop_id INTEGER PRIMARY KEY REFERENCES payment_route_hops (id) ON DELETE CASCADE, root_share BLOB, set_id BLOB, child_index INTEGER);
CREATE TABLE payment_route_hop_blinded (hop_id INTEGER PRIMARY KEY REFERENCES payment_route_hops (id) ON DELETE CASCADE, encrypted_data BLOB,
  blinding_point BLOB, total_amt BIGINT);
CREATE TABLE payment_first_hop_custom_records (id INTEGER PRIMARY KEY, payment_id BIGINT NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
  key BIGINT NOT NULL CHECK (key >= 65536), value BLOB NOT NULL, UNIQUE (payment_id, key));
CREATE TABLE payment_attempt_first_hop_custom_records (id INTEGER PRIMARY KEY,
  htlc_attempt_index BIGINT NOT NULL REFERENCES payment_htlc_attempts (attempt_index) ON DELETE CASCADE, key BIGINT NOT NULL CHECK (key >= 65536),
  value BLOB NOT NULL, UNIQUE (htlc_attempt_index, key));
CREATE TABLE payment_hop_custom_records (id INTEGER PRIMARY KEY, hop_id BIGINT NOT NULL REFERENCES payment_route_hops (id) ON DELETE CASCADE,
  key BIGINT NOT NULL CHECK (key >= 65536), value BLOB NOT NULL, UNIQUE (hop_id, key));
)sql";

constexpr int hops = 3;

/// Prepares each statement once, as lnd does.
class LndShape {
 public:
  explicit LndShape(const std::string& path) : database_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    database_.exec("PRAGMA auto_vacuum = INCREMENTAL");
    database_.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    database_.exec(schema);
  }

  SQLite::Database& database() { return database_; }

  void init(std::uint64_t number) {
    const Sha256Digest hash = digest(digest(number).bytes);
    read_back(hash);
    SQLite::Statement& payment =
        of("INSERT INTO payments (amount_msat, created_at, payment_identifier) VALUES (250000, '2026-11-24 "
           "01:02:03.456789', ?1)");
    bind(payment, 1, hash);
    payment.exec();
    SQLite::Statement& intent =
        of("INSERT INTO payment_intents (payment_id, intent_type, intent_payload) VALUES (?1, 0, ?2)");
    intent.bind(1, database_.getLastInsertRowid());
    const std::string invoice(300, 'q');
    intent.bind(2, invoice.data(), static_cast<int>(invoice.size()));
    intent.exec();
  }

  void attempt(std::uint64_t number) {
    const Sha256Digest hash = digest(digest(number).bytes);
    const std::int64_t payment = read_back(hash).value();
    SQLite::Statement& insert =
        of("INSERT INTO payment_htlc_attempts (attempt_index, payment_id, session_key, attempt_time, payment_hash, "
           "first_hop_amount_msat, "
           "route_total_time_lock, route_total_amount, route_source_key) VALUES (?1, ?2, ?3, '2026-11-24 "
           "01:02:03.456789', ?4, 0, 900060, 251000, zeroblob(33))");
    insert.bind(1, static_cast<std::int64_t>(number));
    insert.bind(2, payment);
    bind(insert, 3, digest(number + (1ULL << 40)));
    bind(insert, 4, hash);
    insert.exec();
    for (int hop = 0; hop < hops; ++hop) {
      SQLite::Statement& row =
          of("INSERT INTO payment_route_hops (htlc_attempt_index, hop_index, pub_key, scid, outgoing_time_lock, "
             "amt_to_forward) "
             "VALUES (?1, ?2, zeroblob(33), '880000000000001', 900040, 250000)");
      row.bind(1, static_cast<std::int64_t>(number));
      row.bind(2, hop);
      row.exec();
    }
    SQLite::Statement& mpp =
        of("INSERT INTO payment_route_hop_mpp (hop_id, payment_addr, total_msat) VALUES (?1, ?2, 250000)");
    mpp.bind(1, database_.getLastInsertRowid());
    bind(mpp, 2, digest(number + (1ULL << 41)));
    mpp.exec();
    (void)read_back(hash);
  }

  void settle(std::uint64_t number) {
    SQLite::Statement& insert =
        of("INSERT INTO payment_htlc_attempt_resolutions (attempt_index, resolution_time, resolution_type, "
           "settle_preimage) "
           "VALUES (?1, '2026-11-24 01:02:04.456789', 1, ?2)");
    insert.bind(1, static_cast<std::int64_t>(number));
    bind(insert, 2, digest(number));
    insert.exec();
    (void)read_back(digest(digest(number).bytes));
  }

 private:
  static Sha256Digest digest(std::uint64_t number) {
    return sha256(std::span(reinterpret_cast<const std::uint8_t*>(&number), sizeof number));
  }
  static Sha256Digest digest(std::span<const std::uint8_t> bytes) { return sha256(bytes); }
  static void bind(SQLite::Statement& statement, int at, const Sha256Digest& bytes) {
    statement.bind(at, bytes.bytes.data(), static_cast<int>(bytes.bytes.size()));
  }

  SQLite::Statement& of(const char* sql) {
    SQLite::Statement& statement = statements_.try_emplace(sql, database_, sql).first->second;
    statement.reset();
    return statement;
  }

  /// Reads the whole payment, as lnd does after each step. Returns its row id; nothing if it does not exist.
  std::optional<std::int64_t> read_back(const Sha256Digest& hash) {
    SQLite::Statement& payment =
        of("SELECT p.id, p.amount_msat, p.created_at, p.payment_identifier, p.fail_reason, i.intent_type, "
           "i.intent_payload "
           "FROM payments p LEFT JOIN payment_intents i ON i.payment_id = p.id WHERE p.payment_identifier = ?1");
    bind(payment, 1, hash);
    if (!payment.executeStep()) return std::nullopt;
    const std::int64_t id = payment.getColumn(0).getInt64();
    payment.reset();
    rows_of("SELECT key, value FROM payment_first_hop_custom_records WHERE payment_id = ?1 ORDER BY key", id);
    SQLite::Statement& attempts =
        of("SELECT a.attempt_index, a.session_key, a.attempt_time, a.payment_hash, a.route_total_amount, "
           "r.resolution_type, "
           "r.settle_preimage FROM payment_htlc_attempts a LEFT JOIN payment_htlc_attempt_resolutions r "
           "ON r.attempt_index = a.attempt_index WHERE a.payment_id = ?1 ORDER BY a.attempt_time");
    attempts.bind(1, id);
    while (attempts.executeStep()) {
      const std::int64_t attempt = attempts.getColumn(0).getInt64();
      rows_of(
          "SELECT key, value FROM payment_attempt_first_hop_custom_records WHERE htlc_attempt_index = ?1 ORDER BY key",
          attempt);
      rows_of(
          "SELECT h.id, h.pub_key, h.scid, h.outgoing_time_lock, h.amt_to_forward, h.meta_data, m.payment_addr, "
          "m.total_msat, a.root_share, a.set_id, "
          "b.encrypted_data, b.blinding_point FROM payment_route_hops h LEFT JOIN payment_route_hop_mpp m ON m.hop_id "
          "= h.id "
          "LEFT JOIN payment_route_hop_amp a ON a.hop_id = h.id LEFT JOIN payment_route_hop_blinded b ON b.hop_id = "
          "h.id "
          "WHERE h.htlc_attempt_index = ?1 ORDER BY h.hop_index",
          attempt);
      rows_of(
          "SELECT r.hop_id, r.key, r.value FROM payment_route_hops h JOIN payment_hop_custom_records r ON r.hop_id = "
          "h.id "
          "WHERE h.htlc_attempt_index = ?1",
          attempt);
    }
    attempts.reset();
    return id;
  }

  void rows_of(const char* sql, std::int64_t key) {
    SQLite::Statement& rows = of(sql);
    rows.bind(1, key);
    while (rows.executeStep()) {}
    rows.reset();
  }

  SQLite::Database database_;
  std::map<const char*, SQLite::Statement> statements_;
};

}  // namespace

void store_in_lnd_shape(const std::string& path, std::size_t together, std::size_t payments) {
  LndShape shape(path);
  using Step = void (LndShape::*)(std::uint64_t);
  for (std::size_t first = 1; first <= payments; first += together) {
    for (const Step step : {&LndShape::init, &LndShape::attempt, &LndShape::settle}) {
      SQLite::Transaction transaction(shape.database(), SQLite::TransactionBehavior::IMMEDIATE);
      for (std::size_t i = 0; i < together; ++i) (shape.*step)(first + i);
      transaction.commit();
    }
  }
}

}  // namespace paytower::bench
