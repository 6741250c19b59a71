// How SimAdmin acts; for its own sources.
#pragma once

#include "core/sim/admin.h"
#include "core/sim/engine.h"
#include "core/sim/faults.h"

namespace paytower::sim {

/// Every act happens in a network that is up to date, and what it made due happens with it.
template <typename Work> void SimAdmin::act(Work work) {
  const UnixNs wall = clock_.wall();
  ledger_.write([&](LedgerTx& tx) {
    if (!tx.node(own_node)) throw SwitchError("there is no simulated network in this file");
    {
      Engine before(tx, network_time(tx, wall));
      FaultRunner(tx, before).advance();
      work(tx, before);
    }
    Engine after(tx, network_time(tx, wall));  // the act may have moved time
    FaultRunner(tx, after).advance();
  });
}

}  // namespace paytower::sim
