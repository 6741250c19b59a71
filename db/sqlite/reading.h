// What may be thrown inside db, turned into what leaves it (db/README 8).
#pragma once

#include <string_view>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// What the database said, as an error of ours: busy if a lock was not free. Throws StoreError for everything else.
/// `doing` completes "cannot ...".
[[nodiscard]] Error as_ours(const SQLite::Exception& error, std::string_view doing);

/// What `fn()` returns (std::monostate for void), or the refusal that it threw. Errc::database for a stored value that
/// does not fit its column, busy as in as_ours(). Throws StoreError as that does.
template <typename Fn> auto readable(Fn&& fn) {
  return result_of([&] {
    try {
      return fn();
    } catch (const BadValue& error) {
      refuse(Errc::database, fmt::format("a stored row cannot be read: {}; it was not touched", error.what()),
             "paytower check");
    } catch (const SQLite::Exception& error) {
      refuse(as_ours(error, "read the database"));
    }
  });
}

/// The same in one read transaction.
template <typename Fn> auto reading(Connection& connection, Fn&& fn) {
  return readable([&] {
    const ReadTransaction snapshot(connection);
    return fn();
  });
}

}  // namespace paytower::db
