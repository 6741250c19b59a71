// The switch port over an lnd's REST interface (`--switch lnd:PLACE`).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/lnd/address.h"
#include "core/switch/rpc/poller.h"

namespace paytower::lnd {

/// lnd knows no id of ours and tells a repeated hand-over from the first one only while that lives: see the README
/// beside this. So every hand-over is bound to time (terms()), is made once, and carries a mark in its last hop.
///
/// Its answer comes when the HTLC has ended, on a connection of its own; that lnd has it, a stream of all payments
/// tells (accepted). A lost answer is `look` for that hand-over alone: hand-overs whose connections live go on when
/// lnd says what cannot be used to another question, which is told as Disconnected.
class LndSwitch final : public Switch {
 public:
  /// Clock and poller must outlive this.
  LndSwitch(LndAddress address, Clock& clock, Poller& poller);
  ~LndSwitch() override;
  LndSwitch(const LndSwitch&) = delete;
  LndSwitch& operator=(const LndSwitch&) = delete;

  /// Asks for lnd's state and node, and whether it keeps to the time of a macaroon.
  void identify() override;
  /// `since` means nothing here: lnd has no counters.
  void look(const PaymentHash& hash, std::span<const Marks> since) override;
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover& handover) override;
  /// Answered with `look` every 48 s while the attempt is pending: the look then shows stranded ones too. Sooner where
  /// the stream has only just been opened, as it may have missed the end.
  void query(const AttemptKey& key) override;
  /// Takes a little more than 5 s (FenceProof). `look` where the proof did not come about.
  void fence(const Handover& handover) override;
  /// Looks of the hash that are asked for later wait for its end.
  void release(const PaymentHash& hash, const StoreId& store) override;
  [[nodiscard]] std::optional<HandoverTerms> terms() const override;
  void list_own(const StoreId& store) override;
  void newest_own(const StoreTrace& trace) override;
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::lnd
