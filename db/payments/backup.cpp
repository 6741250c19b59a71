// A complete, synced copy of a database that others work on.
#include <sys/stat.h>

#include "db/payments/admin.h"
#include "db/sqlite/file_copy.h"

namespace paytower::db {

Result<std::monostate> PaymentAdmin::backup(const std::string& path, const std::function<bool(int, int)>& go_on) {
  if (path.empty() || path == ":memory:" || path.rfind("file:", 0) == 0) {
    return Error{Errc::usage, "\"" + path + "\" is no name for a copy", "paytower backup payments.db.copy"};
  }
  struct stat seen {};
  if (::lstat(path.c_str(), &seen) == 0)
    return Error{Errc::usage, path + " exists already; a backup never overwrites", "paytower backup " + path + ".1"};
  return copy_to_new_file(connection_, path, go_on);
}

}  // namespace paytower::db
