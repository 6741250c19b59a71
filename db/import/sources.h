// lnd's payments wherever it keeps them: bbolt, its key-value tree in SQLite, its native SQL tables.
#pragma once

#include <memory>
#include <string>

#include "db/import/lnd/source.h"

namespace paytower::db {

class LndSqlite;

struct OpenLndSource {
  bool assume_v04 = false;  ///< see lnd::OpenChannelDb
};

/// Opens `path`: channel.db, channel.sqlite, lnd.sqlite, or a folder of lnd's, in which the file that has the payments
/// is found. A key-value file beside an lnd.sqlite to which its payments have moved is refused with the path of that
/// one. Throws RefusalError (usage, busy, database); whatever is refused says the next step.
[[nodiscard]] std::unique_ptr<lnd::Source> open_lnd_source(const std::string& path, const OpenLndSource& options);

// The kinds of file. Each takes over the open one, or throws RefusalError (usage).
[[nodiscard]] std::unique_ptr<lnd::Source> native_sql_source(std::unique_ptr<LndSqlite> file);
[[nodiscard]] std::unique_ptr<lnd::Source> key_value_sql_source(std::unique_ptr<LndSqlite> file);
/// Whether lnd has moved its payments into the native tables of `file`.
[[nodiscard]] bool has_native_payments(const LndSqlite& file);

}  // namespace paytower::db
