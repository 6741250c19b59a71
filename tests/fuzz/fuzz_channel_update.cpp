// libFuzzer target for the failure message that a node on the way sends, with its channel_update (M4). The first byte
// says where on a route of three hops it failed, and with which code; the rest is the message. Invariants: nothing is
// believed that the node did not sign, or that is about another node's channel, and a policy that is written is read
// back the same.
#include <algorithm>

#include "core/base/limits.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/payment/channel_update.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::array codes = {FailureCode::amount_below_minimum, FailureCode::fee_insufficient,
                              FailureCode::incorrect_cltv_expiry, FailureCode::expiry_too_soon,
                              FailureCode::channel_disabled};

std::array<std::uint8_t, 32> secret(std::uint8_t n) {
  std::array<std::uint8_t, 32> key{};
  key.fill(n);
  return key;
}

const Route& route() {
  static const Route made = [] {
    Route hops;
    for (std::uint8_t i = 1; i <= 3; ++i)
      hops.hops.push_back(Hop{ShortChannelId{i}, 0, *public_key_of(secret(i)), Msat::of(1'000), 20});
    return hops;
  }();
  return made;
}

void must_be_sound(const ChannelPolicy& policy) {
  must(policy.channel.direction <= 1);
  must(policy.forwarding.cltv_delta <= limits::max_cltv_delta);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const FailureCode code = codes[bytes[0] % codes.size()];
  const std::uint32_t source = bytes[0] / codes.size() % 4;
  const std::span<const std::uint8_t> message(bytes + 1, size - 1);
  if (const auto told = policy_told_by(message, Failure{code, source, {}, {}, {}}, route())) {
    must_be_sound(*told);
    must(source >= 1 && source <= 2);
    must(told->channel == ChannelDirection{route().hops[source].channel, 0});
  }
  const auto unsigned_one = read_channel_update(message, std::nullopt);
  if (!unsigned_one) return 0;
  must_be_sound(*unsigned_one);
  const auto written = failure_message(FailedForward{code, Msat::of(5), 9}, *unsigned_one, secret(2));
  must(written.has_value());
  const auto again = policy_told_by(*written, Failure{code, 2, {}, {}, {}}, route());
  must(again.has_value() == (unsigned_one->channel == ChannelDirection{ShortChannelId{3}, 0}));
  must(!again || again->forwarding.fee_base_msat == unsigned_one->forwarding.fee_base_msat);
  return 0;
}
