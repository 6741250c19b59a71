// What goes wrong at a simulated node: what, when, and for which payment. The same requests in the same order meet the
// same faults. The text of `simulate serve --faults SPEC`:
//
//   SPEC     = ITEM { "," ITEM }
//   ITEM     = SETTING | KIND [ "=" VALUE ] "@" [ "after-" ] OCCASION [ "/" HASH ] [ "#" PART ]
//              [ ":" N [ "x" M ] | "~" K ]
//   OCCASION = a method, "fence" (a sendpay that is one), "connect", "end" (an HTLC has ended), or "*" (any method)
//   "/HASH"    only if it is about this payment hash
//   "#PART"    only if it is about a part with this number (0: a payment in one part, without a number)
//   ":N"       only the N-th such occasion; ":NxM" M of them from the N-th on; nothing: every one
//   "~K"       one in K, drawn from the seed
//   "after-"   after the request is executed instead of before it
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"
#include "core/sim/network.h"

namespace paytower::sim {

enum class FaultKind : std::uint8_t {
  // Of the connection.
  unread,      ///< the request is read `value` ns later, and executed then, even if the client has gone
  ignore,      ///< neither executed nor answered
  drop_reply,  ///< executed, not answered
  late,        ///< the answer is made at once, but sent `value` ns later
  break_off,   ///< the connection is closed instead of executing, or after it
  close,       ///< `value` bytes of the answer, then the connection ends
  garbage,     ///< instead of the answer: something that is not JSON
  wrong_id,
  twice,
  big,      ///< instead of the answer: one with `value` bytes
  deep,     ///< instead of the answer: one nested `value` levels deep
  error,    ///< code `value` instead of executing, or instead of the answer
  shuffle,  ///< answers are sent in batches of `value`, in an order drawn from the seed
  restart,  ///< every connection breaks, and waiting requests are forgotten
  refuse,   ///< the same, and nobody can connect for `value` ns
  die,      ///< SIGKILL
  // Of the node.
  hold,          ///< a sendpay is executed when `value` ns have passed and the chain has the height `height`
  orphan,        ///< the row stays pending for ever, without an HTLC
  fail,          ///< the HTLC of a sendpay fails as `fail` says
  stall,         ///< our node hears of its end, whatever it is, `value` ns later; Hold::forever: when it is released
  orphan_fence,  ///< the same for a fence
  refuse_fence,  ///< no first peer, no row
  forget,        ///< every ended row of the hash is erased; HTLCs and counters stay
  lose_result,   ///< at "end": the row is erased at the moment in which it ends
  forget_all,    ///< every ended row is erased with its HTLCs; the counter shows the deletion
  new_store,     ///< the same node id with an empty store
  save,          ///< copies the node's store under the name `text`
  restore,       ///< the node restarts from that copy
  foreign_pay,   ///< another user of the node acts on the hash (ForeignAct), with group `group` and label `text`
  foreign_hold,
  foreign_fail,
  foreign_complete,
  settles_twice,  ///< the payee of the hash behaves like this (PayeeBehaviour)
  wrong_preimage,
  no_preimage,
  restart_payee,  ///< it waits again for what its incomplete sets lack
};

struct Fault {
  static constexpr std::uint32_t always = UINT32_MAX;

  FaultKind kind = FaultKind::ignore;
  std::string occasion{};
  std::int64_t value = 0;
  bool after = false;                   ///< after the execution
  std::optional<PaymentHash> hash{};    ///< nothing: any
  std::optional<std::uint32_t> part{};  ///< nothing: any
  std::uint32_t skip = 0;               ///< lets this many occasions pass first,
  std::uint32_t times = always;         ///< then strikes this often
  std::uint32_t one_in = 0;             ///< 0: by count
  std::uint32_t height = 0;
  std::uint64_t group = 0;  ///< for foreign_: its attempt id; 0 = one above all others of the hash
  std::string text{};       ///< for foreign_: empty = "another user of the node"
  std::optional<FailSpec> fail{};
};

/// The faults that one occasion meets.
struct ActiveFaults {
  std::vector<Fault> all{};

  /// The last one of this kind that was given.
  [[nodiscard]] const Fault* find(FaultKind kind, bool after = false) const;
  [[nodiscard]] bool has(FaultKind kind, bool after = false) const { return find(kind, after) != nullptr; }
  [[nodiscard]] std::optional<std::int64_t> value(FaultKind kind, bool after = false) const;
  /// Before the execution, or after it.
  [[nodiscard]] bool around(FaultKind kind) const { return has(kind) || has(kind, true); }
  /// No later request may be executed together with this one.
  [[nodiscard]] bool ends_batch() const {
    return around(FaultKind::restart) || around(FaultKind::die) || around(FaultKind::refuse);
  }
  [[nodiscard]] bool executes() const;
};

/// How this node differs from a healthy one of the present release.
struct RpcTraits {
  std::vector<std::string> without{};  ///< methods that an older node does not have
  std::uint32_t lag_blocks = 0;        ///< getinfo shows a height that is this far behind
};

/// The faults of one node. They live as long as the node.
class Faults {
 public:
  Faults() = default;
  explicit Faults(RpcTraits traits) : traits_(std::move(traits)) {}
  /// A usage refusal for text that is not a SPEC. Empty text means no faults.
  [[nodiscard]] static Result<Faults> parse(std::string_view spec);

  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }

  /// Counts the occasion, and says which faults it meets. `hash`, `part`: what it is about.
  [[nodiscard]] ActiveFaults at(std::string_view occasion, const std::optional<PaymentHash>& hash = {},
                                const std::optional<std::uint32_t>& part = {});

  [[nodiscard]] const RpcTraits& traits() const { return traits_; }
  /// Call the process "lightningd", as a client expects of the node's own process.
  [[nodiscard]] bool poses_as_lightningd() const { return poses_as_lightningd_ && !behind_forwarder_; }
  /// Somebody sits between the clients and the node: their connections outlive the node, and so does what they have
  /// written.
  [[nodiscard]] bool behind_forwarder() const { return behind_forwarder_; }
  /// For the order of shuffled answers.
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return numbers_.below(bound); }

 private:
  Result<std::monostate> read_item(std::string_view text);
  bool read_setting(std::string_view name, std::string_view value);

  std::vector<Fault> faults_;
  RpcTraits traits_;
  bool poses_as_lightningd_ = false;
  bool behind_forwarder_ = false;
  SeededNumbers numbers_{1};
};

}  // namespace paytower::sim
