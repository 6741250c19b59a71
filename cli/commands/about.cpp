// The commands, in the order in which help lists them.
#include <array>

#include "cli/commands/commands.h"

namespace paytower::cli {

Commands commands() {
  static constexpr std::array<const Command*, 19> all{
      &send_command,    &resume_command,  &list_command,   &show_command,    &label_command,
      &cancel_command,  &resolve_command, &delete_command, &migrate_command, &backup_command,
      &check_command,   &stats_command,   &config_command, &decode_command,  &network_command,
      &invoice_command, &release_command, &ledger_command, &serve_command};
  return all;
}

}  // namespace paytower::cli
