// What a network can carry, computed independently; and the small seeded networks for which tests ask it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/sim/network.h"

namespace paytower::sim::test {

/// Ford and Fulkerson, breadth first: shares no code with find_routes.
class MaxFlow {
 public:
  explicit MaxFlow(std::size_t nodes) : size_(nodes), left_(nodes * nodes, 0) {}
  void add(NodeIndex from, NodeIndex to, std::uint64_t amount) { left_[from * size_ + to] += amount; }
  std::uint64_t run(NodeIndex payee) {
    std::uint64_t flow = 0;
    for (std::uint64_t pushed = push(payee); pushed != 0; pushed = push(payee)) flow += pushed;
    return flow;
  }

 private:
  std::uint64_t push(NodeIndex payee) {
    std::vector<std::size_t> before(size_, size_);
    std::vector<std::size_t> queue{own_node};
    before[own_node] = own_node;
    for (std::size_t at = 0; at < queue.size(); ++at) {
      for (std::size_t to = 0; to < size_; ++to) {
        if (before[to] != size_ || left_[queue[at] * size_ + to] == 0) continue;
        before[to] = queue[at];
        queue.push_back(to);
      }
    }
    if (before[payee] == size_) return 0;
    std::uint64_t amount = UINT64_MAX;
    for (std::size_t at = payee; at != own_node; at = before[at])
      amount = std::min(amount, left_[before[at] * size_ + at]);
    for (std::size_t at = payee; at != own_node; at = before[at]) {
      left_[before[at] * size_ + at] -= amount;
      left_[at * size_ + before[at]] += amount;
    }
    return amount;
  }

  std::size_t size_;
  std::vector<std::uint64_t> left_;
};

enum class Fees { none, small };

inline NetworkParams draw_size(SeededNumbers& numbers, std::uint64_t seed) {
  NetworkParams params;
  params.seed = seed;
  params.nodes = static_cast<std::uint32_t>(4 + numbers.below(6));
  params.channels = static_cast<std::uint32_t>(params.nodes + numbers.below(2 * params.nodes));
  return params;
}

/// Draws what a direction demands; one in twenty is disabled.
inline void draw_terms(SeededNumbers& numbers, Fees fees, Policy& policy) {
  policy.fee_base_msat = fees == Fees::none ? 0 : static_cast<std::uint32_t>(numbers.below(2'000));
  policy.fee_proportional_millionths = fees == Fees::none ? 0 : static_cast<std::uint32_t>(numbers.below(1'000));
  policy.disabled = numbers.below(20) == 0;
}

}  // namespace paytower::sim::test
