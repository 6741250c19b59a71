// A disk that dies, forgets and errs where it is told to: an SQLite VFS in front of the system's own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <sqlite3.h>

namespace paytower::test {

/// What a counted call does. Reads are never counted: they change nothing. A hand-over is no call to the disk: somebody
/// else writes it to the switch, and the process dies there as it does at the disk.
enum class DiskCall : std::uint8_t { write, sync, truncate, remove, open, lock, handover };

/// What becomes of what was written and not synced, when the machine dies.
enum class Unsynced : std::uint8_t {
  kept,     ///< the process died, the machine did not
  dropped,  ///< all of it is gone
  chosen,   ///< a seeded choice of it is there, in the order in which it was written
  torn,     ///< all is there, but of the last write only a seeded part, cut at a multiple of 512 bytes
};

struct DiskFault {
  enum class Kind : std::uint8_t {
    none,
    kill_before,
    kill_after,
    error,          ///< of this call alone
    lasting_error,  ///< of this call and all behind it: a disk that stays full
  };
  Kind kind = Kind::none;
  std::uint64_t at = 0;  ///< the number of the call among those of `calls`, from 1
  std::set<DiskCall> calls{DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove};
  int code = SQLITE_IOERR;  ///< of an error
  Unsynced unsynced = Unsynced::kept;
  std::uint64_t seed = 0;  ///< of chosen and torn
  bool log_only = false;   ///< only calls on write-ahead logs are counted
};

/// One for the process. Unarmed it only remembers what was not synced. After a kill every call fails and changes
/// nothing, until recover().
class FaultDisk {
 public:
  static constexpr const char* name = "paytower-fault-disk";

  /// Registers itself with SQLite at the first call, for those who name it.
  static FaultDisk& instance();
  /// From now on it is the VFS of everybody who names none.
  void become_default();

  /// Starts to count at 0. Forgets an earlier fault that was not reached.
  void arm(const DiskFault& fault);
  void disarm() { fault_ = DiskFault{}; }
  [[nodiscard]] bool dead() const { return dead_; }
  /// The fault was reached since arm().
  [[nodiscard]] bool struck() const { return struck_; }
  /// Calls since arm() that a fault of these kinds counts.
  [[nodiscard]] std::uint64_t counted() const { return count_; }
  /// The call that has begun is the last one, and of what it writes only a part gets out.
  [[nodiscard]] bool tears() const { return reached_ && struck_fault_.unsynced == Unsynced::torn; }

  /// REQUIRES: no file is open any more. After a kill, leaves on the real disk what the machine would find when it
  /// starts again: unsynced writes as the fault says, no -shm. Then the disk works. What one process wrote and did not
  /// sync may still be lost under a later one, when the machine dies.
  void recover();
  /// Forgets every file: before their folder is removed.
  void forget();

  /// Called once at the instant of the kill: for what is beside SQLite's files.
  std::function<void()> at_kill;
  /// A mutant, for the test of the tests: syncs say yes and do nothing.
  bool lying = false;

  // --- for the files, and for whoever writes hand-overs ---
  /// What the call is to return, or SQLITE_OK to go on; `after` is to be called once the effect is there.
  [[nodiscard]] int before(DiskCall call, bool log);
  [[nodiscard]] int after(DiskCall call);
  void note_open(const std::string& path);
  void note_write(const std::string& path, const void* bytes, int count, std::int64_t at);
  void note_truncate(const std::string& path, std::int64_t size);
  void note_sync(const std::string& path);
  void note_remove(const std::string& path);

 private:
  struct Change {
    bool truncate = false;
    std::int64_t at = 0;  ///< of a truncate: the new size
    std::vector<char> bytes;
  };
  struct Image {
    std::vector<char> synced;
    std::vector<Change> since;
  };
  FaultDisk();
  void die();
  [[nodiscard]] std::vector<char> left_of(const Image& image, std::mt19937_64& random, bool last_file) const;
  static void apply(std::vector<char>& content, const Change& change);

  DiskFault fault_;
  DiskFault struck_fault_;
  std::uint64_t count_ = 0;
  bool struck_ = false;
  bool dead_ = false;
  bool reached_ = false;  ///< between before() and after() of the very call
  std::string last_written_;
  std::map<std::string, Image> images_;
};

}  // namespace paytower::test
