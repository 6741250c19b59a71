// Counts values in buckets, and reads percentiles from them.
#include "db/payments/log_histogram.h"

#include <algorithm>
#include <bit>

#include "core/base/require.h"

namespace paytower::db {

std::size_t LogHistogram::bucket_of(std::uint64_t value) {
  if (value < exact) return static_cast<std::size_t>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1;  // leaves 128 to 255
  return (std::size_t{shift} << sub_bits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t LogHistogram::smallest_in(std::size_t bucket) {
  if (bucket < exact) return bucket;
  const std::size_t shift = (bucket >> sub_bits) - 1;
  return static_cast<std::uint64_t>(bucket - (shift << sub_bits)) << shift;
}

void LogHistogram::add(std::uint64_t value) {
  ++counts_[bucket_of(value)];
  ++count_;
  sum_ = saturating_add(sum_, value);
  smallest_ = std::min(smallest_, value);
  largest_ = std::max(largest_, value);
}

std::optional<std::uint64_t> LogHistogram::percentile(unsigned percent) const {
  require(percent >= 1 && percent <= 100, "a percentile is 1 to 100");
  if (count_ == 0) return std::nullopt;
  if (percent >= 100) return largest_;
  // ceil(count * percent / 100), in parts so that no product gets too large
  const std::uint64_t rank = count_ / 100 * percent + (count_ % 100 * percent + 99) / 100;
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank && counts_[bucket] > 0) return std::clamp(smallest_in(bucket), smallest_, largest_);
  }
  return largest_;
}

}  // namespace paytower::db
