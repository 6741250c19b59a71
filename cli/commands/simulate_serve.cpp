#include "cli/commands/commands.h"
#include "cli/output/refuse.h"
#include "cli/output/text.h"
#include "core/sim/server/server.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

ExitCode run(const SimulateServeOptions& options, Session& session) {
  sim::Faults faults = value_of(sim::Faults::parse(options.faults));
  const std::string& network = simulated_network(session);
  const auto ledger = db::open_sim_ledger(network);
  const SignalGuard signals;
  sim::RpcServer server(*ledger, session.clock, options.socket, std::move(faults));
  session.output.note("serving " + simulated_address(printable(network)) + " on " + printable(options.socket), true);
  server.run();
  return ExitCode::ok;
}

}  // namespace paytower::cli
