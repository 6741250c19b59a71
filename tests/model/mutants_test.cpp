// Goal: the model check notices each known bug of other control towers, and shows the shortest way to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

#include "tests/model/explore.h"

using namespace paytower;
using namespace paytower::model;

namespace {

Config world() {
  Config config;
  config.name = "mutant";
  config.copies = 1;
  config.lost_replies = true;
  config.deadline = true;
  return config;
}

void notices(const Config& config, const Mutation& mutation, const char* rule) {
  const Exploration seen = explore(config, mutation, false);
  std::printf("mutant \"%s\": %s after %llu states\n%s\n", mutation.name.c_str(),
              seen.broken.value_or("NOTHING").c_str(), static_cast<unsigned long long>(seen.states),
              seen.trace.c_str());
  REQUIRE(seen.broken);
  CHECK_MESSAGE(seen.broken->substr(0, seen.broken->find(':')) == rule, *seen.broken);
}

/// The real decision about another event than the one that came.
Mutation hears(const char* name, std::optional<Event> (*otherwise)(const Payment&, const Event&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.decide = [otherwise](const Payment& payment, const TimedEvent& event, const State&) {
    const auto other = otherwise(payment, event.what);
    return decide(payment, other ? TimedEvent{event.at, *other} : event);
  };
  return mutation;
}

/// An item whose acts come out of the real function, spoiled before it or after it.
Mutation acts(const char* name, void (*before)(Item&), void (*after)(Item&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.calls.perform = [before, after](Item& item, const Decision& decision, const ItemContext& at) {
    if (before != nullptr) before(item);
    Wishes wishes = perform(item, decision, at);
    if (after != nullptr) after(item);
    return wishes;
  };
  return mutation;
}

void believe_look(Item& item) {
  if (auto* asked = std::get_if<LookAsked>(&item.look)) asked->outdated = false;
}

Config refusing_world() {
  Config config = world();
  config.attempts = config.ids = 1;
  config.copies = 2;
  config.refusals = true;
  return config;
}

}  // namespace

TEST_CASE("mutant: not found means failed") {
  notices(world(),
          hears("not found means failed",
                [](const Payment&, const Event& what) -> std::optional<Event> {
                  if (const auto* missing = std::get_if<NotFound>(&what)) return Failed{missing->key, {}};
                  return std::nullopt;
                }),
          "R3");
}

TEST_CASE("mutant: a new id on recovery") {
  Mutation mutation;
  mutation.name = "new id on recovery";
  mutation.decide = [](const Payment& payment, const TimedEvent& event, const State& state) {
    Decision decision = decide(payment, event);
    const auto* missing = std::get_if<NotFound>(&event.what);
    const AttemptId fresh{state.drawn + 1U};
    if (!missing || decision.acts.empty() || !std::holds_alternative<Dispatch>(decision.acts.front()) ||
        fresh.value > 2)
      return decision;
    Attempt again = *payment.find(missing->key);
    again.id = fresh;
    decision.writes = {FailAttempt{missing->key, {}, event.at}, RegisterAttempt{again}};
    decision.acts = {Dispatch{payment.key(again)}};
    return decision;
  };
  notices(world(), mutation, "R3");
}

TEST_CASE("mutant: any error is final") {
  Config config = world();
  config.refusals = true;
  notices(config,
          hears("any error is final",
                [](const Payment&, const Event& what) -> std::optional<Event> {
                  if (const auto* error = std::get_if<NotSent>(&what)) return NotSent{error->key, error->failure, true};
                  return std::nullopt;
                }),
          "R3");
}

TEST_CASE("mutant: init not checked") {
  Config config = world();
  config.tries = 2;
  Mutation mutation;
  mutation.name = "init not checked";
  mutation.init_unchecked = true;
  notices(config, mutation, "R2");
}

TEST_CASE("mutant: delete forgets") {
  Config config = world();
  config.deletes = true;
  config.tries = 2;
  Mutation mutation;
  mutation.name = "delete forgets";
  mutation.delete_forgets = true;
  notices(config, mutation, "R13");
}

TEST_CASE("mutant: in-flight dropped") {
  Config config = world();
  config.deletes = true;
  config.tries = 2;
  config.contract_only = true;  // Core Lightning's own refusal of a second group would hide it
  Mutation mutation;
  mutation.name = "in-flight dropped";
  mutation.delete_in_flight = true;
  notices(config, mutation, "R2");
}

TEST_CASE("mutant: expiry taken for failure") {
  notices(world(),
          hears("expiry taken for failure",
                [](const Payment& payment, const Event& what) -> std::optional<Event> {
                  if (!std::holds_alternative<DeadlinePassed>(what)) return std::nullopt;
                  const auto open = std::find_if(payment.attempts.begin(), payment.attempts.end(),
                                                 [](const Attempt& a) { return a.open(); });
                  if (open == payment.attempts.end()) return std::nullopt;
                  return Failed{payment.key(*open), {}};
                }),
          "R3");
}

TEST_CASE("mutant: a fence believed without a look") {
  Config config = world();
  config.erase_rows = true;
  notices(config,
          hears("fence believed without a look",
                [](const Payment&, const Event& what) -> std::optional<Event> {
                  if (const auto* fenced = std::get_if<Fenced>(&what))
                    return NotFound{fenced->key, Evidence::nothing_since_mark, true};
                  return std::nullopt;
                }),
          "R3");
}

TEST_CASE("mutant: an outdated look is believed") {
  Config config = world();
  config.stale_looks = true;
  Mutation mutation;
  mutation.name = "outdated look believed";
  mutation.calls.look_came = [](Item& item, const ItemContext& at) {
    believe_look(item);
    return look_came(item, at);
  };
  notices(config, mutation, "R9");
}

TEST_CASE("mutant: a hand-over does not outdate a look") {
  Config config = world();
  config.stale_looks = config.disconnects = true;
  notices(config, acts("hand-over leaves the look", nullptr, believe_look), "R9");
}

TEST_CASE("mutant: copies stuck at one") {
  notices(refusing_world(),
          acts("copies stuck at one", nullptr,
               [](Item& item) {
                 for (HandoverRecord& record : item.handovers) record.copies = std::min(record.copies, 1U);
               }),
          "R3");
}

TEST_CASE("mutant: an earlier process's id taken for one's own") {
  notices(refusing_world(),
          acts(
              "an earlier process's id is one's own",
              [](Item& item) {
                for (const Attempt& attempt : item.payment.attempts) {
                  const AttemptKey key = item.payment.key(attempt);
                  if (find_handover(item, key) == nullptr) item.handovers.push_back(HandoverRecord{key});
                }
                for (HandoverRecord& record : item.handovers) record.drawn_here = true;
              },
              nullptr),
          "R3");
}
