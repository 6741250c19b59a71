// What a node demands for forwarding an HTLC: the arithmetic of fees and time locks along a route (BOLT 7).
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/msat.h"
#include "core/invoice/route_hint.h"
#include "core/payment/route.h"

namespace paytower {

/// Of one channel, in the direction in which its node forwards.
struct ForwardingPolicy {
  std::uint32_t fee_base_msat = 0;
  std::uint32_t fee_proportional_millionths = 0;
  std::uint32_t cltv_delta = 0;
};
/// All that a node demands of an HTLC over one of its channels, as its channel_update says.
struct ChannelPolicy {
  ChannelDirection channel;
  ForwardingPolicy forwarding{};
  Msat htlc_min{};
  Msat htlc_max = Msat::of(Msat::max_value);
  bool disabled = false;
  std::uint32_t timestamp = 0;
};

/// The same, as a route hint says it.
[[nodiscard]] ForwardingPolicy policy_of(const HintHop& hop);

/// amount * ppm / 1,000,000 + base, rounded down. Nothing when it is above all bitcoin.
[[nodiscard]] std::optional<Msat> forwarding_fee(const ForwardingPolicy& policy, Msat amount);

/// What one HTLC carries, and for how many blocks.
struct Carried {
  Msat amount;
  std::uint64_t delay = 0;
};
/// What must reach the node so that it can forward `out`. Nothing when it is above all bitcoin.
[[nodiscard]] std::optional<Carried> carried_before(const ForwardingPolicy& policy, const Carried& out);

}  // namespace paytower
