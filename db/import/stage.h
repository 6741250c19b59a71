// A payment database made from lnd's file alone: an import then publishes it, or adds it to an existing one.
#pragma once

#include <SQLiteCpp/Database.h>

#include "db/import/lnd/source.h"
#include "db/payments/statement_watch.h"

namespace paytower::db {

/// Fills the empty `database` with the newest schema and everything in `source`, in one transaction. Legacy layouts go
/// through version 1 and the migration's own step; key-value layouts are converted row by row. What cannot become a row
/// is quarantined, and its hash gets a guard if it may be paid or in flight. Refuses (usage) damage of the file, and a
/// file without source node. Throws SQLite::Exception and MigrationStopped.
[[nodiscard]] migrations::StepReport fill_from_lnd(SQLite::Database& database, const lnd::Source& source, UnixNs now,
                                                   const MigrateProgress& progress);

/// Stores key-value payments as rows of version 2; part of fill_from_lnd.
void convert_payments(SQLite::Database& database, const lnd::Source& source, UnixNs now, StatementWatch& watch,
                      migrations::StepReport& report);

}  // namespace paytower::db
