// Preconditions that are checked in every build: every "REQUIRES:" of a docstring that code can see.
#pragma once

#include <stdexcept>
#include <string>

namespace paytower {

/// Throws std::logic_error when a caller broke its promise: a bug of ours, which ends the command with exit 1 before it
/// does harm. `what` says what had to be true.
inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    throw std::logic_error(std::string("a precondition does not hold: ").append(what));
}

}  // namespace paytower
