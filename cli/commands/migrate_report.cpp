// What a migration or an import tells at its end, for people and as JSON.
#include "cli/commands/migrate_report.h"

#include <fmt/core.h>

#include "cli/output/json.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

constexpr std::uint64_t most_lines = 20;

void write_head(JsonWriter& out, const db::MigrateReport& report) {
  out.key("from_version").number(static_cast<std::uint64_t>(report.from_version));
  out.key("to_version").number(static_cast<std::uint64_t>(report.to_version));
  out.key("applied").begin_array();
  for (const db::StepName& step : report.applied) {
    out.element().begin_object();
    out.key("version").number(static_cast<std::uint64_t>(step.version));
    out.key("name").text(step.name);
    out.end_object();
  }
  out.end_array();
  out.key("backup_path");
  report.backup_path ? out.text(*report.backup_path) : out.null();
  out.key("read").number(report.counts.read);
  out.key("migrated").number(report.counts.migrated);
  out.key("duplicates").number(report.counts.duplicates);
}

void write_notes(JsonWriter& out, const std::vector<std::string>& notes) {
  out.key("notes").begin_array();
  for (const std::string& note : notes) out.element().text(note);
  out.end_array();
}

void print_json(const db::MigrateReport& report, SQLite::Database& database, bool dry_run, Output& output) {
  GrowingJson json(output);
  JsonWriter& out = json.writer();
  out.begin_object();
  write_head(out, report);
  out.key("quarantined").begin_array();
  if (report.counts.quarantined > 0) {
    (void)value_of(db::each_set_aside(database, report.at, [&](const db::SetAside& one) {
      out.element().begin_object();
      out.key("sequence");
      one.sequence ? out.text(std::to_string(*one.sequence)) : out.null();
      out.key("payment_hash").maybe_hex(one.hash);
      out.key("reason").text(one.reason);
      out.end_object();
      json.pass_on();
    }));
  }
  out.end_array();
  out.key("guards").begin_array();
  if (report.counts.guards > 0) {
    (void)value_of(db::each_new_guard(database, report.at, [&](const PaymentHash& hash, GuardKind kind) {
      out.element().begin_object();
      out.key("payment_hash").hex(hash);
      out.key("kind").text(guard_kind_name(kind));
      out.end_object();
      json.pass_on();
    }));
  }
  out.end_array();
  out.key("guards_resolved").number(report.counts.guards_resolved);
  write_notes(out, report.notes);
  out.key("dry_run").boolean(dry_run);
  out.end_object();
  json.end();
}

std::string more_line(std::uint64_t lines) {
  return lines > most_lines ? fmt::format("  and {} more\n", lines - most_lines) : std::string();
}

std::string_view why_blocked(GuardKind kind) {
  switch (kind) {
    case GuardKind::in_flight: return "in flight at lnd";
    case GuardKind::paid_without_record: return "lnd says paid, but the record is unreadable";
    case GuardKind::paid_deleted: return "paid, and deleted";
    case GuardKind::written_off: return "written off, or its outcome is unknown";
  }
  return {};
}

void print_text(const db::MigrateReport& report, SQLite::Database& database, bool dry_run, Output& output) {
  if (report.backup_path) output.line(fmt::format("Backup: {}", printable(*report.backup_path)));
  const auto& counts = report.counts;
  for (const db::StepName& step : report.applied)
    output.line(fmt::format("{} step {} ({})", dry_run ? "Would apply" : "Applied", step.version, step.name));
  // Only the oldest version, and lnd, have records that have to be read.
  if (!report.applied.empty() && report.from_version > 1) {
    output.line("Every payment is kept as it is.");
  } else {
    output.line(fmt::format("{} read: {}, {}, {} unreadable; {}", counted(counts.read, "record"),
                            counted(counts.migrated, "payment"), counted(counts.duplicates, "duplicate"),
                            counts.quarantined, counted(counts.guards, "blocked hash")));
  }
  if (counts.guards_resolved > 0) {
    output.line(fmt::format("{} no longer blocked as in flight: the end is known now.",
                            counted(counts.guards_resolved, "hash")));
  }
  for (const std::string& note : report.notes) output.line(fmt::format("Note: {}.", printable(note)));
  if (counts.counter_raised) {
    output.line(
        fmt::format("The counter of sequence numbers stood below the largest number in use; it goes on behind {}.",
                    counts.counter));
  }
  std::uint64_t lines = 0;
  if (report.counts.quarantined > 0) {
    (void)value_of(db::each_set_aside(database, report.at, [&](const db::SetAside& one) {
      if (lines++ >= most_lines) return;
      const std::string which = one.sequence ? fmt::format("record {}", *one.sequence) : "an entry";
      output.line(fmt::format("  unreadable: {}{}: {}", which, one.hash ? fmt::format(" of {}", one.hash->hex()) : "",
                              printable(one.reason)));
    }));
  }
  output.result(more_line(lines));
  lines = 0;
  if (report.counts.guards > 0) {
    (void)value_of(db::each_new_guard(database, report.at, [&](const PaymentHash& hash, GuardKind kind) {
      if (lines++ < most_lines) output.line(fmt::format("  blocked: {}, {}", hash.hex(), why_blocked(kind)));
    }));
  }
  output.result(more_line(lines));
  if (dry_run) {
    output.line("Nothing was changed.");
  } else {
    output.line(fmt::format("The database has version {}.", report.to_version));
  }
}

}  // namespace

ExitCode print_report(const db::MigrateReport& report, SQLite::Database& database, bool dry_run, Session& session) {
  Output& output = session.output;
  if (output.json()) {
    print_json(report, database, dry_run, output);
  } else {
    print_text(report, database, dry_run, output);
  }
  output.flush();
  if (report.counts.quarantined == 0) return ExitCode::ok;
  ErrorReport error;
  error.code = "quarantined";
  error.exit_code = ExitCode::quarantined;
  error.message = fmt::format("{} {}", counted(report.counts.quarantined, "unreadable record"),
                              dry_run ? "would be kept separately" : "kept separately, byte for byte");
  if (!dry_run) error.hint = "paytower list --quarantine";
  output.error(error);
  return error.exit_code;
}

ExitCode print_stopped(Session& session) {
  ErrorReport error;
  error.code = "interrupted";
  error.exit_code = interrupted_by(session.clock.stop_signal());
  error.message = "interrupted; nothing was changed";
  session.output.error(error);
  return error.exit_code;
}

}  // namespace paytower::cli
