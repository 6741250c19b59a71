// `check`: is the database sound?
#include <utility>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct CheckOptions {};

void take(CheckOptions& /*check*/, const Given& /*given*/) {}

Json report_json(const db::CheckReport& report) {
  Json json;
  json["problems"] = report.problems;
  json["payments"] = report.payments;
  json["attempts"] = report.attempts;
  json["open"] = Json::array();
  for (const auto& entry : report.open) {
    Json one;
    one["node"] = entry.first.node.hex();
    one["network"] = entry.first.network;
    one["attempts"] = entry.second;
    json["open"].push_back(std::move(one));
  }
  return json;
}

std::string report_text(const db::CheckReport& report) {
  std::string text = fmt::format("{}, {}\n", counted(report.payments, "payment"), counted(report.attempts, "attempt"));
  for (const auto& entry : report.open) {
    text += fmt::format("{} at node {} ({})\n", counted(entry.second, "open attempt"), entry.first.node.hex(),
                        printable(entry.first.network));
  }
  for (const std::string& problem : report.problems) text += fmt::format("problem: {}\n", printable(problem));
  if (report.problems.empty()) text += "The database is sound.\n";
  return text;
}

/// Whoever reads "problem" thinks of the payments: a mode is none of theirs.
Error problems_error(const db::CheckReport& report) {
  if (report.opened.size() < report.problems.size())
    return Error{Errc::database, fmt::format("the database has {}", counted(report.problems.size(), "problem"))};
  std::string command = "chmod 600";
  for (const std::string& path : report.opened) command += fmt::format(" {}", shell_word(path));
  return Error{Errc::database,
               fmt::format("the payments are sound, but others have access to {} of the database",
                           counted(report.opened.size(), "file")),
               std::move(command)};
}

ExitCode run(const CheckOptions& /*options*/, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_only);
  const db::CheckReport report = database ? value_of(database->admin.check()) : db::CheckReport{};
  session.output.result(session.output.json() ? fmt::format("{}\n", dump(report_json(report))) : report_text(report));
  if (report.problems.empty()) return ExitCode::ok;
  session.output.flush();
  session.output.error(report_of(problems_error(report)));
  return ExitCode::database;
}

}  // namespace

constexpr Command check_command = command<CheckOptions, take, run>({
    .name = "check",
    .summary = "Check the database",
    .about = "Integrity, every preimage against its hash, file modes, and open attempts of each switch. Exit 0 or 8.",
    .examples = "  paytower check",
});

}  // namespace paytower::cli
