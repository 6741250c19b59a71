// Core Lightning's adapter with a simulated node in the same process, on a virtual clock.
#include <memory>

#include "tests/switch/simulated.h"

namespace paytower::test {

namespace {

constexpr std::int64_t hold_ns = 2 * ns_per_second;

class PipeWorld final : public SimulatedWorld {
 public:
  PipeWorld() { new_process(); }

  Switch& node() override { return *node_; }
  void new_process() override { node_.reset(new cln::ClnSwitch(network_.another_client(request_ids_))); }
  Clock& clock() override { return network_.clock(); }

  /// Another client's question triggers the restart.
  void restart_node() override {
    network_.fault(sim::FaultKind::restart, "getinfo");
    cln::ClnSwitch other = network_.another_client(request_ids_);
    other.identify();
    (void)other.poll(MonoNs{clock().mono().value + ns_per_second});
  }
  void lose_next_answer() override { network_.fault(sim::FaultKind::break_off, "sendpay", true); }
  void fail_next_htlc() override {
    network_.faults().add({.kind = sim::FaultKind::fail,
                           .occasion = "sendpay",
                           .times = 1,
                           .fail = *sim::parse_fail_spec("TEMPORARY_CHANNEL_FAILURE@1")});
  }
  void hold_next_handover() override {
    network_.faults().add({.kind = sim::FaultKind::hold, .occasion = "sendpay", .value = hold_ns, .times = 1});
  }
  void execute_held() override {
    REQUIRE(held_back(network_.ledger()) == 1);
    network_.clock().pass(hold_ns);
    network_.admin().advance();
    REQUIRE(held_back(network_.ledger()) == 0);
  }

 private:
  sim::TestAdmin& admin() override { return network_.admin(); }

  sim::test::World network_;
  sim::test::SeededBytes request_ids_;
  std::unique_ptr<cln::ClnSwitch> node_;
};

}  // namespace

template <> std::unique_ptr<World> open_world<ClnPipe>() { return std::make_unique<PipeWorld>(); }

}  // namespace paytower::test
