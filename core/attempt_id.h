// Drawing attempt ids (R12).
#pragma once

#include "core/ports.h"
#include "core/types.h"

namespace paytower {

/// (milliseconds since 2020-01-01 UTC) << 22 | 22 random bits, above `highest`, below 2^62. Ids grow with time, so that
/// B-trees append and the newest group at the node is ours; the random bits keep copies of one database apart.
/// Throws std::overflow_error when nothing above `highest` is left below 2^62.
[[nodiscard]] AttemptId draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest);

}  // namespace paytower
