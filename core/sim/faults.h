// The faults of a network, struck one by one where their step comes.
#pragma once

#include <optional>
#include <vector>

#include "core/sim/engine.h"

namespace paytower::sim {

/// What the faults of one occasion ask of whoever runs the request. Everything else they have done already.
struct Strikes {
  bool silent = false;      ///< no answer; at a before_ step no execution either
  bool disconnect = false;  ///< the same, and Disconnected
  bool orphan_row = false;
  bool refuse_fence = false;
  bool orphan_fence = false;
  bool lose_result = false;
  std::optional<Fault> hold{};

  [[nodiscard]] bool unanswered() const { return silent || disconnect; }
};

/// Lives as long as the transaction of its engine. Reads the faults once, when the first occasion comes.
class FaultRunner {
 public:
  FaultRunner(LedgerTx& tx, Engine& engine) : tx_(tx), engine_(engine) {}

  /// Strikes whatever waits for this occasion.
  Strikes strike(Step step, const PaymentHash& hash);
  /// Strikes a fault that stands in no ledger, now. `strikes` is added to.
  void strike(const Fault& fault, const PaymentHash& hash, Strikes& strikes) { apply(fault, hash, strikes); }
  /// Engine::advance, with the faults of step resolve. Returns what was done since the engine was last asked.
  Progress advance();

 private:
  void load();
  void apply(const Fault& fault, const PaymentHash& hash, Strikes& strikes);

  LedgerTx& tx_;
  Engine& engine_;
  std::optional<std::vector<Fault>> faults_;
};

/// Removes ended rows of the hash from the view and nothing else, one attempt's or all. Returns how many.
std::size_t erase_ended_rows(LedgerTx& tx, const PaymentHash& hash, const std::optional<AttemptKey>& only);

}  // namespace paytower::sim
