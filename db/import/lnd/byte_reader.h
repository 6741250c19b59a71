// Numbers and lengths as lnd serialises them, taken from the front of a run of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "core/base/bytes.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::db::lnd {

/// Content that cannot be decoded. Caught where a record is; never leaves the decoding of one.
class Undecodable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes from the front; throws Undecodable, with the name of what is read, when it ends too early or says what cannot
/// be. Nothing is allocated for a length that the bytes do not have. The bytes must outlive the reader.
class ByteReader {
 public:
  ByteReader(std::span<const std::uint8_t> bytes, std::string what) : rest_(bytes), what_(std::move(what)) {}

  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> take(std::uint64_t size);
  /// Big-endian.
  template <typename T> [[nodiscard]] T number() {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(sizeof(T))) value = value << 8 | byte;
    return static_cast<T>(value);
  }
  template <typename Fixed> [[nodiscard]] Fixed fixed() { return *Fixed::from_span(take(Fixed::size)); }
  /// 8 bytes, at most all bitcoin.
  [[nodiscard]] Msat msat();
  /// A number without leading zero bytes, as TLV values have it: all that is left, at most `size` bytes.
  [[nodiscard]] std::uint64_t truncated(std::size_t size);
  /// bitcoin's length: little-endian behind the first byte, shortest form.
  [[nodiscard]] std::uint64_t compact_size();
  /// BOLT 1's length: big-endian behind the first byte, shortest form.
  [[nodiscard]] std::uint64_t big_size();
  /// compact_size, then that many bytes, at most `at_most`.
  [[nodiscard]] Bytes var_bytes(std::size_t at_most);
  /// A compressed point with or without its length before it.
  [[nodiscard]] PublicKey point();
  [[nodiscard]] PublicKey var_point();
  /// Throws unless everything was taken.
  void finish() const;
  [[noreturn]] void fail(const std::string& why) const;

 private:
  [[nodiscard]] std::uint64_t shortest(std::uint8_t first, std::uint64_t value) const;

  std::span<const std::uint8_t> rest_;
  std::string what_;
};

/// An amount, or Undecodable through `reader`.
[[nodiscard]] Msat checked_msat(std::uint64_t value, const ByteReader& reader);

}  // namespace paytower::db::lnd
