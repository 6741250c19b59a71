#include "db/own_files.h"

#include <unistd.h>

namespace paytower::db {

bool belongs_beside(const std::string& real_path, int descriptor) noexcept {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode) || file.st_nlink != 1) return false;
  struct stat database {};
  return file.st_uid == ::geteuid() || (::stat(real_path.c_str(), &database) == 0 && file.st_uid == database.st_uid);
}

void give_to_owner_of(const std::string& real_path, int descriptor) noexcept {
  struct stat database {};
  if (::geteuid() != 0 || ::stat(real_path.c_str(), &database) != 0 || database.st_uid == 0) return;
  if (::fchown(descriptor, database.st_uid, database.st_gid) != 0) return;  // then only root can use it, as before
}

}  // namespace paytower::db
