// The simulated node within this process: the same node that `simulate serve` puts on a socket, at the end of a pipe.
#pragma once

#include <memory>
#include <string>

#include "core/sim/node/faults.h"
#include "core/switch/rpc/poller.h"
#include "core/switch/rpc/transport.h"

namespace paytower::sim {

class Ledger;
class NodeService;

/// The node, and how its clients wait for it: whoever waits lets the node do its work, then sleeps on the clock until
/// something is due. One thread, no time but the clock's, so that a seeded run on a virtual clock repeats itself. The
/// node outlives its clients, and reads what one that died had written, as a node on a socket does.
class PipeNode final : public Poller {
 public:
  /// `ledger` and `clock` must outlive this. `name`: what is connected to, for people.
  PipeNode(Ledger& ledger, Clock& clock, std::string name, Faults faults = {});
  ~PipeNode() override;
  PipeNode(const PipeNode&) = delete;
  PipeNode& operator=(const PipeNode&) = delete;

  /// A client's end, not connected yet; it must not outlive this. Nobody gets in while a fault refuses.
  [[nodiscard]] std::unique_ptr<Transport> transport();

  [[nodiscard]] Faults& faults();

  /// Lets the node do what was asked of it and what is due, without anybody who waits.
  void turn();

  /// `descriptor` is that of a transport of this node. Throws SwitchError.
  bool wait(int descriptor, bool write, MonoNs until) override;

 private:
  class Pipe;
  [[nodiscard]] bool ready(int descriptor);

  Clock& clock_;
  std::string name_;
  std::unique_ptr<NodeService> service_;  ///< known by name only: its JSON takes seconds to compile
};

}  // namespace paytower::sim
