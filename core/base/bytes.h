// Fixed-size byte strings that cannot be mistaken for one another, and hex text.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paytower {

using Bytes = std::vector<std::uint8_t>;

/// Lower-case hex of any bytes.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);
/// The same, appended to `out`.
void append_hex(std::string& out, std::span<const std::uint8_t> bytes);

/// Reads hex of either case into `out`, which it must fill exactly. False leaves `out` unspecified.
[[nodiscard]] bool from_hex(std::string_view text, std::span<std::uint8_t> out);

/// Reads hex of any even length. Nothing for an odd length, or for a character that is not a hex digit.
[[nodiscard]] std::optional<Bytes> bytes_from_hex(std::string_view text);

/// N bytes of one meaning: two instances with different tags do not convert into each other.
template <std::size_t N, typename Tag> struct FixedBytes {
  static constexpr std::size_t size = N;
  std::array<std::uint8_t, N> bytes{};

  auto operator<=>(const FixedBytes&) const = default;
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
  [[nodiscard]] std::span<const std::uint8_t> span() const { return bytes; }

  /// Exactly 2 * N hex digits of either case, or nothing.
  [[nodiscard]] static std::optional<FixedBytes> from_hex_text(std::string_view text) {
    FixedBytes value;
    if (!from_hex(text, value.bytes)) return std::nullopt;
    return value;
  }
  /// Exactly N bytes, or nothing.
  [[nodiscard]] static std::optional<FixedBytes> from_span(std::span<const std::uint8_t> data) {
    if (data.size() != N) return std::nullopt;
    FixedBytes value;
    std::size_t at = 0;
    for (const std::uint8_t byte : data) value.bytes[at++] = byte;
    return value;
  }
};

}  // namespace paytower
