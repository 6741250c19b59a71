// The simulated node inside this process: the same node that `simulate serve` puts on a socket, at the end of a pipe.
#pragma once

#include <memory>
#include <string>

#include "core/sim/node/faults.h"
#include "core/switch/rpc/poller.h"
#include "core/switch/rpc/transport.h"

namespace paytower::sim {

class Ledger;
class NodeService;

/// The node, and how its clients wait for it: the client that waits lets the node work, then sleeps on the clock until
/// something is due. One thread, and no time except the clock's, so that a run with a seed on a virtual clock can be
/// repeated. The node outlives its clients, and still reads what a client wrote before it died, like a node on a
/// socket.
class PipeNode final : public Poller {
 public:
  /// `ledger` and `clock` must outlive this. `name`: for people, what a client is connected to.
  PipeNode(Ledger& ledger, Clock& clock, std::string name, Faults faults = {});
  ~PipeNode() override;
  PipeNode(const PipeNode&) = delete;
  PipeNode& operator=(const PipeNode&) = delete;

  /// A client's end, not connected yet. It must not outlive this. Nobody can connect while a fault refuses.
  [[nodiscard]] std::unique_ptr<Transport> transport();

  [[nodiscard]] Faults& faults();

  /// Lets the node do what was asked and what is due, without a client that waits.
  void turn();

  /// `descriptor` belongs to a transport of this node. Throws SwitchError.
  bool wait(int descriptor, bool write, MonoNs until) override;

 private:
  class Pipe;
  [[nodiscard]] bool ready(int descriptor);

  Clock& clock_;
  std::string name_;
  std::unique_ptr<NodeService> service_;  ///< only declared here: its JSON takes seconds to compile
};

}  // namespace paytower::sim
