// Numbers and lengths as lnd writes them, taken from the front of some bytes.
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

/// The content cannot be decoded. Caught where the record is read, and nowhere further up.
class Undecodable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes from the front. Throws Undecodable, with the name of what is read, if the bytes end too early or say something
/// impossible. Never allocates memory for a length that the bytes do not have. The bytes must outlive the reader.
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
  /// A number without leading zero bytes, as in TLV values: all that is left, at most `size` bytes.
  [[nodiscard]] std::uint64_t truncated(std::size_t size);
  /// A length as in bitcoin: little-endian after the first byte, in the shortest form.
  [[nodiscard]] std::uint64_t compact_size();
  /// A length as in BOLT 1: big-endian after the first byte, in the shortest form.
  [[nodiscard]] std::uint64_t big_size();
  /// A compact_size, then that many bytes, at most `at_most`.
  [[nodiscard]] Bytes var_bytes(std::size_t at_most);
  /// A compressed public key, with or without its length before it.
  [[nodiscard]] PublicKey point();
  [[nodiscard]] PublicKey var_point();
  /// Throws if something is left.
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
