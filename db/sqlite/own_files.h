// Files that only we may read.
#pragma once

#include <string>
#include <vector>

#include <sys/stat.h>

namespace paytower::db {

/// While it lives, every file that this process makes is 0600, also those that SQLite makes.
class OwnFilesOnly {
 public:
  OwnFilesOnly() : before_(::umask(0077)) {}
  ~OwnFilesOnly() { ::umask(before_); }
  OwnFilesOnly(const OwnFilesOnly&) = delete;
  OwnFilesOnly& operator=(const OwnFilesOnly&) = delete;

 private:
  mode_t before_;
};

/// Whether an open file beside the database at `real_path` is a regular one of one name that belongs to us or to the
/// owner of the database: nobody else can have put it there to be locked, read or filled.
[[nodiscard]] bool belongs_beside(const std::string& real_path, int descriptor) noexcept;

/// The same of the file at `path`, no link followed; true when nothing is there.
[[nodiscard]] bool path_belongs_beside(const std::string& real_path, const std::string& path) noexcept;

/// Takes from others what they may do with the database at `real_path` and the files beside it, where those are ours.
/// Nothing is opened: closing the database would drop SQLite's locks. Returns the paths whose modes it changed.
[[nodiscard]] std::vector<std::string> take_from_others(const std::string& real_path);

/// What root makes beside somebody's database belongs to that one, who could not use it otherwise. Nothing for others.
void give_to_owner_of(const std::string& real_path, int descriptor) noexcept;

}  // namespace paytower::db
