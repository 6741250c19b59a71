#include "core/payment/route.h"

#include <algorithm>
#include <string>

#include "core/base/limits.h"

namespace paytower {

namespace {

constexpr std::uint8_t route_version = 1;
constexpr std::size_t hop_bytes = 8 + 1 + 33 + 8 + 4;

template <typename T> void put(Bytes& out, T value) {
  for (std::size_t shift = sizeof(T) * 8; shift > 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
}

template <typename T> T take(std::span<const std::uint8_t>& in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(static_cast<std::uint64_t>(value) << 8 | in[i]);
  in = in.subspan(sizeof(T));
  return value;
}

Error usage(std::string why) { return Error{Errc::usage, std::move(why)}; }

}  // namespace

Result<std::monostate> check_route(const Route& route, const RouteDemand& demand) {
  if (route.hops.empty()) return usage("the route is empty");
  if (route.hops.size() > limits::max_hops) {
    return usage("the route has " + std::to_string(route.hops.size()) + " hops; " + std::to_string(limits::max_hops) +
                 " are the most");
  }
  if (route.hops.back().node != demand.destination) return usage("the route does not end at the payee");
  for (std::size_t i = 1; i < route.hops.size(); ++i) {
    if (route.hops[i].amount > route.hops[i - 1].amount)
      return usage("the amounts of the route rise at hop " + std::to_string(i + 1));
    if (route.hops[i].delay > route.hops[i - 1].delay)
      return usage("the delays of the route rise at hop " + std::to_string(i + 1));
  }
  if (route.delivered() != demand.amount) {
    return usage("the route delivers " + std::to_string(route.delivered().value()) + " msat, asked were " +
                 std::to_string(demand.amount.value()) + " msat");
  }
  if (route.hops.back().delay < demand.final_cltv_delta) {
    return usage("the route leaves the payee " + std::to_string(route.hops.back().delay) + " blocks, it wants " +
                 std::to_string(demand.final_cltv_delta));
  }
  if (route.fees() > demand.fee_limit) {
    return usage("the route costs " + std::to_string(route.fees().value()) + " msat, the fee limit is " +
                 std::to_string(demand.fee_limit.value()) + " msat");
  }
  if (route.total_delay() > demand.cltv_limit) {
    return usage("the route locks funds for " + std::to_string(route.total_delay()) + " blocks, the limit is " +
                 std::to_string(demand.cltv_limit));
  }
  const auto& wanted = demand.outgoing_channels;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), route.hops.front().channel) == wanted.end()) {
    return usage("the route leaves through " + route.hops.front().channel.text() +
                 ", which is not an outgoing channel that was named");
  }
  return std::monostate{};
}

Bytes encode_route(const Route& route) {
  Bytes out;
  out.reserve(2 + route.hops.size() * hop_bytes);
  out.push_back(route_version);
  out.push_back(static_cast<std::uint8_t>(route.hops.size()));
  for (const Hop& hop : route.hops) {
    put(out, hop.channel.value);
    out.push_back(hop.direction);
    out.insert(out.end(), hop.node.bytes.begin(), hop.node.bytes.end());
    put(out, hop.amount.value());
    put(out, hop.delay);
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
    hop.channel.value = take<std::uint64_t>(data);
    hop.direction = take<std::uint8_t>(data);
    hop.node = *PublicKey::from_span(data.first(PublicKey::size));
    data = data.subspan(PublicKey::size);
    const auto amount = Msat::from(take<std::uint64_t>(data));
    hop.delay = take<std::uint32_t>(data);
    if (!amount || hop.direction > 1) return std::nullopt;
    hop.amount = *amount;
    route.hops.push_back(hop);
  }
  return route;
}

}  // namespace paytower
