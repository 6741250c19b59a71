// Breadth first over all states: the first broken rule has a shortest trace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/model/world.h"

namespace paytower::model {

struct Exploration {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::uint64_t ends = 0;             ///< states in which nothing is left to do
  std::optional<std::string> broken;  ///< the rule that was broken first
  std::string trace;                  ///< how, one line a move; shortest
  bool complete = true;               ///< false when `most_states` were not enough
};

inline constexpr std::uint64_t most_states = 10'000'000;

/// All states that can be reached. Stops at the first broken rule. `ways_out`: also R17, that every state reaches an
/// end.
[[nodiscard]] Exploration explore(const Config& config, const Mutation& mutation = {}, bool ways_out = true);

}  // namespace paytower::model
