// The tests of this executable run in memory.
#include "core/sim/memory_ledger.h"
#include "tests/sim/world.h"

std::unique_ptr<paytower::sim::Ledger> paytower::sim::test::make_ledger() { return std::make_unique<MemoryLedger>(); }
