// One round of looks: the few questions that show everything about some payment hashes, in the order that makes the
// answers evidence.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/cln/evidence.h"
#include "core/switch/cln/reading.h"
#include "core/switch/rpc/client.h"

namespace paytower::cln {

/// First the marks, then the rows, then the HTLCs, then the movements, then the counter of deletions once more. So
/// nothing that happens between two questions can hide: what ran and ended after the rows were read is among the HTLCs,
/// its debit among the movements, and a deletion has moved the counter. If there is a debit without a row, the rows of
/// its hash are read again: somebody paid in between and wrote the row first, so the preimage must not be called lost.
/// Each question is asked only when the one before is answered, because the node promises no order among requests.
/// Counters and lists are asked for once, for all hashes of the round.
class LookRound : public std::enable_shared_from_this<LookRound> {
 public:
  struct Wanted {
    PaymentHash hash;
    std::optional<Counters> since;
  };
  using Done = std::function<void(std::vector<NodeLists>)>;

  /// At most this many hashes in a round (R16).
  static constexpr std::size_t max_hashes = 1'000;
  /// How many failures of one hash are asked about, the newest of each part.
  static constexpr std::size_t max_failures = 32;
  /// How many entries of a list are read. A longer list counts as one that the node does not have.
  static constexpr std::size_t max_list_entries = 1'000'000;

  /// `done` gets one result for each hash, without NodeLists::base_height and run. It is not called if the connection
  /// is lost first. `now` is the time that the ages of rows are counted to.
  LookRound(RpcClient& client, const std::vector<Wanted>& wanted, UnixNs now, Done done);
  /// REQUIRES: owned by a shared_ptr, which the round keeps alive until its end.
  void start();

 private:
  struct Item {
    NodeLists look;
    bool wants_htlcs = false;
    bool wants_movements = false;
    std::vector<Record> records;
    std::vector<std::pair<AttemptKey, Failure>> told{};  ///< why rows failed, if the node says it
  };

  void ask_counters();
  void ask_rows();
  void ask_failures();
  void ask_failure(Item& item, const AttemptKey& failed);
  void check_failures();
  static void take_failures(Item& item);
  void ask_htlcs();
  void read_htlcs(const RpcReply& reply, std::uint64_t start);
  void ask_movements();
  void read_movements(const RpcReply& reply, std::uint64_t start);
  void ask_rows_of_movements();
  [[nodiscard]] static bool all_debits_have_rows(const Item& item);
  void add_complete_records(Item& item, const RpcReply& reply);
  void ask_deletions();
  void finish();

  /// Calls `next` when every question of this step is answered.
  void ask(const std::string& method, const nlohmann::json& params, std::function<void(const RpcReply&)> read);
  void answered();
  void then(void (LookRound::*next)());
  void ask_counter(const char* subsystem, const char* index, std::optional<std::uint64_t> Counters::*mark);
  void take_records(Item& item, const RpcReply& reply);
  void abandon(const char* what);

  RpcClient& client_;
  std::map<PaymentHash, Item> items_;
  UnixNs now_;
  Done done_;
  Counters marks_;
  std::optional<std::uint64_t> htlcs_from_;  ///< the oldest mark of the round; nothing: no list is wanted
  std::optional<std::uint64_t> movements_from_;
  bool have_htlcs_ = false;
  bool have_movements_ = false;
  std::size_t entries_ = 0;
  std::size_t open_questions_ = 0;
  bool abandoned_ = false;
  void (LookRound::*next_)() = nullptr;
};

/// True if the node says that it does not have such a command, subsystem or parameter (an older node).
[[nodiscard]] bool not_known_there(const RpcReply& reply);

}  // namespace paytower::cln
