// The simulated node as it serves its clients, whatever carries their bytes: a Unix socket (core/sim/server), or a pipe
// within this process (core/sim/node/pipe).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/node/connection.h"
#include "core/sim/node/faults.h"

namespace paytower::sim {

/// Outlives its clients, as a node does. Bounds: 64 clients, 256 requests a turn.
class NodeService {
 public:
  /// `ledger` and `clock` must outlive this.
  NodeService(Ledger& ledger, Clock& clock, Faults faults);
  ~NodeService();
  NodeService(const NodeService&) = delete;
  NodeService& operator=(const NodeService&) = delete;

  /// Whether one more client can be let in now.
  [[nodiscard]] bool has_room() const;
  /// A new connection's id; nothing where a fault closes it at once, or lets nobody in.
  [[nodiscard]] std::optional<std::uint64_t> let_in();
  /// Nothing when this client has gone.
  [[nodiscard]] RpcConnection* find(std::uint64_t id);
  /// Nobody can connect: a fault, or one that has not ended yet. Behind a forwarder everybody can.
  [[nodiscard]] bool refuses() const;
  [[nodiscard]] Faults& faults();

  /// Executes what was asked, in one transaction, and puts what is to be told into the connections. Throws SwitchError.
  void turn();
  /// Forgets connections that are over.
  void forget_closed();
  /// How long until the next turn at the latest, where nobody writes.
  [[nodiscard]] std::int64_t pause_ns() const;
  /// A client has asked the node to stop, and was answered.
  [[nodiscard]] bool stop_asked() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
