// What the driver needs of the world. It sees nothing else.
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

/// What a kind of switch can do, or cannot do.
struct Capabilities {
  /// Two requests for one attempt make one HTLC (R4). Otherwise only the process that drew the attempt sends it, and
  /// only once.
  bool same_again = true;
  Msat min_amount = Msat::of(1);  ///< the smallest payment
  bool metadata = true;           ///< the payee gets the metadata of its invoice back (BOLT 11 field m)
};

/// Everything that a request for an attempt says. Two requests for one attempt are equal in every field (R4).
struct Handover {
  AttemptKey key;
  std::string label;  ///< attempt_label()
  Route route;
  Msat amount;  ///< what the payee asked for, over all parts
  std::optional<PaymentSecret> payment_secret;
  std::optional<Bytes> metadata;
  std::string invoice;              ///< the BOLT 11 text; empty without one
  std::string description;          ///< the invoice's own description; empty if it has none, or only the hash of one
  std::optional<UnixNs> dies_at{};  ///< Attempt::dies_at
  std::optional<std::uint32_t> total_time_lock{};  ///< Attempt::total_time_lock
};

/// An amount that a channel did not carry for this payment.
struct ChannelBound {
  ChannelDirection channel;
  Msat below;
  auto operator<=>(const ChannelBound&) const = default;
};

/// A single part is tried first, then up to `max_parts`. Our own channels count with what the switch knows they hold.
struct RouteQuestion {
  std::uint64_t ticket = 0;  ///< given back with the answer
  RouteDemand demand;        ///< for what is still missing, all parts together
  std::uint32_t max_parts = 1;
  std::vector<Route> beside{};  ///< the routes of our open parts: they use up some room
  std::vector<RouteHint> hints;
  std::vector<ChannelDirection> excluded_channels;
  std::vector<PublicKey> excluded_nodes;
  /// Channels that may still carry less than what they failed to carry. Everything that a set sends over one of them,
  /// together with `beside`, must stay below that.
  std::vector<ChannelBound> bounds{};
  /// If this question finds no way, another one follows: no reason is needed.
  bool tentative = false;
  /// M4: what nodes on the way have told this payment about their channels, newer than the graph. The hints include it
  /// already.
  std::vector<ChannelPolicy> policies{};
  /// What payments have met before may be weighed: what the switch remembers, and `memory` (M1).
  bool advised = true;
  /// What other payments and this one have met, as this store remembers it: advice, which excludes nothing (M1).
  /// nullptr: there is none, or none is wanted.
  std::shared_ptr<const MissionControl> memory{};
  StoreId store{};  ///< the store that the memory belongs to
  UnixNs now{};
  bool leaves_nothing = false;  ///< what is made at the switch for it is taken away again before the answer
};

struct IdentityAnswer {
  SwitchKey key;
  std::string run{};  ///< names this run of the switch's process; empty where that is not known
  Capabilities capabilities{};
};
struct LookAnswer {
  PaymentHash hash;
  std::shared_ptr<const Shown> shown;
};
struct RouteAnswer {
  std::uint64_t ticket = 0;
  std::vector<Route> routes;  ///< together they deliver all that was asked for; empty: there are none
  FailureReason reason = FailureReason::no_route;  ///< if there is none, why: no_route or insufficient_balance
  FailureDetail detail{};                          ///< the same in finer words, as far as the switch can tell
  /// The answer used advice. A question without it may find more, and only that answer explains why there is no route
  /// (M1).
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
    accepted,  ///< there is a durable record of exactly this attempt
    not_sent,  ///< this request made no HTLC; that says nothing of earlier copies
    look,      ///< the answer alone says nothing: make a look
  };
  AttemptKey key;
  Kind kind = Kind::look;
  Failure failure{};  ///< of not_sent
};
struct QueryAnswer {
  enum class Kind { settled, failed, look };  ///< look: no record, or an answer that proves nothing
  AttemptKey key;
  Kind kind = Kind::look;
  Preimage preimage{};  ///< when settled; not checked yet
  Failure failure{};    ///< when failed
  Bytes message{};      ///< what the failing node itself sent (BOLT 4's failure message); empty without one
};
struct FenceAnswer {
  enum class Kind {
    fenced,
    barred,  ///< there is no record of the attempt, and there can be none: another part of its round is complete
    look,    ///< the attempt itself was faster, or the fence was not accepted
  };
  AttemptKey key;
  Kind kind = Kind::look;
};
/// The record that was to be ended is ended, or not: a look tells.
struct ReleaseAnswer {
  PaymentHash hash;
};
/// One record at the switch that a store of ours made, with what is needed to store it again.
struct OwnRow {
  PaymentHash hash;
  SwitchRow row;
  std::string invoice;  ///< BOLT 11 text, empty without one
  UnixNs created{};
};
struct OwnRowsAnswer {
  std::vector<OwnRow> rows;
};

/// What a switch has to show of a store if the store is not an old copy of itself (R12).
struct StoreTrace {
  StoreId store;
  UnixNs made;                   ///< when the store was made: none of its records is older
  std::optional<Marks> since{};  ///< of the store's newest attempt at this switch
};
/// The attempt ids of the store among the newest records of the switch. At least the id of its very newest record since
/// the trace, if there is one.
struct NewestOwnAnswer {
  std::vector<AttemptId> ids;
};
/// Nothing that was asked will be answered; what was sent stays open.
struct Disconnected {
  std::string why;
  /// Somebody answers there: worth another connection, even for payments that are not recorded.
  bool reached = false;
  std::string hint{};  ///< a command that may help; empty if the switch knows none
};

using SwitchEvent = std::variant<IdentityAnswer, LookAnswer, RouteAnswer, DispatchAnswer, QueryAnswer, FenceAnswer,
                                 ReleaseAnswer, OwnRowsAnswer, NewestOwnAnswer, Disconnected>;

/// Whatever forwards HTLCs. All calls except poll only queue and return at once. The contract is in the man page
/// paytower-switch(7): an accepted attempt is durable before the answer; one id makes at most one HTLC as long as its
/// record lives; a fenced id makes none; a look shows everybody's attempts of the hash.
class Switch {
 public:
  virtual ~Switch() = default;
  /// The first question on every connection.
  virtual void identify() = 0;
  /// `since`: the answer must reach back to these marks, those of our first attempts of the hash. None: it is not about
  /// an own attempt.
  virtual void look(const PaymentHash& hash, std::span<const Marks> since) = 0;
  virtual void ask_route(const RouteQuestion& question) = 0;
  virtual void dispatch(const Handover& handover) = 0;
  /// Answered when the attempt has ended, or when there is no record of it.
  virtual void query(const AttemptKey& key) = 0;
  /// Makes the id unusable for ever, unless the attempt was accepted before. A switch that knows no ids proves instead
  /// that no copy of the request is still on its way; for that, the time of the request must be over.
  virtual void fence(const Handover& handover) = 0;
  /// Ends a record that keeps the hash busy (LookResult::to_release). Answered with ReleaseAnswer; a later look shows
  /// what happened to it.
  virtual void release(const PaymentHash& hash, const StoreId& store) = 0;
  /// The limits of a request that is registered now; nothing if copies of it do no harm. Known once the switch has said
  /// who it is.
  [[nodiscard]] virtual std::optional<HandoverTerms> terms() const = 0;
  /// The height of the chain from which the delays of a route count that is handed over now; 0: not known. Only where
  /// there are terms() is it exact: elsewhere the switch counts from its own height, which may be later.
  [[nodiscard]] virtual std::uint32_t base_height() const = 0;
  /// Asks for every record, of any hash, whose label names `store` (resolve --restored). Answered with OwnRowsAnswer.
  virtual void list_own(const StoreId& store) = 0;
  /// Asked once on each connection: the attempts of the store that the switch has seen last. Answered with
  /// NewestOwnAnswer, which is empty if the switch cannot tell.
  virtual void newest_own(const StoreTrace& trace) = 0;
  /// Waits until there is something to tell, `until` has come, or a signal has arrived. Then tells all there is, in
  /// order. Throws SwitchError when the switch can never be talked to.
  [[nodiscard]] virtual std::vector<SwitchEvent> poll(MonoNs until) = 0;
};

// --- the control tower ---

/// The writes of one payment in a tick. All of them are stored, or none.
struct PaymentWrites {
  /// The payment before the writes; its index is 0 exactly when the first write is InitPayment.
  const Payment* payment = nullptr;
  std::span<const Write> writes;
};

/// The numbers that the store gave to new rows.
struct Stored {
  PaymentIndex index;
};

/// All that a store knows of a hash before a payment of it is decided about.
struct HashState {
  /// The payment that decides about a new try: the paid one, else the open one, else the newest.
  std::optional<Payment> payment;
  std::optional<Guard> guard;  ///< a guard that is not released
  StoreKnowledge knowledge;
  AttemptId highest_id;  ///< of all own attempts of the store, also deleted ones; new ids are above it
};

/// Reading is refused with Errc::database where a stored row cannot be read (that row is left alone, the others can be
/// read), and with Errc::busy while another program holds the database.
class PaymentStore {
 public:
  virtual ~PaymentStore() = default;
  /// One durable transaction for the whole tick, with a savepoint for each entry: a constraint refuses only that entry
  /// (Errc::already_paid, in_flight, guarded, stopped, not_initiated, already_succeeded, already_failed,
  /// attempt_id_taken, conflict; busy for all of them when the write lock is not free in time). Returns one result for
  /// each entry, in order. Throws StoreError for everything else: then nothing more may be done or written (R10).
  [[nodiscard]] virtual std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) = 0;
  [[nodiscard]] virtual Result<HashState> find(const PaymentHash& hash) = 0;
  /// Exactly this payment with its attempts, or nothing.
  [[nodiscard]] virtual Result<std::optional<Payment>> load(PaymentIndex index) = 0;
  /// Payments that are unfinished, have an open attempt, or are watched. Imported ones too, which the driver leaves
  /// alone. In order of their index, above `after`.
  [[nodiscard]] virtual Result<std::vector<PaymentIndex>> fetch_in_flight(PaymentIndex after, std::size_t limit) = 0;
  /// How the newest `most` attempts ended, if they have: one range of an index (M5). In any order.
  [[nodiscard]] virtual Result<std::vector<PastResult>> recent_results(std::size_t most) = 0;
  /// What the switch `here` has to show of this store.
  [[nodiscard]] virtual Result<StoreTrace> trace_at(const SwitchKey& here) = 0;
  /// The attempt is stored, or it may have been deleted on purpose.
  [[nodiscard]] virtual Result<bool> accounts_for(AttemptId id) = 0;
  /// Changes whenever another process has committed something (PRAGMA data_version).
  [[nodiscard]] virtual Result<std::uint64_t> change_counter() = 0;
  /// R10: keeps a preimage that could not be committed for the next run. Does its best, never throws.
  virtual void spool(const AttemptKey& key, const Preimage& preimage) noexcept = 0;
};

/// R11: at most one driver for each payment, among all processes and inside this one.
class PaymentLocks {
 public:
  virtual ~PaymentLocks() = default;
  /// False when another process, or another payment in this process, holds the hash. Never waits.
  [[nodiscard]] virtual bool try_lock(const PaymentHash& hash) = 0;
  virtual void unlock(const PaymentHash& hash) = 0;
};

// --- the rest of the world ---

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual UnixNs wall() = 0;
  [[nodiscard]] virtual MonoNs mono() = 0;
  /// Returns at `until`, or earlier if a signal arrives.
  virtual void sleep_until(MonoNs until) = 0;
  /// The number of the first signal that asked this process to leave; 0 before that.
  [[nodiscard]] virtual int stop_signal() = 0;
};

class Randomness {
 public:
  virtual ~Randomness() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// Told of every change once it is durable, and of every hand-over. Must not throw.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void changed(const Payment& /*payment*/) {}
  /// An attempt goes to the switch now, for the first time or again. Not for fences: they pay nobody.
  virtual void handing_over(const AttemptKey& /*key*/) {}
  /// Four times a second while the loop runs: the payments that it drives at this moment. Must return at once.
  virtual void driving(std::span<const Payment* const> /*now*/) {}
  /// For people: something the switch said or did that needs attention.
  virtual void warn(const PaymentHash& /*hash*/, std::string_view /*message*/) {}
  /// One line, for -v.
  virtual void trace(const PaymentHash& /*hash*/, std::string_view /*message*/) {}
};

}  // namespace paytower
