#include "cli/arguments/options.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <unistd.h>

#include "cli/arguments/batch_line.h"
#include "cli/arguments/flag_reader.h"
#include "cli/arguments/raw_call.h"
#include "cli/arguments/settings.h"
#include "cli/input/payable_text.h"
#include "cli/output/refuse.h"
#include "cli/output/suggest.h"
#include "cli/output/text.h"
#include "cli/system.h"
#include "core/base/limits.h"

namespace paytower::cli {

namespace {

constexpr std::uint32_t max_simulated = 1'000'000;

// --- one function a command ---

DirectPayee read_direct(const FlagReader& in) {
  DirectPayee payee;
  const auto node = in.bytes<PublicKey>("dest", "node key");
  if (node->bytes[0] != 2 && node->bytes[0] != 3) refuse(Errc::usage, "--dest is no node key: it begins with 02 or 03");
  const auto hash = in.bytes<PaymentHash>("payment-hash", "payment hash");
  const auto secret = in.bytes<PaymentSecret>("payment-secret", "payment secret");
  if (!hash || !secret || !in.flag("amt"))
    refuse(Errc::usage, "--dest needs --payment-hash, --payment-secret and --amt", in.help());
  payee.node = *node;
  payee.hash = *hash;
  payee.secret = *secret;
  payee.final_cltv_delta = in.whole32("final-cltv-delta", 1, limits::max_cltv_delta, payee.final_cltv_delta);
  return payee;
}

using StandardInput = std::function<Result<std::string>()>;

/// The invoice that the call names, or the one in stdin for "-": other users of the machine read the command line.
std::string read_payable(const FlagReader& in, const StandardInput& standard_input) {
  const std::string& word = in.word("an invoice");
  if (word != "-") return value_of(payable_text(word));
  if (!standard_input) refuse(Errc::usage, "the invoice of a line stands in the line, not in stdin");
  return value_of(payable_text(value_of(standard_input())));
}

/// What stdin gives already cannot be asked for there.
void refuse_taken_stdin(const FlagReader& in) {
  if (in.words().size() != 1 || in.words().front() != "-") return;
  if (in.text("routes") == "-")
    refuse(Errc::usage, "the invoice and the routes cannot both be read from stdin", in.help());
  if (in.flag("yes") || in.flag("dry-run")) return;
  refuse(Errc::not_confirmed,
         "the invoice is read from stdin, so nobody can be asked there: add --yes; nothing was sent");
}

SendOptions read_send(const FlagReader& in, const StandardInput& standard_input) {
  SendOptions send;
  if (in.flag("dest")) {
    if (!in.words().empty()) refuse(Errc::usage, "name an invoice or --dest, not both", in.help());
    send.payee = read_direct(in);
  } else {
    in.need({"payment-hash", "payment-secret", "final-cltv-delta"}, "--dest");
    refuse_taken_stdin(in);
    send.payee = read_payable(in, standard_input);
  }
  send.amount = in.amount("amt");
  if (send.amount && *send.amount == Msat{}) refuse(Errc::usage, "--amt: nothing is paid with an amount of 0");
  send.routes = in.text("routes");
  in.exclude("fee-limit", "fee-limit-percent");
  if (const auto limit = in.amount("fee-limit")) send.fee_limit = *limit;
  if (const auto percent = in.text("fee-limit-percent"))
    send.fee_limit = value_of(parse_percent(*percent), "fee-limit-percent");
  send.cltv_limit = in.whole32("cltv-limit", 1, limits::max_cltv_delta, send.cltv_limit);
  send.max_attempts = in.maybe_whole32("max-attempts", 1, limits::max_attempts);
  send.max_parts = in.maybe_whole32("max-parts", 1, limits::max_parts);
  for (const std::string& text : in.values("outgoing-chan-id")) {
    const auto channel = ShortChannelId::parse(text);
    if (!channel)
      refuse(Errc::usage,
             "--outgoing-chan-id: " + quoted(text) + " is no channel id (800000x1x1, or the decimal form)");
    send.outgoing_channels.push_back(*channel);
  }
  if (send.outgoing_channels.size() > limits::max_outgoing_channels) {
    refuse(Errc::usage, "--outgoing-chan-id may be given " + std::to_string(limits::max_outgoing_channels) + " times");
  }
  send.label = in.text("label").value_or("");
  if (send.label.size() > limits::max_label_bytes) {
    refuse(Errc::usage, "--label is longer than " + std::to_string(limits::max_label_bytes) + " bytes");
  }
  send.timeout_ns = in.duration("timeout").value_or(send.timeout_ns);
  if (send.timeout_ns == 0) refuse(Errc::usage, "--timeout: no attempt could be made in 0");
  send.wait_ns = in.wait(send.wait_ns);
  send.idempotent = in.flag("idempotent");
  send.no_memory = in.flag("no-memory");
  send.inflight_updates = in.flag("inflight-updates");
  send.yes = in.flag("yes");
  send.dry_run = in.flag("dry-run");
  in.need({"parallel"}, "--batch");
  if (send.inflight_updates && !in.flag("json"))
    refuse(Errc::usage, "--inflight-updates goes only with --json", in.help());
  return send;
}

SendOptions read_line(const RawCall& call, UnixNs now, std::string_view text) {
  BatchLine line = value_of(parse_batch_line(text));
  RawCall single = call;
  single.words = std::move(line.words);
  for (auto& [name, values] : line.flags) single.flags.insert_or_assign(name, std::move(values));
  SendOptions send = read_send(FlagReader(single, now), nullptr);
  if (send.routes == "-") refuse(Errc::usage, "routes of a line stand in a file, not in stdin");
  return send;
}

BatchOptions read_batch(const RawCall& call, const FlagReader& in, UnixNs now) {
  in.exclude("batch", "dry-run");
  in.exclude("batch", "inflight-updates");
  for (const char* name : {"amt", "dest", "payment-hash", "payment-secret", "final-cltv-delta", "routes", "label"})
    in.exclude("batch", name);
  if (!in.words().empty()) refuse(Errc::usage, "name an invoice or --batch, not both", in.help());
  BatchOptions batch;
  batch.path = *in.text("batch");
  batch.parallel = in.whole32("parallel", 1, limits::max_batch_parallel, batch.parallel);
  batch.wait_ns = in.wait(batch.wait_ns);
  batch.yes = in.flag("yes");
  batch.no_memory = in.flag("no-memory");
  RawCall defaults = call;
  for (const std::string_view name : {"batch", "parallel"}) defaults.flags.erase(std::string(name));
  batch.read_line = [defaults = std::move(defaults), now](std::string_view text) -> Result<SendOptions> {
    try {
      return read_line(defaults, now, text);
    } catch (const RefusalError& refusal) {
      return refusal.error();
    }
  };
  return batch;
}

ResumeOptions read_resume(const FlagReader& in) {
  ResumeOptions resume;
  resume.hashes = in.hashes();
  if (in.flag("all") && !resume.hashes.empty()) refuse(Errc::usage, "name payments or --all, not both", in.help());
  resume.wait_ns = in.wait(resume.wait_ns);
  resume.no_retry = in.flag("no-retry");
  resume.inflight_updates = in.flag("inflight-updates");
  if (resume.inflight_updates && !in.flag("json"))
    refuse(Errc::usage, "--inflight-updates goes only with --json", in.help());
  return resume;
}

void add_status(std::vector<PaymentStatus>& list, std::string_view word) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto add = [&list](PaymentStatus status) {
    if (std::find(list.begin(), list.end(), status) == list.end()) list.push_back(status);
  };
  if (lower == "initiated" || lower == "open") add(PaymentStatus::initiated);
  if (lower == "in_flight" || lower == "open") add(PaymentStatus::in_flight);
  if (lower == "succeeded") add(PaymentStatus::succeeded);
  if (lower == "failed") add(PaymentStatus::failed);
  if (lower == "unknown") add(PaymentStatus::unknown);
  static constexpr std::array<std::string_view, 6> known{"open",      "initiated", "in_flight",
                                                         "succeeded", "failed",    "unknown"};
  if (std::find(known.begin(), known.end(), lower) != known.end()) return;
  const std::string near = nearest(lower, {known.begin(), known.end()});
  refuse(Errc::usage, "--status: " + quoted(word) +
                          " is none of open, initiated, in_flight, succeeded, failed, unknown" +
                          (near.empty() ? "" : "; did you mean " + near + "?"));
}

std::vector<PaymentStatus> read_statuses(std::string_view text) {
  std::vector<PaymentStatus> list;
  while (true) {
    const std::size_t comma = text.find(',');
    add_status(list, text.substr(0, comma));
    if (comma == std::string_view::npos) return list;
    text.remove_prefix(comma + 1);
  }
}

ListOptions read_list(const FlagReader& in) {
  using Format = ListOptions::Format;
  static constexpr std::array<std::string_view, 4> names{"table", "tsv", "csv", "ndjson"};
  static constexpr std::array<Format, 4> formats{Format::table, Format::tsv, Format::csv, Format::ndjson};
  ListOptions list;
  if (const auto statuses = in.text("status")) list.statuses = read_statuses(*statuses);
  list.max_payments = in.whole("max-payments", 0, INT64_MAX).value_or(list.max_payments);
  if (const auto offset = in.whole("index-offset", 0, INT64_MAX))
    list.index_offset = static_cast<std::int64_t>(*offset);
  list.forwards = in.flag("paginate-forwards");
  list.since = in.time("since");
  list.until = in.time("until");
  list.label = in.text("label");
  list.count_total = in.flag("count-total-payments");
  list.omit_hops = in.flag("omit-hops");
  if (const auto format = in.choice("format", names)) list.format = formats[*format];
  if (in.flag("json") && list.format != Format::automatic && list.format != Format::ndjson) {
    refuse(Errc::usage, "--json and --format " + in.text("format").value_or("") + " exclude each other");
  }
  in.exclude("guards", "quarantine");
  if (in.flag("guards")) list.what = ListOptions::What::guards;
  if (in.flag("quarantine")) list.what = ListOptions::What::quarantine;
  if (list.what != ListOptions::What::payments) {
    in.need({"status", "since", "until", "label", "count-total-payments", "omit-hops", "paginate-forwards"},
            "a list of payments");
  }
  return list;
}

ResolveOptions read_resolve(const FlagReader& in) {
  ResolveOptions resolve;
  const int words = int{in.flag("assume-failed")} + int{in.flag("write-off")} + int{in.flag("restored")};
  if (words != 1)
    refuse(Errc::usage, "resolve needs exactly one of --assume-failed, --write-off and --restored", in.help());
  if (in.flag("restored")) {
    resolve.decision = ResolveOptions::ByHand::restored;
    resolve.yes = in.flag("yes");
    if (!in.words().empty())
      refuse(Errc::usage, "resolve --restored takes no payment hash: it is about the whole database", in.help());
    return resolve;
  }
  resolve.decision = in.flag("write-off") ? ResolveOptions::ByHand::write_off : ResolveOptions::ByHand::assume_failed;
  resolve.hash = in.hash();
  resolve.yes = in.flag("yes");
  return resolve;
}

DeleteOptions read_delete(const FlagReader& in) {
  DeleteOptions erase;
  erase.hashes = in.hashes();
  erase.all = in.flag("all");
  if (erase.all && !erase.hashes.empty()) refuse(Errc::usage, "name payments or --all, not both", in.help());
  if (!erase.all && erase.hashes.empty()) refuse(Errc::usage, "delete needs payment hashes or --all", in.help());
  if (!erase.all) in.need({"include-non-failed", "older-than"}, "--all");
  erase.include_non_failed = in.flag("include-non-failed");
  erase.failed_htlcs_only = in.flag("failed-htlcs-only");
  erase.older_than_ns = in.duration("older-than");
  erase.forget = in.flag("forget");
  in.exclude("forget", "failed-htlcs-only");
  erase.dry_run = in.flag("dry-run");
  erase.yes = in.flag("yes");
  return erase;
}

MigrateOptions read_migrate(const FlagReader& in) {
  MigrateOptions migrate;
  migrate.status = in.flag("status");
  migrate.from_lnd = in.text("from-lnd");
  if (migrate.from_lnd && migrate.from_lnd->empty())
    refuse(Errc::usage, "--from-lnd: the name of lnd's channel.db is empty", in.help());
  if (migrate.status) {
    for (const std::string_view other : {"to", "backup", "strict", "dry-run", "from-lnd", "assume-v04"})
      in.exclude("status", other);
  }
  if (migrate.from_lnd) {
    for (const std::string_view other : {"to", "backup"}) in.exclude("from-lnd", other);
  } else if (in.flag("assume-v04")) {
    in.need({"assume-v04"}, "--from-lnd");
  }
  if (const auto to = in.whole("to", 1, INT32_MAX)) migrate.to = static_cast<int>(*to);
  const auto backup = in.text("backup");
  migrate.backup = backup != "none";
  if (migrate.backup) migrate.backup_path = backup;
  if (backup && backup->empty()) refuse(Errc::usage, "--backup: the name of the copy is empty", in.help());
  migrate.strict = in.flag("strict");
  migrate.dry_run = in.flag("dry-run");
  migrate.assume_v04 = in.flag("assume-v04");
  return migrate;
}

StatsOptions read_stats(const FlagReader& in) {
  static constexpr std::array<std::string_view, 3> names{"table", "json", "prom"};
  static constexpr std::array<StatsOptions::Format, 3> formats{StatsOptions::Format::table, StatsOptions::Format::json,
                                                               StatsOptions::Format::prom};
  StatsOptions stats;
  stats.since = in.time("since");
  stats.until = in.time("until");
  if (in.flag("json")) stats.format = StatsOptions::Format::json;
  if (const auto format = in.choice("format", names)) {
    if (in.flag("json") && formats[*format] != StatsOptions::Format::json) {
      refuse(Errc::usage, "--json and --format " + in.text("format").value_or("") + " exclude each other");
    }
    stats.format = formats[*format];
  }
  return stats;
}

SimulateNetworkOptions read_network(const FlagReader& in) {
  SimulateNetworkOptions network;
  network.out = in.text("out").value_or("");
  if (network.out.empty()) refuse(Errc::usage, "simulate network needs --out, the file to make", in.help());
  network.seed = in.whole("seed", 0, UINT64_MAX).value_or(network.seed);
  network.nodes = in.whole32("nodes", 2, max_simulated, network.nodes);
  network.channels = in.whole32("channels", 1, 10 * max_simulated, network.channels);
  network.import = in.text("import");
  if (network.import && (in.flag("nodes") || in.flag("channels"))) {
    refuse(Errc::usage, "--import brings its own nodes and channels", in.help());
  }
  return network;
}

SimulateServeOptions read_serve(const FlagReader& in) {
  SimulateServeOptions serve;
  serve.socket = in.text("socket").value_or("");
  if (serve.socket.empty()) refuse(Errc::usage, "simulate serve needs --socket, where to listen", in.help());
  serve.faults = in.text("faults").value_or("");
  if (const auto objection = socket_path_objection(serve.socket))
    refuse(Errc::usage, "--socket: " + objection->message);
  return serve;
}

SimulateInvoiceOptions read_invoice(const FlagReader& in) {
  SimulateInvoiceOptions invoice;
  const auto amount = in.text("amt");
  if (!amount) refuse(Errc::usage, "simulate invoice needs --amt, an amount or any", in.help());
  if (*amount != "any") invoice.amount = in.amount("amt");
  if (invoice.amount && *invoice.amount == Msat{}) refuse(Errc::usage, "--amt: an invoice of 0 is written --amt any");
  invoice.node = in.text("node").value_or("");
  invoice.expiry_ns = in.duration("expiry").value_or(invoice.expiry_ns);
  invoice.description = in.text("description").value_or("");
  if (in.text("hold") == "forever") {
    invoice.hold_ns = -1;
  } else {
    invoice.hold_ns = in.duration("hold");
  }
  invoice.fail = in.text("fail");
  return invoice;
}

Command read_command(const RawCall& call, const FlagReader& in, const Surroundings& surroundings) {
  const std::string_view name = call.command->name;
  if (name == "send" && in.flag("batch")) return read_batch(call, in, surroundings.now);
  if (name == "send") return read_send(in, surroundings.standard_input);
  if (name == "resume") return read_resume(in);
  if (name == "list") return read_list(in);
  if (name == "show") return ShowOptions{in.hash(), in.flag("omit-hops")};
  if (name == "cancel") return CancelOptions{in.hash(), in.flag("dry-run")};
  if (name == "resolve") return read_resolve(in);
  if (name == "delete") return read_delete(in);
  if (name == "migrate") return read_migrate(in);
  if (name == "backup") return BackupOptions{in.word("a path")};
  if (name == "check") return CheckOptions{};
  if (name == "stats") return read_stats(in);
  if (name == "decode") return DecodeOptions{read_payable(in, surroundings.standard_input)};
  if (name == "simulate network") return read_network(in);
  if (name == "simulate invoice") return read_invoice(in);
  if (name == "simulate release") return SimulateReleaseOptions{in.hash(), in.text("fail")};
  if (name == "simulate ledger") {
    return SimulateLedgerOptions{in.words().empty() ? std::nullopt : std::optional<HashArgument>(in.hash())};
  }
  if (name == "simulate serve") return read_serve(in);
  throw std::logic_error("a command of the table that nobody reads");
}

// --- global options ---

bool is_about(const SwitchKind& kind, std::string_view flag) {
  return std::find(kind.flags.begin(), kind.flags.end(), flag) != kind.flags.end();
}

/// What is given for another kind of switch is refused; what stands in the environment or the config file for it can
/// stay there.
void refuse_flags_of_others(const SwitchKind& kind, const RawCall& flags_only) {
  for (const SwitchKind& other : switch_kinds()) {
    for (const std::string_view flag : other.flags) {
      if (flags_only.has(flag) && !is_about(kind, flag))
        refuse(Errc::usage, "--" + std::string(flag) + " goes only with --switch " + form_of(other));
    }
  }
}

/// The bytes of a macaroon as text, hex or base64: whoever reads the command line or the environment can spend with it.
bool is_a_macaroon(std::string_view text) {
  constexpr std::size_t shortest = 64;
  if (text.size() < shortest) return false;
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos || text.substr(0, 3) == "AgE";
}

std::optional<std::string> read_macaroon_file(const FlagReader& in) {
  auto file = in.text("macaroon");
  if (file && is_a_macaroon(*file))
    refuse(Errc::usage, "--macaroon: name the file; the macaroon itself is a secret that others can see here");
  return file;
}

SwitchAddress read_switch(const std::string& text, const RawCall& flags_only) {
  SwitchAddress address = value_of(read_switch_address(text), "switch");
  refuse_flags_of_others(*address.kind, flags_only);
  return address;
}

void read_database(GlobalOptions& global, const FlagReader& in, const Surroundings& surroundings) {
  if (const auto path = in.text("db")) {
    if (*path == ":memory:" || path->compare(0, 5, "file:") == 0) {
      refuse(Errc::usage, "--db: " + quoted(*path) + " is no file that lasts: payments must outlive the command");
    }
    global.database = *path;
    global.database_named = true;
  } else {
    global.database = value_of(default_database(surroundings));
  }
}

/// "paytower --db x --switch y": the flags of this call that a copied hint needs as well.
std::string hint_prefix(const RawCall& flags_only) {
  std::vector<std::string_view> names{"db", "switch"};
  for (const SwitchKind& kind : switch_kinds()) names.insert(names.end(), kind.flags.begin(), kind.flags.end());
  names.emplace_back("config");
  std::string prefix = "paytower";
  for (const std::string_view name : names) {
    if (const std::string* value = flags_only.value(name))
      prefix += " --" + std::string(name) + " " + shell_word(*value);
  }
  return prefix;
}

OutputSetup read_output(const FlagReader& in, const RawCall& flags_only) {
  static constexpr std::array<std::string_view, 3> names{"auto", "always", "never"};
  static constexpr std::array<ColorChoice, 3> choices{ColorChoice::automatic, ColorChoice::always, ColorChoice::never};
  OutputSetup output;
  output.json = in.flag("json");
  output.quiet = in.flag("quiet");
  output.verbosity = static_cast<unsigned>(std::min<std::size_t>(in.values("verbose").size(), 2));
  output.no_input = in.flag("no-input");
  if (const auto color = in.choice("color", names)) output.color = choices[*color];
  output.command_prefix = hint_prefix(flags_only);
  return output;
}

std::optional<TextOptions> asked_for_help(const RawCall& call) {
  if (!call.has("help")) return std::nullopt;
  if (call.command != nullptr) return TextOptions{command_help(*call.command)};
  return TextOptions{call.group.empty() ? general_help() : group_help(call.group)};
}

template <typename... Kinds> bool is_one_of(const Command& command) {
  return (std::holds_alternative<Kinds>(command) || ...);
}

bool uses_database(const Command& command) {
  return !is_one_of<ConfigOptions, DecodeOptions, SimulateNetworkOptions, SimulateInvoiceOptions,
                    SimulateReleaseOptions, SimulateLedgerOptions, SimulateServeOptions>(command);
}

bool uses_switch(const Command& command) {
  return !is_one_of<ListOptions, ShowOptions, DeleteOptions, MigrateOptions, BackupOptions, CheckOptions, StatsOptions,
                    ConfigOptions, DecodeOptions, SimulateNetworkOptions>(command);
}

/// What stands in the environment or the config file and is not used by this command cannot spoil it; a flag always is
/// read.
GlobalOptions read_global(const FlagReader& in, const RawCall& flags_only, const Command& command,
                          const Surroundings& surroundings) {
  GlobalOptions global;
  global.lock_timeout_ns = in.duration("lock-timeout");
  std::optional<std::uint32_t> node_user;
  if (const auto user = in.text("node-user")) node_user = value_of(user_id(*user), "node-user");
  auto macaroon_file = read_macaroon_file(in);
  const auto address = in.text("switch");
  if (address && (uses_switch(command) || flags_only.has("switch"))) {
    global.switch_address = read_switch(*address, flags_only);
    global.switch_address->node_user = node_user;
    global.switch_address->certificate_file = in.text("tls-cert");
    global.switch_address->macaroon_file = std::move(macaroon_file);
  }
  if (uses_database(command) || flags_only.has("db")) read_database(global, in, surroundings);
  return global;
}

Options read_options(RawCall call, const Surroundings& surroundings) {
  Options options;
  if (const auto help = asked_for_help(call)) {
    options.command = *help;
    return options;
  }
  if (call.has("version")) {
    options.output.json = call.has("json");
    options.command = VersionOptions{call.has("verbose")};
    return options;
  }
  if (call.command == nullptr) {
    if (!call.group.empty()) refuse(Errc::usage, call.group + " needs a command", "paytower " + call.group + " --help");
    refuse(Errc::usage, "no command was named", "paytower --help");
  }
  options.name = call.command->name;
  const RawCall flags_only = call;
  (void)value_of(add_settings(call, surroundings));
  const FlagReader in(call, surroundings.now);
  try {
    options.output = read_output(in, flags_only);
    if (call.command->name == "config") {
      options.command = ConfigOptions{value_of(settings_in_force(flags_only, surroundings))};
    } else {
      options.command = read_command(call, in, surroundings);
    }
    options.global = read_global(in, flags_only, options.command, surroundings);
  } catch (const RefusalError& refusal) {
    throw RefusalError(with_next_step(with_origin(refusal.error(), call), call.command->name));
  }
  return options;
}

}  // namespace

Result<Options> parse_options(std::span<const std::string> arguments, const Surroundings& surroundings) {
  auto call = split_call(arguments);
  if (!call) return call.error();
  try {
    return read_options(std::move(*call), surroundings);
  } catch (const RefusalError& refusal) {
    return refusal.error();
  }
}

OutputSetup output_for_unread(std::span<const std::string> arguments) {
  OutputSetup setup;
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "--json") setup.json = true;
  }
  return setup;
}

Surroundings real_surroundings() {
  Surroundings real;
  real.environment = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  real.config_file = [](const std::string& path) -> Result<std::optional<std::string>> {
    if (::access(path.c_str(), F_OK) != 0) return std::optional<std::string>();
    auto text = read_trusted(path, limits::max_input_file_bytes);
    if (!text) return text.error();
    return std::optional<std::string>(std::move(*text));
  };
  real.standard_input = [] { return read_input("-", limits::max_pasted_bytes); };
  real.now = SystemClock().wall();
  return real;
}

}  // namespace paytower::cli
