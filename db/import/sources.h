// lnd's payments, wherever it keeps them: bbolt, its key-value tree in SQLite, or its native SQL tables.
#pragma once

#include <memory>
#include <string>

#include "db/import/lnd/source.h"

namespace paytower::db {

class LndSqlite;

struct OpenLndSource {
  bool assume_v04 = false;  ///< see lnd::OpenChannelDb
};

/// Opens `path`: channel.db, channel.sqlite, lnd.sqlite, or a folder of lnd's, in which the file with the payments is
/// found. A key-value file is refused if there is an lnd.sqlite beside it to which its payments have moved; the refusal
/// names that file. Refuses (usage, busy, database); every refusal says what to do next.
[[nodiscard]] std::unique_ptr<lnd::Source> open_lnd_source(const std::string& path, const OpenLndSource& options);

// The kinds of file. Each takes over the open file, or refuses (usage).
[[nodiscard]] std::unique_ptr<lnd::Source> native_sql_source(std::unique_ptr<LndSqlite> file);
[[nodiscard]] std::unique_ptr<lnd::Source> key_value_sql_source(std::unique_ptr<LndSqlite> file);
/// Whether lnd has moved its payments into the native tables of `file`.
[[nodiscard]] bool has_native_payments(const LndSqlite& file);

}  // namespace paytower::db
