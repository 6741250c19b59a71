#include <memory>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/commands/commands.h"
#include "cli/input/graph.h"
#include "cli/output/refuse.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/json.h"
#include "core/sim/admin.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

namespace {

constexpr std::size_t largest_graph = std::size_t{512} << 20;  // mainnet as lncli describegraph: about 100 MB

sim::ImportedGraph read_graph_file(const std::string& path) {
  const std::string text = value_of(read_input(path, largest_graph));
  const auto document = read_json(text, {largest_graph});
  if (!document) refuse(Errc::usage, path + ": " + document.error().message);
  return value_of(read_graph(*document));
}

/// A network file in use by one call.
struct OpenNetwork {
  explicit OpenNetwork(Session& session)
      : ledger(db::open_sim_ledger(simulated_network(session))), admin(*ledger, session.clock) {}
  std::unique_ptr<sim::Ledger> ledger;
  sim::SimAdmin admin;
};

PaymentHash whole_hash(const HashArgument& argument) {
  if (!argument.whole) refuse(Errc::usage, "a simulated network wants all 64 digits of the payment hash");
  return *argument.whole;
}

std::optional<sim::FailSpec> fail_spec(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return value_of(sim::parse_fail_spec(*text));
}

}  // namespace

ExitCode run(const SimulateNetworkOptions& options, Session& session) {
  sim::NetworkParams params;
  params.seed = options.seed;
  params.nodes = options.nodes;
  params.channels = options.channels;
  sim::ImportedGraph graph;
  if (options.import) {
    graph = read_graph_file(*options.import);
    params.graph = &graph;
  }
  auto ledger = db::create_sim_ledger(options.out);
  const auto made = sim::SimAdmin(*ledger, session.clock).create_network(params);
  if (!made) {
    ledger.reset();
    (void)::unlink(options.out.c_str());  // made a moment ago by this very call, and empty
    throw RefusalError(made.error());
  }
  if (session.output.json()) {
    Json json;
    json["path"] = options.out;
    json["own_key"] = made->own_key.hex();
    json["nodes"] = made->nodes;
    json["channels"] = made->channels;
    session.output.result(dump(json) + "\n");
  } else {
    session.output.result("Simulated network in " + printable(options.out) + ": " + counted(made->nodes, "node") +
                          ", " + counted(made->channels, "channel") + "; our node is " + made->own_key.hex() + "\n");
    session.output.hint("paytower --switch " + shell_word(simulated_address(options.out)) +
                        " simulate invoice --amt 250sat");
  }
  return ExitCode::ok;
}

ExitCode run(const SimulateInvoiceOptions& options, Session& session) {
  sim::InvoiceParams params;
  params.amount = options.amount;
  params.node = options.node;
  params.expiry_ns = options.expiry_ns;
  params.description = options.description;
  if (options.hold_ns) params.hold = sim::Hold{*options.hold_ns < 0 ? sim::Hold::forever : *options.hold_ns};
  params.fail = fail_spec(options.fail);
  OpenNetwork network(session);
  const sim::MadeInvoice invoice = value_of(network.admin.make_invoice(params));
  if (session.output.json()) {
    Json json;
    json["payment_request"] = invoice.text;
    json["payment_hash"] = invoice.hash.hex();
    session.output.result(dump(json) + "\n");
  } else {
    session.output.result(invoice.text + "\n");
  }
  return ExitCode::ok;
}

ExitCode run(const SimulateReleaseOptions& options, Session& session) {
  const PaymentHash hash = whole_hash(options.hash);
  const auto fail = fail_spec(options.fail);
  OpenNetwork network(session);
  const std::size_t released =
      value_of(network.admin.release(hash, fail ? std::optional(fail->wire_code) : std::nullopt));
  if (session.output.json()) {
    Json json;
    json["payment_hash"] = hash.hex();
    json["released"] = released;
    session.output.result(dump(json) + "\n");
  } else {
    const std::string some = "Released " + counted(released, "HTLC") + "\n";
    session.output.result(released == 0 ? "Nothing is held now; the next HTLC will not be.\n" : some);
  }
  return ExitCode::ok;
}

ExitCode run(const SimulateLedgerOptions& options, Session& session) {
  std::optional<PaymentHash> hash;
  if (options.hash) hash = whole_hash(*options.hash);
  OpenNetwork network(session);
  network.admin.ledger(hash, [&session](const sim::OracleEntry& entry) {
    Json json;
    json["payment_hash"] = entry.hash.hex();
    json["attempt_id"] = id_json(entry.attempt.value);
    json["part"] = entry.part;
    json["amt_msat"] = msat_json(entry.amount);
    json["created_ns"] = time_json(entry.created);
    json["resolved_ns"] = time_json(entry.resolved);
    json["state"] = sim::oracle_state_name(entry.state);
    session.output.result(dump(json) + "\n");
    return true;
  });
  return ExitCode::ok;
}

}  // namespace paytower::cli
