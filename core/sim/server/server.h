// The simulated network behind a Unix socket, like a Core Lightning node.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "core/base/error.h"
#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/node/faults.h"

namespace paytower::sim {

/// Listens from its opening on. One thread, one loop. What is answered is durable before it is answered.
class RpcServer {
 public:
  /// `ledger` and `clock` must outlive it. Refused: usage for a path that is too long or names something else, busy if
  /// another server listens there. Throws SwitchError for a file without a network, or if the system refuses.
  [[nodiscard]] static Result<RpcServer> open(Ledger& ledger, Clock& clock, const std::string& socket_path,
                                              Faults faults);
  ~RpcServer();
  RpcServer(RpcServer&& other) noexcept;
  RpcServer& operator=(RpcServer&&) = delete;

  /// Serves until the clock's stop signal or a client's `stop`. The caller must have blocked the stop signals (they are
  /// let in while this waits). On leaving, requests that still wait get no answer, as with the real node. Refused like
  /// open(), if it cannot listen again after a fault that closed the socket.
  [[nodiscard]] Result<std::monostate> run();

 private:
  struct Impl;
  explicit RpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::sim
