// How a move is made: shared by the files that list them.
#pragma once

#include <string>

#include "tests/model/cln_world.h"

namespace paytower::cln_model {

/// True if the process has something to decide or to do before it listens again (driver.cpp: settle() before poll()).
[[nodiscard]] inline bool busy_inside(const State& state) {
  for (const ItemBytes& item : state.process.items) {
    if (item.events != 0 || item.act != 0) return true;
  }
  return false;
}

template <typename Change> void Moves::move(const char* name, unsigned number, Change change) {
  Step step;
  if (named_) step.name = number == 0 ? std::string(name) : std::string(name) + " " + std::to_string(number);
  step.state = *from_;
  try {
    change(step.state);
    check_step(*from_, step.state);
  } catch (const Violation& violation) {
    step.broken = violation.what;
  }
  out_->push_back(std::move(step));
}

}  // namespace paytower::cln_model
