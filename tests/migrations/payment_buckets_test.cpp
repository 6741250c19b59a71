// Goal: step 0002 turns records into exactly the rows that lnd's own migration implies, accounts for every one, and
// guards what may be paid or in flight. Method: version 1 databases in memory, run through the step, compared row by
// row.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/payment/route.h"
#include "db/payments/steps.h"
#include "db/sqlite/transaction.h"
#include "legacy_maker.h"

using namespace paytower;
using namespace paytower::test;

namespace {

class Migrated {
 public:
  explicit Migrated(const VersionOne& content) : database_(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    database_.exec("PRAGMA foreign_keys = ON");
    db::private_tx(database_, SQLite::TransactionBehavior::DEFERRED, [&] {
      (void)db::apply_steps(database_, 0, 1, 1);
      fill(content);
    });
    db::private_tx(database_, SQLite::TransactionBehavior::DEFERRED,
                   [&] { report = db::apply_steps(database_, 1, 2, 777); });
    CHECK(report.read == report.migrated + report.duplicates + report.quarantined);
  }

  /// Rows of a query: columns joined by "|", NULL as "-", blobs in hex.
  std::vector<std::string> rows(const std::string& sql) {
    SQLite::Statement statement(database_, sql);
    std::vector<std::string> out;
    while (statement.executeStep()) {
      std::string row;
      for (int i = 0; i < statement.getColumnCount(); ++i) row += (i == 0 ? "" : "|") + text(statement.getColumn(i));
      out.push_back(row);
    }
    return out;
  }
  std::string one(const std::string& sql) {
    const auto found = rows(sql);
    return found.empty() ? "" : found.front();
  }

  migrations::StepReport report;

 private:
  static std::string text(const SQLite::Column& column) {
    if (column.isNull()) return "-";
    if (!column.isBlob()) return column.getString();
    return to_hex({static_cast<const std::uint8_t*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())});
  }

  void fill(const VersionOne& content) {
    for (const auto& record : content.records)
      put("INSERT INTO outgoing_payments VALUES (?2, ?1)", record.second, record.first);
    for (const auto& status : content.statuses)
      put("INSERT INTO payment_statuses VALUES (?1, ?2)", status.first, status.second);
    if (content.source) put("INSERT INTO source_node SELECT ?1 WHERE ?2", *content.source, 1);
    if (!content.counter) return;
    database_.exec("DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence VALUES ('outgoing_payments', " +
                   std::to_string(*content.counter) + ")");
  }
  void put(const char* sql, const Bytes& bytes, std::int64_t number) {
    SQLite::Statement statement(database_, sql);
    statement.bind(1, bytes.empty() ? static_cast<const void*>("") : bytes.data(), static_cast<int>(bytes.size()));
    statement.bind(2, number);
    statement.exec();
  }

  SQLite::Database database_;
};

Bytes record(std::uint64_t number, std::uint64_t value = 1'000'000) {
  LegacyFields fields;
  fields.preimage = numbered_preimage(number);
  fields.value = value;
  return legacy_record(fields);
}

Bytes hash_bytes(std::uint64_t number) {
  const PaymentHash hash = hash_of(numbered_preimage(number));
  return {hash.bytes.begin(), hash.bytes.end()};
}

std::string hash_hex(std::uint64_t number) { return to_hex(hash_bytes(number)); }

VersionOne with(std::vector<std::pair<std::int64_t, Bytes>> records) {
  VersionOne content;
  content.records = std::move(records);
  return content;
}

}  // namespace

TEST_CASE("vector 1: every column of a migrated record") {
  Migrated migrated(with({{5, record(1)}}));
  CHECK(migrated.one("SELECT payment_index, payment_hash, amount_msat, created_ns, ended_ns, provenance, duplicate_of, "
                     "destination, preimage FROM payments") ==
        "5|" + hash_hex(1) + "|1000000|1558000000123456789|1558000000123456789|1|-|" + hop_key(1).hex() + "|" +
            numbered_preimage(1).hex());
  // Nothing is invented.
  CHECK(migrated.one(
            "SELECT deadline_ns, fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts, payment_secret, metadata, "
            "invoice, network, label, "
            "outgoing_channels, candidate_routes, stop_reason, fail_reason, late_preimage, end_note FROM payments") ==
        "-|-|-|-|-|-|-|-|-|-|-|-|-|-|-|-");
  CHECK(migrated.one("SELECT payment_index, attempt_id, part, origin, switch_id, amount_msat, fee_msat, registered_ns, "
                     "total_time_lock, accepted_ns, resolved_ns, "
                     "outcome, preimage FROM attempts") ==
        "5|-|0|2|-|1000000|1234|1558000000123456789|576123|-|1558000000123456789|1|" + numbered_preimage(1).hex());
  CHECK(migrated.rows("SELECT * FROM imported_raw").empty());
  CHECK(
      migrated
          .rows("SELECT name FROM sqlite_schema WHERE name IN ('outgoing_payments', 'payment_statuses', 'source_node')")
          .empty());
  CHECK(migrated.rows("SELECT version, name FROM schema_migrations") ==
        std::vector<std::string>{"2|0002_payment_buckets"});
}

TEST_CASE("vector 2: lnd's own test: three payments and a copy of the first") {
  std::vector<std::pair<std::int64_t, Bytes>> records;
  std::vector<LegacyFields> said;
  for (std::uint64_t i = 0; i < 4; ++i) {
    LegacyFields fields;
    fields.preimage = numbered_preimage(i % 3);
    fields.value = 1'000 + i % 3;
    fields.fee = 100 + i % 3;
    fields.hops = 2 + i % 3;
    fields.time_lock = static_cast<std::uint32_t>(500'000 + i % 3);
    fields.request = "request" + std::to_string(i % 3);
    fields.created = go_time(1'500'000'000 + static_cast<std::int64_t>(i % 3), 0);
    said.push_back(fields);
    records.emplace_back(static_cast<std::int64_t>(i + 1), legacy_record(fields));
  }
  VersionOne content = with(records);
  content.source = Bytes(PublicKey::size, 3);
  Migrated migrated(content);
  const auto payments = migrated.rows(
      "SELECT payment_index, amount_msat, created_ns, invoice, preimage, duplicate_of, ended_ns IS NOT NULL AND "
      "fail_reason IS NULL"
      " FROM payments ORDER BY payment_index");
  const auto attempts = migrated.rows(
      "SELECT fee_msat, amount_msat + fee_msat, total_time_lock, outcome FROM attempts ORDER BY payment_index");
  const auto routes = migrated.rows("SELECT route FROM attempts ORDER BY payment_index");
  REQUIRE(payments.size() == 4);
  REQUIRE(attempts.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const LegacyFields& fields = said[i];
    CHECK(payments[i] == std::to_string(i + 1) + "|" + std::to_string(fields.value) + "|" +
                             std::to_string(1'500'000'000 + i % 3) + "000000000|" + fields.request + "|" +
                             fields.preimage.hex() + "|" + (i == 3 ? "1" : "-") + "|1");
    CHECK(attempts[i] == std::to_string(fields.fee) + "|" + std::to_string(fields.value + fields.fee) + "|" +
                             std::to_string(fields.time_lock) + "|1");
    const auto route = decode_route(*bytes_from_hex(routes[i]));
    REQUIRE(route);
    REQUIRE(route->hops.size() == fields.hops);
    for (std::size_t hop = 0; hop < fields.hops; ++hop) CHECK(route->hops[hop].node == hop_key(hop));
  }
  CHECK(migrated.one("SELECT pub_key FROM import_sources") == to_hex(Bytes(PublicKey::size, 3)));
  CHECK(migrated.one("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == "4");
}

TEST_CASE("vector 2: the route carries the whole fee to the last hop, and names neither channels nor delays") {
  Migrated migrated(with({{1, record(1)}}));
  const auto route = decode_route(*bytes_from_hex(migrated.one("SELECT route FROM attempts")));
  REQUIRE(route);
  REQUIRE(route->hops.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(route->hops[i].node == hop_key(i));
    CHECK(route->hops[i].amount == Msat::of(1'001'234));
    CHECK(route->hops[i].channel.value == 0);
    CHECK(route->hops[i].delay == 0);
  }
}

TEST_CASE("vector 3: no records, with and without a counter") {
  VersionOne content;
  CHECK(Migrated(content).rows("SELECT * FROM payments").empty());
  content.counter = 7;
  CHECK(Migrated(content).one("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == "7");
}

TEST_CASE("vector 4: the source node's key") {
  VersionOne empty;
  empty.source = std::nullopt;
  CHECK(Migrated(empty).report.read == 0);
  const auto refusal = [](VersionOne content, std::optional<Bytes> source) {
    content.source = std::move(source);
    try {
      const Migrated migrated(content);
    } catch (const RefusalError& error) {
      CHECK(error.error().code == Errc::usage);
      return error.error().message;
    }
    return std::string();
  };
  CHECK(refusal(with({{1, record(1)}}), std::nullopt).find("graph-node/source is missing") == 0);
  for (const std::size_t size : {0U, 32U, 34U})
    CHECK(refusal({}, Bytes(size, 2)).find("graph-node/source is no public key") == 0);
  CHECK(refusal({}, Bytes(33, 5)).find("graph-node/source is no public key") == 0);
}

TEST_CASE("vector 5: five records of one hash") {
  Migrated migrated(
      with({{1, record(1, 10)}, {2, record(1, 20)}, {3, record(1, 30)}, {4, record(1, 40)}, {5, record(1, 50)}}));
  CHECK(migrated.rows("SELECT payment_index, amount_msat, duplicate_of FROM payments ORDER BY 1") ==
        std::vector<std::string>{"1|10|-", "2|20|1", "3|30|1", "4|40|1", "5|50|1"});
  CHECK(migrated.report.migrated == 1);
  CHECK(migrated.report.duplicates == 4);
}

TEST_CASE("vector 6: duplicates between others keep their places") {
  Migrated migrated(
      with({{1, record(1)}, {2, record(2)}, {3, record(1)}, {4, record(3)}, {5, record(2)}, {6, record(1)}}));
  CHECK(migrated.rows("SELECT payment_index, duplicate_of FROM payments ORDER BY 1") ==
        std::vector<std::string>{"1|-", "2|-", "3|1", "4|-", "5|2", "6|1"});
}

TEST_CASE("vector 7: the first that is left becomes the payment") {
  Migrated migrated(with({{2, record(1)}, {5, record(1)}}));
  CHECK(migrated.rows("SELECT payment_index, duplicate_of FROM payments ORDER BY 1") ==
        std::vector<std::string>{"2|-", "5|2"});
}

TEST_CASE("vector 8: the counter goes on where it stood, or behind the largest number") {
  VersionOne content = with({{3, record(1)}});
  content.counter = 500;
  Migrated high(content);
  CHECK(high.one("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == "500");
  CHECK(!high.report.counter_raised);
  content = with({{77, record(1)}});
  content.counter = 2;
  Migrated low(content);
  CHECK(low.one("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == "77");
  CHECK(low.report.counter_raised);
}

TEST_CASE("vector 9: the largest number is kept, those below 1 are set aside") {
  Migrated migrated(with({{INT64_MAX, record(1)}, {0, record(2)}, {-1, record(3)}}));
  CHECK(migrated.rows("SELECT payment_index FROM payments") == std::vector<std::string>{"9223372036854775807"});
  CHECK(migrated.rows("SELECT sequence FROM quarantine ORDER BY id") == std::vector<std::string>{"-1", "0"});
}

TEST_CASE("vector 10: a status in flight without a record is a guard and no payment") {
  VersionOne content;
  content.statuses = {{Bytes(32, 4), 1}};
  Migrated migrated(content);
  CHECK(migrated.rows("SELECT * FROM payments").empty());
  CHECK(migrated.rows("SELECT payment_hash, kind, since_ns FROM hash_guards") ==
        std::vector<std::string>{to_hex(Bytes(32, 4)) + "|1|777"});
  CHECK(migrated.report.guards == 1);
  CHECK(migrated.report.read == 0);
}

TEST_CASE("vector 11: a completed status without a record is a guard, a grounded one is nothing") {
  VersionOne content;
  content.statuses = {{hash_bytes(4), 2}, {hash_bytes(5), 0}};
  Migrated migrated(content);
  CHECK(migrated.rows("SELECT payment_hash, kind FROM hash_guards") == std::vector<std::string>{hash_hex(4) + "|2"});
  CHECK(migrated.rows("SELECT * FROM quarantine").empty());
}

TEST_CASE("vector 12: in flight beside a record is guarded as well, completed beside a record is the record") {
  VersionOne content = with({{1, record(1)}, {2, record(2)}});
  content.statuses = {{hash_bytes(1), 1}, {hash_bytes(2), 2}};
  Migrated migrated(content);
  CHECK(migrated.rows("SELECT payment_index FROM payments ORDER BY 1") == std::vector<std::string>{"1", "2"});
  CHECK(migrated.rows("SELECT payment_hash, kind FROM hash_guards") == std::vector<std::string>{hash_hex(1) + "|1"});
  CHECK(migrated.report.guards == 1);
  CHECK(migrated.report.read == 2);
}

TEST_CASE("vector 11: statuses that are none are set aside, and a whole hash is guarded as if in flight") {
  VersionOne content;
  content.statuses = {{hash_bytes(1), 3}, {Bytes(31, 7), 1}, {hash_bytes(2), 1000}};
  Migrated migrated(content);
  CHECK(migrated.report.quarantined == 3);
  CHECK(migrated.report.read == 3);
  CHECK(migrated.rows("SELECT count(*), sum(length(record)) FROM quarantine WHERE source = 'payment_statuses'") ==
        std::vector<std::string>{"3|41"});
  CHECK(migrated.rows("SELECT kind FROM hash_guards") == std::vector<std::string>{"1", "1"});
}

TEST_CASE("vectors 14, 17 to 20: what cannot be read is set aside byte for byte and stops nothing") {
  LegacyFields narrow;
  narrow.preimage = numbered_preimage(3);
  narrow.v04 = true;
  Bytes cut = record(2);
  cut.resize(cut.size() - 7);
  LegacyFields rich;
  rich.preimage = numbered_preimage(4);
  rich.value = std::uint64_t{1} << 63;
  Migrated migrated(
      with({{1, record(1)}, {2, cut}, {3, legacy_record(narrow)}, {4, legacy_record(rich)}, {5, {}}, {6, record(6)}}));
  CHECK(migrated.rows("SELECT payment_index FROM payments ORDER BY 1") == std::vector<std::string>{"1", "6"});
  CHECK(migrated.rows("SELECT sequence, reason, at_ns, source FROM quarantine ORDER BY id") ==
        std::vector<std::string>{"2|record truncated in preimage|777|outgoing_payments",
                                 "3|record truncated in path: it says 2981212593 hops|777|outgoing_payments",
                                 "4|value above 21 million btc|777|outgoing_payments",
                                 "5|record truncated in memo|777|outgoing_payments"});
  CHECK(migrated.one("SELECT record FROM quarantine WHERE sequence = 2") == to_hex(cut));
  // Only successes were recorded: a hash that can be read stays blocked.
  CHECK(migrated.rows("SELECT payment_hash, kind FROM hash_guards") == std::vector<std::string>{hash_hex(4) + "|2"});
}

TEST_CASE("a record whose first is set aside is no duplicate") {
  Bytes longer = record(1);
  longer.push_back(0);
  Migrated migrated(with({{1, longer}, {2, record(1)}, {3, record(1)}}));
  CHECK(migrated.rows("SELECT payment_index, duplicate_of FROM payments ORDER BY 1") ==
        std::vector<std::string>{"2|-", "3|2"});
}

TEST_CASE("vector 18: a record without a path has an attempt without a route, and no destination") {
  LegacyFields fields;
  fields.preimage = numbered_preimage(1);
  fields.hops = 0;
  Migrated migrated(with({{1, legacy_record(fields)}}));
  CHECK(migrated.one("SELECT destination FROM payments") == "-");
  CHECK(migrated.one("SELECT route, amount_msat, fee_msat FROM attempts") == "-|1000000|1234");
}

TEST_CASE("what has no column is kept as the record's bytes") {
  LegacyFields fields;
  fields.preimage = numbered_preimage(1);
  fields.memo = "coffee";
  LegacyFields garbled;
  garbled.preimage = numbered_preimage(2);
  garbled.request = "\x1b[31m";
  const Bytes noted = legacy_record(fields);
  Migrated migrated(with({{1, noted}, {2, legacy_record(garbled)}}));
  CHECK(migrated.rows("SELECT payment_index, what FROM imported_raw ORDER BY 1") ==
        std::vector<std::string>{"1|lnd outgoing payment", "2|lnd outgoing payment"});
  CHECK(migrated.one("SELECT data FROM imported_raw") == to_hex(noted));
  CHECK(migrated.one("SELECT invoice FROM payments WHERE payment_index = 2") == "-");
}

TEST_CASE("a migrated version 1 database has the schema of a new one") {
  SQLite::Database fresh(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db::private_tx(fresh, SQLite::TransactionBehavior::DEFERRED, [&] { (void)db::apply_steps(fresh, 0, 2, 1); });
  std::vector<std::string> schema;
  SQLite::Statement statement(fresh,
                              "SELECT type, name, tbl_name, coalesce(sql, '-') FROM sqlite_schema ORDER BY name");
  while (statement.executeStep()) {
    schema.push_back(statement.getColumn(0).getString() + "|" + statement.getColumn(1).getString() + "|" +
                     statement.getColumn(2).getString() + "|" + statement.getColumn(3).getString());
  }
  CHECK(schema.size() > 60);
  Migrated migrated(with({{1, record(1)}, {2, record(1)}, {3, {}}}));
  CHECK(migrated.rows("SELECT type, name, tbl_name, coalesce(sql, '-') FROM sqlite_schema ORDER BY name") == schema);
}
