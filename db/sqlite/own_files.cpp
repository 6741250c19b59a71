// Modes and owners of our files.
#include "db/sqlite/own_files.h"

#include <cerrno>

#include <unistd.h>

namespace paytower::db {

namespace {

bool sound_beside(const std::string& real_path, const struct stat& file) noexcept {
  if (!S_ISREG(file.st_mode) || file.st_nlink != 1) return false;
  struct stat database {};
  return file.st_uid == ::geteuid() || (::stat(real_path.c_str(), &database) == 0 && file.st_uid == database.st_uid);
}

}  // namespace

bool belongs_beside(const std::string& real_path, int descriptor) noexcept {
  struct stat file {};
  return ::fstat(descriptor, &file) == 0 && sound_beside(real_path, file);
}

bool path_belongs_beside(const std::string& real_path, const std::string& path) noexcept {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return errno == ENOENT;
  return sound_beside(real_path, file);
}

std::vector<std::string> take_from_others(const std::string& real_path) {
  std::vector<std::string> changed;
  for (const char* end : {"", "-wal", "-shm", ".lock", ".spool"}) {
    const std::string path = real_path + end;
    struct stat file {};
    const bool wide = ::lstat(path.c_str(), &file) == 0 && (file.st_mode & 0077) != 0 && sound_beside(real_path, file);
    if (wide && ::chmod(path.c_str(), file.st_mode & 07700) == 0) changed.push_back(path);
  }
  return changed;
}

void give_to_owner_of(const std::string& real_path, int descriptor) noexcept {
  struct stat database {};
  if (::geteuid() != 0 || ::stat(real_path.c_str(), &database) != 0 || database.st_uid == 0) return;
  if (::fchown(descriptor, database.st_uid, database.st_gid) != 0) return;  // then only root can use it, as before
}

}  // namespace paytower::db
