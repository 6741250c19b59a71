// Reads the public graph of a simulated network.
#include "core/sim/graph.h"

#include <deque>
#include <limits>

namespace paytower::sim {

Graph Graph::load(LedgerTx& tx) {
  Graph graph;
  tx.each_node([&](const Node& node) {
    graph.keys_.push_back(node.key);
    graph.by_key_.emplace(node.key, node.index);
    return true;
  });
  graph.into_.resize(graph.keys_.size());
  tx.each_channel([&](const Channel& channel) {
    const bool ours = channel.nodes[0] == own_node || channel.nodes[1] == own_node;
    if (!channel.announced && !ours) return true;
    graph.channels_.emplace(channel.id.value, true);
    for (std::uint8_t side = 0; side < 2; ++side) {
      const std::uint8_t other = side == 0 ? 1 : 0;
      graph.into_[channel.nodes[other]].push_back(static_cast<std::uint32_t>(graph.edges_.size()));
      graph.edges_.push_back(Edge{ChannelDirection{channel.id, side}, channel.nodes[side], channel.nodes[other],
                                  channel.capacity, channel.policies[side]});
    }
    return true;
  });
  return graph;
}

std::optional<NodeIndex> Graph::find(const PublicKey& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  return found->second;
}

const std::vector<std::uint32_t>& Graph::into(NodeIndex node) const {
  static const std::vector<std::uint32_t> none;
  return node < into_.size() ? into_[node] : none;
}

std::vector<std::uint32_t> Graph::distances() const {
  constexpr auto far = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::vector<NodeIndex>> out(keys_.size());
  for (const Edge& edge : edges_) {
    if (!edge.policy.disabled) out[edge.from].push_back(edge.to);
  }
  std::vector<std::uint32_t> hops(keys_.size(), far);
  if (hops.empty()) return hops;
  hops[own_node] = 0;
  std::deque<NodeIndex> queue{own_node};
  while (!queue.empty()) {
    const NodeIndex node = queue.front();
    queue.pop_front();
    for (const NodeIndex next : out[node]) {
      if (hops[next] != far) continue;
      hops[next] = hops[node] + 1;
      queue.push_back(next);
    }
  }
  return hops;
}

ForwardingPolicy forwarding(const Policy& policy) {
  return {policy.fee_base_msat, policy.fee_proportional_millionths, policy.cltv_delta};
}

}  // namespace paytower::sim
