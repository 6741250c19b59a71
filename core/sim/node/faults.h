// What `simulate serve --faults SPEC` does to whoever talks to it. The same requests in the same order meet the same
// faults.
//
//   SPEC     = ITEM { "," ITEM }
//   ITEM     = SETTING | KIND "@" [ "after-" ] OCCASION [ ":" N [ "x" M ] | "~" K ]
//   OCCASION = a method, "fence" (a sendpay that is one), "connect", "end" (an HTLC has ended), or "*" (any method)
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
#include "core/sim/network.h"
#include "core/sim/node/node.h"

namespace paytower::sim {

/// What strikes one occasion, all items together.
struct RpcStrikes {
  std::optional<std::int64_t>
      unread_ns{};            ///< the connection is not read for so long; then the request runs, whoever has gone
  bool ignore = false;        ///< neither executed nor answered
  bool drop_reply = false;    ///< executed, not answered
  bool break_before = false;  ///< the connection is closed instead of executing
  bool break_after = false;
  std::optional<std::size_t> cut{};   ///< so many bytes of the answer, then the end of the connection
  std::int64_t late_ns = 0;           ///< the answer is made at once and told later
  bool garbage = false;               ///< instead of the answer: what is no JSON
  std::optional<std::size_t> big{};   ///< instead of the answer: one of so many bytes
  std::optional<std::size_t> deep{};  ///< instead of the answer: one nested so deep
  bool wrong_id = false;
  bool twice = false;
  std::optional<int> error_before{};  ///< this code instead of executing
  std::optional<int> error_after{};   ///< this code instead of the answer
  std::size_t shuffle = 0;            ///< answers are told in batches of so many, in an order of the seed
  bool restart_before = false;        ///< every connection breaks, what waits is forgotten
  bool restart_after = false;
  bool die_before = false;  ///< SIGKILL
  bool die_after = false;
  std::optional<std::int64_t> refuse_before{};  ///< as restart, and nobody is let in for so long
  std::optional<std::int64_t> refuse_after{};
  RpcOrders orders{};

  /// Nothing behind this request may be executed together with it.
  [[nodiscard]] bool ends_batch() const {
    return restart_before || restart_after || die_before || die_after || refuse_before || refuse_after;
  }
  [[nodiscard]] bool executes() const {
    return !ignore && !break_before && !error_before && !restart_before && !die_before && !refuse_before;
  }
};

class RpcFaults {
 public:
  /// Usage refusal for what is no SPEC. An empty one is no fault at all.
  [[nodiscard]] static Result<RpcFaults> parse(std::string_view spec);

  /// Counts the occasion and says what strikes it.
  [[nodiscard]] RpcStrikes strike(std::string_view occasion);
  [[nodiscard]] const RpcTraits& traits() const { return traits_; }
  /// The process shall be called "lightningd", as a client expects of the node's own process.
  [[nodiscard]] bool poses_as_lightningd() const { return poses_as_lightningd_ && !behind_forwarder_; }
  /// Somebody sits between the clients and the node: their connections outlive it, and so does what they have written.
  [[nodiscard]] bool behind_forwarder() const { return behind_forwarder_; }
  /// For the order of shuffled answers.
  [[nodiscard]] std::uint64_t draw(std::uint64_t bound) { return numbers_.below(bound); }

 private:
  struct Item {
    std::string occasion;
    bool after = false;
    std::uint32_t first = 1;
    std::uint32_t times = UINT32_MAX;
    std::uint32_t one_in = 0;  ///< 0: by count
    std::uint32_t seen = 0;
    RpcStrikes strikes{};  ///< what this item alone does
  };

  Result<std::monostate> read_item(std::string_view text);
  Result<std::monostate> read_occasion(std::string_view text, Item& item) const;
  bool read_setting(std::string_view name, std::string_view value);

  std::vector<Item> items_;
  RpcTraits traits_;
  bool poses_as_lightningd_ = false;
  bool behind_forwarder_ = false;
  SeededNumbers numbers_{1};
};

}  // namespace paytower::sim
