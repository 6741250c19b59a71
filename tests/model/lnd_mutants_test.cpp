// Goal: the model check of lnd's world finds each bug that its rules prevent, and shows the shortest way to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/model/lnd_world.h"

using namespace paytower;
using namespace paytower::lnd_model;

namespace {

Config world() {
  Config config;
  config.name = "lnd: mutant";
  config.attempts = config.ids = config.numbers = 1;
  return config;
}

void notices(const Config& config, const Mutation& mutation, const char* rule) {
  const model::Exploration seen = explore(config, mutation, false);
  std::printf("mutant \"%s\": %s after %llu states\n%s\n", mutation.name.c_str(),
              seen.broken.value_or("NOTHING").c_str(), static_cast<unsigned long long>(seen.states),
              seen.trace.c_str());
  REQUIRE(seen.broken);
  CHECK_MESSAGE(seen.broken->substr(0, seen.broken->find(':')) == rule, *seen.broken);
}

Mutation named(const char* name) {
  Mutation mutation;
  mutation.name = name;
  return mutation;
}

/// The real conclusions, from a sight that was changed.
Mutation sees(const char* name, void (*spoil)(lnd::Sight&, const Payment&)) {
  Mutation mutation = named(name);
  mutation.interpret = [spoil](const Payment& payment, lnd::Sight sight, const StoreKnowledge& store) {
    spoil(sight, payment);
    return interpret(payment, sight, store);
  };
  return mutation;
}

/// The real conclusions, changed afterwards.
Mutation concludes(const char* name, void (*spoil)(LookFinding&, const lnd::Sight&)) {
  Mutation mutation = named(name);
  mutation.interpret = [spoil](const Payment& payment, const lnd::Sight& sight, const StoreKnowledge& store) {
    LookFinding finding = interpret(payment, sight, store);
    spoil(finding, sight);
    return finding;
  };
  return mutation;
}

}  // namespace

TEST_CASE("mutant, lnd: whose time is over is dead, without a write behind it") {
  Mutation mutation = named("no barrier");
  mutation.no_proof = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: the fence's answer is the proof") {
  Mutation mutation = named("the fence's answer is believed");
  mutation.believes_answer = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: one look behind the fence is enough") {
  Mutation mutation = named("no hold");
  mutation.no_hold = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: a fence that an earlier process has left needs no hold") {
  Mutation mutation = named("no second hold");
  mutation.no_hold_again = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: a fence that stands is the proof") {
  notices(world(),
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
  mutation.decide = [](const Payment& payment, const TimedEvent& event) {
    Decision decision = decide(payment, event);
    if (std::holds_alternative<Releasable>(event.what)) decision.acts = {Release{}};
    return decision;
  };
  notices(world(), mutation, "R1");
}

TEST_CASE("mutant, lnd: the time limit is stored by another clock than lnd's, which is ahead of it") {
  Mutation mutation = named("the limit by our clock");
  mutation.limit_too_early = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: the request's time limit counts from its writing") {
  Mutation mutation = named("a fresh limit");
  mutation.fresh_limit = true;
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant, lnd: lnd's clock is never set back") {
  Mutation mutation = sees("no grace", [](lnd::Sight& sight, const Payment&) {
    sight.clock = UnixNs{sight.clock.value + lnd::clock_grace_ns};
  });
  mutation.no_grace = true;
  notices(world(), mutation, "R3");
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
  Config config = world();
  config.restarts = 1;
  config.erases = true;
  notices(config, mutation, "R2");
}

TEST_CASE("mutant, lnd: a failed record is the attempt's failure") {
  Mutation mutation = concludes("any failed record", [](LookFinding& finding, const lnd::Sight& sight) {
    const bool failed = sight.record && sight.record->status == lnd::Record::Status::failed;
    for (Event& event : finding.events) {
      const auto* missing = std::get_if<NotFound>(&event);
      if (failed && missing != nullptr) event = Failed{missing->key, {}};
    }
  });
  Config config = world();
  config.foreign = true;
  notices(config, mutation, "R3");
}

TEST_CASE("mutant, lnd: that lnd has shown an attempt is not stored") {
  Mutation mutation = named("acceptance not stored");
  mutation.decide = [](const Payment& payment, const TimedEvent& event) {
    Decision decision = decide(payment, event);
    const auto acceptance = [](const Write& write) { return std::holds_alternative<AcceptAttempt>(write); };
    decision.writes.erase(std::remove_if(decision.writes.begin(), decision.writes.end(), acceptance),
                          decision.writes.end());
    return decision;
  };
  Config config = world();
  config.deletes = config.deletes_paid = true;
  notices(config, mutation, "R5");
}

// A million states: PAYTOWER_MODEL_LARGE=1.
TEST_CASE("mutant, lnd, campaign: a fence also proves the death of a part that had time when it was written") {
  Mutation mutation = named("later parts too");
  mutation.later_too = true;
  Config config = world();
  config.max_parts = 2;
  config.attempts = 4;
  config.numbers = 3;
  config.one_piece = config.late_errands = false;
  if (std::getenv("PAYTOWER_MODEL_LARGE") != nullptr) notices(config, mutation, "R3");
}
