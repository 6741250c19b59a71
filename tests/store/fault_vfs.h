// SQLite's file system with a write or sync of the log that fails at a chosen call.
#pragma once

#include <sqlite3.h>

namespace paytower::test {

/// One for the process; counts writes and syncs of write-ahead logs only.
class FaultVfs {
 public:
  static constexpr const char* name = "paytower-fault";

  /// Registers itself at the first call.
  static FaultVfs& instance();

  /// The call with this number from now on (1 = the next) fails with `code`, and no other. 0 = none.
  void fail_at(int call, int code);
  /// Whether the call was reached.
  [[nodiscard]] bool failed() const { return failed_; }

  /// For the files: the code that this call is to fail with, or SQLITE_OK.
  [[nodiscard]] int next_call();

 private:
  FaultVfs();

  int calls_ = 0;
  int fail_at_ = 0;
  int code_ = SQLITE_OK;
  bool failed_ = false;
};

}  // namespace paytower::test
