// lnd's macaroons: what lets us in, and how we bound it in time without a word to lnd
// (lnd/README 6).
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

/// Bytes that are wiped when they go, cannot be copied, and are shown nowhere.
class SecretBytes {
 public:
  /// Never holds more than `capacity`: growing would leave a copy behind.
  explicit SecretBytes(std::size_t capacity) { bytes_.reserve(capacity); }
  ~SecretBytes() { wipe(); }
  SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  /// REQUIRES: room within the capacity.
  void append(std::span<const std::uint8_t> more);
  [[nodiscard]] std::size_t room() const { return bytes_.capacity() - bytes_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> span() const { return bytes_; }

 private:
  void wipe() noexcept;

  std::vector<std::uint8_t> bytes_;
};

/// "time-before 2026-11-28T14:12:22.737423Z": from then on lnd refuses whatever carries it, by its own clock. What is
/// below a microsecond is cut off. REQUIRES: not before 1970.
[[nodiscard]] std::string time_before_caveat(UnixNs until);

/// A macaroon in the binary form of version 2, as lnd writes its files.
class Macaroon {
 public:
  static constexpr std::size_t max_bytes = 4'096;  ///< lnd's own have 80 to 700

  /// Refuses with Errc::usage what is no such macaroon; the words hold nothing of it. The caller wipes `file`.
  [[nodiscard]] static Result<Macaroon> read(std::span<const std::uint8_t> file);

  /// The same with one more limit: a call with it must begin before `until`. Earlier limits still hold.
  [[nodiscard]] Macaroon limited(UnixNs until) const;

  /// As in lnd's file.
  [[nodiscard]] SecretBytes binary() const;
  /// What the header Grpc-Metadata-macaroon carries. The caller wipes it.
  [[nodiscard]] std::string hex() const;

 private:
  explicit Macaroon(SecretBytes body, SecretBytes signature)
      : body_(std::move(body)), signature_(std::move(signature)) {}

  SecretBytes body_;  ///< all before the empty section that ends the caveats
  SecretBytes signature_;
};

}  // namespace paytower::lnd
