// Goal: lnd's channel.db becomes the payments that it holds, whatever its version; a second run adds only what is new;
// and nothing else is touched. Method: the files that real lnd wrote, and files made bucket by bucket.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "core/base/hash.h"
#include "core/base/refuse.h"
#include "db/import/import.h"
#include "db/payments/admin.h"
#include "db/payments/query.h"
#include "db/payments/store.h"
#include "legacy_maker.h"
#include "tests/driver/temp_folder.h"
#include "tests/lnd/kv_bytes.h"
#include "tests/migrations/many_records.h"

using namespace paytower;
using namespace paytower::test;

namespace {

const std::string examples = std::string(PAYTOWER_TEST_DATA) + "/data/lnd/";

struct World {
  TempFolder folder;
  std::string database = folder.file("payments.db");

  Result<db::MigrateReport> try_import(const std::string& file, bool dry_run = false, bool strict = false,
                                       bool v04 = false) const {
    db::ImportRequest request;
    request.channel_db = file;
    request.database = database;
    request.now = UnixNs{777};
    request.dry_run = dry_run;
    request.strict = strict;
    request.assume_v04 = v04;
    return db::import_from_lnd(request, {});
  }

  db::MigrateReport import(const std::string& file, bool dry_run = false, bool strict = false, bool v04 = false) const {
    db::MigrateReport report = value_of(try_import(file, dry_run, strict, v04));
    CHECK(report.counts.read == report.counts.migrated + report.counts.duplicates + report.counts.quarantined);
    return report;
  }

  Errc refusal(const std::string& file) const {
    const auto report = try_import(file);
    return report ? Errc::internal : report.error().code;
  }

  std::vector<std::string> rows(const std::string& sql) const {
    SQLite::Database opened(database);
    SQLite::Statement statement(opened, sql);
    std::vector<std::string> out;
    while (statement.executeStep()) {
      std::string row;
      for (int i = 0; i < statement.getColumnCount(); ++i)
        row += (i == 0 ? "" : "|") + (statement.getColumn(i).isNull() ? "-" : statement.getColumn(i).getString());
      out.push_back(row);
    }
    return out;
  }

  void check_sound() const {
    db::Connection connection = value_of(db::Connection::open(database, db::OpenMode::read_write, db::payment_file()));
    db::WriteLock lock(connection.real_path(), 0);
    CHECK(value_of(db::PaymentAdmin(connection, lock).check()).problems.empty());
    // Whatever the order of the rows, one that is more than ten seconds older than a row before it is noted.
    CHECK(rows("SELECT payment_index, created_ns FROM (SELECT payment_index, created_ns, max(created_ns) OVER (ORDER "
               "BY payment_index) AS newest FROM payments)"
               " WHERE created_ns < newest - 10000000000 EXCEPT SELECT payment_index, created_ns FROM "
               "payments_out_of_order")
              .empty());
  }
};

Bytes numbered_record(std::uint64_t number, bool v04 = false) {
  LegacyFields fields;
  fields.preimage = numbered_preimage(number);
  fields.v04 = v04;
  return legacy_record(fields);
}

/// A legacy file whose buckets the test fills itself.
void legacy_file(const std::string& path, std::uint32_t version, const std::function<void(BboltWriter&)>& statuses,
                 const std::function<void(BboltWriter&)>& payments, std::uint64_t sequence, std::uint8_t node = 0xaa) {
  BboltWriter writer(path);
  writer.begin("graph-node");
  writer.put("source", node_key(node));
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(version));
  writer.end();
  writer.begin("payment-status");
  statuses(writer);
  writer.end();
  writer.begin("payments");
  payments(writer);
  writer.end(sequence);
  writer.commit();
}

void nothing(BboltWriter& /*writer*/) {}

}  // namespace

TEST_CASE("import, vector 1: the example of version 8") {
  const World world;
  const db::MigrateReport report = world.import(examples + "v8.db");
  CHECK(report.counts.migrated == 2);
  CHECK(report.counts.duplicates == 1);
  CHECK(world.rows("SELECT payment_index, lower(hex(payment_hash)), amount_msat, duplicate_of, provenance FROM "
                   "payments ORDER BY 1") ==
        std::vector<std::string>{"1|630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd|1000000|-|1",
                                 "2|9f72ea0cf49536e3c66c787f705186df9a4378083753ae9536d65b3ad7fcddc4|5|-|1",
                                 "3|630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd|1000000|1|1"});
  CHECK(world.rows("SELECT lower(hex(payment_hash)), kind FROM hash_guards") ==
        std::vector<std::string>{"0404040404040404040404040404040404040404040404040404040404040404|1"});
  CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == std::vector<std::string>{"3"});
  CHECK(world.rows("SELECT lower(hex(pub_key)) FROM import_sources") ==
        std::vector<std::string>{"02" + std::string(64, 'a')});
  world.check_sound();
  CHECK(world.import(examples + "v8.db").counts.read == 0);
}

TEST_CASE("import, vector 25: version 8 and what real lnd made of it give the same rows") {
  const World old;
  const World now;
  (void)old.import(examples + "v8.db");
  (void)now.import(examples + "v9.db");
  const std::string payments =
      "SELECT payment_index, hex(payment_hash), amount_msat, created_ns / 1000000000, duplicate_of, hex(destination), "
      "invoice, hex(preimage) FROM payments ORDER BY 1";
  const std::string attempts =
      "SELECT payment_index, attempt_id, part, origin, hex(route), amount_msat, fee_msat, total_time_lock, outcome, "
      "hex(preimage) FROM attempts ORDER BY 1";
  CHECK(old.rows(payments) == now.rows(payments));
  CHECK(old.rows(attempts) == now.rows(attempts));
  CHECK(old.import(examples + "v9.db").counts.read == 0);  // the same node, after its own upgrade
}

TEST_CASE(
    "import: the example of the tower's own records: in flight is guarded and kept as history, a preimage that proves "
    "nothing is set aside") {
  const World world;
  const db::MigrateReport report = world.import(examples + "v9ctl.db");
  CHECK(report.counts.migrated == 3);
  CHECK(report.counts.quarantined == 1);
  CHECK(world.rows(
            "SELECT payment_index, provenance, fail_reason, preimage, ended_ns IS NULL FROM payments ORDER BY 1") ==
        std::vector<std::string>{"1|2|-|-|1", "2|2|1|-|0", "4|2|-|-|1"});
  CHECK(world.rows("SELECT payment_index, attempt_id, origin, outcome, total_time_lock FROM attempts") ==
        std::vector<std::string>{"1|42|2|-|580144"});
  CHECK(world.rows("SELECT substr(hex(payment_hash), 1, 2), kind FROM hash_guards ORDER BY 1") ==
        std::vector<std::string>{"E1|1", "E3|1", "E4|2"});
  CHECK(world.import(examples + "v9ctl.db").counts.read == 0);
  world.check_sound();
}

TEST_CASE("import, vector 3: no payments, with and without a counter") {
  for (const std::uint64_t counter : {0U, 7U}) {
    const World world;
    const std::string file = world.folder.file("channel.db");
    legacy_file(file, 8, nothing, nothing, counter);
    CHECK(world.import(file).counts.read == 0);
    CHECK(world.rows("SELECT * FROM payments").empty());
    CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") ==
          (counter == 0 ? std::vector<std::string>{} : std::vector<std::string>{"7"}));
  }
  const World world;
  const std::string file = world.folder.file("channel.db");
  BboltWriter writer(file);
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.commit();
  CHECK(world.import(file).counts.read == 0);
  CHECK(world.rows("SELECT * FROM payments").empty());
}

TEST_CASE("import, vector 4: payments of a node that is not named make no file") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  BboltWriter writer(file);
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  writer.put(be64(1), numbered_record(1));
  writer.end(1);
  writer.commit();
  CHECK(world.refusal(file) == Errc::usage);
  CHECK(!std::filesystem::exists(world.database));
}

TEST_CASE("import, vector 8: lnd's counter, or what stands above it") {
  for (const auto& [key, counter, expected] : {std::tuple{3U, 500U, "500"}, std::tuple{77U, 2U, "77"}}) {
    const World world;
    const std::string file = world.folder.file("channel.db");
    legacy_file(
        file, 8, nothing, [number = key](BboltWriter& writer) { writer.put(be64(number), numbered_record(1)); },
        counter);
    CHECK(world.import(file).counts.migrated == 1);
    CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == std::vector<std::string>{expected});
  }
}

TEST_CASE("import, vector 9: the largest number is taken, the next is set aside and stays refused") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  legacy_file(
      file, 8, nothing,
      [](BboltWriter& writer) {
        writer.put(be64(0), numbered_record(3));
        writer.put(be64(INT64_MAX), numbered_record(1));
        writer.put(be64(std::uint64_t{1} << 63), numbered_record(2));
      },
      3);
  CHECK(world.import(file).counts.quarantined == 2);
  CHECK(world.rows("SELECT payment_index FROM payments") == std::vector<std::string>{"9223372036854775807"});
  CHECK(world.rows("SELECT reason FROM quarantine ORDER BY 1") ==
        std::vector<std::string>{"sequence number 0 is none that was handed out",
                                 "sequence number 9223372036854775808 does not fit"});
}

TEST_CASE("import, vectors 10 to 12: statuses become guards") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  const auto hash = [](std::uint64_t number) {
    const PaymentHash made = hash_of(numbered_preimage(number));
    return Bytes(made.bytes.begin(), made.bytes.end());
  };
  std::vector<std::pair<Bytes, std::uint8_t>> statuses = {
      {hash(1), 1}, {hash(2), 2}, {hash(3), 1}, {hash(4), 2}, {hash(5), 0}};
  std::sort(statuses.begin(), statuses.end());
  legacy_file(
      file, 8,
      [&statuses](BboltWriter& writer) {
        for (const auto& [key, status] : statuses) writer.put(key, {status});
      },
      [](BboltWriter& writer) {
        for (const std::uint64_t i : {1U, 2U}) writer.put(be64(i), numbered_record(i));
      },
      2);
  CHECK(world.import(file).counts.guards == 3);
  CHECK(world.rows("SELECT payment_index FROM payments ORDER BY 1") == std::vector<std::string>{"1", "2"});
  for (const auto& [number, kind] : {std::pair{1U, "1"}, std::pair{3U, "1"}, std::pair{4U, "2"}}) {
    CHECK(world.rows("SELECT kind FROM hash_guards WHERE payment_hash = x'" + to_hex(hash(number)) + "'") ==
          std::vector<std::string>{kind});
  }
}

TEST_CASE("import: paid is more than in flight: a record that was set aside for its key says it, whatever its status") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  const PaymentHash hash = hash_of(numbered_preimage(1));
  legacy_file(
      file, 8, [&hash](BboltWriter& writer) { writer.put(Bytes(hash.bytes.begin(), hash.bytes.end()), {1}); },
      [](BboltWriter& writer) { writer.put(filled(9, 0xee), numbered_record(1)); }, 1);
  CHECK(world.import(file).counts.guards == 1);
  CHECK(world.rows("SELECT kind FROM hash_guards") == std::vector<std::string>{"2"});
}

TEST_CASE(
    "import, vector 23: stopped at any word of progress there is no database, and the rerun makes it; then there is "
    "nothing to do") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  std::filesystem::copy_file(examples + "v8big.db", file);
  const auto touched = std::filesystem::last_write_time(file);
  db::ImportRequest request;
  request.channel_db = file;
  request.database = world.database;
  request.now = UnixNs{777};
  int stop = 0;
  for (bool stopped = true; stopped; ++stop) {
    int asked = 0;
    const auto go_on = [&](std::uint64_t, std::uint64_t) { return asked++ != stop; };
    stopped = value_of(db::import_from_lnd(request, go_on)).stopped;
    CHECK(std::filesystem::exists(world.database) != stopped);
  }
  CHECK(stop > 2);
  const auto rows = world.rows("SELECT * FROM payments");
  CHECK(rows.size() == 63);
  const db::MigrateReport again = world.import(file);
  CHECK(again.counts.read == 0);
  CHECK(again.counts.guards == 0);
  CHECK(world.rows("SELECT * FROM payments") == rows);
  CHECK(std::filesystem::last_write_time(file) == touched);
}

TEST_CASE("import: a dry run makes nothing and reports the same") {
  const World world;
  const migrations::StepReport tried = world.import(examples + "v8big.db", true).counts;
  CHECK(std::filesystem::is_empty(world.folder.path()));
  const migrations::StepReport done = world.import(examples + "v8big.db").counts;
  CHECK(done.read == 63);
  CHECK(tried.read == done.read);
  CHECK(tried.duplicates == done.duplicates);
  CHECK(tried.guards == done.guards);
}

TEST_CASE(
    "import, vectors 9, 11 and 20: keys, buckets and statuses that are no rows are set aside, and what they name stays "
    "refused") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  legacy_file(
      file, 8,
      [](BboltWriter& writer) {
        writer.put(filled(31, 1), {1});
        writer.put(filled(32, 2), {1, 1});
        writer.put(filled(32, 3), {7});
      },
      [](BboltWriter& writer) {
        writer.put(be32(0), numbered_record(6));
        writer.put(be64(1), numbered_record(2));
        writer.put(be64(2), Bytes{});
        writer.begin(be64(3));
        writer.put("inner", {1, 2});
        writer.end();
        writer.put(be64(std::uint64_t{1} << 63), numbered_record(4));
        writer.put(filled(9, 0xee), numbered_record(3));
      },
      500);
  const db::MigrateReport report = world.import(file);
  CHECK(report.counts.read == 9);
  CHECK(report.counts.migrated == 1);
  CHECK(report.counts.quarantined == 8);
  CHECK(world.rows("SELECT count(*) FROM hash_guards WHERE kind = 2") ==
        std::vector<std::string>{"3"});  // the three whole records
  CHECK(world.rows("SELECT count(*) FROM hash_guards WHERE kind = 1") ==
        std::vector<std::string>{"2"});  // the two whole hashes
  CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == std::vector<std::string>{"500"});
  const World strict;
  CHECK(strict.try_import(file, false, true).error().code == Errc::database);
  CHECK(!std::filesystem::exists(strict.database));
}

TEST_CASE("import, vector 13: versions 3 to 8 alike; others each refused") {
  std::vector<std::string> first;
  for (std::uint32_t version = 3; version <= 8; ++version) {
    const World world;
    const std::string file = world.folder.file("channel.db");
    legacy_file(
        file, version, nothing, [](BboltWriter& writer) { writer.put(be64(1), numbered_record(1)); }, 1);
    (void)world.import(file);
    const auto rows = world.rows("SELECT * FROM payments");
    if (first.empty()) first = rows;
    CHECK(rows == first);
  }
  for (const std::uint32_t version : {2U, 9U, 36U, UINT32_MAX}) {
    const World world;
    const std::string file = world.folder.file("channel.db");
    legacy_file(
        file, version, nothing, [](BboltWriter& writer) { writer.put(be64(1), numbered_record(1)); }, 1);
    CHECK(world.refusal(file) == Errc::usage);
    CHECK(!std::filesystem::exists(world.database));
  }
}

TEST_CASE("import, vector 14: versions before 3 with the operator's word only") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  legacy_file(
      file, 2, nothing, [](BboltWriter& writer) { writer.put(be64(1), numbered_record(1, true)); }, 1);
  CHECK(world.import(file, false, false, true).counts.migrated == 1);
  CHECK(world.rows("SELECT amount_msat FROM payments") == std::vector<std::string>{"1000000"});
}

TEST_CASE("import: again adds what is new, of the same node only") {
  const World world;
  const std::string file = world.folder.file("channel.db");
  legacy_file(
      file, 8, nothing, [](BboltWriter& writer) { writer.put(be64(1), numbered_record(1)); }, 1);
  (void)world.import(file);
  const std::string grown = world.folder.file("grown.db");
  legacy_file(
      grown, 8, [](BboltWriter& writer) { writer.put(filled(32, 9), {1}); },
      [](BboltWriter& writer) {
        for (const std::uint64_t i : {1U, 2U, 3U}) writer.put(be64(i), numbered_record(i == 3 ? 1 : i));
      },
      7);
  const db::MigrateReport tried = world.import(grown, true);
  const db::MigrateReport report = world.import(grown);
  CHECK(tried.counts.read == 2);
  CHECK(report.counts.migrated == 1);
  CHECK(report.counts.duplicates == 1);
  CHECK(report.counts.guards == 1);
  CHECK(world.rows("SELECT payment_index, duplicate_of FROM payments ORDER BY 1") ==
        std::vector<std::string>{"1|-", "2|-", "3|1"});
  CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == std::vector<std::string>{"7"});
  const std::string other = world.folder.file("other.db");
  legacy_file(
      other, 8, nothing, [](BboltWriter& writer) { writer.put(be64(9), numbered_record(9)); }, 9, 0xbb);
  CHECK(world.refusal(other) == Errc::parameters_differ);
  const std::string reset = world.folder.file("reset.db");
  legacy_file(
      reset, 8, nothing, [](BboltWriter& writer) { writer.put(be64(1), numbered_record(9)); }, 1);
  CHECK(world.refusal(reset) == Errc::parameters_differ);
  world.check_sound();
}

TEST_CASE("import: key-value attempts become parts, and a payment that was in flight ends in a later import") {
  const World world;
  const auto file_with = [&world](const std::string& name, bool settled) {
    const std::string path = world.folder.file(name);
    write_kv(path, 23, [settled](BboltWriter& writer) {
      write_payment(writer, hash_of_preimage(5), 1,
                    creation_info(hash_of_preimage(5), 1'000, 1'600'000'000'000'000'000), {},
                    [settled](BboltWriter& inner) {
                      const auto attempt = [](std::uint64_t at) {
                        Bytes bytes = session_key();
                        const Bytes route = plain_route(true);
                        bytes.insert(bytes.end(), route.begin(), route.end());
                        const Bytes time = be64(at);
                        bytes.insert(bytes.end(), time.begin(), time.end());
                        return bytes;
                      };
                      inner.put(flat_key("ai", 7), attempt(5));
                      inner.put(flat_key("ai", 8), attempt(6));
                      inner.put(flat_key("fi", 7), fail_info(7, {}, 0, 0));
                      if (settled) inner.put(flat_key("si", 8), settle_info(5, 8));
                    });
    });
    return path;
  };
  const db::MigrateReport first = world.import(file_with("a.db", false));
  CHECK(first.counts.migrated == 1);
  CHECK(first.counts.guards == 1);
  CHECK(world.rows("SELECT attempt_id, part, outcome, registered_ns, resolved_ns FROM attempts ORDER BY 1") ==
        std::vector<std::string>{"7|0|2|5|7", "8|1|-|6|-"});
  CHECK(world.import(file_with("b.db", true)).counts.read == 0);
  CHECK(world.rows("SELECT attempt_id, outcome FROM attempts ORDER BY 1") == std::vector<std::string>{"7|2", "8|1"});
  CHECK(world.rows("SELECT ended_ns, preimage IS NOT NULL FROM payments") == std::vector<std::string>{"8|1"});
  world.check_sound();
}

TEST_CASE("import: a part that settled beside one that is open is paid, and ends in a later import") {
  const World world;
  const auto file_with = [&world](const std::string& name, bool ended) {
    const std::string path = world.folder.file(name);
    write_kv(path, 35, [ended](BboltWriter& writer) {
      write_payment(writer, hash_of_preimage(5), 1,
                    creation_info(hash_of_preimage(5), 2'000, 1'600'000'000'000'000'000), {},
                    [ended](BboltWriter& inner) {
                      Bytes attempt = session_key();
                      const Bytes route = plain_route(true);
                      attempt.insert(attempt.end(), route.begin(), route.end());
                      const Bytes time = be64(5);
                      attempt.insert(attempt.end(), time.begin(), time.end());
                      inner.put(flat_key("ai", 7), attempt);
                      inner.put(flat_key("ai", 8), attempt);
                      inner.put(flat_key("si", 7), settle_info(5, 8));
                      if (ended) inner.put(flat_key("si", 8), settle_info(5, 9));
                    });
    });
    return path;
  };
  const db::MigrateReport first = world.import(file_with("a.db", false));
  CHECK(first.counts.migrated == 1);
  CHECK(first.counts.guards == 0);  // the payment itself is refused: it is paid
  CHECK(world.rows("SELECT attempt_id, part, outcome FROM attempts ORDER BY 1") ==
        std::vector<std::string>{"7|0|1", "8|1|-"});
  CHECK(world.rows("SELECT ended_ns, preimage IS NOT NULL FROM payments") == std::vector<std::string>{"8|1"});
  world.check_sound();
  CHECK(world.import(file_with("b.db", true)).counts.read == 0);
  CHECK(world.rows("SELECT attempt_id, part, outcome FROM attempts ORDER BY 1") ==
        std::vector<std::string>{"7|0|1", "8|1|1"});
  CHECK(world.rows("SELECT ended_ns, preimage IS NOT NULL FROM payments") == std::vector<std::string>{"8|1"});
  world.check_sound();
}

TEST_CASE("import: a number that is given twice refuses the later record alone, and leaves nothing of it") {
  const World world;
  const std::string path = world.folder.file("channel.db");
  const auto payment = [](BboltWriter& writer, std::uint64_t key, std::uint64_t sequence) {
    write_payment(writer, hash_of_preimage(static_cast<std::uint8_t>(key)), sequence,
                  creation_info(hash_of_preimage(static_cast<std::uint8_t>(key)), 1'000, 5), {},
                  [key](BboltWriter& inner) {
                    Bytes attempt = session_key();
                    const Bytes route = plain_route(true), time = be64(5);
                    attempt.insert(attempt.end(), route.begin(), route.end());
                    attempt.insert(attempt.end(), time.begin(), time.end());
                    inner.put(flat_key("ai", key), attempt);
                    inner.put(flat_key("si", key), settle_info(static_cast<std::uint8_t>(key), 8));
                  });
  };
  std::vector<std::uint64_t> keys = {1, 2, 3, 4};
  std::ranges::sort(keys, {}, [](std::uint64_t key) { return hash_of_preimage(static_cast<std::uint8_t>(key)); });
  write_kv(path, 23, [&](BboltWriter& writer) {
    for (std::size_t i = 0; i < keys.size(); ++i) payment(writer, keys[i], i < 2 ? 7 : i);
  });
  const db::MigrateReport report = world.import(path);
  CHECK(report.counts.migrated == 3);
  CHECK(report.counts.quarantined == 1);
  CHECK(world.rows("SELECT p.payment_index, a.attempt_id FROM payments AS p JOIN attempts AS a USING (payment_index) "
                   "ORDER BY 1") == std::vector<std::string>{"2|" + std::to_string(keys[2]),
                                                             "3|" + std::to_string(keys[3]),
                                                             "7|" + std::to_string(keys[0])});
  CHECK(world.rows("SELECT count(*) FROM attempts") == std::vector<std::string>{"3"});
  CHECK(world.rows("SELECT sequence, reason FROM quarantine") ==
        std::vector<std::string>{"7|the database refuses it: UNIQUE constraint failed: payments.payment_index"});
  CHECK(world.rows("SELECT lower(hex(payment_hash)), kind FROM hash_guards") ==
        std::vector<std::string>{to_hex(hash_of_preimage(static_cast<std::uint8_t>(keys[1]))) + "|2"});
  world.check_sound();
}

/// A file of lnd's native SQL without lnd's unique indexes of identifiers; `change` inserts the rows of payments.
void native_file(const std::string& path, const char* change) {
  make_many_sql(path, 4, 4'096);
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  database.exec(
      "CREATE TABLE kept (id INTEGER PRIMARY KEY, amount_msat BIGINT NOT NULL, created_at TIMESTAMP NOT NULL, "
      "payment_identifier BLOB NOT NULL, fail_reason INTEGER);"
      "INSERT INTO kept SELECT * FROM payments; DROP TABLE payments; ALTER TABLE kept RENAME TO payments");
  database.exec(change);
}

TEST_CASE(
    "import: a hash that a file has twice refuses the later record alone, and the rest is as if it were not there") {
  const World world;
  const std::string path = world.folder.file("lnd.sqlite");
  native_file(
      path,
      "UPDATE payments SET payment_identifier = (SELECT payment_identifier FROM payments WHERE id = 1) WHERE id = 3;"
      "UPDATE payment_htlc_attempts SET payment_hash = (SELECT payment_identifier FROM payments WHERE id = 1) WHERE "
      "payment_id = 3;"
      "UPDATE payment_htlc_attempt_resolutions SET settle_preimage = (SELECT settle_preimage FROM "
      "payment_htlc_attempt_resolutions WHERE attempt_index = 3)"
      " WHERE attempt_index = 7");
  for (const bool dry_run : {true, false}) {
    const db::MigrateReport report = world.import(path, dry_run);
    CHECK(report.counts.migrated == 3);
    CHECK(report.counts.quarantined == 1);
    CHECK(report.counts.guards == 1);
  }
  CHECK(world.rows("SELECT payment_index, (SELECT count(*) FROM attempts AS a WHERE a.payment_index = p.payment_index) "
                   "FROM payments AS p") == std::vector<std::string>{"1|2", "2|2", "4|2"});
  CHECK(world.rows("SELECT count(*), max(attempt_row) FROM attempts") == std::vector<std::string>{"6|6"});
  CHECK(world.rows("SELECT sequence, reason FROM quarantine") ==
        std::vector<std::string>{
            "3|the database refuses it: UNIQUE constraint failed: payments.payment_hash, payments.live"});
  CHECK(world.rows("SELECT g.kind, p.payment_index FROM hash_guards AS g JOIN payments AS p USING (payment_hash)") ==
        std::vector<std::string>{"2|1"});
  CHECK(world.rows("PRAGMA auto_vacuum") == std::vector<std::string>{"2"});
  CHECK(world.rows("SELECT seq FROM sqlite_sequence WHERE name = 'payments'") == std::vector<std::string>{"4"});
  world.check_sound();
}

TEST_CASE("import, vector 23: a database of one's own payments is not touched") {
  const World world;
  {
    db::Connection connection =
        value_of(db::Connection::open(world.database, db::OpenMode::create, db::payment_file()));
    connection.database().exec(
        "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, destination, fee_limit_msat, "
        "cltv_limit, "
        "final_cltv_delta, max_attempts) VALUES (zeroblob(32), 1, 1, 1, zeroblob(33), 1, 1, 1, 1)");
  }
  CHECK(world.refusal(examples + "v8.db") == Errc::parameters_differ);
}
