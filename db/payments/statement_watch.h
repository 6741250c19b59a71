// How a migration or an import is stopped, also inside a long statement, and what it then reports.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>

#include <SQLiteCpp/Database.h>

#include "core/base/refuse.h"
#include "db/payments/migrator.h"

namespace paytower::db {

/// The progress function has ended the work. It leaves db as MigrateReport::stopped.
class MigrationStopped : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "interrupted; nothing was changed"; }
};

/// What `work()` reports, or the refusal that it threw.
template <typename Work> Result<MigrateReport> reported(Work&& work) {
  return result_of([&] {
    try {
      return work();
    } catch (const MigrationStopped&) {
      MigrateReport report;
      report.stopped = true;
      return report;
    }
  });
}

/// As long as it lives, long statements of `database` also ask `go_on`, and end with SQLITE_INTERRUPT if it says no.
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

/// Runs `work` under a watch; if a statement is interrupted, throws MigrationStopped.
void watched(SQLite::Database& database, const MigrateProgress& go_on,
             const std::function<void(StatementWatch&)>& work);

}  // namespace paytower::db
