// What the driver needs of the world: it sees these and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/driver/mission_control.h"
#include "core/invoice/route_hint.h"
#include "core/payment/failure_detail.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"
#include "core/payment/policy.h"

namespace paytower {

// --- the switch ---

/// What a kind of switch promises beyond the contract, or does not.
struct Capabilities {
  /// Two hand-overs of one attempt make one HTLC (R4). Otherwise only the process that drew the attempt hands it over,
  /// once.
  bool same_again = true;
  Msat min_amount = Msat::of(1);  ///< of a payment
  bool metadata = true;           ///< the payee gets the metadata of its invoice (BOLT 11 field m)
};

/// Everything that a hand-over says; two hand-overs of one attempt are equal in every field (R4).
struct Handover {
  AttemptKey key;
  std::string label;  ///< attempt_label()
  Route route;
  Msat amount;  ///< what the payee asked for in all its parts
  std::optional<PaymentSecret> payment_secret;
  std::optional<Bytes> metadata;
  std::string invoice;              ///< BOLT 11 text, empty without one
  std::string description;          ///< the invoice's own, empty where it has none or only the hash of one
  std::optional<UnixNs> dies_at{};  ///< Attempt::dies_at
  std::optional<std::uint32_t> total_time_lock{};  ///< Attempt::total_time_lock
};

/// What a channel did not carry for this payment.
struct ChannelBound {
  ChannelDirection channel;
  Msat below;
  auto operator<=>(const ChannelBound&) const = default;
};

/// One piece is to be tried first, then up to `max_parts`. Own channels count as the switch knows them.
struct RouteQuestion {
  std::uint64_t ticket = 0;  ///< comes back with the answer
  RouteDemand demand;        ///< of what is still missing, all parts together
  std::uint32_t max_parts = 1;
  std::vector<Route> beside{};  ///< of our open parts: what they occupy
  std::vector<RouteHint> hints;
  std::vector<ChannelDirection> excluded_channels;
  std::vector<PublicKey> excluded_nodes;
  /// Channels that may carry less than what they failed to carry: all that a set sends over one of them must stay
  /// below, together with `beside`.
  std::vector<ChannelBound> bounds{};
  /// Another question follows where this one finds no way: no reason is asked for.
  bool tentative = false;
  /// M4: what nodes on the way have told this payment of their channels, newer than the graph. The hints have it
  /// already.
  std::vector<ChannelPolicy> policies{};
  /// What other payments met, and this one: advice, which excludes nothing (M1). Nothing: none is wanted.
  std::shared_ptr<const MissionControl> memory{};
  StoreId store{};  ///< whose memory it is
  UnixNs now{};
  bool leaves_nothing = false;  ///< what is made at the switch for it is taken away again before the answer
};

struct IdentityAnswer {
  SwitchKey key;
  std::uint32_t height = 0;
  std::string run{};  ///< names this run of its process; empty where that cannot be told
  Capabilities capabilities{};
};
struct LookAnswer {
  PaymentHash hash;
  std::shared_ptr<const Shown> shown;
};
struct RouteAnswer {
  std::uint64_t ticket = 0;
  std::vector<Route> routes;  ///< together they deliver all that was asked for; empty: there are none
  FailureReason reason = FailureReason::no_route;  ///< why there is none: no_route or insufficient_balance
  FailureDetail detail{};                          ///< and in finer words, as far as the switch can tell
  /// Advice was weighed in: a question without it may find more, and only its answer explains why there is none (M1).
  bool advised = false;
};
[[nodiscard]] inline RouteAnswer routes_answer(std::uint64_t ticket, std::vector<Route> routes) {
  RouteAnswer answer;
  answer.ticket = ticket;
  answer.routes = std::move(routes);
  return answer;
}
/// There is none, and why.
[[nodiscard]] inline RouteAnswer no_route_answer(std::uint64_t ticket, FailureDetail detail) {
  const FailureReason reason = reason_of(detail);
  return RouteAnswer{ticket, {}, reason, std::move(detail), false};
}
struct DispatchAnswer {
  enum class Kind {
    accepted,  ///< a record of exactly this attempt exists and is durable
    not_sent,  ///< this request made no HTLC; says nothing of earlier copies
    look,      ///< says nothing by itself: look
  };
  AttemptKey key;
  Kind kind = Kind::look;
  Failure failure{};  ///< of not_sent
};
struct QueryAnswer {
  enum class Kind { settled, failed, look };  ///< look: no record, or an answer that proves nothing
  AttemptKey key;
  Kind kind = Kind::look;
  Preimage preimage{};  ///< of settled; not yet checked
  Failure failure{};    ///< of failed
  Bytes message{};      ///< and the erring node's own words as they came (BOLT 4's failure message), empty without
};
struct FenceAnswer {
  enum class Kind {
    fenced,
    barred,  ///< no row of the attempt, and none can be made: another part of its round is complete
    look,    ///< the attempt itself won, or the fence did not take
  };
  AttemptKey key;
  Kind kind = Kind::look;
};
/// What was to be released is, or is not: a look tells.
struct ReleaseAnswer {
  PaymentHash hash;
};
/// One row of the switch that a store of ours made, with what is needed to make a record of it.
struct OwnRow {
  PaymentHash hash;
  SwitchRow row;
  std::string invoice;  ///< BOLT 11 text, empty without one
  UnixNs created{};
};
struct OwnRowsAnswer {
  std::vector<OwnRow> rows;
};

/// What a switch has to show of a store, if that is no old copy of itself (R12).
struct StoreTrace {
  StoreId store;
  UnixNs made;                   ///< when the store was made: no row of its is older
  std::optional<Marks> since{};  ///< of the store's newest attempt at this switch
};
/// The store's attempt ids among the newest rows; at least that of its very newest row since the trace, if there is
/// one.
struct NewestOwnAnswer {
  std::vector<AttemptId> ids;
};
/// Nothing asked before will be answered any more; what was handed over stays open.
struct Disconnected {
  std::string why;
  bool reached = false;  ///< somebody answers there: worth another connection, also for what is not recorded
};

using SwitchEvent = std::variant<IdentityAnswer, LookAnswer, RouteAnswer, DispatchAnswer, QueryAnswer, FenceAnswer,
                                 ReleaseAnswer, OwnRowsAnswer, NewestOwnAnswer, Disconnected>;

/// Whatever forwards HTLCs. All calls but poll only queue and return at once. Contract: man page paytower-switch(7):
/// an accepted attempt is durable before the answer; one id makes at most one HTLC while its record lives; a fenced id
/// makes none; a look shows everyone's attempts of the hash.
class Switch {
 public:
  virtual ~Switch() = default;
  /// First question on every connection.
  virtual void identify() = 0;
  /// `since`: what is shown must reach back to these marks, of our first attempts of the hash; none = no own attempt is
  /// asked about.
  virtual void look(const PaymentHash& hash, std::span<const Marks> since) = 0;
  virtual void ask_route(const RouteQuestion& question) = 0;
  virtual void dispatch(const Handover& handover) = 0;
  /// Answered when the attempt has ended, or when there is no record of it.
  virtual void query(const AttemptKey& key) = 0;
  /// Makes the id unusable for ever, unless the attempt was accepted before. Where the switch knows no ids, it proves
  /// instead that no copy of the hand-over is on its way any more; its time must be over.
  virtual void fence(const Handover& handover) = 0;
  /// Ends a record that keeps the hash busy (LookResult::to_release). Answered with ReleaseAnswer; a look that is asked
  /// for later shows what became of it.
  virtual void release(const PaymentHash& hash, const StoreId& store) = 0;
  /// What a hand-over that is registered now is bound to; nothing where copies of it do no harm. Known once the switch
  /// has said who it is.
  [[nodiscard]] virtual std::optional<HandoverTerms> terms() const = 0;
  /// Every row, of any hash, whose label names `store` (resolve --restored): answered with OwnRowsAnswer.
  virtual void list_own(const StoreId& store) = 0;
  /// Once a connection: which attempts of the store the switch has seen last. Answered with NewestOwnAnswer, which is
  /// empty where the switch cannot tell.
  virtual void newest_own(const StoreTrace& trace) = 0;
  /// Waits until something can be told, `until` has come, or a signal arrived; then tells all there is, in order.
  /// Throws SwitchError when the switch can never be talked to.
  [[nodiscard]] virtual std::vector<SwitchEvent> poll(MonoNs until) = 0;
};

// --- the control tower ---

/// One payment's writes of a tick. All of them are stored, or none.
struct PaymentWrites {
  const Payment* payment =
      nullptr;  ///< as it is before the writes; index 0 exactly when the first write is InitPayment
  std::span<const Write> writes;
};

/// What the store gave to new rows.
struct Stored {
  PaymentIndex index;
};

/// All that a store knows of a hash before a payment is decided about.
struct HashState {
  std::optional<Payment> payment;  ///< what decides about a new try: a paid one, else the open one, else the newest
  std::optional<Guard> guard;      ///< unreleased guard
  StoreKnowledge knowledge;
  AttemptId highest_id;  ///< of all own attempts of the store, also deleted ones; new ids stand above it
};

/// What is read of one payment is refused where a stored row cannot be read (Errc::database): that row is left alone,
/// the others stand.
class PaymentStore {
 public:
  virtual ~PaymentStore() = default;
  /// One durable transaction for the whole tick, a savepoint for each entry: a constraint refuses that entry alone
  /// (Errc::already_paid, in_flight, guarded, stopped, not_initiated, already_succeeded, already_failed,
  /// attempt_id_taken, conflict; busy when the write lock cannot be had in time, then for all). Returns one result an
  /// entry, in order. Throws StoreError for everything else: then nothing may be done or written any more (R10).
  [[nodiscard]] virtual std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) = 0;
  [[nodiscard]] virtual Result<HashState> find(const PaymentHash& hash) = 0;
  /// Exactly this row with its attempts, or nothing.
  [[nodiscard]] virtual Result<std::optional<Payment>> load(PaymentIndex index) = 0;
  /// Payments that are unfinished, have an unresolved attempt or are watched, imported ones too (which the driver
  /// leaves alone): ascending by index, above `after`.
  [[nodiscard]] virtual std::vector<PaymentIndex> fetch_in_flight(PaymentIndex after, std::size_t limit) = 0;
  /// What the newest `most` attempts came to, as far as they have ended: one range of an index (M5). In any order.
  [[nodiscard]] virtual std::vector<PastResult> recent_results(std::size_t most) = 0;
  /// What `here` has to show of this store.
  [[nodiscard]] virtual StoreTrace trace_at(const SwitchKey& here) = 0;
  /// The attempt is stored, or may have been deleted on purpose.
  [[nodiscard]] virtual bool accounts_for(AttemptId id) = 0;
  /// Changes whenever another process committed something (PRAGMA data_version).
  [[nodiscard]] virtual std::uint64_t change_counter() = 0;
  /// R10: a preimage that could not be committed, for the next run. Best effort, never throws.
  virtual void spool(const AttemptKey& key, const Preimage& preimage) noexcept = 0;
};

/// R11: at most one driver a payment, among processes and inside this one.
class PaymentLocks {
 public:
  virtual ~PaymentLocks() = default;
  /// False when another process, or another payment in this one, holds the hash. Never waits.
  [[nodiscard]] virtual bool try_lock(const PaymentHash& hash) = 0;
  virtual void unlock(const PaymentHash& hash) = 0;
};

// --- the rest of the world ---

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixNs wall() = 0;
  [[nodiscard]] virtual MonoNs mono() = 0;
  /// Returns at `until`, or earlier when a signal arrived.
  virtual void sleep_until(MonoNs until) = 0;
  /// The first signal asked this process to leave (its number), 0 before that.
  [[nodiscard]] virtual int stop_signal() = 0;
};

class Randomness {
 public:
  virtual ~Randomness() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// Told of every change after it is durable. Must not throw.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void changed(const Payment& /*payment*/) {}
  /// For people: what the switch said or did that needs attention.
  virtual void warn(const PaymentHash& /*hash*/, std::string_view /*message*/) {}
  /// One line for -v.
  virtual void trace(const PaymentHash& /*hash*/, std::string_view /*message*/) {}
};

}  // namespace paytower
