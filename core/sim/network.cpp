// Builds networks: invented from a seed, or from an exported graph.
#include "core/sim/network.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::sim {

namespace {

constexpr std::uint64_t msat_per_sat = 1'000;
constexpr std::uint64_t million_sat = 1'000'000 * msat_per_sat;
constexpr std::uint32_t own_channels_wanted = 6;
constexpr std::uint32_t payees_of_import = 8;
constexpr std::uint32_t channels_a_payee = 2;
constexpr std::array<std::uint32_t, 4> base_fees = {0, 1, 100, 1'000};
constexpr std::array<std::uint32_t, 5> proportional_fees = {1, 10, 50, 200, 500};
constexpr std::array<std::uint32_t, 4> cltv_deltas = {34, 40, 80, 144};

std::uint32_t channels_of(const NetworkParams& params) {
  return params.channels != 0 ? params.channels : params.nodes * 3;
}

ShortChannelId made_id(std::uint32_t height, std::uint32_t number) {
  // Different from any channel of a real chain at these heights: block, transaction and output all count up from the
  // network's first block.
  return ShortChannelId{std::uint64_t{height} << 40 | std::uint64_t{number} << 16};
}

/// An alias is a stranger's text. It is used as a name only if it can be typed and is not a key.
bool usable_name(const std::string& alias) {
  constexpr std::size_t longest = 32;  // BOLT 7
  if (alias.empty() || alias.size() > longest) return false;
  return std::all_of(alias.begin(), alias.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

/// Makes channels, with their two ends in the right order.
class Builder {
 public:
  Builder(LedgerTx& tx, const NetworkParams& params) : tx_(tx), params_(params), numbers_(params.seed) {}

  NetworkSummary generate() {
    for (NodeIndex i = 0; i < params_.nodes; ++i) add_node(fmt::format("n{}", i), i);
    connect_all();
    const std::uint32_t own = attach_own_node();
    std::uint32_t left = channels_of(params_) - (params_.nodes - 2) - own;
    while (left > 0) {
      // Only with three nodes or more: two nodes have nobody else to connect to.
      const NodeIndex a = some_other_node();
      const NodeIndex b = some_other_node();
      if (a == b && params_.nodes > 2) continue;
      add_channel(params_.nodes > 2 ? a : own_node, b, params_.nodes > 2 ? 50 : 80);
      --left;
    }
    return finish();
  }

  /// Refuses before it writes anything.
  Result<NetworkSummary> import(const ImportedGraph& graph) {
    if (has_our_keys(graph)) return usage("the graph has keys that this seed makes too: use another seed");
    for (NodeIndex i = 0; i <= payees_of_import; ++i) add_node(fmt::format("n{}", i), i);
    std::unordered_map<PublicKey, NodeIndex, BytesHash> known;
    import_nodes(graph, known);
    std::vector<std::uint32_t> degree(keys_.size(), 0);
    for (const ImportedChannel& channel : graph.channels) import_channel(channel, known, degree);
    attach_to_import(degree);
    return finish();
  }

 private:
  [[nodiscard]] PublicKey made_key(NodeIndex index) const {
    const auto key = public_key_of(node_secret(params_.seed, index).bytes);
    if (!key) throw SwitchError("a seed without key");  // one in 2^128
    return *key;
  }

  void add_node(std::string name, NodeIndex index) {
    store_node(std::move(name), made_key(index), node_secret(params_.seed, index));
  }

  [[nodiscard]] bool has_our_keys(const ImportedGraph& graph) const {
    std::set<PublicKey> ours;
    for (NodeIndex i = 0; i <= payees_of_import; ++i) ours.insert(made_key(i));
    const bool in_nodes = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                      [&](const ImportedNode& node) { return ours.count(node.key) != 0; });
    return in_nodes || std::any_of(graph.channels.begin(), graph.channels.end(), [&](const ImportedChannel& channel) {
             return ours.count(channel.nodes[0]) != 0 || ours.count(channel.nodes[1]) != 0;
           });
  }

  void store_node(std::string name, const PublicKey& key, std::optional<NodeSecret> secret) {
    names_.insert(name);
    tx_.add_node(Node{static_cast<NodeIndex>(keys_.size()), std::move(name), key, secret});
    keys_.push_back(key);
  }

  NodeIndex some_other_node() { return static_cast<NodeIndex>(1 + numbers_.below(params_.nodes - 1)); }

  /// A tree that connects all nodes except ours.
  void connect_all() {
    for (NodeIndex i = 2; i < params_.nodes; ++i) add_channel(static_cast<NodeIndex>(1 + numbers_.below(i - 1)), i, 50);
  }

  std::uint32_t attach_own_node() {
    const std::uint32_t spare = channels_of(params_) - (params_.nodes - 2);
    const std::uint32_t wanted = std::min({own_channels_wanted, params_.nodes - 1, spare});
    std::set<NodeIndex> peers;
    while (peers.size() < wanted) peers.insert(some_other_node());
    for (const NodeIndex peer : peers) add_channel(own_node, peer, 80);
    return wanted;
  }

  Policy made_policy(Msat capacity) {
    Policy policy;
    policy.fee_base_msat = base_fees[numbers_.below(base_fees.size())];
    policy.fee_proportional_millionths = proportional_fees[numbers_.below(proportional_fees.size())];
    policy.cltv_delta = cltv_deltas[numbers_.below(cltv_deltas.size())];
    policy.htlc_max = Msat::of(capacity.value() / 100 * 99);
    return policy;
  }

  /// `percent`: about which share of the money `from` has.
  void add_channel(NodeIndex from, NodeIndex to, std::uint64_t percent) {
    Channel channel;
    channel.id = made_id(first_scid_height(), ++made_);
    channel.capacity = Msat::of((2 + numbers_.below(9)) * million_sat * (from == own_node ? 2 : 1));
    const std::uint8_t side = keys_[from] < keys_[to] ? 0 : 1;
    channel.nodes[side] = from;
    channel.nodes[1 - side] = to;
    channel.policies = {made_policy(channel.capacity), made_policy(channel.capacity)};
    split(channel, side, percent);
    store(channel);
  }

  void split(Channel& channel, std::uint8_t side, std::uint64_t percent) {
    const std::uint64_t part = channel.capacity.value() / 100 * (percent - 10 + numbers_.below(21));
    channel.balances[side] = Msat::of(part);
    channel.balances[1 - side] = Msat::of(channel.capacity.value() - part);
  }

  void store(const Channel& channel) {
    tx_.add_channel(channel);
    ++channels_;
  }

  [[nodiscard]] std::uint32_t first_scid_height() const { return params_.height > 1'000 ? params_.height - 1'000 : 1; }

  // --- graphs of others ---

  void import_nodes(const ImportedGraph& graph, std::unordered_map<PublicKey, NodeIndex, BytesHash>& known) {
    const auto add = [&](const PublicKey& key, const std::string& alias) {
      if (!known.emplace(key, static_cast<NodeIndex>(keys_.size())).second) return;
      store_node(usable_name(alias) && names_.count(alias) == 0 ? alias : key.hex(), key, std::nullopt);
    };
    for (const ImportedNode& node : graph.nodes) add(node.key, node.alias);
    for (const ImportedChannel& channel : graph.channels) {
      add(channel.nodes[0], {});
      add(channel.nodes[1], {});
    }
  }

  void import_channel(const ImportedChannel& source, const std::unordered_map<PublicKey, NodeIndex, BytesHash>& known,
                      std::vector<std::uint32_t>& degree) {
    Channel channel;
    channel.id = source.id;
    channel.capacity = source.capacity;
    taken_.insert(source.id.value);
    for (std::uint8_t side = 0; side < 2; ++side) {
      channel.nodes[side] = known.at(source.nodes[side]);
      if (source.policies[side]) channel.policies[side] = *source.policies[side];
      channel.policies[side].disabled = !source.policies[side] || source.policies[side]->disabled;
    }
    if (!channel.policies[0].disabled && !channel.policies[1].disabled) {
      ++degree[channel.nodes[0]];
      ++degree[channel.nodes[1]];
    }
    split(channel, 0, 50);
    store(channel);
  }

  /// n0 gets channels to the best connected nodes; the payees get theirs to nodes in the better connected half.
  void attach_to_import(const std::vector<std::uint32_t>& degree) {
    std::vector<NodeIndex> order;
    for (NodeIndex node = payees_of_import + 1; node < keys_.size(); ++node) order.push_back(node);
    std::stable_sort(order.begin(), order.end(), [&](NodeIndex a, NodeIndex b) { return degree[a] > degree[b]; });
    const std::size_t peers = std::min<std::size_t>(own_channels_wanted, order.size());
    for (std::size_t i = 0; i < peers; ++i) add_free_channel(own_node, order[i], 80);
    const std::size_t half = std::max<std::size_t>(1, order.size() / 2);
    for (NodeIndex payee = 1; payee <= payees_of_import; ++payee) {
      std::set<NodeIndex> hosts;
      while (hosts.size() < std::min<std::size_t>(channels_a_payee, half)) hosts.insert(order[numbers_.below(half)]);
      for (const NodeIndex host : hosts) add_free_channel(payee, host, 20);
    }
  }

  /// With a channel id that the imported graph does not use.
  void add_free_channel(NodeIndex from, NodeIndex to, std::uint64_t percent) {
    while (taken_.count(made_id(first_scid_height(), made_ + 1).value) != 0) ++made_;
    add_channel(from, to, percent);
  }

  NetworkSummary finish() {
    tx_.set_number(Number::seed, static_cast<std::int64_t>(params_.seed));
    tx_.set_number(Number::height, params_.height);
    tx_.set_number(Number::latency_ns, params_.latency_ns);
    tx_.set_number(Number::graph_version, 1);
    tx_.set_number(Number::store_generation, 1);
    return NetworkSummary{keys_[own_node], keys_.size(), channels_};
  }

  LedgerTx& tx_;
  const NetworkParams& params_;
  SeededNumbers numbers_;
  std::vector<PublicKey> keys_;
  std::set<std::string> names_;
  std::set<std::uint64_t> taken_;
  std::uint32_t made_ = 0;
  std::size_t channels_ = 0;
};

}  // namespace

NodeSecret node_secret(std::uint64_t seed, NodeIndex index) {
  // Almost any 32 bytes are a key, except a few around 0 and 2^256: no SHA-256 will ever be one of these.
  const std::string text = fmt::format("paytower simulated node {} {}", seed, index);
  return NodeSecret{sha256(std::vector<std::uint8_t>(text.begin(), text.end())).bytes};
}

Result<std::monostate> check_network(const NetworkParams& params) {
  if (params.latency_ns < 0) return usage("the latency of a simulated network must not be negative");
  if (params.height == 0 || params.height >= 1U << 23)
    return usage("the height of a simulated network is 1 to 8388607");
  if (params.graph) {
    if (params.graph->channels.empty()) return usage("the graph has no usable channel");
    if (params.graph->nodes.size() > max_nodes || params.graph->channels.size() > max_channels)
      return usage("the graph is too large");
    return std::monostate{};
  }
  if (params.nodes < 2 || params.nodes > max_nodes)
    return usage(fmt::format("a simulated network has 2 to {} nodes", max_nodes));
  if (channels_of(params) < params.nodes - 1) {
    return usage(fmt::format("{} nodes need at least {} channels", params.nodes, params.nodes - 1));
  }
  if (channels_of(params) > max_channels)
    return usage(fmt::format("a simulated network has at most {} channels", max_channels));
  return std::monostate{};
}

Result<NetworkSummary> build_network(LedgerTx& tx, const NetworkParams& params) {
  if (auto checked = check_network(params); !checked) return checked.error();
  if (tx.node(own_node)) return usage("there is a simulated network in this file already");
  Builder builder(tx, params);
  if (params.graph) return builder.import(*params.graph);
  return builder.generate();
}

}  // namespace paytower::sim
