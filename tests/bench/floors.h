// What the disk and SQLite allow at best: nothing that stores payments durably can be faster.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace paytower::bench {

/// The statements that store a payment: `init` in its first commit, `settle` in its second. ?1 is the number of the
/// payment; everything else is random bytes.
struct Floor {
  const char* schema;
  std::vector<const char*> init;
  std::vector<const char*> settle;
};

/// One row of 900 bytes inserted, then changed. No constraint, no index but the key: what SQLite gives at best.
extern const Floor bare_floor;

/// A payment and its attempt, with indexes by hash, by time, by id and of what is open: what any store needs that can
/// list and resume payments. No check, trigger, foreign key or lock except SQLite's. Rows are as long as ours.
extern const Floor rows_floor;

/// Each iteration stores `together` payments in two commits, in a new file `path`: WAL, synchronous=FULL.
void two_commits(benchmark::State& state, const Floor& floor, const std::string& path, std::size_t together);

/// Each iteration overwrites 4 KiB of a new file `path` and syncs them.
void overwrite_and_sync(benchmark::State& state, const std::string& path);

}  // namespace paytower::bench
