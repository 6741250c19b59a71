// The switch port over a Core Lightning node's `lightning-rpc` socket (`--switch cln:PATH`).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <sys/types.h>

#include "core/driver/ports.h"
#include "core/switch/rpc/poller.h"
#include "core/switch/rpc/transport.h"

namespace paytower::cln {

/// One connection, everything pipelined, no thread. An attempt is (payment_hash, groupid = attempt id, partid), its
/// label is the hand-over's. What is concluded from each answer stands in core/switch/cln/conclusions.h.
///
/// identify() connects where there is no connection: then the peer is checked first, and getinfo is the first word.
/// What a connection has said of itself holds for as long as it lasts: whoever asks again hears it again, and the node
/// is asked once (R6). Until then every other call is answered with Disconnected, a dispatch before that with not_sent,
/// as nothing was written. A connection that is lost, or that says what cannot be read, is given up as a whole; the
/// next one waits 250 ms, and longer each time that a connection brings nothing.
class ClnSwitch final : public Switch {
 public:
  /// Clock, poller and randomness must outlive this; `poller` knows what `transport` is. `node_user`: the node may run
  /// as this user, beside our own and root.
  ClnSwitch(std::unique_ptr<Transport> transport, std::optional<uid_t> node_user, Clock& clock, Poller& poller,
            Randomness& randomness);
  ~ClnSwitch() override;
  ClnSwitch(const ClnSwitch&) = delete;
  ClnSwitch& operator=(const ClnSwitch&) = delete;

  void identify() override;
  void look(const PaymentHash& hash, std::span<const Marks> since) override;
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover& handover) override;
  /// Answered with `look` every 48 s while the attempt is pending: the look then shows orphaned rows too.
  void query(const AttemptKey& key) override;
  void fence(const Handover& handover) override;
  /// Nothing of ours ever stands in the way here: a fence holds its own id alone.
  void release(const PaymentHash& hash, const StoreId& store) override;
  [[nodiscard]] std::optional<HandoverTerms> terms() const override { return std::nullopt; }
  void list_own(const StoreId& store) override;
  void newest_own(const StoreTrace& trace) override;
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::cln
