// Goal: no order of crashes, losses, stalls, erasures and other users of one lnd breaks a rule, and every state has a
// way out.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/model/lnd_world.h"

using namespace paytower::lnd_model;

namespace {

/// Larger worlds are for optimised builds: the code that runs is the same in the smaller ones.
constexpr bool quick_build() {
#if defined(__OPTIMIZE__) && !defined(PAYTOWER_SANITIZED)
  return true;
#else
  return false;
#endif
}

void holds(const Config& config) {
  const paytower::model::Exploration seen = explore(config);
  std::printf("%-32s %9llu states %10llu steps %8llu ends\n", config.name.c_str(),
              static_cast<unsigned long long>(seen.states), static_cast<unsigned long long>(seen.steps),
              static_cast<unsigned long long>(seen.ends));
  std::fflush(stdout);
  CHECK_MESSAGE(!seen.broken, seen.trace);
  CHECK(seen.complete);
}

Config one(const char* name) {
  Config config;
  config.name = name;
  config.attempts = config.ids = config.numbers = 1;
  config.lost_replies = true;
  return config;
}

void holds_large(const Config& config) {
  if (quick_build()) holds(config);
}

/// Minutes: PAYTOWER_MODEL_LARGE=1.
void campaign(const Config& config) {
  if (std::getenv("PAYTOWER_MODEL_LARGE") != nullptr) holds(config);
}

Config two_tries(const char* name) {
  Config config = one(name);
  config.tries = config.ids = config.numbers = 2;
  config.words = true;
  config.lost_replies = false;
  return config;
}

Config parts(const char* name) {
  Config config = one(name);
  config.max_parts = 2;
  config.attempts = 4;  // more than the model has numbers for
  config.numbers = 2;
  config.one_piece = false;
  config.lost_replies = false;
  return config;
}

}  // namespace

TEST_CASE("model, lnd: one attempt, lost answers") { holds(one("lnd: lost answers")); }

TEST_CASE("model, lnd: the deadline, cancel, resume --no-retry") {
  Config config = one("lnd: deadline, cancel");
  config.lost_replies = false;
  config.deadline = config.cancel = config.collect_only = true;
  holds(config);
}

TEST_CASE("model, lnd: two attempts, one after the death of the other") {
  Config config = one("lnd: two attempts");
  config.attempts = config.ids = config.numbers = 2;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: lnd is killed, and erases what has failed") {
  Config config = one("lnd: killed, erases");
  config.lost_replies = false;
  config.restarts = 2;
  config.erases = true;
  holds(config);
}

TEST_CASE("model, lnd: somebody deletes failed records") {
  Config config = one("lnd: deletes failed");
  config.deletes = config.words = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: somebody deletes paid records too") {
  Config config = one("lnd: deletes paid");
  config.attempts = config.ids = config.numbers = 2;
  config.deletes = config.deletes_paid = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: another database fences and releases") {
  Config config = one("lnd: another database");
  config.other_checks = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: another database fences and leaves its fence behind") {
  Config config = one("lnd: a fence left behind");
  config.left_check = true;
  config.lost_replies = false;
  holds_large(config);
}

TEST_CASE("model, lnd: another user pays the same hash") {
  Config config = one("lnd: another user");
  config.foreign = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: another user pays the same hash, which has no secret") {
  Config config = one("lnd: another user, no secret");
  config.foreign = true;
  config.secret = config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: between its two records, and refusals there") {
  Config config = one("lnd: half-way");
  config.two_steps = config.half_way = true;
  // An empty record that a late copy has left ends only with lnd's restart, or by a decision by hand.
  config.words = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: the chain grows") {
  Config config = one("lnd: heights");
  config.heights = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: killed before it has sent what it had recorded") {
  Config config = one("lnd: orphans");
  config.restarts = 1;
  config.orphans = config.heights = config.words = true;
  config.lost_replies = false;
  holds_large(config);
}

TEST_CASE("model, lnd: looks under way while the world goes on, broken connections") {
  Config config = one("lnd: stale looks");
  config.stale_looks = config.disconnects = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: refusals, final failures, wrong preimages") {
  Config config = one("lnd: lies and refusals");
  config.refusals = config.final_failures = config.wrong_preimages = config.words = true;
  config.lost_replies = false;
  holds(config);
}

TEST_CASE("model, lnd: two tries with the operator's words") {
  Config config = two_tries("lnd: two tries");
  config.late_errands = false;
  holds_large(config);
}

TEST_CASE("model, lnd: parts") {
  Config config = parts("lnd: parts");
  config.late_errands = false;
  holds_large(config);
}

TEST_CASE("model, lnd, campaign: two tries, fences and releases that come late") {
  campaign(two_tries("lnd: two tries, late"));
}

TEST_CASE("model, lnd, campaign: parts, fences and releases that come late") { campaign(parts("lnd: parts, late")); }

TEST_CASE("model, lnd, campaign: parts, and lnd is killed") {
  Config config = parts("lnd: parts, killed");
  config.late_errands = false;
  config.restarts = 1;
  campaign(config);
}

TEST_CASE("model, lnd, campaign: parts, one of which is replaced") {
  Config config = parts("lnd: parts, replaced");
  config.numbers = 3;
  config.late_errands = false;
  campaign(config);
}
