// Checks a route against what was asked for, and stores it as bytes.
#include "core/payment/route.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "core/base/amount_text.h"
#include "core/base/limits.h"
#include "core/base/number.h"

namespace paytower {

namespace {

constexpr std::uint8_t route_version = 1;
constexpr std::size_t hop_bytes = 8 + 1 + 33 + 8 + 4;

}  // namespace

Result<std::monostate> check_route(const Route& route, const RouteDemand& demand) {
  if (route.hops.empty()) return usage("the route is empty");
  if (route.hops.size() > limits::max_hops) {
    return usage(fmt::format("the route has {} hops; at most {} are allowed", route.hops.size(), limits::max_hops));
  }
  if (route.hops.back().node != demand.destination) return usage("the route does not end at the payee");
  for (std::size_t i = 1; i < route.hops.size(); ++i) {
    if (route.hops[i].amount > route.hops[i - 1].amount)
      return usage(fmt::format("the amount of the route rises at hop {}", i + 1));
    if (route.hops[i].delay > route.hops[i - 1].delay)
      return usage(fmt::format("the delay of the route rises at hop {}", i + 1));
  }
  if (route.delivered() != demand.amount) {
    return usage(
        fmt::format("the route delivers {} instead of {}", sat_text(route.delivered()), sat_text(demand.amount)));
  }
  if (route.hops.back().delay < demand.final_cltv_delta) {
    return usage(fmt::format("the route leaves the payee {} blocks, but it needs {}", route.hops.back().delay,
                             demand.final_cltv_delta));
  }
  if (route.fees() > demand.fee_limit) {
    return usage(
        fmt::format("the route costs {}, the fee limit is {}", sat_text(route.fees()), sat_text(demand.fee_limit)));
  }
  if (route.total_delay() > demand.cltv_limit) {
    return usage(
        fmt::format("the route locks funds for {} blocks, the limit is {}", route.total_delay(), demand.cltv_limit));
  }
  const auto& wanted = demand.outgoing_channels;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), route.hops.front().channel) == wanted.end()) {
    return usage(fmt::format("the route leaves through {}, which is not an outgoing channel that was named",
                             route.hops.front().channel.text()));
  }
  return std::monostate{};
}

Bytes encode_route(const Route& route) {
  Bytes out;
  out.reserve(2 + route.hops.size() * hop_bytes);
  out.push_back(route_version);
  out.push_back(static_cast<std::uint8_t>(route.hops.size()));
  for (const Hop& hop : route.hops) {
    put_big_endian(out, hop.channel.value, 8);
    out.push_back(hop.direction);
    out.insert(out.end(), hop.node.bytes.begin(), hop.node.bytes.end());
    put_big_endian(out, hop.amount.value(), 8);
    put_big_endian(out, hop.delay, 4);
  }
  return out;
}

std::optional<Route> decode_route(std::span<const std::uint8_t> data) {
  if (data.size() < 2 || data[0] != route_version) return std::nullopt;
  const std::size_t count = data[1];
  data = data.subspan(2);
  if (data.size() != count * hop_bytes) return std::nullopt;
  Route route;
  route.hops.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Hop hop;
    hop.channel.value = take_big_endian(data, 8);
    hop.direction = static_cast<std::uint8_t>(take_big_endian(data, 1));
    hop.node = *PublicKey::from_span(data.first(PublicKey::size));
    data = data.subspan(PublicKey::size);
    const auto amount = Msat::from(take_big_endian(data, 8));
    hop.delay = static_cast<std::uint32_t>(take_big_endian(data, 4));
    if (!amount || hop.direction > 1) return std::nullopt;
    hop.amount = *amount;
    route.hops.push_back(hop);
  }
  return route;
}

}  // namespace paytower
