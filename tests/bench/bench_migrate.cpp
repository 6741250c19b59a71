// How long a migration takes, compared in the same run with a plain bulk insert of the same final rows into the same
// tables, indexes and triggers, and how much memory it needs. Usage: bench_migrate [RECORDS=1000000] [FOLDER] Then the
// same records again as lnd's channel.db, imported by --from-lnd, and added to an import of an earlier copy of that
// file. Every hundredth record repeats an earlier payment; one hash in a hundred has a status of its own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>

#include <SQLiteCpp/SQLiteCpp.h>

#include "../driver/temp_folder.h"
#include "db/import/import.h"
#include "db/payments/migrator.h"
#include "db/payments/store.h"
#include "db/sqlite/transaction.h"
#include "tests/migrations/many_records.h"

using namespace paytower;

namespace {

struct Measured {
  double seconds = 0;
  long peak_kib = 0;
};

/// Runs `work` in a process of its own, so that the peak of memory is that of `work` alone.
Measured measure(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  struct rusage usage {};
  if (::wait4(child, &status, 0, &usage) != child || status != 0) std::exit(1);
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), usage.ru_maxrss};
}

void migrate(const std::string& path) {
  db::OpenOptions any;
  any.any_version = true;
  any.large_statements = true;
  db::Connection connection = value_of(db::Connection::open(path, db::OpenMode::read_write, db::payment_file(), any));
  db::WriteLock lock(connection.real_path(), 0);
  db::MigrateRequest request;
  request.backup = false;
  request.now = UnixNs{1};
  const db::MigrateReport report = value_of(db::Migrator(connection, lock).run(request, {}));
  std::printf("read %llu, payments %llu, duplicates %llu, quarantined %llu, guards %llu\n",
              static_cast<unsigned long long>(report.counts.read),
              static_cast<unsigned long long>(report.counts.migrated),
              static_cast<unsigned long long>(report.counts.duplicates),
              static_cast<unsigned long long>(report.counts.quarantined),
              static_cast<unsigned long long>(report.counts.guards));
  std::fflush(stdout);
}

void import(const std::string& from, const std::string& to) {
  db::ImportRequest request;
  request.channel_db = from;
  request.database = to;
  request.now = UnixNs{1};
  (void)value_of(db::import_from_lnd(request, {}));
}

/// Inserts the same rows again in one transaction, sorted as the tables are.
void insert_plainly(const std::string& from, const std::string& to) {
  db::Connection connection = value_of(db::Connection::open(to, db::OpenMode::create, db::payment_file()));
  db::WriteLock lock(connection.real_path(), 0);
  SQLite::Database& database = connection.database();
  SQLite::Statement attach(database, "ATTACH ?1 AS migrated");
  attach.bind(1, from);
  attach.exec();
  (void)value_of(db::write_tx(connection, lock, [&database] {
    for (const char* columns :
         {"payments (payment_index, payment_hash, amount_msat, created_ns, provenance, duplicate_of, destination, "
          "invoice, preimage, ended_ns)",
          "attempts (payment_index, attempt_id, part, origin, route, amount_msat, fee_msat, registered_ns, "
          "total_time_lock, resolved_ns, outcome, preimage, failure_code, failure_source)",
          "hash_guards (payment_hash, kind, since_ns)"}) {
      const std::string text = columns;
      const std::size_t open = text.find('(');
      const std::string table = text.substr(0, open - 1);
      database.exec("INSERT INTO main." + text + " SELECT " + text.substr(open + 1, text.size() - open - 2) +
                    " FROM migrated." + table + " ORDER BY 1");
    }
  }));
  db::checkpoint_if_due(connection, lock, true);
}

void print(const char* what, const Measured& measured, double records) {
  std::printf("%-15s %7.2f s  %8.0f payments/s  peak %6.1f MiB\n", what, measured.seconds, records / measured.seconds,
              static_cast<double>(measured.peak_kib) / 1024);
}

}  // namespace

int main(int count, char** arguments) {
  const std::uint64_t records = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000;
  if (count > 2) ::setenv("TMPDIR", arguments[2], 1);
  const test::TempFolder folder;
  const std::string old_file = folder.file("old.db");
  test::make_many_version_one(old_file, records);
  const Measured migration = measure([&] { migrate(old_file); });
  const Measured plain = measure([&] { insert_plainly(old_file, folder.file("plain.db")); });
  const std::string channel_db = folder.file("channel.db");
  test::make_many_legacy(channel_db, records);
  const Measured taken = measure([&] { import(channel_db, folder.file("taken.db")); });
  // Adds a later copy of the same file, in which nine records of ten are new.
  const std::string early = folder.file("early.db");
  const std::string added_to = folder.file("added.db");
  test::make_many_legacy(early, records / 10);
  (void)measure([&] { import(early, added_to); });
  const Measured added = measure([&] { import(channel_db, added_to); });
  // lnd's native SQL with two attempts for each payment, compared with a plain insert of the same rows.
  const std::string native = folder.file("lnd.sqlite");
  const std::string taken_native = folder.file("taken_native.db");
  test::make_many_native(native, records);
  const Measured from_sql = measure([&] { import(native, taken_native); });
  const Measured plain_sql = measure([&] { insert_plainly(taken_native, folder.file("plain_native.db")); });
  print("migration", migration, static_cast<double>(records));
  print("plain insert", plain, static_cast<double>(records));
  print("from lnd", taken, static_cast<double>(records));
  print("added", added, static_cast<double>(records - records / 10));
  print("from lnd's SQL", from_sql, static_cast<double>(records));
  print("plain, of that", plain_sql, static_cast<double>(records));
  const long peak = std::max({migration.peak_kib, taken.peak_kib, added.peak_kib, from_sql.peak_kib});
  std::printf("ratios %.2f, %.2f and %.2f (at most 2), peak below 64 MiB: %s\n", migration.seconds / plain.seconds,
              taken.seconds / plain.seconds, from_sql.seconds / plain_sql.seconds, peak < 64 * 1024 ? "yes" : "no");
  return 0;
}
