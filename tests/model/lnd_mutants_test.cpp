// Goal: the model check of lnd's world finds each bug that its rules prevent, and shows the shortest way to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "tests/model/lnd_world.h"
#include "tests/model/outcome.h"

using namespace paytower;
using namespace paytower::lnd_model;

namespace {

const Config world{.name = "lnd: mutant"};

void notices(const Config& config, const Mutation& mutation, const char* rule) {
  rule_breaks(mutation.name, explore(config, mutation, false), rule);
}

/// The real conclusions, from a sight that was changed.
Mutation sees(const char* name, void (*spoil)(lnd::Sight&, const Payment&)) {
  Mutation mutation{.name = name};
  mutation.calls.interpret = [spoil](const Payment& payment, lnd::Sight sight, const StoreKnowledge& store) {
    spoil(sight, payment);
    return interpret(payment, sight, store);
  };
  return mutation;
}

/// The real conclusions, changed afterwards.
Mutation concludes(const char* name, void (*spoil)(LookFinding&, const lnd::Sight&)) {
  Mutation mutation{.name = name};
  mutation.calls.interpret = [spoil](const Payment& payment, const lnd::Sight& sight, const StoreKnowledge& store) {
    LookFinding finding = interpret(payment, sight, store);
    spoil(finding, sight);
    return finding;
  };
  return mutation;
}

}  // namespace

TEST_CASE("mutant, lnd: whose time is over is dead, without a write behind it") {
  notices(world, {.name = "no barrier", .no_proof = true}, "R3");
}

TEST_CASE("mutant, lnd: the fence's answer is the proof") {
  notices(world, {.name = "the fence's answer is believed", .believes_answer = true}, "R3");
}

TEST_CASE("mutant, lnd: one look behind the fence is enough") {
  notices(world, {.name = "no hold", .no_hold = true}, "R3");
}

TEST_CASE("mutant, lnd: a fence that an earlier process has left needs no hold") {
  notices(world, {.name = "no second hold", .no_hold_again = true}, "R3");
}

TEST_CASE("mutant, lnd: a fence that stands is the proof") {
  notices(world,
          sees("a standing fence proves",
               [](lnd::Sight& sight, const Payment& payment) {
                 const bool fence = sight.record && sight.record->value == lnd::fence_amount;
                 for (const Attempt& attempt : payment.attempts) {
                   if (fence && attempt.id) sight.fenced.push_back(payment.key(attempt));
                 }
               }),
          "R3");
}

TEST_CASE("mutant, lnd: the fence is ended before the death that it has proven is stored") {
  Mutation mutation = concludes("release first", [](LookFinding& finding, const lnd::Sight&) {
    std::stable_partition(finding.events.begin(), finding.events.end(),
                          [](const Event& event) { return std::holds_alternative<Releasable>(event); });
  });
  mutation.calls.decide = [](const Payment& payment, const TimedEvent& event, const State&) {
    Decision decision = decide(payment, event);
    if (std::holds_alternative<Releasable>(event.what)) decision.acts = {Release{}};
    return decision;
  };
  notices(world, mutation, "R1");
}

TEST_CASE("mutant, lnd: the time limit is stored by another clock than lnd's, which is ahead of it") {
  notices(world, {.name = "the limit by our clock", .limit_too_early = true}, "R3");
}

TEST_CASE("mutant, lnd: the request's time limit counts from its writing") {
  notices(world, {.name = "a fresh limit", .fresh_limit = true}, "R3");
}

TEST_CASE("mutant, lnd: lnd's clock is never set back") {
  Mutation mutation = sees("no grace", [](lnd::Sight& sight, const Payment&) {
    sight.clock = UnixNs{sight.clock.value + lnd::clock_grace_ns};
  });
  mutation.no_grace = true;
  notices(world, mutation, "R3");
}

TEST_CASE("mutant, lnd: what is not found is handed over again") {
  Mutation mutation = concludes("handed over again", [](LookFinding& finding, const lnd::Sight&) {
    for (Event& event : finding.events) {
      auto* missing = std::get_if<NotFound>(&event);
      if (missing == nullptr) continue;
      // A late copy is refused by its own time: the bug must strike earlier.
      if (missing->evidence == Evidence::late || missing->evidence == Evidence::not_yet)
        missing->evidence = Evidence::nothing_since_mark;
    }
  });
  mutation.same_again = true;
  notices({.name = "lnd: mutant", .restarts = 1, .erases = true}, mutation, "R2");
}

TEST_CASE("mutant, lnd: a failed record is the attempt's failure") {
  Mutation mutation = concludes("any failed record", [](LookFinding& finding, const lnd::Sight& sight) {
    const bool failed = sight.record && sight.record->status == lnd::Record::Status::failed;
    for (Event& event : finding.events) {
      const auto* missing = std::get_if<NotFound>(&event);
      if (failed && missing != nullptr) event = Failed{missing->key, {}};
    }
  });
  notices({.name = "lnd: mutant", .foreign = true}, mutation, "R3");
}

TEST_CASE("mutant, lnd: that lnd has shown an attempt is not stored") {
  Mutation mutation{.name = "acceptance not stored"};
  mutation.calls.decide = [](const Payment& payment, const TimedEvent& event, const State&) {
    Decision decision = decide(payment, event);
    const auto acceptance = [](const Write& write) { return std::holds_alternative<AcceptAttempt>(write); };
    decision.writes.erase(std::remove_if(decision.writes.begin(), decision.writes.end(), acceptance),
                          decision.writes.end());
    return decision;
  };
  notices({.name = "lnd: mutant", .deletes = true, .deletes_paid = true}, mutation, "R5");
}

// A million states.
TEST_CASE("mutant, lnd, campaign: a fence also proves the death of a part that had time when it was written") {
  if (!large_too()) return;
  const Config parts{
      .name = "lnd: mutant", .attempts = 4, .numbers = 3, .max_parts = 2, .one_piece = false, .late_errands = false};
  notices(parts, {.name = "later parts too", .later_too = true}, "R3");
}
