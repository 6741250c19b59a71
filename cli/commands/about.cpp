#include <SQLiteCpp/SQLiteCpp.h>

#include "cli/commands/commands.h"
#include "cli/output/render.h"

#ifndef PAYTOWER_VERSION
#error "the build defines PAYTOWER_VERSION"
#endif

namespace paytower::cli {

ExitCode run(const TextOptions& options, Session& session) {
  session.output.result(options.text);
  return ExitCode::ok;
}

ExitCode run(const VersionOptions& options, Session& session) {
  if (session.output.json()) {
    Json json;
    json["version"] = PAYTOWER_VERSION;
    json["sqlite"] = SQLite::getLibVersion();
    session.output.result(dump(json) + "\n");
    return ExitCode::ok;
  }
  session.output.result(std::string("paytower ") + PAYTOWER_VERSION + "\n");
  if (options.libraries) session.output.result(std::string("SQLite ") + SQLite::getLibVersion() + "\n");
  return ExitCode::ok;
}

}  // namespace paytower::cli
