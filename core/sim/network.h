// How a simulated network is made: from a seed, or from an exported graph.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/require.h"
#include "core/sim/ledger.h"

namespace paytower::sim {

inline constexpr std::uint32_t max_nodes = 1'000'000;
inline constexpr std::uint32_t max_channels = 10'000'000;
inline constexpr std::uint32_t first_height = 800'000;
inline constexpr std::int64_t default_latency_ns = 40 * ns_per_ms;
/// The chain that every simulated network claims to be on.
inline constexpr const char* network_name = "regtest";

/// A channel of an exported graph. A direction without a policy cannot be used.
struct ImportedChannel {
  ShortChannelId id;
  std::array<PublicKey, 2> nodes{};  ///< the lower key first
  Msat capacity;
  std::array<std::optional<Policy>, 2> policies{};
};

struct ImportedNode {
  PublicKey key;
  std::string alias;  ///< may be empty, used twice, or a stranger's joke
};

/// The content of a graph file (cli/input/graph reads it).
struct ImportedGraph {
  std::vector<ImportedNode> nodes;
  std::vector<ImportedChannel> channels;
};

struct NetworkParams {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 20;    ///< with our own node; ignored with a graph
  std::uint32_t channels = 0;  ///< at least nodes - 1; 0 = three for each node; ignored with a graph
  std::int64_t latency_ns = default_latency_ns;
  std::uint32_t height = first_height;
  const ImportedGraph* graph = nullptr;
};

/// A usage refusal if no network can be made from these numbers or this graph. build_network asks this first; it is
/// worth asking before a file is made.
[[nodiscard]] Result<std::monostate> check_network(const NetworkParams& params);

struct NetworkSummary {
  PublicKey own_key;
  std::size_t nodes = 0;
  std::size_t channels = 0;
};

/// A connected graph with our own node n0, which has several channels with most of the money on its side.
///
/// With a graph: its nodes keep their keys and cannot sign invoices, because nobody knows their secrets. n0 and eight
/// payees, n1 to n8, are attached to it by channels of their own (n0 to the best connected nodes). Exported graphs have
/// no balances, so these are drawn from the seed. A usage refusal if no network can be made from this.
[[nodiscard]] Result<NetworkSummary> build_network(LedgerTx& tx, const NetworkParams& params);

/// The secret of the node with this index; it depends on nothing but the seed.
[[nodiscard]] NodeSecret node_secret(std::uint64_t seed, NodeIndex index);

/// A small random generator with the same numbers on every machine.
class SeededNumbers {
 public:
  explicit SeededNumbers(std::uint64_t seed) : state_(seed) {}
  /// splitmix64
  [[nodiscard]] std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// 0 to bound - 1. REQUIRES: bound > 0. The small bias of the remainder does not matter here.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    require(bound > 0, "a bound is above 0");
    return next() % bound;
  }

 private:
  std::uint64_t state_;
};

}  // namespace paytower::sim
