// Goal: decide() is total and breaks no rule, in every state that the store accepts, for every event, before and past
// the deadline. Method: the whole space, a few hundred thousand decisions; each is applied, and the result is judged.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/lifecycle/states.h"

using namespace paytower;
using namespace paytower::test;

namespace {

template <typename T, typename V> std::size_t count_of(const std::vector<V>& list) {
  return static_cast<std::size_t>(
      std::count_if(list.begin(), list.end(), [](const V& v) { return std::holds_alternative<T>(v); }));
}

template <typename T> bool is(const Event& event) { return std::holds_alternative<T>(event); }

Payment after(const Payment& payment, const Decision& decision) {
  Payment next = payment;
  if (!decision.writes.empty() && std::holds_alternative<InitPayment>(decision.writes.front())) next.index.value = 1;
  for (const Write& write : decision.writes) apply(next, write);
  return next;
}

struct Case {
  const Payment& before;
  const Event& event;
  UnixNs at;
  Decision decision;
  Payment after;
};

/// Calls `check(case)` for the whole space and returns the number of cases.
template <typename Check> std::size_t for_all(Check check) {
  const auto payments = all_payments();
  const auto events = all_events();
  std::size_t cases = 0;
  for (const Payment& payment : payments) {
    for (const Event& event : events) {
      for (const UnixNs at : {before_deadline, set_too_old, past_deadline}) {
        Decision decision = decide(payment, TimedEvent{at, event});
        Payment next = test::storable(payment) ? ::after(payment, decision) : payment;
        check(Case{payment, event, at, std::move(decision), std::move(next)});
        ++cases;
      }
    }
  }
  return cases;
}

/// R2: the sum over all own attempts that have paid or may still pay.
std::uint64_t paid_or_open(const Payment& payment, Msat Attempt::*what) {
  std::uint64_t sum = 0;
  for (const Attempt& attempt : payment.attempts) {
    const bool counts = attempt.open() || attempt.outcome == AttemptOutcome::settled;
    if (counts && attempt.origin == AttemptOrigin::own) sum += (attempt.*what).value();
  }
  return sum;
}

std::size_t settles(const Decision& decision, const AttemptKey& key) {
  return static_cast<std::size_t>(
      std::count_if(decision.writes.begin(), decision.writes.end(), [&](const Write& write) {
        const auto* settle = std::get_if<SettleAttempt>(&write);
        return settle != nullptr && settle->key == key;
      }));
}

std::size_t open_parts(const Payment& payment) {
  return static_cast<std::size_t>(
      std::count_if(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& a) { return a.open(); }));
}

bool in(const Payment& payment, const AttemptKey& key) { return payment.find(key) && payment.find(key)->open(); }

}  // namespace

TEST_CASE("decide: the whole space is answered, and what it leads to is storable") {
  const std::size_t cases = for_all([](const Case& c) {
    INFO(c.event.index(), " with ", c.before.attempts.size(), " attempts ", c.after.attempts.size(), " after, at ",
         c.at.value - created.value);
    REQUIRE(storable(c.after));
    REQUIRE((c.decision.writes.empty() || c.before.index.value != 0 ||
             std::holds_alternative<InitPayment>(c.decision.writes.front())));
    REQUIRE(count_of<InitPayment>(c.decision.writes) <= (c.before.index.value == 0 ? 1U : 0U));
  });
  MESSAGE(cases << " decisions");
  CHECK(cases > 500'000);
}

TEST_CASE(
    "R1, R2: what is dispatched or fenced is recorded and open, and no more than the payment is ever registered") {
  for_all([](const Case& c) {
    for (const Act& act : c.decision.acts) {
      if (const auto* dispatch = std::get_if<Dispatch>(&act)) REQUIRE(in(c.after, dispatch->key));
      if (const auto* fence = std::get_if<Fence>(&act)) REQUIRE(in(c.after, fence->key));
      if (const auto* query = std::get_if<Query>(&act)) REQUIRE(in(c.after, query->key));
    }
    if (count_of<RegisterAttempt>(c.decision.writes) == 0) return;
    const auto round = std::get<RoutesReady>(c.event).round;
    REQUIRE((!c.before.has_open_attempt() || (c.before.open_round() == round && c.at < set_too_old)));
    REQUIRE(paid_or_open(c.after, &Attempt::amount) == c.after.request.demand.amount.value());
    REQUIRE(paid_or_open(c.after, &Attempt::fee) <= c.after.request.demand.fee_limit.value());
    REQUIRE(!c.before.stop_reason);
    REQUIRE(!c.before.ended_for_good());
    REQUIRE(c.at < deadline);
    REQUIRE(c.after.own_attempts() <= c.before.request.max_attempts);
    REQUIRE(open_parts(c.after) <= c.before.request.max_parts);
  });
}

TEST_CASE("parts: what a failed one leaves is asked for at once, unless its set is lost or nothing may follow") {
  std::size_t planned = 0;
  for_all([&planned](const Case& c) {
    const auto* failed = std::get_if<Failed>(&c.event);
    if (failed == nullptr || !in(c.before, failed->key) || !c.after.has_open_attempt()) return;
    const bool lost = failed->failure.code == FailureCode::mpp_timeout;
    const bool ends = c.after.stop_reason || c.after.ended_for_good() || c.at >= deadline;
    const bool wanted = !lost && !ends && c.at < set_too_old;
    REQUIRE((count_of<AskRoutes>(c.decision.acts) == 1) == wanted);
    planned += wanted ? 1 : 0;
  });
  CHECK(planned > 0);
}

TEST_CASE("parts: after the first proof nothing is handed over, and a lost preimage is that of the others") {
  for_all([](const Case& c) {
    if (c.after.proof()) REQUIRE(count_of<Dispatch>(c.decision.acts) + count_of<AskRoutes>(c.decision.acts) == 0);
    const bool proves_now = !c.before.proof() && c.after.proof();
    for (const Attempt& attempt : c.after.attempts) {
      const bool lost =
          attempt.outcome == AttemptOutcome::closed && attempt.failure->code == FailureCode::preimage_lost;
      REQUIRE(!(proves_now && lost));
    }
  });
}

TEST_CASE("R8: while another attempt is watched, a late proof ends nothing before the look has told of all") {
  for_all([](const Case& c) {
    if (!is<Settled>(c.event) || count_of<SettleAttempt>(c.decision.writes) == 0) return;
    const bool more = c.after.has_open_attempt() || c.after.has_watched_attempt();
    REQUIRE((count_of<Report>(c.decision.acts) == 0) == more);
  });
}

TEST_CASE("parts: a set that the payee gave back counts as one HTLC") {
  Payment payment = fresh_payment();
  for (std::uint32_t part = 1; part <= 3; ++part)
    payment.attempts.push_back(part_attempt(first_id, part, 50'000, Shape::failed));
  CHECK(payment.own_attempts() == 3);
  for (Attempt& attempt : payment.attempts) attempt.failure->code = FailureCode::mpp_timeout;
  CHECK(payment.own_attempts() == 1);
  payment.attempts[0].failure->code = FailureCode::temporary_channel_failure;
  CHECK(payment.own_attempts() == 2);
}

TEST_CASE("parts: nothing is added to a set of which the payee gave a part back") {
  Payment payment = fresh_payment();
  payment.index.value = 1;
  payment.request.max_parts = 3;
  payment.request.payment_secret.emplace();
  payment.attempts = {part_attempt(first_id, 1, 150'000, Shape::failed),
                      part_attempt(first_id, 2, 100'000, Shape::open)};
  const Event pending = Pending{key_of(first_id, 2)};
  const Event ready = RoutesReady{
      first_id, {{3, part_route(150'000)}}, SwitchKey{node_key(9), "regtest"}, cln::marks_of({20, 20, 0, 20})};
  CHECK(count_of<AskRoutes>(decide(payment, {before_deadline, pending}).acts) == 1);
  CHECK(count_of<RegisterAttempt>(decide(payment, {before_deadline, ready}).writes) == 1);
  payment.attempts[0].failure->code = FailureCode::mpp_timeout;
  CHECK(count_of<AskRoutes>(decide(payment, {before_deadline, pending}).acts) == 0);
  CHECK(decide(payment, {before_deadline, ready}).writes.empty());
  payment.attempts[0].id = second_id;  // now it is part of an earlier round
  CHECK(count_of<AskRoutes>(decide(payment, {before_deadline, pending}).acts) == 1);
}

TEST_CASE("parts: a switch that refuses part after part for others of the hash is not tried again beside an open one") {
  Payment payment = fresh_payment();
  payment.index.value = 1;
  payment.request.max_parts = 3;
  payment.request.max_attempts = 84;
  payment.request.payment_secret.emplace();
  payment.attempts = {part_attempt(first_id, 1, 150'000, Shape::open)};
  const auto refused = [](std::uint32_t part) {
    Attempt attempt = part_attempt(first_id, part, 100'000, Shape::failed);
    attempt.failure = Failure{FailureCode::local_refusal, {}, {}, node_key(9), "payment is in transition"};
    return attempt;
  };
  const auto asks = [&payment] {
    return count_of<AskRoutes>(decide(payment, {before_deadline, Pending{key_of(first_id, 1)}}).acts) == 1;
  };
  std::size_t times = 0;
  for (std::uint32_t part = 2; part < 84 && asks(); ++part, ++times) payment.attempts.push_back(refused(part));
  CHECK(times == 16);
  payment.attempts.back().failure->source_index = 0;  // this one blames our own channel
  CHECK(asks());
  payment.attempts.back() = refused(90);
  CHECK_FALSE(asks());
  const Event ready = RoutesReady{
      first_id, {{91, part_route(100'000)}}, SwitchKey{node_key(9), "regtest"}, cln::marks_of({20, 20, 0, 20})};
  CHECK(decide(payment, {before_deadline, ready}).writes.empty());
  payment.attempts.back().failure->node.reset();  // it never reached the node, which may have been gone
  CHECK(asks());
  CHECK(count_of<RegisterAttempt>(decide(payment, {before_deadline, ready}).writes) == 1);
  payment.attempts.back() = refused(90);
  for (std::size_t i = 1; i < payment.attempts.size(); ++i) payment.attempts[i].id = second_id;
  CHECK(asks());  // they belong to an earlier round
}

TEST_CASE("R3: only the allow-list resolves an attempt") {
  for_all([](const Case& c) {
    const bool may_fail = is<Failed>(c.event) || is<NotSent>(c.event) || is<NotFound>(c.event) || is<Orphaned>(c.event);
    const bool may_close =
        is<OperatorAssumesFailed>(c.event) || is<OperatorWritesOff>(c.event) || is<SettledPreimageLost>(c.event);
    if (count_of<FailAttempt>(c.decision.writes) != 0) REQUIRE(may_fail);
    if (count_of<CloseAttempt>(c.decision.writes) != 0) REQUIRE(may_close);
    for (const Write& write : c.decision.writes) {
      const auto* settle = std::get_if<SettleAttempt>(&write);
      if (settle == nullptr) continue;
      REQUIRE(c.before.find(settle->key)->outcome != AttemptOutcome::settled);
      REQUIRE(settles(c.decision, settle->key) == 1);
      if (is<Settled>(c.event)) continue;
      // Its money is known to have left, and the same hash has another proof.
      REQUIRE((is<SettledPreimageLost>(c.event) || is<HashPaid>(c.event)));
      const Attempt& lost = *c.before.find(settle->key);
      REQUIRE((is<SettledPreimageLost>(c.event) || lost.failure->code == FailureCode::preimage_lost));
    }
    if (const auto* not_sent = std::get_if<NotSent>(&c.event); not_sent && !not_sent->only_copy)
      REQUIRE(c.decision.writes.empty());
    if (const auto* not_found = std::get_if<NotFound>(&c.event);
        not_found && count_of<FailAttempt>(c.decision.writes) != 0) {
      REQUIRE(not_found->fenced);
      REQUIRE(
          (not_found->evidence == Evidence::nothing_since_mark || not_found->evidence == Evidence::finished_no_debit));
    }
  });
}

TEST_CASE("R4: the same attempt goes out again only while it may still be wanted, otherwise its id is fenced") {
  for_all([](const Case& c) {
    if (count_of<Dispatch>(c.decision.acts) == 0) return;
    REQUIRE(!c.after.stop_reason);
    REQUIRE(!c.after.ended_for_good());
    REQUIRE(c.at < deadline);
    REQUIRE(c.after.missing() == Msat{});  // the payee gets the whole amount, or nothing goes
    if (const auto* not_found = std::get_if<NotFound>(&c.event))
      REQUIRE(not_found->evidence == Evidence::nothing_since_mark);
  });
}

TEST_CASE("R7: a preimage that does not prove is stored nowhere") {
  for_all([](const Case& c) {
    REQUIRE((!c.after.proof() || proves(*c.after.proof(), c.after.request.hash)));
    for (const Attempt& attempt : c.after.attempts)
      REQUIRE((!attempt.preimage || proves(*attempt.preimage, c.after.request.hash)));
  });
}

TEST_CASE("R8: a right preimage is always stored, makes SUCCEEDED, and nothing takes it back") {
  for_all([](const Case& c) {
    if (c.before.proof()) {
      REQUIRE(c.after.status() == PaymentStatus::succeeded);
      REQUIRE(c.after.proof() == c.before.proof());
    }
    const auto* settled = std::get_if<Settled>(&c.event);
    if (settled && settled->preimage == right_preimage() && c.before.find(settled->key)) {
      REQUIRE(c.after.status() == PaymentStatus::succeeded);
      REQUIRE(c.after.find(settled->key)->outcome == AttemptOutcome::settled);
    }
    const auto* paid = std::get_if<HashPaid>(&c.event);
    if (paid && paid->preimage == right_preimage()) REQUIRE(c.after.status() == PaymentStatus::succeeded);
  });
}

TEST_CASE("R9: FAILED is said by a quiet look, by the operator, or by a cancel where nothing was ever handed over") {
  for_all([](const Case& c) {
    if (count_of<FailPayment>(c.decision.writes) == 0) return;
    REQUIRE(!c.after.has_open_attempt());
    const bool nothing_handed_over = is<CancelRequested>(c.event) && c.before.attempts.empty();
    REQUIRE((is<Quiet>(c.event) || is<OperatorAssumesFailed>(c.event) || nothing_handed_over));
  });
}

TEST_CASE("R9: the first reason wins, and ends are written once") {
  for_all([](const Case& c) {
    if (c.before.stop_reason) REQUIRE(c.after.stop_reason == c.before.stop_reason);
    if (c.before.fail_reason) REQUIRE(c.after.fail_reason == c.before.fail_reason);
    if (c.before.end_note) REQUIRE(c.after.end_note == c.before.end_note);
    if (!c.before.fail_reason && c.after.fail_reason && c.before.stop_reason)
      REQUIRE(c.after.fail_reason == c.before.stop_reason);
    if (c.before.ended) REQUIRE(c.after.ended == c.before.ended);
  });
}

TEST_CASE("R17: from every open state the operator reaches an end without the switch") {
  for (const Payment& payment : all_payments()) {
    if (payment.index.value == 0 || payment.ended_for_good()) continue;
    CHECK(after(payment, decide(payment, TimedEvent{before_deadline, OperatorAssumesFailed{}})).status() ==
          PaymentStatus::failed);
    CHECK(after(payment, decide(payment, TimedEvent{before_deadline, OperatorWritesOff{}})).status() ==
          PaymentStatus::unknown);
  }
}

TEST_CASE("R17: what lnd had open when it was imported ends by the operator's word, and by that word alone") {
  for (const bool written_off : {false, true}) {
    Payment payment = fresh_payment();
    payment.index = PaymentIndex{1};
    payment.provenance = Provenance::lnd_kv;
    for (const std::optional<AttemptId> theirs : {std::optional<AttemptId>(AttemptId{7}), std::optional<AttemptId>()}) {
      Attempt& attempt = payment.attempts.emplace_back();
      attempt.id = theirs;
      attempt.part = static_cast<std::uint32_t>(payment.attempts.size() - 1);
      attempt.origin = AttemptOrigin::imported;
    }
    const Event word = written_off ? Event(OperatorWritesOff{}) : Event(OperatorAssumesFailed{});
    const Decision decision = decide(payment, TimedEvent{before_deadline, word});
    CHECK_FALSE(decision.refusal);
    for (const Write& write : decision.writes) apply(payment, write);
    CHECK(payment.status() == (written_off ? PaymentStatus::unknown : PaymentStatus::failed));
    CHECK_FALSE(payment.definitive());
    CHECK(payment.has_watched_attempt());
    CHECK(payment.ended_for_good());
  }
}

TEST_CASE("R17: an attempt that is open beside a paid payment is closed by the operator's word, and paid stays paid") {
  unsigned tried = 0;
  for (const Payment& payment : all_payments()) {
    if (!payment.proof() || !payment.has_open_attempt()) continue;
    ++tried;
    for (const Event& word : {Event(OperatorAssumesFailed{}), Event(OperatorWritesOff{})}) {
      const Decision decision = decide(payment, TimedEvent{before_deadline, word});
      CHECK_FALSE(decision.refusal);
      const Payment then = after(payment, decision);
      CHECK_FALSE(then.has_open_attempt());
      CHECK(then.has_watched_attempt());
      CHECK(then.status() == PaymentStatus::succeeded);
      CHECK(then.proof() == payment.proof());
      CHECK(storable(then));
    }
  }
  CHECK(tried > 0);
}

TEST_CASE("the refusals of InitPayment") {
  const Payment fresh = fresh_payment();
  const auto refusal = [&](std::optional<PaymentStatus> previous, std::optional<GuardKind> guard) {
    return decide(fresh, TimedEvent{before_deadline, Created{previous, guard}}).refusal;
  };
  CHECK_FALSE(refusal(std::nullopt, std::nullopt));
  CHECK_FALSE(refusal(PaymentStatus::failed, std::nullopt));
  CHECK(refusal(PaymentStatus::initiated, std::nullopt) == Errc::in_flight);
  CHECK(refusal(PaymentStatus::in_flight, std::nullopt) == Errc::in_flight);
  CHECK(refusal(PaymentStatus::succeeded, std::nullopt) == Errc::already_paid);
  CHECK(refusal(PaymentStatus::unknown, std::nullopt) == Errc::already_ended);
  CHECK(refusal(std::nullopt, GuardKind::paid_deleted) == Errc::already_paid);
  CHECK(refusal(std::nullopt, GuardKind::paid_without_record) == Errc::already_paid);
  CHECK(refusal(PaymentStatus::failed, GuardKind::in_flight) == Errc::guarded);
  CHECK(refusal(std::nullopt, GuardKind::written_off) == Errc::guarded);
}

TEST_CASE("a refusal writes nothing but what another user of the node proved") {
  for_all([](const Case& c) {
    if (!c.decision.refusal || is<HashPaid>(c.event)) return;
    REQUIRE(c.decision.writes.empty());
    REQUIRE(count_of<Dispatch>(c.decision.acts) + count_of<AskRoutes>(c.decision.acts) == 0);
  });
}
