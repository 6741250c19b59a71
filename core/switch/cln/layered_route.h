// Routes from a node that offers getroutes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
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
  std::string advice;                   ///< the store's layer, empty without one
  StoreId store{};
  UnixNs now{};
};

/// getroutes knows no exclusions: they are put into a layer of their own, which is taken away behind the question. What
/// a lost connection leaves there is found by its name and removed by a later run (AdviceLayer), or goes with the
/// node's next start. A node that does not take an exclusion may answer with what was excluded: whoever asked checks
/// that.
class LayeredRoute : public std::enable_shared_from_this<LayeredRoute> {
 public:
  /// The node's error stands beside a missing route, where it gave one.
  using Done = std::function<void(std::optional<Route>, const std::optional<RpcError>&)>;

  /// `done` gets nothing where there is no route in one part, and is not called when the connection is lost before.
  LayeredRoute(RpcClient& client, LayeredQuestion question, Done done)
      : client_(client), question_(std::move(question)), done_(std::move(done)) {}
  /// REQUIRES: owned by a shared_ptr, which the question keeps alive until its end.
  void start();

 private:
  void exclude();
  void exclude_one(const std::string& method, const nlohmann::json& params);
  void ask();
  void end(const RpcReply& reply);

  RpcClient& client_;
  LayeredQuestion question_;
  Done done_;
  std::string layer_;     ///< empty without exclusions
  std::size_t open_ = 0;  ///< exclusions that are not answered yet
};

}  // namespace paytower::cln
