// The nouns of the trade as types: none converts into another, and none into a bare number.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace paytower {

using PaymentHash = FixedBytes<32, struct PaymentHashTag>;
using Preimage = FixedBytes<32, struct PreimageTag>;
/// The secret `s` of a BOLT 11 invoice. Never printed.
using PaymentSecret = FixedBytes<32, struct PaymentSecretTag>;
/// A compressed secp256k1 point (02 or 03 first).
using PublicKey = FixedBytes<33, struct PublicKeyTag>;
/// 16 random bytes drawn when a database is made; part of every attempt's label at the switch.
using StoreId = FixedBytes<16, struct StoreIdTag>;

/// Nanoseconds since 1970-01-01 UTC. Negative before it.
struct UnixNs {
  std::int64_t value = 0;
  auto operator<=>(const UnixNs&) const = default;
};

/// Nanoseconds of a clock that only runs forward; its zero has no meaning.
struct MonoNs {
  std::int64_t value = 0;
  auto operator<=>(const MonoNs&) const = default;
};

inline constexpr std::int64_t ns_per_ms = 1'000'000;
inline constexpr std::int64_t ns_per_second = 1'000'000'000;

/// The order of creation in our store (`payment_index`): from 1, never reused. 0: not stored yet.
struct PaymentIndex {
  std::int64_t value = 0;
  auto operator<=>(const PaymentIndex&) const = default;
};

/// What names an attempt at the switch (Core Lightning: groupid). Below 2^62, never reused (R12).
struct AttemptId {
  std::uint64_t value = 0;
  auto operator<=>(const AttemptId&) const = default;
};

/// Block height << 40 | transaction index << 16 | output index (BOLT 7).
struct ShortChannelId {
  std::uint64_t value = 0;
  auto operator<=>(const ShortChannelId&) const = default;
  /// "800000x1x1"
  [[nodiscard]] std::string text() const;
  /// Reads "800000x1x1" or the decimal 64-bit form; nothing for anything else.
  [[nodiscard]] static std::optional<ShortChannelId> parse(std::string_view text);
};

/// One direction of a channel: 0 when the lower node key sends, 1 when the higher one does (BOLT 7).
struct ChannelDirection {
  ShortChannelId channel;
  std::uint8_t direction = 0;
  auto operator<=>(const ChannelDirection&) const = default;
};

/// Hashes the first bytes of fixed byte strings. They are hashes or keys themselves, so they are spread well.
struct BytesHash {
  template <std::size_t N, typename Tag> std::size_t operator()(const FixedBytes<N, Tag>& value) const {
    std::size_t mixed = 1469598103934665603ULL;
    for (const std::uint8_t byte : value.bytes) mixed = (mixed ^ byte) * 1099511628211ULL;
    return mixed;
  }
};

}  // namespace paytower
