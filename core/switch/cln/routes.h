// Routes from the node's own graph, checked against every limit before anybody uses them.
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

/// Asks getroutes (LayeredRoute): first for a route to the payee, then to the entry of each hint, with the store's
/// memory as advice if the question brings it. First for one part, then, if there is no route and the question allows
/// it, for several parts, which all go to the payee or all to the same entry. An older node is asked with getroute,
/// which only takes exclusions: if its route breaks the fee or the CLTV limit, it is asked once more with fees and
/// delays weighed the other way, and parts are found by halving (HalvedRoutes). Once for each connection we find out
/// which of the two a node has. With advice no reason is looked for: the caller asks again without advice (M1).
///
/// If there is no route, the answers so far often tell why: a route that breaks a limit, a payee that nobody knows.
/// Otherwise our own channels are asked for, and then one question leaves out what may be in the way: the exclusions,
/// the outgoing channels, or, if all had to go in one part, most of the amount. getroutes, which is told the limits, is
/// first asked without them. That makes at most three more questions, and none when there is a route.
class RouteSearch : public std::enable_shared_from_this<RouteSearch> {
 public:
  using Done = std::function<void(RouteAnswer)>;
  static constexpr std::size_t max_hints = 20;

  /// `done` is not called if the connection is lost first.
  RouteSearch(RpcClient& client, AdviceLayer& advice, RouteQuestion question, const PublicKey& own, Done done);
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  /// One question to the node, with whichever command. `limits`: those of the demand, for the command that takes them.
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
  void explain_by_less(Ask what, DetailCode meaning);
  void explain_by_more_parts(Ask what);
  void end(FailureDetail detail);

  RpcClient& client_;
  AdviceLayer& advice_;
  std::string layer_;  ///< the layer with the advice; empty without one
  RouteQuestion question_;
  PublicKey own_;
  Done done_;
  /// A hint, with the whole amount going over it.
  struct Target {
    const RouteHint* hint = nullptr;  ///< belongs to the question
    HintTail tail;
  };
  std::vector<std::optional<Target>> targets_;  ///< first the payee itself (nothing), then the hints
  bool hints_left_out_ = false;                 ///< because of an exclusion
  std::size_t target_ = 0;
  std::uint32_t parts_ = 1;  ///< how many are asked for now; more than one only after every target was tried with one
  /// What the question excludes, and our channels that --outgoing-chan-id does not name.
  std::vector<ChannelDirection> avoid_;
  std::optional<std::vector<OwnChannel>> channels_;
  NearMisses refused_;
  std::optional<FailureDetail> refused_set_;  ///< of several routes: the first detail
  bool known_ = false;                        ///< the network knows some target
  bool payee_known_ = false;                  ///< the network knows the payee: a way to a hint could lead through it
  /// A target that is known. The entry of a hint rather than a payee that may have no public channel.
  std::optional<std::size_t> probe_target_;
  bool limits_told_ = false;                   ///< getroutes was told the limits
  std::optional<std::size_t> limited_target_;  ///< the target that a limit seems to keep out of reach
  std::string words_;                          ///< what the node said
};

}  // namespace paytower::cln
