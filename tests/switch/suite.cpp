// Goal: every kind of switch keeps what the driver relies on. Method: one case for each promise, run in each world; if
// a switch does not promise something (Capabilities, terms), the case checks what it promises instead. The network's
// own ledger decides.
#include "tests/switch/suite.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/hash.h"

TYPE_TO_STRING_AS("scripted", paytower::test::Scripted);
TYPE_TO_STRING_AS("cln over the pipe", paytower::test::ClnPipe);
TYPE_TO_STRING_AS("cln over the socket", paytower::test::ClnSocket);
TYPE_TO_STRING_AS("lnd", paytower::test::Lnd);

// The body of a case is compiled once, for a World.
#define CONTRACT_AS(id, name)                                                      \
  static void id(World& world);                                                    \
  TEST_CASE_TEMPLATE("contract: " name, Kind, Scripted, ClnPipe, ClnSocket, Lnd) { \
    const auto world = open_world<Kind>();                                         \
    id(*world);                                                                    \
  }                                                                                \
  static void id(World& world)
#define CONTRACT(name) CONTRACT_AS(DOCTEST_ANONYMOUS(contract_case_), name)

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::int64_t short_while_ns = 300 * ns_per_ms;

const SwitchRow* own_row(const LookResult& seen, const World& world, const AttemptKey& key) {
  return row_of(seen.rows, world.store(), key);
}

std::size_t own_rows(const LookResult& seen, const World& world) {
  return static_cast<std::size_t>(std::count_if(seen.rows.begin(), seen.rows.end(), [&](const SwitchRow& row) {
    return owner_of(row, world.store()) == RowOwner::own_attempt;
  }));
}

/// A process of ours that is connected and knows who the switch is.
struct Connected {
  explicit Connected(World& world) : talk(world), identity(talk.connect()) {}
  Talk talk;
  IdentityAnswer identity;
};

bool went(Told told) { return told == Told::accepted || told == Told::settled; }

/// Hands over a payment that the payee holds.
Handover hold_one(Talk& talk, const Bill& bill) {
  const Handover order = talk.order(bill);
  REQUIRE(talk.hand_over(order) == Told::accepted);
  return order;
}

void check_paid(const QueryAnswer& end, const PaymentHash& hash) {
  CHECK(end.kind == QueryAnswer::Kind::settled);
  CHECK(proves(end.preimage, hash));
}

/// Checks that the hash can be paid by one new attempt.
void check_payable(World& world, Talk& talk, const Bill& bill) {
  const std::size_t before = world.truth(bill.hash).made();
  const Handover order = talk.order(bill);
  REQUIRE(went(talk.hand_over(order)));
  check_paid(talk.end_of(order.key), bill.hash);
  CHECK(world.truth(bill.hash).made() == before + 1);
  CHECK(world.truth(bill.hash).reached == bill.amount);
}

bool uses(const Route& route, const ChannelDirection& channel) {
  return std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) {
    return hop.channel == channel.channel && hop.direction == channel.direction;
  });
}

/// Checks that questions without a connection are answered with Disconnected, and with nothing else.
void check_unanswered(World& world) {
  const auto events = world.node().poll(world.clock().mono());
  REQUIRE_FALSE(events.empty());
  CHECK(std::all_of(events.begin(), events.end(),
                    [](const SwitchEvent& event) { return std::holds_alternative<Disconnected>(event); }));
}

std::pair<Handover, Handover> two_parts(Talk& talk, const Bill& bill) {
  const AttemptId round = talk.new_id();
  const Msat half = Msat::of(bill.amount.value() / 2);
  Handover first = talk.order(bill, round, 1, half);
  Handover second = talk.order(bill, round, 2, Msat::of(bill.amount.value() - half.value()));
  return {std::move(first), std::move(second)};
}

}  // namespace

// --- who it is ---

CONTRACT("it says who it is, and says it again without asking the node") {
  Talk talk(world);
  const IdentityAnswer first = talk.connect();
  CHECK_FALSE(first.key.network.empty());
  CHECK(world.node().base_height() > 0);
  world.node().identify();
  const auto events = world.node().poll(world.clock().mono());
  REQUIRE(events.size() == 1);
  const auto* again = std::get_if<IdentityAnswer>(&events.front());
  REQUIRE(again != nullptr);
  CHECK(again->key == first.key);
}

CONTRACT("terms bind a hand-over exactly where two copies of it may make two HTLCs") {
  Connected at(world);
  CHECK(world.node().terms().has_value() == !at.identity.capabilities.same_again);
}

CONTRACT("before it has said who it is, questions are answered Disconnected") {
  const Bill bill = world.bill(PayeeWill::takes);
  world.node().look(bill.hash, {});
  check_unanswered(world);
  world.node().ask_route(Talk::question(bill, bill.amount));
  check_unanswered(world);
  world.node().query(AttemptKey{bill.hash, AttemptId{7}, 1});
  check_unanswered(world);
  world.node().list_own(world.store());
  check_unanswered(world);
  world.node().newest_own(StoreTrace{});
  check_unanswered(world);
  (void)Talk(world).connect();
}

CONTRACT("before it has said who it is, a hand-over is not sent, and nothing is fenced") {
  const Bill bill = world.bill(PayeeWill::takes);
  Talk talk(world);
  (void)talk.connect();
  const Handover order = talk.order(bill);
  talk.die();
  world.node().fence(order);
  check_unanswered(world);
  CHECK(talk.hand_over(order) == Told::not_sent);
  (void)talk.connect();
  talk.listen(short_while_ns);
  CHECK(world.truth(bill.hash).made() == 0);
}

// --- looks and routes ---

CONTRACT("a look at a hash that nobody paid is quiet") {
  Connected at(world);
  const LookResult seen = at.talk.look(world.bill(PayeeWill::takes).hash);
  CHECK(seen.rows.empty());
  CHECK(seen.movement != Movement::some);
  CHECK(seen.standing == Blocker::none);
  CHECK_FALSE(seen.restored);
  CHECK_FALSE(seen.doubled);
  CHECK_FALSE(seen.to_release);
}

CONTRACT("a question for a route is answered with its ticket, and keeps what was excluded") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  RouteQuestion asked = Talk::question(bill, bill.amount);
  const RouteAnswer first = at.talk.route(asked);
  REQUIRE(first.routes.size() == 1);
  const Hop& last = first.routes[0].hops.back();
  CHECK(check_route(first.routes[0], asked.demand));
  asked.excluded_channels = {ChannelDirection{last.channel, last.direction}};
  const RouteAnswer second = at.talk.route(asked);
  REQUIRE(second.routes.size() == 1);
  CHECK_FALSE(uses(second.routes[0], asked.excluded_channels[0]));
  CHECK(check_route(second.routes[0], asked.demand));
}

CONTRACT("where there is no route, even without advice, a reason says why") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  RouteQuestion asked = Talk::question(bill, bill.amount);
  asked.advised = false;
  asked.demand.fee_limit = Msat{};
  const RouteAnswer dear = at.talk.route(asked);
  CHECK(dear.routes.empty());
  CHECK_FALSE(dear.advised);
  CHECK(dear.reason == FailureReason::no_route);
  asked = Talk::question(bill, Msat::of(std::uint64_t{1} << 50));
  asked.advised = false;
  const RouteAnswer large = at.talk.route(asked);
  CHECK(large.routes.empty());
  CHECK(large.reason == FailureReason::insufficient_balance);
}

// --- attempts ---

CONTRACT("a hand-over is accepted, or has its end, and its row has our id and part") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  const Handover order = at.talk.order(bill);
  CHECK(went(at.talk.hand_over(order)));
  const LookResult seen = at.talk.look(bill.hash);
  REQUIRE(seen.rows.size() == 1);
  CHECK(owner_of(seen.rows[0], world.store()) == RowOwner::own_attempt);
  CHECK(seen.rows[0].id == order.key.id);
  CHECK(seen.rows[0].part == order.key.part);
  CHECK(world.truth(bill.hash).made() == 1);
}

CONTRACT("a payment that the payee takes is told settled, with the preimage") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  check_payable(world, at.talk, bill);
  const LookResult seen = at.talk.look(bill.hash);
  REQUIRE(seen.rows.size() == 1);
  CHECK(seen.rows[0].state == RowState::complete);
  REQUIRE(seen.rows[0].preimage);
  CHECK(proves(*seen.rows[0].preimage, bill.hash));
}

CONTRACT("a payment that the payee refuses is told failed, with code and source") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::refuses);
  const Handover order = at.talk.order(bill);
  (void)at.talk.hand_over(order);
  const QueryAnswer end = at.talk.end_of(order.key);
  CHECK(end.kind == QueryAnswer::Kind::failed);
  CHECK(end.failure.code == FailureCode::incorrect_or_unknown_payment_details);
  CHECK(end.failure.source_index == order.route.hops.size());
  CHECK(world.truth(bill.hash).failed == 1);
  CHECK(world.truth(bill.hash).reached == Msat{});
  const LookResult seen = at.talk.look(bill.hash);
  const SwitchRow* row = own_row(seen, world, order.key);
  CHECK((row == nullptr || row->state == RowState::failed));
  CHECK(seen.movement != Movement::some);
}

CONTRACT("a held HTLC is pending, and its end is told when it comes") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const Handover order = hold_one(at.talk, bill);
  const LookResult seen = at.talk.look(bill.hash);
  const SwitchRow* row = own_row(seen, world, order.key);
  REQUIRE(row != nullptr);
  CHECK(row->state == RowState::pending);
  CHECK(seen.movement != Movement::none);
  world.node().query(order.key);
  CHECK_FALSE(at.talk.told_end(order.key, short_while_ns));
  world.let_go(bill.hash);
  const auto end = at.talk.told_end(order.key, Talk::patience_ns);
  REQUIRE(end);
  check_paid(*end, bill.hash);
}

CONTRACT("another user's HTLC is shown, and not as ours") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  world.another_user_pays(bill);
  const LookResult held = at.talk.look(bill.hash);
  REQUIRE(held.rows.size() == 1);
  CHECK(owner_of(held.rows[0], world.store()) == RowOwner::other);
  CHECK(held.rows[0].state == RowState::pending);
  CHECK_FALSE(held.to_release);
  world.let_go(bill.hash);
  at.talk.listen(short_while_ns);
  const LookResult paid = at.talk.look(bill.hash);
  REQUIRE(paid.rows.size() == 1);
  CHECK(owner_of(paid.rows[0], world.store()) == RowOwner::other);
  CHECK(paid.rows[0].state == RowState::complete);
}

CONTRACT("the parts of one round are shown each, and pay together") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const auto [first, second] = two_parts(at.talk, bill);
  REQUIRE(at.talk.hand_over(first) == Told::accepted);
  REQUIRE(at.talk.hand_over(second) == Told::accepted);
  const LookResult seen = at.talk.look(bill.hash);
  CHECK(own_row(seen, world, first.key) != nullptr);
  CHECK(own_row(seen, world, second.key) != nullptr);
  CHECK(seen.rows.size() == 2);
  CHECK(world.truth(bill.hash).under_way == 2);
  world.let_go(bill.hash);
  check_paid(at.talk.end_of(first.key), bill.hash);
  check_paid(at.talk.end_of(second.key), bill.hash);
  CHECK(world.truth(bill.hash).settled == 2);
  CHECK(world.truth(bill.hash).reached == bill.amount);
}

CONTRACT("a part that failed beside an open one is replaced in the same round") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  const auto [first, second] = two_parts(at.talk, bill);
  REQUIRE(went(at.talk.hand_over(first)));  // the payee waits for the rest
  world.fail_next_htlc();
  (void)at.talk.look(bill.hash);
  (void)at.talk.hand_over(second);
  const QueryAnswer end = at.talk.end_of(second.key);
  CHECK(end.failure.code == FailureCode::temporary_channel_failure);
  CHECK(end.failure.source_index == 1);
  CHECK(at.talk.look(bill.hash).takes_parts);
  const Handover third = at.talk.order(bill, first.key.id, 3, second.route.delivered());
  REQUIRE(went(at.talk.hand_over(third)));
  check_paid(at.talk.end_of(first.key), bill.hash);
  check_paid(at.talk.end_of(third.key), bill.hash);
  CHECK(world.truth(bill.hash).reached == bill.amount);
}

// --- copies, lost answers, fences ---

CONTRACT("two equal hand-overs make one HTLC, or none is made behind its time") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const Handover order = at.talk.order(bill);
  if (!at.identity.capabilities.same_again) {
    REQUIRE(order.dies_at);
    world.outlive_handovers();
    CHECK_FALSE(went(at.talk.hand_over(order)));
    CHECK(world.truth(bill.hash).made() == 0);
    return;
  }
  REQUIRE(at.talk.hand_over(order) == Told::accepted);
  CHECK(at.talk.hand_over(order) == Told::accepted);
  CHECK(world.truth(bill.hash).made() == 1);
  CHECK(at.talk.look(bill.hash).rows.size() == 1);
  CHECK_FALSE(at.talk.look(bill.hash).doubled);
}

CONTRACT("a hand-over whose answer is lost is not told as not sent") {
  world.lose_next_answer();
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  const Handover order = at.talk.order(bill);
  const Told told = at.talk.hand_over(order);
  CHECK(told != Told::not_sent);
  CHECK(told != Told::failed);
  at.talk.listen(short_while_ns);
  CHECK(world.truth(bill.hash).made() == 1);
  const LookResult seen = at.talk.look(bill.hash);
  CHECK(own_row(seen, world, order.key) != nullptr);
  check_paid(at.talk.end_of(order.key), bill.hash);
}

CONTRACT("a fenced attempt makes no HTLC, and another one can be paid") {
  world.hold_next_handover();
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::takes);
  const Handover order = at.talk.order(bill);
  CHECK(at.talk.hand_over(order, short_while_ns) == Told::nothing);
  CHECK(world.truth(bill.hash).made() == 0);
  at.talk.die();
  (void)at.talk.connect();
  world.outlive_handovers();
  CHECK(at.talk.fence(order) == FenceAnswer::Kind::fenced);
  world.execute_held();
  CHECK(world.truth(bill.hash).made() == 0);
  if (at.talk.look(bill.hash).to_release) at.talk.release(bill.hash);
  const LookResult seen = at.talk.look(bill.hash);
  CHECK_FALSE(seen.to_release);
  CHECK(seen.standing == Blocker::none);
  CHECK(own_rows(seen, world) == 0);
  check_payable(world, at.talk, bill);
}

CONTRACT("an attempt that is under way is not fenced") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const Handover order = hold_one(at.talk, bill);
  world.outlive_handovers();
  CHECK(at.talk.fence(order) == FenceAnswer::Kind::look);
  CHECK(world.truth(bill.hash).under_way == 1);
  const LookResult seen = at.talk.look(bill.hash);
  CHECK(own_row(seen, world, order.key) != nullptr);
  CHECK_FALSE(seen.to_release);
  world.let_go(bill.hash);
  check_paid(at.talk.end_of(order.key), bill.hash);
}

// --- what a store has at the switch ---

CONTRACT("the rows of a store are told, and nobody else's") {
  Connected at(world);
  CHECK(at.talk.own_rows().empty());
  const Bill foreign = world.bill(PayeeWill::holds);
  world.another_user_pays(foreign);
  const Bill bill = world.bill(PayeeWill::takes), held = world.bill(PayeeWill::holds);
  check_payable(world, at.talk, bill);
  const Handover open = hold_one(at.talk, held);
  const auto rows = at.talk.own_rows();
  REQUIRE(rows.size() == 2);
  for (const OwnRow& own : rows) {
    const bool is_open = own.hash == held.hash;
    CHECK((is_open || own.hash == bill.hash));
    CHECK(own.row.state == (is_open ? RowState::pending : RowState::complete));
    if (is_open) CHECK(own.row.id == open.key.id);
  }
  world.let_go(foreign.hash);
  world.let_go(held.hash);
}

CONTRACT("the newest attempt of a store is told, also to another process") {
  Connected at(world);
  CHECK(at.talk.newest_ids().empty());
  check_payable(world, at.talk, world.bill(PayeeWill::takes));
  const Handover newest = hold_one(at.talk, world.bill(PayeeWill::holds));
  world.another_user_pays(world.bill(PayeeWill::holds));
  at.talk.die();
  (void)at.talk.connect();
  const auto ids = at.talk.newest_ids();
  CHECK(std::find(ids.begin(), ids.end(), newest.key.id) != ids.end());
}

// --- time and restarts ---

CONTRACT("waiting ends when it shall") {
  Connected at(world);
  const MonoNs begun = world.clock().mono();
  CHECK(world.node().poll(MonoNs{begun.value + short_while_ns}).empty());
  CHECK(world.clock().mono().value >= begun.value + short_while_ns);
  CHECK(world.clock().mono().value < begun.value + 10 * short_while_ns);
}

CONTRACT("a killed node comes back with what it had, and nothing is told in contradiction") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const Handover order = hold_one(at.talk, bill);
  world.node().query(order.key);
  at.talk.listen(short_while_ns);
  world.restart_node();
  CHECK(at.talk.hears_of(order.key));
  const LookResult seen = at.talk.look(bill.hash);
  const SwitchRow* row = own_row(seen, world, order.key);
  REQUIRE(row != nullptr);
  CHECK(row->state == RowState::pending);
  CHECK(at.talk.connect().key == at.identity.key);
  world.let_go(bill.hash);
  check_paid(at.talk.end_of(order.key), bill.hash);
  CHECK(world.truth(bill.hash).made() == 1);
}

CONTRACT("another process of ours finds what the first one handed over") {
  Connected at(world);
  const Bill bill = world.bill(PayeeWill::holds);
  const Handover order = hold_one(at.talk, bill);
  at.talk.die();
  (void)at.talk.connect();
  const LookResult seen = at.talk.look(bill.hash);
  REQUIRE(own_row(seen, world, order.key) != nullptr);
  CHECK(own_rows(seen, world) == 1);
  world.node().query(order.key);
  world.let_go(bill.hash);
  const auto end = at.talk.told_end(order.key, Talk::patience_ns);
  REQUIRE(end);
  check_paid(*end, bill.hash);
}
