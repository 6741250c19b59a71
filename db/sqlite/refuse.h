// The shortest way to refuse: nothing was stored, and the caller is told why.
#pragma once

#include <string>
#include <utility>

#include "core/base/error.h"

namespace paytower::db {

[[noreturn]] inline void refuse(Errc code, std::string message, std::string hint = {}) {
  throw RefusalError(Error{code, std::move(message), std::move(hint)});
}

}  // namespace paytower::db
