// lnd's macaroons: they let us in, and we can give them a time limit without asking lnd (lnd/README 6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace paytower::lnd {

/// Bytes that are wiped in the end. They cannot be copied and are never shown.
class SecretBytes {
 public:
  /// Never holds more than `capacity`: growing would leave a copy in memory.
  explicit SecretBytes(std::size_t capacity) { bytes_.reserve(capacity); }
  ~SecretBytes() { wipe(); }
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  /// REQUIRES: there is room within the capacity.
  void append(std::span<const std::uint8_t> more);
  [[nodiscard]] std::size_t room() const { return bytes_.capacity() - bytes_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> span() const { return bytes_; }

 private:
  void wipe() noexcept;

  std::vector<std::uint8_t> bytes_;
};

/// "time-before 2026-11-28T14:12:22.737423Z": from then on, by its own clock, lnd refuses what carries this. Fractions
/// of a microsecond are cut off. REQUIRES: not before 1970.
[[nodiscard]] std::string time_before_caveat(UnixNs until);

/// A macaroon in the binary form of version 2, as lnd writes its files.
class Macaroon {
 public:
  static constexpr std::size_t max_bytes = 4'096;  ///< lnd's own have 80 to 700

  /// Errc::usage for anything else; the message contains nothing of the file. The caller wipes `file`.
  [[nodiscard]] static Result<Macaroon> read(std::span<const std::uint8_t> file);

  /// The same with one more limit: a call with it must begin before `until`. Earlier limits still hold.
  [[nodiscard]] Macaroon limited(UnixNs until) const;

  /// The bytes as in lnd's file.
  [[nodiscard]] SecretBytes binary() const;
  /// The text for the header Grpc-Metadata-macaroon. The caller wipes it.
  [[nodiscard]] std::string hex() const;

 private:
  explicit Macaroon(SecretBytes body, SecretBytes signature)
      : body_(std::move(body)), signature_(std::move(signature)) {}

  SecretBytes body_;  ///< everything before the empty section that ends the caveats
  SecretBytes signature_;
};

}  // namespace paytower::lnd
