// A ledger that lasts as long as its object: for unit tests and benchmarks. Nothing is undone when a write throws.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/sim/ledger.h"

namespace paytower::sim {

class MemoryLedger final : public Ledger {
 public:
  MemoryLedger();
  ~MemoryLedger() override;
  void write(const std::function<void(LedgerTx&)>& work) override;
  void read(const std::function<void(LedgerTx&)>& work) override;
  [[nodiscard]] std::uint64_t change_counter() override;

 private:
  class Tx;
  std::unique_ptr<Tx> tx_;
  std::uint64_t writes_ = 0;
};

}  // namespace paytower::sim
