// Counts fdatasync calls and allocations of this process, and reads how many bytes it wrote.
#include "tests/bench/counters.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <new>
#include <system_error>

namespace {
std::uint64_t syncs_so_far = 0;
std::uint64_t allocations_so_far = 0;
}  // namespace

/// Replaces the C library's function, also for SQLite, and counts the calls.
extern "C" int fdatasync(int descriptor) {
  ++syncs_so_far;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

void* operator new(std::size_t size) {
  ++allocations_so_far;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace paytower::bench {

namespace {

std::uint64_t written_so_far() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  while (io >> name >> value) {
    if (name == "wchar:") return value;
  }
  return 0;
}

}  // namespace

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "paytower-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::filesystem::filesystem_error("cannot make a folder", name,
                                            std::error_code(errno, std::generic_category()));
  }
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::fresh(const std::string& name) const {
  std::string path = (path_ / name).string();
  for (const char* ending : {"", "-wal", "-shm", ".lock", ".spool"}) std::filesystem::remove(path + ending);
  return path;
}

Counters::Counters() : syncs_(syncs_so_far), written_(written_so_far()), allocations_(allocations_so_far) {}

void Counters::count(benchmark::State& state, std::size_t payments) const {
  const auto each = static_cast<double>(payments);
  const std::uint64_t allocations = allocations_so_far - allocations_;
  state.counters["allocations"] = static_cast<double>(allocations) / each;
  state.counters["syncs"] = static_cast<double>(syncs_so_far - syncs_) / each;
  state.counters["bytes written"] = static_cast<double>(written_so_far() - written_) / each;
}

}  // namespace paytower::bench
