// Weighs graph, policies, balances, layers and memory for each direction of a channel.
#include "core/sim/terms.h"

#include <algorithm>

namespace paytower::sim {

namespace {

/// What a failed attempt costs, as lnd counts it: a route that fails every second time may cost this much more to
/// avoid.
constexpr std::uint64_t attempt_cost_msat = 100'000;
constexpr std::uint64_t attempt_cost_divisor = 1'000;  ///< plus this part of the amount: 0.1 %

}  // namespace

Terms::Terms(const OwnBalances& balances, const RouteQuestion& question, const Room& room)
    : balances_(balances), room_(room), memory_(question.memory.get()), now_(question.now) {
  for (const ChannelPolicy& told : question.policies) policies_.emplace(told.channel, told);
  channels_.insert(question.excluded_channels.begin(), question.excluded_channels.end());
  nodes_.insert(question.excluded_nodes.begin(), question.excluded_nodes.end());
  outgoing_.insert(question.demand.outgoing_channels.begin(), question.demand.outgoing_channels.end());
}

Edge Terms::as_told(const Edge& known) const {
  if (policies_.empty()) return known;
  const auto told = policies_.find(known.channel);
  if (told == policies_.end()) return known;
  Edge edge = known;
  edge.policy.disabled = told->second.disabled;
  edge.policy.fee_base_msat = told->second.forwarding.fee_base_msat;
  edge.policy.fee_proportional_millionths = told->second.forwarding.fee_proportional_millionths;
  edge.policy.cltv_delta = told->second.forwarding.cltv_delta;
  edge.policy.htlc_min = told->second.htlc_min;
  edge.policy.htlc_max = told->second.htlc_max;
  return edge;
}

Msat Terms::own_left(const Edge& told) const {
  const ShortChannelId id = told.channel.channel;
  if (!outgoing_.empty() && outgoing_.count(id) == 0) return Msat{};
  const auto balance = balances_.find(id);
  return balance == balances_.end() ? Msat{} : balance->second;
}

Msat Terms::left(const Edge& told) const {
  if (told.policy.disabled || channels_.count(told.channel) != 0) return Msat{};
  const Msat most = told.from == own_node ? std::min(told.capacity, own_left(told)) : told.capacity;
  const auto room = room_.find(told.channel);
  return room == room_.end() ? most : std::min(most, room->second);
}

bool Terms::takes(const Edge& told, Msat amount) const {
  return amount >= told.policy.htlc_min && amount <= told.policy.htlc_max && amount <= left(told);
}

std::uint64_t Terms::penalty(const ChannelDirection& channel, Msat amount) const {
  if (memory_ == nullptr) return 0;
  const double chance = memory_->chance(channel, amount, now_);
  const auto cost = static_cast<double>(attempt_cost_msat + amount.value() / attempt_cost_divisor);
  return static_cast<std::uint64_t>(cost * (1 / chance - 1));
}

}  // namespace paytower::sim
