// Explores all states of the world with a Core Lightning node.
#pragma once

#include "tests/model/breadth_first.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

/// Explores all reachable states, and stops at the first broken rule. `ways_out`: also checks R17, that every state can
/// reach an end.
[[nodiscard]] model::Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::cln_model
