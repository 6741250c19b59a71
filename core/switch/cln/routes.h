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
#include "core/switch/parts/halved_routes.h"
#include "core/switch/parts/route_sets.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

/// Asks getroutes (LayeredRoute): to the payee, then to each hint's entry, with the store's memory as advice where the
/// question brings it; for one piece, and then, where there is none and the question allows it, for several parts, all
/// of which go to the payee or to the same entry. An older node is asked with getroute, which takes exclusions alone;
/// what breaks the fee or CLTV limit is asked for once more there, with the node's weighing of fees against delays
/// turned to the other side, and parts are found by halving (HalvedRoutes). Which of the two a node has is found out
/// once a connection. With advice no reason is looked for: whoever asked asks again without (M1).
///
/// Where there is none, the answers so far often tell why: a route that breaks a limit, a payee that nobody knows. Else
/// our own channels are asked for, and then one question is put with what may be in the way left out: the exclusions,
/// the outgoing channels, or, where all had to go in one part, most of the amount. getroutes, which is told the limits,
/// is asked without them first. So it takes three more questions at most, and none where there is a route.
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
    std::uint32_t parts = 1;
    std::vector<ChannelDirection> without_channels;
    std::vector<PublicKey> without_nodes;
    std::vector<ChannelBound> bounds;
    bool limits = true;
  };
  using Found = std::function<void(std::vector<Route>, const std::optional<RpcError>&)>;

  void begin(const std::string& layer);
  void ask_own_channels(std::function<void()> next);
  void keep_to_outgoing();
  void ask_next();
  void ask(std::uint32_t risk_factor);
  [[nodiscard]] const RouteHint* hint_of(std::size_t at) const;
  [[nodiscard]] std::optional<EntryAmount> load_to(std::size_t at) const;
  [[nodiscard]] RouteParams target(std::size_t at) const;
  [[nodiscard]] Ask usual_ask(std::size_t at) const;
  [[nodiscard]] Ask bare_ask(std::size_t at) const;
  [[nodiscard]] bool tail_is_full(std::size_t at) const;
  void put(Ask what, Found found);
  void put_layered(const Ask& what, Found found);
  void put_plain(const Ask& what, const Found& found);
  void put_one(const Ask& what, const Found& found);
  void put_halved(const Ask& what, const Found& found);
  [[nodiscard]] std::vector<ChannelRoom> rooms(const std::vector<ChannelBound>& bounds) const;
  [[nodiscard]] std::vector<Route> whole_routes(std::vector<Route> routes, std::size_t at) const;
  void take(std::vector<Route> routes, std::uint32_t risk_factor);
  [[nodiscard]] bool excludes_something() const;
  [[nodiscard]] bool uses_excluded(std::span<const Route> routes) const;
  void note_refused(std::span<const Route> routes);
  [[nodiscard]] std::optional<FailureDetail> limit_in_the_way() const;
  void next_target();

  // Why there is none.
  void note(const std::optional<RpcError>& error, bool layered);
  void explain();
  void ask_without_limits();
  void look_at_channels();
  void leave_something_out();
  [[nodiscard]] std::optional<FailureDetail> explain_own_channels(Msat fees) const;
  void explain_by_less(Ask what);
  void explain_by_more_parts(Ask what);
  void end(FailureDetail detail);

  RpcClient& client_;
  AdviceLayer& advice_;
  std::string layer_;  ///< the advice's, empty without
  RouteQuestion question_;
  PublicKey own_;
  Done done_;
  /// A hint, with all of the amount on its way.
  struct Target {
    const RouteHint* hint = nullptr;  ///< of the question
    HintTail tail;
  };
  std::vector<std::optional<Target>> targets_;  ///< the payee itself (nothing), then the hints
  bool hints_left_out_ = false;                 ///< because of what is excluded
  std::size_t target_ = 0;
  std::uint32_t parts_ = 1;  ///< asked for now; more than one only behind all targets in one piece
  std::vector<ChannelDirection>
      avoid_;  ///< what the question excludes, and our channels that --outgoing-chan-id does not name
  std::optional<std::vector<OwnChannel>> channels_;
  NearMisses refused_;
  std::optional<FailureDetail> refused_set_;  ///< of several routes: the first one's
  bool known_ = false;                        ///< some target is known to the network
  bool payee_known_ = false;                  ///< the payee itself is: ways to a hint could lead through it
  std::optional<std::size_t>
      probe_target_;          ///< such a one: a hint's entry rather than a payee that may have no public channel
  bool limits_told_ = false;  ///< getroutes was told limits
  std::optional<std::size_t> limited_target_;  ///< the one that a limit seems to keep out of reach
  std::string words_;                          ///< the node's
};

}  // namespace paytower::cln
