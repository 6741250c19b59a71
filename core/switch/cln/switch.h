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

/// One connection, all requests pipelined, no thread. An attempt is (payment_hash, groupid = attempt id, partid), and
/// its label is that of the request. core/switch/cln/conclusions.h says what is concluded from each answer.
///
/// identify() connects if there is no connection: first the peer is checked, then getinfo is asked before anything
/// else. What the node has said about itself holds as long as the connection: identify() repeats it, and the node is
/// asked only once (R6). Until then every other call is answered with Disconnected, after a dispatch has been answered
/// with not_sent, because nothing was written. A connection that is lost, or on which something unreadable came, is
/// given up as a whole. The next one waits 250 ms, and longer each time a connection brings nothing.
class ClnSwitch final : public Switch {
 public:
  /// Clock, poller and randomness must outlive this; `poller` must know the kind of `transport`. `node_user`: the node
  /// may also run as this user, not only as ours or as root.
  ClnSwitch(std::unique_ptr<Transport> transport, std::optional<uid_t> node_user, Clock& clock, Poller& poller,
            Randomness& randomness);
  ~ClnSwitch() override;
  ClnSwitch(const ClnSwitch&) = delete;
  ClnSwitch& operator=(const ClnSwitch&) = delete;

  void identify() override;
  void look(const PaymentHash& hash, std::span<const Marks> since) override;
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover& handover) override;
  /// Answered with `look` every 48 s while the attempt is pending: that look shows orphaned rows too.
  void query(const AttemptKey& key) override;
  void fence(const Handover& handover) override;
  /// Nothing of ours is ever in the way here: a fence holds only its own id.
  void release(const PaymentHash& hash, const StoreId& store) override;
  [[nodiscard]] std::optional<HandoverTerms> terms() const override { return std::nullopt; }
  /// About a minute old at most, as long as the node answers.
  [[nodiscard]] std::uint32_t base_height() const override;
  void list_own(const StoreId& store) override;
  void newest_own(const StoreTrace& trace) override;
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::cln
