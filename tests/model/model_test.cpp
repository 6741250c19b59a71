// Goal: no order of crashes, losses, lies and words breaks a rule, and every state has a way out.
#include <doctest/doctest.h>

#include <cstdio>

#include "tests/model/explore.h"

using namespace paytower::model;

namespace {

void holds(const Config& config) {
  const Exploration seen = explore(config);
  std::printf("%-28s %9llu states %10llu steps %8llu ends\n", config.name.c_str(), static_cast<unsigned long long>(seen.states),
              static_cast<unsigned long long>(seen.steps), static_cast<unsigned long long>(seen.ends));
  std::fflush(stdout);
  CHECK_MESSAGE(!seen.broken, seen.trace);
  CHECK(seen.complete);
}

Config plain() {
  Config config;
  config.name = "plain";
  config.lost_replies = true;
  config.disconnects = true;
  config.deadline = true;
  return config;
}

}  // namespace

TEST_CASE("one try, two attempts, lost and late answers, the deadline") { holds(plain()); }
