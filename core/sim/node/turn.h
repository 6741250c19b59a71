// What the methods of RpcNode share. For their own sources only.
#pragma once

#include <memory>

#include "core/base/error.h"
#include "core/sim/admin.h"
#include "core/sim/node/node.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

inline constexpr std::uint32_t highest_delay = 2'016;  ///< of a route: the node's max-locktime-blocks

/// A transaction that is open already, for SimAdmin: what it does becomes part of the request's own transaction.
class OpenLedger final : public Ledger {
 public:
  explicit OpenLedger(LedgerTx& tx) : tx_(tx) {}
  void write(const std::function<void(LedgerTx&)>& work) override { work(tx_); }
  void read(const std::function<void(LedgerTx&)>& work) override { work(tx_); }
  [[nodiscard]] std::uint64_t change_counter() override { return 0; }

 private:
  LedgerTx& tx_;
};

/// A clock that shows one moment.
class StoppedClock final : public Clock {
 public:
  explicit StoppedClock(UnixNs wall) : wall_(wall) {}
  UnixNs wall() override { return wall_; }
  MonoNs mono() override { return {}; }
  void sleep_until(MonoNs /*until*/) override {}
  int stop_signal() override { return 0; }

 private:
  UnixNs wall_;
};

/// One request: its transaction, an engine that lives as long, and the faults that it meets.
struct RpcNode::Turn {
  Turn(LedgerTx& tx_in, const RpcMoment& moment_in, const ActiveFaults& met_in)
      : tx(tx_in), moment(moment_in), engine(tx_in, network_time(tx_in, moment_in.wall)), met(met_in) {}

  LedgerTx& tx;
  RpcMoment moment;
  Engine engine;
  const ActiveFaults& met;
};

struct RpcNode::Method {
  /// `all`: as the node's own `help` shows it, "name required [optional]"; must outlive this.
  Method(std::string_view all, RpcOutcome (RpcNode::*does)(Turn&, const Params&), bool may_write = false);

  std::string_view usage;
  std::string_view name;
  std::vector<ParamSpec> params;
  RpcOutcome (RpcNode::*run)(Turn&, const Params&);
  bool writes;
};

inline CallReply replied(Json body) { return CallReply{false, std::move(body)}; }

/// Seconds since 1970, as the node prints times.
[[nodiscard]] inline std::int64_t seconds_of(UnixNs at) { return at.value / ns_per_second; }
/// 64 hex digits that name a channel. A real node's channel ids are different, but just as unique.
[[nodiscard]] std::string channel_id_text(ShortChannelId id);

/// A row as listsendpays, sendpay and waitsendpay print it. `pending`: as it was before it ended.
[[nodiscard]] Json row_json(const Row& row, bool pending = false);
/// How the node says that the row has failed. `live`: to a client that was waiting. Otherwise from its database, where
/// a later failure of the same hash and part has overwritten the details (cln/README 4).
[[nodiscard]] CallError payment_error(LedgerTx& tx, const Row& row, bool live);
/// The answer to waitsendpay. Nothing as long as the row is pending.
[[nodiscard]] std::optional<CallReply> payment_answer(LedgerTx& tx, const AttemptKey& key, bool live);
/// The answer to sendpay.
[[nodiscard]] CallReply send_answer(LedgerTx& tx, const Handover* handover, const SendResult& result);

}  // namespace paytower::sim
