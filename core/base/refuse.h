// Throws refusals: the command ends with the refusal's exit code, unless a caller catches it and can say more.
#pragma once

#include <string>
#include <utility>

#include "core/base/error.h"

namespace paytower {

[[noreturn]] inline void refuse(Error why) { throw RefusalError(std::move(why)); }
[[noreturn]] inline void refuse(Errc code, std::string message, std::string hint = {}) {
  refuse(Error{code, std::move(message), std::move(hint)});
}

/// The value; throws the refusal if there is none.
template <typename T> T value_of(Result<T> result) {
  if (!result) refuse(result.error());
  return std::move(*result);
}

}  // namespace paytower
