// What `list` shows beside payments: guards, and records that a migration set aside.
#pragma once

#include "cli/commands/list_options.h"
#include "cli/commands/session.h"
#include "cli/output/exit_code.h"

namespace paytower::cli {

/// `database` may be null: then nothing is listed.
[[nodiscard]] ExitCode list_guards(const ListOptions& options, Session& session, Database* database);
[[nodiscard]] ExitCode list_quarantine(const ListOptions& options, Session& session, Database* database);

/// At a terminal, instead of an empty screen: "no payments". Not with --json.
void tell_nothing(Output& output, std::string_view what);

/// At a terminal, behind a list that is cut: how much of it was shown, and how to see all. `total`: how many there are
/// in all; nothing where counting them would take too long.
void tell_rest(Output& output, std::uint64_t shown, std::optional<std::uint64_t> total);
/// Up to here rows are counted for it.
inline constexpr std::uint64_t most_counted = 10'000;

}  // namespace paytower::cli
