// The store's refusals, as migrations/0002_payment_buckets.sql and db/payments/store.cpp state them.
#include <algorithm>

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

/// One tick's writes for one payment, tried on a copy of the store.
class Writer {
 public:
  Writer(const Config& config, const Mutation& mutation, Store& store, unsigned slot)
      : config_(config), mutation_(mutation), store_(store), slot_(slot),
        payment_(payment_of(config, store, slot, store.tries[slot].stop)) {}

  std::optional<Errc> run(const std::vector<Write>& writes) {
    for (const Write& write : writes) {
      if (const auto why = std::visit([this](const auto& what) { return refuse(what); }, write)) return why;
      apply(payment_, write);
      store_payment(config_, store_, slot_, payment_);
    }
    return std::nullopt;
  }

 private:
  using Refusal = std::optional<Errc>;

  /// Trigger payments_init_native.
  Refusal refuse(const InitPayment&) {
    payment_.index.value = slot_ + 1;
    if (mutation_.init_unchecked) return std::nullopt;
    for (unsigned other = 0; other < most_tries; ++other) {
      const StoredTry& one = store_.tries[other];
      if (one.stand != RowStand::stored) continue;
      if (one.proof != Proof::none) return Errc::already_paid;
      if (one.note != 0) return Errc::already_ended;
      if (one.fail == 0) return Errc::in_flight;
    }
    if (store_.guard == 0) return std::nullopt;
    return store_.guard == static_cast<std::uint8_t>(GuardKind::paid_deleted) ? Errc::already_paid : Errc::guarded;
  }

  /// Triggers attempts_no_replace and attempts_register_own.
  Refusal refuse(const RegisterAttempt& write) const {
    const Attempt& attempt = write.attempt;
    if (payment_.index.value == 0) return Errc::not_initiated;
    const unsigned number = number_of(config_, store_.names, payment_.key(attempt));
    if (store_.attempts.at(number).outcome != Outcome::absent) return Errc::conflict;
    for (const Attempt& other : payment_.attempts) {
      if (other.open() && other.part == attempt.part) return Errc::in_flight;
      if (other.outcome == AttemptOutcome::settled) return Errc::already_succeeded;
    }
    if (payment_.proof()) return Errc::already_succeeded;
    if (payment_.fail_reason) return Errc::already_failed;
    if (payment_.end_note) return Errc::already_ended;
    if (payment_.stop_reason) return Errc::stopped;
    for (unsigned other = 0; other < most_tries; ++other) {
      const StoredTry& one = store_.tries[other];
      if (other != slot_ && one.stand == RowStand::stored && one.proof != Proof::none) return Errc::already_paid;
    }
    return std::nullopt;
  }

  Refusal refuse(const MoveAttempt& write) const {
    const Attempt* attempt = payment_.find(write.key);
    return unless(attempt && attempt->open(), Errc::conflict);
  }

  /// A hand-over to a Core Lightning node has no time limit.
  Refusal refuse(const AcceptAttempt&) const { return Errc::conflict; }

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
    for (unsigned other = 0; other < most_tries; ++other) {
      StoredTry& one = store_.tries[other];
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

  const Config& config_;
  const Mutation& mutation_;
  Store& store_;
  unsigned slot_;
  Payment payment_;
};

/// Checks R12 and the rules of rounds, by what was stored before the write.
void check_round(const Config& config, const State& state, unsigned slot, const Attempt& attempt) {
  const Store& store = state.store;
  const bool begins = begins_round(config, store, slot, attempt);
  for (unsigned number = 1; number <= most_ids; ++number) {
    if ((state.used & bit(number)) == 0 || store.names[number].round != attempt.id->value) continue;
    if (begins || store.names[number].part == attempt.part) throw Violation{"R12: an attempt id is used again"};
    if (store.attempts[number].outcome == Outcome::given_back && has_open(store, slot))
      throw Violation{"parts: added to a set that the payee gives back"};
  }
}

/// Checks R7, R12, R13 for one write.
void check_write(const Config& config, const State& state, unsigned slot, const Write& write, const PaymentHash& hash) {
  if (const auto* made = std::get_if<RegisterAttempt>(&write)) {
    if (has_parts(config)) check_round(config, state, slot, made->attempt);
    if (!has_parts(config) && (state.used & bit(static_cast<unsigned>(made->attempt.id->value))) != 0)
      throw Violation{"R12: an attempt id is used again"};
    if (state.paid != 0) throw Violation{"R13: a paid hash gets a new attempt"};
  }
  if (const auto* settled = std::get_if<SettleAttempt>(&write)) {
    if (!proves(settled->preimage, hash)) throw Violation{"R7: a wrong preimage is stored"};
  }
}

}  // namespace

std::optional<Errc> commit(const Config& config, const Mutation& mutation, State& state, unsigned slot,
                           const std::vector<Write>& writes) {
  Store tried = state.store;
  if (const auto why = Writer(config, mutation, tried, slot).run(writes)) return why;
  const PaymentHash hash = payment_of(config, tried, slot, 0).request.hash;
  for (const Write& write : writes) {
    check_write(config, state, slot, write, hash);
  }
  for (const Write& write : writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      state.used |= bit(number_of(config, tried.names, test::key_of(*made->attempt.id, made->attempt.part)));
  }
  state.store = tried;
  if (!has_open(state.store, slot)) state.aged = static_cast<std::uint8_t>(state.aged & ~bit(slot));
  if (state.store.tries[slot].proof != Proof::none) state.paid = 1;
  return std::nullopt;
}

bool begins_round(const Config& config, const Store& store, unsigned slot, const Attempt& attempt) {
  for (unsigned number = 1; number <= most_ids; ++number) {
    const StoredAttempt& other = store.attempts[number];
    const bool goes_on = other.outcome == Outcome::open || other.outcome == Outcome::never_sent;
    if (goes_on && other.owner == slot && round_of(config, store.names, number) == attempt.id->value) return false;
  }
  return true;
}

std::optional<unsigned> newest(const Store& store) {
  std::optional<std::pair<int, unsigned>> best;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = store.tries[slot];
    if (one.stand != RowStand::stored) continue;
    const int rank = one.proof != Proof::none ? 3 : !ended(one) ? 2 : one.note != 0 ? 1 : 0;
    best = std::max(best, std::optional(std::pair(rank, slot)));
  }
  if (!best) return std::nullopt;
  return best->second;
}

/// Triggers payments_delete_paid, payments_delete_unknown, attempts_deleted.
void delete_try(const Config& config, const Mutation& mutation, Store& store, unsigned slot) {
  StoredTry& one = store.tries[slot];
  const auto paid = static_cast<std::uint8_t>(GuardKind::paid_deleted);
  if (!mutation.delete_forgets) {
    if (one.proof != Proof::none) store.guard = paid;
    if (one.note != 0 && one.proof == Proof::none && store.guard != paid)
      store.guard = static_cast<std::uint8_t>(GuardKind::written_off);
  }
  one = StoredTry{RowStand::deleted, 0, 0, Proof::none, 0, 0};
  for (unsigned id = 1; id <= most_ids; ++id) {
    StoredAttempt& attempt = store.attempts[id];
    if (attempt.outcome == Outcome::absent || attempt.owner != slot) continue;
    attempt = StoredAttempt{};
    const auto round = static_cast<std::uint8_t>(round_of(config, store.names, id));
    if (!mutation.delete_forgets) store.deleted_up_to = std::max(store.deleted_up_to, round);
  }
}

std::uint8_t known_ids(const Store& store) {
  std::uint8_t known = 0;
  for (unsigned id = 1; id <= most_ids; ++id) {
    if (store.attempts[id].outcome != Outcome::absent) known |= bit(id);
  }
  return known;
}

}  // namespace paytower::cln_model
