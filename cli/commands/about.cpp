#include <array>

#include <SQLiteCpp/SQLiteCpp.h>

#include "cli/commands/commands.h"
#include "cli/output/render.h"

#ifndef PAYTOWER_VERSION
#error "the build defines PAYTOWER_VERSION"
#endif

namespace paytower::cli {

Commands commands() {
  static constexpr std::array<const Command*, 18> all{
      &send_command,   &resume_command,  &list_command,    &show_command,    &cancel_command, &resolve_command,
      &delete_command, &migrate_command, &backup_command,  &check_command,   &stats_command,  &config_command,
      &decode_command, &network_command, &invoice_command, &release_command, &ledger_command, &serve_command};
  return all;
}

void print_version(bool libraries, Session& session) {
  if (session.output.json()) {
    Json json;
    json["version"] = PAYTOWER_VERSION;
    json["sqlite"] = SQLite::getLibVersion();
    session.output.result(dump(json) + "\n");
    return;
  }
  session.output.result(std::string("paytower ") + PAYTOWER_VERSION + "\n");
  if (libraries) session.output.result(std::string("SQLite ") + SQLite::getLibVersion() + "\n");
}

}  // namespace paytower::cli
