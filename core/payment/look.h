// A look: everything that the switch shows of one payment hash, whoever sent it, and what may be concluded from it (R5,
// R9, R12).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/payment/lifecycle.h"
#include "core/payment/payment.h"

namespace paytower {

enum class RowState { pending, complete, failed };

/// One record of an attempt at the switch (a row of Core Lightning's listsendpays).
struct SwitchRow {
  AttemptId id;  ///< the groupid, ours or another user's
  std::uint32_t part = 0;
  RowState state = RowState::pending;
  std::string label{};                 ///< as given when it was sent; untrusted unless it names our store
  std::optional<Preimage> preimage{};  ///< as the switch says it, not checked yet
  std::optional<Failure> failure{};
  std::optional<Msat> amount{};            ///< what is delivered
  std::optional<Msat> amount_sent{};       ///< the same with fees
  std::optional<PublicKey> destination{};  ///< the payee, if the switch says it
  bool lingers = false;         ///< pending for so long that its HTLC should exist; for people only, it proves nothing
  bool channel_closed = false;  ///< pending, but its first channel is not open any more; for people only
};

/// What an adapter needs to know of one of our attempts to say what its node proves about it.
struct Asked {
  AttemptKey key;
  Marks marks;
  Msat sent;   ///< the amount over our own channel
  Msat total;  ///< the amount of the whole payment
  UnixNs registered;
  std::optional<UnixNs> dies_at;                 ///< Attempt::dies_at
  std::optional<std::uint32_t> total_time_lock;  ///< Attempt::total_time_lock
  bool seen = false;                             ///< the switch has shown it before
  bool open = false;                             ///< we need to know its outcome
  bool watched = false;                          ///< closed by the operator, and the switch has not confirmed it yet
  bool settled = false;
};
/// The own attempts of a payment, in the order in which they were registered.
[[nodiscard]] std::vector<Asked> asked_of(const Payment& payment);

/// Whose HTLC or record keeps a hash from being quiet.
enum class Blocker {
  none,
  closed_by_hand,  ///< an attempt of ours that was marked as failed by hand
  other_user,      ///< another user of the node, or a database of ours that was lost
  other_check,     ///< another paytower's fence, which proves that an attempt of its own is dead
  unfinished,      ///< a record without an HTLC; its owner may still go on with it
};

/// Whether HTLCs of a hash are under way, whoever sent them.
enum class Movement { none, some, untold };

/// What the switch proves about one payment.
struct LookResult {
  std::vector<SwitchRow> rows{};  ///< all rows of the hash
  /// For each attempt that was asked about. For attempts that have ended, only money_left counts.
  std::vector<std::pair<AttemptKey, Evidence>> evidence{};
  Movement movement = Movement::untold;
  std::vector<AttemptKey> debits{};  ///< money of the hash that left the node since the first attempt was sent
  /// The switch counts less than when an attempt was sent: it was restored from an old backup (R5).
  bool restored = false;
  bool doubled = false;  ///< two HTLCs of one attempt
  /// A record without an HTLC keeps the hash busy, and nobody waits for it: Switch::release ends it.
  bool to_release = false;
  Blocker standing = Blocker::none;  ///< the same, but somebody still needs that record
  bool takes_parts = true;           ///< what is there takes further parts of ours
  Marks now;                         ///< the marks to store with the next attempt
  std::uint32_t base_height = 0;     ///< Switch::base_height, of that time
  std::string run{};  ///< the run of the switch's process that told all this; empty where that is not known
};

/// What a switch has shown of a hash, in its own terms: records, lists, counters. Never changes.
class Shown {
 public:
  virtual ~Shown() = default;
  /// Pure: no I/O, no clock. `attempts`: asked_of() the payment in question; `store`: the store they belong to.
  [[nodiscard]] virtual LookResult about(const StoreId& store, std::span<const Asked> attempts) const = 0;
};

/// What our store knows besides the payment itself.
struct StoreKnowledge {
  StoreId store;
  std::vector<AttemptKey> known;  ///< every own attempt of the hash, over all tries
  AttemptId deleted_up_to;        ///< ids up to this one may have been deleted from this store on purpose
};

/// Why a payment is still open, as far as a look shows it. For words only: nothing is concluded from it.
struct WhyOpen {
  Blocker blocker = Blocker::none;             ///< why there is a HashBusy
  std::optional<AttemptKey> without_htlc{};    ///< the switch calls it pending, but shows no HTLC of it
  std::vector<AttemptKey> all_without_htlc{};  ///< every such attempt that is open: it locks no money
  std::optional<AttemptKey> channel_closed{};  ///< SwitchRow::channel_closed
  std::optional<AttemptKey> gone{};            ///< there is no record of it any more, and it may have been paid
  Movement movement = Movement::untold;        ///< LookResult::movement
  bool unasked = false;                        ///< there was no look: the switch cannot be asked
};

/// What a look means for one payment. With an alarm there are no events: nothing may be concluded or done (exit 8).
struct LookFinding {
  std::vector<Event> events;  ///< in the order in which decide() has to see them
  std::optional<Errc> alarm;  ///< switch_old_copy (R5), database_old_copy (R12) or attempt_doubled (R2)
  /// Pending without an HTLC, while the run that wrote the record is over. One such look proves nothing yet.
  std::vector<AttemptKey> orphans;
  WhyOpen why_open;
  Marks now;          ///< the marks of this look, to store with the next attempt
  bool moves = true;  ///< an HTLC of the hash is under way, or has ended with a record, or the switch does not say
  std::vector<std::string> warnings;  ///< for people: wrong preimages, records that nobody can explain
};

/// Whose record it is, judged by its label: the group id alone may be another user's too.
enum class RowOwner { own_attempt, own_fence, other };
[[nodiscard]] RowOwner owner_of(const SwitchRow& row, const StoreId& store);

/// The record of this attempt or of its fence, or nullptr. Points into `rows`.
[[nodiscard]] const SwitchRow* row_of(std::span<const SwitchRow> rows, const StoreId& store, const AttemptKey& key);

/// Pure. Turns records and evidence into events for `payment`: at most one event for each own attempt, and at most one
/// for the hash. HashPaid comes before the attempts without a record of their own; HashBusy, Releasable and Quiet come
/// after them.
[[nodiscard]] LookFinding interpret(const Payment& payment, const Shown& shown, const StoreKnowledge& store);

}  // namespace paytower
