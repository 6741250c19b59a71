// Durations and points in time as people type them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/types.h"

namespace paytower::cli {

/// Digits and one of ms s m h d w, or 0. In nanoseconds, at most 100 years. A bare number is refused.
[[nodiscard]] Result<std::int64_t> parse_duration(std::string_view text);

/// Unix seconds, RFC 3339 ("2026-11-23T00:20:28Z", also with an offset or decimals), a date, "today" or "yesterday"
/// (00:00 UTC of that day), or an age ("90d") before `now`.
[[nodiscard]] Result<UnixNs> parse_time(std::string_view text, UnixNs now);

/// Unix seconds as our time; the last moment that we can name when they lie beyond it.
[[nodiscard]] inline UnixNs from_seconds(std::uint64_t seconds) {
  constexpr auto last = static_cast<std::uint64_t>(INT64_MAX / ns_per_second);
  return UnixNs{static_cast<std::int64_t>(std::min(seconds, last)) * ns_per_second};
}

}  // namespace paytower::cli
