// What a node forgets.
#pragma once

#include <cstddef>
#include <optional>

#include "core/sim/ledger.h"

namespace paytower::sim {

/// What to forget, and how thoroughly (cln/README 5 and 8: delpay, autoclean, a restart that forgets HTLCs).
struct Erasure {
  std::optional<PaymentHash> hash{};     ///< only this hash
  std::optional<AttemptId> attempt{};    ///< only this attempt
  std::optional<std::uint32_t> part{};   ///< only this part
  std::optional<UnixNs> ended_before{};  ///< only rows that ended before this time of the network
  bool htlcs_too = false;    ///< finished HTLCs of these attempts leave their list too, and htlcs_deleted grows
  bool move_counter = true;  ///< with htlcs_too: false hides the deletion (a node that breaks its promise)
};

/// Returns how many rows were erased. Pending rows stay, as with delpay.
std::size_t erase(LedgerTx& tx, const Erasure& what);

}  // namespace paytower::sim
