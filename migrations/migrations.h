// The numbered steps of the payment database's schema, built into the program. A released step is frozen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <SQLiteCpp/Database.h>

namespace paytower::migrations {

/// What a step accounts for (R14): read = migrated + duplicates + quarantined.
struct StepReport {
  std::uint64_t read = 0;
  std::uint64_t migrated = 0;         ///< the first records of their hashes
  std::uint64_t duplicates = 0;       ///< later records of the same hashes
  std::uint64_t quarantined = 0;      ///< records and statuses that could not be read, kept byte for byte
  std::uint64_t guards = 0;           ///< hashes that stay blocked although no payment of theirs is stored
  std::uint64_t guards_resolved = 0;  ///< guards of what was in flight, dropped because the end is known now
  std::int64_t counter = 0;           ///< the last sequence number that was given out
  bool counter_raised = false;        ///< it was below the largest number in use
};

/// Given to a step; outlives it.
struct StepContext {
  std::int64_t now_ns = 0;  ///< the time on guards and quarantined records
  /// Gets from time to time how much is done. May throw: then the caller undoes the transaction.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
  StepReport report{};
};

struct Step {
  int version;            ///< the schema version that the step leads to
  std::string_view name;  ///< of its file
  std::string_view sql;   ///< run as a whole, inside a transaction of the caller
  /// C++ for what SQL cannot do: `move` runs at the SQL's line "-- [...]", `finish` at the end. May be null.
  void (*move)(SQLite::Database& database, StepContext& context) = nullptr;
  void (*finish)(SQLite::Database& database, StepContext& context) = nullptr;
};

/// In the order of their versions. A new database runs them all.
[[nodiscard]] std::span<const Step> steps();

/// Runs a step inside the caller's transaction. Refuses if something that the rows need is missing, such as the node's
/// own key (usage), or the count does not add up (database). Throws SQLite::Exception too. Then the caller undoes the
/// transaction.
void run(SQLite::Database& database, const Step& step, StepContext& context);

/// The first record of a version 1 database that would be quarantined, in words. Nothing if all can be read. Only
/// reads.
[[nodiscard]] std::optional<std::string> first_unreadable(SQLite::Database& database, StepContext& context);

/// The schema version that this program reads and writes.
inline constexpr int newest_version = 5;

}  // namespace paytower::migrations
