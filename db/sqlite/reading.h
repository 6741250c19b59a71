// Reads that see one state of the file, with the database's errors as ours.
#pragma once

#include <utility>

#include <SQLiteCpp/Exception.h>

#include "core/base/error.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Runs `fn()` in one read transaction and returns what it returned. RefusalError(busy) and StoreError as
/// throw_as_ours, RefusalError(database) for a stored value that is not what its column promises.
template <typename Fn> auto reading(Connection& connection, Fn&& fn) {
  try {
    const ReadTransaction snapshot(connection);
    return std::forward<Fn>(fn)();
  } catch (const BadValue& error) {
    throw RefusalError(Error{Errc::database,
                             std::string("a stored row cannot be read: ") + error.what() + "; it was not touched",
                             "paytower check"});
  } catch (const SQLite::Exception& error) {
    throw_as_ours(error, "read the database");
  }
}

}  // namespace paytower::db
