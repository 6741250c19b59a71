// OFD locks on bytes of the lock file, and waiting for the write lock.
#include "db/sqlite/locks.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/require.h"
#include "db/sqlite/own_files.h"

namespace paytower::db {

namespace {

constexpr std::int64_t write_byte = 0;
constexpr std::int64_t waiting_byte = 1;

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw StoreError(
      fmt::format("the lock file {} {}{}", path, what, errno != 0 ? fmt::format(": {}", std::strerror(errno)) : ""));
}

struct flock one_byte(std::int64_t byte, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  return range;
}

}  // namespace

LockFile::LockFile(const std::string& real_path) : real_path_(real_path), path_(fmt::format("{}.lock", real_path)) {}

LockFile::~LockFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void LockFile::open() {
  if (descriptor_ >= 0) return;
  const OwnFilesOnly only;
  const int opened = ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (opened < 0) fail(path_, "cannot be opened");
  if (!belongs_beside(real_path_, opened)) {
    ::close(opened);
    errno = 0;
    fail(path_, "is not a regular file with one name that belongs to you or to the owner of the database");
  }
  give_to_owner_of(real_path_, opened);
  descriptor_ = opened;
}

bool LockFile::path_names_it() const {
  struct stat by_path {};
  struct stat by_descriptor {};
  return ::lstat(path_.c_str(), &by_path) == 0 && ::fstat(descriptor_, &by_descriptor) == 0 &&
         by_path.st_dev == by_descriptor.st_dev && by_path.st_ino == by_descriptor.st_ino;
}

bool LockFile::try_lock(std::int64_t byte) {
  constexpr int most_replacements = 10;
  for (int tries = 0; tries < most_replacements; ++tries) {
    if (!lock_byte_of_open_file(byte)) return false;
    if (path_names_it()) return true;
    unlock(byte);
    if (held_ > 0) {
      errno = 0;
      fail(path_, "was removed or replaced while locks were held in it");
    }
    // Nothing is locked in the old file: from now on the new one counts.
    ::close(descriptor_);
    descriptor_ = -1;
  }
  errno = 0;
  fail(path_, "keeps being replaced");
}

bool LockFile::lock_byte_of_open_file(std::int64_t byte) {
  open();
  struct flock range = one_byte(byte, F_WRLCK);
  while (::fcntl(descriptor_, F_OFD_SETLK, &range) != 0) {
    if (errno == EAGAIN || errno == EACCES) return false;
    if (errno != EINTR) fail(path_, "cannot be locked");
  }
  ++held_;
  return true;
}

void LockFile::unlock(std::int64_t byte) noexcept {
  struct flock range = one_byte(byte, F_UNLCK);
  while (::fcntl(descriptor_, F_OFD_SETLK, &range) != 0 && errno == EINTR) {}
  --held_;
}

void LockFile::show_waiting(bool waiting) noexcept {
  struct flock range = one_byte(waiting_byte, waiting ? F_RDLCK : F_UNLCK);
  (void)::fcntl(descriptor_, F_OFD_SETLK, &range);  // without the sign the wait may be longer, but nothing is wrong
}

bool LockFile::others_wait() const noexcept {
  struct flock range = one_byte(waiting_byte, F_WRLCK);
  return descriptor_ >= 0 && ::fcntl(descriptor_, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

std::string who_has(const std::string& path) { return fmt::format("fuser -v {}", shell_word(path)); }

WriteLock::WriteLock(const std::string& real_path, std::int64_t timeout_ns)
    : file_(real_path), timeout_ns_(timeout_ns) {}

std::optional<WriteLock::Held> WriteLock::try_acquire() {
  if (held_) throw std::logic_error("the write lock is held already");
  if (!file_.try_lock(write_byte)) return std::nullopt;
  held_ = true;
  return std::optional<Held>(std::in_place, *this);
}

void WriteLock::give_up_after(std::int64_t ns) {
  give_up_at_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
}

std::int64_t WriteLock::patience_ns() const {
  if (!give_up_at_) return timeout_ns_;
  const std::chrono::nanoseconds left = *give_up_at_ - std::chrono::steady_clock::now();
  return std::clamp<std::int64_t>(left.count(), 0, timeout_ns_);
}

Result<WriteLock::Held> WriteLock::acquire() {
  if (auto held = try_acquire()) return std::move(*held);
  struct Sign {
    explicit Sign(LockFile& file) : file_(file) { file_.show_waiting(true); }
    ~Sign() { file_.show_waiting(false); }
    LockFile& file_;
  };
  const Sign sign(file_);
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience_ns());
  // Short pauses that grow a little, and differ, so that several processes do not wake at the same time. A tick holds
  // the lock for about a millisecond.
  std::minstd_rand uneven(static_cast<std::uint32_t>(end.time_since_epoch().count()));
  for (auto longest = std::chrono::microseconds(400);;
       longest = std::min(longest * 3 / 2, std::chrono::microseconds(8'000))) {
    if (auto held = try_acquire()) return std::move(*held);
    if (std::chrono::steady_clock::now() >= end) {
      return Error{
          Errc::busy,
          "another paytower holds the write lock of the database, and it was not free in time; nothing was changed",
          who_has(file_.path())};
    }
    std::this_thread::sleep_for(longest / 4 +
                                std::chrono::microseconds(uneven() % static_cast<std::uint32_t>(longest.count())));
  }
}

void WriteLock::give_way() const {
  require(!held_, "the write lock is not held");
  constexpr auto pause = std::chrono::milliseconds(1);
  for (int pauses = 0; pauses < 200 && file_.others_wait(); ++pauses) std::this_thread::sleep_for(pause);
}

void WriteLock::release() noexcept {
  file_.unlock(write_byte);
  held_ = false;
}

}  // namespace paytower::db
