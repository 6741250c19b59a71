// How often which size occurs: percentiles of any number of values in a fixed amount of memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace paytower::db {

/// Counts whole numbers in buckets that get wider as values grow: below 256 each value has its own bucket, above that a
/// bucket spans at most 1/128 of its values. So a percentile is exact below 256, and above that at most 0.8 % too low,
/// never too high. 7,424 counters (58 KiB), whatever is counted. No floating point is involved.
class LogHistogram {
 public:
  void add(std::uint64_t value);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Stops at the largest value instead of starting again at 0.
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] std::uint64_t largest() const { return largest_; }
  /// The value that `percent` of all values do not exceed (nearest rank); 100 gives the largest value itself. Nothing
  /// if there are no values. REQUIRES: percent is 1 to 100.
  [[nodiscard]] std::optional<std::uint64_t> percentile(unsigned percent) const;

 private:
  static constexpr unsigned sub_bits = 7;                           // 128 buckets for each doubling
  static constexpr std::size_t exact = std::size_t{2} << sub_bits;  // values with a bucket of their own
  static constexpr std::size_t buckets = exact + ((64 - sub_bits - 1) << sub_bits);

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value);
  [[nodiscard]] static std::uint64_t smallest_in(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t smallest_ = UINT64_MAX;
  std::uint64_t largest_ = 0;
};

/// a + b, or the largest number there is.
[[nodiscard]] constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

}  // namespace paytower::db
