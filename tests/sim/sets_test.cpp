// Goal: a payee holds the parts of a payment as Core Lightning does: until their sum reaches the total, and no longer
// than a minute after the first; and it counts only what reaches it. Method: the small network, one set of parts in
// each case; what really happened is read from the ledger, which also shows an overpayment.
#include "tests/sim/world.h"

#include "core/sim/forwarding.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;
using Dispatched = DispatchAnswer::Kind;
using Queried = QueryAnswer::Kind;

namespace {

constexpr std::uint64_t whole = 100'000 * sat;

Handover part(World& world, const MadeInvoice& made, std::uint32_t number, std::uint64_t msat,
              std::uint64_t total = whole) {
  Handover given = world.handover(made, 1, msat);
  given.key.part = number;
  given.amount = Msat::of(total);
  return given;
}

/// How much has settled, over all parts.
std::uint64_t received(World& world, const PaymentHash& hash) {
  std::uint64_t sum = 0;
  for (const OracleEntry& entry : world.oracle(hash))
    sum += entry.state == OracleState::settled ? entry.amount.value() : 0;
  return sum;
}

std::int64_t ended(World& world, const PaymentHash& hash, std::uint32_t number) {
  for (const OracleEntry& entry : world.oracle(hash)) {
    if (entry.part == number && entry.resolved) return entry.resolved->value;
  }
  return 0;
}

/// The node forgets the row, as an operator can make it, so that it allows what it would otherwise refuse.
void forget(World& world, const PaymentHash& hash, std::uint32_t number) {
  world.ledger().write([&](LedgerTx& tx) {
    tx.remove_row(tx.row(AttemptKey{hash, AttemptId{1}, number})->created_index);
  });
}

}  // namespace

TEST_CASE("sets: three parts settle together, each at its own moment, within 40 ms") {
  World world;
  const auto made = world.invoice();
  for (std::uint32_t number = 1; number <= 3; ++number) {
    CHECK(received(world, made.hash) == 0);
    REQUIRE(world.dispatch(part(world, made, number, number == 3 ? whole / 2 : whole / 4)).kind ==
            Dispatched::accepted);
    if (number < 3) world.clock().pass(10 * ns_per_second);
  }
  world.clock().pass(ns_per_second);
  CHECK(received(world, made.hash) == whole);
  const std::int64_t first = ended(world, made.hash, 3);
  CHECK(ended(world, made.hash, 1) == first + answer_gap_ns);
  CHECK(ended(world, made.hash, 2) == first + 2 * answer_gap_ns);
  const cln::NodeLists look = world.look(made.hash);
  REQUIRE(look.rows.size() == 3);
  for (const SwitchRow& row : look.rows) CHECK(row.state == RowState::complete);
  CHECK(look.debits->size() == 3);
}

TEST_CASE("sets: the payee checks the total and not the sum, so that too much can be paid") {
  World world;
  const auto made = world.invoice();
  SUBCASE("99,999 and 100,000 of 100,000") {
    REQUIRE(world.dispatch(part(world, made, 1, whole - 1'000)).kind == Dispatched::accepted);
    REQUIRE(world.dispatch(part(world, made, 2, whole)).kind == Dispatched::accepted);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == 2 * whole - 1'000);
  }
  SUBCASE("a total of twice the amount") {
    REQUIRE(world.dispatch(part(world, made, 1, whole, 2 * whole)).kind == Dispatched::accepted);
    REQUIRE(world.dispatch(part(world, made, 2, whole, 2 * whole)).kind == Dispatched::accepted);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == 2 * whole);
  }
  SUBCASE("a total above twice the amount, or below it") {
    for (const std::uint64_t total : {2 * whole + 1, whole - 1}) {
      const Handover given = part(world, made, total > whole ? 1 : 2, whole / 2, total);
      CHECK(world.pay(given).failure.code == FailureCode::incorrect_or_unknown_payment_details);
    }
    CHECK(received(world, made.hash) == 0);
  }
  SUBCASE("the sum is enough for the invoice, and not for the total") {
    REQUIRE(world.dispatch(part(world, made, 1, whole, whole + 1)).kind == Dispatched::accepted);
    world.clock().pass(59 * ns_per_second);
    CHECK(received(world, made.hash) == 0);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  }
}

TEST_CASE("sets: the time-out runs from the first part, whatever comes behind it") {
  World world;
  const auto made = world.invoice();
  const Handover first = part(world, made, 1, whole / 4);
  const Handover second = part(world, made, 2, whole / 4);
  const std::int64_t start = world.admin().now().value;
  REQUIRE(world.dispatch(first).kind == Dispatched::accepted);
  world.clock().pass(50 * ns_per_second);
  REQUIRE(world.dispatch(second).kind == Dispatched::accepted);
  world.clock().pass(9 * ns_per_second);
  CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  world.clock().pass(2 * ns_per_second);
  for (const Handover& given : {first, second}) {
    const QueryAnswer answer = world.query(given.key);
    CHECK(answer.kind == Queried::failed);
    CHECK(answer.failure.code == FailureCode::mpp_timeout);
    CHECK(answer.failure.source_index == 3u);
  }
  CHECK(ended(world, made.hash, 1) == start + incomplete_set_ns);
  CHECK(ended(world, made.hash, 2) == start + incomplete_set_ns + answer_gap_ns);
  for (const ShortChannelId id : {chan_a, chan_b, chan_c}) CHECK(world.under_way(id) == 0);
  // The next set starts from zero.
  REQUIRE(world.dispatch(part(world, made, 3, whole)).kind == Dispatched::accepted);
  world.clock().pass(ns_per_second);
  CHECK(received(world, made.hash) == whole);
}

TEST_CASE("sets: many parts time out within 40 ms, and none of them after that") {
  World world;
  const auto made = world.invoice();
  for (std::uint32_t number = 1; number <= 25; ++number)
    REQUIRE(world.dispatch(part(world, made, number, 10'000)).kind == Dispatched::accepted);
  world.clock().pass(62 * ns_per_second);
  const std::int64_t first = ended(world, made.hash, 1);
  CHECK(ended(world, made.hash, 25) - first == answers_span_ns);
  CHECK(world.count(OracleState::failed) == 25);
}

TEST_CASE("sets: a part that comes while its set times out is a set of its own") {
  World world;
  const auto made = world.invoice();
  REQUIRE(world.dispatch(part(world, made, 1, whole / 2)).kind == Dispatched::accepted);
  REQUIRE(world.dispatch(part(world, made, 2, whole / 4)).kind == Dispatched::accepted);
  const std::int64_t to_deadline =
      world.oracle(made.hash)[0].created.value + incomplete_set_ns - world.admin().now().value;
  world.clock().pass(to_deadline + answer_gap_ns / 2);
  world.admin().advance();
  CHECK(world.count(OracleState::failed) == 1);
  REQUIRE(world.dispatch(part(world, made, 3, whole / 2)).kind == Dispatched::accepted);
  world.clock().pass(ns_per_second);
  CHECK(world.count(OracleState::failed) == 2);
  CHECK(received(world, made.hash) == 0);
}

TEST_CASE("sets: a payee that starts again waits a whole minute more") {
  World world;
  const auto made = world.invoice();
  REQUIRE(world.dispatch(part(world, made, 1, whole / 2)).kind == Dispatched::accepted);
  world.clock().pass(50 * ns_per_second);
  world.fault(FaultKind::restart_payee, "listsendpays");
  CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  world.clock().pass(59 * ns_per_second);
  CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  world.clock().pass(2 * ns_per_second);
  CHECK(world.look(made.hash).rows[0].state == RowState::failed);
}

TEST_CASE("sets: parts that say different totals fail, with all that wait") {
  World world;
  const auto made = world.invoice();
  const Handover first = part(world, made, 1, whole / 2);
  REQUIRE(world.dispatch(first).kind == Dispatched::accepted);
  forget(world, made.hash, 1);
  const Handover other = part(world, made, 2, whole / 2, whole + 1);
  CHECK(world.pay(other).failure.code == FailureCode::final_incorrect_htlc_amount);
  world.clock().pass(ns_per_second);
  CHECK(world.count(OracleState::failed) == 2);
  CHECK(world.under_way(chan_a) == 0);
}

TEST_CASE("sets: a part that comes late gets 0x400f, from an honest payee") {
  World world;
  SUBCASE("after the set has settled") {
    const auto made = world.invoice();
    REQUIRE(world.dispatch(part(world, made, 1, whole)).kind == Dispatched::accepted);
    world.clock().pass(ns_per_second);
    forget(world, made.hash, 1);
    CHECK(world.pay(part(world, made, 2, whole / 2)).failure.code == FailureCode::incorrect_or_unknown_payment_details);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("while the payee holds the whole set") {
    const auto made = world.invoice(whole, Hold{Hold::forever});
    REQUIRE(world.dispatch(part(world, made, 1, whole)).kind == Dispatched::accepted);
    forget(world, made.hash, 1);
    CHECK(world.pay(part(world, made, 2, whole / 2)).failure.code == FailureCode::incorrect_or_unknown_payment_details);
    REQUIRE(world.admin().release(made.hash, std::nullopt).value() == 1);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("a greedy one takes it at once") {
    const auto made = world.invoice(whole, {}, nullptr, PayeeBehaviour::settles_twice);
    REQUIRE(world.dispatch(part(world, made, 1, whole)).kind == Dispatched::accepted);
    world.clock().pass(ns_per_second);
    forget(world, made.hash, 1);
    CHECK(world.pay(part(world, made, 2, whole / 2)).kind == Queried::settled);
    CHECK(received(world, made.hash) == whole + whole / 2);
  }
}

TEST_CASE("sets: a held set is released part by part, or fails so") {
  World world;
  const auto made = world.invoice(whole, Hold{Hold::forever});
  const Handover first = part(world, made, 1, whole / 2);
  const Handover second = part(world, made, 2, whole / 2);
  REQUIRE(world.dispatch(first).kind == Dispatched::accepted);
  REQUIRE(world.dispatch(second).kind == Dispatched::accepted);
  world.clock().pass(3'600 * ns_per_second);
  CHECK(world.look(made.hash).rows[0].state == RowState::pending);
  SUBCASE("settled") {
    CHECK(world.admin().release(made.hash, std::nullopt).value() == 2);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == whole);
    CHECK(ended(world, made.hash, 2) == ended(world, made.hash, 1) + answer_gap_ns);
  }
  SUBCASE("failed") {
    CHECK(world.admin().release(made.hash, 0x2002).value() == 2);
    world.clock().pass(ns_per_second);
    CHECK(world.query(second.key).failure.code == FailureCode::temporary_node_failure);
    CHECK(world.count(OracleState::failed) == 2);
  }
}

TEST_CASE("sets: one part of several fails, stalls, is lost or an orphan; the others go on") {
  World world;
  const auto made = world.invoice();
  const auto spoil = [&world](const char* spec) {
    Faults parsed = *Faults::parse(spec);
    world.faults() = parsed;
  };
  const auto send = [&](std::uint32_t number, std::uint64_t msat) {
    REQUIRE(world.dispatch(part(world, made, number, msat)).kind == Dispatched::accepted);
  };
  const auto key = [&](std::uint32_t number) { return AttemptKey{made.hash, AttemptId{1}, number}; };
  SUBCASE("it fails where it is told, and another takes its place") {
    spoil("fail=TEMPORARY_CHANNEL_FAILURE@1@sendpay#2");
    send(1, whole / 2);
    send(2, whole / 2);
    const QueryAnswer answer = world.query(key(2));
    CHECK(answer.failure.code == FailureCode::temporary_channel_failure);
    CHECK(answer.failure.source_index == 1u);
    send(3, whole / 2);
    CHECK(world.query(key(1)).kind == Queried::settled);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("one has settled while the other's end is still on its way") {
    spoil("stall=30s@sendpay#1");
    send(1, whole / 2);
    send(2, whole / 2);
    CHECK(world.query(key(2)).kind == Queried::settled);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    world.clock().pass(29 * ns_per_second);
    CHECK(received(world, made.hash) == whole / 2);
    world.clock().pass(2 * ns_per_second);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("the one that completes the set stalls for ever, until it is released") {
    spoil("stall=forever@sendpay#2");
    send(1, whole / 2);
    send(2, whole / 2);
    world.clock().pass(3'600 * ns_per_second);
    CHECK(received(world, made.hash) == whole / 2);
    CHECK(world.admin().release(made.hash, std::nullopt).value() == 1);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("one that stalls when the payee has settled can no longer fail") {
    spoil("stall=forever@sendpay#2");
    send(1, whole / 2);
    send(2, whole / 2);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == whole / 2);
    CHECK(world.admin().release(made.hash, 0x2002).error().code == Errc::already_paid);
    CHECK(world.admin().release(made.hash, std::nullopt).value() == 1);
    world.clock().pass(ns_per_second);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("a stalled part of a set that is not complete fails with it, and is heard of later") {
    spoil("stall=30s@sendpay#1");
    send(1, whole / 2);
    send(2, whole / 4);
    world.clock().pass(61 * ns_per_second);
    CHECK(world.query(key(2)).failure.code == FailureCode::mpp_timeout);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    world.clock().pass(30 * ns_per_second);
    CHECK(world.query(key(1)).failure.code == FailureCode::mpp_timeout);
  }
  SUBCASE("its row is lost, and no other's") {
    spoil("lose-result@end#2");
    send(1, whole / 2);
    send(2, whole / 2);
    world.clock().pass(ns_per_second);
    const cln::NodeLists look = world.look(made.hash);
    REQUIRE(look.rows.size() == 1);
    CHECK(look.rows[0].part == 1);
    CHECK(look.debits->size() == 2);
  }
  SUBCASE("it is an orphan, which says the total and the amount sent; a part for all that is missing pays") {
    spoil("orphan@sendpay#3");
    send(1, whole / 4);
    send(2, whole / 4);
    send(3, whole / 2);
    world.clock().pass(62 * ns_per_second);
    CHECK(world.query(key(1)).failure.code == FailureCode::mpp_timeout);
    const cln::NodeLists look = world.look(made.hash);
    REQUIRE(look.rows.size() == 3);
    CHECK(look.rows[2].state == RowState::pending);
    CHECK(look.htlcs->size() == 2);
    send(4, whole);
    CHECK(world.query(key(4)).kind == Queried::settled);
    CHECK(received(world, made.hash) == whole);
  }
  SUBCASE("it is handed over and never read") {
    spoil("ignore@sendpay#2");
    send(1, whole / 2);
    world.node().dispatch(part(world, made, 2, whole / 2));
    CHECK(world.poll(ns_per_second).empty());
    CHECK(world.oracle(made.hash).size() == 1);
  }
}
