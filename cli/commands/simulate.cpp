// `simulate network`, `invoice`, `release` and `ledger`: a network in a file, to try things without money.
#include <array>
#include <memory>

#include <unistd.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "cli/commands/commands.h"
#include "cli/input/graph.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/json.h"
#include "core/base/refuse.h"
#include "core/sim/admin.h"
#include "db/sim/ledger.h"

namespace paytower::cli {

namespace {

constexpr std::uint32_t max_simulated = 1'000'000;

struct NetworkOptions {
  std::string out;
  std::uint64_t seed = 0;
  std::uint32_t nodes = 0;
  std::uint32_t channels = 0;
  std::optional<std::string> import;  ///< graph file
};

constexpr auto network_flags = std::to_array<Flag>({
    {"out", "PATH", "the new file", into::text<&NetworkOptions::out>},
    {"seed", "N", "the same seed makes the same network (default: {})",
     into::whole<&NetworkOptions::seed, 0, UINT64_MAX>, "1"},
    {"nodes", "N", "how many nodes, with our own (default: {})", into::whole<&NetworkOptions::nodes, 2, max_simulated>,
     "20"},
    {"channels", "N", "how many channels (default: {})", into::whole<&NetworkOptions::channels, 1, 10 * max_simulated>,
     "60"},
    {"import", "FILE", "take nodes and channels from lncli describegraph or Core Lightning listchannels JSON",
     into::text<&NetworkOptions::import>},
});

void take(NetworkOptions& network, const Given& given) {
  if (network.out.empty()) given.refuse("simulate network needs --out, the file to make");
  if (network.import && (given.has("nodes") || given.has("channels")))
    given.refuse("--import brings its own nodes and channels");
}

struct InvoiceOptions {
  std::optional<Msat> amount;  ///< nothing = any
  std::string node;
  std::int64_t expiry_ns = 0;
  std::string description;
  std::optional<std::int64_t> hold_ns;  ///< -1 = for ever
  std::optional<std::string> fail;      ///< CODE[@HOP][xN]
};

void read_invoice_amt(InvoiceOptions& invoice, const Value& value) {
  if (value.text != "any") invoice.amount = read_amount_above_0(value, "an invoice of 0 is written --amt any");
}

void read_hold(InvoiceOptions& invoice, const Value& value) { invoice.hold_ns = read_wait(value).value_or(-1); }

constexpr auto invoice_flags = std::to_array<Flag>({
    {"amt", "A|any", "the amount; any = the payer chooses", into::by<read_invoice_amt>},
    {"node", "NAME", "who is paid (default: a node several hops away)", into::text<&InvoiceOptions::node>},
    {"expiry", "DUR", "how long it can be paid (default: {})", into::duration<&InvoiceOptions::expiry_ns>, "1h"},
    {"description", "TEXT", "what it is for", into::text<&InvoiceOptions::description>},
    {"hold", "DUR|forever", "the payee keeps the HTLC this long before it answers", into::by<read_hold>},
    {"fail", "CODE[@HOP][xN]", "its attempts fail with this BOLT 4 code, at this hop, N times",
     into::text<&InvoiceOptions::fail>},
});

void take(InvoiceOptions& /*invoice*/, const Given& given) {
  if (!given.has("amt")) given.refuse("simulate invoice needs --amt, an amount or any");
}

struct ReleaseOptions {
  HashArgument hash;
  std::optional<std::string> fail;
};

constexpr auto release_flags = std::to_array<Flag>({
    {"fail", "CODE", "the held HTLC fails with this BOLT 4 code instead of settling",
     into::text<&ReleaseOptions::fail>},
});

void take(ReleaseOptions& release, const Given& given) { release.hash = given.hash(); }

struct LedgerOptions {
  std::optional<HashArgument> hash;
};

void take(LedgerOptions& ledger, const Given& given) {
  if (!given.words.empty()) ledger.hash = given.hash();
}

constexpr std::size_t largest_graph = std::size_t{512} << 20;  // mainnet as lncli describegraph: about 100 MB

sim::ImportedGraph read_graph_file(const std::string& path) {
  const std::string text = value_of(read_input(path, largest_graph));
  const auto document = read_json(text, {largest_graph});
  if (!document) refuse(Errc::usage, fmt::format("{}: {}", path, document.error().message));
  return value_of(read_graph(*document));
}

/// A network file in use by one call.
struct OpenNetwork {
  explicit OpenNetwork(Session& session)
      : ledger(value_of(db::open_sim_ledger(simulated_network(session)))), admin(*ledger, session.clock) {}
  std::unique_ptr<sim::Ledger> ledger;
  sim::SimAdmin admin;
};

PaymentHash without_prefix(const HashArgument& argument) {
  if (!argument.whole) refuse(Errc::usage, "a simulated network wants all 64 digits of the payment hash");
  return *argument.whole;
}

std::optional<sim::FailSpec> fail_spec(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return value_of(sim::parse_fail_spec(*text));
}

ExitCode run(const NetworkOptions& options, Session& session) {
  sim::NetworkParams params;
  params.seed = options.seed;
  params.nodes = options.nodes;
  params.channels = options.channels;
  sim::ImportedGraph graph;
  if (options.import) {
    graph = read_graph_file(*options.import);
    params.graph = &graph;
  }
  auto ledger = value_of(db::create_sim_ledger(options.out));
  const auto made = sim::SimAdmin(*ledger, session.clock).create_network(params);
  if (!made) {
    ledger.reset();
    (void)::unlink(options.out.c_str());  // made a moment ago by this very call, and empty
    refuse(made.error());
  }
  if (session.output.json()) {
    Json json;
    json["path"] = options.out;
    json["own_key"] = made->own_key.hex();
    json["nodes"] = made->nodes;
    json["channels"] = made->channels;
    session.output.line(dump(json));
  } else {
    session.output.line(fmt::format("Simulated network in {}: {}, {}; our node is {}", printable(options.out),
                                    counted(made->nodes, "node"), counted(made->channels, "channel"),
                                    made->own_key.hex()));
    session.output.hint(
        fmt::format("paytower --switch {} simulate invoice --amt 250sat", shell_word(simulated_address(options.out))));
  }
  return ExitCode::ok;
}

ExitCode run(const InvoiceOptions& options, Session& session) {
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
    session.output.line(dump(json));
  } else {
    session.output.line(invoice.text);
  }
  return ExitCode::ok;
}

ExitCode run(const ReleaseOptions& options, Session& session) {
  const PaymentHash hash = without_prefix(options.hash);
  const auto fail = fail_spec(options.fail);
  OpenNetwork network(session);
  const std::size_t released =
      value_of(network.admin.release(hash, fail ? std::optional(fail->wire_code) : std::nullopt));
  if (session.output.json()) {
    Json json;
    json["payment_hash"] = hash.hex();
    json["released"] = released;
    session.output.line(dump(json));
  } else {
    session.output.line(released == 0 ? "Nothing is held now; the next HTLC will not be."
                                      : fmt::format("Released {}", counted(released, "HTLC")));
  }
  return ExitCode::ok;
}

ExitCode run(const LedgerOptions& options, Session& session) {
  std::optional<PaymentHash> hash;
  if (options.hash) hash = without_prefix(*options.hash);
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
    session.output.line(dump(json));
    return true;
  });
  return ExitCode::ok;
}

}  // namespace

constexpr Command network_command = command<NetworkOptions, take, run>({
    .name = "simulate network",
    .summary = "Make a simulated network",
    .about =
        "Writes a network of nodes and channels into a new file, for --switch sim:PATH. The same seed makes the same\n"
        "node and the same invoices: a second network beside the first one takes another --seed.",
    .flags = network_flags,
    .examples = "  paytower simulate network --out net.sim --seed 7",
    .database = false,
});

constexpr Command invoice_command = command<InvoiceOptions, take, run>({
    .name = "simulate invoice",
    .summary = "Make an invoice of a simulated node",
    .about = "Prints it alone on a line. --hold and --fail say how its payment shall go.",
    .flags = invoice_flags,
    .examples = "  paytower --switch sim:net.sim simulate invoice --amt 250sat\n"
                "  paytower --switch sim:net.sim simulate invoice --amt any --fail TEMPORARY_CHANNEL_FAILURE@2x1",
    .database = false,
    .asks_switch = true,
});

constexpr Command release_command = command<ReleaseOptions, take, run>({
    .name = "simulate release",
    .words = "HASH|INVOICE",
    .summary = "End the hold of a simulated payment",
    .about = "The held HTLCs settle, or fail with --fail.",
    .flags = release_flags,
    .examples = "  paytower --switch sim:net.sim simulate release 3f9c0d12...(64 digits)",
    .database = false,
    .asks_switch = true,
});

constexpr Command ledger_command = command<LedgerOptions, take, run>({
    .name = "simulate ledger",
    .words = "[HASH|INVOICE]",
    .summary = "Show what a simulated network really did",
    .about = "One line of JSON for each HTLC: the truth that tests compare with.",
    .examples = "  paytower --switch sim:net.sim simulate ledger",
    .database = false,
    .asks_switch = true,
});

}  // namespace paytower::cli
