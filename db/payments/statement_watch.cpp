// Asks between the operations of a statement whether it is still wanted.
#include "db/payments/statement_watch.h"

#include <sqlite3.h>

#include <SQLiteCpp/Exception.h>

namespace paytower::db {

namespace {

constexpr int operations_between_questions = 100'000;

}  // namespace

StatementWatch::StatementWatch(SQLite::Database& database, const MigrateProgress& go_on)
    : database_(database), go_on_(go_on) {
  sqlite3_progress_handler(database_.getHandle(), operations_between_questions, &StatementWatch::ask, this);
}

StatementWatch::~StatementWatch() { sqlite3_progress_handler(database_.getHandle(), 0, nullptr, nullptr); }

void StatementWatch::tell(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
  if (go_on_ && !go_on_(done, total)) throw MigrationStopped();
}

int StatementWatch::ask(void* self) {
  auto& watch = *static_cast<StatementWatch*>(self);
  return watch.go_on_ && !watch.go_on_(watch.done_, watch.total_) ? 1 : 0;
}

void watched(SQLite::Database& database, const MigrateProgress& go_on,
             const std::function<void(StatementWatch&)>& work) {
  StatementWatch watch(database, go_on);
  try {
    work(watch);
  } catch (const SQLite::Exception& error) {
    if ((error.getErrorCode() & 0xFF) == SQLITE_INTERRUPT) throw MigrationStopped();
    throw;
  }
}

}  // namespace paytower::db
