// Reads that see one state of the file, with the database's errors turned into ours.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Runs `fn()` in one read transaction and returns its result. Errc::database for a stored value that does not fit its
/// column, busy as in as_ours(). Throws StoreError as that does.
template <typename Fn> auto try_reading(Connection& connection, Fn&& fn) -> Result<std::invoke_result_t<Fn&>> {
  try {
    const ReadTransaction snapshot(connection);
    return std::forward<Fn>(fn)();
  } catch (const BadValue& error) {
    return Error{Errc::database, fmt::format("a stored row cannot be read: {}; it was not touched", error.what()),
                 "paytower check"};
  } catch (const SQLite::Exception& error) {
    return as_ours(error, "read the database");
  }
}

/// The same where nothing but a damaged file is refused: leaves by RefusalError.
template <typename Fn> auto reading(Connection& connection, Fn&& fn) {
  if constexpr (std::is_void_v<std::invoke_result_t<Fn&>>) {
    (void)value_of(try_reading(connection, [&fn] {
      fn();
      return std::monostate{};
    }));
  } else {
    return value_of(try_reading(connection, std::forward<Fn>(fn)));
  }
}

}  // namespace paytower::db
