// Everything a reader can be asked for, asked of one file: what damage tests and the fuzzer run.
#pragma once

#include <cstddef>
#include <string>

namespace paytower::test {

/// Walks all buckets, then reads the payments of the file's version. Returns how many keys and records there were.
/// Throws RefusalError if the reader does, and nothing else.
[[nodiscard]] std::size_t walk_file(const std::string& path);

}  // namespace paytower::test
