// Whole numbers as text and as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/bytes.h"

namespace paytower {

/// Reads decimal digits alone: no sign, no blank, no leading zero, and nothing above `most`.
[[nodiscard]] std::optional<std::uint64_t> whole_number(std::string_view digits, std::uint64_t most = UINT64_MAX);

/// Appends the lowest `size` bytes of `value`, the highest of them first.
void put_big_endian(Bytes& out, std::uint64_t value, int size);

/// The number that all of `bytes` make, the highest first. REQUIRES: at most 8 bytes.
[[nodiscard]] std::uint64_t big_endian(std::span<const std::uint8_t> bytes);

/// The same of the first `size` bytes, which are then cut off. REQUIRES: `bytes` has as many.
[[nodiscard]] std::uint64_t take_big_endian(std::span<const std::uint8_t>& bytes, std::size_t size);

}  // namespace paytower
