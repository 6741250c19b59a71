// `migrate --from-lnd`: makes a new payment database from lnd's files, or adds what is new to one of the same node.
#pragma once

#include <string>

#include "db/payments/migrator.h"

namespace paytower::db {

struct ImportRequest {
  std::string channel_db;   ///< lnd's file; it is only read
  std::string database;     ///< it is made if it is missing
  bool assume_v04 = false;  ///< treat database versions 0 to 2 as written by lnd 0.4
  bool strict = false;      ///< if anything would be quarantined, refuse and write nothing
  bool dry_run = false;
  std::int64_t lock_timeout_ns = 0;  ///< how long to wait for another paytower
  UnixNs now{};
};

/// First all that the file contains is put into a private database. A new `database` gets its name only when it is
/// complete and synced: a crash leaves nothing or all of it. An existing one must contain only earlier imports of the
/// same node, and gets what is new in one transaction: rows, and the end of payments that were in flight when they were
/// imported. The report counts what is new; after a dry run, `rehearsed` holds the result.
///
/// Refused: usage (not lnd's file, damaged, a version that cannot be read, no source node), busy (lnd is running,
/// another paytower writes), parameters_differ (the database contains something else), schema_older, schema_newer,
/// database (strict; no space). Throws StoreError (R10).
[[nodiscard]] Result<MigrateReport> import_from_lnd(const ImportRequest& request, const MigrateProgress& progress);

}  // namespace paytower::db
