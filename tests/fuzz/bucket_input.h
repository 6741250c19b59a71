// A fuzzer's bytes as a bucket: in the form of raw_bytes(), as far as they can be read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "db/import/lnd/bucket_copy.h"

namespace paytower::fuzz {

using Input = std::span<const std::uint8_t>;

inline std::uint64_t number(Input& input, std::size_t size) {
  std::uint64_t value = 0;
  for (; size > 0 && !input.empty(); --size, input = input.subspan(1)) value = value << 8 | input.front();
  return value;
}

inline Bytes run(Input& input) {
  const std::uint64_t size = number(input, 4) % 4096;
  const Input taken = input.first(std::min<std::size_t>(static_cast<std::size_t>(size), input.size()));
  input = input.subspan(taken.size());
  return {taken.begin(), taken.end()};
}

/// `ascending`: keys ascend in a bucket, and one that does not ends it.
inline db::lnd::BucketEntry entry(Input& input, bool is_bucket, std::size_t depth, bool ascending) {
  db::lnd::BucketEntry out;
  out.is_bucket = is_bucket;
  out.key = run(input);
  if (!is_bucket) {
    out.value = run(input);
    return out;
  }
  out.sequence = number(input, 8);
  while (!input.empty()) {
    const std::uint64_t kind = number(input, 1);
    if (kind > 1 || depth == db::lnd::max_bucket_depth) break;
    db::lnd::BucketEntry inside = entry(input, kind == 1, depth + 1, ascending);
    if (ascending && !out.entries.empty() && inside.key <= out.entries.back().key) break;
    out.entries.push_back(std::move(inside));
  }
  return out;
}

}  // namespace paytower::fuzz
