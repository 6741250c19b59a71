// A payment database made from lnd's file alone: what an import then publishes, or adds to a database that is there.
#pragma once

#include <SQLiteCpp/Database.h>

#include "db/import/lnd/source.h"
#include "db/payments/migrator.h"

namespace paytower::db {

/// Fills the empty `database` with the newest schema and all that `source` holds, in one transaction. Legacy layouts go
/// through version 1 and the migration's own step; key-value layouts are converted row by row. What cannot be a row is
/// quarantined, and its hash guarded where it may be paid or in flight. Throws RefusalError (usage: damage of the file,
/// no source node), SQLite::Exception, MigrationStopped.
[[nodiscard]] migrations::StepReport fill_from_lnd(SQLite::Database& database, const lnd::Source& source, UnixNs now,
                                                   const MigrateProgress& progress);

/// Key-value payments into version 2 rows; part of fill_from_lnd.
void convert_payments(SQLite::Database& database, const lnd::Source& source, UnixNs now, StatementWatch& watch,
                      migrations::StepReport& report);

}  // namespace paytower::db
