// Runs the schema's steps on a payment database, new or old.
#pragma once

#include <cstdint>
#include <functional>

#include <SQLiteCpp/Database.h>

#include "migrations/migrations.h"

namespace paytower::db {

/// Runs the steps above version `from` up to `to`, adds them to the history, and gives the store a name if it has none.
/// REQUIRES: a transaction is open; the caller sets user_version. Throws what migrations::run and `progress` throw.
migrations::StepReport apply_steps(SQLite::Database& database, int from, int to, std::int64_t now_ns,
                                   const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

}  // namespace paytower::db
