// What happens in a simulated network: HTLCs travel, wait, settle or fail, and our node remembers it. An engine lives
// for one transaction of the ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sim/ledger.h"

namespace paytower::sim {

/// The network's time at this wall clock (see Number::time_offset_ns).
[[nodiscard]] UnixNs network_time(LedgerTx& tx, UnixNs wall);
/// When the next flight or held request is due at this height. Nothing: nothing changes until somebody acts.
[[nodiscard]] std::optional<UnixNs> next_event(LedgerTx& tx);
/// "...:fence": the label of a fence, made from the label of its attempt.
[[nodiscard]] std::string fence_label(std::string_view label);
/// For a sendpay without groupid: one above all others of the hash.
[[nodiscard]] std::uint64_t group_above(LedgerTx& tx, const PaymentHash& hash);

/// What our node answers to a request to pay, with the code that Core Lightning's sendpay would give.
struct SendResult {
  enum class Kind {
    pending,   ///< there is a row, from this request or from an earlier equal one
    complete,  ///< no HTLC by this call: a row of the hash with the same part and amount is complete already
    busy,      ///< 200: another attempt of the hash is in the way; no HTLC
    /// 201: this attempt has failed or is a different one, or the hash is paid otherwise; no HTLC by this call.
    exists,
    not_sent,  ///< 204 without row, 203, -32602: no HTLC and no row
  };
  Kind kind = Kind::not_sent;
  int code = 0;              ///< 0 with pending and complete
  std::optional<Row> row{};  ///< with pending and complete
  Failure failure{};         ///< with the others: a message for people
  /// Not_sent: the first channel refused. Core Lightning makes a row for this (add_refused_row).
  bool by_channel = false;
};

struct SendOptions {
  bool foreign = false;             ///< another user of the node
  std::optional<ForeignAct> act{};  ///< replaces what the payee would do
  bool orphan = false;              ///< the row is made and stays pending for ever: no HTLC
  std::optional<FailSpec> fail{};   ///< replaces what the invoice says
  Hold stall{};                     ///< how long the end of the HTLC is held back on its way
};

/// An attempt that a hold fault kept back and that has been executed now.
struct LateSend {
  AttemptKey key;
  SendResult result;
};

/// What an advance did.
struct Progress {
  std::vector<AttemptKey> ended;  ///< attempts whose rows may have changed
  std::vector<LateSend> late;
};

/// How an attempt ended, as its row shows it: the payee's behaviour decides which preimage is shown.
void write_end(Row& row, UnixNs at, bool settled, const std::optional<Failure>& failure,
               const std::optional<Invoice>& invoice);

class Engine {
 public:
  /// `tx` must outlive this. `now` is the network's time.
  Engine(LedgerTx& tx, UnixNs now) : tx_(tx), now_(now) {}

  /// Does everything that is due, each thing at its own time.
  void advance();
  /// What has been done since the last call.
  [[nodiscard]] Progress take_progress();
  /// Without faults: a request is executed at once.
  SendResult send(const Handover& handover, const SendOptions& options = {});
  /// A row with the fence's label takes the id. `orphan`: it stays pending for ever. REQUIRES: send() has found nothing
  /// in the way.
  void fence(const Handover& handover, bool orphan);

  /// Another user of the node acts. Errc::not_found without an invoice, in_flight, already_paid, switch_unavailable.
  [[nodiscard]] Result<AttemptId> foreign(const PaymentHash& hash, ForeignAct act, std::string_view label,
                                          std::uint64_t group);
  /// Some HTLC of the hash is still under way although the payee has given its preimage: our node has not heard of it
  /// yet.
  [[nodiscard]] bool payee_has_settled(const Invoice& invoice);
  /// Returns how many HTLCs were held. REQUIRES, if a failure is given: the payee has not settled.
  std::size_t release(Invoice& invoice, const std::optional<std::uint32_t>& fail_wire_code);
  /// The failed row that Core Lightning keeps of a request that its own channel refused. REQUIRES: send() said so.
  void add_refused_row(const Handover& handover, const Failure& failure);
  /// As SendOptions::orphan, whatever else there is of the hash.
  void add_orphan_row(const Handover& handover);
  /// The payee restarts: it waits again for what its incomplete sets lack.
  void restart_payee(const PaymentHash& hash);
  /// False if there is no such copy. The peers tell the restored node what has ended in between.
  [[nodiscard]] bool restore(std::string_view name);
  /// The same node id with an empty store.
  void new_store();
  void hold_back(const Handover& handover, UnixNs not_before, std::uint32_t min_height);

  [[nodiscard]] UnixNs now() const { return now_; }

 private:
  std::uint64_t next(Number counter);
  std::optional<SendResult> earlier_rows(const Handover& handover);
  struct LocalRefusal {
    Failure failure;
    bool by_channel = false;
  };
  [[nodiscard]] bool is_full(ShortChannelId channel);
  std::optional<LocalRefusal> local_check(const Route& route);
  Row add_row(const Handover& handover, RowState state, std::string_view label, const std::optional<Failure>& failure);
  void launch(const Handover& handover, const SendOptions& options);
  [[nodiscard]] UnixNs set_deadline(const PaymentHash& hash);
  void end_set(const PaymentHash& hash, const std::optional<UnixNs>& first, const std::optional<FailureCode>& code);
  [[nodiscard]] std::optional<UnixNs> due_after(const Hold& hold);

  void end(const Flight& flight);
  void end_row(const Flight& flight, const std::optional<Invoice>& invoice);
  void finish_htlc(const AttemptKey& key, std::optional<std::uint64_t> index);
  void debit(const AttemptKey& key, Msat amount);
  void catch_up_row(Row row);

  LedgerTx& tx_;
  UnixNs now_;
  Progress progress_;
};

}  // namespace paytower::sim
