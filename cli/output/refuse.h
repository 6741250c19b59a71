// The two shortest ways out of a command.
#pragma once

#include <string>
#include <utility>

#include "core/base/error.h"

namespace paytower::cli {

/// Leaves the command: main prints the error and exits with its code.
[[noreturn]] inline void refuse(Errc code, std::string message, std::string hint = {}) {
  throw RefusalError(Error{code, std::move(message), std::move(hint)});
}

/// The value, or out with the refusal.
template <typename T> [[nodiscard]] T value_of(Result<T> result) {
  if (!result) throw RefusalError(result.error());
  return std::move(*result);
}

}  // namespace paytower::cli
