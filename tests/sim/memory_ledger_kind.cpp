// The tests of this executable run in memory.
#include "tests/sim/world.h"
#include "tests/support/memory_ledger.h"

std::unique_ptr<paytower::sim::Ledger> paytower::sim::test::make_ledger() { return std::make_unique<MemoryLedger>(); }
