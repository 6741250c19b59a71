// Channels that an invoice names because they are not in the public graph.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "core/base/types.h"

namespace paytower {

/// One hop of a BOLT 11 route hint (field r): a channel of `node` towards the payee.
struct HintHop {
  PublicKey node;
  ShortChannelId channel;
  std::uint32_t fee_base_msat = 0;
  std::uint32_t fee_proportional_millionths = 0;
  std::uint16_t cltv_expiry_delta = 0;
  auto operator<=>(const HintHop&) const = default;
};
using RouteHint = std::vector<HintHop>;

}  // namespace paytower
