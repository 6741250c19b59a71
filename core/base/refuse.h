// The two shortest ways out with a refusal: the command ends with its exit code, unless somebody on the way can say
// more.
#pragma once

#include <string>
#include <utility>

#include "core/base/error.h"

namespace paytower {

[[noreturn]] inline void refuse(Error why) { throw RefusalError(std::move(why)); }
[[noreturn]] inline void refuse(Errc code, std::string message, std::string hint = {}) {
  refuse(Error{code, std::move(message), std::move(hint)});
}

/// The value, or out with the refusal.
template <typename T> T value_of(Result<T> result) {
  if (!result) refuse(result.error());
  return std::move(*result);
}

}  // namespace paytower
