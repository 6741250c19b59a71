// Whether a payment database has the schema that paytower made. Its triggers and indexes refuse what must not be
// stored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>

namespace paytower::db {

/// Over paytower's tables, all that belongs to them, and every trigger; in whatever order they were made. Views and
/// tables of other programs do not count: they change nothing of ours.
[[nodiscard]] std::uint64_t schema_digest(SQLite::Database& database);
/// The schema_digest of the newest schema. A test compares it with a new database.
inline constexpr std::uint64_t newest_schema_digest = 0xab15bb8cc088f446;

/// For every open: it takes a tenth of a millisecond.
[[nodiscard]] bool schema_as_made(SQLite::Database& database);
/// For `check`: what is missing, changed, or was not made by paytower. Nothing where the digest is right; else it
/// compares with a database that is made in memory for this.
[[nodiscard]] std::vector<std::string> schema_problems(SQLite::Database& database);

}  // namespace paytower::db
