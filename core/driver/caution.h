// How much a channel is asked for after it failed: what others hold is found by halving what is not known.
#pragma once

#include <optional>
#include <vector>

#include "core/driver/ports.h"

namespace paytower {

/// What an attempt brought over a channel, or still holds there. Nothing if it ended at that channel or before it, or
/// takes another way.
[[nodiscard]] std::optional<Msat> passed_over(const Attempt& attempt, const ChannelDirection& channel);

/// The first question after a failure uses this caution. Each time no way is found, the next question uses one less.
inline constexpr unsigned most_caution = 3;

/// A channel that failed for an amount may still carry any smaller one, at least what it has shown to carry for this
/// payment (M1, M3). With the most caution, half of what is between is asked for, so that a few attempts find out what
/// a channel holds. With less caution the question goes closer to the failed amount. Without any, only the last
/// thousandth below it is left out: an amount that is hardly smaller than a failed one gains nothing and uses up
/// attempts. The node knows what our own channels hold: there everything is asked for, except what tell_apart() may
/// add.
[[nodiscard]] std::vector<ChannelBound> cautious(std::vector<ChannelBound> bounds, const Payment& payment,
                                                 unsigned caution);

}  // namespace paytower
