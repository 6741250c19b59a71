// `migrate`: an older database, or one of lnd, becomes one of this version.
#include <array>
#include <memory>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/migrate_report.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/refuse.h"
#include "db/import/import.h"

namespace paytower::cli {

namespace {

struct MigrateOptions {
  bool status = false;
  std::optional<int> to;  ///< nothing = the newest
  bool backup = true;
  std::optional<std::string> backup_path;  ///< nothing = beside the database
  bool strict = false;
  bool dry_run = false;
  std::optional<std::string> from_lnd;  ///< lnd's channel.db
  bool assume_v04 = false;
};

void read_backup(MigrateOptions& migrate, const Value& value) {
  migrate.backup = value.text != "none";
  if (migrate.backup) migrate.backup_path = value.text;
}

constexpr auto migrate_flags = std::to_array<Flag>({
    {"status", "say which version the database has and what is pending; exit 0 up to date, 8 otherwise",
     into::on<&MigrateOptions::status>},
    {"to", "N", "go up to this version (default: the newest)", into::whole<&MigrateOptions::to, 1, INT32_MAX>},
    {"backup", "PATH|none", "where the copy goes that is made first (default: DATABASE.v<old>.bak)",
     into::by<read_backup>},
    {"strict", "if a record cannot be read, change nothing (exit 8) instead of keeping it separately",
     into::on<&MigrateOptions::strict>},
    {"dry-run,n", "the same report; nothing is changed", into::on<&MigrateOptions::dry_run>},
    {"from-lnd", "CHANNEL_DB",
     "import lnd's payments: its channel.db, channel.sqlite, lnd.sqlite, or its folder; lnd must not run",
     into::text<&MigrateOptions::from_lnd>},
    {"assume-v04", "with --from-lnd: read databases before version 3 as lnd 0.4 wrote them",
     into::on<&MigrateOptions::assume_v04>},
});

void take(MigrateOptions& migrate, const Given& given) {
  for (const Flag& other : migrate_flags) {
    if (other.name != "status") given.exclude("status", other.name);
  }
  for (const char* other : {"to", "backup"}) given.exclude("from-lnd", other);
  if (!migrate.from_lnd) given.need({"assume-v04"}, "--from-lnd");
}

/// While another process migrates, this one leaves at once unless told to wait: the work is being done.
std::int64_t patience(const Session& session) { return session.global.lock_timeout_ns.value_or(0); }

/// Nothing when the call names no database and there is none yet.
std::unique_ptr<db::Connection> open_any_version(Session& session, db::OpenMode mode) {
  if (!session.global.database_named && !exists_already(session.global.database)) {
    session.output.note(fmt::format("no payments yet: there is no database {}", session.global.database));
    return nullptr;
  }
  db::OpenOptions open;
  open.lock_timeout_ns = patience(session);
  open.any_version = true;
  open.large_statements = true;
  auto connection = std::make_unique<db::Connection>(
      value_of(db::Connection::open(session.global.database, mode, db::payment_file(), open)));
  for (const std::string& warning : connection->warnings()) session.output.warn(warning);
  return connection;
}

Json status_json(const db::MigrateStatus& status) {
  Json json;
  json["version"] = status.version;
  json["latest"] = status.latest;
  json["pending"] = Json::array();
  for (const db::StepName& step : status.pending)
    json["pending"].push_back(Json{{"version", step.version}, {"name", step.name}});
  json["quarantined"] = status.quarantined;
  return json;
}

std::string status_text(const db::MigrateStatus& status) {
  std::string text = fmt::format("Version {} of {}\n", status.version, status.latest);
  for (const db::StepName& step : status.pending)
    text += fmt::format("pending: step {} ({})\n", step.version, step.name);
  if (status.version > status.latest) text += "It was made by a newer paytower.\n";
  if (status.pending.empty() && status.version == status.latest) text += "Up to date.\n";
  if (status.quarantined > 0)
    text += fmt::format("{} kept separately\n", counted(status.quarantined, "unreadable record"));
  return text;
}

ExitCode show_status(Session& session) {
  const auto connection = open_any_version(session, db::OpenMode::read_only);
  db::MigrateStatus status{db::newest_schema(), db::newest_schema(), {}, 0};
  if (connection) {
    db::WriteLock lock(connection->real_path(), 0);
    status = value_of(db::Migrator(*connection, lock).status());
  }
  session.output.result(session.output.json() ? fmt::format("{}\n", dump(status_json(status))) : status_text(status));
  return status.version == status.latest ? ExitCode::ok : ExitCode::database;
}

db::MigrateRequest request_of(const MigrateOptions& options, Session& session) {
  db::MigrateRequest request;
  request.to = options.to.value_or(db::newest_schema());
  request.strict = options.strict;
  request.backup = options.backup;
  request.backup_path = options.backup_path;
  request.now = session.clock.wall();
  return request;
}

/// A database that is refused, or is up to date, is never opened for writing.
Result<db::MigrateReport> look_or_migrate(const MigrateOptions& options, Session& session,
                                          std::unique_ptr<db::Connection>& connection,
                                          const db::MigrateProgress& go_on) {
  const db::MigrateRequest request = request_of(options, session);
  db::WriteLock lock(connection->real_path(), patience(session));
  if (options.dry_run) return db::Migrator(*connection, lock).rehearse(request, go_on);
  auto report = db::Migrator(*connection, lock).check(request, go_on);
  if (!report || report->stopped || report->applied.empty()) return report;
  connection = open_any_version(session, db::OpenMode::read_write);
  return db::Migrator(*connection, lock).run(request, go_on);
}

ExitCode migrate(const MigrateOptions& options, Session& session, std::unique_ptr<db::Connection> connection) {
  const SignalGuard signals;
  Progress progress(session.output, session.clock, "records");
  const auto go_on = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
    return session.clock.stop_signal() == 0;
  };
  const db::MigrateReport report = value_of(look_or_migrate(options, session, connection, go_on));
  if (report.stopped) return print_stopped(session);
  progress.end();
  return print_report(report, report.rehearsed ? *report.rehearsed : connection->database(), options.dry_run, session);
}

ExitCode import(const MigrateOptions& options, Session& session) {
  const SignalGuard signals;
  Progress progress(session.output, session.clock, "records");
  const auto go_on = [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
    return session.clock.stop_signal() == 0;
  };
  if (!options.dry_run) make_default_folders(session);
  db::ImportRequest request;
  request.channel_db = *options.from_lnd;
  request.database = session.global.database;
  request.assume_v04 = options.assume_v04;
  request.strict = options.strict;
  request.dry_run = options.dry_run;
  request.lock_timeout_ns = patience(session);
  request.now = session.clock.wall();
  const db::MigrateReport report = value_of(db::import_from_lnd(request, go_on));
  if (report.stopped) return print_stopped(session);
  progress.end();
  if (report.rehearsed) return print_report(report, *report.rehearsed, true, session);
  const auto written = open_any_version(session, db::OpenMode::read_only);
  return print_report(report, written->database(), false, session);
}

ExitCode run(const MigrateOptions& options, Session& session) {
  if (options.status) return show_status(session);
  if (options.from_lnd) return import(options, session);
  auto connection = open_any_version(session, db::OpenMode::read_only);
  if (connection) return migrate(options, session, std::move(connection));
  db::MigrateReport nothing;
  nothing.from_version = nothing.to_version = db::newest_schema();
  SQLite::Database empty(":memory:");
  return print_report(nothing, empty, options.dry_run, session);
}

}  // namespace

constexpr Command migrate_command = command<MigrateOptions, take, run>({
    .name = "migrate",
    .summary = "Bring an older database, or lnd's, to this version",
    .about =
        "Makes a complete backup first, then all changes in one step: after a crash the database is the old one or the "
        "new one. Unreadable records are kept separately, byte for byte (exit 12), and stop nothing else.",
    .flags = migrate_flags,
    .examples = "  paytower migrate --dry-run\n"
                "  paytower migrate --json | jq .quarantined\n"
                "  paytower --db payments.db migrate --from-lnd ~/.lnd/data/graph/mainnet/channel.db",
});

}  // namespace paytower::cli
