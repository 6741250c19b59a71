// How attempt ids are drawn (R12), and which clocks may be used for it.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "core/base/types.h"
#include "core/driver/ports.h"

namespace paytower {

/// The day of this release. A clock that shows an earlier day is wrong.
inline constexpr UnixNs release_date{1'795'996'800 * ns_per_second};  // 2026-11-30T00:00:00Z
/// Until then ids are drawn by the clock. What is left up to 2^62 (ten months) is kept for ids above those of a clock
/// that was ahead.
inline constexpr UnixNs ids_hold_until{2'650'838'400 * ns_per_second};  // 2054-01-01T00:00:00Z

/// All our ids are below it.
inline constexpr std::uint64_t end_of_ids = std::uint64_t{1} << 62;

/// (milliseconds since 2020-01-01 UTC) << 22 | 22 random bits, above `highest`, below 2^62. Ids grow with time, so
/// B-trees append, and the newest group at the node is ours. The random bits keep copies of one database apart.
/// `highest` is the greatest id that the caller knows: of the store, and of those that it drew itself, so that ids of
/// one millisecond have an order too. Errc::clock when the clock has passed ids_hold_until, or when no id above
/// `highest` is left below 2^62.
[[nodiscard]] Result<AttemptId> draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest);

/// Why nothing new may begin at this time: it is before `earliest`, or ids do not last that long. Rows of such a time
/// would look old, or as if they were from the future.
[[nodiscard]] std::optional<Error> unusable_clock(UnixNs now, UnixNs earliest);

}  // namespace paytower
