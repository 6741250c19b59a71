// Routes from the node's own graph, checked against every limit before anybody sees them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/failure_detail.h"
#include "core/switch/cln/advice_layer.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

/// The hops of a route hint behind its entry node, and what has to reach that node.
struct HintTail {
  PublicKey entry;
  std::vector<Hop> hops;
  Msat amount;              ///< the entry node must receive this
  std::uint32_t delay = 0;  ///< and this many blocks
};
/// Pure. Nothing for a hint that is empty, too long, too dear for an Msat, or that uses what the question excludes.
/// `own`: a hint that begins at our node asks no fee of ourselves.
[[nodiscard]] std::optional<HintTail> tail_of(const RouteHint& hint, const RouteQuestion& question,
                                              const PublicKey& own);

/// Asks getroutes (LayeredRoute): to the payee, then to each hint's entry, with the store's memory as advice where the
/// question brings it. An older node is asked with getroute, which takes exclusions alone; what breaks the fee or CLTV
/// limit is asked for once more there, with the node's weighing of fees against delays turned to the other side. Which
/// of the two a node has is found out once a connection. With advice no reason is looked for: whoever asked asks again
/// without (M1).
///
/// Where there is none, the answers so far often tell why: a route that breaks a limit, a payee that nobody knows. Else
/// our own channels are asked for, and then one question is put with what may be in the way left out: the exclusions,
/// the outgoing channels, or most of the amount. getroutes, which is told the limits, is asked without them first. So
/// it takes three more questions at most, and none where there is a route.
class RouteSearch : public std::enable_shared_from_this<RouteSearch> {
 public:
  using Done = std::function<void(RouteAnswer)>;
  static constexpr std::size_t max_hints = 20;

  /// `done` is not called when the connection is lost before.
  RouteSearch(RpcClient& client, AdviceLayer& advice, RouteQuestion question, const PublicKey& own, Done done);
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  /// One question to the node, whichever command takes it. `limits`: those of the demand, for the command that knows
  /// them.
  struct Ask {
    RouteParams params;
    std::span<const ChannelDirection> without_channels;
    std::span<const PublicKey> without_nodes;
    bool limits = true;
  };
  using Found = std::function<void(std::optional<Route>, const std::optional<RpcError>&)>;

  void begin(const std::string& layer);
  void ask_own_channels(void (RouteSearch::*next)());
  void keep_to_outgoing();
  void ask_next();
  void ask(std::uint32_t risk_factor);
  [[nodiscard]] RouteParams target(std::size_t at) const;
  void put(Ask what, Found found);
  void put_layered(const Ask& what, Found found);
  void put_plain(const Ask& what, const Found& found);
  void found(std::optional<Route> route, std::uint32_t risk_factor);
  void take(Route route, std::uint32_t risk_factor);
  [[nodiscard]] bool excludes_something() const;
  [[nodiscard]] bool uses_excluded(const Route& route) const;
  void next_target();

  // Why there is none.
  void note(const std::optional<RpcError>& error, bool layered);
  void explain();
  void ask_without_limits();
  void look_at_channels();
  void leave_something_out();
  void end(FailureDetail detail);

  RpcClient& client_;
  AdviceLayer& advice_;
  std::string layer_;  ///< the advice's, empty without
  RouteQuestion question_;
  PublicKey own_;
  Done done_;
  std::vector<std::optional<HintTail>> targets_;  ///< the payee itself (nothing), then the hints
  bool hints_left_out_ = false;                   ///< because of what is excluded
  std::size_t target_ = 0;
  std::vector<ChannelDirection>
      avoid_;  ///< what the question excludes, and our channels that --outgoing-chan-id does not name
  std::optional<std::vector<OwnChannel>> channels_;
  NearMisses refused_;
  bool known_ = false;  ///< some target is known to the network
  std::optional<std::size_t>
      probe_target_;          ///< such a one: a hint's entry rather than a payee that may have no public channel
  bool limits_told_ = false;  ///< getroutes was told limits
  std::optional<std::size_t> limited_target_;  ///< the one that a limit seems to keep out of reach
  std::string words_;                          ///< the node's
};

}  // namespace paytower::cln
