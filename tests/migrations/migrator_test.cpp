// Goal: after an interruption, a fault or a crash at any write or sync, the database is the old one or the new one, and
// the rerun ends like an uninterrupted run. Method: the migrator on real files behind the fault-injecting VFS of the
// store tests.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <SQLiteCpp/SQLiteCpp.h>

#include "../driver/temp_folder.h"
#include "core/base/refuse.h"
#include "db/payments/admin.h"
#include "db/payments/migrator.h"
#include "db/payments/query.h"
#include "db/payments/store.h"
#include "legacy_maker.h"

using namespace paytower;
using namespace paytower::test;

namespace {

VersionOne content() {
  VersionOne made;
  for (std::int64_t i = 1; i <= 40; ++i) {
    LegacyFields fields;
    fields.preimage = numbered_preimage(static_cast<std::uint64_t>(i % 7 == 0 ? 1 : i));
    made.records.emplace_back(i, legacy_record(fields));
  }
  made.records.emplace_back(50, Bytes{1, 2, 3});
  made.statuses = {{Bytes(32, 4), 1}};
  return made;
}

struct Opened {
  explicit Opened(const std::string& path, db::OpenMode mode = db::OpenMode::read_write)
      : connection(value_of(db::Connection::open(path, mode, db::payment_file(), any()))),
        lock(connection.real_path(), 0) {}
  static db::OpenOptions any() {
    db::OpenOptions options;
    options.any_version = true;
    options.lock_timeout_ns = 0;
    return options;
  }
  db::Connection connection;
  db::WriteLock lock;
};

db::MigrateRequest request(bool backup = false) {
  db::MigrateRequest asked;
  asked.backup = backup;
  asked.now = UnixNs{777};
  return asked;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("migrate: status, backup, report, and nothing left to do") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  {
    Opened opened(path);
    db::Migrator migrator(opened.connection, opened.lock);
    CHECK(value_of(migrator.status()).version == 1);
    CHECK(value_of(migrator.status()).pending.size() == 4);
    const db::MigrateReport report = value_of(migrator.run(request(true), {}));
    CHECK(report.backup_path == path + ".v1.bak");
    CHECK(report.counts.read == 41);
    CHECK(report.counts.migrated == 35);
    CHECK(report.counts.duplicates == 5);
    CHECK(report.counts.quarantined == 1);
    CHECK(report.counts.guards == 1);
  }
  Opened again(path);
  db::Migrator migrator(again.connection, again.lock);
  CHECK(value_of(migrator.status()).pending.empty());
  CHECK(value_of(migrator.status()).quarantined == 1);
  CHECK(value_of(migrator.run(request(true), {})).applied.empty());
  SQLite::Database backup(path + ".v1.bak");
  CHECK(backup.execAndGet("PRAGMA user_version").getInt() == 1);
  CHECK(backup.execAndGet("SELECT count(*) FROM outgoing_payments").getInt() == 41);
  CHECK(value_of(db::PaymentAdmin(again.connection, again.lock).check()).problems.empty());
}

TEST_CASE("migrate: backups never take a name that is taken") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  std::ofstream(path + ".v1.bak") << "mine";
  std::ofstream(path + ".v1.bak.1") << "mine";
  Opened opened(path);
  db::MigrateRequest asked = request(true);
  asked.backup_path = path + ".v1.bak";
  CHECK(db::Migrator(opened.connection, opened.lock).run(asked, {}).error().code == Errc::usage);
  CHECK(value_of(db::Migrator(opened.connection, opened.lock).run(request(true), {})).backup_path ==
        path + ".v1.bak.2");
  CHECK(bytes_of(path + ".v1.bak") == "mine");
}

TEST_CASE("migrate: a dry run reports the same and changes no byte") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  const std::string before = bytes_of(path);
  migrations::StepReport tried;
  {
    Opened opened(path, db::OpenMode::read_only);
    const db::MigrateReport report = value_of(db::Migrator(opened.connection, opened.lock).rehearse(request(), {}));
    tried = report.counts;
    int named = 0;
    (void)value_of(db::each_set_aside(*report.rehearsed, report.at, [&named](const db::SetAside& one) {
      ++named;
      CHECK(one.sequence == 50);
    }));
    CHECK(named == 1);
  }
  CHECK(bytes_of(path) == before);
  Opened opened(path);
  const migrations::StepReport done = value_of(db::Migrator(opened.connection, opened.lock).run(request(), {})).counts;
  CHECK(done.read == tried.read);
  CHECK(done.migrated == tried.migrated);
  CHECK(done.duplicates == tried.duplicates);
  CHECK(done.quarantined == tried.quarantined);
  CHECK(done.guards == tried.guards);
}

TEST_CASE("migrate: a report that the database cannot give is an error of the database") {
  SQLite::Database empty(":memory:");
  CHECK_THROWS_AS((void)db::each_set_aside(empty, UnixNs{1}, {}), StoreError);
  CHECK_THROWS_AS((void)db::each_new_guard(empty, UnixNs{1}, {}), StoreError);
}

TEST_CASE("migrate: strict refuses, and says what cannot be read") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  Opened opened(path, db::OpenMode::read_only);
  db::MigrateRequest asked = request();
  asked.strict = true;
  const auto checked = db::Migrator(opened.connection, opened.lock).check(asked, {});
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == Errc::database);
  CHECK(checked.error().message.find("record 50: record truncated in receipt") != std::string::npos);
}

TEST_CASE("migrate: versions that are not ours to touch") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  {
    SQLite::Database database(path, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA user_version = 9");
  }
  Opened opened(path, db::OpenMode::read_only);
  db::Migrator migrator(opened.connection, opened.lock);
  CHECK(value_of(migrator.status()).version == 9);
  CHECK(migrator.check(request(), {}).error().code == Errc::schema_newer);
}

TEST_CASE("migrate, vector 23: stopped at any word of progress, the old database is whole and the rerun completes it") {
  for (int stop = 0;; ++stop) {
    const TempFolder folder;
    const std::string path = folder.file("payments.db");
    make_version_one(path, content());
    bool stopped = false;
    {
      Opened opened(path);
      int asked = 0;
      const auto go_on = [&](std::uint64_t, std::uint64_t) { return asked++ != stop; };
      stopped = value_of(db::Migrator(opened.connection, opened.lock).run(request(), go_on)).stopped;
    }
    if (!stopped) {
      CHECK(stop > 0);
      break;
    }
    Opened opened(path);
    db::Migrator migrator(opened.connection, opened.lock);
    CHECK(value_of(migrator.status()).version == 1);
    CHECK(value_of(migrator.run(request(), {})).counts.migrated == 35);
  }
}

TEST_CASE("migrate, vector 24: another paytower at it is busy") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, content());
  Opened first(path);
  Opened second(path);
  const auto held = first.lock.acquire();
  REQUIRE(held);
  CHECK(db::Migrator(second.connection, second.lock).run(request(), {}).error().code == Errc::busy);
}

TEST_CASE("migrate, vector 9: nothing new is stored behind the largest index") {
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  VersionOne last;
  LegacyFields fields;
  fields.preimage = numbered_preimage(1);
  last.records.emplace_back(INT64_MAX, legacy_record(fields));
  make_version_one(path, last);
  Opened opened(path);
  (void)value_of(db::Migrator(opened.connection, opened.lock).run(request(), {}));
  CHECK_THROWS_WITH(
      opened.connection.database().exec(
          "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, destination, fee_limit_msat, "
          "cltv_limit, final_cltv_delta, max_attempts) VALUES (zeroblob(32), 1, 1, 1, zeroblob(33), 1, 1, 1, 1)"),
      "conflict: the payment indexes are used up");
}
