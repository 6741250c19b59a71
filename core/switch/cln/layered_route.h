// Routes from a node that has getroutes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/parts/route_sets.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

struct LayeredQuestion {
  PublicKey from;
  PublicKey to;
  Msat amount;
  Msat fee_limit;
  std::uint32_t final_delay = 0;
  std::uint32_t cltv_limit = 0;
  std::vector<ChannelDirection> without_channels;
  std::vector<PublicKey> without_nodes;
  std::vector<ChannelPolicy> policies;  ///< newer than the node's graph
  std::vector<ChannelBound> bounds;     ///< everything that a set sends there must stay below these
  Loads occupied;                       ///< by our open parts
  Loads reservable;                     ///< the part of that on channels of others: the node knows its own
  std::uint32_t max_parts = 1;
  std::string advice;  ///< the store's layer; empty without one
  StoreId store{};
  UnixNs now{};
  bool leaves_nothing = false;  ///< the layer is gone before the answer comes
};

/// getroutes has no exclusions. So they are put into a layer of their own, which is removed after the question. If the
/// connection is lost, a later run finds the layer by its name and removes it (AdviceLayer), or the next start of the
/// node does. A node that ignores an exclusion may answer with what was excluded: the caller checks that.
///
/// What our open parts use is reserved in that layer, and goes away with it. A node before 25.12 would reserve it for
/// everybody and for ever: there each such channel gets a bound instead, by what the parts leave of its capacity
/// (cln/README 9).
class LayeredRoute : public std::enable_shared_from_this<LayeredRoute> {
 public:
  /// If routes are missing, this is the node's error, if it gave one.
  using Done = std::function<void(std::vector<Route>, const std::optional<RpcError>&)>;

  /// `done` gets no route if there is no set of at most `max_parts`. It is not called if the connection is lost first.
  LayeredRoute(RpcClient& client, LayeredQuestion question, Done done)
      : client_(client), question_(std::move(question)), done_(std::move(done)) {}
  /// REQUIRES: owned by a shared_ptr, which the question keeps alive until its end.
  void start();

 private:
  [[nodiscard]] bool needs_a_layer() const;
  void fill_layer(bool takes_reservations);
  void tell_policy(const ChannelPolicy& told);
  void tell_bounds(bool takes_reservations);
  void reserve_occupied();
  void bound_occupied();
  void bound_by_capacity(const ChannelDirection& channel, Msat occupied);
  void tell(const std::string& method, const nlohmann::json& params);
  void answered();
  void ask();
  void end(const RpcReply& reply);

  RpcClient& client_;
  LayeredQuestion question_;
  Done done_;
  std::string layer_;     ///< empty if there is nothing to put into it
  std::size_t open_ = 0;  ///< how many calls for the layer are not answered yet
};

}  // namespace paytower::cln
