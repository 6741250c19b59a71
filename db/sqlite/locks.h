// Locks between processes, on a file beside the database: byte 0 is the write lock (R15), bytes from 2^62 on are
// payments (R11: db/payments/payment_locks.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"

namespace paytower::db {

/// `<real path of the database>.lock`: made with mode 0600 if it is missing, links are not followed, never removed; it
/// belongs to us or to the owner of the database. The locks are OFD locks: they belong to this object's descriptor,
/// exclude every other descriptor, also of this process, and end with the process.
class LockFile {
 public:
  /// `real_path`: of the database (Connection::real_path). Opens nothing yet.
  explicit LockFile(const std::string& real_path);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// False if another descriptor holds the byte. Throws StoreError if the file cannot be opened, is not a regular file
  /// with one link, belongs to somebody else, or if the path names another file than the locked one (somebody removed
  /// it: then locks on the old one mean nothing).
  [[nodiscard]] bool try_lock(std::int64_t byte);
  void unlock(std::int64_t byte) noexcept;
  /// A sign for others_wait(), not a lock: any number of descriptors may show it at once. REQUIRES: try_lock was
  /// called.
  void show_waiting(bool waiting) noexcept;
  [[nodiscard]] bool others_wait() const noexcept;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void open();
  [[nodiscard]] bool lock_byte_of_open_file(std::int64_t byte);
  [[nodiscard]] bool path_names_it() const;

  std::string real_path_;
  std::string path_;
  int descriptor_ = -1;
  int held_ = 0;
};

/// The command that names the processes which have the file open, for whoever finds it busy.
[[nodiscard]] std::string who_has(const std::string& path);

/// At any moment at most one process writes or makes a checkpoint (SQLite's WAL-reset bug), and never longer than a
/// tick.
class WriteLock {
 public:
  /// Each acquire waits at most `timeout_ns` for others.
  WriteLock(const std::string& real_path, std::int64_t timeout_ns);

  /// Holds the lock as long as this object lives.
  class Held {
   public:
    explicit Held(WriteLock& lock) : lock_(&lock) {}
    Held(Held&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (lock_) lock_->release();
    }

   private:
    WriteLock* lock_;
  };

  /// From now on, no acquire waits longer than this time from now, whatever the timeout is (--wait of a command).
  void give_up_after(std::int64_t ns);
  /// How long an acquire would wait now.
  [[nodiscard]] std::int64_t patience_ns() const;
  /// Errc::busy if another process still holds it after the timeout. Not recursive (throws std::logic_error).
  [[nodiscard]] Result<Held> acquire();
  /// Nothing if somebody holds it. Never waits.
  [[nodiscard]] std::optional<Held> try_acquire();
  /// For work that takes the lock again and again: lets others who wait for it go first, for at most a fifth of a
  /// second. REQUIRES: not held.
  void give_way() const;

 private:
  void release() noexcept;

  LockFile file_;
  std::int64_t timeout_ns_;
  std::optional<std::chrono::steady_clock::time_point> give_up_at_;
  bool held_ = false;
};

}  // namespace paytower::db
