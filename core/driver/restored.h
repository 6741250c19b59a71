// An old copy of a database is put back to use: what the switch shows of our store becomes records again (R12).
#pragma once

#include <span>
#include <vector>

#include "core/driver/ports.h"

namespace paytower {

/// A payment that the copy does not have, as far as the switch's rows tell of it. Limits and routes are not known:
/// nothing is invented, and no new attempt is made (its deadline is its creation). Rows of one round are its parts.
struct Adoption {
  Payment payment;            ///< not stored yet (index 0)
  std::vector<Write> writes;  ///< to be committed for it
};

struct AdoptionPlan {
  std::vector<Adoption> adoptions;  ///< one for each hash that `known` does not hold and that is pending or paid
  AttemptId highest;                ///< ids of our store up to this one are no sign of an old copy from now on
};

/// Pure. `known` are the hashes that the store has a payment or a guard of; their unknown rows are then judged like
/// another user's (paid: recorded with their proof; pending: waited for). Failed rows leave nothing to adopt.
[[nodiscard]] AdoptionPlan plan_adoption(std::span<const OwnRow> rows, std::span<const PaymentHash> known,
                                         const StoreId& store, const SwitchKey& switch_key, UnixNs now);

}  // namespace paytower
