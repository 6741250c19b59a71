#include "core/payment/look.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"

namespace paytower {

namespace {

/// Whose row it is, judged by its label: group ids alone may collide with another user's.
enum class RowOwner { own_attempt, own_fence, other };

/// Draws the conclusions of one look for one payment.
class Reader {
 public:
  Reader(const Payment& payment, const LookResult& look, const StoreKnowledge& store)
      : payment_(payment), look_(look), store_(store) {}

  LookFinding read() && {
    if ((finding_.alarm = alarm())) return std::move(finding_);
    read_others();
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.origin == AttemptOrigin::own) read_attempt(attempt);
    }
    // A proof comes first: beside a settled part the failure of another one says nothing about the payment.
    std::stable_partition(finding_.events.begin(), finding_.events.end(),
                          [](const Event& event) { return std::holds_alternative<Settled>(event); });
    // Somebody's complete row is told before what has no row of its own: that would be handed over again.
    if (paid_) happened(*paid_);
    for (const NotFound& missing : missing_) happened(missing);
    if (!paid_) read_hash();
    return std::move(finding_);
  }

 private:
  [[nodiscard]] std::optional<Errc> alarm() const {
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.origin == AttemptOrigin::own && went_backwards(attempt.marks)) return Errc::switch_old_copy;
    }
    for (const SwitchRow& row : look_.rows) {
      const auto label = parse_attempt_label(row.label);
      if (!label || label->store != store_.store || label->id <= store_.deleted_up_to) continue;
      if (!known(label->id, row.part)) return Errc::database_old_copy;
    }
    return std::nullopt;
  }

  [[nodiscard]] AttemptKey key_of(const SwitchRow& row) const { return {look_.hash, row.id, row.part}; }

  [[nodiscard]] bool known(AttemptId id, std::uint32_t part) const {
    return std::find(store_.known.begin(), store_.known.end(), AttemptKey{look_.hash, id, part}) != store_.known.end();
  }

  [[nodiscard]] bool went_backwards(const Marks& then) const {
    const auto below = [](const std::optional<std::uint64_t>& now, const std::optional<std::uint64_t>& mark) {
      return now && mark && *now < *mark;
    };
    return below(look_.now.payments_created, then.payments_created) ||
           below(look_.now.htlcs_created, then.htlcs_created) || below(look_.now.htlcs_deleted, then.htlcs_deleted) ||
           below(look_.now.movements_created, then.movements_created);
  }

  [[nodiscard]] RowOwner owner(const SwitchRow& row) const {
    const auto label = parse_attempt_label(row.label);
    if (!label || label->store != store_.store || label->id != row.id) return RowOwner::other;
    return label->fence ? RowOwner::own_fence : RowOwner::own_attempt;
  }

  [[nodiscard]] const SwitchRow* row_of(const Attempt& attempt) const {
    for (const SwitchRow& row : look_.rows) {
      if (row.id == attempt.id && row.part == attempt.part && owner(row) != RowOwner::other) return &row;
    }
    return nullptr;
  }

  void read_attempt(const Attempt& attempt) {
    if (attempt.outcome == AttemptOutcome::settled) return;
    const SwitchRow* row = row_of(attempt);
    const bool fence = row && owner(*row) == RowOwner::own_fence;
    if (row && !fence) {
      if (row->state == RowState::complete) return read_complete(attempt, *row);
      if (row->state == RowState::pending) return read_pending(attempt, *row);
      // A row that failed later than a copy of it settled: the money decides.
      if (debited(attempt)) return read_lost(attempt);
      if (attempt.open() || attempt.watched())
        happened(Failed{payment_.key(attempt), row->failure.value_or(Failure{})});
      return;
    }
    if (debited(attempt)) return read_lost(attempt);
    if (!attempt.open()) return;
    if (fence && row->state != RowState::failed)
      return missing_.push_back(NotFound{payment_.key(attempt), Evidence::not_yet, false, look_.run});
    const Evidence found = evidence(attempt);
    // While another attempt's row stands, the switch refuses this one and its fence alike: that row's end is awaited.
    const bool wait = busy_ && !fence && found != Evidence::unknown;
    missing_.push_back(NotFound{payment_.key(attempt), wait ? Evidence::not_yet : found, fence, look_.run});
  }

  void read_pending(const Attempt& attempt, const SwitchRow& row) {
    if (proven_orphan(attempt)) return warn_wedged(attempt, row);
    if (!attempt.open()) return;
    happened(Pending{payment_.key(attempt)});
    if (evidence(attempt) != Evidence::nothing_since_mark) return;
    const bool run_is_over = !attempt.switch_run.empty() && !look_.run.empty() && attempt.switch_run != look_.run;
    if (run_is_over) finding_.orphans.push_back(payment_.key(attempt));
    if (row.lingers) warn_orphan(row);
  }

  void warn_wedged(const Attempt& attempt, const SwitchRow& row) {
    const bool more_may_go = attempt.amount < payment_.request.demand.amount && !payment_.stop_reason;
    if (more_may_go) return;
    warn("the switch calls " + name_of(key_of(row)) +
         " pending, although it never sent it: this row is an orphan that never ends, and with it the node refuses "
         "every payment of this hash until the row is taken out of `payments` in lightningd.sqlite3 while the node is "
         "stopped; `paytower resolve --assume-failed`, without a switch named, ends the payment here");
  }

  /// A row whose HTLC was lost with the switch's process: certainly never sent, yet it blocks the hash there. Only its
  /// owner can remove it, and while it stands nothing is concluded from it.
  void warn_orphan(const SwitchRow& row) {
    warn("the switch calls " + name_of(key_of(row)) +
         " pending, but has made no HTLC of this hash since it was handed over: if the node was killed meanwhile, this "
         "row is an orphan that never ends and that keeps the hash from being paid; `paytower resolve --assume-failed` "
         "closes the attempt");
  }

  void read_complete(const Attempt& attempt, const SwitchRow& row) {
    if (row.preimage && proves(*row.preimage, payment_.request.hash))
      return happened(Settled{payment_.key(attempt), *row.preimage});
    unproven_ = true;
    warn("the switch calls " + name_of(key_of(row)) +
         " complete, but its preimage does not prove it: nothing was concluded");
  }

  void read_lost(const Attempt& attempt) {
    if (attempt.open() || attempt.watched() || !payment_.end_note) happened(SettledPreimageLost{payment_.key(attempt)});
  }

  [[nodiscard]] bool debited(const Attempt& attempt) const {
    if (!look_.debits) return false;
    return std::any_of(look_.debits->begin(), look_.debits->end(), [&](const Debit& debit) {
      return debit.id == attempt.id && debit.part == attempt.part &&
             after(debit.index, attempt.marks.movements_created);
    });
  }

  static bool after(std::uint64_t index, const std::optional<std::uint64_t>& mark) { return !mark || index > *mark; }

  /// R5. HTLCs carry no part, so that an attempt is known by what it sends over our channel; an amount that is not told
  /// may be anybody's.
  [[nodiscard]] Evidence evidence(const Attempt& attempt) const {
    const Marks& mark = attempt.marks;
    if (!look_.htlcs || !mark.htlcs_created || !mark.htlcs_deleted || !look_.now.htlcs_deleted)
      return Evidence::unknown;
    if (unexplained_htlc(attempt)) return Evidence::not_yet;
    if (*look_.now.htlcs_deleted != *mark.htlcs_deleted) return Evidence::unknown;
    const std::size_t finished = count_finished(attempt);
    if (finished == 0) return Evidence::nothing_since_mark;
    const Signature same = signature(attempt);
    if (same.shared && finished <= same.made) return Evidence::not_yet;
    return look_.debits && mark.movements_created ? Evidence::finished_no_debit : Evidence::unknown;
  }

  /// One of the hash that still moves, and that no row of another attempt of ours accounts for.
  [[nodiscard]] bool unexplained_htlc(const Attempt& attempt) const {
    std::vector<Msat> pending;
    for (const Attempt& other : payment_.attempts) {
      if (&other != &attempt && pending_at_switch(other)) pending.push_back(other.route.total_amount());
    }
    for (const OutgoingHtlc& htlc : *look_.htlcs) {
      if (htlc.finished || !after(htlc.created_index, attempt.marks.htlcs_created)) continue;
      const auto explained = std::find_if(pending.begin(), pending.end(),
                                          [&](Msat amount) { return !htlc.amount || *htlc.amount == amount; });
      if (explained == pending.end()) return true;
      pending.erase(explained);
    }
    return false;
  }

  [[nodiscard]] bool pending_at_switch(const Attempt& attempt) const {
    if (attempt.origin != AttemptOrigin::own) return false;
    const SwitchRow* row = row_of(attempt);
    return row != nullptr && row->state == RowState::pending;
  }

  /// Since the attempt's mark, and of its amount on our channel.
  [[nodiscard]] std::size_t count_finished(const Attempt& attempt) const {
    return static_cast<std::size_t>(
        std::count_if(look_.htlcs->begin(), look_.htlcs->end(), [&](const OutgoingHtlc& htlc) {
          return htlc.finished && after(htlc.created_index, attempt.marks.htlcs_created) &&
                 (!htlc.amount || *htlc.amount == attempt.route.total_amount());
        }));
  }

  /// Other attempts whose HTLCs cannot be told from those of one.
  struct Signature {
    bool shared = false;
    std::size_t made = 0;  ///< HTLCs that are known to be theirs, at most
  };

  [[nodiscard]] Signature signature(const Attempt& attempt) const {
    Signature same;
    for (const Attempt& other : payment_.attempts) {
      if (&other == &attempt || !may_look_like(other, attempt)) continue;
      same.shared = true;
      const SwitchRow* row = row_of(other);
      const bool shown = row != nullptr && owner(*row) == RowOwner::own_attempt;
      if (shown || other.outcome == AttemptOutcome::settled) ++same.made;
    }
    return same;
  }

  /// The same amount on our channel, and an HTLC that may be younger than the mark of `attempt`.
  [[nodiscard]] bool may_look_like(const Attempt& other, const Attempt& attempt) const {
    if (other.origin != AttemptOrigin::own || other.route.total_amount() != attempt.route.total_amount()) return false;
    const bool younger = other.marks.htlcs_created >= attempt.marks.htlcs_created;
    return younger || other.id == attempt.id || other.open() || other.watched();
  }

  /// Rows of anybody else, or of another try of ours.
  void read_others() {
    for (const SwitchRow& row : look_.rows) {
      if (is_own_attempt(row)) continue;
      if (row.state == RowState::pending)
        blocked_by(is_earlier_try(row) ? Blocker::closed_by_hand : Blocker::other_user);
      if (row.state == RowState::complete && !paid_) read_foreign_complete(row);
    }
  }

  /// Everything that is not about one own attempt of this payment.
  void read_hash() {
    const bool pending = std::any_of(look_.rows.begin(), look_.rows.end(),
                                     [](const SwitchRow& row) { return row.state == RowState::pending; });
    if (unproven_) busy_ = true;
    if (closed_but_pending()) blocked_by(Blocker::closed_by_hand);
    if (!pending && look_.htlcs && std::any_of(look_.htlcs->begin(), look_.htlcs->end(), [](const OutgoingHtlc& htlc) {
          return !htlc.finished;
        })) {
      blocked_by(Blocker::other_user);  // an HTLC that no row explains is still an HTLC of the hash
    }
    if (foreign_money_gone()) return happened(SettledPreimageLost{});
    if (const auto round = orphans_alone()) return happened(OnlyOrphans{*round});
    if (busy_) return happened(HashBusy{});
    if (!payment_.has_open_attempt()) happened(Quiet{});
  }

  [[nodiscard]] bool is_own_attempt(const SwitchRow& row) const {
    return owner(row) != RowOwner::other && payment_.find(key_of(row)) != nullptr;
  }

  /// A new try is made only after the earlier one has ended: what is pending of that one was closed by hand.
  [[nodiscard]] bool is_earlier_try(const SwitchRow& row) const {
    return owner(row) == RowOwner::own_attempt && known(row.id, row.part);
  }

  /// The round whose orphans are all that is pending. Nothing where they are the whole payment: then the switch takes
  /// no part beside them.
  [[nodiscard]] std::optional<AttemptId> orphans_alone() const {
    std::optional<AttemptId> round;
    Msat sum;
    for (const SwitchRow& row : look_.rows) {
      if (row.state == RowState::failed) continue;
      const Attempt* attempt = is_own_attempt(row) ? payment_.find(key_of(row)) : nullptr;
      if (row.state != RowState::pending || attempt == nullptr || !proven_orphan(*attempt)) return std::nullopt;
      if (round && *round != row.id) return std::nullopt;
      round = row.id;
      sum = checked_add(sum, attempt->amount).value_or(payment_.request.demand.amount);
    }
    const bool moving = !look_.htlcs || std::any_of(look_.htlcs->begin(), look_.htlcs->end(),
                                                    [](const OutgoingHtlc& htlc) { return !htlc.finished; });
    if (moving || unproven_ || payment_.has_open_attempt() || sum >= payment_.request.demand.amount)
      return std::nullopt;
    return round;
  }

  /// Its row is pending for ever, and its HTLC was never sent.
  static bool proven_orphan(const Attempt& attempt) {
    return attempt.outcome == AttemptOutcome::failed && attempt.failure->code == FailureCode::local_refusal;
  }

  /// A row of ours is pending although we have ended the attempt (the operator's word): the hash is not quiet.
  [[nodiscard]] bool closed_but_pending() const {
    return std::any_of(look_.rows.begin(), look_.rows.end(), [&](const SwitchRow& row) {
      const Attempt* attempt = is_own_attempt(row) ? payment_.find(key_of(row)) : nullptr;
      return attempt && !attempt->open() && row.state == RowState::pending && owner(row) == RowOwner::own_attempt;
    });
  }

  void read_foreign_complete(const SwitchRow& row) {
    if (row.preimage && proves(*row.preimage, payment_.request.hash)) {
      const Msat amount = sum_of(row.id, &SwitchRow::amount);
      const Msat sent = sum_of(row.id, &SwitchRow::amount_sent);
      paid_ = HashPaid{*row.preimage, row.id, amount, checked_sub(sent, amount).value_or(Msat{}), row.destination};
      return;
    }
    busy_ = true;
    warn("the switch shows a complete payment of this hash without a preimage that proves it");
  }

  /// Over the complete parts of one payment; 0 when the switch does not say it of all.
  [[nodiscard]] Msat sum_of(AttemptId id, std::optional<Msat> SwitchRow::*amount) const {
    Msat sum;
    for (const SwitchRow& row : look_.rows) {
      if (row.id != id || row.state != RowState::complete || is_own_attempt(row)) continue;
      const auto more = row.*amount ? checked_add(sum, *(row.*amount)) : std::nullopt;
      if (!more) return Msat{};
      sum = *more;
    }
    return sum;
  }

  /// Money of this hash left since our first hand-over, by nobody's row and no attempt of ours. A row that is still
  /// called pending will show its preimage.
  [[nodiscard]] bool foreign_money_gone() const {
    if (!look_.debits || payment_.proof()) return false;
    return std::any_of(look_.debits->begin(), look_.debits->end(), [&](const Debit& debit) {
      const bool ours = known(debit.id, debit.part);
      const bool will_be_shown = std::any_of(look_.rows.begin(), look_.rows.end(), [&](const SwitchRow& row) {
        return row.id == debit.id && row.part == debit.part && row.state == RowState::pending;
      });
      return !ours && !will_be_shown && after(debit.index, first_mark());
    });
  }

  [[nodiscard]] std::optional<std::uint64_t> first_mark() const {
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.origin == AttemptOrigin::own) return attempt.marks.movements_created;
    }
    return std::nullopt;
  }

  void blocked_by(Blocker whose) {
    busy_ = true;
    if (finding_.blocker != Blocker::closed_by_hand) finding_.blocker = whose;
  }

  void happened(Event event) { finding_.events.push_back(std::move(event)); }
  void warn(std::string text) { finding_.warnings.push_back(std::move(text)); }

  const Payment& payment_;
  const LookResult& look_;
  const StoreKnowledge& store_;
  LookFinding finding_;
  std::vector<NotFound> missing_;  ///< own attempts without a row of their own
  std::optional<HashPaid> paid_;   ///< by somebody else
  bool busy_ = false;              ///< another attempt's row is pending, or complete without proof
  bool unproven_ = false;
};

}  // namespace

LookFinding interpret(const Payment& payment, const LookResult& look, const StoreKnowledge& store) {
  return Reader(payment, look, store).read();
}

}  // namespace paytower
