// The payment that tests of the store and benchmarks make up, again and again: 250 sat over three hops.
#pragma once

#include <array>
#include <string>

#include "core/base/hash.h"
#include "core/payment/payment.h"

namespace paytower::test {

/// A different preimage for every number; its hash looks random.
[[nodiscard]] inline Preimage preimage_of(std::uint64_t number) {
  std::array<std::uint8_t, 8> seed{};
  for (std::uint8_t& byte : seed) {
    byte = static_cast<std::uint8_t>(number);
    number >>= 8;
  }
  return Preimage{sha256(seed).bytes};
}

[[nodiscard]] inline PublicKey key_of(std::uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  key.bytes[0] = 2;
  return key;
}

[[nodiscard]] inline Route route_of(std::uint64_t channel) {
  Route route;
  route.hops.push_back(Hop{ShortChannelId{channel}, 0, key_of(1), Msat::of(251'000), 60});
  route.hops.push_back(Hop{ShortChannelId{channel + 1}, 1, key_of(2), Msat::of(250'500), 40});
  route.hops.push_back(Hop{ShortChannelId{channel + 2}, 0, key_of(3), Msat::of(250'000), 18});
  return route;
}

/// `filling`: what an invoice of the usual length has more.
[[nodiscard]] inline PaymentRequest request_at(UnixNs created, std::uint64_t number, std::int64_t seconds,
                                               std::size_t filling = 0) {
  PaymentRequest request;
  request.hash = hash_of(preimage_of(number));
  request.demand.destination = key_of(3);
  request.demand.amount = Msat::of(250'000);
  request.demand.fee_limit = Msat::of(5'000);
  request.created = created;
  request.deadline = UnixNs{created.value + seconds * ns_per_second};
  request.invoice = "lnbcrt2500n1" + std::string(filling, 'q') + std::to_string(number);
  return request;
}

/// The same as an invoice of about 300 bytes asks for it.
[[nodiscard]] inline PaymentRequest invoiced(UnixNs created, std::uint64_t number, std::int64_t seconds) {
  PaymentRequest request = request_at(created, number, seconds, 280);
  request.demand.cltv_limit = 2'016;
  request.demand.final_cltv_delta = 18;
  request.payment_secret = PaymentSecret{preimage_of(number + (1ULL << 40)).bytes};
  request.network = "regtest";
  return request;
}

}  // namespace paytower::test
