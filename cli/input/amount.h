// Amounts as people type them. A bare number is refused: lncli reads one as sat, Core Lightning as msat.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/msat.h"

namespace paytower::cli {

/// "1000sat", "250000msat", "0.001btc", "1.5sat". No sign, spaces, leading zeros, exponents or rounding; at most 21
/// million btc.
[[nodiscard]] Result<Msat> parse_amount(std::string_view text);

/// The shortest text that parse_amount reads back: "1.5sat".
[[nodiscard]] std::string amount_text(Msat amount);

/// A share in ten-thousandths of a percent: 1 % = 10,000.
struct Percent {
  std::uint32_t units = 0;
  auto operator<=>(const Percent&) const = default;

  static constexpr std::uint32_t units_per_percent = 10'000;
  static constexpr std::uint32_t max_units = 100 * units_per_percent;

  /// Rounded down to whole msat.
  [[nodiscard]] Msat of(Msat amount) const;
};

/// "1", "0.25", at most four decimals, at most 100.
[[nodiscard]] Result<Percent> parse_percent(std::string_view text);

}  // namespace paytower::cli
