// Turns lnd's routes into ours, and works out a payment's status.
#include "db/import/lnd/kv_types.h"

#include <algorithm>

#include "core/base/limits.h"

namespace paytower::db::lnd {

Msat KvRoute::fees() const {
  if (hops.empty()) return Msat{};
  return checked_sub(total_amount, hops.back().amount_to_forward).value_or(Msat{});
}

std::optional<Route> core_route(const KvRoute& route, std::uint32_t height) {
  if (route.hops.empty() || route.hops.size() > limits::max_hops) return std::nullopt;
  Route out;
  // This channel carries what the hop before was told to forward; the first one carries everything.
  std::uint32_t time_lock = route.total_time_lock;
  Msat amount = route.total_amount;
  PublicKey from = route.source;
  for (const KvHop& hop : route.hops) {
    if (time_lock < height) return std::nullopt;
    const std::uint8_t direction = from < hop.node ? 0 : 1;
    out.hops.push_back(Hop{hop.channel, direction, hop.node, amount, time_lock - height});
    time_lock = hop.outgoing_time_lock;
    amount = hop.amount_to_forward;
    from = hop.node;
  }
  return out;
}

Msat KvAttempt::delivered() const {
  return route.hops.empty() ? route.total_amount : route.hops.back().amount_to_forward;
}

PaymentStatus KvPayment::status() const {
  const auto any = [&](auto is) { return std::any_of(attempts.begin(), attempts.end(), is); };
  if (any([](const KvAttempt& attempt) { return attempt.open(); })) return PaymentStatus::in_flight;
  if (any([](const KvAttempt& attempt) { return attempt.settle.has_value(); })) return PaymentStatus::succeeded;
  if (fail_reason) return PaymentStatus::failed;
  return attempts.empty() ? PaymentStatus::initiated : PaymentStatus::in_flight;
}

}  // namespace paytower::db::lnd
