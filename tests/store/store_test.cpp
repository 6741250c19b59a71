// Goal: what the store holds is what the domain believes, and a refusal of one entry touches no other. Method: random
// walks of the lifecycle against a model in memory, and each promise of the port PaymentStore by itself.
#include <random>
#include <set>

#include <sqlite3.h>

#include "core/base/limits.h"
#include "core/driver/restored.h"
#include "db/payments/stored_detail.h"
#include "tests/lifecycle/states.h"
#include "tests/store/fixture.h"

using namespace paytower;
using test::after;
using test::alice;
using test::attempt_of;
using test::check_same;
using test::damage;
using test::first_attempt;
using test::key_of;
using test::own_key;
using test::preimage_of;
using test::raw;
using test::request_of;
using test::route_of;
using test::some_failure;
using test::Store;
using test::TempFolder;

namespace {

Errc refused(Store& store, Payment& payment, const std::vector<Write>& writes) {
  const auto result = store.write(payment, writes);
  REQUIRE_FALSE(result);
  return result.error().code;
}

Payment loaded(Store& store, PaymentIndex index) {
  auto payment = store.store.load(index).value();
  REQUIRE(payment);
  return *payment;
}

std::vector<std::int64_t> open_indexes(Store& store) {
  std::vector<std::int64_t> indexes;
  for (const PaymentIndex index : value_of(store.store.fetch_in_flight(PaymentIndex{}, 1'000)))
    indexes.push_back(index.value);
  return indexes;
}

/// An event that is likely to fit the payment's present state.
Event random_event(std::mt19937_64& random, const Payment& payment, std::uint64_t& next_id) {
  const auto one_of = [&random](std::size_t count) { return random() % count; };
  AttemptKey key{payment.request.hash, AttemptId{next_id}};
  if (!payment.attempts.empty()) key.id = payment.attempts[one_of(payment.attempts.size())].id.value_or(AttemptId{1});
  switch (one_of(14)) {
    case 0: return Quiet{};
    case 1:
    case 2:
    case 3:
      ++next_id;
      return RoutesReady{AttemptId{next_id},
                         {PlannedPart{0, route_of(next_id)}},
                         SwitchKey{key_of(static_cast<std::uint8_t>(8 + one_of(3))), "regtest"},
                         Marks(next_id % 97, 'm')};
    case 4: return NoRoute{FailureReason::insufficient_balance};
    case 5: return NotSent{key, some_failure(), one_of(2) == 0};
    case 6: return Settled{key, preimage_of(1)};
    case 7:
    case 8:
      return Failed{key, Failure{FailureCode::fee_insufficient,
                                 static_cast<std::uint32_t>(one_of(4)),
                                 {},
                                 {},
                                 std::string(one_of(20), 'x')}};
    case 9: return NotFound{key, Evidence::finished_no_debit, true};
    case 10: return CancelRequested{};
    case 11: return HashPaid{preimage_of(1), AttemptId{random()}, Msat::of(250'000), Msat::of(17)};
    case 12: return one_of(3) == 0 ? Event(OperatorAssumesFailed{}) : Event(Failed{key, some_failure()});
    default: return one_of(2) == 0 ? Event(OperatorWritesOff{}) : Event(SettledPreimageLost{key});
  }
}

}  // namespace

TEST_CASE("random walks of the lifecycle: the store holds what the domain believes") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Store other(folder.file("p"), db::OpenMode::read_only);
  std::set<PaymentStatus> ends;
  std::uint64_t next_id = 1'000;
  std::uint64_t late = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Payment payment;
    payment.request = request_of(1);
    payment.request.hash = hash_of(preimage_of(1));
    for (std::int64_t step = 0; step < 12; ++step) {
      const Decision decision = decide(payment, TimedEvent{after(step), random_event(random, payment, next_id)});
      if (decision.writes.empty()) continue;
      store.must(payment, decision.writes);
      check_same(payment, *other.store.load(payment.index).value());
      const bool unfinished = !payment.ended_for_good() || payment.has_open_attempt() || payment.has_watched_attempt();
      const auto open = value_of(store.store.fetch_in_flight(PaymentIndex{payment.index.value - 1}, 1));
      CHECK((!open.empty() && open.front() == payment.index) == unfinished);
    }
    if (payment.index.value == 0) continue;
    ends.insert(payment.status());
    if (payment.late_preimage) ++late;
    // The next walk uses the same hash, so everything of it is removed past all checks.
    damage(folder.file("p"), "DELETE FROM attempts; DELETE FROM payments; DELETE FROM hash_guards");
  }
  CHECK(ends.size() >= 4);
  CHECK(late > 0);
}

TEST_CASE("every field of a request comes back") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment;
  payment.request = request_of(1);
  PaymentRequest& request = payment.request;
  request.demand.final_cltv_delta = 40;
  request.demand.cltv_limit = 1'000;
  request.demand.outgoing_channels = {ShortChannelId{0xFFFF'FFFF'FFFF'FFFF}, ShortChannelId{1}};
  request.payment_secret.emplace().bytes.fill(5);
  request.metadata = Bytes{0, 1, 255};
  request.network = "regtest";
  request.label = "r\xC3\xA9nt \x1B[31m";
  request.max_attempts = 7;
  request.max_parts = 100;
  request.candidates = {route_of(5), route_of(9)};
  request.invoice = std::string(limits::max_invoice_chars, 'q');
  store.must(payment, {InitPayment{}});
  check_same(payment, loaded(store, payment.index));

  Payment bare;
  bare.request = request_of(2);
  bare.request.metadata = Bytes{};
  bare.request.created = UnixNs{-5};
  bare.request.deadline = UnixNs{INT64_MAX};
  bare.request.demand.amount = Msat::of(Msat::max_value);
  store.must(bare, {InitPayment{}});
  check_same(bare, loaded(store, bare.index));
}

TEST_CASE("every field of an attempt comes back, text is cut where the bound is") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.initiated(1);
  Attempt attempt = attempt_of((std::uint64_t{1} << 62) - 1);
  attempt.marks = Marks(96, 0);
  attempt.total_time_lock = UINT32_MAX;
  attempt.dies_at = UnixNs{INT64_MIN};
  attempt.switch_run = "7:100:boot";
  store.must(payment, {RegisterAttempt{attempt}});
  Failure failure = some_failure();
  failure.channel->channel.value = UINT64_MAX;
  failure.message = std::string("a\0b\xFF", 4) + std::string(5'000, 'x');
  store.must(payment, {FailAttempt{payment.key(attempt), failure, after(9)}});
  payment.attempts[0].failure->message.resize(limits::max_failure_message_bytes);
  check_same(payment, loaded(store, payment.index));

  Attempt foreign;
  foreign.id = AttemptId{UINT64_MAX};
  foreign.origin = AttemptOrigin::foreign;
  foreign.amount = Msat::of(1);
  foreign.registered = after(3);
  foreign.resolved = after(3);
  foreign.outcome = AttemptOutcome::settled;
  foreign.preimage = preimage_of(1);
  store.must(payment, {RecordForeign{foreign}, Succeed{preimage_of(1), after(3)}});
  check_same(payment, loaded(store, payment.index));
}

TEST_CASE("until when an attempt is locked comes back, and only rises") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.initiated(1);
  Attempt attempt = attempt_of(17);
  attempt.total_time_lock.reset();
  attempt.dies_at.reset();
  attempt.expected_time_lock = 1;
  store.must(payment, {RegisterAttempt{attempt}});
  check_same(payment, loaded(store, payment.index));
  store.must(payment, {MoveAttempt{payment.key(attempt), "8:100:boot", UINT32_MAX, after(5)}});
  check_same(payment, loaded(store, payment.index));
  store.must(payment, {MoveAttempt{payment.key(attempt), "", {}, after(6)}});
  check_same(payment, loaded(store, payment.index));
  store.must(payment, {MoveAttempt{payment.key(attempt), "", 812'345, after(7)}});  // another process knew a later one
  CHECK(loaded(store, payment.index).attempts[0].expected_time_lock == UINT32_MAX);
}

TEST_CASE("why a payment failed comes back, and what came with the stop wish stays") {
  const TempFolder folder;
  Store store(folder.file("p"));
  FailureDetail full = detail_of(DetailCode::outgoing_channel_balance);
  full.fee = Msat::of(Msat::max_value);
  full.delay = UINT32_MAX;
  full.held = Msat{};
  full.channel = ShortChannelId{UINT64_MAX};
  full.parts = 7;
  full.words = std::string(limits::max_failure_message_bytes, '\x01');
  Payment stopped = store.initiated(1);
  store.must(stopped, {SetStop{FailureReason::no_route, after(1), full}});
  check_same(stopped, loaded(store, stopped.index));
  store.must(stopped, {FailPayment{FailureReason::no_route, after(2)}});
  CHECK(loaded(store, stopped.index).failure_detail == full);
  for (int code = 0; code <= static_cast<int>(last_detail); ++code) {
    Payment failed = store.initiated(static_cast<std::uint64_t>(code) + 2);
    const FailureDetail detail = detail_of(static_cast<DetailCode>(code));
    store.must(failed, {FailPayment{FailureReason::no_route, after(1), detail}});
    CHECK(loaded(store, failed.index).failure_detail.value_or(FailureDetail{}) == detail);
  }
}

TEST_CASE("a stored reason of failure: bytes that are no text, codes of a newer program, and what is none") {
  FailureDetail bytes;
  bytes.words = "no\xFFway";
  CHECK(db::decode_detail(*db::encode_detail(bytes))->words == "no\xEF\xBF\xBDway");
  CHECK(db::encode_detail(FailureDetail{}) == std::nullopt);
  CHECK(db::decode_detail("") == std::nullopt);
  CHECK(db::decode_detail(R"({"code":"of_next_year","fee_msat":7,"more":[]})")->fee == Msat::of(7));
  CHECK(db::decode_detail(R"({"code":"of_next_year"})")->code == DetailCode::unexplained);
  for (const char* none : {"{", "[]", "1", "\xFF"}) {
    CAPTURE(none);
    CHECK(db::decode_detail(none) == std::nullopt);
  }
  for (const char* none :
       {"{\"code\":1}", "{\"fee_msat\":-1}", "{\"fee_msat\":2100000000000000001}", "{\"held_msat\":1e3}",
        "{\"delay\":4294967296}", "{\"scid\":\"x\"}", "{\"switch_message\":1}"}) {
    CAPTURE(none);
    CHECK(db::decode_detail(none) == FailureDetail{});
  }
}

TEST_CASE("the trace at a switch: the marks of the newest own attempt there") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const SwitchKey here{key_of(9), "regtest"};
  const SwitchKey there{key_of(8), "regtest"};
  CHECK(value_of(store.store.trace_at(here)).since == std::nullopt);
  const auto hand_over = [&](std::uint64_t number, const SwitchKey& to, const Marks& marks) {
    Payment payment = store.initiated(number);
    Attempt attempt = attempt_of(number * 10);
    attempt.switch_key = to;
    attempt.marks = marks;
    store.must(payment, {RegisterAttempt{attempt}});
  };
  hand_over(3, here, Marks{9, 9});
  CHECK(value_of(store.store.trace_at(here)).since == Marks{9, 9});
  CHECK(value_of(store.store.trace_at(there)).since == std::nullopt);
  hand_over(2, here, Marks{200, 0, 1});  // registered later under an older id
  CHECK(value_of(store.store.trace_at(here)).since == Marks{9, 9});
  hand_over(4, here, Marks{1});
  hand_over(5, here, Marks{});  // an attempt without marks
  hand_over(6, there, Marks(96, 7));
  CHECK(value_of(store.store.trace_at(here)).since == Marks{1});
  CHECK(value_of(store.store.trace_at(there)).since == Marks(96, 7));
  CHECK(value_of(store.store.trace_at(here)).store == store.store.store_id());
}

TEST_CASE("that an attempt was accepted is stored once, and only of one that is there") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.in_parts(1);
  const AttemptKey second = payment.key(payment.attempts[1]);
  store.must(payment, {AcceptAttempt{second, after(7)}});
  CHECK(payment.attempts[1].accepted == after(7));
  check_same(payment, loaded(store, payment.index));
  store.must(payment, {AcceptAttempt{second, after(8)}});  // reported again
  CHECK(payment.attempts[1].accepted == after(7));
  check_same(payment, loaded(store, payment.index));
  CHECK_FALSE(loaded(store, payment.index).attempts[0].accepted);

  // An attempt that has ended before it was reported as accepted.
  const AttemptKey third = payment.key(payment.attempts[2]);
  store.must(payment, {FailAttempt{third, some_failure(), after(9)}, AcceptAttempt{third, after(9)}});
  check_same(payment, loaded(store, payment.index));
  CHECK(payment.attempts[2].accepted == after(9));

  const Payment other = store.in_flight(2);
  for (const AttemptKey& none : {AttemptKey{second.hash, second.id, 4}, AttemptKey{second.hash, AttemptId{5}, 2},
                                 other.key(other.attempts.front())}) {
    const std::vector<Write> writes{AcceptAttempt{none, after(9)}};
    const PaymentWrites entry{&payment, writes};
    const auto refused = store.store.commit(std::span(&entry, 1));
    REQUIRE_FALSE(refused.front());
    CHECK(refused.front().error().code == Errc::conflict);
  }
  check_same(other, loaded(store, other.index));
}

TEST_CASE("marks are stored up to 96 bytes, and no attempt with more is registered") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.initiated(1);
  Attempt attempt = attempt_of(11);
  attempt.marks = Marks(97, 1);
  const std::vector<Write> writes{RegisterAttempt{attempt}};
  const PaymentWrites entry{&payment, writes};
  const auto refused = store.store.commit(std::span(&entry, 1));
  REQUIRE_FALSE(refused.front());
  CHECK(refused.front().error().code == Errc::conflict);
  CHECK(loaded(store, payment.index).attempts.empty());
}

TEST_CASE("InitPayment is refused while the hash is open, paid, unknown or guarded, and only then") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  store.paid(7);
  db::DeleteRequest all;
  all.hashes = {request_of(7).hash};
  CHECK(value_of(store.admin.remove(all, alice)).deleted == 1);
  const auto init = [&](std::uint64_t number) {
    Payment again;
    again.request = request_of(number);
    return refused(store, again, {InitPayment{}});
  };
  CHECK(init(1) == Errc::in_flight);
  CHECK(init(2) == Errc::in_flight);
  CHECK(init(3) == Errc::already_paid);
  CHECK(init(5) == Errc::already_ended);
  CHECK(init(7) == Errc::already_paid);
  store.initiated(4);
  store.initiated(6);
}

TEST_CASE("what the vocabulary of the control tower refuses") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment none;
  none.request = request_of(1);
  CHECK(refused(store, none, {RegisterAttempt{attempt_of(11)}}) == Errc::not_initiated);
  Payment open = store.in_flight(2);
  CHECK(refused(store, open, {RegisterAttempt{attempt_of(22)}}) == Errc::in_flight);
  CHECK(refused(store, open, {FailPayment{FailureReason::error, after(1)}}) == Errc::in_flight);
  CHECK(refused(store, open, {EndUnknown{EndNote::written_off, after(1)}}) == Errc::in_flight);
  CHECK(refused(store, open, {Succeed{preimage_of(2), after(1)}}) == Errc::conflict);
  CHECK(refused(store, open,
                {SettleAttempt{first_attempt(2), preimage_of(9), after(1)}, Succeed{preimage_of(9), after(1)}}) ==
        Errc::conflict);
  CHECK(refused(store, open, {SettleAttempt{own_key(2, 999), preimage_of(2), after(1)}}) == Errc::conflict);
  Payment paid = store.paid(3);
  CHECK(refused(store, paid, {RegisterAttempt{attempt_of(32)}}) == Errc::already_succeeded);
  CHECK(refused(store, paid, {FailPayment{FailureReason::error, after(1)}}) == Errc::already_succeeded);
  CHECK(refused(store, paid, {SetStop{FailureReason::canceled, after(1)}}) == Errc::already_succeeded);
  CHECK(refused(store, paid, {Succeed{preimage_of(3), after(1)}}) == Errc::conflict);
  CHECK(refused(store, paid, {FailAttempt{first_attempt(3), some_failure(), after(1)}}) == Errc::conflict);
  Payment failed = store.failed(4);
  CHECK(refused(store, failed, {RegisterAttempt{attempt_of(42)}}) == Errc::already_failed);
  CHECK(refused(store, failed,
                {SettleAttempt{first_attempt(4), preimage_of(4), after(1)}, Succeed{preimage_of(4), after(1)}}) ==
        Errc::already_failed);
  CHECK(refused(store, failed, {StoreLatePreimage{preimage_of(4), after(1)}}) == Errc::conflict);
  CHECK(refused(store, failed, {SetStop{FailureReason::canceled, after(1)}}) == Errc::already_failed);
  Payment stopped = store.initiated(5);
  store.must(stopped, {SetStop{FailureReason::canceled, after(1)}});
  CHECK(refused(store, stopped, {RegisterAttempt{attempt_of(52)}}) == Errc::stopped);
  CHECK(refused(store, stopped, {SetStop{FailureReason::timeout, after(1)}}) == Errc::conflict);
  // None of it left a trace.
  for (const Payment& payment : {open, paid, failed, stopped}) check_same(payment, loaded(store, payment.index));
}

TEST_CASE("a refused entry of a tick is refused alone, and whole") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment good;
  good.request = request_of(1);
  Payment bad = store.paid(2);
  Payment fresh;
  fresh.request = request_of(3);
  const std::vector<Write> good_writes = {InitPayment{}, RegisterAttempt{attempt_of(11)}};
  // The second write is refused, and the first, which is valid, is undone with it.
  const std::vector<Write> bad_writes = {FailAttempt{first_attempt(2), some_failure(), after(1)},
                                         SetStop{FailureReason::error, after(1)}};
  const std::vector<Write> half_writes = {InitPayment{}, RegisterAttempt{attempt_of(12)},
                                          RegisterAttempt{attempt_of(13)}};
  const std::vector<PaymentWrites> tick = {{&good, good_writes}, {&bad, bad_writes}, {&fresh, half_writes}};
  const auto results = store.store.commit(tick);
  REQUIRE(results.size() == 3);
  CHECK(results[0]);
  CHECK(results[1].error().code == Errc::conflict);
  CHECK(results[2].error().code == Errc::in_flight);
  CHECK(loaded(store, results[0]->index).attempts.size() == 1);
  check_same(bad, loaded(store, bad.index));
  CHECK_FALSE(store.store.find(request_of(3).hash).value().payment);
  // An id that was undone with its savepoint may be used: nobody has seen it.
  store.must(fresh, {InitPayment{}, RegisterAttempt{attempt_of(12)}});
}

TEST_CASE("a switch that was undone with its savepoint is not remembered") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment first;
  first.request = request_of(1);
  Attempt one = attempt_of(11);
  one.switch_key = SwitchKey{key_of(21), "regtest"};
  Attempt two = attempt_of(12);
  two.switch_key = one.switch_key;
  CHECK(refused(store, first, {InitPayment{}, RegisterAttempt{one}, RegisterAttempt{two}}) == Errc::in_flight);
  Payment second;
  second.request = request_of(2);
  Attempt three = attempt_of(13);
  three.switch_key = SwitchKey{key_of(22), "regtest"};
  store.must(second, {InitPayment{}, RegisterAttempt{three}});
  store.must(first, {InitPayment{}, RegisterAttempt{one}});
  CHECK(loaded(store, first.index).attempts[0].switch_key == one.switch_key);
  CHECK(loaded(store, second.index).attempts[0].switch_key == three.switch_key);
}

TEST_CASE("a late preimage stops the newer try of its hash") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment older = store.assumed_failed(1);
  Payment newer;
  newer.request = request_of(1);
  store.must(newer, {InitPayment{}, RegisterAttempt{attempt_of(500)}});
  const Decision decision = decide(older, TimedEvent{after(50), Settled{first_attempt(1), preimage_of(1)}});
  store.must(older, decision.writes);
  CHECK(older.status() == PaymentStatus::succeeded);
  check_same(older, loaded(store, older.index));
  CHECK(loaded(store, newer.index).stop_reason == FailureReason::error);
  CHECK(loaded(store, newer.index).has_open_attempt());
  newer.stop_reason = FailureReason::error;
  // If the hash is paid a second time after all, that is stored as well.
  store.must(newer, {SettleAttempt{own_key(1, 500), preimage_of(1), after(51)}, Succeed{preimage_of(1), after(51)}});
  check_same(newer, loaded(store, newer.index));
}

TEST_CASE("acceptance goes along with whatever is written next") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment stopped = store.in_flight(1);
  stopped.attempts[0].accepted = after(6);
  CHECK_FALSE(loaded(store, stopped.index).attempts[0].accepted);
  store.must(stopped, {SetStop{FailureReason::canceled, after(7)}});
  CHECK(loaded(store, stopped.index).attempts[0].accepted == after(6));
  store.must(stopped, {FailAttempt{first_attempt(1), some_failure(), after(8)}});
  check_same(stopped, loaded(store, stopped.index));
  Payment settled = store.in_flight(2);
  settled.attempts[0].accepted = after(6);
  store.must(settled, {SettleAttempt{first_attempt(2), preimage_of(2), after(7)}, Succeed{preimage_of(2), after(7)}});
  check_same(settled, loaded(store, settled.index));
}

TEST_CASE("fetch_in_flight: what is unfinished, unresolved or watched, ascending, in pages") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.one_of_each();
  Payment both = store.initiated(7);  // paid, with another part open
  Attempt half = attempt_of(71, 1);
  half.amount = Msat::of(125'000);
  Attempt other_half = attempt_of(71, 2);
  other_half.amount = half.amount;
  store.must(both, {RegisterAttempt{half}, RegisterAttempt{other_half}});
  store.must(both, {SettleAttempt{own_key(7, 71, 1), preimage_of(7), after(9)}, Succeed{preimage_of(7), after(9)}});
  CHECK(both.status() == PaymentStatus::succeeded);
  CHECK(open_indexes(store) == std::vector<std::int64_t>{1, 2, 6, 7});
  CHECK(value_of(store.store.fetch_in_flight(PaymentIndex{1}, 2)) == std::vector{PaymentIndex{2}, PaymentIndex{6}});
  CHECK(value_of(store.store.fetch_in_flight(PaymentIndex{7}, 2)).empty());
  store.must(both, {FailAttempt{own_key(7, 71, 2), some_failure(), after(10)}});
  CHECK(open_indexes(store) == std::vector<std::int64_t>{1, 2, 6});
}

TEST_CASE("find: what is paid, open, unknown or newest, with everything known of the hash") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const HashState nothing = store.store.find(request_of(1).hash).value();
  CHECK_FALSE(nothing.payment);
  CHECK_FALSE(nothing.guard);
  CHECK(nothing.knowledge.store == store.store.store_id());
  CHECK(nothing.highest_id == AttemptId{});
  store.failed(1);
  CHECK(store.store.find(request_of(1).hash).value().payment->index.value == 1);
  Payment second;
  second.request = request_of(1);
  store.must(second, {InitPayment{}, RegisterAttempt{attempt_of(500)}});
  const HashState open = store.store.find(request_of(1).hash).value();
  CHECK(open.payment->index == second.index);
  CHECK(open.highest_id == AttemptId{500});
  CHECK(std::set<AttemptKey>(open.knowledge.known.begin(), open.knowledge.known.end()) ==
        std::set{first_attempt(1), own_key(1, 500)});
  store.must(second, {FailAttempt{own_key(1, 500), some_failure(), after(9)}});
  store.must(second, {FailPayment{FailureReason::no_route, after(9)}});
  CHECK(store.store.find(request_of(1).hash).value().payment->index == second.index);
  // The first try is paid after all, so it is the one that counts.
  Payment first = loaded(store, PaymentIndex{1});
  store.must(first, {SettleAttempt{first_attempt(1), preimage_of(1), after(10)},
                     StoreLatePreimage{preimage_of(1), after(10)}});
  CHECK(store.store.find(request_of(1).hash).value().payment->index == first.index);
}

TEST_CASE("R12: the highest id is the store's, not the hash's, and an id that is taken is named") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment other;
  other.request = request_of(1);
  store.must(other, {InitPayment{}, RegisterAttempt{attempt_of(700)}});
  const HashState state = store.store.find(request_of(2).hash).value();
  CHECK(state.highest_id == AttemptId{700});
  CHECK(state.knowledge.known.empty());
  Payment second;
  second.request = request_of(2);
  CHECK(refused(store, second, {InitPayment{}, RegisterAttempt{attempt_of(700)}}) == Errc::attempt_id_taken);
  CHECK_FALSE(store.store.find(request_of(2).hash).value().payment);
  CHECK(refused(store, second, {InitPayment{}, RegisterAttempt{attempt_of(700, 1)}}) == Errc::attempt_id_taken);
  Attempt half = attempt_of(701, 1);
  half.amount = Msat::of(125'000);
  store.must(second, {InitPayment{}, RegisterAttempt{half}});
  CHECK(refused(store, second, {RegisterAttempt{half}}) == Errc::attempt_id_taken);
  // R2: the sum would be too much.
  CHECK(refused(store, second, {RegisterAttempt{attempt_of(701, 2)}}) == Errc::conflict);
  half.part = 2;
  store.must(second, {RegisterAttempt{half}});
}

TEST_CASE("a payment of our own that comes later than a time; imports say nothing of this machine's clock") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  store.paid(2);
  const UnixNs made = request_of(2).created;
  CHECK_FALSE(value_of(store.query.own_created_after(made)));
  const auto found = value_of(store.query.own_created_after(UnixNs{made.value - 1}));
  REQUIRE(found);
  CHECK(found->first == PaymentIndex{2});
  CHECK(found->second == made);
  store.connection.database().exec(
      "INSERT INTO payments (payment_hash, amount_msat, created_ns, provenance, fail_reason, ended_ns) "
      "VALUES (zeroblob(32), 1, " +
      std::to_string(made.value + 1'000) + ", 1, 0, 1)");
  CHECK_FALSE(value_of(store.query.own_created_after(made)));
}

TEST_CASE("ids of deleted attempts are not drawn again") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.failed(1);
  db::DeleteRequest request;
  request.hashes = {request_of(1).hash};
  CHECK(value_of(store.admin.remove(request, alice)).deleted == 1);
  const HashState state = store.store.find(request_of(1).hash).value();
  CHECK(state.knowledge.deleted_up_to == first_attempt(1).id);
  CHECK(state.highest_id == first_attempt(1).id);
  CHECK(state.knowledge.known.empty());
}

TEST_CASE("recent results: the newest attempts that have ended, and no more than asked for") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 5; ++number) store.failed(number);
  store.paid(6);
  store.assumed_failed(7);
  store.in_flight(8);
  const auto results = value_of(store.store.recent_results(5));
  REQUIRE(results.size() == 3);  // of five attempts, one is in flight and one was closed by hand
  CHECK_FALSE(results[0].failure);
  CHECK(results[0].route == route_of(61));
  CHECK(results[1].at == after(35));
  CHECK(results[1].failure == some_failure());
  CHECK(results[1].route == route_of(51));
  CHECK(value_of(store.store.recent_results(100)).size() == 6);
  CHECK(value_of(store.store.recent_results(0)).empty());
}

TEST_CASE("an unreadable row hides no other") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 6; ++number) store.paid(number);
  SUBCASE("a preimage that does not prove") {
    damage(folder.file("p"), "UPDATE payments SET preimage = zeroblob(32) WHERE payment_index = 3");
  }
  SUBCASE("an attempt's preimage that does not prove") {
    damage(folder.file("p"), "UPDATE attempts SET preimage = zeroblob(32) WHERE payment_index = 3");
  }
  SUBCASE("a route that is none") {
    damage(folder.file("p"), "UPDATE attempts SET route = zeroblob(7) WHERE payment_index = 3");
  }
  SUBCASE("a hash of another length") {
    damage(folder.file("p"), "UPDATE payments SET payment_hash = zeroblob(3) WHERE payment_index = 3");
  }
  SUBCASE("a reason that nobody knows") {
    damage(folder.file("p"), "UPDATE payments SET stop_reason = 200 WHERE payment_index = 3");
  }
  SUBCASE("cut candidate routes") {
    damage(folder.file("p"), "UPDATE payments SET candidate_routes = x'00000099ff' WHERE payment_index = 3");
  }
  Store fresh(folder.file("p"));
  const auto unread = fresh.store.load(PaymentIndex{3});
  REQUIRE_FALSE(unread);
  CHECK(unread.error().code == Errc::database);
  CHECK(fresh.store.load(PaymentIndex{4}).value());
  const auto page = value_of(fresh.query.page({{}, PaymentIndex{}, true, 4, false}));
  CHECK(page.payments.size() == 3);
  REQUIRE(page.bad_rows.size() == 1);
  CHECK(page.bad_rows[0].index.value == 3);
  CHECK_FALSE(page.bad_rows[0].reason.empty());
  CHECK(page.last.value == 4);
  CHECK(page.more);
  std::size_t seen = 0;
  (void)value_of(fresh.query.each({}, true, false, [&seen](const auto&) { return ++seen > 0; }));
  CHECK(seen == 6);
  bool named = false;
  for (const std::string& problem : value_of(fresh.admin.check()).problems)
    named = named || problem.rfind("payment 3: ", 0) == 0;
  CHECK(named);
  // The other hashes go on.
  fresh.in_flight(20);
}

TEST_CASE("a guard whose preimage does not prove is not believed") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.paid(1);
  db::DeleteRequest request;
  request.hashes = {request_of(1).hash};
  CHECK(value_of(store.admin.remove(request, alice)).deleted == 1);
  CHECK(store.store.find(request_of(1).hash).value().guard->preimage == preimage_of(1));
  damage(folder.file("p"), "UPDATE hash_guards SET preimage = zeroblob(32)");
  CHECK(store.store.find(request_of(1).hash).error().code == Errc::database);
  const auto history = value_of(store.query.history(request_of(1).hash));
  REQUIRE(history);
  CHECK(history->bad_rows.size() == 1);
  CHECK_FALSE(history->guard->preimage);
  CHECK(value_of(store.admin.check()).problems.size() == 1);
}

TEST_CASE("two processes write to one payment: the second is told, and the first's facts stand") {
  const TempFolder folder;
  Store mine(folder.file("p"));
  Store theirs(folder.file("p"));
  Payment payment = mine.in_flight(1);
  Payment copy = loaded(theirs, payment.index);
  theirs.must(copy, {FailAttempt{first_attempt(1), some_failure(), after(9)}});
  CHECK(refused(mine, payment, {CloseAttempt{first_attempt(1), some_failure(), after(10)}}) == Errc::conflict);
  mine.must(payment,
            {SettleAttempt{first_attempt(1), preimage_of(1), after(11)}, Succeed{preimage_of(1), after(11)}});  // R8
  CHECK(loaded(theirs, payment.index).status() == PaymentStatus::succeeded);
}

TEST_CASE("the write lock in other hands: every entry is busy, nothing is stored, and the store goes on") {
  const TempFolder folder;
  Store store(folder.file("p"), db::OpenMode::create, 20 * ns_per_ms);
  db::WriteLock other(folder.file("p"), 0);
  Payment payment;
  payment.request = request_of(1);
  {
    const auto held = other.acquire();
    REQUIRE(held);
    CHECK(refused(store, payment, {InitPayment{}}) == Errc::busy);
  }
  store.must(payment, {InitPayment{}});
}

TEST_CASE("an empty tick is no transaction") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Store other(folder.file("p"));
  const auto before = value_of(other.store.change_counter());
  CHECK(store.store.commit({}).empty());
  CHECK(value_of(other.store.change_counter()) == before);
}

TEST_CASE("the log is kept short while a process writes for long, and emptied at its end") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const auto log_bytes = [&] { return std::filesystem::file_size(folder.file("p-wal")); };
  for (std::uint64_t number = 1; number <= 300; ++number) store.paid(number);
  CHECK(log_bytes() < 6 << 20);
  store.store.checkpoint_if_due();
  CHECK(log_bytes() == 0);
  // A payment is open and the log is short: not yet, because more writes will come.
  store.in_flight(301);
  store.store.checkpoint_if_due();
  CHECK(log_bytes() > 0);
  // A reader is in the way: not now.
  Store reader(folder.file("p"), db::OpenMode::read_only);
  for (std::uint64_t number = 302; number <= 330; ++number) store.paid(number);
  {
    const db::ReadTransaction reading(reader.connection);
    CHECK(reader.connection.database().execAndGet("SELECT count(*) FROM payments").getInt() > 0);
    store.paid(331);
    store.store.checkpoint_if_due();
    CHECK(log_bytes() > 0);
  }
  store.store.checkpoint_if_due();
  CHECK(log_bytes() == 0);
}

TEST_CASE("what an old copy adopts in parts is taken whole, open and settled") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const SwitchKey here{key_of(9), "regtest"};
  std::vector<OwnRow> rows;
  for (const std::uint32_t part : {1U, 2U, 3U}) {
    OwnRow own;
    own.hash = request_of(1).hash;
    own.row.id = AttemptId{7};
    own.row.part = part;
    own.row.label = attempt_label(store.store.store_id(), AttemptId{7});
    own.row.amount = Msat::of(100'000);
    own.row.amount_sent = Msat::of(100'000 + part);
    own.row.destination = key_of(3);
    own.row.state = part == 2 ? RowState::complete : RowState::pending;
    if (part == 2) own.row.preimage = preimage_of(1);
    own.created = after(part);
    rows.push_back(own);
  }
  const AdoptionPlan plan = plan_adoption(rows, {}, store.store.store_id(), here, after(9));
  REQUIRE(plan.adoptions.size() == 1);
  Payment payment = plan.adoptions.front().payment;
  store.must(payment, plan.adoptions.front().writes);
  check_same(payment, loaded(store, payment.index));
  CHECK(payment.status() == PaymentStatus::succeeded);
  CHECK(payment.attempts.size() == 3);
  CHECK(payment.request.demand.fee_limit == Msat::of(6));
  CHECK(payment.request.created == after(1));
  CHECK(value_of(store.store.fetch_in_flight(PaymentIndex{}, 10)) == std::vector<PaymentIndex>{payment.index});
  // Each part ends by its own key.
  store.must(payment, {SettleAttempt{own_key(1, 7, 3), preimage_of(1), after(10)}});
  store.must(payment, {FailAttempt{own_key(1, 7, 1), some_failure(), after(11)}});
  check_same(payment, loaded(store, payment.index));
  CHECK_FALSE(payment.has_open_attempt());
  CHECK(settlement_of(payment)->fee == Msat::of(5));
}
