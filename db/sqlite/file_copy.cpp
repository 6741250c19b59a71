// A complete, synced copy of a database in a new file, as it was at one moment.
#include "db/sqlite/file_copy.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <SQLiteCpp/Exception.h>

#include "db/sqlite/own_files.h"
#include "db/sqlite/room.h"

namespace paytower::db {

namespace {

constexpr const char* partial_mark = ".partial-";

/// Files that killed processes left and that were to become `path`: they contain payments, and nobody will ask for
/// them.
void clear_abandoned(const std::string& path) {
  const std::string start = std::filesystem::path(path).filename().string() + partial_mark;
  std::error_code trouble;
  for (std::filesystem::directory_iterator entry(folder_of(path), trouble), end; !trouble && entry != end;
       entry.increment(trouble)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(start, 0) != 0) continue;
    const long owner = std::strtol(name.c_str() + start.size(), nullptr, 10);
    if (owner > 0 && ::kill(static_cast<pid_t>(owner), 0) != 0 && errno == ESRCH) ::unlink(entry->path().c_str());
  }
}

}  // namespace

bool exists(const std::string& path) {
  struct stat seen {};
  return ::lstat(path.c_str(), &seen) == 0;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string own_partial_name(const std::string& path) {
  clear_abandoned(path);
  return fmt::format("{}{}{}", path, partial_mark, ::getpid());
}

void sync_path(const std::string& path, int flags) {
  const int opened = ::open(path.c_str(), flags | O_CLOEXEC);
  if (opened < 0) throw StoreError(fmt::format("cannot sync {}: {}", path, std::strerror(errno)));
  const bool synced = ::fsync(opened) == 0;
  ::close(opened);
  if (!synced) throw StoreError(fmt::format("cannot sync {}: {}", path, std::strerror(errno)));
}

PartialFile::PartialFile(std::string path) : path_(std::move(path)) { remove(); }

PartialFile::~PartialFile() { remove(); }

void PartialFile::remove() {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) ::unlink((path_ + end).c_str());
}

void PartialFile::publish(const std::string& to) {
  sync_path(path_, O_RDONLY);
  if (!take_new_name(path_, to)) throw StoreError(fmt::format("cannot make {}: {}", to, std::strerror(errno)));
  sync_path(folder_of(to), O_RDONLY | O_DIRECTORY);
}

bool take_new_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  return ::link(from.c_str(), to.c_str()) == 0 && ::unlink(from.c_str()) == 0;
}

bool copy_pages(Connection& source, SQLite::Database& copy, const CopyProgress& go_on) {
  const ReadTransaction snapshot(source);
  source.database().execAndGet("SELECT count(*) FROM sqlite_master");
  sqlite3_backup* backup = sqlite3_backup_init(copy.getHandle(), "main", source.database().getHandle(), "main");
  if (backup == nullptr) throw StoreError(fmt::format("cannot copy: {}", copy.getErrorMsg()));
  int result = SQLITE_OK;
  bool wanted = true;
  while (result == SQLITE_OK && wanted) {
    result = sqlite3_backup_step(backup, 1'000);
    const int pages = sqlite3_backup_pagecount(backup);
    wanted = !go_on || go_on(pages - sqlite3_backup_remaining(backup), pages);
  }
  sqlite3_backup_finish(backup);
  if (wanted && result != SQLITE_DONE) throw StoreError(fmt::format("cannot copy: {}", sqlite3_errstr(result)));
  return wanted;
}

Result<std::monostate> copy_to_new_file(Connection& source, const std::string& path, const CopyProgress& go_on) {
  PartialFile partial(own_partial_name(path));
  const OwnFilesOnly files;
  try {
    {
      SQLite::Database copy(partial.path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      if (!copy_pages(source, copy, go_on)) return Error{Errc::database, "interrupted; no copy was made", {}};
    }
    partial.publish(path);
    return std::monostate{};
  } catch (const SQLite::Exception& error) {
    return Error{Errc::database, fmt::format("cannot make the copy {}: {}", path, error.what()), room_hint(path)};
  } catch (const StoreError& error) {
    return Error{Errc::database, fmt::format("cannot make the copy {}: {}", path, error.what()), room_hint(path)};
  }
}

}  // namespace paytower::db
