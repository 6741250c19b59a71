// The simulated node as it serves its clients, whatever carries their bytes: a Unix socket (core/sim/server), or a pipe
// inside this process (core/sim/node/pipe).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/node/connection.h"
#include "core/sim/node/faults.h"

namespace paytower::sim {

/// Outlives its clients, like a real node. Bounds: 64 clients, 256 requests a turn.
class NodeService {
 public:
  /// `ledger` and `clock` must outlive this.
  NodeService(Ledger& ledger, Clock& clock, Faults faults);
  ~NodeService();
  NodeService(const NodeService&) = delete;
  NodeService& operator=(const NodeService&) = delete;

  /// Whether one more client may connect now.
  [[nodiscard]] bool has_room() const;
  /// The id of a new connection. Nothing if a fault closes it at once, or lets nobody connect.
  [[nodiscard]] std::optional<std::uint64_t> let_in();
  /// Nothing if this client has gone.
  [[nodiscard]] RpcConnection* find(std::uint64_t id);
  /// Nobody can connect, because a fault has not ended yet. Behind a forwarder everybody can.
  [[nodiscard]] bool refuses() const;
  [[nodiscard]] Faults& faults();

  /// Executes what was asked, in one transaction, and puts the answers into the connections. Throws SwitchError.
  void turn();
  /// Forgets connections that are over.
  void forget_closed();
  /// How long until the next turn at the latest, if nobody writes.
  [[nodiscard]] std::int64_t pause_ns() const;
  /// A client has asked the node to stop, and got its answer.
  [[nodiscard]] bool stop_asked() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
