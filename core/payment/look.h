// A look: everything that the switch shows of one payment hash, whoever sent it, and what may be concluded (R5, R9,
// R12).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
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

/// One outgoing HTLC of the hash, which outlives the erasing of its row.
struct OutgoingHtlc {
  std::uint64_t created_index = 0;  ///< compared with Marks::htlcs_created
  bool finished = false;            ///< removed on both sides: settled or failed, this list does not say which
  std::optional<Msat> amount{};     ///< what it carries on our channel; nothing where the switch does not say
};

/// Money of the hash that left the node for good.
struct Debit {
  std::uint64_t index = 0;  ///< compared with Marks::movements_created
  AttemptId id;
  std::uint32_t part = 0;
};

struct LookResult {
  PaymentHash hash;
  Marks now;                      ///< the counters, read no later than the lists; htlcs_deleted also no earlier
  std::vector<SwitchRow> rows{};  ///< all rows of the hash
  std::optional<std::vector<OutgoingHtlc>>
      htlcs{};  ///< at least all since the mark that was asked for; nothing = no such list here
  std::optional<std::vector<Debit>> debits{};  ///< likewise
  std::uint32_t height = 0;                    ///< for people; proves nothing
  std::string run{};  ///< of the switch's process that told all this; empty where that cannot be told
};

/// What our store knows beside the payment itself.
struct StoreKnowledge {
  StoreId store;
  std::vector<AttemptKey> known;  ///< every own attempt of the hash, of all its tries
  AttemptId deleted_up_to;        ///< ids up to here may have been deleted from this store on purpose
};

/// Whose HTLC keeps a hash from being quiet.
enum class Blocker {
  none,
  closed_by_hand,  ///< an attempt of ours that was marked as failed by hand
  other_user,      ///< another user of the node, or a database of ours that was lost
};

/// What a look means for one payment. With an alarm there are no events: nothing may be concluded or done (exit 8).
struct LookFinding {
  std::vector<Event> events;  ///< in the order in which decide() is to see them
  std::optional<Errc> alarm;  ///< switch_old_copy (R5) or database_old_copy (R12)
  std::vector<AttemptKey>
      orphans;  ///< pending without an HTLC, while the run that had it is over: one such look proves nothing
  Blocker blocker = Blocker::none;    ///< of HashBusy
  std::vector<std::string> warnings;  ///< for people: wrong preimages, rows nobody can explain
};

/// Pure. Rows, HTLCs and debits become lifecycle events for `payment`: at most one event for each of its own attempts,
/// and at most one for the hash. HashPaid stands before the attempts without a row of their own, HashBusy and Quiet
/// behind them.
[[nodiscard]] LookFinding interpret(const Payment& payment, const LookResult& look, const StoreKnowledge& store);

}  // namespace paytower
