// The store's refusals, as migrations/0002_payment_buckets.sql and db/payments/store.cpp state them.
#pragma once

#include "core/base/hash.h"
#include "tests/model/world.h"

namespace paytower::model {

/// One tick's writes for one payment, tried on a copy of the store.
template <typename Store> class Writer {
 public:
  /// `init_unchecked`: a mutant's store, which takes every InitPayment.
  template <typename Config>
  Writer(const Config& config, Store& store, unsigned slot, bool init_unchecked)
      : store_(store), slot_(slot), init_unchecked_(init_unchecked), payment_(stored_payment(config, store, slot)) {}

  std::optional<Errc> run(const std::vector<Write>& writes) {
    for (const Write& write : writes) {
      if (const auto why = std::visit([this](const auto& what) { return this->refuse(what); }, write)) return why;
      apply(payment_, write);
      store_payment(store_, slot_, payment_);
    }
    return std::nullopt;
  }

 private:
  using Refusal = std::optional<Errc>;

  /// Trigger payments_init_native.
  Refusal refuse(const InitPayment&) {
    payment_.index.value = slot_ + 1;
    if (init_unchecked_) return std::nullopt;
    for (const StoredTry& one : store_.tries) {
      if (one.stand != RowStand::stored) continue;
      if (one.proof != Proof::none) return Errc::already_paid;
      if (one.note != 0) return Errc::already_ended;
      if (one.fail == 0) return Errc::in_flight;
    }
    const std::optional<GuardKind> guard = guard_of(store_);
    if (!guard) return std::nullopt;
    return *guard == GuardKind::paid_deleted ? Errc::already_paid : Errc::guarded;
  }

  /// Triggers attempts_no_replace and attempts_register_own.
  Refusal refuse(const RegisterAttempt& write) const {
    const Attempt& attempt = write.attempt;
    if (payment_.index.value == 0) return Errc::not_initiated;
    const unsigned number = number_of(store_, payment_.key(attempt));
    if (store_.attempts.at(number).outcome != Outcome::absent) return Errc::conflict;
    for (const Attempt& other : payment_.attempts) {
      if (other.open() && other.part == attempt.part) return Errc::in_flight;
      if (other.outcome == AttemptOutcome::settled) return Errc::already_succeeded;
    }
    if (payment_.proof()) return Errc::already_succeeded;
    if (payment_.fail_reason) return Errc::already_failed;
    if (payment_.end_note) return Errc::already_ended;
    if (payment_.stop_reason) return Errc::stopped;
    const bool paid = std::any_of(store_.tries.begin(), store_.tries.end(),
                                  [](const StoredTry& one) { return one.proof != Proof::none; });
    return unless(!paid, Errc::already_paid);
  }

  /// A hand-over that is bound to time goes once.
  Refusal refuse(const MoveAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    return unless(attempt && attempt->open() && !attempt->dies_at, Errc::conflict);
  }

  Refusal refuse(const AcceptAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    return unless(attempt && attempt->open() && attempt->dies_at && !attempt->accepted, Errc::conflict);
  }

  Refusal refuse(const RecordForeign&) const { return unless(payment_.index.value != 0, Errc::not_initiated); }

  Refusal refuse(const SettleAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    return unless(attempt && attempt->outcome != AttemptOutcome::settled, Errc::conflict);
  }

  Refusal refuse(const FailAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    return unless(attempt && (attempt->open() || attempt->outcome == AttemptOutcome::closed), Errc::conflict);
  }

  /// Trigger attempts_outcome: of closed attempts, only a watched one may become "preimage lost".
  Refusal refuse(const CloseAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    if (!attempt) return Errc::conflict;
    return unless(attempt->open() || (attempt->watched() && write.failure.code == FailureCode::preimage_lost),
                  Errc::conflict);
  }

  /// The model pays, and never imports.
  Refusal refuse(const CloseImported&) const { return Errc::conflict; }

  /// Trigger payments_succeed.
  Refusal refuse(const Succeed&) const {
    if (payment_.fail_reason) return Errc::already_failed;
    return unless(!payment_.preimage && payment_.settled_attempt(), Errc::conflict);
  }

  /// The check on late_preimage, trigger payments_succeed_late, and the stop wish of a newer try.
  Refusal refuse(const StoreLatePreimage&) {
    if (!payment_.fail_reason || payment_.late_preimage || !payment_.settled_attempt()) return Errc::conflict;
    for (StoredTry& one : store_.tries) {
      const bool live = one.stand == RowStand::stored && one.fail == 0;
      if (live && one.stop == 0 && one.proof == Proof::none && one.note == 0)
        one.stop = 1 + static_cast<std::uint8_t>(FailureReason::error);
    }
    return std::nullopt;
  }

  /// Trigger payments_stop.
  Refusal refuse(const SetStop&) const {
    return unless(!payment_.ended_for_good() && !payment_.stop_reason, Errc::conflict);
  }

  /// Trigger payments_fail.
  Refusal refuse(const FailPayment&) const {
    if (payment_.preimage) return Errc::already_succeeded;
    if (payment_.end_note) return Errc::already_ended;
    if (payment_.has_open_attempt()) return Errc::in_flight;
    if (payment_.settled_attempt()) return Errc::already_succeeded;
    return unless(!payment_.fail_reason, Errc::conflict);
  }

  /// Trigger payments_end.
  Refusal refuse(const EndUnknown&) const {
    if (payment_.proof()) return Errc::already_succeeded;
    if (payment_.has_open_attempt()) return Errc::in_flight;
    return unless(!payment_.end_note, Errc::conflict);
  }

  static Refusal unless(bool right, Errc why) {
    if (right) return std::nullopt;
    return why;
  }

  Store& store_;
  unsigned slot_;
  bool init_unchecked_;
  Payment payment_;
};

/// Checks R7, R12, R13 for one write, by what was stored before it.
template <typename Config, typename State>
void check_write(const Config& config, const State& state, unsigned slot, const Write& write, const PaymentHash& hash) {
  if (const auto* made = std::get_if<RegisterAttempt>(&write)) {
    check_new_id(config, state, slot, made->attempt);
    if (state.paid != 0) throw Violation{"R13: a paid hash gets a new attempt"};
  }
  const auto* settled = std::get_if<SettleAttempt>(&write);
  if (settled != nullptr && !proves(settled->preimage, hash)) throw Violation{"R7: a wrong preimage is stored"};
}

/// All writes or none. The refusal's code, or nothing when they are stored.
template <typename Config, typename State>
[[nodiscard]] std::optional<Errc> commit_writes(const Config& config, State& state, unsigned slot,
                                                const std::vector<Write>& writes, bool init_unchecked = false) {
  auto tried = state.store;
  if (const auto why = Writer(config, tried, slot, init_unchecked).run(writes)) return why;
  const PaymentHash hash = payment_of(config, tried, slot, 0).request.hash;
  for (const Write& write : writes) check_write(config, state, slot, write, hash);
  state.store = tried;
  if (state.store.tries[slot].proof != Proof::none) state.paid = 1;
  return std::nullopt;
}

}  // namespace paytower::model
