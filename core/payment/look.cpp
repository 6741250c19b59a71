// Turns what a switch shows of a hash into events for one payment.
#include "core/payment/look.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/hash.h"

namespace paytower {

namespace {

/// Draws the conclusions of one look for one payment.
class LookReader {
 public:
  LookReader(const Payment& payment, LookResult look, const StoreKnowledge& store)
      : payment_(payment), look_(std::move(look)), store_(store) {}

  LookFinding read() && {
    finding_.now = look_.now;
    finding_.moves = look_.movement != Movement::none ||
                     std::any_of(look_.rows.begin(), look_.rows.end(),
                                 [](const SwitchRow& row) { return row.state == RowState::complete; });
    finding_.why_open.movement = look_.movement;
    if ((finding_.alarm = alarm())) return std::move(finding_);
    read_others();
    for (const Attempt& attempt : payment_.attempts) {
      if (attempt.origin == AttemptOrigin::own) read_attempt(attempt);
    }
    // Proofs first: once a part has settled, the failure of another part says nothing about the payment.
    std::stable_partition(finding_.events.begin(), finding_.events.end(),
                          [](const Event& event) { return std::holds_alternative<Settled>(event); });
    // Somebody's complete record comes before attempts without a record: otherwise those would be sent again.
    if (paid_) happened(*paid_);
    for (const NotFound& missing : missing_) happened(missing);
    if (!paid_) read_hash();
    return std::move(finding_);
  }

 private:
  [[nodiscard]] std::optional<Errc> alarm() const {
    if (look_.restored) return Errc::switch_old_copy;
    if (look_.doubled) return Errc::attempt_doubled;
    for (const SwitchRow& row : look_.rows) {
      const auto label = parse_attempt_label(row.label);
      if (!label || label->store != store_.store || label->id <= store_.deleted_up_to) continue;
      if (!known(label->id, row.part)) return Errc::database_old_copy;
    }
    return std::nullopt;
  }

  [[nodiscard]] AttemptKey key_of(const SwitchRow& row) const { return {payment_.request.hash, row.id, row.part}; }

  [[nodiscard]] bool known(AttemptId id, std::uint32_t part) const {
    return std::find(store_.known.begin(), store_.known.end(), AttemptKey{payment_.request.hash, id, part}) !=
           store_.known.end();
  }

  [[nodiscard]] RowOwner owner(const SwitchRow& row) const { return owner_of(row, store_.store); }

  [[nodiscard]] Evidence evidence(const Attempt& attempt) const {
    const auto found = std::find_if(look_.evidence.begin(), look_.evidence.end(),
                                    [&](const auto& one) { return one.first == payment_.key(attempt); });
    return found == look_.evidence.end() ? Evidence::unknown : found->second;
  }

  void read_attempt(const Attempt& attempt) {
    if (attempt.outcome == AttemptOutcome::settled) return;
    const SwitchRow* row = paytower::row_of(look_.rows, store_.store, payment_.key(attempt));
    const bool fence = row && owner(*row) == RowOwner::own_fence;
    if (row && !fence) {
      if (row->state == RowState::complete) return read_complete(attempt, *row);
      if (row->state == RowState::pending) return read_pending(attempt, *row);
      // The record says failed, but an earlier copy of the attempt has settled: the money decides.
      if (evidence(attempt) == Evidence::money_left) return read_lost(attempt);
      if (attempt.open() || attempt.watched())
        happened(Failed{payment_.key(attempt), row->failure.value_or(Failure{})});
      return;
    }
    const Evidence found = evidence(attempt);
    if (found == Evidence::money_left) return read_lost(attempt);
    if (attempt.watched() && (found == Evidence::never || found == Evidence::erased)) {
      const auto code = found == Evidence::never ? FailureCode::not_executed : FailureCode::erased;
      return happened(Failed{payment_.key(attempt), {code, {}, {}, {}, {}}});
    }
    if (!attempt.open()) return;
    if (fence && row->state != RowState::failed)
      return missing_.push_back(
          NotFound{payment_.key(attempt), Evidence::not_yet, false, look_.run, look_.base_height});
    // While another attempt's record is pending, the switch refuses this attempt and its fence alike: wait for that
    // end.
    const bool known = found == Evidence::unknown || found == Evidence::never || found == Evidence::erased;
    const bool wait = busy_ && !fence && !known;
    if (found == Evidence::unknown) finding_.why_open.gone = payment_.key(attempt);
    missing_.push_back(
        NotFound{payment_.key(attempt), wait ? Evidence::not_yet : found, fence, look_.run, look_.base_height});
  }

  void read_pending(const Attempt& attempt, const SwitchRow& row) {
    if (proven_orphan(attempt)) return attempt.dies() ? warn_stranded(attempt, row) : warn_wedged(attempt, row);
    if (!attempt.open()) return;
    happened(Pending{payment_.key(attempt), look_.takes_parts});
    const Evidence found = evidence(attempt);
    if (found == Evidence::stranded) finding_.orphans.push_back(payment_.key(attempt));
    if (found == Evidence::stranded || found == Evidence::no_htlc) return warn_stranded(attempt, row);
    if (row.channel_closed) return warn_closed(attempt, row);
    if (found != Evidence::nothing_since_mark) return;
    const bool run_is_over = !attempt.switch_run.empty() && !look_.run.empty() && attempt.switch_run != look_.run;
    if (run_is_over) finding_.orphans.push_back(payment_.key(attempt));
    if (row.lingers) warn_orphan(row);
  }

  void warn_wedged(const Attempt& attempt, const SwitchRow& row) {
    const bool more_may_go = attempt.amount < payment_.request.demand.amount && !payment_.stop_reason;
    if (more_may_go) return;
    finding_.why_open.without_htlc = key_of(row);
    warn(
        fmt::format("the switch calls {} pending, although it never sent it: this record never ends, and the node "
                    "refuses every payment of this hash because of it. To remove it, stop the node and delete the row "
                    "from the table `payments` in lightningd.sqlite3. To end the payment here alone, run `paytower "
                    "resolve --assume-failed` without naming a switch",
                    name_of(payment_, key_of(row))));
  }

  /// The HTLC was lost with the switch's process: it was certainly never sent, but the record blocks the hash. Only the
  /// owner of the node can remove it, and as long as it is there nothing is concluded from it.
  void warn_orphan(const SwitchRow& row) {
    finding_.why_open.without_htlc = key_of(row);
    finding_.why_open.all_without_htlc.push_back(key_of(row));
    warn(
        fmt::format("the switch calls {} pending, but has made no HTLC of this hash since it was sent to the node: if "
                    "the node was killed in between, this record never ends and blocks the hash; `paytower resolve "
                    "--assume-failed` closes the attempt",
                    name_of(payment_, key_of(row))));
  }

  /// The same for a switch whose record names the channel, and ends with that channel.
  void warn_stranded(const Attempt& attempt, const SwitchRow& row) {
    finding_.why_open.without_htlc = key_of(row);
    finding_.why_open.all_without_htlc.push_back(key_of(row));
    const std::string channel = first_channel(attempt);
    warn(fmt::format(
        "the switch calls {} in flight, but shows no HTLC of it: the node was probably killed before it sent it, and "
        "will never end it. Way out: close channel {} (it costs on-chain fees; close it together with the peer, as a "
        "forced close takes days), restart the node when the close has 6 confirmations, then run paytower resume {}",
        name_of(payment_, key_of(row)), channel, payment_.request.hash.hex()));
  }

  /// An HTLC that was in the channel ends on the chain. One that was never sent ends when the node starts and finds the
  /// channel gone.
  void warn_closed(const Attempt& attempt, const SwitchRow& row) {
    finding_.why_open.channel_closed = key_of(row);
    warn(fmt::format(
        "the switch calls {} in flight, but channel {} is not open any more. If its HTLC was in that channel, it ends "
        "with the close. If it was never sent, the node ends it when it starts: restart it when the close has 6 "
        "confirmations, then run paytower resume {}",
        name_of(payment_, key_of(row)), first_channel(attempt), payment_.request.hash.hex()));
  }

  static std::string first_channel(const Attempt& attempt) {
    return attempt.route.hops.empty() ? "that" : attempt.route.hops.front().channel.text();
  }

  void read_complete(const Attempt& attempt, const SwitchRow& row) {
    if (row.preimage && proves(*row.preimage, payment_.request.hash))
      return happened(Settled{payment_.key(attempt), *row.preimage});
    unproven_ = true;
    warn(fmt::format("the switch calls {} complete, but its preimage does not prove it: nothing was concluded",
                     name_of(payment_, key_of(row))));
  }

  void read_lost(const Attempt& attempt) {
    if (attempt.open() || attempt.watched() || !payment_.end_note) happened(SettledPreimageLost{payment_.key(attempt)});
  }

  /// Records of other users, or of another try of ours.
  void read_others() {
    for (const SwitchRow& row : look_.rows) {
      if (is_own_attempt(row)) continue;
      if (row.state == RowState::pending)
        blocked_by(is_earlier_try(row) ? Blocker::closed_by_hand : Blocker::other_user);
      if (row.state == RowState::complete && !paid_) read_foreign_complete(row);
    }
  }

  /// Everything that is about the hash, not about one own attempt of this payment.
  void read_hash() {
    const bool pending = std::any_of(look_.rows.begin(), look_.rows.end(),
                                     [](const SwitchRow& row) { return row.state == RowState::pending; });
    if (unproven_) busy_ = true;
    if (closed_but_pending()) blocked_by(Blocker::closed_by_hand);
    // An HTLC without a record is still an HTLC of the hash.
    if (!pending && look_.movement == Movement::some) blocked_by(Blocker::other_user);
    if (look_.standing != Blocker::none) blocked_by(look_.standing);
    if (foreign_money_gone()) return happened(SettledPreimageLost{});
    if (const auto round = orphans_alone()) return happened(OnlyOrphans{*round});
    if (busy_) return happened(HashBusy{});
    if (look_.to_release) return happened(Releasable{});
    if (!payment_.has_open_attempt()) happened(Quiet{});
  }

  [[nodiscard]] bool is_own_attempt(const SwitchRow& row) const {
    return owner(row) != RowOwner::other && payment_.find(key_of(row)) != nullptr;
  }

  /// A new try is made only after the earlier one has ended. So what is still pending of the earlier one was closed by
  /// hand.
  [[nodiscard]] bool is_earlier_try(const SwitchRow& row) const {
    return owner(row) == RowOwner::own_attempt && known(row.id, row.part);
  }

  /// The round of the orphans, if nothing else is pending. Nothing when they make the whole amount: then the switch
  /// takes no further part beside them.
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
    if (look_.movement != Movement::none || !look_.takes_parts || unproven_ || payment_.has_open_attempt() ||
        sum >= payment_.request.demand.amount)
      return std::nullopt;
    return round;
  }

  /// Its record stays pending for ever, and its HTLC was never sent. An attempt that was refused because the hash was
  /// taken (Failure::node is our own) has no record.
  static bool proven_orphan(const Attempt& attempt) {
    return attempt.outcome == AttemptOutcome::failed && attempt.failure->code == FailureCode::local_refusal &&
           !attempt.failure->node;
  }

  /// A record of ours is pending although the operator has closed the attempt: the hash is not quiet.
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

  /// The sum over the complete parts of one payment; 0 when the switch does not tell it for all of them.
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

  /// Money of this hash has left since our first attempt was sent, and neither a record nor an attempt of ours explains
  /// it. A record that is still pending will show its preimage later, so it does not count here.
  [[nodiscard]] bool foreign_money_gone() const {
    if (payment_.proof()) return false;
    return std::any_of(look_.debits.begin(), look_.debits.end(), [&](const AttemptKey& debit) {
      const bool will_be_shown = std::any_of(look_.rows.begin(), look_.rows.end(), [&](const SwitchRow& row) {
        return key_of(row) == debit && row.state == RowState::pending;
      });
      return !known(debit.id, debit.part) && !will_be_shown;
    });
  }

  void blocked_by(Blocker whose) {
    busy_ = true;
    Blocker& blocker = finding_.why_open.blocker;
    if (blocker != Blocker::closed_by_hand) blocker = whose;
  }

  void happened(Event event) { finding_.events.push_back(std::move(event)); }
  void warn(std::string text) { finding_.warnings.push_back(std::move(text)); }

  const Payment& payment_;
  LookResult look_;
  const StoreKnowledge& store_;
  LookFinding finding_;
  std::vector<NotFound> missing_;  ///< own attempts without a record of their own
  std::optional<HashPaid> paid_;   ///< by somebody else
  bool busy_ = false;              ///< another attempt's record is pending, or complete without proof
  bool unproven_ = false;
};

}  // namespace

std::vector<Asked> asked_of(const Payment& payment) {
  std::vector<Asked> asked;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin != AttemptOrigin::own) continue;
    asked.push_back({payment.key(attempt), attempt.marks, attempt.route.total_amount(), payment.request.demand.amount,
                     attempt.registered, attempt.dies_at, attempt.total_time_lock, attempt.accepted.has_value(),
                     attempt.open(), attempt.watched(), attempt.outcome == AttemptOutcome::settled});
  }
  return asked;
}

RowOwner owner_of(const SwitchRow& row, const StoreId& store) {
  const auto label = parse_attempt_label(row.label);
  if (!label || label->store != store || label->id != row.id) return RowOwner::other;
  return label->fence ? RowOwner::own_fence : RowOwner::own_attempt;
}

const SwitchRow* row_of(std::span<const SwitchRow> rows, const StoreId& store, const AttemptKey& key) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const SwitchRow& row) {
    return row.id == key.id && row.part == key.part && owner_of(row, store) != RowOwner::other;
  });
  return found == rows.end() ? nullptr : &*found;
}

LookFinding interpret(const Payment& payment, const Shown& shown, const StoreKnowledge& store) {
  return LookReader(payment, shown.about(store.store, asked_of(payment)), store).read();
}

}  // namespace paytower
