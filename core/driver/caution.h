// How much a channel is asked for after it has failed: the balances of others are found by halving what is not known.
#pragma once

#include <optional>
#include <vector>

#include "core/driver/ports.h"

namespace paytower {

/// What an attempt brought over a channel, or still holds there; nothing where it ended at it or before, or goes
/// another way.
[[nodiscard]] std::optional<Msat> passed_over(const Attempt& attempt, const ChannelDirection& channel);

/// The first question after a failure is put with this caution; where it finds no way, the next with one less.
inline constexpr unsigned most_caution = 3;

/// Below a bound of the payment (M1) its channel may carry anything, from what it has shown to the payment on (M3).
/// With most caution half of that is asked for, so that a few attempts find what a channel holds; less caution goes
/// nearer to the bound. Without any, the last thousandth below it is left: nothing is gained by an amount that is
/// hardly less than one that failed, and the attempts are soon used up. Of our own channels the node knows the balance:
/// there all is asked for but what tell_apart() may add.
[[nodiscard]] std::vector<ChannelBound> cautious(std::vector<ChannelBound> bounds, const Payment& payment,
                                                 unsigned caution);

}  // namespace paytower
