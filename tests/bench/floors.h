// What the disk and SQLite allow at best: nothing that stores payments durably can be faster.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace paytower::bench {

/// What a payment is stored with: `init` in its first commit, `settle` in its second. ?1 is its number, and random
/// bytes are the rest.
struct Floor {
  const char* schema;
  std::vector<const char*> init;
  std::vector<const char*> settle;
};

/// One row of 900 bytes inserted, then changed. No constraint, no index but the key: what SQLite gives at best.
extern const Floor bare_floor;

/// A payment and its attempt, found again by hash, by time, by id and while they are open: what any store of payments
/// that can be listed and resumed must have. No check, no trigger, no foreign key, no lock but SQLite's. Rows are as
/// long as ours.
extern const Floor rows_floor;

/// Each iteration stores `together` payments in two commits, in a new file `path`: WAL, synchronous=FULL.
void two_commits(benchmark::State& state, const Floor& floor, const std::string& path, std::size_t together);

/// Each iteration overwrites 4 KiB of a new file `path` and syncs them.
void overwrite_and_sync(benchmark::State& state, const std::string& path);

}  // namespace paytower::bench
