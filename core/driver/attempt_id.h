// Drawing attempt ids (R12), and which clocks they may be drawn by.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "core/base/types.h"
#include "core/driver/ports.h"

namespace paytower {

/// The day of this release: a clock that shows an earlier one is wrong.
inline constexpr UnixNs release_date{1'793'491'200 * ns_per_second};  // 2026-11-01T00:00:00Z
/// Ids are drawn by the clock up to here. What is left below 2^62 (ten months) is for ids above those of a clock that
/// ran ahead.
inline constexpr UnixNs ids_hold_until{2'650'838'400 * ns_per_second};  // 2054-01-01T00:00:00Z

/// No id of ours reaches it.
inline constexpr std::uint64_t end_of_ids = std::uint64_t{1} << 62;

/// (milliseconds since 2020-01-01 UTC) << 22 | 22 random bits, above `highest`, below 2^62. Ids grow with time, so that
/// B-trees append and the newest group at the node is ours; the random bits keep copies of one database apart.
/// `highest` is the greatest of all ids that the caller knows of: those of the store, and those that it drew itself, so
/// that ids of one millisecond have an order too. Errc::clock when the clock has passed ids_hold_until, or nothing
/// above `highest` is left below 2^62.
[[nodiscard]] Result<AttemptId> draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest);

/// Why nothing new may begin at this time: before `earliest`, or when ids hold no more. Rows of such a time would look
/// old, or as if they came.
[[nodiscard]] std::optional<Error> unusable_clock(UnixNs now, UnixNs earliest);

}  // namespace paytower
