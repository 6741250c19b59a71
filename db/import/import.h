// `migrate --from-lnd`: lnd's channel.db becomes a new payment database, or adds what is new to one of the same node.
#pragma once

#include <string>

#include "db/payments/migrator.h"

namespace paytower::db {

struct ImportRequest {
  std::string channel_db;   ///< lnd's file, only read
  std::string database;     ///< made when it is missing
  bool assume_v04 = false;  ///< database versions 0 to 2 are as lnd 0.4 wrote them
  bool strict = false;      ///< anything to quarantine refuses, and nothing is written
  bool dry_run = false;
  std::int64_t lock_timeout_ns = 0;  ///< how long another paytower is waited for
  UnixNs now{};
};

/// All that the file holds is worked out in a private database first. A new `database` gets its name only when it is
/// complete and synced: a crash leaves nothing or all. One that is there must hold earlier imports of the same node
/// alone, and takes what is new in one transaction: rows, and the end of payments that were in flight when they were
/// imported. The report counts what is new; `rehearsed` holds what it tells of in a dry run.
///
/// Throws RefusalError: usage (not lnd's file, damaged, a version that is not read, no source node), busy (lnd runs,
/// another paytower writes), parameters_differ (the database holds something else), schema_older, schema_newer,
/// database (strict; no space); StoreError; MigrationStopped.
[[nodiscard]] MigrateReport import_from_lnd(const ImportRequest& request, const MigrateProgress& progress);

/// Adds what the attached database "staged" has and `database` has not, inside the caller's transaction, and counts it.
/// Throws RefusalError(parameters_differ) when `database` is not one of earlier imports of the same node.
/// `same_numbers`: rows are the same when their sequence numbers and hashes are; else when hash and time of creation
/// are.
void add_staged(SQLite::Database& database, bool same_numbers, migrations::StepReport& report);

}  // namespace paytower::db
