// Goal: what else happens to a hand-over at lnd (lnd/README 3, 6, 9): answers, deadlines, operators, processes that are
// killed or stopped, and rounds of parts in every mix.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/driver/item.h"
#include "core/switch/lnd/conclusions.h"
#include "tests/lnd_switch/sights.h"

using namespace paytower;
using namespace paytower::test;
using State = lnd::Htlc::State;
using Status = lnd::Record::Status;

namespace {

Failure refusal() { return Failure{FailureCode::local_refusal, {}, {}, {}, "payment is in transition"}; }

/// A switch with the capabilities of lnd's adapter.
IdentityAnswer lnd_identity() {
  IdentityAnswer identity;
  identity.capabilities.same_again = false;
  identity.capabilities.min_amount = Msat::of(2);
  return identity;
}

/// One process with one item; shows the wishes that acts lead to.
struct Process {
  IdentityAnswer identity = lnd_identity();
  Item item{};
  ItemContext at{MonoNs{1}, after(5), &identity};

  Wishes perform_one(const Act& act) {
    Decision decision;
    decision.acts.push_back(act);
    return perform(item, decision, at);
  }
};

template <typename T> bool wished(const Wishes& wishes) {
  return std::any_of(wishes.begin(), wishes.end(), [](const Wish& wish) { return std::holds_alternative<T>(wish); });
}

Process of_drawn(bool here) {
  Process process;
  process.item.payment = lost_payment();
  if (here) process.item.handovers.push_back({key_of(first_id), true});
  return process;
}

std::string looked_once(Payment payment, const Sight& sight) { return looked(payment, sight); }

}  // namespace

TEST_CASE("lnd events: what is stored before the hand-over binds it to lnd's clock and to a height") {
  Payment payment = fresh_payment();
  CHECK(decided(payment, Created{}) == "look");
  CHECK(looked(payment, sight_at(after(0))) == "ask routes");
  RoutesReady ready{first_id, {{0, simple_route()}}, SwitchKey{node_key(9), "regtest"}, Marks{}};
  ready.terms = HandoverTerms{dies_at};
  ready.base_height = 600;
  CHECK(decided(payment, ready, after(1)) == "record it, register, hand over");
  REQUIRE(payment.attempts.size() == 1);
  CHECK(payment.attempts.front().dies_at == dies_at);
  CHECK(payment.attempts.front().total_time_lock == 640);
  CHECK(payment.attempts.front().dies());
}

TEST_CASE("lnd events: an answer ends the attempt only for the process that wrote its one copy") {
  struct Row {
    const char* name;
    bool drawn_here;
    unsigned copies;
    const char* decided;
  };
  for (const Row& row : {Row{"the process that drew and wrote it", true, 1, "LOCAL_REFUSAL, look"},
                         Row{"a later process", false, 1, "look later"}, Row{"two copies", true, 2, "look later"},
                         Row{"an answer to nothing", true, 0, "look later"}}) {
    CAPTURE(row.name);
    Item item;
    item.payment = lost_payment();
    item.handovers.push_back({key_of(first_id), row.drawn_here, row.copies, MonoNs{1}});
    on(item, DispatchAnswer{key_of(first_id), DispatchAnswer::Kind::not_sent, refusal()},
       ItemContext{MonoNs{2}, after(5)});
    REQUIRE(item.backlog.size() == 1);
    CHECK(decided(item.payment, item.backlog.front()) == row.decided);
    CHECK_FALSE(unanswered(item));
  }
}

TEST_CASE("lnd events: a lost answer, and words that say nothing, leave the attempt as it was") {
  const lnd::Mark mark = mark_of(key_of(first_id));
  for (const char* words : {"htlcswitch shutting down", "payment has failure reason", "anything else"}) {
    const std::string body = R"({"code":2,"message":")" + std::string(words) + R"(","details":[]})";
    CHECK(lnd::conclude_send(500, body, mark).word == lnd::SendMeaning::Word::look);
  }
  CHECK(lnd::conclude_send(499, R"({"code":1,"message":"context canceled"})", mark).word ==
        lnd::SendMeaning::Word::look);
  Item item;
  item.payment = lost_payment();
  item.handovers.push_back({key_of(first_id), true, 1, MonoNs{1}});
  on(item, DispatchAnswer{key_of(first_id), DispatchAnswer::Kind::look, {}}, ItemContext{MonoNs{2}, after(5)});
  CHECK(item.backlog.empty());
  CHECK(std::holds_alternative<LookWanted>(item.look));
  CHECK(item.payment.has_open_attempt());
}

TEST_CASE("lnd events: the answer of a hand-over is its end") {
  Item item;
  item.payment = lost_payment();
  const ItemContext at{MonoNs{2}, after(5)};
  QueryAnswer settled{key_of(first_id), QueryAnswer::Kind::settled, right_preimage()};
  on(item, settled, at);
  settled.preimage = wrong_preimage();
  on(item, settled, at);
  on(item, QueryAnswer{key_of(first_id), QueryAnswer::Kind::failed, {}, {FailureCode::mpp_timeout, 2, {}, {}, {}}}, at);
  REQUIRE(item.backlog.size() == 3);
  Payment payment = item.payment;
  CHECK(decided(payment, item.backlog[0]) == "settled, SUCCEEDED, leave");
  payment = item.payment;
  CHECK(decided(payment, item.backlog[1]) == "look later");  // R7
  payment = item.payment;
  CHECK(decided(payment, item.backlog[2]) == "MPP_TIMEOUT, look");
}

TEST_CASE("lnd events: acceptance is stored before it is built on") {
  Payment payment = lost_payment();
  CHECK(decided(payment, Accepted{key_of(first_id)}) == "seen, ask for the end");
  CHECK(decided(payment, Accepted{key_of(first_id)}) == "ask for the end");
  // With --wait 0 it is stored all the same, but its end is not waited for.
  Process process = of_drawn(true);
  process.at.ask_for_ends = false;
  CHECK_FALSE(wished<SendQuery>(process.perform_one(Query{key_of(first_id)})));
}

TEST_CASE("lnd events: a process that is killed behind the commit has handed over, for all that can be known") {
  CHECK(wished<SendHandover>(of_drawn(true).perform_one(Dispatch{key_of(first_id)})));
  CHECK_FALSE(wished<SendHandover>(of_drawn(false).perform_one(Dispatch{key_of(first_id)})));
  Process twice = of_drawn(true);
  CHECK(wished<SendHandover>(twice.perform_one(Dispatch{key_of(first_id)})));
  CHECK_FALSE(wished<SendHandover>(twice.perform_one(Dispatch{key_of(first_id)})));
  // From lost to late, then the fence, then the next attempt.
  Payment payment = lost_payment();
  Sight sight = sight_at(after(5));
  CHECK(looked(payment, sight) == "look later");
  sight.clock = after(41);
  CHECK(looked(payment, sight) == "prove dead");
  CHECK(decided(payment, Fenced{key_of(first_id)}) == "look");
  sight.fenced.push_back(key_of(first_id));
  sight.record = fence_record(our_store, after(42));
  CHECK(looked(payment, sight) == "NOT_EXECUTED, look, release");
  sight.record->status = Status::failed;
  CHECK(looked(payment, sight) == "ask routes");
}

TEST_CASE("lnd events: a process that was stopped writes the limit that it stored, and lnd refuses it") {
  const std::string body = R"({"code":2,"message":"caveat \"time-before 2026-11-28T14:12:22.737423Z\" not satisfied: )"
                           R"(macaroon has expired","details":[]})";
  const lnd::SendMeaning meaning = lnd::conclude_send(500, body, mark_of(key_of(first_id)));
  REQUIRE(meaning.word == lnd::SendMeaning::Word::not_sent);
  Payment payment = lost_payment();
  CHECK(decided(payment, NotSent{key_of(first_id), meaning.failure, true}, after(200)) == "LOCAL_REFUSAL, look");
  CHECK_FALSE(payment.attempts.front().failure->source_index);  // the route is not blamed
}

TEST_CASE("lnd events: a deadline or a cancel stops what follows, and proves nothing dead") {
  for (const Event& wish : {Event{DeadlinePassed{}}, Event{CancelRequested{}}}) {
    Payment payment = lost_payment();
    const bool cancel = std::holds_alternative<CancelRequested>(wish);
    const std::string reason = cancel ? "FAILURE_REASON_CANCELED" : "FAILURE_REASON_TIMEOUT";
    CHECK(decided(payment, wish) == "stop " + reason + ", look");
    Sight sight = sight_at(after(39));
    CHECK(looked(payment, sight) == "look later");
    sight.record = record_of(Status::in_flight, {own_htlc(State::in_flight)});
    Payment held = payment;
    CHECK(looked(held, sight) == "seen, ask for the end");
    sight = sight_at(after(41));
    CHECK(looked(payment, sight) == "prove dead");
    sight.fenced.push_back(key_of(first_id));
    CHECK(looked(payment, sight) == "NOT_EXECUTED, look");
    CHECK(looked(payment, sight) == "FAILED " + reason + ", leave");
  }
  Payment busy = lost_payment();
  busy.request.deadline = after(4);
  CHECK(looked(busy, sight_at(after(5), record_of(Status::in_flight, {foreign_htlc(State::in_flight)}))) ==
        "look later, stop FAILURE_REASON_TIMEOUT, look later (another user)");
}

TEST_CASE("lnd events: without a wish to go on, nothing is sent to lnd") {
  for (const ItemContext::Mode mode : {ItemContext::Mode::collect_only, ItemContext::Mode::leaving}) {
    Process process = of_drawn(false);
    process.at.mode = mode;
    for (const Act& act : {Act{Fence{key_of(first_id)}}, Act{Release{}}, Act{Dispatch{key_of(first_id)}}}) {
      const Wishes wishes = process.perform_one(act);
      REQUIRE(wishes.size() == 1);
      CHECK(wished<Leave>(wishes));
    }
  }
  Process driving = of_drawn(false);
  CHECK(wished<SendFence>(driving.perform_one(Fence{key_of(first_id)})));
  CHECK(wished<SendRelease>(driving.perform_one(Release{})));
}

TEST_CASE("lnd events: what an operator has called failed is watched, and ended by lnd's word alone") {
  Payment payment = lost_payment();
  CHECK(decided(payment, OperatorAssumesFailed{}) == "close ASSUMED_FAILED, FAILED FAILURE_REASON_ERROR, leave");
  const auto at = [&](Sight sight) { return looked_once(payment, sight); };
  CHECK(at(sight_at(after(41))) == "leave");
  CHECK(at(sight_at(next_day, record_of(Status::failed, {}, created))) == "leave");
  CHECK(at(sight_at(next_day, record_of(Status::in_flight, {foreign_htlc(State::in_flight)}))) ==
        "leave (another user)");
  CHECK(at(sight_at(next_day, record_of(Status::in_flight, {own_htlc(State::in_flight)}))) ==
        "leave (ours, closed by hand)");
  CHECK(at(sight_at(next_day, record_of(Status::failed, {own_htlc(State::failed)}))) ==
        "TEMPORARY_CHANNEL_FAILURE, leave");
  CHECK(at(sight_at(next_day, record_of(Status::succeeded, {own_htlc(State::settled)}))) ==
        "settled, late SUCCEEDED, leave");
  Sight dead = sight_at(next_day);
  dead.height = expiry_height + lnd::height_margin + 1;
  CHECK(at(dead) == "NOT_EXECUTED, leave");
  CHECK(at(sight_at(next_day, fence_record(our_store, after(42)))) == "release");
}

// --- parts ---

namespace {

/// The state of one part, and what lnd shows of it.
enum class Part { refused, live, lost, late, barred, in_flight, failed, settled, seen };

constexpr UnixNs round_clock = after(45);

bool shown(Part part) { return part == Part::in_flight || part == Part::failed || part == Part::settled; }

Attempt attempt_of(Part part, std::uint32_t number, std::uint64_t msat) {
  Attempt attempt = handed_over(first_id, number, msat);
  if (part == Part::live || part == Part::lost) {  // registered later, so its time is not over
    attempt.registered = after(38);
    attempt.dies_at = after(68);
  }
  if (part == Part::seen) attempt.accepted = after(2);
  if (part == Part::refused) {
    attempt.outcome = AttemptOutcome::failed;
    attempt.failure = refusal();
    attempt.resolved = after(1);
  }
  return attempt;
}

State state_of(Part part) {
  return part == Part::in_flight ? State::in_flight : part == Part::failed ? State::failed : State::settled;
}

/// The record that lnd keeps of parts with skip_temp_err: open until one has settled and none is in flight.
std::optional<Record> record_with(const std::vector<Part>& parts) {
  std::vector<Htlc> htlcs;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (shown(parts[i]))
      htlcs.push_back(own_htlc(state_of(parts[i]), key_of(first_id, static_cast<std::uint32_t>(i + 1))));
  }
  if (htlcs.empty()) return std::nullopt;
  const auto any = [&](Part part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
  return record_of(any(Part::settled) && !any(Part::in_flight) ? Status::succeeded : Status::in_flight, htlcs);
}

/// How a part must end, according to the table (lnd/README 11).
std::string end_of(Part part, const std::optional<Record>& record) {
  switch (part) {
    case Part::refused: return "LOCAL_REFUSAL";
    case Part::barred: return "NOT_EXECUTED";
    case Part::failed: return "TEMPORARY_CHANNEL_FAILURE";
    case Part::settled: return "settled";
    case Part::seen: return record && record->status == Status::succeeded ? "ERASED" : "open";
    case Part::live:
    case Part::lost:
    case Part::late:
    case Part::in_flight: return "open";
  }
  return "?";
}

std::string end_of(const Attempt& attempt) {
  if (attempt.open()) return "open";
  return attempt.failure ? std::string(failure_name(attempt.failure->code)) : "settled";
}

bool says(const std::string& text, const std::string& word) {
  return (", " + text + ",").find(", " + word + ",") != std::string::npos;
}

void check_mix(const std::vector<Part>& parts, const std::vector<std::uint64_t>& amounts) {
  Payment payment = recorded_payment({});
  payment.request.max_attempts = 10;
  payment.request.max_parts = 3;
  payment.request.payment_secret.emplace();
  const std::optional<Record> record = record_with(parts);
  Sight sight = sight_at(round_clock, record);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(i + 1);
    payment.attempts.push_back(attempt_of(parts[i], number, amounts[i]));
    if (parts[i] == Part::live) sight.waiting.push_back(key_of(first_id, number));
    if (parts[i] == Part::barred) sight.fenced.push_back(key_of(first_id, number));
  }
  const bool any_open_before = payment.has_open_attempt();
  const std::string text = looked(payment, sight);
  CAPTURE(text);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CAPTURE(i);
    CHECK(end_of(payment.attempts[i]) == end_of(parts[i], record));
  }
  const auto any = [&](Part part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
  const bool open = payment.has_open_attempt();
  const bool idle = record && record->status == Status::in_flight && !any(Part::in_flight) && !any(Part::settled);
  CHECK(says(text, "SUCCEEDED") == any(Part::settled));
  CHECK_FALSE(text.find("FAILED FAILURE") != std::string::npos);  // never in the look that ended the last part
  CHECK_FALSE(says(text, "register"));
  CHECK(says(text, "ask routes") == (!any_open_before && !record));  // R4: a look between an end and the next round
  CHECK(says(text, "release") == (idle && !open));
  CHECK(says(text, "prove dead") == (any(Part::late) && !any(Part::in_flight)));
  CHECK(says(text, "ask for the end") == any(Part::in_flight));
}

const std::vector<Part> all_parts = {Part::refused,   Part::live,   Part::lost,    Part::late, Part::barred,
                                     Part::in_flight, Part::failed, Part::settled, Part::seen};

}  // namespace

TEST_CASE("lnd parts: two of a round in every mix end each by its own proof, and nothing follows too early") {
  for (const Part one : all_parts) {
    for (const Part two : all_parts) {
      CAPTURE(static_cast<int>(one));
      CAPTURE(static_cast<int>(two));
      check_mix({one, two}, {150'000, 100'000});
    }
  }
}

TEST_CASE("lnd parts: three of a round in every mix") {
  for (const Part one : all_parts) {
    for (const Part two : all_parts) {
      for (const Part three : all_parts) {
        CAPTURE(static_cast<int>(one));
        CAPTURE(static_cast<int>(two));
        CAPTURE(static_cast<int>(three));
        check_mix({one, two, three}, {150'000, 60'000, 40'000});
      }
    }
  }
}

TEST_CASE("lnd parts: one that failed beside open ones is replaced only where lnd takes it") {
  for (const bool failing : {false, true}) {
    Payment payment = recorded_payment({handed_over(first_id, 1, 150'000), handed_over(first_id, 2, 100'000)});
    payment.request.max_parts = 3;
    payment.request.payment_secret.emplace();
    Record record = record_of(Status::in_flight, {own_htlc(State::in_flight, key_of(first_id, 1)),
                                                  own_htlc(State::failed, key_of(first_id, 2))});
    record.failing = failing;
    const Sight sight = sight_at(after(5), record);
    looked(payment, sight);
    // The payment asks for routes again when the failure is known.
    CHECK(looked(payment, sight) == std::string("ask for the end") + (failing ? "" : ", ask routes"));
  }
}
