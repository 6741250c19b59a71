// Amounts with their unit, and percents, exactly: no floating point, no rounding.
#include "cli/input/amount.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "cli/output/text.h"

namespace paytower::cli {

namespace {

struct AmountUnit {
  std::string_view name;
  std::uint32_t decimals;  ///< digits behind the point that are whole msat
};
// "msat" before "sat", which it ends with.
constexpr std::array<AmountUnit, 3> amount_units{{{"msat", 0}, {"sat", 3}, {"btc", 11}}};

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

enum class Flaw { form, leading_zero, too_precise, too_large };

/// A decimal number times 10^decimals as a whole number, exactly.
struct Fixed {
  std::optional<std::uint64_t> value;
  Flaw flaw = Flaw::form;
};

Fixed parse_fixed(std::string_view text, std::uint32_t decimals, std::uint64_t max) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (!all_digits(whole) || (point != std::string_view::npos && !all_digits(fraction))) return {};
  if (whole.size() > 1 && whole.front() == '0') return {{}, Flaw::leading_zero};
  if (fraction.size() > decimals) return {{}, Flaw::too_precise};
  std::uint64_t value = 0;
  const auto push = [&](std::uint64_t digit) {
    if (value > (max - digit) / 10) return false;
    value = value * 10 + digit;
    return true;
  };
  for (const char c : whole) {
    if (!push(static_cast<std::uint64_t>(c - '0'))) return {{}, Flaw::too_large};
  }
  for (std::uint32_t i = 0; i < decimals; ++i) {
    if (!push(i < fraction.size() ? static_cast<std::uint64_t>(fraction[i] - '0') : 0)) return {{}, Flaw::too_large};
  }
  return {value, {}};
}

Error no_amount(std::string_view text, std::string_view why) {
  return Error{Errc::usage, fmt::format("amount {}: {}", in_quotes(text), why)};
}

Error explain(std::string_view text, const AmountUnit& unit, Flaw flaw) {
  switch (flaw) {
    case Flaw::form:
      return no_amount(
          text,
          "write digits and a unit, such as 1000sat, 250000msat, 1.5sat or 0.001btc; no sign, no spaces, no "
          "separators");
    case Flaw::leading_zero: return no_amount(text, "no leading zeros");
    case Flaw::too_precise:
      if (unit.decimals == 0) return no_amount(text, "a msat is the smallest amount and has no decimals");
      return no_amount(text, fmt::format("finer than 1 msat ({} has at most {} decimals), and nothing is rounded",
                                         unit.name, unit.decimals));
    case Flaw::too_large: return no_amount(text, "more than 21 million btc");
  }
  return no_amount(text, "not an amount");
}

}  // namespace

Result<Msat> parse_amount(std::string_view text) {
  if (text.empty()) return Error{Errc::usage, "the amount is empty"};
  for (const AmountUnit& unit : amount_units) {
    if (text.size() < unit.name.size() || text.substr(text.size() - unit.name.size()) != unit.name) continue;
    const Fixed fixed = parse_fixed(text.substr(0, text.size() - unit.name.size()), unit.decimals, Msat::max_value);
    if (!fixed.value) return explain(text, unit, fixed.flaw);
    return Msat::of(*fixed.value);
  }
  if (all_digits(text)) {
    return no_amount(text,
                     fmt::format("a bare number is read as sat by lncli and as msat by Core Lightning, so the unit "
                                 "must be named: {0:.20}sat or {0:.20}msat",
                                 text));
  }
  return explain(text, amount_units[1], Flaw::form);
}

std::string amount_text(Msat amount) {
  const std::uint64_t rest = amount.value() % 1000;
  if (rest == 0) return fmt::format("{}sat", amount.value() / 1000);
  std::string decimals = fmt::format("{:03}", rest);
  decimals.erase(decimals.find_last_not_of('0') + 1);
  return fmt::format("{}.{}sat", amount.value() / 1000, decimals);
}

Msat Percent::of(Msat amount) const {
  // Split so that no product leaves 64 bits: the first is a whole number of msat, only the second is rounded.
  const std::uint64_t whole = amount.value() / max_units;
  const std::uint64_t rest = amount.value() % max_units;
  return Msat::of(whole * units + rest * units / max_units);
}

Result<Percent> parse_percent(std::string_view text) {
  const Fixed fixed = parse_fixed(text, 4, Percent::max_units);
  if (!fixed.value) {
    return Error{
        Errc::usage,
        fmt::format("percent {}: write a number from 0 to 100 with at most 4 decimals, such as 0.25", in_quotes(text))};
  }
  return Percent{static_cast<std::uint32_t>(*fixed.value)};
}

}  // namespace paytower::cli
