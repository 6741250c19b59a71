// Files that only we may read.
#pragma once

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

}  // namespace paytower::db
