// The marks of a Core Lightning node: four of its counters, as its command `wait` tells them (R5). Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "core/payment/payment.h"

namespace paytower::cln {

/// How much the node has made and deleted so far, at most 2^63 - 1 of each. Absent if it does not count that.
struct Counters {
  std::optional<std::uint64_t> payments_created;
  std::optional<std::uint64_t> htlcs_created;
  std::optional<std::uint64_t> htlcs_deleted;
  std::optional<std::uint64_t> movements_created;
  auto operator<=>(const Counters&) const = default;
};

/// Readable text: "1" for the form, then a comma and the number for each counter, in the order above; no number for an
/// absent one. "1,4,40,,20"
[[nodiscard]] Marks marks_of(const Counters& counters);
/// Nothing for bytes that marks_of did not make. Never throws.
[[nodiscard]] Counters counters_of(const Marks& marks);

}  // namespace paytower::cln
