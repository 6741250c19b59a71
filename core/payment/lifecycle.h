// The payment lifecycle as one pure function. No clock, no I/O, no randomness: times, ids and routes come in as data.
//
//   send:    Created -> {Look} -> Quiet -> {AskRoutes} -> RoutesReady -> InitPayment + RegisterAttempt -> {Dispatch}
//            -> Accepted -> {Query} -> Settled -> SettleAttempt + Succeed -> {Report}
//                                   -> Failed  -> FailAttempt -> {Look} -> Quiet -> {AskRoutes}
//                                                                               | FailPayment -> {Report}
//   parts:   RoutesReady registers and sends a round of parts. If one fails beside open ones, it is replaced at once
//            (AskRoutes), as long as the payee still waits for the set.
//   resume:  the same from the first Look on, with whatever the store holds.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/payment/failure_detail.h"
#include "core/payment/payment.h"

namespace paytower {

// --- what happened ---

/// A new try is wanted. `previous` is the status of the live, paid or newest try of the hash; nothing when there is
/// none.
struct Created {
  std::optional<PaymentStatus> previous;
  std::optional<GuardKind> guard;
};
/// The switch shows nothing pending and nothing complete of the hash, in a look made after our last attempt ended.
struct Quiet {};
/// All that is left are records of one round of ours that stay pending for ever and whose HTLCs were never sent. The
/// switch refuses a new round beside them, but takes one more part of this round.
struct OnlyOrphans {
  AttemptId round;
};
/// All that keeps the hash busy is a record of ours or of a fence, and nothing waits for it any more.
struct Releasable {};
struct PlannedPart {
  std::uint32_t part = 0;
  Route route;
};
/// What limits how long copies of a request can be executed, where the switch cannot tell two of them apart (R4).
struct HandoverTerms {
  std::optional<UnixNs> dies_at;  ///< Attempt::dies_at; nothing where the switch has no such limit
};
/// Parts that together deliver the missing amount.
struct RoutesReady {
  AttemptId round;  ///< newly drawn (R12), or the round of the parts that are open
  std::vector<PlannedPart> parts;
  SwitchKey switch_key;
  Marks marks;        ///< read before these parts are sent (R5)
  std::string run{};  ///< run of the switch, see Attempt::switch_run
  std::optional<HandoverTerms> terms{};
  std::uint32_t base_height = 0;  ///< Switch::base_height
};
/// There is no (further) route within the demands. The reason is no_route or insufficient_balance.
struct NoRoute {
  FailureReason reason = FailureReason::no_route;
  FailureDetail detail{};
};
struct Accepted {
  AttemptKey key;
};
/// The answer to one request says that this very request made no HTLC. `only_copy`: no other copy of the request exists
/// (R3).
struct NotSent {
  AttemptKey key;
  Failure failure;
  bool only_copy = false;
};
struct Settled {
  AttemptKey key;
  Preimage preimage;
};
struct Failed {
  AttemptKey key;
  Failure failure;
};
struct Pending {
  AttemptKey key;
  bool takes_parts = true;  ///< the switch takes further parts beside it
};
/// Its record stays pending for ever: the run of the switch that wrote it is over and never made its HTLC. Certainly
/// not sent.
struct Orphaned {
  AttemptKey key;
};

/// What a look proves about an attempt that has no record of its own at the switch (R5).
enum class Evidence {
  nothing_since_mark,  ///< not executed so far
  finished_no_debit,   ///< an HTLC of the hash ended since the mark, and no money of this attempt moved
  not_yet,             ///< something of the hash still moves: look again
  money_left,          ///< it has paid: the money has left
  unknown,             ///< lists are erased or missing: nothing may be concluded, now or later
  /// The time of its request is over: now a fence can prove that no copy of it is still on its way.
  late,
  never,     ///< that is proven, and it was not executed
  erased,    ///< it ran and has failed, but the switch has erased the details
  no_htlc,   ///< there is a pending record that is old, but no HTLC of it is shown
  stranded,  ///< there is a pending record without an HTLC, and there can never be one
};
/// `fenced`: a fence of ours holds the id, so that it can no longer make an HTLC. `run`: the run of the switch that was
/// looked at.
struct NotFound {
  AttemptKey key;
  Evidence evidence = Evidence::unknown;
  bool fenced = false;
  std::string run{};
  std::uint32_t base_height = 0;  ///< LookResult::base_height
};
/// The switch has confirmed a fence. A look must follow.
struct Fenced {
  AttemptKey key;
};
/// Somebody's attempt of the hash is pending, or it is complete without a proof that we can check.
struct HashBusy {};
/// Somebody else's attempt of the hash is complete.
struct HashPaid {
  Preimage preimage;
  std::optional<AttemptId> id;  ///< the id of their payment
  Msat amount;                  ///< of all its parts together; 0 when the switch does not say
  Msat fee;
  std::optional<PublicKey> destination{};
};
struct Unreachable {};
struct DeadlinePassed {};
struct CancelRequested {};
struct OperatorAssumesFailed {};
struct OperatorWritesOff {};
/// Money of the hash has left, and the record with the preimage is gone. Without a `key`, it was not one of our
/// attempts.
struct SettledPreimageLost {
  std::optional<AttemptKey> key;
};

using Event =
    std::variant<Created, Quiet, RoutesReady, NoRoute, Accepted, NotSent, Settled, Failed, Pending, NotFound, Fenced,
                 HashBusy, HashPaid, Unreachable, DeadlinePassed, CancelRequested, OperatorAssumesFailed,
                 OperatorWritesOff, SettledPreimageLost, Orphaned, OnlyOrphans, Releasable>;

struct TimedEvent {
  UnixNs at;
  Event what;
};

// --- what is to be stored ---

/// Makes the request a row. Refused while the hash is live, paid, unknown or guarded.
struct InitPayment {};
struct RegisterAttempt {
  Attempt attempt;
};
/// The switch has shown the attempt. Stored where that is a proof (Attempt::dies).
struct AcceptAttempt {
  AttemptKey key;
  UnixNs at;
};
/// The next copy of the attempt goes to another run of the switch than before, or counts from a later height.
struct MoveAttempt {
  AttemptKey key;
  std::string run;
  std::optional<std::uint32_t> expected_time_lock{};  ///< nothing: it stays as it is
  UnixNs at{};
};
struct SettleAttempt {
  AttemptKey key;
  Preimage preimage;
  UnixNs at;
};
/// A settled attempt of another user. It carries the preimage of a payment that we did not make.
struct RecordForeign {
  Attempt attempt;
};
struct Succeed {
  Preimage preimage;
  UnixNs at;
};
/// The preimage of a payment that has a fail reason already. A newer live try of the hash is told to stop.
struct StoreLatePreimage {
  Preimage preimage;
  UnixNs at;
};
struct FailAttempt {
  AttemptKey key;
  Failure failure;
  UnixNs at;
};
/// An end without proof (AttemptOutcome::closed).
struct CloseAttempt {
  AttemptKey key;
  Failure failure;
  UnixNs at;
};
/// The same for every open imported attempt. Their ids are another node's, or missing.
struct CloseImported {
  FailureCode code;
  UnixNs at;
};
/// `detail` is for people.
struct SetStop {
  FailureReason reason;
  UnixNs at;
  std::optional<FailureDetail> detail{};
};
struct FailPayment {
  FailureReason reason;
  UnixNs at;
  std::optional<FailureDetail> detail{};
};
struct EndUnknown {
  EndNote note;
  UnixNs at;
};

using Write =
    std::variant<InitPayment, RegisterAttempt, SettleAttempt, RecordForeign, Succeed, StoreLatePreimage, FailAttempt,
                 CloseAttempt, SetStop, FailPayment, EndUnknown, MoveAttempt, CloseImported, AcceptAttempt>;

// --- what is to be done once it is stored ---

/// Asks for routes for all that is missing: a new round, or more parts beside the open ones.
struct AskRoutes {
  std::optional<AttemptId> beside_orphans{};  ///< in this round, and as one part
};
struct Look {};
/// Look again after a pause: somebody else has to finish first, or the last answer told nothing.
struct LookLater {};
struct Dispatch {
  AttemptKey key;
};
struct Query {
  AttemptKey key;
};
struct Fence {
  AttemptKey key;
};
/// Ends the record that is in the way (Releasable). A look follows.
struct Release {};
/// Nothing more to do for this payment in this process.
struct Report {};

using Act = std::variant<AskRoutes, Look, LookLater, Dispatch, Query, Fence, Release, Report>;

struct Decision {
  std::vector<Write> writes;
  std::vector<Act> acts;        ///< to be done only after the writes are durable (R1)
  std::optional<Errc> refusal;  ///< with a refusal there are no acts but Report
  /// The preimage from the switch proves nothing, and nothing was concluded from it (R7).
  std::optional<AttemptKey> wrong_preimage;
};

/// Total: there is an answer for every state and every event, also for events that come late, twice, or after the end.
[[nodiscard]] Decision decide(const Payment& payment, const TimedEvent& event);

/// Brings the copy in memory to what the store holds after `write`. REQUIRES: the store has accepted the write.
void apply(Payment& payment, const Write& write);

/// What a failure means: a final reason, or what to avoid next. `route` is the route of that attempt.
[[nodiscard]] Verdict judge(const Failure& failure, const Route& route);

}  // namespace paytower
