// A look: everything that the switch shows of one payment hash, whoever sent it, and what may be concluded (R5, R9,
// R12).
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
  std::string label{};                 ///< as given at its hand-over; untrusted unless it names our store
  std::optional<Preimage> preimage{};  ///< as the switch says it: not yet checked
  std::optional<Failure> failure{};
  std::optional<Msat> amount{};            ///< delivered
  std::optional<Msat> amount_sent{};       ///< with fees
  std::optional<PublicKey> destination{};  ///< the payee, where the switch says it
  bool lingers = false;  ///< pending for so long that its HTLC must exist; for people only, it proves nothing
};

/// What an adapter needs to know of one of our attempts to say what its node proves of it.
struct Asked {
  AttemptKey key;
  Marks marks;
  Msat sent;   ///< over our channel
  Msat total;  ///< of the payment
  UnixNs registered;
  std::optional<UnixNs> dies_at;                 ///< Attempt::dies_at
  std::optional<std::uint32_t> total_time_lock;  ///< Attempt::total_time_lock
  bool seen = false;                             ///< the switch has shown it before
  bool open = false;                             ///< its outcome is asked for
  bool watched = false;                          ///< closed by the operator, and the switch has not confirmed it
  bool settled = false;
};
/// The own attempts of a payment, in order of registration.
[[nodiscard]] std::vector<Asked> asked_of(const Payment& payment);

/// Whose HTLC, or whose record, keeps a hash from being quiet.
enum class Blocker {
  none,
  closed_by_hand,  ///< an attempt of ours that was marked as failed by hand
  other_user,      ///< another user of the node, or a database of ours that was lost
  other_check,     ///< another paytower's fence: it proves that an attempt of its own is dead
  unfinished,      ///< a record without an HTLC, which its owner may go on with
};

/// HTLCs of a hash that are under way, whoever's they are.
enum class Movement { none, some, untold };

/// What the switch proves, of one payment.
struct LookResult {
  std::vector<SwitchRow> rows{};  ///< all rows of the hash
  /// Of each attempt that was asked about; of one that has ended only money_left counts.
  std::vector<std::pair<AttemptKey, Evidence>> evidence{};
  Movement movement = Movement::untold;
  std::vector<AttemptKey> debits{};  ///< money of the hash that left the node since the first attempt was handed over
  bool restored = false;             ///< the switch counts less than at a hand-over: it is an old copy of itself (R5)
  bool doubled = false;              ///< two HTLCs of one attempt
  /// A record without an HTLC that keeps the hash busy, and that nobody waits for: Switch::release ends it.
  bool to_release = false;
  Blocker standing = Blocker::none;  ///< the same, but somebody has to do with it
  bool takes_parts = true;           ///< what stands there takes further parts of ours
  Marks now;                         ///< for the next hand-over
  std::uint32_t height = 0;          ///< for people; proves nothing
  std::string run{};                 ///< of the switch's process that told all this; empty where that cannot be told
};

/// What a switch has shown of a hash, in its own terms: rows, lists, counters. Never changes.
class Shown {
 public:
  virtual ~Shown() = default;
  /// Pure: no I/O, no clock. `attempts`: asked_of() the payment that is to be judged; `store`: whose they are.
  [[nodiscard]] virtual LookResult about(const StoreId& store, std::span<const Asked> attempts) const = 0;
};

/// What our store knows beside the payment itself.
struct StoreKnowledge {
  StoreId store;
  std::vector<AttemptKey> known;  ///< every own attempt of the hash, of all its tries
  AttemptId deleted_up_to;        ///< ids up to here may have been deleted from this store on purpose
};

/// What a look means for one payment. With an alarm there are no events: nothing may be concluded or done (exit 8).
struct LookFinding {
  std::vector<Event> events;  ///< in the order in which decide() is to see them
  std::optional<Errc> alarm;  ///< switch_old_copy (R5), database_old_copy (R12) or attempt_doubled (R2)
  std::vector<AttemptKey>
      orphans;  ///< pending without an HTLC, while the run that had it is over: one such look proves nothing
  Blocker blocker = Blocker::none;  ///< of HashBusy
  Marks now;                        ///< of the look, for the next hand-over
  bool moves = true;  ///< an HTLC of the hash is under way, has ended with a row, or the switch does not say
  std::vector<std::string> warnings;  ///< for people: wrong preimages, rows nobody can explain
};

/// Whose row it is, judged by its label: group ids alone may collide with another user's.
enum class RowOwner { own_attempt, own_fence, other };
[[nodiscard]] RowOwner owner_of(const SwitchRow& row, const StoreId& store);

/// The row of this attempt, or of its fence, or nullptr. Belongs to `rows`.
[[nodiscard]] const SwitchRow* row_of(std::span<const SwitchRow> rows, const StoreId& store, const AttemptKey& key);

/// Pure. Rows and evidence become lifecycle events for `payment`: at most one event for each of its own attempts,
/// and at most one for the hash. HashPaid stands before the attempts without a row of their own, HashBusy, Releasable
/// and Quiet behind them.
[[nodiscard]] LookFinding interpret(const Payment& payment, const Shown& shown, const StoreKnowledge& store);

}  // namespace paytower
