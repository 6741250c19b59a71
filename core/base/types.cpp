// Short channel ids as text.
#include "core/base/types.h"

#include <fmt/core.h>

#include "core/base/number.h"

namespace paytower {

std::string ShortChannelId::text() const {
  return fmt::format("{}x{}x{}", value >> 40, (value >> 16) & 0xFFFFFF, value & 0xFFFF);
}

std::optional<ShortChannelId> ShortChannelId::parse(std::string_view text) {
  const std::size_t first = text.find('x');
  if (first == std::string_view::npos) {
    const auto whole = whole_number(text);
    if (!whole) return std::nullopt;
    return ShortChannelId{*whole};
  }
  const std::size_t second = text.find('x', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto block = whole_number(text.substr(0, first), 0xFFFFFF);
  const auto tx = whole_number(text.substr(first + 1, second - first - 1), 0xFFFFFF);
  const auto output = whole_number(text.substr(second + 1), 0xFFFF);
  if (!block || !tx || !output) return std::nullopt;
  return ShortChannelId{*block << 40 | *tx << 16 | *output};
}

}  // namespace paytower
