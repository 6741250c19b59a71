// The payment lifecycle as one pure function. No clock, no I/O, no randomness: times, ids and routes come in as data.
//
//   send:    Created -> {Look} -> Quiet -> {AskRoutes} -> RoutesReady -> InitPayment + RegisterAttempt -> {Dispatch}
//            -> Accepted -> {Query} -> Settled -> SettleAttempt + Succeed -> {Report}
//                                   -> Failed  -> FailAttempt -> {Look} -> Quiet -> {AskRoutes} | FailPayment ->
//                                   {Report}
//   parts:   RoutesReady registers and hands over a round of them; one that fails beside others is planned anew at once
//            (AskRoutes), as long as the payee's set has time.
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

/// A new try is wanted. `previous` is the status of the live, paid or newest try of the hash, nothing without one.
struct Created {
  std::optional<PaymentStatus> previous;
  std::optional<GuardKind> guard;
};
/// The switch shows nothing pending and nothing complete of the hash, looked at after our last attempt ended.
struct Quiet {};
/// Nothing but records of one round of ours, pending for ever, whose HTLCs were never sent: the switch refuses a new
/// round, and takes one more part of this one.
struct OnlyOrphans {
  AttemptId round;
};
/// A record of ours, or of a fence, is all that keeps the hash busy, and nothing waits for it any more.
struct Releasable {};
struct PlannedPart {
  std::uint32_t part = 0;
  Route route;
};
/// What bounds the copies of a hand-over, where the switch cannot tell two of them apart (R4).
struct HandoverTerms {
  std::optional<UnixNs> dies_at;  ///< Attempt::dies_at; nothing where the switch keeps no such limit
  std::uint32_t height = 0;       ///< the chain's, from which the route's delays count
};
/// Parts that together deliver what is missing.
struct RoutesReady {
  AttemptId round;  ///< freshly drawn (R12), or that of the parts that are open
  std::vector<PlannedPart> parts;
  SwitchKey switch_key;
  Marks marks;        ///< read before this hand-over (R5)
  std::string run{};  ///< of the switch, see Attempt::switch_run
  std::optional<HandoverTerms> terms{};
};
/// Nothing (more) keeps to the demands. The reason is no_route or insufficient_balance.
struct NoRoute {
  FailureReason reason = FailureReason::no_route;
  FailureDetail detail{};
};
struct Accepted {
  AttemptKey key;
};
/// The answer to one hand-over says that this very request made no HTLC. `only_copy`: and no other copy of it exists
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
/// Its record is pending for ever: the run of the switch that had it is over, and never made its HTLC. Certainly not
/// sent.
struct Orphaned {
  AttemptKey key;
};

/// What a look proves about an attempt that has no record of its own at the switch (R5).
enum class Evidence {
  nothing_since_mark,  ///< not executed so far
  finished_no_debit,   ///< an HTLC of the hash ended since the mark, and no money of this attempt moved
  not_yet,             ///< something of the hash still moves: look again
  money_left,          ///< it paid: its debit is there
  unknown,             ///< erased lists, or none: nothing may be concluded, now or later
  late,                ///< its hand-over's time is over, and a fence proves that no copy of it is on its way any more
  never,               ///< that is proven, and it was not executed
  erased,              ///< it ran and has failed, and the switch has erased how
  no_htlc,             ///< of a pending record: no HTLC of it is shown, although it is old
  stranded,            ///< of a pending record: there is no HTLC of it, and there never can be one
};
/// `fenced`: a fence of ours holds the id, so that it can make no HTLC any more. `run`: of the switch that was looked
/// at.
struct NotFound {
  AttemptKey key;
  Evidence evidence = Evidence::unknown;
  bool fenced = false;
  std::string run{};
};
/// The switch confirmed a fence; a look behind it must follow.
struct Fenced {
  AttemptKey key;
};
/// Somebody's attempt of the hash is pending, or complete without a proof that can be checked.
struct HashBusy {};
/// Somebody else's attempt of the hash is complete.
struct HashPaid {
  Preimage preimage;
  std::optional<AttemptId> id;  ///< theirs
  Msat amount;                  ///< of all its parts; 0 when the switch does not say
  Msat fee;
  std::optional<PublicKey> destination{};
};
struct Unreachable {};
struct DeadlinePassed {};
struct CancelRequested {};
struct OperatorAssumesFailed {};
struct OperatorWritesOff {};
/// Money of the hash left, and the record with the preimage is gone. Nothing for `key`: not one of our attempts.
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

/// The payment's request becomes a row; refused while the hash is live, paid, unknown or guarded.
struct InitPayment {};
struct RegisterAttempt {
  Attempt attempt;
};
/// The switch has shown it: stored where that is a proof (Attempt::dies).
struct AcceptAttempt {
  AttemptKey key;
  UnixNs at;
};
/// Another run of the switch than before gets the next copy of the attempt.
struct MoveAttempt {
  AttemptKey key;
  std::string run;
};
struct SettleAttempt {
  AttemptKey key;
  Preimage preimage;
  UnixNs at;
};
/// Another user's attempt, settled: carries the preimage of a payment that we did not make.
struct RecordForeign {
  Attempt attempt;
};
struct Succeed {
  Preimage preimage;
  UnixNs at;
};
/// The preimage of a payment that has a fail reason already. A newer live try of the hash gets a stop wish with it.
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
/// The same of every open attempt that was imported: another node's ids name them, or none.
struct CloseImported {
  FailureCode code;
  UnixNs at;
};
/// `detail` is for people, and no store keeps it.
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

/// For all that is missing, in a new round, or beside the parts that are open.
struct AskRoutes {
  std::optional<AttemptId> beside_orphans{};  ///< in this round, and in one part
};
struct Look {};
/// Look again after a pause: somebody else has to finish first, or the last answer said nothing.
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
/// Ends the record that stands in the way (Releasable). A look follows.
struct Release {};
/// Nothing more to do for this payment in this process.
struct Report {};

using Act = std::variant<AskRoutes, Look, LookLater, Dispatch, Query, Fence, Release, Report>;

struct Decision {
  std::vector<Write> writes;
  std::vector<Act> acts;                     ///< only after the writes are durable (R1)
  std::optional<Errc> refusal;               ///< then there are no acts but Report
  std::optional<AttemptKey> wrong_preimage;  ///< the switch's proof does not prove: nothing was concluded from it (R7)
};

/// Total: every state and every event has an answer, also events that come late, twice or for attempts long ended.
[[nodiscard]] Decision decide(const Payment& payment, const TimedEvent& event);

/// Brings the copy in memory to what a store holds after `write`. REQUIRES: the write was accepted by the store.
void apply(Payment& payment, const Write& write);

/// What a failure means: a final reason, or what to avoid next. `route` is the attempt's own.
[[nodiscard]] Verdict judge(const Failure& failure, const Route& route);

}  // namespace paytower
