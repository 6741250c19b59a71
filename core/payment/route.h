// A path of channels, and what travels over each, relative to the height of the chain.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower {

/// One channel of a route and the node at its end, as Core Lightning's getroute gives them.
struct Hop {
  ShortChannelId channel;
  std::uint8_t direction = 0;  ///< 0 or 1, see ChannelDirection
  PublicKey node;              ///< the node that this channel leads to
  Msat amount;                 ///< what the HTLC on this channel carries, so what `node` receives
  std::uint32_t delay = 0;  ///< when the HTLC expires on this channel, in blocks above the height at which it is sent
  auto operator<=>(const Hop&) const = default;
};

/// From our node to the payee. An empty route is not a route.
struct Route {
  std::vector<Hop> hops;
  auto operator<=>(const Route&) const = default;

  /// What leaves our node: delivered amount plus fees. Zero when empty.
  [[nodiscard]] Msat total_amount() const { return hops.empty() ? Msat{} : hops.front().amount; }
  /// What arrives. Zero when empty.
  [[nodiscard]] Msat delivered() const { return hops.empty() ? Msat{} : hops.back().amount; }
  /// total_amount - delivered; zero if a hostile route delivers more than it takes.
  [[nodiscard]] Msat fees() const { return checked_sub(total_amount(), delivered()).value_or(Msat{}); }
  /// Blocks above the height, on the first channel.
  [[nodiscard]] std::uint32_t total_delay() const { return hops.empty() ? 0 : hops.front().delay; }
};

/// What a route must keep to, whoever found it.
struct RouteDemand {
  PublicKey destination;
  Msat amount;
  std::uint32_t final_cltv_delta = 18;
  Msat fee_limit;
  std::uint32_t cltv_limit = 2016;                ///< the largest total_delay
  std::vector<ShortChannelId> outgoing_channels;  ///< the first hop must be one of these; empty: any
};

/// A usage refusal when the route breaks a demand: wrong end, rising amounts or delays, fee, delay or hop limit, first
/// channel.
[[nodiscard]] Result<std::monostate> check_route(const Route& route, const RouteDemand& demand);

/// The binary form for one database column, with a version; at most 2 + 20 * 54 bytes.
[[nodiscard]] Bytes encode_route(const Route& route);
/// Nothing for bytes that encode_route did not make.
[[nodiscard]] std::optional<Route> decode_route(std::span<const std::uint8_t> data);

}  // namespace paytower
