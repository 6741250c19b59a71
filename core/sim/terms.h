// What a question for routes says of each direction of a channel: whether it may be used, on which terms, and how much
// of it is left. One answer for whoever looks for routes, alone or in sets.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "core/driver/ports.h"
#include "core/sim/graph.h"

namespace paytower::sim {

/// What the own side of each own channel can spend.
using OwnBalances = std::map<ShortChannelId, Msat>;

/// Directions that have less than their capacity: what is left there for all HTLCs that are looked for.
using Room = std::map<ChannelDirection, Msat>;

class Terms {
 public:
  /// All must outlive this.
  Terms(const OwnBalances& balances, const RouteQuestion& question, const Room& room);

  [[nodiscard]] bool excludes(const PublicKey& node) const { return nodes_.count(node) != 0; }
  /// With the policy that the question brings along, if it brings one.
  [[nodiscard]] Edge as_told(const Edge& known) const;
  /// What all HTLCs together may carry over it; nothing where it must not be used.
  [[nodiscard]] Msat left(const Edge& told) const;
  /// One HTLC of this amount may be tried over it.
  [[nodiscard]] bool takes(const Edge& told, Msat amount) const;
  /// The price of a channel that may not carry the amount: at odds of one to one an attempt's worth, and nothing where
  /// nothing speaks against it. The least chance still has a price: no advice closes the only way.
  [[nodiscard]] std::uint64_t penalty(const ChannelDirection& channel, Msat amount) const;

 private:
  [[nodiscard]] Msat own_left(const Edge& told) const;

  const OwnBalances& balances_;
  const Room& room_;
  const MissionControl* memory_;
  UnixNs now_;
  std::map<ChannelDirection, ChannelPolicy> policies_;
  std::set<ChannelDirection> channels_;  ///< excluded, likewise the nodes
  std::set<PublicKey> nodes_;
  std::set<ShortChannelId> outgoing_;
};

}  // namespace paytower::sim
