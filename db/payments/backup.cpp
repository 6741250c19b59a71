// A complete, synced copy of a database while others work on it.
#include <sys/stat.h>

#include <fmt/core.h>

#include "db/payments/admin.h"
#include "db/sqlite/file_copy.h"

namespace paytower::db {

Result<std::monostate> PaymentAdmin::backup(const std::string& path, const std::function<bool(int, int)>& go_on) {
  if (path.empty() || path == ":memory:" || path.rfind("file:", 0) == 0) {
    return Error{Errc::usage, fmt::format("\"{}\" is not a file name for a copy", path),
                 "paytower backup payments.db.copy"};
  }
  struct stat seen {};
  if (::lstat(path.c_str(), &seen) == 0)
    return Error{Errc::usage, fmt::format("{} exists already; a backup never overwrites", path),
                 fmt::format("paytower backup {}.1", path)};
  return copy_to_new_file(connection_, path, go_on);
}

}  // namespace paytower::db
