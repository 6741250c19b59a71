// Goal: no order of crashes, losses, false answers and decisions by hand breaks a rule, and every state has a way out.
#include <doctest/doctest.h>

#include "tests/model/cln_world.h"
#include "tests/model/outcome.h"

using namespace paytower::cln_model;

namespace {

void holds(Config config) {
  if (!quick_build()) {  // two tries keep their ids
    config.copies = 1;
    if (config.tries == 1) config.ids = 1;
    if (config.tries == 1 && !has_parts(config)) config.attempts = 1;
    config.numbers = std::min(config.numbers, config.tries + 1);
    if (has_parts(config)) config.cancel = config.refusals = false;
  }
  no_rule_breaks(config.name, explore(config));
}

/// Without what the model assumes, a rule breaks.
void needs_assumption(const Config& config) {
  const Exploration seen = explore(config, {}, false);
  REQUIRE(seen.broken);
  CHECK(seen.broken->substr(0, 2) != "R1");
}

Config small(const char* name) {
  Config config;
  config.name = name;
  config.lost_replies = true;
  config.deadline = true;
  return config;
}

/// Two parts at most are open at once. `numbers`: attempts in all.
Config parts(const char* name, unsigned numbers) {
  Config config;
  config.name = name;
  config.max_parts = 2;
  config.numbers = numbers;
  config.attempts = 4;  // never used up: the model's numbers are
  config.ids = 1;
  return config;
}

/// Minutes in all, and a gigabyte.
void campaign(const Config& config) {
  if (large_too()) holds(config);
}

}  // namespace

TEST_CASE("model: two attempts, lost and late answers, broken connections, the deadline") {
  Config config = small("two attempts");
  config.disconnects = true;
  config.copies = 2;
  holds(config);
}

TEST_CASE("model: another user of the node on the same hash") {
  Config config = small("another user");
  config.foreign = true;
  holds(config);
}

TEST_CASE("model: records erased, rows alone or with their HTLCs") {
  Config config = small("erased records");
  config.copies = 2;
  config.lost_replies = false;  // a broken connection loses them too
  config.disconnects = true;
  config.erase_rows = config.erase_lists = config.words = true;
  holds(config);
}

TEST_CASE("model: records erased beside another user of the node") {
  Config config = small("erased, another user");
  config.attempts = config.ids = 1;
  config.foreign = true;
  config.lost_replies = false;
  config.erase_rows = config.erase_lists = config.words = true;
  holds(config);
}

TEST_CASE("model: records erased at a switch without a list of movements") {
  Config config = small("erased, no movements");
  config.attempts = config.ids = 1;
  config.no_debits = true;
  config.erase_rows = config.erase_lists = config.words = true;
  holds(config);
}

TEST_CASE("model: the assumption that no copy outlives its record is needed, and says so") {
  Config config = small("erased under copies");
  config.attempts = config.ids = 1;
  config.copies = 2;
  config.erase_rows = config.erase_under_copies = true;
  needs_assumption(config);
}

TEST_CASE("model: NOT-SENT answers, final failures, wrong preimages, orphan rows and fences that do not take") {
  Config config = small("lies and refusals");
  config.refusals = config.final_failures = config.wrong_preimages = true;
  config.orphans = config.fence_faults = true;
  config.attempts = config.ids = 1;
  config.copies = 2;
  config.words = true;
  holds(config);
}

TEST_CASE("model: NOT-SENT answers before a second attempt") {
  Config config = small("refusals");
  config.refusals = true;
  holds(config);
}

// R3's only copy, over broken connections, and with looks under way that hand-overs outdate (R9).
TEST_CASE("model: NOT-SENT answers to several copies, broken connections, looks under way") {
  Config config = small("refusals, several copies");
  config.attempts = config.ids = 1;
  config.copies = 2;
  config.refusals = config.disconnects = config.stale_looks = true;
  holds(config);
}

TEST_CASE("model: two tries with the operator's words and cancel and delete") {
  Config config = small("two tries");
  config.tries = 2;
  config.attempts = 1;
  config.words = config.deletes = config.cancel = true;
  config.deadline = config.lost_replies = false;
  holds(config);
}

TEST_CASE("model: two tries after a deletion, with a clock that stands") {
  Config config = small("clock stands");
  config.tries = 2;
  config.attempts = 1;
  config.deletes = config.clock_stands = config.lost_replies = true;
  config.deadline = false;
  holds(config);
}

TEST_CASE("model: a look's answer under way while the world goes on") {
  Config config = small("stale looks");
  config.attempts = config.ids = 1;
  config.stale_looks = config.foreign = config.disconnects = true;
  holds(config);
}

TEST_CASE("model: several answers in one poll, cancel, resume --no-retry") {
  Config config = small("batches");
  config.attempts = config.ids = 1;
  config.batches = config.cancel = config.collect_only = true;
  holds(config);
}

TEST_CASE("model: the node restored from an old copy") {
  Config config = small("old node");
  config.attempts = config.ids = 1;
  config.node_restored = config.words = true;
  holds(config);
}

TEST_CASE("model: an old copy of the database put back and adopted") {
  Config config = small("old database");
  config.tries = 2;
  config.attempts = 1;
  config.old_copies = config.words = true;
  config.deadline = config.lost_replies = false;
  holds(config);
}

TEST_CASE("model: a switch that keeps to its contract and no more") {
  Config config = small("contract only");
  config.contract_only = config.foreign = true;
  config.lost_replies = false;
  holds(config);
}

// Two tries of a hash in one process: an answer that was asked for before the last attempt ended must not count as the
// look after that end (R9).
TEST_CASE("model: two tries in one process with looks under way") {
  Config config = small("two tries, stale looks");
  config.tries = 2;
  config.attempts = 1;
  config.lost_replies = config.deadline = false;
  config.foreign = config.stale_looks = config.words = true;
  holds(config);
}

TEST_CASE("model: parts, for a payee who takes a whole set or gives it back, and a later round") {
  Config config = parts("parts", 3);
  config.ids = 2;
  config.polite_payee = config.gives_back = true;
  holds(config);
}

// Whoever knows the preimage may take any part at any time.
TEST_CASE("model: parts that settle one by one, final failures, a set that gets old, and a later round") {
  Config config = parts("parts, one by one", 3);
  config.ids = 2;
  config.final_failures = config.aging = true;
  holds(config);
}

TEST_CASE("model: parts, lost answers") {
  Config config = parts("parts, lost answers", 2);
  config.lost_replies = true;
  config.one_piece = false;
  holds(config);
}

TEST_CASE("model: parts, the deadline and cancel") {
  Config config = parts("parts, deadline, cancel", 2);
  config.deadline = config.cancel = true;
  config.one_piece = false;
  holds(config);
}

TEST_CASE("model: parts, broken connections, several copies, looks under way") {
  Config config = parts("parts, copies", 2);
  config.copies = 2;
  config.disconnects = config.stale_looks = true;
  holds(config);
}

TEST_CASE("model: parts, several answers in one poll") {
  Config config = parts("parts, batches", 2);
  config.batches = config.collect_only = true;
  holds(config);
}

TEST_CASE("model: parts, records erased, rows alone or with their HTLCs") {
  Config config = parts("parts, erased records", 2);
  config.erase_rows = config.erase_lists = config.words = true;
  holds(config);
}

TEST_CASE("model: parts, the assumption that no copy of a part outlives the complete row of another is needed") {
  Config config = parts("parts, erased under copies", 2);
  config.copies = 2;
  config.erase_rows = config.erase_under_copies = true;
  needs_assumption(config);
}

TEST_CASE("model: parts, refused and failed ones, wrong preimages") {
  Config config = parts("parts, lies and refusals", 2);
  config.refusals = config.final_failures = config.wrong_preimages = config.words = true;
  config.one_piece = false;
  holds(config);
}

TEST_CASE("model: parts, orphans of a node that was killed, beside live parts, and one more in their round") {
  Config config = parts("parts, orphans", 3);
  config.attempts = 3;
  config.restarts = config.words = true;
  config.one_piece = false;
  holds(config);
}

TEST_CASE("model: parts, another user's part of the same hash") {
  Config config = parts("parts, another user", 2);
  config.foreign = config.words = true;
  config.foreign_units = 1;
  holds(config);
}

TEST_CASE("model: parts that cost more than half of the fee limit each") {
  Config config = parts("parts, dear", 3);
  config.dear_parts = true;
  holds(config);
}

TEST_CASE("model: parts, the operator's decision between them, and a second try") {
  Config config = parts("parts, two tries", 3);
  config.attempts = config.ids = config.tries = 2;
  config.words = true;
  holds(config);
}

TEST_CASE("model, campaign: parts, four in two rounds") {
  Config config = parts("parts, four", 4);
  config.ids = 2;
  campaign(config);
}

TEST_CASE("model, campaign: parts, lost answers and the deadline") {
  Config config = parts("parts, lost, deadline", 2);
  config.lost_replies = config.deadline = true;
  campaign(config);
}

TEST_CASE("model, campaign: parts, the deadline before a set is whole, and a later round") {
  Config config = parts("parts, whole sets, deadline", 3);
  config.ids = 2;
  config.polite_payee = config.gives_back = config.deadline = true;
  config.one_piece = false;
  campaign(config);
}

TEST_CASE("model, campaign: parts, orphans, and one more in their round that may fail") {
  Config config = parts("parts, orphans, more", 3);
  config.restarts = config.words = true;
  config.one_piece = false;
  campaign(config);
}

TEST_CASE("model, campaign: parts, fences that do not take") {
  Config config = parts("parts, fence faults", 2);
  config.fence_faults = config.deadline = config.words = true;
  config.one_piece = false;
  campaign(config);
}
