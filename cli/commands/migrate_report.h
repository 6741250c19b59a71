// What a migration or an import did, for people and for scripts.
#pragma once

#include "cli/commands/session.h"
#include "db/payments/migrator.h"

namespace paytower::cli {

/// Prints the report; `database` holds what it tells of (of a dry run: the copy). Returns 0, or 12 when records were
/// kept separately, with the line on stderr that says so.
[[nodiscard]] ExitCode print_report(const db::MigrateReport& report, SQLite::Database& database, bool dry_run,
                                    Session& session);

/// The error of a call that a signal ended: everything is as before.
[[nodiscard]] ExitCode print_stopped(Session& session);

}  // namespace paytower::cli
