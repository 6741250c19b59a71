// The schema's steps as they are run on a payment database, new or old.
#pragma once

#include <cstdint>
#include <functional>

#include <SQLiteCpp/Database.h>

#include "migrations/migrations.h"

namespace paytower::db {

/// Runs the steps above version `from` up to `to`, writes them into the history, and names the store where it has no
/// name yet. REQUIRES: a transaction is open; user_version is the caller's. Throws as migrations::run, and what
/// `progress` throws.
migrations::StepReport apply_steps(SQLite::Database& database, int from, int to, std::int64_t now_ns,
                                   const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

}  // namespace paytower::db
