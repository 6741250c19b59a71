#include "cli/commands/migrate_report.h"

#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr std::uint64_t most_lines = 20;

Json steps_json(const std::vector<db::StepName>& steps) {
  Json list = Json::array();
  for (const db::StepName& step : steps) list.push_back(Json{{"version", step.version}, {"name", step.name}});
  return list;
}

/// Elements go out as they come: a million of them need no more memory than one.
class JsonList {
 public:
  JsonList(Output& output, std::string_view name) : output_(output) {
    output_.result(",\"" + std::string(name) + "\":[");
  }
  ~JsonList() = default;
  JsonList(const JsonList&) = delete;
  JsonList& operator=(const JsonList&) = delete;

  void add(const Json& element) {
    output_.result((empty_ ? "" : ",") + dump(element));
    empty_ = false;
  }
  void end() { output_.result("]"); }

 private:
  Output& output_;
  bool empty_ = true;
};

void print_json(const db::MigrateReport& report, SQLite::Database& database, bool dry_run, Output& output) {
  Json head;
  head["from_version"] = report.from_version;
  head["to_version"] = report.to_version;
  head["applied"] = steps_json(report.applied);
  head["backup_path"] = report.backup_path ? Json(*report.backup_path) : Json();
  head["read"] = report.counts.read;
  head["migrated"] = report.counts.migrated;
  head["duplicates"] = report.counts.duplicates;
  std::string text = dump(head);
  text.pop_back();
  output.result(text);
  JsonList aside(output, "quarantined");
  if (report.counts.quarantined > 0) {
    db::each_set_aside(database, report.at, [&aside](const db::SetAside& one) {
      Json json;
      json["sequence"] = one.sequence ? Json(std::to_string(*one.sequence)) : Json();
      json["payment_hash"] = hex_json(one.hash);
      json["reason"] = one.reason;
      aside.add(json);
    });
  }
  aside.end();
  JsonList guards(output, "guards");
  if (report.counts.guards > 0) {
    db::each_new_guard(database, report.at, [&guards](const PaymentHash& hash, GuardKind kind) {
      guards.add(Json{{"payment_hash", hash.hex()}, {"kind", guard_kind_name(kind)}});
    });
  }
  guards.end();
  output.result(",\"guards_resolved\":" + std::to_string(report.counts.guards_resolved) +
                ",\"notes\":" + dump(Json(report.notes)));
  output.result(std::string(",\"dry_run\":") + (dry_run ? "true" : "false") + "}\n");
}

std::string more_line(std::uint64_t lines) {
  return lines > most_lines ? "  and " + std::to_string(lines - most_lines) + " more\n" : std::string();
}

void print_text(const db::MigrateReport& report, SQLite::Database& database, bool dry_run, Output& output) {
  if (report.backup_path) output.result("Backup: " + printable(*report.backup_path) + "\n");
  for (const db::StepName& step : report.applied) {
    output.result((dry_run ? "Would apply step " : "Applied step ") + std::to_string(step.version) + " (" + step.name +
                  ")\n");
  }
  output.result(counted(report.counts.read, "record") + " read: " + counted(report.counts.migrated, "payment") + ", " +
                counted(report.counts.duplicates, "duplicate") + ", " + std::to_string(report.counts.quarantined) +
                " set aside; " + counted(report.counts.guards, "guard") + "\n");
  if (report.counts.guards_resolved > 0) {
    output.result(counted(report.counts.guards_resolved, "guard") +
                  " of what was in flight dropped: its end is known now.\n");
  }
  for (const std::string& note : report.notes) output.result("Note: " + printable(note) + ".\n");
  if (report.counts.counter_raised) {
    output.result("The counter of sequence numbers stood below the largest number in use; it goes on behind " +
                  std::to_string(report.counts.counter) + ".\n");
  }
  std::uint64_t lines = 0;
  if (report.counts.quarantined > 0) {
    db::each_set_aside(database, report.at, [&](const db::SetAside& one) {
      if (lines++ >= most_lines) return;
      output.result(
          "  set aside: " + (one.sequence ? "record " + std::to_string(*one.sequence) : std::string("an entry")) +
          (one.hash ? " of " + one.hash->hex() : "") + ": " + printable(one.reason) + "\n");
    });
  }
  output.result(more_line(lines));
  lines = 0;
  if (report.counts.guards > 0) {
    db::each_new_guard(database, report.at, [&](const PaymentHash& hash, GuardKind kind) {
      if (lines++ < most_lines)
        output.result("  guard: " + hash.hex() + " " + std::string(guard_kind_name(kind)) + "\n");
    });
  }
  output.result(more_line(lines));
  if (dry_run) {
    output.result("Nothing was changed.\n");
  } else {
    output.result("The database has version " + std::to_string(report.to_version) + ".\n");
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
  error.message = counted(report.counts.quarantined, "record") + " could not be read" +
                  (dry_run ? "; a migration sets that aside" : "; set aside byte for byte");
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
