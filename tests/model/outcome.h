// What a test says of an exploration, and how large it may be.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/model/breadth_first.h"

namespace paytower::model {

/// The largest worlds are for optimised builds: a sanitizer makes each of their states ten times slower, and the code
/// that runs is the same in the smaller ones.
[[nodiscard]] constexpr bool quick_build() {
#if defined(__OPTIMIZE__) && !defined(PAYTOWER_SANITIZED)
  return true;
#else
  return false;
#endif
}

/// PAYTOWER_MODEL_LARGE=1: what takes minutes too.
[[nodiscard]] inline bool large_too() { return std::getenv("PAYTOWER_MODEL_LARGE") != nullptr; }

inline void no_rule_breaks(const std::string& name, const Exploration& seen) {
  std::printf("%-32s %9llu states %10llu steps %8llu ends\n", name.c_str(),
              static_cast<unsigned long long>(seen.states), static_cast<unsigned long long>(seen.steps),
              static_cast<unsigned long long>(seen.ends));
  std::fflush(stdout);
  CHECK_MESSAGE(!seen.broken, seen.trace);
  CHECK(seen.complete);
}

inline void rule_breaks(const std::string& mutant, const Exploration& seen, const char* rule) {
  std::printf("mutant \"%s\": %s after %llu states\n%s\n", mutant.c_str(), seen.broken.value_or("NOTHING").c_str(),
              static_cast<unsigned long long>(seen.states), seen.trace.c_str());
  REQUIRE(seen.broken);
  CHECK_MESSAGE(seen.broken->substr(0, seen.broken->find(':')) == rule, *seen.broken);
}

}  // namespace paytower::model
