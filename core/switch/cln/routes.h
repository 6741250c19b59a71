// Routes from the node's own graph, checked against every limit before anybody sees them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/ports.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"
#include "core/switch/rpc_client.h"

namespace paytower::cln {

/// The hops of a route hint behind its entry node, and what has to reach that node.
struct HintTail {
  PublicKey entry;
  std::vector<Hop> hops;
  Msat amount;                               ///< the entry node must receive this
  std::uint32_t delay = 0;                   ///< and this many blocks
};
/// Pure. Nothing for a hint that is empty, too long, too dear for an Msat, or that uses what the question excludes.
/// `own`: a hint that begins at our node asks no fee of ourselves.
[[nodiscard]] std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question, const PublicKey& own);

/// Asks getroute: to the payee, then to each hint's entry. What breaks the fee or CLTV limit is asked for once more with the
/// node's weighing of fees against delays turned to the other side. A node that knows no getroute is asked with getroutes
/// (LayeredRoute); nothing else of it is better for one part, whose limits and exclusions getroute is told as well.
class RouteSearch : public std::enable_shared_from_this<RouteSearch> {
 public:
  using Done = std::function<void(RouteAnswer)>;
  static constexpr std::size_t max_hints = 20;

  /// `done` is not called when the connection is lost before.
  RouteSearch(RpcClient& client, RouteQuestion question, const PublicKey& own, Done done);
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  void ask_own_channels(void (RouteSearch::*next)());
  void keep_to_outgoing();
  void ask_next();
  void ask(std::uint32_t risk_factor);
  [[nodiscard]] RouteParams target() const;
  void read(const RpcReply& reply, std::uint32_t risk_factor);
  void ask_layered();
  void found(std::optional<Route> route, std::uint32_t risk_factor);
  void take(Route route, std::uint32_t risk_factor);
  void next_target();
  void none();

  RpcClient& client_;
  RouteQuestion question_;
  PublicKey own_;
  Done done_;
  std::vector<std::optional<HintTail>> targets_;   ///< the payee itself (nothing), then the hints
  std::size_t target_ = 0;
  std::optional<std::vector<OwnChannel>> channels_;
};

}  // namespace paytower::cln
