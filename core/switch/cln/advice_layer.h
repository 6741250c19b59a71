// A store's memory as an askrene layer of the node: what getroutes weighs, besides what it excludes (M1, M7).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

/// "paytower-<store id>": the one layer that a store keeps at a node. The layers of single questions, with their
/// exclusions, have longer names that begin with it.
[[nodiscard]] std::string advice_layer_name(const StoreId& store);
/// "paytower-<store id>-<seconds since 1970>-<random>"
[[nodiscard]] std::string question_layer_name(const StoreId& store, UnixNs now, const std::string& random);
/// True for the layer of a question of this store that is too old to be still in use: its process is dead.
inline constexpr std::int64_t question_life_seconds = 600;
[[nodiscard]] bool is_stale_question_layer(const std::string& name, const StoreId& store, UnixNs now);

/// On each connection, before the first question, the layer is looked for once: made if it is missing, made again if it
/// knows channels that the store's history no longer has (M7: a `delete` deletes the advice too), aged, and told what
/// it has not heard. Every later question only adds what was learned since. The node does not save the layer, so after
/// its restart it is filled again. What is older than a half-life is not told, and is aged away, because the node
/// itself does not weigh age.
///
/// A question that leaves nothing (RouteQuestion) gets a layer of its own with all of that in it, which take_away()
/// ends. The store's layer stays as it is.
class AdviceLayer {
 public:
  /// Called with the layer's name; an empty name if the node keeps no such layers, or the question wants no advice.
  using Ready = std::function<void(const std::string& layer)>;

  explicit AdviceLayer(RpcClient& client) : client_(client) {}
  void prepare(const RouteQuestion& question, Ready ready);
  /// Behind a question that leaves nothing: `then` is called when its layer is gone.
  void take_away(std::function<void()> then);
  /// The connection is lost, and with it all questions.
  void forget();
  /// The node has lost the layer: the next question looks for it again.
  void note_gone() {
    if (state_ == State::standing) state_ = State::unknown;
  }

 private:
  enum class State { unknown, looked_for, standing };

  void look_for();
  void take_names(const nlohmann::json& result);
  void take_content(const nlohmann::json& result);
  void make();
  void fill(std::int64_t known_until);
  void tell(const Lesson& lesson);
  void age();
  void answer();
  [[nodiscard]] bool offered(const RpcReply& reply, const char* method);

  RpcClient& client_;
  State state_ = State::unknown;
  StoreId store_{};
  std::string name_;
  UnixNs now_{};
  UnixNs aged_{};
  std::shared_ptr<const MissionControl> memory_;
  std::uint64_t told_ = 0;  ///< how many lessons of `memory_` the layer has
  std::vector<Ready> waiting_;
  std::uint64_t round_ = 0;  ///< answers to an earlier round mean nothing
};

}  // namespace paytower::cln
