// Goal: the model check finds each known bug of other control towers, and shows the shortest way to it.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/driver/route_session.h"
#include "tests/model/cln_world.h"
#include "tests/model/outcome.h"

using namespace paytower;
using namespace paytower::cln_model;

namespace {

Config world() {
  Config config;
  config.name = "mutant";
  config.lost_replies = true;
  config.deadline = true;
  return config;
}

void notices(const Config& config, const Mutation& mutation, const char* rule, bool ways_out = false) {
  rule_breaks(mutation.name, explore(config, mutation, ways_out), rule);
}

/// The real decision, about a different event than the one that came.
Mutation hears(const char* name, std::optional<Event> (*otherwise)(const Payment&, const Event&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.calls.decide = [otherwise](const Payment& payment, const TimedEvent& event, const State&) {
    const auto other = otherwise(payment, event.what);
    return decide(payment, other ? TimedEvent{event.at, *other} : event);
  };
  return mutation;
}

/// The real acts of an item that was changed before, or whose acts are changed afterwards.
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

/// Two parts at once, and one that replaces one of them.
Config parts_world() {
  Config config;
  config.name = "mutant, parts";
  config.max_parts = 2;
  config.attempts = 4;
  config.numbers = 3;
  config.ids = 1;
  return config;
}

/// The real functions get a changed payment: those that decide, that ask for routes, and that judge them.
Mutation misreads(const char* name, Payment (*spoil)(Payment, const State&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.calls.decide = [spoil](const Payment& payment, const TimedEvent& event, const State& state) {
    return decide(spoil(payment, state), event);
  };
  mutation.calls.next_routes = [spoil](const Payment& payment, std::uint32_t most, const State& state) {
    return next_routes(spoil(payment, state), most, QuestionContext{});
  };
  mutation.calls.route_came = [spoil](Item& item, const RouteAnswer& answer, const State& state) {
    const Payment real = item.payment;
    item.payment = spoil(real, state);
    Wishes wishes = on(item, answer);
    item.payment = real;
    return wishes;
  };
  return mutation;
}

/// The real decision, changed afterwards.
Mutation decides(const char* name, void (*spoil)(Decision&, const Payment&, const Event&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.calls.decide = [spoil](const Payment& payment, const TimedEvent& event, const State&) {
    Decision decision = decide(payment, event);
    spoil(decision, payment, event.what);
    return decision;
  };
  return mutation;
}

/// The real conclusions, from a look that was changed.
Mutation sees(const char* name, void (*spoil)(cln::NodeLists&, const Payment&)) {
  Mutation mutation;
  mutation.name = name;
  mutation.calls.interpret = [spoil](const Payment& payment, cln::NodeLists look, const StoreKnowledge& store) {
    spoil(look, payment);
    return interpret(payment, look, store);
  };
  return mutation;
}

/// The event, if it says: not found, no HTLC since the mark, and not fenced.
const NotFound* never_ran(const Event& event) {
  const auto* missing = std::get_if<NotFound>(&event);
  const bool never = missing != nullptr && missing->evidence == Evidence::nothing_since_mark && !missing->fenced;
  return never ? missing : nullptr;
}

std::size_t open_beside(const Payment& payment, const AttemptKey& key) {
  return static_cast<std::size_t>(std::count_if(payment.attempts.begin(), payment.attempts.end(),
                                                [&](const Attempt& a) { return a.open() && payment.key(a) != key; }));
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
  mutation.calls.decide = [](const Payment& payment, const TimedEvent& event, const State& state) {
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
  notices(config, {.name = "init not checked", .init_unchecked = true}, "R2");
}

TEST_CASE("mutant: delete forgets") {
  Config config = world();
  config.deletes = true;
  config.tries = 2;
  notices(config, {.name = "delete forgets", .delete_forgets = true}, "R13");
}

TEST_CASE("mutant: in-flight dropped") {
  Config config = world();
  config.deletes = true;
  config.tries = 2;
  config.contract_only = true;  // Core Lightning's own refusal of a second group would hide it
  notices(config, {.name = "in-flight dropped", .delete_in_flight = true}, "R2");
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

TEST_CASE("mutant: parts that are not accepted yet do not count") {
  notices(parts_world(),
          misreads("missing amount of accepted parts only",
                   [](Payment payment, const State& state) {
                     for (Attempt& attempt : payment.attempts) {
                       const unsigned number = attempt.part;  // one try: parts count as the model's numbers do
                       if (attempt.open() && state.node.seen.rows.at(number) != RowKind::pending)
                         attempt.amount = attempt.fee = {};
                     }
                     return payment;
                   }),
          "R2");
}

TEST_CASE("mutant: each part may cost the whole fee limit") {
  Config config = parts_world();
  config.dear_parts = true;
  notices(config,
          misreads("fee budget per part",
                   [](Payment payment, const State&) {
                     Msat& limit = payment.request.demand.fee_limit;
                     limit = Msat::of(2 * limit.value());
                     return payment;
                   }),
          "R2");
}

TEST_CASE("mutant: an answer of 201 or 208 is a part's end") {
  Mutation mutation;
  mutation.name = "replacement on 201 or 208";
  mutation.calls.dispatch_came = [](Item& item, const DispatchAnswer& answer, const ItemContext& at) {
    on(item, answer, at);
    if (answer.kind == DispatchAnswer::Kind::look) item.backlog.push_back(Failed{answer.key, {}});
  };
  notices(parts_world(), mutation, "R3");
}

TEST_CASE("mutant: a part whose outcome is unknown is replaced") {
  notices(parts_world(),
          hears("replacement of what is unknown",
                [](const Payment& payment, const Event& what) -> std::optional<Event> {
                  const NotFound* missing = never_ran(what);
                  if (missing == nullptr || open_beside(payment, missing->key) == 0) return std::nullopt;
                  return Failed{missing->key, {}};
                }),
          "R3");
}

TEST_CASE("mutant: a part is handed over after the proof") {
  notices(parts_world(),
          decides("hand-over after the proof",
                  [](Decision& decision, const Payment& payment, const Event& event) {
                    const NotFound* missing = never_ran(event);
                    if (missing == nullptr || !payment.proof() || payment.missing() != Msat{}) return;
                    decision = Decision{};
                    decision.acts = {Dispatch{missing->key}};
                  }),
          "R2");
}

TEST_CASE("mutant: a half-sent round is handed over although its parts do not make the amount") {
  notices(parts_world(),
          decides("half-sent round handed over",
                  [](Decision& decision, const Payment& payment, const Event& event) {
                    const NotFound* missing = never_ran(event);
                    if (missing == nullptr || payment.missing() == Msat{} || payment.stop_reason) return;
                    decision = Decision{};
                    decision.acts = {Dispatch{missing->key}};
                  }),
          "R2");
}

TEST_CASE("mutant: the old id after --assume-failed") {
  Config config = parts_world();
  config.tries = 2;
  config.words = true;
  notices(config, {.name = "the old id after --assume-failed", .old_round = true}, "R12");
}

TEST_CASE("mutant: evidence by hash, whatever the amounts") {
  Config config = parts_world();
  config.numbers = 2;
  notices(config,
          sees("evidence by hash",
               [](cln::NodeLists& look, const Payment&) {
                 for (cln::OutgoingHtlc& htlc : *look.htlcs) htlc.amount.reset();
               }),
          "R17", true);
}

TEST_CASE("mutant: a sibling's money is taken for one's own") {
  notices(parts_world(),
          sees("debits by round",
               [](cln::NodeLists& look, const Payment& payment) {
                 const std::vector<cln::Debit> real = *look.debits;
                 for (const cln::Debit& debit : real) {
                   for (const Attempt& attempt : payment.attempts) {
                     if (attempt.id == debit.id)
                       look.debits->push_back(cln::Debit{debit.index, debit.id, attempt.part});
                   }
                 }
               }),
          "R7");
}

TEST_CASE("mutant: a sibling's HTLC is taken for one's own") {
  Mutation mutation;
  mutation.name = "a sibling's HTLC for one's own";
  mutation.calls.interpret = [](const Payment& payment, const cln::NodeLists& look, const StoreKnowledge& store) {
    LookFinding finding = interpret(payment, look, store);
    const bool ended =
        std::any_of(look.htlcs->begin(), look.htlcs->end(), [](const auto& htlc) { return htlc.finished; });
    for (Event& event : finding.events) {
      const NotFound* missing = never_ran(event);
      if (missing != nullptr && ended) event = Failed{missing->key, {FailureCode::no_debit, 0, {}, {}, {}}};
    }
    return finding;
  };
  notices(parts_world(), mutation, "R3");
}

TEST_CASE("mutant: a part's fence believed without a look") {
  Config config = parts_world();
  config.copies = 2;
  config.deadline = config.erase_rows = true;
  notices(config,
          hears("part's fence believed without a look",
                [](const Payment&, const Event& what) -> std::optional<Event> {
                  if (const auto* fenced = std::get_if<Fenced>(&what))
                    return NotFound{fenced->key, Evidence::nothing_since_mark, true};
                  return std::nullopt;
                }),
          "R3");
}

TEST_CASE("mutant: what is missing is planned at the first MPP_TIMEOUT") {
  Config config = parts_world();
  config.gives_back = true;
  Mutation mutation;
  mutation.name = "planned at the first MPP_TIMEOUT";
  mutation.calls.decide = [](Payment payment, TimedEvent event, const State&) {
    const Failure given_back{FailureCode::mpp_timeout, 2, {}, {}, {}};
    const auto like_any_other = [](Failure& failure) {
      if (failure.code == FailureCode::mpp_timeout) failure = {FailureCode::temporary_channel_failure, 1, {}, {}, {}};
    };
    for (Attempt& attempt : payment.attempts) {
      if (attempt.failure) like_any_other(*attempt.failure);
    }
    auto* failed = std::get_if<Failed>(&event.what);
    const bool lost = failed != nullptr && failed->failure.code == FailureCode::mpp_timeout;
    if (lost) like_any_other(failed->failure);
    Decision decision = decide(payment, event);
    for (Write& write : decision.writes) {
      if (auto* fail = std::get_if<FailAttempt>(&write); fail && lost) fail->failure = given_back;  // stored as it was
    }
    return decision;
  };
  notices(config, mutation, "parts");
}

TEST_CASE("mutant: FAILED while a part is open") {
  Config config = parts_world();
  config.final_failures = true;
  notices(config,
          decides("FAILED while a part is open",
                  [](Decision& decision, const Payment& payment, const Event& event) {
                    const auto* failed = std::get_if<Failed>(&event);
                    if (failed == nullptr || decision.writes.size() < 2 || open_beside(payment, failed->key) == 0)
                      return;
                    decision.writes.push_back(FailPayment{FailureReason::incorrect_payment_details, {}});
                    decision.acts = {Report{}};
                  }),
          "R9");
}
