// A complete, synced copy of a database that others work on.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/Exception.h>

#include "db/own_files.h"
#include "db/payment_admin.h"

namespace paytower::db {

namespace {

void sync_path(const std::string& path, int flags) {
  const int opened = ::open(path.c_str(), flags | O_CLOEXEC);
  if (opened < 0) throw StoreError("cannot sync " + path + ": " + std::strerror(errno));
  const bool synced = ::fsync(opened) == 0;
  ::close(opened);
  if (!synced) throw StoreError("cannot sync " + path + ": " + std::strerror(errno));
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Removes what a copy that did not come to its end left.
class Partial {
 public:
  explicit Partial(std::string path) : path_(std::move(path)) { remove(); }
  ~Partial() { remove(); }
  void remove() {
    for (const char* end : {"", "-wal", "-shm", "-journal"}) ::unlink((path_ + end).c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Never over an existing file, also where the file system has no such rename.
bool take_new_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  return ::link(from.c_str(), to.c_str()) == 0 && ::unlink(from.c_str()) == 0;
}

/// One snapshot, whatever others write meanwhile: the source's read transaction spans the copy.
bool copy_pages(Connection& source, const std::string& target, const std::function<bool(int, int)>& go_on) {
  SQLite::Database copy(target, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  const ReadTransaction snapshot(source);
  source.database().execAndGet("SELECT count(*) FROM sqlite_master");
  sqlite3_backup* backup = sqlite3_backup_init(copy.getHandle(), "main", source.database().getHandle(), "main");
  if (backup == nullptr) throw StoreError(std::string("cannot copy: ") + copy.getErrorMsg());
  int result = SQLITE_OK;
  bool wanted = true;
  while (result == SQLITE_OK && wanted) {
    result = sqlite3_backup_step(backup, 1'000);
    const int pages = sqlite3_backup_pagecount(backup);
    wanted = !go_on || go_on(pages - sqlite3_backup_remaining(backup), pages);
  }
  sqlite3_backup_finish(backup);
  if (wanted && result != SQLITE_DONE) throw StoreError(std::string("cannot copy: ") + sqlite3_errstr(result));
  return wanted;
}

}  // namespace

Result<std::monostate> PaymentAdmin::backup(const std::string& path, const std::function<bool(int, int)>& go_on) {
  if (path.empty() || path == ":memory:" || path.rfind("file:", 0) == 0) {
    return Error{Errc::usage, "\"" + path + "\" is no name for a copy", "paytower backup payments.db.copy"};
  }
  struct stat seen {};
  if (::lstat(path.c_str(), &seen) == 0) return Error{Errc::usage, path + " exists already; a backup never overwrites", "paytower backup " + path + ".1"};
  const Partial partial(path + ".partial-" + std::to_string(::getpid()));
  const OwnFilesOnly files;
  try {
    if (!copy_pages(connection_, partial.path(), go_on)) return Error{Errc::database, "interrupted; no copy was made", {}};
    sync_path(partial.path(), O_RDONLY);
    if (!take_new_name(partial.path(), path)) return Error{Errc::database, "cannot make " + path + ": " + std::strerror(errno), {}};
    sync_path(folder_of(path), O_RDONLY | O_DIRECTORY);
    return std::monostate{};
  } catch (const SQLite::Exception& error) {
    return Error{Errc::database, "cannot make the copy " + path + ": " + error.what(), {}};
  } catch (const StoreError& error) {
    return Error{Errc::database, "cannot make the copy " + path + ": " + error.what(), {}};
  }
}

}  // namespace paytower::db
