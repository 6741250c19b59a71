// Adds an import to a database that has earlier ones.
#pragma once

#include <SQLiteCpp/Database.h>

#include "migrations/migrations.h"

namespace paytower::db {

/// Adds what the attached database "staged" has and `database` does not, inside the caller's transaction, and counts
/// it. Refuses (parameters_differ) if `database` does not consist of earlier imports of the same node. `same_numbers`:
/// rows are the same if their sequence numbers and hashes are; otherwise if hash and time of creation are.
void add_staged(SQLite::Database& database, bool same_numbers, migrations::StepReport& report);

}  // namespace paytower::db
