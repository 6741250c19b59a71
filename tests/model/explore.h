// Breadth first over all states of the world with a Core Lightning node.
#pragma once

#include "tests/model/breadth_first.h"
#include "tests/model/world.h"

namespace paytower::model {

/// All states that can be reached. Stops at the first broken rule. `ways_out`: also R17, that every state reaches an
/// end.
[[nodiscard]] Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::model
