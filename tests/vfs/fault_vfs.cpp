// How the VFS counts calls, fails them, and forgets what was not synced.
#include "tests/vfs/fault_vfs.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <string_view>

namespace paytower::test {

namespace {

constexpr std::size_t sector_bytes = 512;

sqlite3_vfs* real() {
  static sqlite3_vfs* const found = sqlite3_vfs_find("unix");
  return found;
}

/// Our part comes first, the real file after it.
struct File {
  sqlite3_file base;
  std::string* path;  // nullptr for a temporary file, which nobody can find again
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(this) + sizeof(File)); }
};
static_assert(sizeof(File) % alignof(std::max_align_t) == 0);

FaultDisk& disk() { return FaultDisk::instance(); }
bool is_log(std::string_view path) { return path.ends_with("-wal"); }
File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* inner(sqlite3_file* file) { return ours(file)->inner(); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return inner(file)->pMethods; }

/// Counts the call. Unless the fault forbids it, does it and takes note of it.
template <typename Effect, typename Note> int counted(sqlite3_file* file, DiskCall call, Effect effect, Note note) {
  if (const int refused = disk().before(call, ours(file)->path != nullptr && is_log(*ours(file)->path));
      refused != SQLITE_OK)
    return refused;
  const int code = effect();
  if (code == SQLITE_OK && ours(file)->path != nullptr) note(*ours(file)->path);
  const int dead = disk().after(call);
  return dead != SQLITE_OK ? dead : code;
}

int close_file(sqlite3_file* file) {
  const int code = methods(file)->xClose(inner(file));
  delete ours(file)->path;
  return code;
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
  return counted(
      file, DiskCall::write, [&] { return methods(file)->xWrite(inner(file), bytes, count, at); },
      [&](const std::string& path) { disk().note_write(path, bytes, count, at); });
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return counted(
      file, DiskCall::truncate, [&] { return methods(file)->xTruncate(inner(file), size); },
      [&](const std::string& path) { disk().note_truncate(path, size); });
}

int sync_file(sqlite3_file* file, int flags) {
  return counted(
      file, DiskCall::sync, [&] { return methods(file)->xSync(inner(file), flags); },
      [&](const std::string& path) { disk().note_sync(path); });
}

int lock_file(sqlite3_file* file, int level) {
  return counted(
      file, DiskCall::lock, [&] { return methods(file)->xLock(inner(file), level); }, [](const std::string&) {});
}

int lock_shm(sqlite3_file* file, int offset, int count, int flags) {
  // Unlocking always goes through: a process cannot fail to lose its locks.
  if ((flags & SQLITE_SHM_UNLOCK) != 0) return methods(file)->xShmLock(inner(file), offset, count, flags);
  return counted(
      file, DiskCall::lock, [&] { return methods(file)->xShmLock(inner(file), offset, count, flags); },
      [](const std::string&) {});
}

/// A dead process must not write in other ways either, so SQLite's hints to the file are dropped too.
int control_file(sqlite3_file* file, int op, void* argument) {
  if (disk().dead()) return SQLITE_NOTFOUND;
  return methods(file)->xFileControl(inner(file), op, argument);
}

const sqlite3_io_methods* io() {
  static const sqlite3_io_methods all = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = close_file;
    m.xRead = [](sqlite3_file* f, void* out, int count, sqlite3_int64 at) {
      return disk().dead() ? SQLITE_IOERR_READ : methods(f)->xRead(inner(f), out, count, at);
    };
    m.xWrite = write_file;
    m.xTruncate = truncate_file;
    m.xSync = sync_file;
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) { return methods(f)->xFileSize(inner(f), size); };
    m.xLock = lock_file;
    m.xUnlock = [](sqlite3_file* f, int level) { return methods(f)->xUnlock(inner(f), level); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out) { return methods(f)->xCheckReservedLock(inner(f), out); };
    m.xFileControl = control_file;
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(sector_bytes); };
    // No promise of the real disk is passed on: neighbours of a torn write may be damaged, and writes may change order.
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      return disk().dead() ? SQLITE_IOERR_SHMMAP : methods(f)->xShmMap(inner(f), page, size, extend, out);
    };
    m.xShmLock = lock_shm;
    m.xShmBarrier = [](sqlite3_file* f) { methods(f)->xShmBarrier(inner(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) {
      return methods(f)->xShmUnmap(inner(f), disk().dead() ? 0 : remove);
    };
    return m;
  }();
  return &all;
}

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  File* made = new (file) File{};
  if (const int refused = disk().before(DiskCall::open, path != nullptr && is_log(path)); refused != SQLITE_OK)
    return refused;
  const int code = real()->xOpen(real(), path, made->inner(), flags, out_flags);
  if (made->inner()->pMethods != nullptr) made->base.pMethods = io();
  if (code == SQLITE_OK && path != nullptr && (flags & SQLITE_OPEN_DELETEONCLOSE) == 0) {
    made->path = new std::string(path);
    disk().note_open(*made->path);
  }
  return code;
}

int remove_file(sqlite3_vfs*, const char* path, int sync) {
  if (const int refused = disk().before(DiskCall::remove, is_log(path)); refused != SQLITE_OK) return refused;
  const int code = real()->xDelete(real(), path, sync);
  if (code == SQLITE_OK) disk().note_remove(path);
  const int dead = disk().after(DiskCall::remove);
  return dead != SQLITE_OK ? dead : code;
}

std::vector<char> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

FaultDisk& FaultDisk::instance() {
  static FaultDisk one;
  return one;
}

FaultDisk::FaultDisk() {
  static sqlite3_vfs vfs = *real();
  vfs.pNext = nullptr;
  vfs.zName = name;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real()->szOsFile;
  vfs.xOpen = open_file;
  vfs.xDelete = remove_file;
  // The other functions work on paths: they call the real VFS with the real object.
  vfs.xAccess = [](sqlite3_vfs*, const char* path, int flags, int* out) {
    return real()->xAccess(real(), path, flags, out);
  };
  vfs.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) {
    return real()->xFullPathname(real(), path, size, out);
  };
  sqlite3_vfs_register(&vfs, 0);
}

void FaultDisk::become_default() { sqlite3_vfs_register(sqlite3_vfs_find(name), 1); }

void FaultDisk::arm(const DiskFault& fault) {
  fault_ = fault;
  count_ = 0;
  struck_ = false;
}

void FaultDisk::die() {
  dead_ = true;
  if (at_kill) at_kill();
}

int FaultDisk::before(DiskCall call, bool log) {
  using Kind = DiskFault::Kind;
  if (dead_) return SQLITE_IOERR;
  if (!fault_.calls.contains(call) || (fault_.log_only && !log)) return SQLITE_OK;
  ++count_;
  const bool reached = count_ == fault_.at || (fault_.kind == Kind::lasting_error && count_ > fault_.at);
  if (fault_.kind == Kind::none || !reached) return SQLITE_OK;
  struck_ = true;
  struck_fault_ = fault_;
  if (fault_.kind == Kind::error || fault_.kind == Kind::lasting_error) return fault_.code;
  reached_ = fault_.kind == DiskFault::Kind::kill_after;
  if (reached_) return SQLITE_OK;
  die();
  return SQLITE_IOERR;
}

int FaultDisk::after(DiskCall) {
  if (!reached_) return SQLITE_OK;
  reached_ = false;
  die();
  return SQLITE_IOERR;
}

void FaultDisk::note_open(const std::string& path) {
  if (!images_.contains(path)) images_[path].synced = content_of(path);
}

void FaultDisk::note_write(const std::string& path, const void* bytes, int count, std::int64_t at) {
  const char* const first = static_cast<const char*>(bytes);
  images_[path].since.push_back(Change{false, at, std::vector<char>(first, first + count)});
  last_written_ = path;
}

void FaultDisk::note_truncate(const std::string& path, std::int64_t size) {
  images_[path].since.push_back(Change{true, size, {}});
}

void FaultDisk::note_sync(const std::string& path) {
  if (lying) return;
  Image& image = images_[path];
  for (const Change& change : image.since) apply(image.synced, change);
  image.since.clear();
}

void FaultDisk::note_remove(const std::string& path) { images_.erase(path); }

void FaultDisk::apply(std::vector<char>& content, const Change& change) {
  if (change.truncate) return content.resize(static_cast<std::size_t>(change.at));
  const auto end = static_cast<std::size_t>(change.at) + change.bytes.size();
  if (content.size() < end) content.resize(end);
  std::copy(change.bytes.begin(), change.bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(change.at));
}

std::vector<char> FaultDisk::left_of(const Image& image, std::mt19937_64& random, bool last_file) const {
  std::vector<char> content = image.synced;
  if (struck_fault_.unsynced == Unsynced::dropped) return content;
  for (std::size_t i = 0; i < image.since.size(); ++i) {
    if (struck_fault_.unsynced == Unsynced::chosen && random() % 2 == 0) continue;
    Change change = image.since[i];
    const bool tear =
        struck_fault_.unsynced == Unsynced::torn && last_file && i + 1 == image.since.size() && !change.truncate;
    if (tear) {
      const std::size_t sectors = (change.bytes.size() + sector_bytes - 1) / sector_bytes;
      change.bytes.resize(std::min(change.bytes.size(), random() % std::max<std::size_t>(sectors, 1) * sector_bytes));
    }
    apply(content, change);
  }
  return content;
}

void FaultDisk::recover() {
  if (dead_) {
    std::mt19937_64 random(struck_fault_.seed);
    for (const auto& [path, image] : images_) {
      std::filesystem::remove(path + "-shm");
      if (struck_fault_.unsynced == Unsynced::kept || image.since.empty()) continue;
      const std::vector<char> content = left_of(image, random, path == last_written_);
      std::ofstream(path, std::ios::binary | std::ios::trunc)
          .write(content.data(), static_cast<std::streamsize>(content.size()));
    }
    if (struck_fault_.unsynced != Unsynced::kept) images_.clear();
  }
  dead_ = false;
  reached_ = false;
  disarm();
}

void FaultDisk::forget() {
  images_.clear();
  dead_ = false;
  reached_ = false;
  disarm();
}

}  // namespace paytower::test
