// Core Lightning's commands over the simulated network: one request, one transaction of the ledger, one answer. No
// socket, no clock. What each answer means to a client stands in man page paytower-switch(7).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/sim/engine.h"
#include "core/sim/faults.h"
#include "core/sim/graph.h"
#include "core/sim/node/call.h"

namespace paytower::sim {

/// The two clocks, read once for all that is done in one transaction.
struct RpcMoment {
  UnixNs wall;
  MonoNs mono;
};

/// How this node differs from a healthy, present one.
struct RpcTraits {
  std::vector<std::string> without{};  ///< methods that an older node does not know
  std::uint32_t lag_blocks = 0;        ///< getinfo shows a height that is so far behind
};

/// Something that is done to the node beside a request (see core/sim/node/faults.h).
struct RpcOrder {
  enum class Kind : std::uint8_t {
    fault,       ///< `fault`, struck at once; its step is not read
    save_copy,   ///< of the node's store, under fault.text
    forget_all,  ///< every ended row goes, with its HTLCs; the deletion shows in the counter
    new_store,   ///< the same node id with an empty store
    behaviour,   ///< the payee of the hash takes `behaviour` on
  };
  Kind kind = Kind::fault;
  Fault fault{};
  PayeeBehaviour behaviour = PayeeBehaviour::honest;
};

/// What is done around one request.
struct RpcOrders {
  std::vector<RpcOrder> before{};
  std::vector<RpcOrder> after{};
};

/// A request that is answered later.
struct RpcWait {
  enum class Kind : std::uint8_t {
    late_send,  ///< sendpay that a fault holds back
    payment,    ///< waitsendpay
    counter,    ///< wait
  };
  Kind kind = Kind::payment;
  AttemptKey key{};                  ///< of late_send and payment
  std::optional<MonoNs> deadline{};  ///< of payment: then error 200
  Number counter{};                  ///< of counter: answered once it has reached `value`
  std::uint64_t value = 0;
  std::string subsystem{};
  std::string index{};
};

/// Never answered; `disconnect`: and the connection breaks.
struct RpcSilence {
  bool disconnect = false;
};

using RpcOutcome = std::variant<CallReply, RpcWait, RpcSilence>;

class RpcNode {
 public:
  explicit RpcNode(RpcTraits traits = {}) : traits_(std::move(traits)) {}

  /// True when executing the request may write to the ledger, faults of the ledger aside.
  [[nodiscard]] static bool may_write(const RpcCall& call);
  /// A sendpay that can only be a fence: its first HTLC carries all money there is (cln/README 6).
  [[nodiscard]] static bool is_fence(const RpcCall& call);
  [[nodiscard]] static std::optional<PaymentHash> hash_of(const RpcCall& call);

  /// Does what is due. The attempts whose rows it may have changed.
  std::vector<AttemptKey> advance(LedgerTx& tx, UnixNs wall);
  /// Executes one request in a network that is up to date. `hash`: whom orders mean where the request names nobody.
  [[nodiscard]] RpcOutcome execute(LedgerTx& tx, const RpcCall& call, const RpcMoment& moment,
                                   const RpcOrders& orders = {}, const std::optional<PaymentHash>& hash = {});
  /// Strikes one order for a hash, outside of any request.
  void obey(LedgerTx& tx, const RpcOrder& order, const std::optional<PaymentHash>& hash, UnixNs wall);
  /// The answer to a waiting request; nothing while it must wait.
  [[nodiscard]] std::optional<RpcOutcome> settle(LedgerTx& tx, const RpcWait& wait, const RpcMoment& moment);
  /// What became of held hand-overs is kept until here.
  void forget_late() { late_.clear(); }

  /// `stop` was asked; the answer has been made.
  [[nodiscard]] bool stop_asked() const { return stop_asked_; }

 private:
  struct Turn;  ///< what a method works with
  struct Method;
  static const std::vector<Method>& methods();
  static const Method* find(std::string_view name);
  static void obey(Turn& turn, const RpcOrder& order, const std::optional<PaymentHash>& hash);

  RpcOutcome getinfo(Turn& turn, const Params& params);
  RpcOutcome help(Turn& turn, const Params& params);
  RpcOutcome notifications(Turn& turn, const Params& params);
  RpcOutcome stop(Turn& turn, const Params& params);
  RpcOutcome invoice(Turn& turn, const Params& params);
  RpcOutcome decode(Turn& turn, const Params& params);

  RpcOutcome sendpay(Turn& turn, const Params& params);
  RpcOutcome fence(Turn& turn, const Handover& handover);
  RpcOutcome waitsendpay(Turn& turn, const Params& params);
  RpcOutcome delpay(Turn& turn, const Params& params);

  RpcOutcome listsendpays(Turn& turn, const Params& params);
  RpcOutcome listhtlcs(Turn& turn, const Params& params);
  RpcOutcome listchannelmoves(Turn& turn, const Params& params);
  RpcOutcome wait(Turn& turn, const Params& params);

  RpcOutcome getroute(Turn& turn, const Params& params);
  RpcOutcome listchannels(Turn& turn, const Params& params);
  RpcOutcome listpeerchannels(Turn& turn, const Params& params);

  RpcOutcome create_layer(Turn& turn, const Params& params);
  RpcOutcome update_channel(Turn& turn, const Params& params);
  RpcOutcome disable_node(Turn& turn, const Params& params);
  RpcOutcome list_layers(Turn& turn, const Params& params);
  RpcOutcome inform_channel(Turn& turn, const Params& params);
  RpcOutcome age_layer(Turn& turn, const Params& params);
  RpcOutcome remove_layer(Turn& turn, const Params& params);
  RpcOutcome getroutes(Turn& turn, const Params& params);

  /// What getroutes shall keep away from, or prefer. They outlive their connection, and go with the process.
  struct Layer {
    std::vector<ChannelDirection> channels{};
    std::vector<PublicKey> nodes{};
    std::vector<ChannelPolicy> policies{};
    std::shared_ptr<MissionControl> constraints = std::make_shared<MissionControl>();
  };
  Layer& layer(const Params& params);

  const Graph& graph(LedgerTx& tx);

  RpcTraits traits_;
  std::vector<LateSend> late_;
  std::map<std::string, Layer> layers_;
  std::optional<Graph> graph_;
  std::int64_t graph_version_ = -1;
  bool stop_asked_ = false;
};

}  // namespace paytower::sim
