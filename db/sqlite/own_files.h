// Files that only we may read.
#pragma once

#include <string>
#include <vector>

#include <sys/stat.h>

namespace paytower::db {

/// As long as it lives, every file that this process makes gets the mode 0600, also files made by SQLite.
class OwnFilesOnly {
 public:
  OwnFilesOnly() : before_(::umask(0077)) {}
  ~OwnFilesOnly() { ::umask(before_); }
  OwnFilesOnly(const OwnFilesOnly&) = delete;
  OwnFilesOnly& operator=(const OwnFilesOnly&) = delete;

 private:
  mode_t before_;
};

/// Whether an open file beside the database at `real_path` is a regular file with one name that belongs to us or to the
/// owner of the database: nobody else can have put it there for us to lock, read or fill.
[[nodiscard]] bool belongs_beside(const std::string& real_path, int descriptor) noexcept;

/// The same for the file at `path`, without following links. True if nothing is there.
[[nodiscard]] bool path_belongs_beside(const std::string& real_path, const std::string& path) noexcept;

/// Takes away what others may do with the database at `real_path` and the files beside it, if these are ours. Nothing
/// is opened: closing the database would drop SQLite's locks. Returns the paths whose modes were changed.
[[nodiscard]] std::vector<std::string> take_from_others(const std::string& real_path);

/// What root makes beside somebody's database is given to that owner, who could not use it otherwise. Does nothing for
/// other users.
void give_to_owner_of(const std::string& real_path, int descriptor) noexcept;

}  // namespace paytower::db
