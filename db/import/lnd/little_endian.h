// bbolt's numbers: in the byte order of the machine that wrote the file, which is little-endian wherever lnd runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/require.h"

namespace paytower::db::lnd {

/// The number at `offset`, aligned or not. REQUIRES: offset + sizeof(T) <= bytes.size().
template <typename T> [[nodiscard]] T little(std::span<const std::uint8_t> bytes, std::size_t offset) {
  require(offset <= bytes.size() && sizeof(T) <= bytes.size() - offset, "the number lies inside the bytes");
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i > 0; --i) value = value << 8 | bytes[offset + i - 1];
  return static_cast<T>(value);
}

}  // namespace paytower::db::lnd
