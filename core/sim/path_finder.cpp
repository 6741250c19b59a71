// Searches for the cheapest route within the limits.
#include "core/sim/path_finder.h"

#include <algorithm>
#include <cstdint>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "core/base/limits.h"

namespace paytower::sim {

namespace {

constexpr std::size_t max_labels = 2'000'000;  ///< R16: partial paths that one question may look at
constexpr std::size_t max_labels_a_node = 32;
constexpr std::size_t max_hints = 64;
constexpr std::uint32_t no_parent = 0xFFFFFFFF;

/// A partial path from `node` to the payee.
struct Label {
  NodeIndex node = 0;
  Msat amount;                       ///< what `node` must receive
  std::uint64_t risk = 0;            ///< msat
  std::uint32_t delay = 0;           ///< of the HTLC that `node` receives
  std::uint32_t hops = 0;            ///< from `node` to the payee
  std::uint32_t parent = no_parent;  ///< the rest of the path
  ChannelDirection channel{};        ///< the first channel of the path

  [[nodiscard]] std::uint64_t cost() const { return amount.value() + risk; }
};

/// Dijkstra with several labels for each node. Fees depend on the amount, and limits cut paths off, so the cheapest
/// path to a node may not be part of the best route. Every path is kept unless another one is better in all respects.
class Search {
 public:
  Search(const Graph& graph, const OwnBalances& balances, const RouteQuestion& question, const Room& room)
      : graph_(graph), demand_(question.demand), terms_(balances, question, room) {
    add_hints(question.hints);
  }

  std::optional<Route> run() {
    const auto payee = index_of(demand_.destination);
    if (!payee || *payee == own_node || terms_.excludes(demand_.destination)) return std::nullopt;
    // First without the limits on time and hops. Only if these cut off a path is the larger search worth its cost.
    if (auto route = run_from(*payee, false); !cut_off_) return route;
    return run_from(*payee, true);
  }

 private:
  using QueueEntry = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;  ///< cost, hops, label

  std::optional<NodeIndex> index_of(const PublicKey& key) const {
    if (const auto known = graph_.find(key)) return known;
    const auto extra = extra_nodes_.find(key);
    if (extra == extra_nodes_.end()) return std::nullopt;
    return extra->second;
  }

  const PublicKey& key_of(NodeIndex node) const {
    return node < graph_.size() ? graph_.key(node) : extra_keys_[node - graph_.size()];
  }

  NodeIndex index_or_new(const PublicKey& key) {
    if (const auto known = index_of(key)) return *known;
    const auto node = static_cast<NodeIndex>(graph_.size() + extra_keys_.size());
    extra_keys_.push_back(key);
    extra_nodes_.emplace(key, node);
    return node;
  }

  void add_hints(const std::vector<RouteHint>& hints) {
    for (std::size_t i = 0; i < std::min(hints.size(), max_hints); ++i) {
      const RouteHint& hint = hints[i];
      if (hint.size() >= limits::max_hops) continue;
      for (std::size_t at = 0; at < hint.size(); ++at)
        add_hint_hop(hint[at], at + 1 < hint.size() ? hint[at + 1].node : demand_.destination);
    }
  }

  void add_hint_hop(const HintHop& hop, const PublicKey& to) {
    if (graph_.has_channel(hop.channel) || hop.node == to) return;
    Edge edge;
    edge.channel = ChannelDirection{hop.channel, static_cast<std::uint8_t>(hop.node < to ? 0 : 1)};
    edge.from = index_or_new(hop.node);
    edge.to = index_or_new(to);
    edge.capacity = Msat::of(Msat::max_value);
    edge.policy.fee_base_msat = hop.fee_base_msat;
    edge.policy.fee_proportional_millionths = hop.fee_proportional_millionths;
    edge.policy.cltv_delta = hop.cltv_expiry_delta;
    edge.policy.htlc_max = edge.capacity;
    hint_edges_.push_back(edge);
  }

  std::optional<Route> run_from(NodeIndex payee, bool every_respect) {
    labels_.clear();
    settled_.clear();
    queue_ = {};
    every_respect_ = every_respect;
    cut_off_ = false;
    if (demand_.final_cltv_delta > demand_.cltv_limit || demand_.amount.value() == 0) return std::nullopt;
    push(Label{payee, demand_.amount, 0, demand_.final_cltv_delta, 0, no_parent, {}});
    while (!queue_.empty()) {
      const std::uint32_t at = std::get<2>(queue_.top());
      queue_.pop();
      if (labels_[at].node == own_node) return route_of(at);
      if (beaten(labels_[at])) continue;
      settled_[labels_[at].node].push_back(at);
      extend(at);
    }
    return std::nullopt;
  }

  void extend(std::uint32_t at) {
    const NodeIndex node = labels_[at].node;
    for (const std::uint32_t position : graph_.into(node)) try_edge(at, graph_.edge(position));
    for (const Edge& edge : hint_edges_) {
      if (edge.to == node) try_edge(at, edge);
    }
  }

  void try_edge(std::uint32_t at, const Edge& known) {
    const Label& to = labels_[at];
    const Edge edge = terms_.as_told(known);
    if (!terms_.takes(edge, to.amount)) return;
    if (to.hops + 1 > limits::max_hops) {
      cut_off_ = true;
      return;
    }
    Label label{edge.from, to.amount, to.risk, to.delay, to.hops + 1, at, edge.channel};
    if (edge.from == own_node) return push(label);
    if (terms_.excludes(key_of(edge.from))) return;
    label.risk += terms_.penalty(edge.channel, to.amount);
    if (!charge(label, edge.policy)) return;
    if (!beaten(label)) push(label);
  }

  /// Adds what the forwarding node demands. False if that breaks a limit.
  bool charge(Label& label, const Policy& policy) {
    const auto before = carried_before(forwarding(policy), Carried{label.amount, label.delay});
    if (!before || before->amount.value() - demand_.amount.value() > demand_.fee_limit.value()) return false;
    if (before->delay > demand_.cltv_limit) {
      cut_off_ = true;
      return false;
    }
    label.risk += label.amount.value() / 1'000'000 * policy.cltv_delta * risk_billionths / 1'000 +
                  label.amount.value() % 1'000'000 * policy.cltv_delta * risk_billionths / 1'000'000'000;
    label.amount = before->amount;
    label.delay = static_cast<std::uint32_t>(before->delay);
    return true;
  }

  /// Labels come in order of cost, so whatever was settled at a node before does not cost more.
  [[nodiscard]] bool beaten(const Label& label) const {
    const auto found = settled_.find(label.node);
    if (found == settled_.end()) return false;
    if (found->second.size() >= max_labels_a_node) return true;
    return std::any_of(found->second.begin(), found->second.end(), [&](std::uint32_t at) {
      const Label& other = labels_[at];
      if (other.cost() > label.cost() || other.amount > label.amount) return false;
      return !every_respect_ || (other.delay <= label.delay && other.hops <= label.hops);
    });
  }

  void push(const Label& label) {
    if (labels_.size() >= max_labels) return;
    labels_.push_back(label);
    queue_.emplace(label.cost(), label.hops, static_cast<std::uint32_t>(labels_.size() - 1));
  }

  [[nodiscard]] Route route_of(std::uint32_t at) const {
    Route route;
    while (labels_[at].parent != no_parent) {
      const Label& to = labels_[labels_[at].parent];
      route.hops.push_back(
          Hop{labels_[at].channel.channel, labels_[at].channel.direction, key_of(to.node), to.amount, to.delay});
      at = labels_[at].parent;
    }
    return route;
  }

  const Graph& graph_;
  const RouteDemand& demand_;
  Terms terms_;
  std::vector<PublicKey> extra_keys_;
  std::unordered_map<PublicKey, NodeIndex, BytesHash> extra_nodes_;
  std::vector<Edge> hint_edges_;

  std::vector<Label> labels_;
  std::unordered_map<NodeIndex, std::vector<std::uint32_t>> settled_;
  std::priority_queue<QueueEntry, std::vector<QueueEntry>, std::greater<>> queue_;
  bool every_respect_ = false;
  bool cut_off_ = false;
};

}  // namespace

OwnBalances own_balances(LedgerTx& tx) {
  OwnBalances balances;
  tx.each_channel_of(own_node, [&](const Channel& channel) {
    balances[channel.id] = channel.balances[channel.nodes[0] == own_node ? 0 : 1];
    return true;
  });
  return balances;
}

std::string unknown_payee_words(const PublicKey& payee) {
  return fmt::format("{}: unknown destination node_id (no public channels?)", payee.hex());
}

std::optional<Route> find_route(const Graph& graph, const OwnBalances& balances, const RouteQuestion& question,
                                const Room& room) {
  return Search(graph, balances, question, room).run();
}

}  // namespace paytower::sim
