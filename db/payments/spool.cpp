// Reads and writes the slots of the spool.
#include "db/payments/spool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "db/sqlite/own_files.h"

namespace paytower::db {

namespace {

constexpr std::size_t spool_bytes = 64 * 1'024;
constexpr std::size_t slot_bytes = 128;
constexpr std::size_t slots = spool_bytes / slot_bytes;
using Magic = std::array<std::uint8_t, 8>;
/// A slot, in bytes: magic (8), payment hash (32), attempt id (8), preimage (32), part (4), SHA256 of all before it
/// (32). A slot of before schema 3 has no part, and magic_without_part.
constexpr Magic magic = {'p', 'a', 'y', 't', 'o', 'w', 'e', '3'};
constexpr Magic magic_without_part = {'p', 'a', 'y', 't', 'o', 'w', 'e', 'r'};
constexpr std::size_t bytes_without_part = 8 + 32 + 8 + 32;
constexpr std::size_t payload_bytes = bytes_without_part + 4;

using Slot = std::array<std::uint8_t, slot_bytes>;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

std::string path_of(const std::string& real_path) { return fmt::format("{}.spool", real_path); }

/// The descriptor, if it is our own regular file with one name and the right size; otherwise -1.
int open_spool(const std::string& real_path, int flags) noexcept {
  const int opened =
      ::open(path_of(real_path).c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);  // a FIFO would block for ever
  if (opened < 0) return -1;
  struct stat seen {};
  const bool sound = belongs_beside(real_path, opened) && ::fstat(opened, &seen) == 0 && (seen.st_mode & 0077) == 0 &&
                     seen.st_size == static_cast<off_t>(spool_bytes);
  if (sound) return opened;
  ::close(opened);
  return -1;
}

Slot encode(const SpoolEntry& entry) {
  Slot slot{};
  auto at = std::copy(magic.begin(), magic.end(), slot.begin());
  at = std::copy(entry.key.hash.bytes.begin(), entry.key.hash.bytes.end(), at);
  for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<std::uint8_t>(entry.key.id.value >> shift);
  at = std::copy(entry.preimage.bytes.begin(), entry.preimage.bytes.end(), at);
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<std::uint8_t>(entry.key.part >> shift);
  const Sha256Digest sum = sha256(std::span(slot.data(), payload_bytes));
  std::copy(sum.bytes.begin(), sum.bytes.end(), at);
  return slot;
}

std::optional<SpoolEntry> decode(const Slot& slot) {
  const bool with_part = std::equal(magic.begin(), magic.end(), slot.begin());
  if (!with_part && !std::equal(magic_without_part.begin(), magic_without_part.end(), slot.begin()))
    return std::nullopt;
  const std::size_t said = with_part ? payload_bytes : bytes_without_part;
  const Sha256Digest sum = sha256(std::span(slot.data(), said));
  if (!std::equal(sum.bytes.begin(), sum.bytes.end(), slot.data() + said)) return std::nullopt;
  SpoolEntry entry;
  std::copy_n(slot.begin() + 8, 32, entry.key.hash.bytes.begin());
  for (std::size_t i = 0; i < 8; ++i) entry.key.id.value = entry.key.id.value << 8 | slot[40 + i];
  std::copy_n(slot.begin() + 48, 32, entry.preimage.bytes.begin());
  for (std::size_t i = bytes_without_part; i < said; ++i) entry.key.part = entry.key.part << 8 | slot[i];
  return entry;
}

bool read_slot(int from, std::size_t index, Slot& slot) noexcept {
  return ::pread(from, slot.data(), slot.size(), static_cast<off_t>(index * slot_bytes)) ==
         static_cast<ssize_t>(slot.size());
}

bool write_slot(int to, std::size_t index, const Slot& slot) noexcept {
  return ::pwrite(to, slot.data(), slot.size(), static_cast<off_t>(index * slot_bytes)) ==
         static_cast<ssize_t>(slot.size());
}

/// Two processes that spool at the same time must not choose the same slot. Held until the descriptor is closed. If
/// the lock is not free within a second, the work goes on without it: a preimage that is not written is certainly lost.
void lock_spool(int file) noexcept {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  for (int pauses = 0; pauses < 100 && ::fcntl(file, F_OFD_SETLK, &whole) != 0; ++pauses) ::usleep(10'000);
}

bool is_free(const Slot& slot) {
  return std::all_of(slot.begin(), slot.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

void make_spool(const std::string& real_path) {
  const std::string path = path_of(real_path);
  const auto fail = [&path](const char* what) {
    throw StoreError(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
  };
  const OwnFilesOnly only;
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) fail("make");
  if (!belongs_beside(real_path, file.get())) {
    throw StoreError(fmt::format(
        "{} is not a regular file with one name that belongs to you or to the owner of the database", path));
  }
  give_to_owner_of(real_path, file.get());
  struct stat seen {};
  if (::fstat(file.get(), &seen) != 0) fail("look at");
  // The blocks are written, not only allocated: a copy-on-write file system must really have them. What an earlier
  // process began is completed.
  const std::size_t there = static_cast<std::size_t>(std::max<off_t>(0, seen.st_size));
  const std::vector<std::uint8_t> zeros(there < spool_bytes ? spool_bytes - there : 0, 0);
  const ssize_t written = ::pwrite(file.get(), zeros.data(), zeros.size(), seen.st_size);
  if (written >= 0) errno = ENOSPC;  // where it is less than was asked for
  if (written != static_cast<ssize_t>(zeros.size())) fail("fill");
  if (::fsync(file.get()) != 0) fail("sync");
  const Descriptor folder(::open(real_path.substr(0, std::max<std::size_t>(1, real_path.rfind('/'))).c_str(),
                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) fail("sync the folder of");
}

void make_spool_if_missing(const std::string& real_path) {
  struct stat seen {};
  const bool whole = ::lstat(path_of(real_path).c_str(), &seen) == 0 && S_ISREG(seen.st_mode) &&
                     seen.st_size == static_cast<off_t>(spool_bytes) &&
                     path_belongs_beside(real_path, path_of(real_path));
  if (!whole) make_spool(real_path);
}

bool put_in_spool(const std::string& real_path, const SpoolEntry& entry) noexcept {
  const Descriptor file(open_spool(real_path, O_RDWR));
  if (file.get() < 0) return false;
  lock_spool(file.get());
  Slot slot{};
  for (std::size_t i = 0; i < slots; ++i) {
    if (!read_slot(file.get(), i, slot)) return false;
    if (is_free(slot)) return write_slot(file.get(), i, encode(entry)) && ::fdatasync(file.get()) == 0;
  }
  return false;
}

SpoolContents read_spool(const std::string& real_path) {
  SpoolContents contents;
  struct stat seen {};
  if (::lstat(path_of(real_path).c_str(), &seen) != 0) return contents;
  const Descriptor file(open_spool(real_path, O_RDONLY));
  if (file.get() < 0) {
    contents.trouble =
        fmt::format("{} is not the spool that was made with the database; it was not read", path_of(real_path));
    return contents;
  }
  std::vector<std::uint8_t> all(spool_bytes);
  if (::pread(file.get(), all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) {
    contents.trouble = fmt::format("cannot read {}", path_of(real_path));
    return contents;
  }
  Slot slot{};
  for (std::size_t i = 0; i < slots; ++i) {
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(i * slot_bytes), slot_bytes, slot.begin());
    if (const auto entry = decode(slot)) contents.entries.push_back(*entry);
  }
  return contents;
}

bool clear_spool(const std::string& real_path, const std::vector<SpoolEntry>& entries) noexcept {
  const Descriptor file(open_spool(real_path, O_RDWR));
  if (file.get() < 0) return false;
  lock_spool(file.get());
  Slot slot{};
  for (std::size_t i = 0; i < slots; ++i) {
    if (!read_slot(file.get(), i, slot)) return false;
    const auto found = decode(slot);
    const bool done = found && std::any_of(entries.begin(), entries.end(), [&](const SpoolEntry& entry) {
                        return entry.key == found->key && entry.preimage == found->preimage;
                      });
    if (done && !write_slot(file.get(), i, Slot{})) return false;
  }
  return ::fdatasync(file.get()) == 0;
}

}  // namespace paytower::db
