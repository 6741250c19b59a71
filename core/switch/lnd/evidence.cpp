// Judges lnd's record of a hash: which attempts are in it, which are dead, and what keeps the hash busy.
#include "core/switch/lnd/evidence.h"

#include <algorithm>

#include "core/base/contains.h"
#include "core/base/hash.h"

namespace paytower::lnd {

namespace {

UnixNs later(UnixNs at, std::int64_t ns) { return UnixNs{at.value + ns}; }

bool in_flight(const Htlc& htlc) { return htlc.state == Htlc::State::in_flight; }

bool any_in_flight(const Record& record) { return std::any_of(record.htlcs.begin(), record.htlcs.end(), in_flight); }

/// lnd takes further HTLCs: nobody is paying at this moment, and nobody has paid.
bool is_idle(const Record& record) {
  return record.status == Record::Status::in_flight &&
         std::all_of(record.htlcs.begin(), record.htlcs.end(),
                     [](const Htlc& htlc) { return htlc.state == Htlc::State::failed; });
}

bool is_fence(const Record& record) { return is_idle(record) && record.value == fence_amount; }

std::optional<MarkParts> parts_of(const Htlc& htlc, const MarkCipher& cipher) {
  return htlc.mark ? cipher.read(*htlc.mark) : std::nullopt;
}

/// Reads one record for one store.
class Reader {
 public:
  Reader(const Sight& sight, const StoreId& store, std::span<const Asked> attempts)
      : sight_(sight), store_(store), attempts_(attempts), cipher_(store) {}

  LookResult read() && {
    look_.base_height = sight_.height;
    look_.movement = Movement::none;
    if (sight_.record) read_rows(*sight_.record);
    for (const Asked& attempt : attempts_) {
      if (!attempt.settled) look_.evidence.emplace_back(attempt.key, evidence_of(attempt));
    }
    if (only_without_htlc()) {
      look_.movement = Movement::none;
      look_.takes_parts = false;  // lnd counts them as live
    }
    if (sight_.record) read_standing(*sight_.record);
    if (sight_.unreadable) look_.standing = Blocker::unfinished;
    return std::move(look_);
  }

 private:
  // --- rows ---

  void read_rows(const Record& record) {
    if (any_in_flight(record)) look_.movement = Movement::some;
    look_.takes_parts = !record.failing;
    for (const Htlc& htlc : record.htlcs) read_row(record, htlc);
    name_as_one();
    const bool shown = std::any_of(look_.rows.begin(), look_.rows.end(),
                                   [](const SwitchRow& row) { return row.state == RowState::complete; });
    if (record.status == Record::Status::succeeded && !shown) look_.rows.push_back(row_of_record(record));
  }

  void read_row(const Record& record, const Htlc& htlc) {
    const auto parts = parts_of(htlc, cipher_);
    if (parts && parts->kind != MarkKind::attempt) return;  // a fence or its release: it pays nobody
    SwitchRow row;
    row.id = AttemptId{htlc.attempt_id};
    row.state = in_flight(htlc)                      ? RowState::pending
                : htlc.state == Htlc::State::settled ? RowState::complete
                                                     : RowState::failed;
    if (parts) {
      row.id = parts->id;
      row.part = parts->part;
      row.label = attempt_label(store_, parts->id);
      look_.doubled = look_.doubled || row_of(look_.rows, store_, {sight_.hash, row.id, row.part}) != nullptr;
    }
    row.preimage = htlc.preimage;
    if (row.state == RowState::complete && !row.preimage) row.preimage = record.preimage;
    row.failure = htlc.failure;
    row.amount = htlc.amount;
    row.amount_sent = htlc.sent;
    row.destination = htlc.destination;
    row.lingers = in_flight(htlc) && is_old(htlc);
    row.channel_closed = row.lingers && htlc.first_channel && sight_.channels && !stands(*htlc.first_channel);
    look_.rows.push_back(std::move(row));
  }

  /// What is not ours in a record is one payment of somebody else, whatever its HTLCs are called: its parts get one id,
  /// that of the first, as a switch that counts sets gives them.
  void name_as_one() {
    std::vector<SwitchRow*> theirs;
    for (SwitchRow& row : look_.rows) {
      if (row.label.empty()) theirs.push_back(&row);
    }
    for (std::size_t i = 0; theirs.size() > 1 && i < theirs.size(); ++i) {
      theirs[i]->id = theirs.front()->id;
      theirs[i]->part = static_cast<std::uint32_t>(i + 1);
    }
  }

  /// For a hash that is paid although no HTLC shows it.
  static SwitchRow row_of_record(const Record& record) {
    SwitchRow row;
    row.state = RowState::complete;
    row.preimage = record.preimage;
    row.amount = record.value;
    return row;
  }

  [[nodiscard]] bool is_old(const Htlc& htlc) const { return sight_.clock > later(htlc.attempt_time, unsent_after_ns); }

  // --- our attempts ---

  [[nodiscard]] const SwitchRow* row(const Asked& attempt) const { return row_of(look_.rows, store_, attempt.key); }

  [[nodiscard]] Evidence evidence_of(const Asked& attempt) const {
    if (const SwitchRow* shown = row(attempt))
      return shown->state == RowState::pending ? of_pending(attempt, *shown) : Evidence::not_yet;
    if (contains(sight_.waiting, attempt.key) || sight_.unreadable || unproven()) return Evidence::not_yet;
    if (attempt.seen) return of_seen(attempt);
    if (is_dead(attempt)) return has_failed() && made_for(attempt) ? Evidence::erased : Evidence::never;
    return time_is_over(attempt.dies_at, sight_.clock) && fence_may_take() ? Evidence::late : Evidence::not_yet;
  }

  /// lnd refuses a fence while something is in flight, and in a record that somebody else has begun a fence proves
  /// nothing.
  [[nodiscard]] bool fence_may_take() const {
    if (!sight_.record || sight_.record->status != Record::Status::in_flight) return true;
    return is_fence(*sight_.record) || (is_idle(*sight_.record) && is_ours(*sight_.record));
  }

  /// A record of lnd's is not an HTLC yet: it is written first, and if lnd is killed in between, it stays for ever
  /// (lnd/README 2).
  [[nodiscard]] Evidence of_pending(const Asked& attempt, const SwitchRow& shown) const {
    if (!sight_.channels || any_pending()) return Evidence::not_yet;
    const auto first = first_channel(attempt.key);
    // A channel that is being closed takes its HTLCs to the chain.
    if (!first || !stands(*first)) return Evidence::not_yet;
    if (height_is_over(attempt)) return Evidence::stranded;
    return shown.lingers ? Evidence::no_htlc : Evidence::not_yet;
  }

  /// Its only copy is used up. lnd erases failed HTLCs and whole records, nothing else (lnd/README 2, 10).
  [[nodiscard]] Evidence of_seen(const Asked& attempt) const {
    if (!made_for(attempt)) return Evidence::unknown;
    return sight_.record->status == Record::Status::in_flight ? Evidence::not_yet : Evidence::erased;
  }

  /// The record is from a time when our request, or an earlier part of its round, could make one: every InitPayment
  /// makes it new, and a part joins what it finds. A record that only a fence made is worth less than any payment.
  [[nodiscard]] bool made_for(const Asked& attempt) const {
    if (!sight_.record || sight_.record->value == fence_amount) return false;
    const UnixNs made = sight_.record->created;
    if (attempt.dies_at && made > later(*attempt.dies_at, clock_grace_ns)) return false;
    return std::any_of(attempts_.begin(), attempts_.end(),
                       [&](const Asked& one) { return one.key.id == attempt.key.id && made >= handed_over(one); });
  }

  /// Not before this time.
  static UnixNs handed_over(const Asked& attempt) {
    return attempt.dies_at ? later(*attempt.dies_at, -handover_life_ns) : later(attempt.registered, -clock_grace_ns);
  }

  [[nodiscard]] bool has_failed() const { return sight_.record && sight_.record->status == Record::Status::failed; }

  /// lnd says that the hash is paid, but shows nothing that proves it (R7).
  [[nodiscard]] bool unproven() const {
    bool complete = false;
    for (const SwitchRow& row : look_.rows) {
      if (row.state != RowState::complete) continue;
      if (row.preimage && proves(*row.preimage, sight_.hash)) return false;
      complete = true;
    }
    return complete;
  }

  /// Everything that lnd calls in flight is ours, and no channel carries any of it.
  [[nodiscard]] bool only_without_htlc() const {
    return look_.movement == Movement::some &&
           std::all_of(sight_.record->htlcs.begin(), sight_.record->htlcs.end(),
                       [&](const Htlc& htlc) { return !in_flight(htlc) || is_without_htlc(htlc); });
  }

  [[nodiscard]] bool is_without_htlc(const Htlc& htlc) const {
    const auto parts = parts_of(htlc, cipher_);
    return parts && std::any_of(look_.evidence.begin(), look_.evidence.end(), [&](const auto& one) {
             const bool without = one.second == Evidence::no_htlc || one.second == Evidence::stranded;
             return without && *parts == MarkParts{one.first.id, one.first.part, MarkKind::attempt};
           });
  }

  [[nodiscard]] bool stands(ShortChannelId id) const {
    return std::any_of(sight_.channels->begin(), sight_.channels->end(),
                       [&](const OwnChannel& channel) { return channel.id == id; });
  }

  [[nodiscard]] bool any_pending() const {
    return std::any_of(sight_.channels->begin(), sight_.channels->end(), [&](const OwnChannel& channel) {
      return std::find(channel.pending_out.begin(), channel.pending_out.end(), sight_.hash) !=
             channel.pending_out.end();
    });
  }

  [[nodiscard]] std::optional<ShortChannelId> first_channel(const AttemptKey& key) const {
    for (const Htlc& htlc : sight_.record->htlcs) {
      const auto parts = parts_of(htlc, cipher_);
      if (parts && parts->id == key.id && parts->part == key.part) return htlc.first_channel;
    }
    return std::nullopt;
  }

  [[nodiscard]] bool height_is_over(const Asked& attempt) const {
    return attempt.total_time_lock && sight_.height > *attempt.total_time_lock + height_margin;
  }

  [[nodiscard]] bool is_dead(const Asked& attempt) const {
    return contains(sight_.fenced, attempt.key) || height_is_over(attempt);
  }

  // --- what stands in the way ---

  void read_standing(const Record& record) {
    if (!is_idle(record)) return;
    const bool fence = is_fence(record);
    if (!is_ours(record) && !(fence && was_left(record))) {
      look_.standing = fence ? Blocker::other_check : Blocker::unfinished;
    } else if (std::all_of(attempts_.begin(), attempts_.end(), [&](const Asked& one) { return is_over(one); })) {
      look_.to_release = true;
    }
  }

  [[nodiscard]] bool is_ours(const Record& record) const {
    return idle_and_ours(record, store_) || (!is_fence(record) && made_empty_by_us(record));
  }

  /// Our request was between InitPayment and RegisterAttempt, or lnd refused it there and left this record. Not for a
  /// request that ended before its time: it was refused before it could make a record, so another user made this one.
  [[nodiscard]] bool made_empty_by_us(const Record& record) const {
    return record.htlcs.empty() && std::any_of(attempts_.begin(), attempts_.end(), [&](const Asked& attempt) {
             const bool over = time_is_over(attempt.dies_at, sight_.clock) || height_is_over(attempt);
             return attempt.total == record.value && made_for(attempt) && (attempt.open || over);
           });
  }

  /// Nothing of it can come any more.
  [[nodiscard]] bool is_over(const Asked& attempt) const {
    if (!attempt.open) return true;
    if (const SwitchRow* shown = row(attempt)) return shown->state == RowState::failed;
    const auto found = std::find_if(look_.evidence.begin(), look_.evidence.end(),
                                    [&](const auto& one) { return one.first == attempt.key; });
    return found != look_.evidence.end() && (found->second == Evidence::never || found->second == Evidence::erased);
  }

  [[nodiscard]] bool was_left(const Record& record) const {
    const auto is_old = [&](UnixNs since) { return sight_.clock > later(since, fence_left_ns); };
    return is_old(record.created) && std::all_of(record.htlcs.begin(), record.htlcs.end(),
                                                 [&](const Htlc& htlc) { return is_old(htlc.attempt_time); });
  }

  const Sight& sight_;
  const StoreId& store_;
  std::span<const Asked> attempts_;
  MarkCipher cipher_;
  LookResult look_;
};

}  // namespace

bool time_is_over(const std::optional<UnixNs>& dies_at, UnixNs clock) {
  return dies_at && clock > later(*dies_at, clock_grace_ns);
}

bool holds_behind(const Record& record, const StoreId& store, const AttemptKey& key, UnixNs after) {
  if (!is_fence(record)) return false;
  const MarkCipher cipher(store);
  return std::any_of(record.htlcs.begin(), record.htlcs.end(), [&](const Htlc& htlc) {
    return htlc.attempt_time > after && parts_of(htlc, cipher) == MarkParts{key.id, key.part, MarkKind::fence};
  });
}

bool made_in_time_of(const Record& record, UnixNs dies_at) {
  return record.created >= later(dies_at, -handover_life_ns) && record.created <= later(dies_at, clock_grace_ns);
}

bool wants_channels(const Record& record, UnixNs clock) {
  return std::any_of(record.htlcs.begin(), record.htlcs.end(), [&](const Htlc& htlc) {
    return in_flight(htlc) && clock > later(htlc.attempt_time, unsent_after_ns);
  });
}

bool idle_and_ours(const Record& record, const StoreId& store) {
  const MarkCipher cipher(store);
  const auto of_fence = [&](const Htlc& htlc) {
    const auto parts = parts_of(htlc, cipher);
    return parts && parts->kind != MarkKind::attempt;
  };
  const auto of_ours = [&](const Htlc& htlc) { return parts_of(htlc, cipher).has_value(); };
  if (!is_idle(record) || record.htlcs.empty()) return false;
  // Another database's fence may have joined ours. Before that database concludes anything it finds its fence gone, and
  // makes it again.
  return is_fence(record) ? std::any_of(record.htlcs.begin(), record.htlcs.end(), of_fence)
                          : std::all_of(record.htlcs.begin(), record.htlcs.end(), of_ours);
}

LookResult Sight::about(const StoreId& store, std::span<const Asked> attempts) const {
  return Reader(*this, store, attempts).read();
}

}  // namespace paytower::lnd
