// The C++ of step 0002: version 1's records become payments, duplicates, guards, or quarantined bytes.
#pragma once

#include "migrations/migrations.h"

namespace paytower::migrations {

/// Tables of version 2 are there, their indexes and triggers are not.
void move_records(SQLite::Database& database, StepContext& context);
/// Statuses become guards, the counter is carried on, the count is checked, and version 1's tables go.
void finish_buckets(SQLite::Database& database, StepContext& context);

}  // namespace paytower::migrations
