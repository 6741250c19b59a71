// Goal: no order of crashes, losses, stalls, erasures and other users of one lnd breaks a rule, and every state has a
// way out.
#include <doctest/doctest.h>

#include "tests/model/lnd_world.h"
#include "tests/model/outcome.h"

using namespace paytower::lnd_model;

namespace {

void holds(const Config& config) { no_rule_breaks(config.name, explore(config)); }

/// Only in an optimised build.
void holds_large(const Config& config) {
  if (quick_build()) holds(config);
}

/// Minutes.
void campaign(const Config& config) {
  if (large_too()) holds(config);
}

}  // namespace

TEST_CASE("model, lnd: one attempt, lost answers") { holds({.name = "lnd: lost answers", .lost_replies = true}); }

TEST_CASE("model, lnd: the deadline, cancel, resume --no-retry") {
  holds({.name = "lnd: deadline, cancel", .deadline = true, .cancel = true, .collect_only = true});
}

TEST_CASE("model, lnd: two attempts, one after the death of the other") {
  holds({.name = "lnd: two attempts", .attempts = 2, .ids = 2, .numbers = 2});
}

TEST_CASE("model, lnd: lnd is killed, and erases what has failed") {
  holds({.name = "lnd: killed, erases", .restarts = 2, .erases = true});
}

TEST_CASE("model, lnd: somebody deletes failed records") {
  holds({.name = "lnd: deletes failed", .words = true, .deletes = true});
}

TEST_CASE("model, lnd: somebody deletes paid records too") {
  holds({.name = "lnd: deletes paid", .attempts = 2, .ids = 2, .numbers = 2, .deletes = true, .deletes_paid = true});
}

TEST_CASE("model, lnd: another database fences and releases") {
  holds({.name = "lnd: another database", .other_checks = true});
}

TEST_CASE("model, lnd: another database fences and leaves its fence behind") {
  holds_large({.name = "lnd: a fence left behind", .left_check = true});
}

TEST_CASE("model, lnd: another user pays the same hash") { holds({.name = "lnd: another user", .foreign = true}); }

TEST_CASE("model, lnd: another user pays the same hash, which has no secret") {
  holds({.name = "lnd: another user, no secret", .secret = false, .foreign = true});
}

TEST_CASE("model, lnd: between its two records, and refusals there") {
  // An empty record that a late copy has left ends only with lnd's restart, or by a decision by hand.
  holds({.name = "lnd: half-way", .two_steps = true, .half_way = true, .words = true});
}

TEST_CASE("model, lnd: the chain grows") { holds({.name = "lnd: heights", .heights = true}); }

TEST_CASE("model, lnd: killed before it has sent what it had recorded") {
  holds_large({.name = "lnd: orphans", .words = true, .heights = true, .restarts = 1, .orphans = true});
}

TEST_CASE("model, lnd: looks under way while the world goes on, broken connections") {
  holds({.name = "lnd: stale looks", .disconnects = true, .stale_looks = true});
}

TEST_CASE("model, lnd: refusals, final failures, wrong preimages") {
  holds({.name = "lnd: lies and refusals",
         .refusals = true,
         .final_failures = true,
         .wrong_preimages = true,
         .words = true});
}

TEST_CASE("model, lnd: two tries with the operator's words") {
  holds_large({.name = "lnd: two tries", .tries = 2, .ids = 2, .numbers = 2, .late_errands = false, .words = true});
}

TEST_CASE("model, lnd: parts") {
  holds_large(
      {.name = "lnd: parts", .attempts = 4, .numbers = 2, .max_parts = 2, .one_piece = false, .late_errands = false});
}

TEST_CASE("model, lnd, campaign: two tries, fences and releases that come late") {
  campaign({.name = "lnd: two tries, late", .tries = 2, .ids = 2, .numbers = 2, .words = true});
}

TEST_CASE("model, lnd, campaign: parts, fences and releases that come late") {
  campaign({.name = "lnd: parts, late", .attempts = 4, .numbers = 2, .max_parts = 2, .one_piece = false});
}

TEST_CASE("model, lnd, campaign: parts, and lnd is killed") {
  campaign({.name = "lnd: parts, killed",
            .attempts = 4,
            .numbers = 2,
            .max_parts = 2,
            .one_piece = false,
            .late_errands = false,
            .restarts = 1});
}

TEST_CASE("model, lnd, campaign: parts, one of which is replaced") {
  campaign({.name = "lnd: parts, replaced",
            .attempts = 4,
            .numbers = 3,
            .max_parts = 2,
            .one_piece = false,
            .late_errands = false});
}
