// Goal: what a ledger keeps in one column is read as it was written, and bytes that nobody wrote are refused. Method:
// round trips of full and empty records, then every shorter prefix and some longer texts.
#include <doctest/doctest.h>

#include "core/sim/codec.h"
#include "core/sim/network.h"

using namespace paytower;
using namespace paytower::sim;

namespace {

Route some_route(std::size_t hops) {
  Route route;
  for (std::size_t i = 0; i < hops; ++i) {
    Hop hop;
    hop.channel = ShortChannelId{i + 1};
    hop.direction = i % 2 == 0 ? 0 : 1;
    hop.node.bytes[5] = static_cast<std::uint8_t>(i);
    hop.amount = Msat::of(1'000 - i);
    hop.delay = static_cast<std::uint32_t>(100 - i);
    route.hops.push_back(hop);
  }
  return route;
}

template <typename Decode> void check_only_whole(const Bytes& whole, Decode decode) {
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(decode(std::span(whole).first(size)).has_value());
  Bytes longer = whole;
  longer.push_back(0);
  CHECK_FALSE(decode(std::span<const std::uint8_t>(longer)).has_value());
  Bytes other = whole;
  other[0] = 99;
  CHECK_FALSE(decode(std::span<const std::uint8_t>(other)).has_value());
}

}  // namespace

TEST_CASE("failures") {
  Failure full;
  full.code = FailureCode::temporary_channel_failure;
  full.source_index = 3;
  full.channel = ChannelDirection{ShortChannelId{UINT64_MAX}, 1};
  full.node = PublicKey{};
  full.message = std::string("words \0 and \xFF", 13);
  for (const Failure& failure : {full, Failure{}}) {
    const Bytes bytes = encode_failure(failure);
    CHECK(decode_failure(bytes) == failure);
    check_only_whole(bytes, decode_failure);
  }
}

TEST_CASE("hand-overs") {
  Handover full;
  full.key = AttemptKey{PaymentHash{}, AttemptId{UINT64_MAX}, 7};
  full.label = "paytower:x";
  full.route = some_route(20);
  full.amount = Msat::of(Msat::max_value);
  full.payment_secret = PaymentSecret{};
  full.metadata = Bytes{1, 2, 3};
  full.invoice = "lnbcrt1";
  for (const Handover& handover : {full, Handover{}}) {
    const Bytes bytes = encode_handover(handover);
    const auto read = decode_handover(bytes);
    REQUIRE(read);
    CHECK(read->key == handover.key);
    CHECK(read->label == handover.label);
    CHECK(read->route == handover.route);
    CHECK(read->amount == handover.amount);
    CHECK(read->payment_secret == handover.payment_secret);
    CHECK(read->metadata == handover.metadata);
    CHECK(read->invoice == handover.invoice);
    check_only_whole(bytes, decode_handover);
  }
}

TEST_CASE("lengths that lie do not allocate") {
  // Version, code, no flags, then a text of 4 GiB that is not there.
  const Bytes failure = {1, 0, 0, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF};
  CHECK_FALSE(decode_failure(failure).has_value());
}
