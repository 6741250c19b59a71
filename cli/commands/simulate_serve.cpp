// `simulate serve`: the simulated network on a Unix socket, as a Core Lightning node.
#include <array>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"
#include "core/sim/server/server.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

namespace {

struct ServeOptions {
  std::string socket;  ///< path of the Unix socket
  std::string faults;  ///< see core/sim/node/faults.h
};

void read_socket(ServeOptions& serve, const Value& value) {
  serve.socket = value.text;
  if (const auto objection = socket_path_objection(serve.socket)) refuse_value(value, objection->message);
}

constexpr auto serve_flags = std::to_array<Flag>({
    {"socket", "PATH", "the Unix socket to listen on", into::by<read_socket>},
    {"faults", "SPEC", "what goes wrong: KIND[=VALUE]@METHOD[:N], separated by commas; see the manual page",
     into::text<&ServeOptions::faults>},
});

void take(ServeOptions& serve, const Given& given) {
  if (serve.socket.empty()) given.refuse("simulate serve needs --socket, where to listen");
}

ExitCode run(const ServeOptions& options, Session& session) {
  sim::Faults faults = value_of(sim::Faults::parse(options.faults));
  const std::string& network = simulated_network(session);
  const auto ledger = value_of(db::open_sim_ledger(network));
  const SignalGuard signals;
  auto server = value_of(sim::RpcServer::open(*ledger, session.clock, options.socket, std::move(faults)));
  session.output.note(fmt::format("serving {} on {}", simulated_address(printable(network)), printable(options.socket)),
                      true);
  (void)value_of(server.run());
  return ExitCode::ok;
}

}  // namespace

constexpr Command serve_command = command<ServeOptions, take, run>({
    .name = "simulate serve",
    .summary = "Serve a simulated network over a Unix socket",
    .about = "Answers there as a Core Lightning node does on its lightning-rpc, until it is told to stop. With "
             "--faults,\n"
             "as a node does that fails its client.",
    .flags = serve_flags,
    .examples = "  paytower --switch sim:net.sim simulate serve --socket /tmp/lightning-rpc\n"
                "  paytower --switch sim:net.sim simulate serve --socket /tmp/lightning-rpc --faults "
                "drop-reply@sendpay:2",
    .database = false,
    .asks_switch = true,
});

}  // namespace paytower::cli
