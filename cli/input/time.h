// Durations and points in time as people type them.
#pragma once

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

}  // namespace paytower::cli
