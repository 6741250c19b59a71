// The simulated network behind a Unix socket, as a Core Lightning node would stand there.
#pragma once

#include <memory>
#include <string>

#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/node/faults.h"

namespace paytower::sim {

/// Listens from its construction on. One thread, one loop; what is answered is durable before.
class RpcServer {
 public:
  /// `ledger` and `clock` must outlive this. Throws as ListeningSocket, and SwitchError for a file without a network.
  RpcServer(Ledger& ledger, Clock& clock, const std::string& socket_path, Faults faults);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  /// Serves until the clock's stop signal or a client's `stop`. The caller must have the stop signals blocked (they are
  /// let in while this waits). Leaves without an answer to what still waits, as the node does.
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
