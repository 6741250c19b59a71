// Groups digits, and writes msat as sat.
#include "core/base/amount_text.h"

#include <fmt/core.h>

namespace paytower {

std::string grouped(std::uint64_t number) {
  std::string text = fmt::format("{}", number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string sat_text(Msat amount) {
  std::string text = grouped(amount.value() / 1000);
  if (const std::uint64_t rest = amount.value() % 1000; rest != 0) {
    std::string digits = fmt::format("{:03}", rest);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += fmt::format(".{}", digits);
  }
  return fmt::format("{} sat", text);
}

}  // namespace paytower
