// What a benchmark asks of disk and memory, and where it does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

namespace paytower::bench {

/// A new folder in $TMPDIR, or in /tmp, so on the file system that is measured. Removed with the object.
class Folder {
 public:
  /// Throws std::filesystem::filesystem_error when there is no such place.
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// The path for a file of this name. Removes the file and what SQLite and paytower keep beside it, if they exist.
  [[nodiscard]] std::string fresh(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

/// Counts what this process does from the construction on: calls of fdatasync (SQLite's too), bytes written to the
/// kernel, and allocations by operator new (not SQLite's, which has its own allocator).
class Counters {
 public:
  Counters();
  /// Adds all three, divided by `payments`, to the counters of `state`.
  void count(benchmark::State& state, std::size_t payments) const;

 private:
  std::uint64_t syncs_;
  std::uint64_t written_;
  std::uint64_t allocations_;
};

}  // namespace paytower::bench
