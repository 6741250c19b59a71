// Brings a payment database to a newer schema: first a backup, then all missing steps in one transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/payment/payment.h"
#include "db/payments/steps.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

/// The schema version of this paytower.
[[nodiscard]] constexpr int newest_schema() { return migrations::newest_version; }

struct StepName {
  int version = 0;
  std::string name;
};

struct MigrateStatus {
  int version = 0;  ///< of the database
  int latest = 0;   ///< the newest that this paytower knows
  std::vector<StepName> pending;
  std::uint64_t quarantined = 0;  ///< records set aside so far
};

struct MigrateRequest {
  int to = migrations::newest_version;
  bool strict = false;  ///< if anything would be quarantined, refuse before writing
  bool backup = true;
  std::optional<std::string> backup_path;  ///< nothing: `<database>.v<version>.bak`, `.bak.1`, ...
  UnixNs now{};
};

/// Gets how much is done, and of how much; `total` 0: not known. Returning false ends the call, and everything is as
/// before.
using MigrateProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct MigrateReport {
  bool stopped = false;  ///< by the progress function: nothing was changed, and the rest says nothing
  int from_version = 0;
  int to_version = 0;
  std::vector<StepName> applied;
  std::optional<std::string> backup_path;
  migrations::StepReport counts;
  /// In words: what was concluded about the source, because it could not be read from it.
  std::vector<std::string> notes;
  UnixNs at{};                                  ///< the time on the guards and quarantined records of this call
  std::shared_ptr<SQLite::Database> rehearsed;  ///< after a dry run: what the database would have become
};

/// A record that was set aside, as a report shows it.
struct SetAside {
  std::optional<std::int64_t> sequence;
  std::optional<PaymentHash> hash;
  std::string reason;
};

/// The records and guards that the migration or import at time `at` has left in `database`, one by one, in order.
/// Refused: busy, and database for what cannot be read. Throws StoreError (R10).
[[nodiscard]] Result<std::monostate> each_set_aside(SQLite::Database& database, UnixNs at,
                                                    const std::function<void(const SetAside&)>& visit);
[[nodiscard]] Result<std::monostate> each_new_guard(SQLite::Database& database, UnixNs at,
                                                    const std::function<void(const PaymentHash&, GuardKind)>& visit);

/// Needs a connection that was opened with OpenOptions::any_version. For one thread.
class Migrator {
 public:
  Migrator(Connection& connection, WriteLock& lock) : connection_(connection), lock_(lock) {}

  /// A read-only connection is enough.
  [[nodiscard]] Result<MigrateStatus> status();

  /// What run() would refuse after looking at the records alone: the versions and, with `strict`, what cannot be read.
  /// The report names the steps. A read-only connection is enough, so a database that is refused was not even opened to
  /// write.
  [[nodiscard]] Result<MigrateReport> check(const MigrateRequest& request, const MigrateProgress& progress);

  /// Backup, steps, history and version. If the process dies at any moment, the database is the old one or the new one.
  /// Refused: schema_newer (not touched), busy, usage (`to` is below the version or above the newest; the backup file
  /// exists; something is missing that the records need), database (strict, and something cannot be read; no backup
  /// could be made). Throws StoreError (R10).
  [[nodiscard]] Result<MigrateReport> run(const MigrateRequest& request, const MigrateProgress& progress);

  /// The same report, worked out on a private copy that is then dropped. The database is only read. Errors as run().
  [[nodiscard]] Result<MigrateReport> rehearse(const MigrateRequest& request, const MigrateProgress& progress);

 private:
  [[nodiscard]] MigrateReport begin(const MigrateRequest& request);
  void refuse_unreadable(const MigrateRequest& request, const MigrateProgress& progress);
  [[nodiscard]] std::string make_backup(const MigrateRequest& request, int version, const MigrateProgress& progress);

  Connection& connection_;
  WriteLock& lock_;
};

}  // namespace paytower::db
