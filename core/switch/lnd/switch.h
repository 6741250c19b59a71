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

/// lnd knows no ids of ours, and recognises a repeated request only while the first one is alive: see the README in
/// this folder. So every request has a time limit (terms()), is made only once, and carries a mark in its last hop.
///
/// It is answered when the HTLC has ended, on a connection of its own. That lnd has accepted it, a stream of all
/// payments tells. A lost answer is `look` for that request alone. If lnd answers another question with something
/// unusable, Disconnected is reported, but requests whose connections are alive go on.
class LndSwitch final : public Switch {
 public:
  /// Clock and poller must outlive this.
  LndSwitch(LndAddress address, Clock& clock, Poller& poller);
  ~LndSwitch() override;
  LndSwitch(const LndSwitch&) = delete;
  LndSwitch& operator=(const LndSwitch&) = delete;

  /// Asks for lnd's state and node, and whether it keeps the time limit of a macaroon.
  void identify() override;
  /// `since` means nothing here: lnd has no counters.
  void look(const PaymentHash& hash, std::span<const Marks> since) override;
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover& handover) override;
  /// Answered with `look` every 48 s while the attempt is pending: that look shows stranded ones too. Sooner if the
  /// stream was opened only just now, because it may have missed the end.
  void query(const AttemptKey& key) override;
  /// Takes a little more than 5 s (FenceProof). `look` if there is no proof.
  void fence(const Handover& handover) override;
  /// Looks of the hash that are asked for later wait until this has ended.
  void release(const PaymentHash& hash, const StoreId& store) override;
  [[nodiscard]] std::optional<HandoverTerms> terms() const override;
  [[nodiscard]] std::uint32_t base_height() const override;
  void list_own(const StoreId& store) override;
  void newest_own(const StoreTrace& trace) override;
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::lnd
