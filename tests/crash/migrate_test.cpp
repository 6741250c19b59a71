// Goal: a migration that is killed, cut off from power or refused by the disk at any call leaves the old or the new
// database, with every record, and its rerun ends (R14, R17). Method: as crash_test.
#include <optional>

#include <doctest/doctest.h>

#include "core/base/refuse.h"
#include "db/payments/migrator.h"
#include "tests/crash/points.h"
#include "tests/migrations/legacy_maker.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::int64_t legacy_payments = 12;

/// What is migrated. Nothing else in the world changes.
VersionOne old_content() {
  VersionOne made;
  for (std::int64_t i = 1; i <= legacy_payments; ++i) {
    LegacyFields fields;
    fields.preimage = numbered_preimage(static_cast<std::uint64_t>(i));
    made.records.emplace_back(i, legacy_record(fields));
  }
  return made;
}

/// Nothing if it did not reach its end.
std::optional<db::MigrateReport> migrate(const std::string& path) {
  db::OpenOptions any;
  any.any_version = true;
  try {
    db::Connection connection = value_of(db::Connection::open(path, db::OpenMode::read_write, db::payment_file(), any));
    db::WriteLock lock(connection.real_path(), 0);
    db::MigrateRequest asked;
    asked.now = UnixNs{777};
    return value_of(db::Migrator(connection, lock).run(asked, {}));
  } catch (const StoreError&) {
  } catch (const RefusalError&) {
  } catch (const SQLite::Exception&) {}
  return std::nullopt;
}

bool try_migration(const DiskFault& fault, std::vector<std::string>& broken) {
  FaultDisk& disk = FaultDisk::instance();
  disk.become_default();
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, old_content());
  disk.forget();
  disk.arm(fault);
  const bool claimed = migrate(path).has_value();
  const bool struck = disk.struck();
  const bool died = disk.dead();
  disk.recover();
  // Counted by hand, so that the code under test does not judge itself.
  const auto payments = [&] {
    SQLite::Database file(path, SQLite::OPEN_READWRITE);
    if (file.execAndGet("PRAGMA integrity_check").getString() != "ok") broken.emplace_back("integrity_check");
    const bool old = file.execAndGet("PRAGMA user_version").getInt() == 1;
    if (old && claimed && !died) broken.emplace_back("said to be migrated, and is not");
    const char* const table = old ? "outgoing_payments" : "payments";
    return file.execAndGet(std::string("SELECT count(*) FROM ") + table).getInt64();
  };
  try {
    if (payments() != legacy_payments) broken.emplace_back("R14: records are missing after the fault");
    if (!migrate(path)) broken.emplace_back("R17: the rerun does not end");
    if (payments() != legacy_payments) broken.emplace_back("R14: records are missing after the rerun");
  } catch (const std::exception& error) {
    broken.push_back(std::string("the database cannot be read: ") + error.what());
  }
  disk.forget();
  return struck;
}

}  // namespace

TEST_CASE("crash: migrate") { try_points("migrate", try_migration); }
