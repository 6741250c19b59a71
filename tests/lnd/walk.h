// Everything a reader can be asked for, asked of one file: what damage tests and the fuzzer run.
#pragma once

#include <cstddef>
#include <string>

namespace paytower::test {

/// Walks all buckets as they lie, then the payments as the version has them. The number of keys and records met. Throws
/// RefusalError where the reader does, and nothing else.
[[nodiscard]] std::size_t walk_file(const std::string& path);

}  // namespace paytower::test
