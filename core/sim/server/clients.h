// Who is connected to the served node, and what they ask.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/sim/node/faults.h"
#include "core/sim/server/socket.h"
#include "core/sim/server/wire.h"

namespace paytower::sim {

class RpcClients {
 public:
  /// Listens from here on. `faults` must outlive this. Throws as ListeningSocket.
  RpcClients(const std::string& path, RpcFaults& faults) : faults_(faults), socket_(path) {}

  /// Waits until somebody writes, can be written to, or `ns` are over, or a stop signal came (they are let in while it
  /// waits); then lets in and reads.
  void wait(std::int64_t ns, MonoNs now);
  /// Requests to be executed in one transaction: some of each client, and nothing behind one that ends a batch.
  [[nodiscard]] std::vector<PendingCall> collect(MonoNs now);
  /// How long wait() may take at most, given `ns`.
  [[nodiscard]] std::int64_t shorten(std::int64_t ns, MonoNs now) const;

  /// Nothing when this client has gone.
  [[nodiscard]] RpcConnection* find(std::uint64_t id);
  void flush();
  /// Forgets those who have gone. True when any did since the last call, whichever way.
  bool forget_closed();
  /// Every connection breaks. Behind a forwarder they stay, and what was read of them and not executed.
  void drop_all();
  /// The same, and nobody is let in before `until`.
  void refuse(MonoNs until);
  /// Ends a refusal whose time is over.
  void listen_again(MonoNs now);

 private:
  void let_in(MonoNs now);
  std::optional<PendingCall> next_call(RpcConnection& connection, MonoNs now);

  RpcFaults& faults_;
  ListeningSocket socket_;
  std::map<std::uint64_t, RpcConnection> connections_;
  std::uint64_t next_id_ = 1;
  std::optional<MonoNs> refusing_until_;
  bool some_went_ = false;
};

}  // namespace paytower::sim
