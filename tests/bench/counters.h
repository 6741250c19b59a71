// What a benchmark asks of disk and memory, and where it does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

namespace paytower::bench {

/// A new folder in $TMPDIR, or in /tmp: on the file system that is measured. Gone with the object.
class Folder {
 public:
  /// Throws std::filesystem::filesystem_error when there is no such place.
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// The path of a file of this name, which is not there, nor what SQLite and paytower keep beside it.
  [[nodiscard]] std::string fresh(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

/// Counts what this process asks for from its making on: calls of fdatasync (SQLite's too), bytes given to the kernel,
/// and allocations by operator new (SQLite has an allocator of its own, and is not in it).
class Counters {
 public:
  Counters();
  /// Puts all three, a payment, into the counters of `state`.
  void count(benchmark::State& state, std::size_t payments) const;

 private:
  std::uint64_t syncs_;
  std::uint64_t written_;
  std::uint64_t allocations_;
};

}  // namespace paytower::bench
