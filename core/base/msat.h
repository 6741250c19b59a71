// Amounts of money: whole millisatoshi, never a float, never negative, never above all bitcoin.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace paytower {

/// 0 to 2,100,000,000,000,000,000 msat (21 million btc). Arithmetic is checked and says so in its type.
class Msat {
 public:
  static constexpr std::uint64_t max_value = 2'100'000'000'000'000'000ULL;

  constexpr Msat() = default;

  /// Nothing when `msat` is above all bitcoin there will ever be.
  [[nodiscard]] static constexpr std::optional<Msat> from(std::uint64_t msat) {
    if (msat > max_value) return std::nullopt;
    return Msat(msat);
  }
  /// What is above max_value becomes max_value: for constants and values that were checked before.
  [[nodiscard]] static constexpr Msat of(std::uint64_t msat) { return Msat(msat <= max_value ? msat : max_value); }

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr std::int64_t signed_value() const { return static_cast<std::int64_t>(value_); }
  constexpr auto operator<=>(const Msat&) const = default;

 private:
  explicit constexpr Msat(std::uint64_t msat) : value_(msat) {}
  std::uint64_t value_ = 0;
};

[[nodiscard]] constexpr std::optional<Msat> checked_add(Msat a, Msat b) { return Msat::from(a.value() + b.value()); }
[[nodiscard]] constexpr std::optional<Msat> checked_sub(Msat a, Msat b) {
  if (b > a) return std::nullopt;
  return Msat::from(a.value() - b.value());
}

}  // namespace paytower
