#include "core/base/types.h"

#include <charconv>

namespace paytower {

namespace {

std::optional<std::uint64_t> whole_number(std::string_view text, std::uint64_t max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, errc] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (errc != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

}  // namespace

std::string ShortChannelId::text() const {
  return std::to_string(value >> 40) + "x" + std::to_string((value >> 16) & 0xFFFFFF) + "x" +
         std::to_string(value & 0xFFFF);
}

std::optional<ShortChannelId> ShortChannelId::parse(std::string_view text) {
  const std::size_t first = text.find('x');
  if (first == std::string_view::npos) {
    const auto whole = whole_number(text, UINT64_MAX);
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
