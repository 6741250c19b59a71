// What goes wrong at a simulated node: what, when, and with whose payment. The same requests in the same order meet the
// same faults. As `simulate serve --faults SPEC` takes them:
//
//   SPEC     = ITEM { "," ITEM }
//   ITEM     = SETTING | KIND [ "=" VALUE ] "@" [ "after-" ] OCCASION [ "/" HASH ] [ "#" PART ]
//              [ ":" N [ "x" M ] | "~" K ]
//   OCCASION = a method, "fence" (a sendpay that is one), "connect", "end" (an HTLC has ended), or "*" (any method)
//   "/HASH"    only where it is about this payment hash
//   "#PART"    only where it is about a part of this number (0: a payment in one piece without number)
//   ":N"       only the N-th such occasion; ":NxM" M of them from the N-th on; nothing: every one
//   "~K"       one in K, drawn from the seed
//   "after-"   behind the execution of the request instead of before it
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
  unread,      ///< the request is read `value` ns later; it runs then, whoever has gone
  ignore,      ///< neither executed nor answered
  drop_reply,  ///< executed, not answered
  late,        ///< the answer is made at once and told `value` ns later
  break_off,   ///< the connection is closed instead of executing, or behind it
  close,       ///< `value` bytes of the answer, then the end of the connection
  garbage,     ///< instead of the answer: what is no JSON
  wrong_id,
  twice,
  big,      ///< instead of the answer: one of `value` bytes
  deep,     ///< instead of the answer: one nested `value` levels deep
  error,    ///< code `value` instead of executing, or instead of the answer
  shuffle,  ///< answers are told in batches of `value`, in an order of the seed
  restart,  ///< every connection breaks, what waits is forgotten
  refuse,   ///< the same, and nobody is let in for `value` ns
  die,      ///< SIGKILL
  // Of the node.
  hold,          ///< a sendpay is executed once `value` ns have passed and the chain stands at `height`
  orphan,        ///< the row stays pending for ever, and there is no HTLC
  fail,          ///< the HTLC of a sendpay fails as `fail` says
  stall,         ///< its end, whatever it is, is heard of `value` ns later; Hold::forever: once it is released
  orphan_fence,  ///< the same of a fence
  refuse_fence,  ///< no first peer, no row
  forget,        ///< every ended row of the hash goes; HTLCs and counters stay
  lose_result,   ///< at "end": the row goes in the moment in which it ends
  forget_all,    ///< every ended row goes, with its HTLCs; the deletion shows in the counter
  new_store,     ///< the same node id with an empty store
  save,          ///< the node's store is copied, under the name `text`
  restore,       ///< the node starts again from that copy
  foreign_pay,   ///< another user of the node acts on the hash (ForeignAct), with group `group` and label `text`
  foreign_hold,
  foreign_fail,
  foreign_complete,
  settles_twice,  ///< the payee of the hash behaves so (PayeeBehaviour)
  wrong_preimage,
  no_preimage,
  restart_payee,  ///< it waits anew for what is missing of its sets
};

struct Fault {
  static constexpr std::uint32_t always = UINT32_MAX;

  FaultKind kind = FaultKind::ignore;
  std::string occasion{};
  std::int64_t value = 0;
  bool after = false;                   ///< behind the execution
  std::optional<PaymentHash> hash{};    ///< nothing: whichever comes
  std::optional<std::uint32_t> part{};  ///< nothing: whichever comes
  std::uint32_t skip = 0;               ///< passes so many occasions first,
  std::uint32_t times = always;         ///< then strikes so many
  std::uint32_t one_in = 0;             ///< 0: by count
  std::uint32_t height = 0;
  std::uint64_t group = 0;  ///< of foreign_: its attempt id; 0 = one above all others of the hash
  std::string text{};       ///< of foreign_: empty = "another user of the node"
  std::optional<FailSpec> fail{};
};

/// What one occasion meets.
struct ActiveFaults {
  std::vector<Fault> all{};

  /// The one of this kind that was given last.
  [[nodiscard]] const Fault* find(FaultKind kind, bool after = false) const;
  [[nodiscard]] bool has(FaultKind kind, bool after = false) const { return find(kind, after) != nullptr; }
  [[nodiscard]] std::optional<std::int64_t> value(FaultKind kind, bool after = false) const;
  /// Before the execution or behind it.
  [[nodiscard]] bool around(FaultKind kind) const { return has(kind) || has(kind, true); }
  /// Nothing behind this request may be executed together with it.
  [[nodiscard]] bool ends_batch() const {
    return around(FaultKind::restart) || around(FaultKind::die) || around(FaultKind::refuse);
  }
  [[nodiscard]] bool executes() const;
};

/// How this node differs from a healthy, present one.
struct RpcTraits {
  std::vector<std::string> without{};  ///< methods that an older node does not know
  std::uint32_t lag_blocks = 0;        ///< getinfo shows a height that is so far behind
};

/// The faults of one node. They live as long as it does.
class Faults {
 public:
  Faults() = default;
  explicit Faults(RpcTraits traits) : traits_(std::move(traits)) {}
  /// Usage refusal for what is no SPEC. An empty one is no fault at all.
  [[nodiscard]] static Result<Faults> parse(std::string_view spec);

  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }

  /// Counts the occasion and says what it meets. `hash`, `part`: what it is about.
  [[nodiscard]] ActiveFaults at(std::string_view occasion, const std::optional<PaymentHash>& hash = {},
                                const std::optional<std::uint32_t>& part = {});

  [[nodiscard]] const RpcTraits& traits() const { return traits_; }
  /// The process shall be called "lightningd", as a client expects of the node's own process.
  [[nodiscard]] bool poses_as_lightningd() const { return poses_as_lightningd_ && !behind_forwarder_; }
  /// Somebody sits between the clients and the node: their connections outlive it, and so does what they have written.
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
