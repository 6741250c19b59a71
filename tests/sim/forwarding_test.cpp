// Goal: on its way an HTLC meets what BOLT 4 says, and money moves as it would. Method: a network of five nodes whose
// fees and delays are computed by hand; one broken thing in each case.
#include "tests/sim/world.h"

#include "core/base/hash.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

TEST_CASE("fees and delays along a route, by hand") {
  World world;
  const auto made = world.invoice();
  const auto answer = world.route(world.question(made));
  CHECK(answer.ticket == 77);
  REQUIRE(!answer.routes.empty());
  const auto& hops = answer.routes[0].hops;
  REQUIRE(hops.size() == 3);
  // n3 gets 100,000,000 msat with 18 blocks. n2 wants 500 + 100,000,000 * 1000 / 1e6 = 100,500 and 30 blocks.
  // n1 wants 1000 + 100,100,500 * 100 / 1e6 = 1000 + 10,010.05 = 11,010 and 40 blocks.
  CHECK(hops[2].channel == chan_c);
  CHECK(hops[2].amount == Msat::of(100'000'000));
  CHECK(hops[2].delay == 18);
  CHECK(hops[1].channel == chan_b);
  CHECK(hops[1].amount == Msat::of(100'100'500));
  CHECK(hops[1].delay == 48);
  CHECK(hops[0].channel == chan_a);
  CHECK(hops[0].amount == Msat::of(100'111'510));
  CHECK(hops[0].delay == 88);
  CHECK(hops[0].node == key_of(1));
  CHECK(hops[2].node == key_of(3));
  CHECK(answer.routes[0].fees() == Msat::of(111'510));
}

TEST_CASE("a forwarding fee rounds down and knows its limits") {
  CHECK(forwarding_fee(ForwardingPolicy{0, 999'999, 1}, Msat::of(1)) == Msat::of(0));
  CHECK(forwarding_fee(ForwardingPolicy{7, 1, 1}, Msat::of(1'999'999)) == Msat::of(8));
  CHECK(forwarding_fee(ForwardingPolicy{0, 1'000'000, 1}, Msat::of(Msat::max_value)) == Msat::of(Msat::max_value));
  CHECK_FALSE(forwarding_fee(ForwardingPolicy{1, 1'000'000, 1}, Msat::of(Msat::max_value)).has_value());
  CHECK_FALSE(forwarding_fee(ForwardingPolicy{0, 0xFFFFFFFF, 1}, Msat::of(Msat::max_value)).has_value());
  const auto before = carried_before(ForwardingPolicy{1'000, 100, 40}, Carried{Msat::of(100'100'500), 48});
  REQUIRE(before.has_value());
  CHECK(before->amount == Msat::of(100'111'510));
  CHECK(before->delay == 88);
  CHECK_FALSE(carried_before(ForwardingPolicy{1, 0, 0}, Carried{Msat::of(Msat::max_value), 0}).has_value());
}

TEST_CASE("a settled HTLC moves the money over every channel, fees included") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  const std::uint64_t n1_before = world.balance(chan_a, 1) + world.balance(chan_b, 1);
  REQUIRE(world.dispatch(given).kind == DispatchAnswer::Kind::accepted);
  CHECK(world.under_way(chan_a) == 100'111'510);
  CHECK(world.under_way(chan_b) == 100'100'500);
  CHECK(world.under_way(chan_c) == 100'000'000);
  const QueryAnswer answer = world.query(given.key);
  REQUIRE(answer.kind == QueryAnswer::Kind::settled);
  CHECK(proves(answer.preimage, made.hash));
  for (const ShortChannelId id : {chan_a, chan_b, chan_c}) CHECK(world.under_way(id) == 0);
  CHECK(world.balance(chan_a, 0) == 800'000 * sat - 100'111'510);
  CHECK(world.balance(chan_c, 3) == 500'000 * sat + 100'000'000);
  CHECK(world.balance(chan_a, 1) + world.balance(chan_b, 1) == n1_before + 11'010);
}

TEST_CASE("a failed HTLC gives every channel its money back") {
  World world;
  const auto made = world.invoice(100'000 * sat, {}, "TEMPORARY_NODE_FAILURE@2");
  const Handover given = world.handover(made, 1);
  REQUIRE(world.dispatch(given).kind == DispatchAnswer::Kind::accepted);
  CHECK(world.under_way(chan_b) == 100'100'500);
  CHECK(world.under_way(chan_c) == 0);
  const QueryAnswer answer = world.query(given.key);
  REQUIRE(answer.kind == QueryAnswer::Kind::failed);
  CHECK(answer.failure.code == FailureCode::temporary_node_failure);
  CHECK(answer.failure.source_index == 2u);
  CHECK(world.balance(chan_a, 0) == 800'000 * sat);
  CHECK(world.balance(chan_b, 1) == 500'000 * sat);
}

namespace {

/// The failure of one hand-over; its HTLC must have left.
Failure failure_of(World& world, const Handover& given) {
  const QueryAnswer answer = world.pay(given);
  REQUIRE(answer.kind == QueryAnswer::Kind::failed);
  for (const ShortChannelId id : {chan_a, chan_b, chan_c}) CHECK(world.under_way(id) == 0);
  return answer.failure;
}

void check_failure(World& world, const Failure& failure, FailureCode code, std::uint32_t source, ShortChannelId channel,
                   NodeIndex from) {
  CHECK(failure_name(failure.code) == failure_name(code));
  CHECK(failure.source_index == source);
  CHECK(failure.channel == world.direction(channel, from));
  CHECK(failure.node == key_of(source));
}

}  // namespace

TEST_CASE("forwarding nodes say what BOLT 4 says, from the right hop, about the channel that they would use") {
  World world;
  const auto made = world.invoice();
  Handover given = world.handover(made, 1);
  auto& hops = given.route.hops;
  const auto change = [&](ShortChannelId id, NodeIndex from, auto edit) {
    Policy now = world.policy_of(id, from);
    edit(now);
    REQUIRE(world.admin().set_policy(world.direction(id, from), now));
  };

  SUBCASE("disabled") {
    change(chan_c, 2, [](Policy& p) { p.disabled = true; });
    check_failure(world, failure_of(world, given), FailureCode::channel_disabled, 2, chan_c, 2);
  }
  SUBCASE("below the minimum") {
    change(chan_b, 1, [](Policy& p) { p.htlc_min = Msat::of(100'100'501); });
    check_failure(world, failure_of(world, given), FailureCode::amount_below_minimum, 1, chan_b, 1);
  }
  SUBCASE("at the minimum passes") {
    change(chan_b, 1, [](Policy& p) { p.htlc_min = Msat::of(100'100'500); });
    CHECK(world.pay(given).kind == QueryAnswer::Kind::settled);
  }
  SUBCASE("above the maximum") {
    change(chan_c, 2, [](Policy& p) { p.htlc_max = Msat::of(99'999'999); });
    check_failure(world, failure_of(world, given), FailureCode::temporary_channel_failure, 2, chan_c, 2);
  }
  SUBCASE("one millisatoshi of fee too little") {
    change(chan_b, 1, [](Policy& p) { p.fee_base_msat += 1; });
    check_failure(world, failure_of(world, given), FailureCode::fee_insufficient, 1, chan_b, 1);
  }
  SUBCASE("one block too little") {
    change(chan_c, 2, [](Policy& p) { p.cltv_delta += 1; });
    check_failure(world, failure_of(world, given), FailureCode::incorrect_cltv_expiry, 2, chan_c, 2);
  }
  SUBCASE("no balance on its side") {
    const Channel channel = *world.admin().channel(chan_c);
    const bool n2_first = channel.nodes[0] == 2;
    REQUIRE(world.admin().set_balance(chan_c, Msat::of(n2_first ? 99'999'999 : capacity - 99'999'999)));
    check_failure(world, failure_of(world, given), FailureCode::temporary_channel_failure, 2, chan_c, 2);
  }
  SUBCASE("exactly its balance passes") {
    const Channel channel = *world.admin().channel(chan_c);
    const bool n2_first = channel.nodes[0] == 2;
    REQUIRE(world.admin().set_balance(chan_c, Msat::of(n2_first ? 100'000'000 : capacity - 100'000'000)));
    CHECK(world.pay(given).kind == QueryAnswer::Kind::settled);
    CHECK(world.balance(chan_c, 2) == 0);
  }
  SUBCASE("unknown channel") {
    hops[2].channel = scid(99);
    const Failure failure = failure_of(world, given);
    CHECK(failure.code == FailureCode::unknown_next_peer);
    CHECK(failure.source_index == 2u);
  }
  SUBCASE("channel of other nodes") {
    hops[1].channel = chan_e;
    hops[1].direction = world.direction(chan_e, 4).direction;
    const Failure failure = failure_of(world, given);
    CHECK(failure.code == FailureCode::unknown_next_peer);
    CHECK(failure.source_index == 1u);
  }
  SUBCASE("onion for another node") {
    hops[1].node = key_of(4);
    const Failure failure = failure_of(world, given);
    CHECK(failure.code == FailureCode::invalid_onion_hmac);
    CHECK(failure.source_index == 1u);
  }
  SUBCASE("too soon") {
    hops[2].delay = 2;
    check_failure(world, failure_of(world, given), FailureCode::expiry_too_soon, 2, chan_c, 2);
  }
  SUBCASE("too far") {
    for (auto& hop : hops) hop.delay += 2'000;
    check_failure(world, failure_of(world, given), FailureCode::expiry_too_far, 1, chan_b, 1);
  }
  CHECK(world.oracle().size() == 1);
}

TEST_CASE("the payee says no more than incorrect_or_unknown_payment_details") {
  World world;
  const auto made = world.invoice();
  Handover given = world.handover(made, 1);
  SUBCASE("unknown hash") { given.key.hash.bytes[0] = static_cast<std::uint8_t>(given.key.hash.bytes[0] ^ 1U); }
  SUBCASE("wrong secret") {
    given.payment_secret->bytes[0] = static_cast<std::uint8_t>(given.payment_secret->bytes[0] ^ 1U);
  }
  SUBCASE("no secret") { given.payment_secret.reset(); }
  SUBCASE("too little time") { given.route.hops[2].delay = 17; }
  SUBCASE("one millisatoshi too little") { given = world.handover(made, 1, 100'000 * sat - 1); }
  SUBCASE("more than twice the amount") { given = world.handover(made, 1, 200'000 * sat + 1); }
  SUBCASE("expired") { world.clock().pass(default_invoice_expiry_ns); }
  check_failure(world, failure_of(world, given), FailureCode::incorrect_or_unknown_payment_details, 3, chan_c, 2);
}

TEST_CASE("amounts up to twice what was asked for, and any amount where none was asked for") {
  World world;
  const auto made = world.invoice();
  CHECK(world.pay(world.handover(made, 1, 200'000 * sat)).kind == QueryAnswer::Kind::settled);
  const auto any = world.invoice(0);
  CHECK(world.pay(world.handover(any, 1, 12'345)).kind == QueryAnswer::Kind::settled);
}

TEST_CASE("an invoice is good until its last nanosecond") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  world.clock().pass(default_invoice_expiry_ns - 1);
  CHECK(world.pay(given).kind == QueryAnswer::Kind::settled);
}

TEST_CASE("a paid invoice is not paid again, unless the payee is greedy") {
  World world;
  const auto made = world.invoice();
  const Handover given = world.handover(made, 1);
  REQUIRE(world.pay(given).kind == QueryAnswer::Kind::settled);
  Erasure erasure;
  erasure.hash = made.hash;
  REQUIRE(world.admin().erase(erasure) == 1);
  SUBCASE("honest") {
    const QueryAnswer again = world.pay(given);
    CHECK(again.kind == QueryAnswer::Kind::failed);
    CHECK(world.count(OracleState::settled) == 1);
  }
  SUBCASE("greedy") {
    REQUIRE(world.admin().set_behaviour(made.hash, PayeeBehaviour::settles_twice));
    CHECK(world.pay(given).kind == QueryAnswer::Kind::settled);
    CHECK(world.count(OracleState::settled) == 2);
  }
}

TEST_CASE("--fail strikes where, how often and with what it says") {
  World world;
  SUBCASE("the payee, twice") {
    const auto made = world.invoice(100'000 * sat, {}, "MPP_TIMEOUTx2");
    for (std::uint64_t id = 1; id <= 2; ++id) {
      const QueryAnswer answer = world.pay(world.handover(made, id));
      CHECK(answer.failure.code == FailureCode::mpp_timeout);
      CHECK(answer.failure.source_index == 3u);
    }
    CHECK(world.pay(world.handover(made, 3)).kind == QueryAnswer::Kind::settled);
  }
  SUBCASE("a hop beyond the payee is the payee") {
    const auto made = world.invoice(100'000 * sat, {}, "0x2002@9");
    const Failure failure = failure_of(world, world.handover(made, 1));
    CHECK(failure.code == FailureCode::temporary_node_failure);
    CHECK(failure.source_index == 3u);
  }
  SUBCASE("our own node") {
    const auto made = world.invoice(100'000 * sat, {}, "PERMANENT_CHANNEL_FAILURE@0");
    const Failure failure = failure_of(world, world.handover(made, 1));
    CHECK(failure.source_index == 0u);
    CHECK(failure.channel == world.direction(chan_a, 0));
    CHECK(failure.node == key_of(0));
  }
  SUBCASE("a code that nobody knows") {
    const auto made = world.invoice(100'000 * sat, {}, "4242");
    const Failure failure = failure_of(world, world.handover(made, 1));
    CHECK(failure.code == FailureCode::unknown_code);
    CHECK(failure.message.find("4242") != std::string::npos);
  }
}

TEST_CASE("the words of --fail") {
  CHECK(parse_fail_spec("temporary_channel_failure@2x1").value() == FailSpec{0x1007, 2, 1});
  CHECK(parse_fail_spec("EXPIRY_TOO_FAR").value() == FailSpec{21, std::nullopt, std::nullopt});
  CHECK(parse_fail_spec("0x400f").value() == FailSpec{0x400F, std::nullopt, std::nullopt});
  CHECK(parse_fail_spec("0x400Fx3").value() == FailSpec{0x400F, std::nullopt, 3});
  CHECK(parse_fail_spec("16399@1").value() == FailSpec{16'399, 1, std::nullopt});
  for (const char* wrong : {"", "@1", "x2", "NO_SUCH_CODE", "FENCED", "65536", "-1", "15@", "15@-1", "15@1x", "15@ 1",
                            "15x99999999999", "0x", "15@1@"}) {
    CAPTURE(wrong);
    CHECK_FALSE(static_cast<bool>(parse_fail_spec(wrong)));
  }
}

TEST_CASE("parts wait at the payee for each other") {
  World world;
  const auto made = world.invoice();
  Handover first = world.handover(made, 1, 60'000 * sat);
  Handover second = world.handover(made, 1, 40'000 * sat);
  first.amount = second.amount = Msat::of(100'000 * sat);
  first.key.part = 1;
  second.key.part = 2;
  REQUIRE(world.dispatch(first).kind == DispatchAnswer::Kind::accepted);
  SUBCASE("both come: both settle") {
    world.clock().pass(ns_per_second);
    CHECK(world.look(made.hash).rows[0].state == RowState::pending);
    REQUIRE(world.dispatch(second).kind == DispatchAnswer::Kind::accepted);
    CHECK(world.query(first.key).kind == QueryAnswer::Kind::settled);
    CHECK(world.query(second.key).kind == QueryAnswer::Kind::settled);
    CHECK(world.count(OracleState::settled) == 2);
    CHECK(world.look(made.hash).debits->size() == 2);
  }
  SUBCASE("one stays alone: it fails after a minute") {
    world.clock().pass(61 * ns_per_second);
    const QueryAnswer answer = world.query(first.key);
    CHECK(answer.failure.code == FailureCode::mpp_timeout);
    CHECK(world.under_way(chan_a) == 0);
  }
  SUBCASE("a part beyond the whole is refused by our node") {
    REQUIRE(world.dispatch(second).kind == DispatchAnswer::Kind::accepted);
    Handover third = second;
    third.key.part = 3;
    CHECK(world.dispatch(third).kind == DispatchAnswer::Kind::not_sent);
    Handover other_total = second;
    other_total.key.part = 4;
    other_total.amount = Msat::of(100'001 * sat);
    CHECK(world.dispatch(other_total).kind == DispatchAnswer::Kind::not_sent);
  }
}
