// Runs migrations: checks, backup, steps, and rehearsals on a private copy.
#include "db/payments/migrator.h"

#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include "core/base/refuse.h"
#include "db/payments/spool.h"
#include "db/payments/statement_watch.h"
#include "db/payments/store.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr int most_backups = 10'000;

std::string next_backup_name(const std::string& real_path, int version) {
  const std::string first = fmt::format("{}.v{}.bak", real_path, version);
  std::string name = first;
  for (int i = 1; exists(name) && i <= most_backups; ++i) name = fmt::format("{}.{}", first, i);
  return name;
}

std::vector<StepName> steps_between(int from, int to) {
  std::vector<StepName> names;
  for (const migrations::Step& step : migrations::steps()) {
    if (step.version > from && step.version <= to) names.push_back({step.version, std::string(step.name)});
  }
  return names;
}

void set_version(SQLite::Database& database, int version) {
  database.exec(fmt::format("PRAGMA user_version = {}", version));
}

CopyProgress quiet_copy(const MigrateProgress& progress) {
  return [&progress](int, int) { return !progress || progress(0, 0); };
}

}  // namespace

Result<std::monostate> each_set_aside(SQLite::Database& database, UnixNs at,
                                      const std::function<void(const SetAside&)>& visit) {
  return readable([&] {
    SQLite::Statement statement(database,
                                "SELECT sequence, payment_hash, reason FROM quarantine WHERE at_ns = ?1 ORDER BY id");
    Query row(statement);
    row.bind(at);
    while (row.step()) {
      SetAside one;
      one.sequence = row.maybe_integer();
      one.hash = row.maybe_fixed<PaymentHash>();
      one.reason = row.text();
      visit(one);
    }
  });
}

Result<std::monostate> each_new_guard(SQLite::Database& database, UnixNs at,
                                      const std::function<void(const PaymentHash&, GuardKind)>& visit) {
  return readable([&] {
    SQLite::Statement statement(
        database,
        "SELECT payment_hash, kind FROM hash_guards WHERE since_ns = ?1 AND kind IN (1, 2) ORDER BY payment_hash");
    Query row(statement);
    row.bind(at);
    while (row.step()) {
      const auto hash = row.fixed<PaymentHash>();
      visit(hash, static_cast<GuardKind>(row.number(4)));
    }
  });
}

Result<MigrateStatus> Migrator::status() {
  return reading(connection_, [this] {
    MigrateStatus status;
    status.version = connection_.schema_version();
    status.latest = migrations::newest_version;
    status.pending = steps_between(status.version, status.latest);
    if (status.version > status.latest) return status;
    status.quarantined =
        static_cast<std::uint64_t>(connection_.database().execAndGet("SELECT count(*) FROM quarantine").getInt64());
    return status;
  });
}

MigrateReport Migrator::begin(const MigrateRequest& request) {
  MigrateReport report;
  report.from_version = connection_.schema_version();
  if (report.from_version > migrations::newest_version) {
    refuse(Errc::schema_newer, fmt::format("{} has schema version {}, made by a newer paytower; it was not touched",
                                           connection_.real_path(), report.from_version));
  }
  if (request.to > migrations::newest_version) {
    refuse(Errc::usage, fmt::format("--to: this paytower knows versions up to {}", migrations::newest_version));
  }
  if (request.to < report.from_version) {
    refuse(Errc::usage,
           fmt::format("--to: the database already has version {}, and the only way back is a backup",
                       report.from_version),
           fmt::format("ls -l {}*.bak*", connection_.real_path()));
  }
  report.to_version = request.to;
  report.at = request.now;
  report.applied = steps_between(report.from_version, report.to_version);
  return report;
}

void Migrator::refuse_unreadable(const MigrateRequest& request, const MigrateProgress& progress) {
  if (!request.strict || connection_.schema_version() != 1 || request.to < 2) return;
  std::optional<std::string> found;
  watched(connection_.database(), progress, [&](StatementWatch& watch) {
    migrations::StepContext context{request.now.value,
                                    [&watch](std::uint64_t done, std::uint64_t total) { watch.tell(done, total); }};
    found = migrations::first_unreadable(connection_.database(), context);
  });
  if (found)
    refuse(Errc::database, fmt::format("--strict: {}; nothing was changed", *found),
           "paytower migrate --dry-run --json");
}

std::string Migrator::make_backup(const MigrateRequest& request, int version, const MigrateProgress& progress) {
  std::string path = request.backup_path.value_or(next_backup_name(connection_.real_path(), version));
  if (request.backup_path) (void)value_of(check_database_name(path));
  if (exists(path))
    refuse(Errc::usage, fmt::format("{} exists already; a backup never overwrites; nothing was changed", path));
  // A connection of its own, because SQLite copies nothing out of a connection that writes. Ours holds the lock and has
  // written nothing yet.
  OpenOptions any;
  any.any_version = true;
  Connection source = value_of(Connection::open(connection_.real_path(), OpenMode::read_only, payment_file(), any));
  const auto copied = copy_to_new_file(source, path, quiet_copy(progress));
  if (copied) return path;
  if (progress && !progress(0, 0)) throw MigrationStopped();
  refuse(copied.error().code, fmt::format("{}; nothing was changed", copied.error().message),
         "paytower migrate --backup PATH");
}

Result<MigrateReport> Migrator::check(const MigrateRequest& request, const MigrateProgress& progress) {
  return reported([&] {
    MigrateReport report = begin(request);
    (void)value_of(reading(connection_, [&] { refuse_unreadable(request, progress); }));
    return report;
  });
}

Result<MigrateReport> Migrator::run(const MigrateRequest& request, const MigrateProgress& progress) {
  return reported([&] {
    MigrateReport report = begin(request);
    if (report.applied.empty()) return report;
    make_spool(connection_.real_path());
    (void)value_of(write_tx(connection_, lock_, [&] {
      SQLite::Database& database = connection_.database();
      // Another process may have migrated it while this one waited.
      if (database.execAndGet("PRAGMA user_version").getInt() != report.from_version) {
        refuse(Errc::busy, "another paytower migrates the database; nothing was changed");
      }
      refuse_unreadable(request, progress);
      if (request.backup) report.backup_path = make_backup(request, report.from_version, progress);
      watched(database, progress, [&](StatementWatch& watch) {
        report.counts = apply_steps(database, report.from_version, request.to, request.now.value,
                                    [&watch](std::uint64_t rows, std::uint64_t total) { watch.tell(rows, total); });
        set_version(database, request.to);
      });
    }));
    checkpoint_if_due(connection_, lock_, true);
    return report;
  });
}

Result<MigrateReport> Migrator::rehearse(const MigrateRequest& request, const MigrateProgress& progress) {
  return reported([&] {
    MigrateReport report = begin(request);
    if (report.applied.empty()) return report;
    try {
      refuse_unreadable(request, progress);
      // Without a name it is a temporary file of SQLite's own, which is gone when it is closed.
      report.rehearsed = std::make_shared<SQLite::Database>("", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      SQLite::Database& copy = *report.rehearsed;
      if (!copy_pages(connection_, copy, quiet_copy(progress))) throw MigrationStopped();
      watched(copy, progress, [&](StatementWatch& watch) {
        copy.exec("PRAGMA foreign_keys = ON");
        private_tx(copy, SQLite::TransactionBehavior::IMMEDIATE, [&] {
          report.counts = apply_steps(copy, report.from_version, request.to, request.now.value,
                                      [&watch](std::uint64_t rows, std::uint64_t total) { watch.tell(rows, total); });
        });
      });
    } catch (const SQLite::Exception& error) {
      refuse(as_ours(error, "try the migration on a copy"));
    }
    return report;
  });
}

}  // namespace paytower::db
