// Core Lightning's commands over the simulated network: one request, one transaction of the ledger, one answer. No
// socket, no clock. The man page paytower-switch(7) says what each answer means to a client.
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
#include "core/sim/graph.h"
#include "core/sim/node/call.h"
#include "core/sim/node/faults.h"
#include "core/sim/terms.h"

namespace paytower::sim {

/// The two clocks, read once for everything in one transaction.
struct RpcMoment {
  UnixNs wall;
  MonoNs mono;
};

/// A request that is answered later.
struct RpcWait {
  enum class Kind : std::uint8_t {
    late_send,  ///< a sendpay that a fault holds back
    payment,    ///< waitsendpay
    counter,    ///< wait
  };
  Kind kind = Kind::payment;
  AttemptKey key{};                  ///< for late_send and payment
  std::optional<MonoNs> deadline{};  ///< for payment: then the answer is error 200
  Number counter{};                  ///< for counter: answered when it has reached `value`
  std::uint64_t value = 0;
  std::string subsystem{};
  std::string index{};
};

/// Never answered. `disconnect`: the connection breaks too.
struct RpcSilence {
  bool disconnect = false;
};

using RpcOutcome = std::variant<CallReply, RpcWait, RpcSilence>;

class RpcNode {
 public:
  explicit RpcNode(Faults faults = {}) : faults_(std::move(faults)) {}

  /// True if executing the request may write to the ledger, not counting faults.
  [[nodiscard]] static bool may_write(const RpcCall& call);
  /// A sendpay that can only be a fence: its first HTLC carries all the money there is (cln/README 6).
  [[nodiscard]] static bool is_fence(const RpcCall& call);
  [[nodiscard]] static std::optional<PaymentHash> hash_of(const RpcCall& call);
  /// Which part the request is about. Nothing for a method without parts.
  [[nodiscard]] static std::optional<std::uint32_t> part_of(const RpcCall& call);

  /// Does what is due, with the faults of what ends.
  void advance(LedgerTx& tx, UnixNs wall);
  /// Executes one request, and the faults that it meets, after everything due is done. Faults of a request that names
  /// no payment are for the payment that was named last.
  [[nodiscard]] RpcOutcome execute(LedgerTx& tx, const RpcCall& call, const RpcMoment& moment,
                                   const ActiveFaults& met = {});
  /// The answer to a waiting request. Nothing as long as it must wait.
  [[nodiscard]] std::optional<RpcOutcome> settle(LedgerTx& tx, const RpcWait& wait, const RpcMoment& moment);
  /// Until this call, the results of requests that were held back are kept.
  void forget_late() { late_.clear(); }

  [[nodiscard]] Faults& faults() { return faults_; }

  /// Somebody asked for `stop`, and it was answered.
  [[nodiscard]] bool stop_asked() const { return stop_asked_; }

 private:
  struct Turn;  ///< what a method works with
  struct Method;
  static const std::vector<Method>& methods();
  static const Method* find(std::string_view name);
  /// Does what a fault does to the node, for the payment that it met. `ended`: the attempt whose end it met.
  static void spoil(Turn& turn, const Fault& fault, const PaymentHash& hash, const std::optional<AttemptKey>& ended);

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
  RpcOutcome reserve(Turn& turn, const Params& params);
  RpcOutcome unreserve(Turn& turn, const Params& params);
  RpcOutcome list_reservations(Turn& turn, const Params& params);

  /// What getroutes should avoid, or prefer. Layers outlive their connection and end with the process.
  struct Layer {
    std::vector<ChannelDirection> channels{};
    std::vector<PublicKey> nodes{};
    std::vector<ChannelPolicy> policies{};
    std::shared_ptr<MissionControl> constraints = std::make_shared<MissionControl>();
  };
  Layer& layer(const Params& params);
  /// What somebody says is under way over a channel. Ends with the process too.
  struct Reservation {
    ChannelDirection channel{};
    Msat amount{};
    std::string layer{};  ///< only for questions that name this layer; empty: for all
    MonoNs since{};
    std::uint64_t command = 0;  ///< which command made it
  };
  [[nodiscard]] std::vector<Reservation> read_reservations(const Params& params) const;
  /// What the layers (named in `layers`) say against each direction: their limits, if `limits`, and reservations.
  [[nodiscard]] Room room(LedgerTx& tx, const std::vector<std::string>& layers, bool limits) const;

  const Graph& graph(LedgerTx& tx);

  Faults faults_;
  PaymentHash last_hash_{};  ///< of all requests so far
  std::vector<LateSend> late_;
  std::map<std::string, Layer> layers_;
  std::vector<Reservation> reservations_;
  std::uint64_t reserve_commands_ = 0;
  std::optional<Graph> graph_;
  std::int64_t graph_version_ = -1;
  bool stop_asked_ = false;
};

}  // namespace paytower::sim
