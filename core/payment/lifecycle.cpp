// What each event means for a payment: writes to store, and acts to do once they are stored.
#include "core/payment/lifecycle.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "core/base/hash.h"

namespace paytower {

namespace {

constexpr std::ptrdiff_t most_refused_beside = 16;  ///< as many parts as a set has at most, if nothing else is said

/// Answers one event. Reads facts, writes nothing but its decision.
class Decider {
 public:
  Decider(const Payment& payment, UnixNs at) : payment_(payment), at_(at) {}

  Decision take() && { return std::move(decision_); }

  void operator()(const Created& event) {
    if (recorded()) return act(Report{});
    if (event.guard) {
      const bool paid = *event.guard == GuardKind::paid_deleted || *event.guard == GuardKind::paid_without_record;
      return refuse(paid ? Errc::already_paid : Errc::guarded);
    }
    if (!event.previous) return act(Look{});
    switch (*event.previous) {
      case PaymentStatus::succeeded: return refuse(Errc::already_paid);
      case PaymentStatus::initiated:
      case PaymentStatus::in_flight: return refuse(Errc::in_flight);
      case PaymentStatus::unknown: return refuse(Errc::already_ended);
      case PaymentStatus::failed: return act(Look{});
    }
  }

  void operator()(const Quiet&) {
    if (payment_.ended_for_good()) return act(Report{});
    if (payment_.has_open_attempt()) return;
    // R9 holds here: no attempt of ours is open, and the look shows nothing pending and nothing complete.
    if (has_lost_preimage()) return end_unknown(EndNote::preimage_lost);
    if (payment_.stop_reason) return fail_payment(*payment_.stop_reason);
    if (deadline_passed()) return fail_payment(FailureReason::timeout);
    if (attempts_used_up()) return fail_payment(FailureReason::no_route, detail_of(DetailCode::attempts_used_up));
    act(AskRoutes{});
  }

  void operator()(const OnlyOrphans& event) {
    if (!recorded()) return refuse(Errc::in_flight);
    if (payment_.ended_for_good()) return act(Report{});
    if (payment_.has_open_attempt()) return;
    if (deadline_passed()) set_stop(FailureReason::timeout);
    // As long as such a record is at the switch, R9 forbids FAILED.
    if (payment_.stop_reason || deadline_passed() || attempts_used_up()) return act(LookLater{});
    act(AskRoutes{event.round});
  }

  void operator()(const RoutesReady& event) {
    if (payment_.ended_for_good()) return act(Report{});
    const auto beside = payment_.open_round();
    if (payment_.has_open_attempt() && (beside != event.round || !set_has_time() || kept_out())) return;
    const bool kept = keeps_demands(event);
    if (payment_.stop_reason || deadline_passed() || attempts_used_up() || !kept) {
      const auto detail = kept ? detail_of(DetailCode::attempts_used_up) : limit_of(event);
      if (beside) return;  // what is open has to end first
      init_if_new();
      deadline_passed() ? set_stop(FailureReason::timeout) : set_stop(FailureReason::no_route, detail);
      return act(Look{});
    }
    // R2: these parts were planned for what was missing then. Something has changed since.
    if (!completes(event)) return beside ? act(AskRoutes{}) : act(Look{});
    init_if_new();
    for (const PlannedPart& planned : event.parts) register_part(event, planned);
    for (const PlannedPart& planned : event.parts)
      act(Dispatch{AttemptKey{payment_.request.hash, event.round, planned.part}});
  }

  void operator()(const NoRoute& event) {
    if (payment_.ended_for_good()) return act(Report{});
    if (payment_.has_open_attempt()) return;
    // R9: the balance may be missing because somebody else is paying this very hash.
    init_if_new();
    set_stop(event.reason, event.detail);
    act(Look{});
  }

  void operator()(const Accepted& event) {
    if (!open(event.key)) return;
    keep_acceptance(event.key);
    act(Query{event.key});
  }

  void operator()(const NotSent& event) {
    if (!open(event.key)) return;
    if (!event.only_copy) return act(LookLater{});  // R3: another copy may still come
    fail_attempt(event.key, event.failure);
  }

  void operator()(const Settled& event) {
    const Attempt* attempt = payment_.find(event.key);
    if (!attempt || attempt->outcome == AttemptOutcome::settled) return;
    if (!proves(event.preimage, payment_.request.hash)) {  // R7
      decision_.wrong_preimage = event.key;
      return act(LookLater{});
    }
    write(SettleAttempt{event.key, event.preimage, at_});
    succeed(event.preimage, event.key);
  }

  void operator()(const Failed& event) {
    const Attempt* attempt = payment_.find(event.key);
    if (!attempt) return;
    if (attempt->open()) return fail_attempt(event.key, event.failure);
    if (!attempt->watched()) return;
    write(FailAttempt{event.key, event.failure, at_});
    report_behind(event.key);
  }

  void operator()(const Pending& event) {
    if (!open(event.key)) return;
    keep_acceptance(event.key);
    act(Query{event.key});
    if (event.takes_parts) plan_rest();
  }

  void operator()(const Orphaned& event) {
    if (!open(event.key)) return;
    fail_attempt(
        event.key,
        Failure{FailureCode::local_refusal, {}, {}, {}, "never sent: the node was killed before it made the HTLC"});
  }

  void operator()(const NotFound& event) {
    if (!open(event.key)) return;
    switch (event.evidence) {
      case Evidence::unknown: return act(Report{});
      case Evidence::money_left:  // never here: the look reports SettledPreimageLost instead
      case Evidence::no_htlc:     // never here: this is for an attempt that has a record
      case Evidence::stranded:
      case Evidence::not_yet: return act(LookLater{});
      case Evidence::never: return fail_attempt(event.key, Failure{FailureCode::not_executed, {}, {}, {}, {}});
      case Evidence::erased: return fail_attempt(event.key, Failure{FailureCode::erased, {}, {}, {}, {}});
      case Evidence::late: return act(Fence{event.key});
      case Evidence::nothing_since_mark:
      case Evidence::finished_no_debit: break;
    }
    const bool never_ran = event.evidence == Evidence::nothing_since_mark;
    if (event.fenced) {
      return fail_attempt(event.key, Failure{never_ran ? FailureCode::fenced : FailureCode::no_debit, 0, {}, {}, {}});
    }
    if (deadline_passed() && !payment_.ended_for_good()) set_stop(FailureReason::timeout);
    // The HTLC ran and moved nothing, but a second copy of the request may still come: fence it before it is called
    // failed. A part is sent again only where the payee gets the whole amount with it, and never after the proof.
    const bool go_on = never_ran && payment_.missing() == Msat{} && !payment_.stop_reason && !deadline_passed() &&
                       !payment_.ended_for_good();
    if (go_on) return hand_over_again(event);
    act(Fence{event.key});
  }

  void operator()(const Fenced& event) {
    if (open(event.key)) act(Look{});
  }

  void operator()(const Releasable&) {
    if (payment_.has_open_attempt()) return act(LookLater{});
    act(Release{});
  }

  void operator()(const HashBusy&) {
    if (!recorded()) return refuse(Errc::in_flight);
    if (payment_.ended_for_good()) {
      if (!payment_.has_open_attempt()) act(Report{});
      return;
    }
    if (deadline_passed()) set_stop(FailureReason::timeout);
    act(LookLater{});
  }

  void operator()(const HashPaid& event) {
    if (payment_.proof()) {
      if (!payment_.has_open_attempt()) act(Report{});
      return;
    }
    if (!proves(event.preimage, payment_.request.hash)) {
      decision_.wrong_preimage = AttemptKey{payment_.request.hash, event.id.value_or(AttemptId{})};
      return act(recorded() ? Act(LookLater{}) : Act(Report{}));
    }
    Attempt attempt;
    attempt.id = event.id;
    attempt.origin = AttemptOrigin::foreign;
    attempt.amount = event.amount;
    attempt.fee = event.fee;
    attempt.registered = at_;
    attempt.resolved = at_;
    attempt.outcome = AttemptOutcome::settled;
    attempt.preimage = event.preimage;
    if (!recorded()) decision_.refusal = Errc::already_paid;
    init_if_new();
    write(RecordForeign{std::move(attempt)});
    succeed(event.preimage, std::nullopt);
  }

  void operator()(const Unreachable&) { act(Report{}); }

  void operator()(const DeadlinePassed&) {
    if (payment_.ended_for_good() || payment_.stop_reason) return;
    if (!recorded()) return;  // the look or the route that we wait for will end it
    set_stop(FailureReason::timeout);
    act(Look{});
  }

  void operator()(const CancelRequested&) {
    if (!recorded()) return act(Report{});
    if (payment_.ended_for_good()) return refuse(ended_as());
    set_stop(FailureReason::canceled);
    if (payment_.attempts.empty()) return fail_payment(payment_.stop_reason.value_or(FailureReason::canceled));
    act(Look{});
  }

  void operator()(const OperatorAssumesFailed&) {
    if (!recorded()) return refuse(Errc::not_found);
    if (open_beside_proof()) return close_beside_proof(FailureCode::assumed_failed);
    if (payment_.ended_for_good()) return refuse(ended_as());
    close_open_attempts(FailureCode::assumed_failed);
    write(FailPayment{payment_.stop_reason.value_or(FailureReason::error), at_});
    act(Report{});
  }

  void operator()(const OperatorWritesOff&) {
    if (!recorded()) return refuse(Errc::not_found);
    if (open_beside_proof()) return close_beside_proof(FailureCode::written_off);
    const bool doubtful = payment_.status() == PaymentStatus::failed && payment_.has_watched_attempt();
    if (payment_.ended_for_good() && !doubtful) return refuse(ended_as());
    close_open_attempts(FailureCode::written_off);
    end_unknown(EndNote::written_off);
  }

  void operator()(const SettledPreimageLost& event) {
    const Attempt* attempt = event.key ? payment_.find(*event.key) : nullptr;
    if (event.key && !attempt) return;
    if (!recorded()) return refuse(Errc::already_paid);
    if (attempt && (attempt->open() || attempt->watched())) {
      if (payment_.proof() && !payment_.amp) {  // all parts share one preimage
        write(SettleAttempt{*event.key, *payment_.proof(), at_});
      } else {
        write(CloseAttempt{*event.key, Failure{FailureCode::preimage_lost, {}, {}, {}, {}}, at_});
      }
    }
    if (others_open(event.key)) {  // the others end first, then Quiet ends the payment
      if (!payment_.ended_for_good()) set_stop(FailureReason::error);
      return;
    }
    if (payment_.proof() || payment_.end_note) return act(Report{});
    end_unknown(EndNote::preimage_lost);
  }

 private:
  [[nodiscard]] bool recorded() const { return payment_.index.value != 0; }
  [[nodiscard]] bool deadline_passed() const { return at_ >= payment_.request.deadline; }
  [[nodiscard]] bool attempts_used_up() const { return payment_.own_attempts() >= payment_.request.max_attempts; }
  [[nodiscard]] bool open(const AttemptKey& key) const {
    const Attempt* attempt = payment_.find(key);
    return attempt && attempt->open();
  }
  [[nodiscard]] bool others_open(const std::optional<AttemptKey>& but) const {
    const Attempt* except = but ? payment_.find(*but) : nullptr;
    return std::any_of(payment_.attempts.begin(), payment_.attempts.end(),
                       [&](const Attempt& a) { return a.open() && &a != except; });
  }
  [[nodiscard]] static bool lost_preimage(const Attempt& attempt) {
    return attempt.outcome == AttemptOutcome::closed && attempt.failure &&
           attempt.failure->code == FailureCode::preimage_lost;
  }
  [[nodiscard]] bool has_lost_preimage() const {
    return std::any_of(payment_.attempts.begin(), payment_.attempts.end(), lost_preimage);
  }
  /// Their money has left, and the preimage of one part is the preimage of all.
  void settle_lost_parts(const Preimage& preimage, const std::optional<AttemptKey>& but) {
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.origin == AttemptOrigin::own && lost_preimage(attempt) && payment_.key(attempt) != but)
        write(SettleAttempt{payment_.key(attempt), preimage, at_});
    }
  }
  [[nodiscard]] Errc ended_as() const {
    switch (payment_.status()) {
      case PaymentStatus::succeeded: return Errc::already_succeeded;
      case PaymentStatus::failed: return Errc::already_failed;
      case PaymentStatus::unknown:
      case PaymentStatus::initiated:
      case PaymentStatus::in_flight: return Errc::already_ended;
    }
    return Errc::already_ended;
  }

  void write(Write what) { decision_.writes.push_back(std::move(what)); }
  void act(Act what) { decision_.acts.push_back(what); }
  void refuse(Errc why) {
    decision_.refusal = why;
    act(Report{});
  }
  /// R4: the same attempt again. What proves an orphan is that its run of the switch is over. So each new run is
  /// recorded before it gets a copy; and so is a later height, from which people see until when the money is locked.
  void hand_over_again(const NotFound& event) {
    const Attempt& attempt = *payment_.find(event.key);
    std::optional<std::uint32_t> expected;
    if (!attempt.dies() && event.base_height != 0) expected = event.base_height + attempt.route.total_delay();
    const bool longer = expected && expected.value() > attempt.expected_time_lock.value_or(0);
    if (!longer) expected.reset();
    if (attempt.switch_run != event.run || longer) write(MoveAttempt{event.key, event.run, expected, at_});
    act(Dispatch{event.key});
  }
  void keep_acceptance(const AttemptKey& key) {
    const Attempt* attempt = payment_.find(key);
    if (attempt->dies() && !attempt->accepted) write(AcceptAttempt{key, at_});
  }
  void init_if_new() {
    if (!recorded()) write(InitPayment{});
  }
  /// Each route is checked alone, with the fees that all may cost together. completes() checks them together.
  [[nodiscard]] RouteDemand demand_of(const PlannedPart& planned) const {
    RouteDemand demand = payment_.request.demand;
    demand.amount = planned.route.delivered();
    demand.fee_limit = payment_.fee_left();
    return demand;
  }
  [[nodiscard]] bool keeps_demands(const RoutesReady& event) const {
    return std::all_of(event.parts.begin(), event.parts.end(), [&](const PlannedPart& planned) {
      return static_cast<bool>(check_route(planned.route, demand_of(planned)));
    });
  }
  [[nodiscard]] FailureDetail limit_of(const RoutesReady& event) const {
    NearMisses seen;
    for (const PlannedPart& planned : event.parts) seen.add(planned.route, demand_of(planned));
    return seen.detail().value_or(FailureDetail{});
  }
  /// R2: exactly the missing amount, within what is left of the fee limit and of the number of parts.
  [[nodiscard]] bool completes(const RoutesReady& event) const {
    Msat amount;
    Msat fee;
    for (const PlannedPart& planned : event.parts) {
      const auto more = checked_add(amount, planned.route.delivered());
      const auto cost = checked_add(fee, planned.route.fees());
      if (!more || !cost) return false;
      amount = *more;
      fee = *cost;
    }
    return !event.parts.empty() && amount == payment_.missing() && fee <= payment_.fee_left() &&
           event.parts.size() <= payment_.parts_left();
  }
  void register_part(const RoutesReady& event, const PlannedPart& planned) {
    Attempt attempt;
    attempt.id = event.round;
    attempt.part = planned.part;
    attempt.switch_key = event.switch_key;
    attempt.switch_run = event.run;
    attempt.marks = event.marks;
    attempt.route = planned.route;
    attempt.amount = planned.route.delivered();
    attempt.fee = planned.route.fees();
    attempt.registered = at_;
    if (event.terms) {
      attempt.dies_at = event.terms->dies_at;
      attempt.total_time_lock = event.base_height + planned.route.total_delay();
    } else if (event.base_height != 0) {
      attempt.expected_time_lock = event.base_height + planned.route.total_delay();
    }
    write(RegisterAttempt{std::move(attempt)});
  }
  /// The payee waits at least 60 s for its set, counted from the first part. What comes later is given back with the
  /// rest, and once one part was given back, the others follow. So parts are added only while the oldest one is young.
  [[nodiscard]] bool set_has_time() const {
    constexpr std::int64_t most_age_ns = 15 * ns_per_second;
    const auto round = payment_.open_round();
    return std::none_of(payment_.attempts.begin(), payment_.attempts.end(), [&](const Attempt& attempt) {
      if (attempt.origin != AttemptOrigin::own) return false;
      const bool given_back = attempt.failure && attempt.failure->code == FailureCode::mpp_timeout;
      if (attempt.open()) return at_.value - attempt.registered.value >= most_age_ns;
      return given_back && attempt.id == round;
    });
  }
  /// Adds parts beside the open ones, as long as their set can still become complete.
  void plan_rest() {
    if (payment_.missing() != Msat{} && payment_.parts_left() > 0 && may_add_parts()) act(AskRoutes{});
  }
  [[nodiscard]] bool may_add_parts() const {
    return !payment_.stop_reason && !payment_.ended_for_good() && !deadline_passed() && set_has_time() && !kept_out();
  }
  /// The switch has refused part after part of this round because of other HTLCs of the hash: another user's fill lnd's
  /// record of it. Then what is open is awaited, and a look follows.
  [[nodiscard]] bool kept_out() const {
    const auto refused = [this](const Attempt& attempt) {
      return attempt.id == payment_.open_round() && attempt.outcome == AttemptOutcome::failed && attempt.failure &&
             attempt.failure->code == FailureCode::local_refusal && attempt.failure->node &&
             !attempt.failure->source_index && !attempt.failure->channel;
    };
    return std::count_if(payment_.attempts.begin(), payment_.attempts.end(), refused) >= most_refused_beside;
  }
  static std::optional<FailureDetail> unless_empty(std::optional<FailureDetail> detail) {
    return detail == FailureDetail{} ? std::nullopt : detail;
  }
  void set_stop(FailureReason reason, std::optional<FailureDetail> detail = {}) {
    if (!payment_.stop_reason) write(SetStop{reason, at_, unless_empty(std::move(detail))});  // the first reason wins
  }
  void fail_payment(FailureReason reason, std::optional<FailureDetail> detail = {}) {
    init_if_new();
    write(FailPayment{reason, at_, unless_empty(std::move(detail))});
    act(Report{});
  }
  void end_unknown(EndNote note) {
    if (!payment_.end_note) write(EndUnknown{note, at_});
    act(Report{});
  }
  void close_open_attempts(FailureCode code) {
    bool imported = false;
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.open() && attempt.origin == AttemptOrigin::own)
        write(CloseAttempt{payment_.key(attempt), Failure{code, {}, {}, {}, {}}, at_});
      imported = imported || (attempt.open() && attempt.origin == AttemptOrigin::imported);
    }
    if (imported) write(CloseImported{code, at_});
  }
  /// Somebody else's complete record stops us from fencing an attempt of ours, as long as the switch keeps that record.
  [[nodiscard]] bool open_beside_proof() const { return payment_.proof() && payment_.has_open_attempt(); }
  /// R17, the way out of that: the attempt goes on the watch list. The payment itself has ended already.
  void close_beside_proof(FailureCode code) {
    close_open_attempts(code);
    act(Report{});
  }
  void fail_attempt(const AttemptKey& key, const Failure& failure) {
    write(FailAttempt{key, failure, at_});
    const bool last = !others_open(key);
    if (payment_.ended_for_good()) {
      if (last) act(Report{});
      return;
    }
    const auto reason = judge(failure, payment_.find(key)->route).final_reason;
    if (reason) set_stop(*reason);
    if (last) return act(Look{});  // R9, and R4: a look before the next id and before FAILED
    // What the payee gave back comes back part by part. Nothing is planned before the last part is back.
    if (!reason && failure.code != FailureCode::mpp_timeout && may_add_parts()) act(AskRoutes{});
  }
  void succeed(const Preimage& preimage, const std::optional<AttemptKey>& settled) {
    if (!payment_.proof()) {
      // R8: a late proof is stored beside the fail reason, and wins.
      if (payment_.fail_reason) {
        write(StoreLatePreimage{preimage, at_});
      } else {
        write(Succeed{preimage, at_});
      }
      settle_lost_parts(preimage, settled);
    }
    report_behind(settled);
  }
  /// Only watched attempts are left: a look asks about them, and then reports.
  void report_behind(const std::optional<AttemptKey>& ended) {
    if (others_open(ended)) return;
    const Attempt* except = ended ? payment_.find(*ended) : nullptr;
    const bool watched = std::any_of(payment_.attempts.begin(), payment_.attempts.end(),
                                     [&](const Attempt& a) { return a.watched() && &a != except; });
    watched ? act(Look{}) : act(Report{});
  }

  const Payment& payment_;
  UnixNs at_;
  Decision decision_;
};

/// Brings the payment in memory up to date with one stored write.
struct Applier {
  Payment& payment;

  void operator()(const InitPayment&) const {}  // the store gives the index
  void operator()(const RegisterAttempt& write) const { payment.attempts.push_back(write.attempt); }
  void operator()(const RecordForeign& write) const { payment.attempts.push_back(write.attempt); }
  void operator()(const MoveAttempt& write) const {
    Attempt& attempt = *payment.find(write.key);
    attempt.switch_run = write.run;
    if (write.expected_time_lock) attempt.expected_time_lock = write.expected_time_lock;
    attempt.moved = write.at;
  }
  void operator()(const AcceptAttempt& write) const {
    Attempt& attempt = *payment.find(write.key);
    if (!attempt.accepted) attempt.accepted = write.at;
  }
  void operator()(const SettleAttempt& write) const {
    Attempt& attempt = *payment.find(write.key);
    attempt.outcome = AttemptOutcome::settled;
    attempt.preimage = write.preimage;
    attempt.failure.reset();
    attempt.resolved = write.at;
  }
  void operator()(const FailAttempt& write) const { end(write.key, AttemptOutcome::failed, write.failure, write.at); }
  void operator()(const CloseAttempt& write) const { end(write.key, AttemptOutcome::closed, write.failure, write.at); }
  void operator()(const CloseImported& write) const {
    for (Attempt& attempt : payment.attempts) {
      if (attempt.open() && attempt.origin == AttemptOrigin::imported)
        end(attempt, AttemptOutcome::closed, Failure{write.code, {}, {}, {}, {}}, write.at);
    }
  }
  void operator()(const Succeed& write) const {
    payment.preimage = write.preimage;
    if (!payment.ended) payment.ended = write.at;
  }
  void operator()(const StoreLatePreimage& write) const { payment.late_preimage = write.preimage; }
  void operator()(const SetStop& write) const {
    payment.stop_reason = write.reason;
    payment.failure_detail = write.detail;
  }
  void operator()(const FailPayment& write) const {
    payment.fail_reason = write.reason;
    if (write.detail) payment.failure_detail = write.detail;  // otherwise the one that came with the stop wish stays
    if (!payment.ended) payment.ended = write.at;
  }
  void operator()(const EndUnknown& write) const {
    payment.end_note = write.note;
    if (!payment.ended) payment.ended = write.at;
  }

 private:
  void end(const AttemptKey& key, AttemptOutcome outcome, const Failure& failure, UnixNs at) const {
    end(*payment.find(key), outcome, failure, at);
  }
  static void end(Attempt& attempt, AttemptOutcome outcome, const Failure& failure, UnixNs at) {
    attempt.outcome = outcome;
    attempt.failure = failure;
    attempt.resolved = at;
  }
};

}  // namespace

Decision decide(const Payment& payment, const TimedEvent& event) {
  // If the clock was set back, a payment must not end before it began: it would look old to commands that delete old
  // ones.
  Decider decider(payment, std::max(event.at, payment.request.created));
  std::visit(decider, event.what);
  return std::move(decider).take();
}

void apply(Payment& payment, const Write& write) { std::visit(Applier{payment}, write); }

}  // namespace paytower
