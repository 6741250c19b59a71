// Weighs HTLCs, debits and counters of a node against the attempts of a payment.
#include "core/switch/cln/evidence.h"

#include <algorithm>
#include <utility>

namespace paytower::cln {

namespace {

using Mark = std::optional<std::uint64_t>;

bool after(std::uint64_t index, const Mark& mark) { return !mark || index > *mark; }
bool below(const Mark& now, const Mark& then) { return now && then && *now < *then; }
Mark least(const Mark& a, const Mark& b) { return a && b ? std::min(*a, *b) : a ? a : b; }

bool went_backwards(const Counters& now, const Counters& then) {
  return below(now.payments_created, then.payments_created) || below(now.htlcs_created, then.htlcs_created) ||
         below(now.htlcs_deleted, then.htlcs_deleted) || below(now.movements_created, then.movements_created);
}

/// Weighs the attempts of one payment against what the node showed.
class Scales {
 public:
  Scales(const NodeLists& lists, const StoreId& store, std::span<const Asked> attempts)
      : lists_(lists), store_(store), attempts_(attempts) {
    marks_.reserve(attempts.size());
    for (const Asked& attempt : attempts) marks_.push_back(counters_of(attempt.marks));
  }

  /// REQUIRES: one of the attempts.
  [[nodiscard]] const Counters& mark(const Asked& attempt) const {
    return marks_[static_cast<std::size_t>(&attempt - attempts_.data())];
  }

  [[nodiscard]] Evidence weigh(const Asked& attempt) const {
    if (debited(attempt)) return Evidence::money_left;
    return attempt.open ? by_htlcs(attempt) : Evidence::unknown;
  }

 private:
  [[nodiscard]] bool debited(const Asked& attempt) const {
    if (!lists_.debits) return false;
    return std::any_of(lists_.debits->begin(), lists_.debits->end(), [&](const Debit& debit) {
      return debit.id == attempt.key.id && debit.part == attempt.key.part &&
             after(debit.index, mark(attempt).movements_created);
    });
  }

  /// HTLCs do not say which part they are, so an attempt is known by what it sends over our channel. An HTLC without an
  /// amount may be anybody's.
  [[nodiscard]] Evidence by_htlcs(const Asked& attempt) const {
    const Counters& then = mark(attempt);
    if (!lists_.htlcs || !then.htlcs_created || !then.htlcs_deleted || !lists_.now.htlcs_deleted)
      return Evidence::unknown;
    if (unexplained_htlc(attempt)) return Evidence::not_yet;
    if (*lists_.now.htlcs_deleted != *then.htlcs_deleted) return Evidence::unknown;
    const std::size_t finished = count_finished(attempt);
    if (finished == 0) return Evidence::nothing_since_mark;
    const Signature same = signature(attempt);
    if (same.shared && finished <= same.made) return Evidence::not_yet;
    return lists_.debits && then.movements_created ? Evidence::finished_no_debit : Evidence::unknown;
  }

  [[nodiscard]] const SwitchRow* row(const Asked& attempt) const { return row_of(lists_.rows, store_, attempt.key); }

  /// An HTLC of the hash that still moves, and that does not belong to a row of another attempt of ours.
  [[nodiscard]] bool unexplained_htlc(const Asked& attempt) const {
    std::vector<Msat> pending;
    for (const Asked& other : attempts_) {
      const SwitchRow* shown = other.key == attempt.key ? nullptr : row(other);
      if (shown != nullptr && shown->state == RowState::pending) pending.push_back(other.sent);
    }
    for (const OutgoingHtlc& htlc : *lists_.htlcs) {
      if (htlc.finished || !after(htlc.created_index, mark(attempt).htlcs_created)) continue;
      const auto explained = std::find_if(pending.begin(), pending.end(),
                                          [&](Msat amount) { return !htlc.amount || *htlc.amount == amount; });
      if (explained == pending.end()) return true;
      pending.erase(explained);
    }
    return false;
  }

  /// Since the attempt's mark, and with its amount on our channel.
  [[nodiscard]] std::size_t count_finished(const Asked& attempt) const {
    return static_cast<std::size_t>(
        std::count_if(lists_.htlcs->begin(), lists_.htlcs->end(), [&](const OutgoingHtlc& htlc) {
          return htlc.finished && after(htlc.created_index, mark(attempt).htlcs_created) &&
                 (!htlc.amount || *htlc.amount == attempt.sent);
        }));
  }

  /// Other attempts whose HTLCs cannot be told apart from those of one attempt.
  struct Signature {
    bool shared = false;
    std::size_t made = 0;  ///< how many HTLCs are known to be theirs, at most
  };

  [[nodiscard]] Signature signature(const Asked& attempt) const {
    Signature same;
    for (const Asked& other : attempts_) {
      if (other.key == attempt.key || !may_look_like(other, attempt)) continue;
      same.shared = true;
      const SwitchRow* shown = row(other);
      const bool made = shown != nullptr && owner_of(*shown, store_) == RowOwner::own_attempt;
      if (made || other.settled) ++same.made;
    }
    return same;
  }

  /// The same amount on our channel, and an HTLC that may be newer than the mark of `attempt`.
  [[nodiscard]] bool may_look_like(const Asked& other, const Asked& attempt) const {
    const bool younger = mark(other).htlcs_created >= mark(attempt).htlcs_created;
    return other.sent == attempt.sent && (younger || other.key.id == attempt.key.id || other.open || other.watched);
  }

  const NodeLists& lists_;
  const StoreId& store_;
  std::span<const Asked> attempts_;
  std::vector<Counters> marks_;  ///< of the attempts, in the same order
};

Movement movement(const std::optional<std::vector<OutgoingHtlc>>& htlcs) {
  if (!htlcs) return Movement::untold;
  const bool some = std::any_of(htlcs->begin(), htlcs->end(), [](const OutgoingHtlc& htlc) { return !htlc.finished; });
  return some ? Movement::some : Movement::none;
}

}  // namespace

LookResult NodeLists::about(const StoreId& store, std::span<const Asked> attempts) const {
  LookResult look;
  look.rows = rows;
  look.movement = movement(htlcs);
  look.now = marks_of(now);
  look.base_height = base_height;
  look.run = run;
  const Scales scales(*this, store, attempts);
  for (const Asked& attempt : attempts) {
    look.restored = look.restored || went_backwards(now, scales.mark(attempt));
    if (!attempt.settled) look.evidence.emplace_back(attempt.key, scales.weigh(attempt));
  }
  const Counters first = attempts.empty() ? Counters{} : scales.mark(attempts.front());
  for (const Debit& debit : debits.value_or(std::vector<Debit>{})) {
    if (after(debit.index, first.movements_created)) look.debits.push_back({hash, debit.id, debit.part});
  }
  return look;
}

std::optional<Counters> oldest(std::span<const Marks> marks) {
  std::optional<Counters> all;
  for (const Marks& written : marks) {
    const Counters one = counters_of(written);
    all = all ? Counters{least(all->payments_created, one.payments_created),
                         least(all->htlcs_created, one.htlcs_created), least(all->htlcs_deleted, one.htlcs_deleted),
                         least(all->movements_created, one.movements_created)}
              : one;
  }
  return all;
}

}  // namespace paytower::cln
