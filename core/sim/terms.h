// What a question for routes says about each direction of a channel: whether it may be used, on which terms, and how
// much of it is left. The same answer for single routes and for sets.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "core/driver/ports.h"
#include "core/sim/graph.h"

namespace paytower::sim {

/// How much our side of each own channel can send.
using OwnBalances = std::map<ShortChannelId, Msat>;

/// Directions that have less than their capacity left for all the HTLCs that are searched for.
using Room = std::map<ChannelDirection, Msat>;

class Terms {
 public:
  /// All must outlive this.
  Terms(const OwnBalances& balances, const RouteQuestion& question, const Room& room);

  [[nodiscard]] bool excludes(const PublicKey& node) const { return nodes_.count(node) != 0; }
  /// With the question's own policy, if it has one.
  [[nodiscard]] Edge as_told(const Edge& known) const;
  /// How much all HTLCs together may carry over it. Nothing if it must not be used.
  [[nodiscard]] Msat left(const Edge& told) const;
  /// One HTLC with this amount may be tried over it.
  [[nodiscard]] bool takes(const Edge& told, Msat amount) const;
  /// The price of a channel that may not be able to carry the amount: with odds of one to one, what an attempt costs;
  /// nothing if nothing speaks against the channel. Even the smallest chance has a finite price: advice never closes
  /// the only way.
  [[nodiscard]] std::uint64_t penalty(const ChannelDirection& channel, Msat amount) const;

 private:
  [[nodiscard]] Msat own_left(const Edge& told) const;

  const OwnBalances& balances_;
  const Room& room_;
  const MissionControl* memory_;
  UnixNs now_;
  std::map<ChannelDirection, ChannelPolicy> policies_;
  std::set<ChannelDirection> channels_;  ///< excluded; the same for the nodes
  std::set<PublicKey> nodes_;
  std::set<ShortChannelId> outgoing_;
};

}  // namespace paytower::sim
