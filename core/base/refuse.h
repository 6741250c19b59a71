// Throws refusals, and catches them again where a library ends (db/README 8).
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

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

namespace detail {
template <typename T> struct ResultOf { using type = Result<T>; };
template <> struct ResultOf<void> { using type = Result<std::monostate>; };
template <typename T> struct ResultOf<Result<T>> { using type = Result<T>; };
}  // namespace detail

/// The other way round: what `fn()` returns (std::monostate for void), or the refusal that it threw. Other exceptions
/// go on.
template <typename Fn> auto result_of(Fn&& fn) -> typename detail::ResultOf<std::invoke_result_t<Fn&>>::type {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Fn&>>) {
      fn();
      return std::monostate{};
    } else {
      return fn();
    }
  } catch (const RefusalError& refused) {
    return refused.error();
  }
}

}  // namespace paytower
