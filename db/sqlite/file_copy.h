// Copies of a database through SQLite's own backup interface: only SQLite opens the file that is copied (R11).
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "core/base/error.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Between steps, gets the pages done and the pages in all. Returning false ends the copy.
using CopyProgress = std::function<bool(int, int)>;

/// Copies all pages into `copy`: one snapshot, whatever others write meanwhile. False if `go_on` ended it. Throws
/// SQLite::Exception and StoreError.
bool copy_pages(Connection& source, SQLite::Database& copy, const CopyProgress& go_on);

/// A complete, synced copy in the new file `path` (0600). Errc::database if it cannot be made or `go_on` ended it: then
/// nothing is left of it. An existing file is never overwritten.
[[nodiscard]] Result<std::monostate> copy_to_new_file(Connection& source, const std::string& path,
                                                      const CopyProgress& go_on);

/// A file of ours that is not ready for others yet. What is left of it, also by an earlier process, is removed with the
/// object. REQUIRES: nobody else uses the name (it contains a process id, or there is a lock).
class PartialFile {
 public:
  explicit PartialFile(std::string path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Syncs it, gives it its name (never over an existing file), then syncs the folder. REQUIRES: SQLite has closed it.
  /// Throws StoreError.
  void publish(const std::string& to);

 private:
  void remove();

  std::string path_;
};

/// The name of a file of this process beside `path` that will become `path`, or go into it. First removes such files
/// that killed processes have left.
[[nodiscard]] std::string own_partial_name(const std::string& path);

/// Whether anything has this name, even a link that leads nowhere.
[[nodiscard]] bool exists(const std::string& path);
/// The folder of `path`; "." for a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);

/// fsync of what `path` names, opened with `flags`. Throws StoreError.
void sync_path(const std::string& path, int flags);
/// Renames, but never over an existing file, even if the file system has no such rename. False with errno.
[[nodiscard]] bool take_new_name(const std::string& from, const std::string& to);

}  // namespace paytower::db
