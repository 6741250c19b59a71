// The switch port over a simulated network (`--switch sim:PATH`).
#pragma once

#include <memory>

#include "core/driver/ports.h"
#include "core/sim/ledger.h"

namespace paytower::sim {

/// Answers like a Core Lightning node: rows are named by (hash, attempt id, part), one attempt id of a hash is pending
/// at a time, the same attempt handed over again is the same HTLC, a fence is a failed row. The network goes on by
/// time, not by process: whoever polls brings it up to date first.
class SimSwitch final : public Switch {
 public:
  /// Both must outlive this. The network must exist (see create_network); the first poll says SwitchError otherwise.
  SimSwitch(Ledger& ledger, Clock& clock);
  ~SimSwitch() override;
  SimSwitch(const SimSwitch&) = delete;
  SimSwitch& operator=(const SimSwitch&) = delete;

  void identify() override;
  void look(const PaymentHash& hash, const std::optional<Marks>& since) override;
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover& handover) override;
  void query(const AttemptKey& key) override;
  void fence(const Handover& handover) override;
  void list_own(const StoreId& store) override;
  void newest_own(const StoreTrace& trace) override;
  /// Executes all that was queued in one transaction (an accepted attempt is durable before its answer), then waits for
  /// results. Sees what other processes do within 25 ms.
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
