// The C++ of step 0002: version 1's records become payments, duplicates, guards, or quarantined bytes.
#pragma once

#include "migrations/migrations.h"

namespace paytower::migrations {

/// Tables of version 2 are there, their indexes and triggers are not.
void move_records(SQLite::Database& database, StepContext& context);
/// Statuses become guards, the counter is carried on, the count is checked, and version 1's tables go.
void finish_buckets(SQLite::Database& database, StepContext& context);

/// Notes which payments lie out of order (`payments_out_of_order`), for all rows that have not been noted; one walk
/// through the payments. REQUIRES: a transaction. Whoever stores imported payments calls it at the end.
void note_order(SQLite::Database& database);

}  // namespace paytower::migrations
