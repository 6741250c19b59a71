// Whether a payment database has the schema that paytower made: the triggers and indexes refuse what must not be
// stored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>

namespace paytower::db {

/// Over paytower's tables, all that hangs on them, and every trigger; in whatever order they were made. Views and
/// tables of somebody else do not count: they change nothing of ours.
[[nodiscard]] std::uint64_t schema_digest(SQLite::Database& database);
/// schema_digest of the newest schema; a test compares it with a database that was just made.
inline constexpr std::uint64_t newest_schema_digest = 0x9771e9238a39f7cd;

/// For every open: a tenth of a millisecond.
[[nodiscard]] bool schema_as_made(SQLite::Database& database);
/// For `check`: what is missing, changed, or of somebody else's making; compared with a database that is made for it in
/// memory.
[[nodiscard]] std::vector<std::string> schema_problems(SQLite::Database& database);

}  // namespace paytower::db
