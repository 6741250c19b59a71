// Copies of a database through SQLite's own backup interface: nothing but SQLite opens the file that is copied (R11).
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "core/base/error.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Asked between steps with pages done and pages in all; false ends the copy.
using CopyProgress = std::function<bool(int, int)>;

/// All pages into `copy`, one snapshot whatever others write meanwhile. False when `go_on` ended it. Throws
/// SQLite::Exception and StoreError.
bool copy_pages(Connection& source, SQLite::Database& copy, const CopyProgress& go_on);

/// A complete, synced copy in the new file `path` (0600). Errc::database when it cannot be made or is ended by `go_on`:
/// then nothing is left of it. An existing file is never overwritten.
[[nodiscard]] Result<std::monostate> copy_to_new_file(Connection& source, const std::string& path,
                                                      const CopyProgress& go_on);

/// A file of ours that is not ready for others yet. What is left of it, also by an earlier process, goes with the
/// object. REQUIRES: nobody else has the name (a process id in it, or a lock).
class PartialFile {
 public:
  explicit PartialFile(std::string path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Syncs it and gives it its name, never over an existing file, then syncs the folder. REQUIRES: SQLite has closed
  /// it. Throws StoreError.
  void publish(const std::string& to);

 private:
  void remove();

  std::string path_;
};

/// The name of this process's file beside `path` that is to become it, or to go into it. Files of that kind that killed
/// processes left go first.
[[nodiscard]] std::string own_partial_name(const std::string& path);

/// fsync of what `path` names, opened with `flags`. Throws StoreError.
void sync_path(const std::string& path, int flags);
/// Renames, never over an existing file, also where the file system has no such rename. False with errno.
[[nodiscard]] bool take_new_name(const std::string& from, const std::string& to);

}  // namespace paytower::db
