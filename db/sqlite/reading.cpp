// What SQLite's errors are to our callers.
#include "db/sqlite/reading.h"

#include <sqlite3.h>

namespace paytower::db {

Error as_ours(const SQLite::Exception& error, std::string_view doing) {
  const int code = error.getErrorCode() & 0xFF;
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return Error{Errc::busy, fmt::format("cannot {}: another program holds the database; nothing was changed", doing)};
  }
  throw StoreError(fmt::format("cannot {}: {}", doing, error.what()));
}

}  // namespace paytower::db
