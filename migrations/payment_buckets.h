// The C++ of step 0002: version 1's records become payments, duplicates, guards, or quarantined bytes.
#pragma once

#include "migrations/migrations.h"

namespace paytower::migrations {

/// The tables of version 2 exist; their indexes and triggers do not yet.
void move_records(SQLite::Database& database, StepContext& context);
/// Statuses become guards, the counter is carried on, the count is checked, and the tables of version 1 are dropped.
void finish_buckets(SQLite::Database& database, StepContext& context);

/// Notes which payments are out of order (`payments_out_of_order`), for all rows that have not been noted yet; one walk
/// through the payments. REQUIRES: a transaction. To be called after imported payments were stored.
void note_order(SQLite::Database& database);

}  // namespace paytower::migrations
