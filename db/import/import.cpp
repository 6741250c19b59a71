// Makes a payment database from lnd's file, or adds to one that exists.
#include "db/import/import.h"

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/import/merge.h"
#include "db/import/sources.h"
#include "db/import/sqlite_file.h"
#include "db/import/stage.h"
#include "db/payments/spool.h"
#include "db/payments/store.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/own_files.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

bool has_bytes(const std::string& path) {
  struct stat seen {};
  return ::lstat(path.c_str(), &seen) == 0 && seen.st_size > 0;
}

/// Where the new file will be, with its folder's real path.
std::string real_path_of(const std::string& path) {
  std::error_code trouble;
  const std::filesystem::path whole = std::filesystem::absolute(path, trouble);
  const auto folder = trouble ? std::filesystem::path() : std::filesystem::canonical(whole.parent_path(), trouble);
  if (trouble || whole.filename().empty()) {
    refuse(Errc::database, fmt::format("the folder of the database {} does not exist", path),
           fmt::format("mkdir -p {}", whole.parent_path().string()));
  }
  return (folder / whole.filename()).string();
}

void refuse_strictly(const ImportRequest& request, const migrations::StepReport& counts) {
  if (!request.strict || counts.quarantined == 0) return;
  refuse(Errc::database, fmt::format("--strict: {} records cannot be read; nothing was changed", counts.quarantined),
         "paytower migrate --from-lnd CHANNEL_DB --dry-run --json");
}

MigrateReport empty_report(const ImportRequest& request, int from) {
  MigrateReport report;
  report.from_version = from;
  report.to_version = migrations::newest_version;
  report.at = request.now;
  for (const migrations::Step& step : migrations::steps()) {
    if (step.version > from) report.applied.push_back({step.version, std::string(step.name)});
  }
  return report;
}

/// SQLite returns the new mode before it has written it. Only when the statement has ended is it known whether that
/// worked.
void switch_to_wal(SQLite::Database& database) {
  SQLite::Statement statement(database, "PRAGMA journal_mode = WAL");
  while (statement.executeStep()) {}
  if (database.execAndGet("PRAGMA journal_mode").getString() != "wal")
    throw StoreError(fmt::format("SQLite makes no log beside {}", database.getFilename()));
}

/// A database in a file of its own, closed and in WAL mode.
migrations::StepReport fill_file(const std::string& path, const lnd::Source& source, const ImportRequest& request,
                                 const MigrateProgress& progress) {
  const OwnFilesOnly files;
  SQLite::Database staged(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX);
  const migrations::StepReport counts = fill_from_lnd(staged, source, request.now, progress);
  source.check_unchanged();
  switch_to_wal(staged);
  return counts;
}

MigrateReport rehearse_new(const ImportRequest& request, const lnd::Source& source, const MigrateProgress& progress) {
  MigrateReport report = empty_report(request, 0);
  // Without a name it is a temporary file of SQLite's own, which is gone when it is closed.
  report.rehearsed =
      std::make_shared<SQLite::Database>("", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX);
  report.counts = fill_from_lnd(*report.rehearsed, source, request.now, progress);
  source.check_unchanged();
  refuse_strictly(request, report.counts);
  return report;
}

MigrateReport make_new(const ImportRequest& request, const lnd::Source& source, const MigrateProgress& progress) {
  const std::string path = real_path_of(request.database);
  if (has_bytes(fmt::format("{}-wal", path))) {
    refuse(Errc::database,
           fmt::format("{}-wal is the log of a database that is gone; nothing was made beside it", path),
           fmt::format("ls -l {}*", path));
  }
  WriteLock lock(path, request.lock_timeout_ns);
  const auto held = value_of(lock.acquire());
  if (exists(path)) refuse(Errc::busy, fmt::format("another paytower has just made {}; nothing was changed", path));
  PartialFile partial(fmt::format("{}.partial", path));
  MigrateReport report = empty_report(request, 0);
  report.counts = fill_file(partial.path(), source, request, progress);
  refuse_strictly(request, report.counts);
  make_spool(path);
  partial.publish(path);
  return report;
}

void attach(SQLite::Database& database, const std::string& path) {
  SQLite::Statement statement(database, "ATTACH ?1 AS staged");
  statement.bind(1, path);
  statement.exec();
}

Connection open_target(const ImportRequest& request, OpenMode mode) {
  OpenOptions options;
  options.lock_timeout_ns = request.lock_timeout_ns;
  options.large_statements = true;
  return value_of(Connection::open(request.database, mode, payment_file(), options));
}

MigrateReport rehearse_adding(const ImportRequest& request, const std::string& staged, bool same_numbers,
                              const MigrateProgress& progress) {
  MigrateReport report = empty_report(request, migrations::newest_version);
  Connection connection = open_target(request, OpenMode::read_only);
  report.rehearsed = std::make_shared<SQLite::Database>("", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  SQLite::Database& copy = *report.rehearsed;
  if (!copy_pages(connection, copy, [&progress](int, int) { return !progress || progress(0, 0); }))
    throw MigrationStopped();
  payment_file().register_functions(copy);
  copy.exec("PRAGMA foreign_keys = ON");
  attach(copy, staged);
  watched(copy, progress, [&](StatementWatch&) {
    private_tx(copy, SQLite::TransactionBehavior::DEFERRED, [&] { add_staged(copy, same_numbers, report.counts); });
  });
  copy.exec("DETACH staged");
  return report;
}

MigrateReport add_to_existing(const ImportRequest& request, const std::string& staged, bool same_numbers,
                              const MigrateProgress& progress) {
  MigrateReport report = empty_report(request, migrations::newest_version);
  Connection connection = open_target(request, OpenMode::read_write);
  WriteLock lock(connection.real_path(), request.lock_timeout_ns);
  attach(connection.database(), staged);
  (void)value_of(write_tx(connection, lock, [&] {
    watched(connection.database(), progress,
            [&](StatementWatch&) { add_staged(connection.database(), same_numbers, report.counts); });
  }));
  connection.database().exec("DETACH staged");
  checkpoint_if_due(connection, lock, true);
  return report;
}

MigrateReport add(const ImportRequest& request, const lnd::Source& source, const MigrateProgress& progress) {
  (void)open_target(request, OpenMode::read_only);  // refused before lnd's file is read for it
  // Beside the database, where there is room for it. A dry run leaves the database's folder alone.
  const auto apart = request.dry_run ? std::make_unique<PrivateFolder>("the dry run") : nullptr;
  PartialFile partial(apart ? apart->file() : own_partial_name(real_path_of(request.database)));
  const migrations::StepReport counts = fill_file(partial.path(), source, request, progress);
  refuse_strictly(request, counts);
  const bool same_numbers = source.keeps_numbers();
  return request.dry_run ? rehearse_adding(request, partial.path(), same_numbers, progress)
                         : add_to_existing(request, partial.path(), same_numbers, progress);
}

}  // namespace

Result<MigrateReport> import_from_lnd(const ImportRequest& request, const MigrateProgress& progress) {
  return reported([&] {
    (void)value_of(check_database_name(request.database));
    const auto source = open_lnd_source(request.channel_db, {request.assume_v04});
    try {
      MigrateReport report = exists(request.database) ? add(request, *source, progress)
                             : request.dry_run        ? rehearse_new(request, *source, progress)
                                                      : make_new(request, *source, progress);
      report.notes = source->notes();
      return report;
    } catch (const SQLite::Exception& error) {
      refuse(as_ours(error, fmt::format("import the payments of {}", request.channel_db)));
    }
  });
}

}  // namespace paytower::db
