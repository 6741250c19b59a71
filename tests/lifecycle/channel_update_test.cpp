// Goal: M4: a failing node's new policy is believed only if it is complete, about that channel and signed by that node;
// then it is used, once.
#include <doctest/doctest.h>

#include "core/driver/route_session.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/payment/channel_update.h"
#include "tests/lifecycle/states.h"

using namespace paytower;
using namespace paytower::test;

namespace {

std::array<std::uint8_t, 32> secret(std::uint8_t n) {
  std::array<std::uint8_t, 32> key{};
  key.fill(n);
  return key;
}

struct Told {
  Told() {
    route.hops = {Hop{ShortChannelId{1}, 0, *public_key_of(secret(1)), Msat::of(1'100), 50},
                  Hop{ShortChannelId{2}, 1, *public_key_of(secret(2)), Msat::of(1'000), 40},
                  Hop{ShortChannelId{3}, 0, node_key(3), Msat::of(900), 20}};
    policy.channel = ChannelDirection{ShortChannelId{3}, 0};
    policy.forwarding = ForwardingPolicy{700, 25, 34};
    policy.htlc_min = Msat::of(5);
    policy.htlc_max = Msat::of(5'000'000);
    policy.timestamp = 77;
  }
  [[nodiscard]] Bytes message(FailureCode code, std::uint8_t signer = 2) const {
    return failure_message(FailedForward{code, Msat::of(900), 20}, policy, secret(signer)).value();
  }
  [[nodiscard]] std::optional<ChannelPolicy> read(const Bytes& bytes, FailureCode code,
                                                  std::uint32_t source = 2) const {
    return policy_told_by(bytes, Failure{code, source, {}, {}, {}}, route);
  }
  Route route;
  ChannelPolicy policy;
};

constexpr std::array with_policy = {FailureCode::amount_below_minimum, FailureCode::fee_insufficient,
                                    FailureCode::incorrect_cltv_expiry, FailureCode::expiry_too_soon,
                                    FailureCode::channel_disabled};

Payment failed_once(const Told& told, FailureCode code) {
  Payment payment = fresh_payment();
  payment.request.demand.destination = node_key(3);
  Attempt failed = own_attempt(first_id, Shape::failed);
  failed.route = told.route;
  failed.failure = Failure{code, 2, {}, {}, {}};
  payment.attempts.push_back(failed);
  return payment;
}

}  // namespace

TEST_CASE("channel_update: each code that carries one tells the policy") {
  Told told;
  for (const FailureCode code : with_policy) {
    const auto read = told.read(told.message(code), code);
    REQUIRE(read);
    CHECK(read->channel == told.policy.channel);
    CHECK(read->forwarding.fee_base_msat == 700);
    CHECK(read->forwarding.fee_proportional_millionths == 25);
    CHECK(read->forwarding.cltv_delta == 34);
    CHECK(read->htlc_min == Msat::of(5));
    CHECK(read->htlc_max == Msat::of(5'000'000));
    CHECK(read->timestamp == 77);
    CHECK_FALSE(read->disabled);
  }
  told.policy.disabled = true;
  CHECK(told.read(told.message(FailureCode::channel_disabled), FailureCode::channel_disabled)->disabled);
  CHECK_FALSE(failure_message(FailedForward{FailureCode::unknown_next_peer, {}, 0}, told.policy, secret(2)));
}

TEST_CASE("M4: another signer, channel, direction, code or place is not believed") {
  Told told;
  const FailureCode code = FailureCode::fee_insufficient;
  CHECK_FALSE(told.read(told.message(code, 1), code));                             // the node before signed it
  CHECK_FALSE(told.read(told.message(code), FailureCode::incorrect_cltv_expiry));  // the switch reports another code
  CHECK_FALSE(told.read(told.message(code), code, 1));                             // about another node's channel
  CHECK_FALSE(told.read(told.message(code), code, 3));                             // the payee has no next channel
  CHECK_FALSE(told.read(told.message(code), code, 0));
  Bytes changed = told.message(code);
  changed.back() ^= 1U;
  CHECK_FALSE(told.read(changed, code));
  told.policy.channel.direction = 1;
  CHECK_FALSE(told.read(told.message(code), code));
  told.policy.channel = ChannelDirection{ShortChannelId{4}, 0};
  CHECK_FALSE(told.read(told.message(code), code));
}

TEST_CASE("channel_update: cut anywhere it is nothing, and bytes behind it change nothing") {
  const Told told;
  const Bytes whole = told.message(FailureCode::fee_insufficient);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(told.read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)),
                          FailureCode::fee_insufficient));
  Bytes longer = whole;
  longer.push_back(0);
  CHECK(told.read(longer, FailureCode::fee_insufficient));
}

TEST_CASE("channel_update: with its message type and without") {
  const Told told;
  const Bytes message = told.message(FailureCode::expiry_too_soon);
  const std::span<const std::uint8_t> typed = std::span(message).subspan(4);  // after code and length
  CHECK(read_channel_update(typed, *public_key_of(secret(2))));
  CHECK(read_channel_update(typed.subspan(2), *public_key_of(secret(2))));
  CHECK_FALSE(read_channel_update(typed.subspan(3), *public_key_of(secret(2))));
  CHECK(read_channel_update(typed.subspan(2), std::nullopt));
}

TEST_CASE("channel_update: what a real node tells, and what it does not") {
  // Core Lightning v26.06.6 on regtest: `setchannel feebase=1500 enforcedelay=0`, and a payment at the old fee.
  Told told;
  told.route.hops = {
      Hop{*ShortChannelId::parse("111x1x0"), 0,
          *PublicKey::from_hex_text("03414b8731eddfad77fc2cf0d8903404af70280610b13db2bcf066c1e9d6fe26fd"),
          Msat::of(101'001), 16},
      Hop{*ShortChannelId::parse("111x4x0"), 0, node_key(3), Msat::of(100'000), 10}};
  const auto announced = bytes_from_hex(
      "100c0000000000018a89008a01025dce1b6e91a041423a171abcbb2b3e6ca9e2a91a17d0ac9ab74406737cb5ce7e53199caa2b8611d1b221"
      "fd6a7f6afb0b358d1a45ade21f9219d05705395bcf3806226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f0000"
      "6f00000400006b0b56e0010000060000000000000000000005dc0000000a00000000b1069a80");
  REQUIRE(announced);
  const auto read = told.read(*announced, FailureCode::fee_insufficient, 1);
  REQUIRE(read);
  CHECK(read->channel == ChannelDirection{*ShortChannelId::parse("111x4x0"), 0});
  CHECK(read->forwarding.fee_base_msat == 1'500);
  CHECK(read->forwarding.fee_proportional_millionths == 10);
  CHECK(read->forwarding.cltv_delta == 6);
  CHECK(read->htlc_max == Msat::of(2'970'000'000));
  CHECK_FALSE(read->disabled);
  // About an unannounced channel the node tells nothing: the update has no bytes.
  CHECK_FALSE(told.read(*bytes_from_hex("100c0000000000018a890000"), FailureCode::fee_insufficient, 1));
}

TEST_CASE("M4: with the new policy the channel is tried once again, and no more") {
  const Told told;
  const std::array policies{told.policy};
  Payment payment = failed_once(told, FailureCode::fee_insufficient);
  CHECK(exclusions_for(payment, policies).channels.empty());
  CHECK(exclusions_for(payment, policies).nodes.empty());
  CHECK(exclusions_for(payment).channels == std::vector{told.policy.channel});
  payment.attempts.push_back(payment.attempts.front());
  payment.attempts.back().id = second_id;
  CHECK(exclusions_for(payment, policies).nodes == std::vector{told.route.hops[1].node});
  CHECK(exclusions_for(payment, policies).channels == std::vector{told.policy.channel});
}

TEST_CASE("M4: a channel that its node has disabled stays excluded, and a told one that failed otherwise too") {
  Told told;
  told.policy.disabled = true;
  CHECK(exclusions_for(failed_once(told, FailureCode::channel_disabled), std::array{told.policy}).channels.size() == 1);
  told.policy.disabled = false;
  CHECK(exclusions_for(failed_once(told, FailureCode::temporary_channel_failure), std::array{told.policy})
            .channels.size() == 1);
}
