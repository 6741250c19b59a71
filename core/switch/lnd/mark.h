// How we recognise our own HTLCs at lnd: 16 bytes in the custom records of the last hop, which look random to everyone
// else (lnd/README 5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/types.h"

namespace paytower::lnd {

/// The custom record that carries a mark. It is odd, so that payees who do not know it ignore it (BOLT 1), and in the
/// range that lnd leaves to its users (from 65536).
inline constexpr std::uint64_t mark_record_type = 5'564'161;

/// The bytes in that record.
using Mark = std::array<std::uint8_t, 16>;

/// What the marked HTLC was sent for.
enum class MarkKind : std::uint8_t {
  attempt = 1,  ///< pays
  fence = 2,    ///< keeps the hash busy, so that no copy of the attempt gets in; pays nobody
  release = 3,  ///< ends the fence; pays nobody
};

struct MarkParts {
  AttemptId id;
  std::uint32_t part = 0;  ///< at most most_marked_part
  MarkKind kind = MarkKind::attempt;
  auto operator<=>(const MarkParts&) const = default;
};
inline constexpr std::uint32_t most_marked_part = 0xFFFF;

/// Writes and reads the marks of one store (R12). Without the store's id they look random, so a payee cannot link two
/// payments by them.
class MarkCipher {
 public:
  explicit MarkCipher(const StoreId& store);
  ~MarkCipher();
  MarkCipher(const MarkCipher&) = delete;
  MarkCipher& operator=(const MarkCipher&) = delete;

  /// The same parts always make the same mark (R4). REQUIRES: a part that can be marked, an id below 2^62.
  [[nodiscard]] Mark make(const MarkParts& parts) const;
  /// Nothing for bytes that this store did not make. Foreign bytes are taken for ours once in 2^48 cases.
  [[nodiscard]] std::optional<MarkParts> read(const Mark& mark) const;

 private:
  StoreId store_;
  std::array<std::uint8_t, 16> key_{};
};

}  // namespace paytower::lnd
