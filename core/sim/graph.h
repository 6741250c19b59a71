// What everybody may know about a network: nodes, announced channels and policies, but no balances except our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/payment/policy.h"
#include "core/sim/ledger.h"

namespace paytower::sim {

/// One direction of a channel, as a path finder needs it.
struct Edge {
  ChannelDirection channel;
  NodeIndex from = 0;
  NodeIndex to = 0;
  Msat capacity;
  Policy policy;  ///< the policy of `from`
};

class Graph {
 public:
  /// Reads the whole graph. Keep it as long as Number::graph_version does not change.
  [[nodiscard]] static Graph load(LedgerTx& tx);

  /// Nothing for a key that is not in the graph.
  [[nodiscard]] std::optional<NodeIndex> find(const PublicKey& key) const;
  [[nodiscard]] const PublicKey& key(NodeIndex node) const { return keys_[node]; }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  /// The directions that lead to `node`, in order of channel ids, as positions for edge(). Empty for a node that is not
  /// in the graph.
  [[nodiscard]] const std::vector<std::uint32_t>& into(NodeIndex node) const;
  [[nodiscard]] const Edge& edge(std::uint32_t position) const { return edges_[position]; }
  [[nodiscard]] bool has_channel(ShortChannelId id) const { return channels_.count(id.value) != 0; }

  /// How many hops from our own node over enabled channels; the largest value for nodes that cannot be reached.
  [[nodiscard]] std::vector<std::uint32_t> distances() const;

 private:
  std::vector<PublicKey> keys_;
  std::unordered_map<PublicKey, NodeIndex, BytesHash> by_key_;
  std::vector<Edge> edges_;
  std::vector<std::vector<std::uint32_t>> into_;
  std::unordered_map<std::uint64_t, bool> channels_;
};

/// What the node demands of an HTLC that it forwards.
[[nodiscard]] ForwardingPolicy forwarding(const Policy& policy);

}  // namespace paytower::sim
