// The numbered steps of the payment database's schema, embedded in the program. Frozen once released.
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
  std::uint64_t migrated = 0;         ///< first records of their hashes
  std::uint64_t duplicates = 0;       ///< later ones
  std::uint64_t quarantined = 0;      ///< records and statuses that could not be read, kept byte for byte
  std::uint64_t guards = 0;           ///< hashes that stay refused although no payment of theirs is stored
  std::uint64_t guards_resolved = 0;  ///< of what was in flight, dropped because its end is known now
  std::int64_t counter = 0;           ///< the sequence number handed out last
  bool counter_raised = false;        ///< it stood below the largest number in use
};

/// Handed to a step; outlives it.
struct StepContext {
  std::int64_t now_ns = 0;  ///< stands on guards and quarantined records
  /// Told from time to time how much is done. May throw: the caller undoes the transaction.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
  StepReport report{};
};

struct Step {
  int version;            ///< the schema version that the step leads to
  std::string_view name;  ///< of its file
  std::string_view sql;   ///< run as a whole, inside a transaction of the caller's
  /// C++ where SQL cannot: runs where the SQL's line "-- [...]" stands (`move`), and at the end (`finish`). May be
  /// null.
  void (*move)(SQLite::Database& database, StepContext& context) = nullptr;
  void (*finish)(SQLite::Database& database, StepContext& context) = nullptr;
};

/// In order of their versions. A new database runs them all.
[[nodiscard]] std::span<const Step> steps();

/// Runs a step inside the caller's transaction. Throws SQLite::Exception, and RefusalError (usage: what the rows need
/// is not there, such as the node's own key; database: the count does not add up). The caller undoes the transaction
/// then.
void run(SQLite::Database& database, const Step& step, StepContext& context);

/// The first record of a version 1 database that would be quarantined, in words; nothing when all can be read. Reads
/// only.
[[nodiscard]] std::optional<std::string> first_unreadable(SQLite::Database& database, StepContext& context);

/// The version that this program reads and writes.
inline constexpr int newest_version = 3;

}  // namespace paytower::migrations
