#include "tests/store/fault_vfs.h"

#include <cstring>
#include <new>

namespace paytower::test {

namespace {

sqlite3_vfs* real() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}

/// Ours first, the real file behind it.
struct File {
  sqlite3_file base;
  bool log;
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(this) + sizeof(File)); }
};

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* inner(sqlite3_file* file) { return ours(file)->inner(); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return inner(file)->pMethods; }

int fault(sqlite3_file* file) { return ours(file)->log ? FaultVfs::instance().next_call() : SQLITE_OK; }

const sqlite3_io_methods* io() {
  static const sqlite3_io_methods all = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return methods(f)->xClose(inner(f)); };
    m.xRead = [](sqlite3_file* f, void* out, int count, sqlite3_int64 at) { return methods(f)->xRead(inner(f), out, count, at); };
    m.xWrite = [](sqlite3_file* f, const void* in, int count, sqlite3_int64 at) {
      const int code = fault(f);
      return code != SQLITE_OK ? code : methods(f)->xWrite(inner(f), in, count, at);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) { return methods(f)->xTruncate(inner(f), size); };
    m.xSync = [](sqlite3_file* f, int flags) {
      const int code = fault(f);
      return code != SQLITE_OK ? code : methods(f)->xSync(inner(f), flags);
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) { return methods(f)->xFileSize(inner(f), size); };
    m.xLock = [](sqlite3_file* f, int level) { return methods(f)->xLock(inner(f), level); };
    m.xUnlock = [](sqlite3_file* f, int level) { return methods(f)->xUnlock(inner(f), level); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out) { return methods(f)->xCheckReservedLock(inner(f), out); };
    m.xFileControl = [](sqlite3_file* f, int op, void* argument) { return methods(f)->xFileControl(inner(f), op, argument); };
    m.xSectorSize = [](sqlite3_file* f) { return methods(f)->xSectorSize(inner(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) { return methods(f)->xDeviceCharacteristics(inner(f)); };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) { return methods(f)->xShmMap(inner(f), page, size, extend, out); };
    m.xShmLock = [](sqlite3_file* f, int offset, int count, int flags) { return methods(f)->xShmLock(inner(f), offset, count, flags); };
    m.xShmBarrier = [](sqlite3_file* f) { methods(f)->xShmBarrier(inner(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) { return methods(f)->xShmUnmap(inner(f), remove); };
    return m;
  }();
  return &all;
}

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  File* made = new (file) File{};
  made->log = (flags & SQLITE_OPEN_WAL) != 0;
  const int code = real()->xOpen(real(), path, made->inner(), flags, out_flags);
  made->base.pMethods = made->inner()->pMethods != nullptr ? io() : nullptr;
  return code;
}

}  // namespace

FaultVfs& FaultVfs::instance() {
  static FaultVfs vfs;
  return vfs;
}

FaultVfs::FaultVfs() {
  static sqlite3_vfs vfs = *real();
  vfs.pNext = nullptr;
  vfs.zName = name;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real()->szOsFile;
  vfs.xOpen = open_file;
  // The rest works on paths: the real one's functions are asked with the real one's object.
  vfs.xDelete = [](sqlite3_vfs*, const char* path, int sync) { return real()->xDelete(real(), path, sync); };
  vfs.xAccess = [](sqlite3_vfs*, const char* path, int flags, int* out) { return real()->xAccess(real(), path, flags, out); };
  vfs.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) { return real()->xFullPathname(real(), path, size, out); };
  sqlite3_vfs_register(&vfs, 0);
}

void FaultVfs::fail_at(int call, int code) {
  calls_ = 0;
  fail_at_ = call;
  code_ = code;
  failed_ = false;
}

int FaultVfs::next_call() {
  if (++calls_ != fail_at_) return SQLITE_OK;
  failed_ = true;
  return code_;
}

}  // namespace paytower::test
