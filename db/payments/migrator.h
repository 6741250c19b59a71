// Bringing a payment database to a newer schema: a backup first, then all pending steps in one transaction.
#pragma once

#include <cstdint>
#include <exception>
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

/// The version that this paytower works with.
[[nodiscard]] constexpr int newest_schema() { return migrations::newest_version; }

struct StepName {
  int version = 0;
  std::string name;
};

struct MigrateStatus {
  int version = 0;  ///< of the database
  int latest = 0;   ///< that this paytower knows
  std::vector<StepName> pending;
  std::uint64_t quarantined = 0;  ///< records set aside so far
};

struct MigrateRequest {
  int to = migrations::newest_version;
  bool strict = false;  ///< anything to quarantine refuses before any write
  bool backup = true;
  std::optional<std::string> backup_path;  ///< nothing: `<database>.v<version>.bak`, `.bak.1`, ...
  UnixNs now{};
};

/// Told how much is done of how much; `total` 0 = not known. False ends the call: everything is as before.
using MigrateProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// The call was ended by its progress: nothing was changed.
class MigrationStopped : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "interrupted; nothing was changed"; }
};

struct MigrateReport {
  int from_version = 0;
  int to_version = 0;
  std::vector<StepName> applied;
  std::optional<std::string> backup_path;
  migrations::StepReport counts;
  std::vector<std::string> notes;               ///< what was concluded about the source and not read from it, in words
  UnixNs at{};                                  ///< stands on the guards and quarantined records of this very call
  std::shared_ptr<SQLite::Database> rehearsed;  ///< of a dry run: what the database would have become
};

/// A record that was set aside, as a report names it.
struct SetAside {
  std::optional<std::int64_t> sequence;
  std::optional<PaymentHash> hash;
  std::string reason;
};

/// Records and guards that a migration or import of the instant `at` left in `database`, one at a time, in order.
void each_set_aside(SQLite::Database& database, UnixNs at, const std::function<void(const SetAside&)>& visit);
void each_new_guard(SQLite::Database& database, UnixNs at,
                    const std::function<void(const PaymentHash&, GuardKind)>& visit);

/// Works on a connection that was opened with OpenOptions::any_version. Not for two threads.
class Migrator {
 public:
  Migrator(Connection& connection, WriteLock& lock) : connection_(connection), lock_(lock) {}

  /// Works on a read-only connection.
  [[nodiscard]] MigrateStatus status();

  /// What run() would refuse without having looked at more than the records: the versions, and with `strict` what
  /// cannot be read. The report names the steps. Works on a read-only connection, so that what is refused was not even
  /// opened to write.
  [[nodiscard]] MigrateReport check(const MigrateRequest& request, const MigrateProgress& progress);

  /// Backup, steps, history and version. After a crash at any moment the database is the old one or the new one. Throws
  /// RefusalError: schema_newer (not touched), busy, usage (`to` below the version or above the newest; a backup that
  /// exists; what the records need is missing), database (strict, and something cannot be read; no backup could be
  /// made). StoreError (R10), MigrationStopped.
  [[nodiscard]] MigrateReport run(const MigrateRequest& request, const MigrateProgress& progress);

  /// The same report, worked out on a private copy that goes with it. The database is only read. Errors as run().
  [[nodiscard]] MigrateReport rehearse(const MigrateRequest& request, const MigrateProgress& progress);

 private:
  [[nodiscard]] MigrateReport begin(const MigrateRequest& request);
  void refuse_unreadable(const MigrateRequest& request, const MigrateProgress& progress);
  [[nodiscard]] std::string make_backup(const MigrateRequest& request, int version, const MigrateProgress& progress);

  Connection& connection_;
  WriteLock& lock_;
};

/// While it lives, long statements of `database` ask `go_on` too, and end with SQLITE_INTERRUPT when it says no.
class StatementWatch {
 public:
  StatementWatch(SQLite::Database& database, const MigrateProgress& go_on);
  ~StatementWatch();
  StatementWatch(const StatementWatch&) = delete;
  StatementWatch& operator=(const StatementWatch&) = delete;

  /// For a step: keeps what is done, and throws MigrationStopped.
  void tell(std::uint64_t done, std::uint64_t total);

 private:
  static int ask(void* self);

  SQLite::Database& database_;
  const MigrateProgress& go_on_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

/// Runs `work` under a watch; an interrupted statement leaves as MigrationStopped.
void watched(SQLite::Database& database, const MigrateProgress& go_on,
             const std::function<void(StatementWatch&)>& work);

}  // namespace paytower::db
