// The simulated network behind a Unix socket, like a Core Lightning node.
#pragma once

#include <memory>
#include <string>

#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/node/faults.h"

namespace paytower::sim {

/// Listens from its construction on. One thread, one loop. What is answered is durable before it is answered.
class RpcServer {
 public:
  /// `ledger` and `clock` must outlive this. Throws like ListeningSocket, and SwitchError for a file without a network.
  RpcServer(Ledger& ledger, Clock& clock, const std::string& socket_path, Faults faults);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  /// Serves until the clock's stop signal or a client's `stop`. The caller must have blocked the stop signals (they are
  /// let in while this waits). On leaving, requests that still wait get no answer, as with the real node.
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
