// Whole numbers as text and as bytes.
#include "core/base/number.h"

#include <charconv>

namespace paytower {

std::optional<std::uint64_t> whole_number(std::string_view digits, std::uint64_t most) {
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, errc] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (errc != std::errc{} || end != digits.data() + digits.size() || value > most) return std::nullopt;
  return value;
}

void put_big_endian(Bytes& out, std::uint64_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::uint64_t take_big_endian(std::span<const std::uint8_t>& bytes, std::size_t size) {
  const std::uint64_t value = big_endian(bytes.first(size));
  bytes = bytes.subspan(size);
  return value;
}

}  // namespace paytower
