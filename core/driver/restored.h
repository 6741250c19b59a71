// A database was restored from an old backup: what the switch shows of our store becomes records again (R12).
#pragma once

#include <span>
#include <vector>

#include "core/driver/ports.h"

namespace paytower {

/// A payment that the restored database does not have, as far as the switch's rows tell of it. Limits and routes are
/// not known. Nothing is invented, and no new attempt is made (the deadline is the time of creation). The rows of one
/// round are its parts.
struct Adoption {
  Payment payment;            ///< not stored yet (index 0)
  std::vector<Write> writes;  ///< to be committed for it
};

struct AdoptionPlan {
  std::vector<Adoption> adoptions;  ///< one for each hash that `known` does not have and that is pending or paid
  AttemptId highest;                ///< from now on, ids of our store up to this one are no sign of an old copy
};

/// Pure. `known` are the hashes of which the store has a payment or a guard. Unknown rows of those hashes are later
/// judged like another user's (paid: recorded with the proof; pending: waited for). Failed rows are not adopted.
[[nodiscard]] AdoptionPlan plan_adoption(std::span<const OwnRow> rows, std::span<const PaymentHash> known,
                                         const StoreId& store, const SwitchKey& switch_key, UnixNs now);

}  // namespace paytower
