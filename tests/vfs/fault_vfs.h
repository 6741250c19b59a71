// A disk that dies, forgets and fails when it is told to: an SQLite VFS in front of the system's own.
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

/// What a counted call does. Reads are never counted, because they change nothing. A hand-over is not a call to the
/// disk, but the process can die at it in the same way.
enum class DiskCall : std::uint8_t { write, sync, truncate, remove, open, lock, handover };

/// What happens to writes that were not synced, when the machine dies.
enum class Unsynced : std::uint8_t {
  kept,     ///< the process died, the machine did not
  dropped,  ///< all are lost
  chosen,   ///< some are kept, chosen by the seed, in the order in which they were written
  torn,     ///< all are kept, but the last one only up to a multiple of 512 bytes, chosen by the seed
};

struct DiskFault {
  enum class Kind : std::uint8_t {
    none,
    kill_before,
    kill_after,
    error,          ///< only this call fails
    lasting_error,  ///< this call and all later ones fail: a disk that stays full
  };
  Kind kind = Kind::none;
  std::uint64_t at = 0;  ///< the number of the call among those of `calls`, from 1
  std::set<DiskCall> calls{DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove};
  int code = SQLITE_IOERR;  ///< what a failing call returns
  Unsynced unsynced = Unsynced::kept;
  std::uint64_t seed = 0;  ///< for chosen and torn
  bool log_only = false;   ///< only calls on write-ahead logs are counted
};

/// One for the process. Without an armed fault it only keeps track of what was not synced. After a kill every call
/// fails and changes nothing, until recover().
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
  /// True if the fault was reached since arm().
  [[nodiscard]] bool struck() const { return struck_; }
  /// How many calls since arm() were of the kinds that the fault counts.
  [[nodiscard]] std::uint64_t counted() const { return count_; }
  /// True if the machine dies in this very call, and only a part of what it writes is kept.
  [[nodiscard]] bool tears() const { return reached_ && struck_fault_.unsynced == Unsynced::torn; }

  /// REQUIRES: no file is open any more. After a kill, leaves on the real disk what the machine would find when it
  /// starts again: unsynced writes as the fault says, and no -shm. Then the disk works again. What a process wrote and
  /// did not sync can still be lost later, when the machine dies under another process.
  void recover();
  /// Forgets every file. To be called before their folder is removed.
  void forget();

  /// Called once, at the moment of the kill: for files that are not SQLite's.
  std::function<void()> at_kill;
  /// A known bug, for the tests of the tests: syncs succeed and do nothing.
  bool lying = false;

  // --- for the files, and for whoever writes hand-overs ---
  /// What the call must return, or SQLITE_OK if it may go on; call after() when it has done its work.
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
