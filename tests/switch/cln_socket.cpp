// Core Lightning's adapter with a simulated node in another process, on a Unix socket and the real clock.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "cli/system/system.h"
#include "core/base/refuse.h"
#include "core/sim/server/server.h"
#include "core/switch/rpc/unix_socket.h"
#include "db/sim/ledger.h"
#include "tests/switch/simulated.h"

namespace paytower::test {

namespace {

constexpr std::int64_t socket_hold_ns = 1'500 * ns_per_ms;
constexpr const char* hold_fault = "hold=1500ms@sendpay:1";

/// The node as a process; killed with the object, or when this process ends.
class ServedNode {
 public:
  ServedNode(const std::string& file, const std::string& socket, const std::string& faults) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(serve(file, socket, faults, ends[1]));
    }
    ::close(ends[1]);
    char ready = 0;
    REQUIRE(::read(ends[0], &ready, 1) == 1);  // fails if the child has ended instead
    ::close(ends[0]);
  }
  ~ServedNode() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ServedNode(const ServedNode&) = delete;
  ServedNode& operator=(const ServedNode&) = delete;

 private:
  static int serve(const std::string& file, const std::string& socket, const std::string& faults, int ready) {
    try {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      cli::ignore_signals_of_writes();
      const cli::SignalGuard signals;
      cli::SystemClock clock;
      const auto ledger = value_of(db::open_sim_ledger(file));
      auto server = value_of(sim::RpcServer::open(*ledger, clock, socket, *sim::Faults::parse(faults)));
      if (::write(ready, "r", 1) != 1) return 1;
      ::close(ready);
      (void)value_of(server.run());
      return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the node: %s\n", error.what());
      return 1;
    }
  }

  pid_t pid_ = 0;
};

class SocketWorld final : public SimulatedWorld {
 public:
  SocketWorld() {
    cli::ignore_signals_of_writes();
    sim::test::build_small_network(*ledger_);
    serve("");
    new_process();
  }

  Switch& node() override { return *node_; }
  void new_process() override {
    node_ = std::make_unique<cln::ClnSwitch>(std::make_unique<UnixSocket>(socket_), std::nullopt, clock_, poller_,
                                             request_ids_);
  }
  Clock& clock() override { return clock_; }

  void restart_node() override { serve(""); }
  void lose_next_answer() override { serve("break@after-sendpay:1"); }
  void fail_next_htlc() override { serve("fail=TEMPORARY_CHANNEL_FAILURE@1@sendpay:1"); }
  void hold_next_handover() override { serve(hold_fault); }
  void execute_held() override {
    REQUIRE(held_back(*ledger_) == 1);
    clock_.sleep_until(MonoNs{clock_.mono().value + socket_hold_ns});
    admin_.advance();
    REQUIRE(held_back(*ledger_) == 0);
  }

 private:
  sim::TestAdmin& admin() override { return admin_; }
  void serve(const std::string& faults) {
    served_.reset();
    served_ = std::make_unique<ServedNode>(file_, socket_, faults);
  }

  TempFolder folder_{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path()};
  std::string file_ = folder_.file("network.sim");
  std::string socket_ = folder_.file("lightning-rpc");
  std::unique_ptr<sim::Ledger> ledger_ = value_of(db::create_sim_ledger(file_, "unix"));
  cli::SystemClock clock_;
  cli::SystemPoller poller_{clock_};
  sim::TestAdmin admin_{*ledger_, clock_};
  sim::test::SeededBytes request_ids_;
  std::unique_ptr<ServedNode> served_;
  std::unique_ptr<cln::ClnSwitch> node_;
};

}  // namespace

template <> std::unique_ptr<World> open_world<ClnSocket>() { return std::make_unique<SocketWorld>(); }

}  // namespace paytower::test
