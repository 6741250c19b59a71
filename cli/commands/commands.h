// Every command. Each file describes its own: options, flags, and the function that runs it. That function prints its
// result through the session's output and returns the exit code, or throws: RefusalError for a refusal, StoreError
// (R10), SwitchError, OutputError.
#pragma once

#include "cli/arguments/call.h"
#include "cli/commands/session.h"
#include "cli/output/exit_code.h"

namespace paytower::cli {

extern const Command send_command;
extern const Command resume_command;
extern const Command list_command;
extern const Command show_command;
extern const Command label_command;
extern const Command cancel_command;
extern const Command resolve_command;
extern const Command delete_command;
extern const Command migrate_command;
extern const Command backup_command;
extern const Command check_command;
extern const Command stats_command;
extern const Command config_command;
extern const Command decode_command;
extern const Command network_command;
extern const Command invoice_command;
extern const Command release_command;
extern const Command ledger_command;
extern const Command serve_command;

/// In the order of --help.
[[nodiscard]] Commands commands();

/// What --help prints on a terminal of this width: 40 columns at least, 120 at most.
[[nodiscard]] std::string help_text(const Call& call, std::size_t columns);
[[nodiscard]] std::string command_help(const Command& command, std::size_t columns);
/// The same as JSON, for programs.
[[nodiscard]] std::string help_json(const Call& call);
/// Of one flag, in one line.
[[nodiscard]] std::string help_of(const Flag& flag);
/// Every setting that a config file can hold, and the file itself, with value and origin, in the order of the help:
/// what `config` shows.
[[nodiscard]] std::vector<Setting> settings_in_force(const Given& given, const Surroundings& surroundings);
/// --version; `all`: with -v, also the commit, the build and the libraries.
void print_version(bool all, Session& session);

}  // namespace paytower::cli
