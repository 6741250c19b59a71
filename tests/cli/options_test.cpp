// Goal: a call means what it says or is refused; nothing is guessed, clamped or swallowed. Method: one case for each
// trap of the parser below, and for each rule of precedence.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/commands/request.h"
#include "core/invoice/bolt11/invoice.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

const std::string hash(64, 'a');

/// A command for the tests, whose parsed options can be inspected.
struct ProbeOptions {
  std::uint64_t rows = 0;
  std::optional<std::int64_t> wait_ns;
  bool dry_run = false;
  bool yes = false;
  HashArgument hash;
};

constexpr auto probe_flags = std::to_array<Flag>({
    {"rows", "N", "", into::whole<&ProbeOptions::rows, 0, 1'000>, "25"},
    {"wait", "DUR", "", into::wait<&ProbeOptions::wait_ns>, "60s", is::configurable},
    {"dry-run,n", "", into::on<&ProbeOptions::dry_run>},
    {"yes,y", "", into::on<&ProbeOptions::yes>},
});

void take_probe(ProbeOptions& probe, const Given& given) {
  if (!given.words.empty()) probe.hash = given.hash();
}

ExitCode run_probe(const ProbeOptions& /*probe*/, Session& /*session*/) { return ExitCode::ok; }

constexpr Command probe_command = command<ProbeOptions, take_probe, run_probe>(
    {.name = "probe", .words = "[HASH]", .summary = "", .about = "", .flags = probe_flags, .examples = ""});

struct World {
  std::map<std::string, std::string> environment{{"HOME", "/home/u"}};
  std::map<std::string, std::string> files{};
  std::optional<std::string> standard_input{};

  [[nodiscard]] Surroundings surroundings() const {
    Surroundings outside;
    outside.environment = [this](const char* name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      if (found == environment.end()) return std::nullopt;
      return found->second;
    };
    outside.config_file = [this](const std::string& path) -> Result<std::optional<std::string>> {
      const auto found = files.find(path);
      if (found == files.end()) return std::optional<std::string>();
      return std::optional<std::string>(found->second);
    };
    if (standard_input) outside.standard_input = [this]() -> Result<std::string> { return *standard_input; };
    outside.now = UnixNs{1'764'000'000 * ns_per_second};
    return outside;
  }

  [[nodiscard]] Result<Call> parse(const std::vector<std::string>& arguments) const {
    return read_call(arguments, commands(), surroundings());
  }
  /// The same for that command.
  [[nodiscard]] ProbeOptions probe(std::vector<std::string> arguments) const {
    static constexpr std::array<const Command*, 1> only{&probe_command};
    arguments.insert(arguments.begin(), "probe");
    const auto call = read_call(arguments, only, surroundings());
    REQUIRE(call);
    return *static_cast<const ProbeOptions*>(call->options.get());
  }

  /// The refusal's message; "" when the call is fine.
  [[nodiscard]] std::string refusal(const std::vector<std::string>& arguments) const {
    const auto options = parse(arguments);
    if (options) return "";
    CHECK(options.error().code == Errc::usage);
    return options.error().message;
  }

  [[nodiscard]] SendOptions send(const std::vector<std::string>& arguments) const {
    const auto call = parse(arguments);
    REQUIRE(call);
    REQUIRE(call->command == &send_command);
    return *static_cast<const SendOptions*>(call->options.get());
  }
  [[nodiscard]] std::string help(const std::vector<std::string>& arguments) const {
    const auto call = parse(arguments);
    REQUIRE(call);
    CHECK(call->what == Call::What::help);
    return help_text(*call, 80);
  }
};

const World plain;

}  // namespace

TEST_CASE("global flags stand before or after the command") {
  for (const auto& call : {std::vector<std::string>{"--db", "x.db", "--json", "list"},
                           {"list", "--db", "x.db", "--json"},
                           {"--json", "list", "--db=x.db"}}) {
    const auto options = plain.parse(call);
    REQUIRE(options);
    CHECK(options->global.database == "x.db");
    CHECK(options->global.database_named);
    CHECK(options->output.json);
  }
  const auto nested = plain.parse({"simulate", "--switch", "sim:n", "ledger", "--json"});
  REQUIRE(nested);
  CHECK(nested->global.switch_address->place == "n");
  CHECK(nested->output.json);
}

TEST_CASE("an empty value never swallows the next word") {
  CHECK(plain.refusal({"--db=", "list"}) == "--db has an empty value");
  CHECK(plain.refusal({"--db", "", "list"}) == "--db has an empty value");
  CHECK(plain.refusal({"list", "--label="}) == "--label has an empty value");
  CHECK(plain.refusal({"list", "--db"}) == "--db needs a value");
}

TEST_CASE("a flag without a value takes none") {
  CHECK(plain.refusal({"send", "lnbc1", "--yes=false"}) == "--yes takes no value");
  CHECK(plain.refusal({"send", "lnbc1", "--dry-run=0"}) == "--dry-run takes no value");
}

TEST_CASE("a flag that comes twice is refused unless it may") {
  CHECK(plain.refusal({"list", "--label", "a", "--label", "b"}) == "--label is given twice");
  CHECK(plain.refusal({"--db", "a", "list", "--db", "b"}) == "--db is given twice");
  const auto send = plain.send({"send", "--outgoing-chan-id", "1x1x1", "lnbc1", "--outgoing-chan-id", "2x2x2"});
  CHECK(send.outgoing_channels.size() == 2);
  CHECK(std::get<std::string>(send.payee) == "lnbc1");  // not swallowed by the flag before it
}

TEST_CASE("numbers are read strictly") {
  for (const char* bad :
       {"-5", "18446744073709551617", "100000000000000000000000", "010", "0x10", "1.0", "1e3", " 1", "ten", "+1"}) {
    CAPTURE(bad);
    CHECK(plain.refusal({"list", "--max-payments", bad}).find("--max-payments") == 0);
    CHECK(plain.refusal({"send", "lnbc1", "--cltv-limit", bad}).find("--cltv-limit") == 0);
  }
  CHECK(plain.parse({"list", "--max-payments", "0"}));
  CHECK(plain.probe({"--rows", "0"}).rows == 0);
  CHECK(plain.probe({}).rows == 25);
  CHECK(plain.refusal({"send", "lnbc1", "--max-attempts", "0"}).find("--max-attempts") == 0);
  CHECK(plain.refusal({"send", "lnbc1", "--max-attempts", "1001"}).find("--max-attempts") == 0);
  CHECK(plain.send({"send", "lnbc1", "--max-attempts", "1000"}).max_attempts == 1000);
  for (const char* bad : {"0", "101", "-1", "many"})
    CHECK(plain.refusal({"send", "lnbc1", "--max-parts", bad}).find("--max-parts") == 0);
  CHECK(plain.send({"send", "lnbc1", "--max-parts", "100"}).max_parts == 100);
  CHECK_FALSE(plain.send({"send", "lnbc1"}).max_parts);
  CHECK_FALSE(plain.send({"send", "lnbc1"}).max_attempts);
}

TEST_CASE("parts: a bound, by default 16 where the payee takes them, and attempts by it") {
  const auto invoice = [](Bytes features) {
    Invoice fields;
    fields.network = "regtest";
    fields.amount = Msat::of(1'000);
    fields.timestamp = 1'738'000'000;
    fields.description = "tea";
    fields.features = std::move(features);
    std::array<std::uint8_t, 32> key{};
    key[31] = 1;
    return *encode_invoice(fields, key);
  };
  const std::string takes_them = invoice({2, 0x41, 0});
  const std::string takes_none = invoice({0x41, 0});
  using Limits = std::pair<std::uint32_t, std::uint32_t>;  // parts, attempts
  const auto limits = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "send");
    const auto wanted = read_wanted(plain.send(arguments), UnixNs{1'738'000'001 * ns_per_second});
    REQUIRE(wanted);
    return Limits{wanted->request.max_parts, wanted->request.max_attempts};
  };
  CHECK(limits({takes_them}) == Limits{16, 84});
  CHECK(limits({takes_none}) == Limits{1, 20});
  CHECK(limits({takes_them, "--max-parts", "1"}) == Limits{1, 20});
  CHECK(limits({takes_them, "--max-parts", "3"}) == Limits{3, 84});
  CHECK(limits({takes_none, "--max-parts", "3"}) == Limits{1, 20});
  CHECK(limits({takes_them, "--max-attempts", "5"}) == Limits{16, 5});
  CHECK(limits({takes_them, "--max-parts", "3", "--routes", "file"}) == Limits{1, 20});
  const std::string payee = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
  std::vector<std::string> direct{"--dest", payee, "--payment-hash", hash, "--amt", "1sat", "--payment-secret", hash};
  CHECK(limits(direct) == Limits{1, 20});
  direct.insert(direct.end(), {"--max-parts", "2"});
  CHECK(limits(direct) == Limits{2, 84});
}

TEST_CASE("amounts and durations need a unit") {
  CHECK(plain.refusal({"send", "lnbc1", "--amt", "1000"}).find("--amt: amount \"1000\": a bare number") == 0);
  CHECK(plain.refusal({"send", "lnbc1", "--amt", "-5sat"}).find("--amt: amount \"-5sat\"") == 0);
  CHECK(plain.refusal({"send", "lnbc1", "--amt", "0sat"}) == "--amt: nothing is paid with an amount of 0");
  CHECK(plain.refusal({"send", "lnbc1", "--timeout", "60"}) ==
        "--timeout: duration \"60\": a bare number has no unit; write 60s for seconds");
  CHECK(plain.refusal({"send", "lnbc1", "--wait", "60"}).find("--wait") == 0);
  CHECK_FALSE(plain.send({"send", "lnbc1", "--wait", "forever"}).wait_ns);
  CHECK(plain.send({"send", "lnbc1", "--wait", "0"}).wait_ns == 0);
}

TEST_CASE("the fee limit is said once") {
  CHECK(std::holds_alternative<std::monostate>(plain.send({"send", "lnbc1"}).fee_limit));
  CHECK(std::get<Msat>(plain.send({"send", "lnbc1", "--fee-limit", "0sat"}).fee_limit) == Msat{});
  CHECK(std::get<Percent>(plain.send({"send", "lnbc1", "--fee-limit-percent", "0.5"}).fee_limit).units == 5'000);
  CHECK(plain.refusal({"send", "lnbc1", "--fee-limit", "1sat", "--fee-limit-percent", "1"}) ==
        "--fee-limit and --fee-limit-percent exclude each other");
}

TEST_CASE("unknown words get a suggestion") {
  CHECK(plain.refusal({"lsit"}) == "unknown command \"lsit\"; did you mean list?");
  CHECK(plain.refusal({"simulate", "invioce"}) ==
        "unknown command \"simulate invioce\"; did you mean simulate invoice?");
  CHECK(plain.refusal({"list", "--jsn"}) == "list: unknown option \"--jsn\"; did you mean --json?");
  CHECK(plain.refusal({"send", "lnbc1", "--fee-limt", "1sat"}) ==
        "send: unknown option \"--fee-limt\"; did you mean --fee-limit?");
  CHECK(plain.refusal({"--bd", "x", "list"}).find("unknown option \"--bd\"; did you mean --db?") != std::string::npos);
  CHECK(plain.refusal({"zzzzzz"}) == "unknown command \"zzzzzz\"");
  CHECK(plain.refusal({"list", "-z"}) == "list: unknown option \"-z\"");
  CHECK(plain.refusal({"list", "--status", "opne"}).find("did you mean open?") != std::string::npos);
}

TEST_CASE("one word too many, or too few") {
  CHECK(plain.refusal({"show", hash, hash}).find("show takes a payment hash or an invoice, not 2 words") == 0);
  CHECK(plain.refusal({"show"}) == "show needs a payment hash or an invoice");
  CHECK(plain.refusal({"stats", "show"}) == "unexpected word \"show\"");
  CHECK(plain.refusal({"send"}) == "send needs an invoice");
  CHECK(plain.refusal({"send", ""}).find("send needs an invoice") == 0);
  CHECK(plain.refusal({}) == "no command was named");
  CHECK(plain.refusal({"simulate"}) == "simulate needs a command");
}

TEST_CASE("help and version are no refusals, wherever they stand") {
  CHECK(plain.help({"--help"}).find("Commands:") != std::string::npos);
  CHECK(plain.help({"send", "--help"}).find("--fee-limit-percent") != std::string::npos);
  CHECK(plain.help({"-h", "send"}) == plain.help({"help", "send"}));
  CHECK(plain.help({"help", "simulate", "invoice"}) == plain.help({"simulate", "invoice", "-h"}));
  CHECK(plain.help({"simulate", "--help"}).find("simulate ledger") != std::string::npos);
  CHECK(plain.refusal({"help", "sned"}) == "unknown command \"sned\"; did you mean send?");
  const auto libraries = [](const std::vector<std::string>& arguments) {
    const auto call = plain.parse(arguments);
    REQUIRE(call);
    CHECK(call->what == Call::What::version);
    return call->libraries;
  };
  CHECK_FALSE(libraries({"--version"}));
  CHECK(libraries({"--version", "-v"}));
  CHECK_FALSE(libraries({"list", "-V"}));
}

TEST_CASE("every flag of the table stands in its help") {
  for (const auto* name : {"send", "resume", "list", "show", "label", "cancel", "resolve", "delete"}) {
    CHECK(plain.help({name, "--help"}).find("Usage: paytower [GLOBAL OPTIONS] " + std::string(name)) !=
          std::string::npos);
  }
}

TEST_CASE("precedence: flag, environment, config file, default") {
  World world;
  CHECK(world.parse({"list"})->global.database == "/home/u/.local/share/paytower/payments.db");
  CHECK_FALSE(world.parse({"list"})->global.database_named);
  world.environment["XDG_DATA_HOME"] = "/data";
  CHECK(world.parse({"list"})->global.database == "/data/paytower/payments.db");
  world.files["/home/u/.config/paytower/config"] =
      "# mine\n\n db = conf.db \nswitch=sim:conf.net\nquiet\nverbose = false\n";
  CHECK(world.parse({"list"})->global.database == "conf.db");
  CHECK(world.parse({"resume"})->global.switch_address->place == "conf.net");
  CHECK(world.parse({"list"})->output.quiet);
  CHECK(world.parse({"list"})->output.verbosity == 0);
  world.environment["PAYTOWER_DB"] = "env.db";
  CHECK(world.parse({"list"})->global.database == "env.db");
  CHECK(world.parse({"--db", "flag.db", "list"})->global.database == "flag.db");
  CHECK(world.parse({"--config", "none", "list"})->output.quiet == false);
  world.environment["PAYTOWER_CONFIG"] = "none";
  CHECK(world.parse({"list"})->output.quiet == false);
  world.environment["PAYTOWER_DB"] = "";
  CHECK(world.refusal({"list"}).find("PAYTOWER_DB is set and empty") == 0);
}

TEST_CASE("the config file is read as strictly as flags are") {
  World world;
  std::string& file = world.files["/home/u/.config/paytower/config"];
  file = "fee-limit = 2sat\nwait = 1h\n";
  CHECK(std::get<Msat>(world.send({"send", "lnbc1"}).fee_limit).value() == 2'000);
  CHECK(std::holds_alternative<Percent>(world.send({"send", "lnbc1", "--fee-limit-percent", "1"}).fee_limit));
  CHECK(world.send({"send", "lnbc1"}).wait_ns == 3600 * ns_per_second);
  CHECK(world.send({"send", "lnbc1", "--wait", "1s"}).wait_ns == ns_per_second);
  for (const auto& [text, message] : std::map<std::string, std::string>{
           {"swich = x",
            "config file /home/u/.config/paytower/config, line 1: \"swich\" cannot be set here; did you mean switch?"},
           {"\nyes", "config file /home/u/.config/paytower/config, line 2: \"yes\" cannot be set here"},
           {"db", "config file /home/u/.config/paytower/config, line 1: db needs a value: db = PATH"},
           {"db =", "config file /home/u/.config/paytower/config, line 1: db needs a value: db = PATH"},
           {"json = 1", "config file /home/u/.config/paytower/config, line 1: json is true or false"},
           {"db = a\ndb = b", "config file /home/u/.config/paytower/config, line 2: db stands here twice"},
           {"fee-limit = 5sat\nquiet\nfee-limit-percent = 1",
            "config file /home/u/.config/paytower/config, line 3: fee-limit and fee-limit-percent exclude each other"},
           {"max-attempts = many",
            "config file /home/u/.config/paytower/config, line 1: max-attempts: \"many\" is not a whole number from 1 "
            "to "
            "1000"}}) {
    file = text;
    CHECK(world.refusal({"send", "lnbc1"}).find(message) == 0);
  }
  CHECK(world.refusal({"--config", "gone", "list"}) == "there is no config file gone");
}

TEST_CASE("config shows each setting with its value and its source") {
  World world;
  world.files["/home/u/.config/paytower/config"] = "\nfee-limit = 2sat\ndb = file.db\nquiet\nwait = 1h\n";
  world.environment["PAYTOWER_DB"] = "env.db";
  const std::vector<std::string> arguments{"config", "--switch", "sim:x", "--json"};
  const auto shown = settings_in_force(split_call(arguments, commands()), world.surroundings());
  const auto of = [&shown](const std::string& name) {
    const auto found =
        std::find_if(shown.begin(), shown.end(), [&name](const Setting& setting) { return setting.name == name; });
    REQUIRE(found != shown.end());
    return *found;
  };
  CHECK(of("db").value == "env.db");
  CHECK(of("db").source == Setting::Source::environment);
  CHECK(of("db").where == "PAYTOWER_DB");
  CHECK(of("switch").value == "sim:x");
  CHECK(of("switch").source == Setting::Source::flag);
  CHECK(of("fee-limit").value == "2sat");
  CHECK(of("fee-limit").where == "config file /home/u/.config/paytower/config, line 2");
  CHECK(of("quiet").value == "true");
  CHECK(of("max-attempts").value == "20; in parts 84");
  CHECK(of("max-parts").value == "16 where the payee takes parts, else 1");
  CHECK(of("max-attempts").source == Setting::Source::standard);
  CHECK(of("config").value == "/home/u/.config/paytower/config");
  CHECK(of("timeout").value == "60s");
  CHECK(of("fee-limit-percent").source == Setting::Source::standard);
  CHECK_FALSE(of("node-user").value);
  CHECK(std::count_if(shown.begin(), shown.end(), [](const Setting& setting) { return setting.name == "wait"; }) == 1);
}

TEST_CASE("-v counts") {
  CHECK(plain.parse({"list"})->output.verbosity == 0);
  CHECK(plain.parse({"-v", "list"})->output.verbosity == 1);
  CHECK(plain.parse({"list", "-vv"})->output.verbosity == 2);
  CHECK(plain.parse({"-v", "list", "-v", "--verbose"})->output.verbosity == 2);
}

TEST_CASE("databases that would not last are refused") {
  CHECK(plain.refusal({"--db", ":memory:", "list"}).find("is gone when the command ends") != std::string::npos);
  CHECK(plain.refusal({"--db", "file:x?mode=memory", "list"}).find("is gone when the command ends") !=
        std::string::npos);
}

TEST_CASE("switch addresses") {
  CHECK(plain.parse({"--switch", "sim:a b", "resume"})->global.switch_address->place == "a b");
  CHECK(plain.parse({"--switch", "cln:/run/rpc", "resume"})->global.switch_address->kind->name == "cln");
  for (const char* bad : {"net.db", "sim:", "eclair:x", "lnd:", "SIM:x", ":x"})
    CHECK(plain.refusal({"--switch", bad, "resume"}).find("names no switch") != std::string::npos);
}

TEST_CASE("what is said beside an address is about its kind") {
  const auto node = plain.parse({"--switch", "cln:rpc", "--node-user", "0", "resume"});
  REQUIRE(node);
  CHECK(node->global.switch_address->node_user == 0U);
  CHECK(plain.refusal({"--switch", "sim:n", "--node-user", "0", "resume"}) ==
        "--node-user goes only with --switch cln:PATH");
  World world;
  world.files["/home/u/.config/paytower/config"] = "switch = cln:rpc\nnode-user = 0\n";
  CHECK(world.parse({"resume"})->global.switch_address->node_user == 0U);
  CHECK(world.parse({"--switch", "sim:n", "resume"}));
  const auto unknown = plain.parse({"--node-user", "nobody of this name", "list"});
  CHECK(unknown.error().message.find("there is no user") != std::string::npos);
  CHECK(unknown.error().hint == "ps -o user:32= -C lightningd");
}

TEST_CASE("an lnd's files are named by flag, environment and config file") {
  World world;
  world.files["/home/u/.config/paytower/config"] = "switch = lnd:h:1\ntls-cert = conf.cert\nmacaroon = conf.macaroon\n";
  const auto files = [&world](const std::vector<std::string>& call) {
    const auto options = world.parse(call);
    if (!options) return options.error().message;
    const SwitchAddress& address = *options->global.switch_address;
    return address.certificate_file.value_or("none") + " " + address.macaroon_file.value_or("none");
  };
  CHECK(files({"resume"}) == "conf.cert conf.macaroon");
  world.environment["PAYTOWER_MACAROON"] = "env.macaroon";
  CHECK(files({"resume"}) == "conf.cert env.macaroon");
  world.environment["PAYTOWER_TLS_CERT"] = "env.cert";
  CHECK(files({"resume", "--macaroon", "flag.macaroon"}) == "env.cert flag.macaroon");
  CHECK(world.parse({"--switch", "sim:n", "resume"}));
  CHECK(plain.refusal({"--switch", "sim:n", "--tls-cert", "x", "resume"}) ==
        "--tls-cert goes only with --switch lnd:HOST:PORT|DIR");
  CHECK(plain.parse({"--switch", "lnd:d", "--macaroon", "m", "--config", "none", "resume"})->output.command_prefix ==
        "paytower --switch lnd:d --macaroon m --config none");
}

TEST_CASE("a macaroon itself is refused where its file is named, and never shown") {
  const std::string hex = "0201036c6e64" + std::string(80, '7');
  const std::string base64 = "AgEDbG5k" + std::string(80, '/');
  for (const std::string& secret : {hex, base64}) {
    World world;
    world.environment["PAYTOWER_MACAROON"] = secret;
    for (const char* command : {"resume", "list", "config"}) {
      const std::string said = world.refusal({command, "--switch", "lnd:h:1"});
      CHECK(said ==
            "PAYTOWER_MACAROON: macaroon: name the file; the macaroon itself is a secret that others can see here");
    }
    CHECK(plain.refusal({"--macaroon", secret, "list"}).find("--macaroon: name the file") == 0);
  }
  CHECK(plain.parse({"--macaroon", std::string(63, 'a'), "list"}));
  CHECK(plain.parse({"--macaroon", "/" + hex, "list"}));
}

TEST_CASE("a socket's path that no address has room for") {
  const std::string fits(107, 's');
  CHECK(plain.refusal({"--switch", "cln:" + fits, "resume"}).empty());
  CHECK(plain.refusal({"--switch", "sim:" + fits + "s", "resume"}).empty());
  CHECK(plain.refusal({"--switch", "cln:" + fits + "s", "resume"}).find("at most 107 bytes") != std::string::npos);
  CHECK(plain.refusal({"--switch", "sim:n", "simulate", "serve", "--socket", fits}).empty());
  CHECK(plain.refusal({"--switch", "sim:n", "simulate", "serve", "--socket", fits + "s"}).find("at most 107 bytes") !=
        std::string::npos);
}

TEST_CASE("a switch in the environment cannot spoil a command that uses none") {
  World world;
  world.environment["PAYTOWER_SWITCH"] = "nonsense";
  CHECK(world.parse({"list"}));
  CHECK_FALSE(world.parse({"resume"}));
  CHECK_FALSE(world.parse({"--switch", "nonsense", "list"}));
}

TEST_CASE("hints carry the flags of the call") {
  CHECK(plain.parse({"--db", "my db", "--switch", "sim:n", "list"})->output.command_prefix ==
        "paytower --db 'my db' --switch sim:n");
  CHECK(plain.parse({"--switch", "cln:rpc", "--node-user", "0", "resume"})->output.command_prefix ==
        "paytower --switch cln:rpc --node-user 0");
  World world;
  world.environment["PAYTOWER_DB"] = "env.db";
  CHECK(world.parse({"list"})->output.command_prefix == "paytower");
}

TEST_CASE("a hint that repeats the call has all of its flags, for a shell") {
  CHECK(plain
            .send({"send", "lnbc1", "--amt", "5sat", "--label", "rent, May", "--outgoing-chan-id", "1x2x3",
                   "--outgoing-chan-id", "4x5x6"})
            .rehearsal ==
        "paytower send INVOICE --amt 5sat --outgoing-chan-id 1x2x3 --outgoing-chan-id 4x5x6 --label 'rent, May' "
        "--dry-run");
  const auto batch = plain.send({"send", "--batch", "my file", "--idempotent", "-y", "--max-total", "9sat"}).batch;
  CHECK(batch->rehearsal == "paytower send --idempotent --batch 'my file' --dry-run");
  CHECK(batch->again == "paytower send --batch 'my file' --max-total 9sat --yes --idempotent");
  World world;
  world.environment["PAYTOWER_FEE_LIMIT"] = "7sat";  // stands there for the hint too
  CHECK(world.send({"send", "lnbc1"}).rehearsal == "paytower send INVOICE --dry-run");
  const std::string key = "02" + std::string(64, '1');
  CHECK(plain.send({"send", "--dest", key, "--payment-hash", hash, "--payment-secret", hash, "--amt", "1sat"})
            .rehearsal.empty());
}

TEST_CASE("send --dest needs all of it, and no invoice") {
  const std::string key = "02" + std::string(64, '1');
  CHECK(plain.refusal({"send", "--dest", key}).find("--dest needs") == 0);
  CHECK(plain.refusal({"send", "lnbc1", "--dest", key}).find("name an invoice or --dest") == 0);
  CHECK(plain.refusal({"send", "lnbc1", "--payment-hash", hash}) == "--payment-hash goes only with --dest");
  CHECK(plain
            .refusal({"send", "--dest", "04" + std::string(64, '1'), "--payment-hash", hash, "--payment-secret", hash,
                      "--amt", "1sat"})
            .find("02 or 03") != std::string::npos);
  const auto send =
      plain.send({"send", "--dest", key, "--payment-hash", hash, "--payment-secret", hash, "--amt", "1sat"});
  CHECK(std::get<DirectPayee>(send.payee).final_cltv_delta == 18);
}

TEST_CASE("payment hashes") {
  CHECK(plain.probe({"ABCDEF"}).hash.digits == "abcdef");
  CHECK_FALSE(plain.probe({"abcdef"}).hash.whole);
  CHECK(plain.probe({hash}).hash.whole);
  for (const std::string& bad : {std::string("abcde"), std::string("abcdeg"), hash + "a", std::string("0xabcdef")})
    CHECK(plain.refusal({"show", bad}).find("payment hash") == 0);
}

TEST_CASE("delete wants exactly one selection") {
  CHECK(plain.refusal({"delete"}) == "delete needs payment hashes or --all");
  CHECK(plain.refusal({"delete", "--all", hash}) == "name payments or --all, not both");
  CHECK(plain.refusal({"delete", hash, "--older-than", "1d"}) == "--older-than goes only with --all");
  CHECK(plain.parse({"delete", "-yn", hash}));
  CHECK(plain.probe({"-yn", hash}).dry_run);
  CHECK(plain.probe({"-yn", hash}).yes);
  CHECK_FALSE(plain.probe({"-y", hash}).dry_run);
}

TEST_CASE("resolve wants exactly one word") {
  CHECK(plain.refusal({"resolve", hash}).find("resolve needs exactly one of") == 0);
  CHECK(plain.refusal({"resolve", hash, "--write-off", "--assume-failed"}).find("resolve needs exactly one of") == 0);
  CHECK(plain.refusal({"resolve", hash, "--restored"}).find("takes no payment hash") != std::string::npos);
  CHECK(plain.parse({"resolve", "--restored"}));
}

TEST_CASE("behind -- nothing is a flag") {
  CHECK(std::get<std::string>(plain.send({"send", "--yes", "--", "--json"}).payee) == "--json");
}

TEST_CASE("an invoice that is given as - is read from stdin, where nothing else can be asked or read then") {
  World typed;
  typed.standard_input = "\n lightning:LNBC1ABC\r\n";
  CHECK(typed.parse({"decode", "-"}));
  CHECK(std::get<std::string>(typed.send({"send", "-", "--yes"}).payee) == "LNBC1ABC");
  CHECK(std::get<std::string>(typed.send({"send", "-", "-n"}).payee) == "LNBC1ABC");
  CHECK(typed.refusal({"send", "-", "--yes", "--routes", "-"}).find("cannot both be read from stdin") !=
        std::string::npos);
  const auto unasked = typed.parse({"send", "-"});
  REQUIRE_FALSE(unasked);
  CHECK(unasked.error().code == Errc::not_confirmed);
  typed.standard_input = "user@example.com";
  CHECK(typed.refusal({"decode", "-"}).find("Lightning address") != std::string::npos);
  const auto batch = typed.send({"send", "--batch", "x", "--yes"}).batch;
  REQUIRE(batch);
  const auto line = batch->read_line(R"({"invoice":"-"})");
  REQUIRE_FALSE(line);
  CHECK(line.error().message.find("stands in the line") != std::string::npos);
  CHECK(std::get<std::string>(batch->read_line(R"({"invoice":" bitcoin:?LIGHTNING=lnbc1abc\r\n"})")->payee) ==
        "lnbc1abc");
}

TEST_CASE("the defaults of the table are what a call without flags gets") {
  const SendOptions send = plain.send({"send", "lnbc1"});
  CHECK(send.cltv_limit == 2016);
  CHECK(send.timeout_ns == 60 * ns_per_second);
  CHECK(send.wait_ns == 300 * ns_per_second);
  CHECK(standard_send().cltv_limit == 2016);
  CHECK(plain.probe({}).wait_ns == 60 * ns_per_second);
  for (const Command* one : commands()) {
    for (const Flag& flag : one->flags) {
      CAPTURE(flag.name);
      const std::string standard = flag.standard.shown();
      CHECK((standard.empty() || help_of(flag).find(standard) != std::string::npos));
      CHECK(help_of(flag).find('{') == std::string::npos);
    }
  }
}

TEST_CASE("a line of a batch has the flags of the call as defaults, and its own") {
  const auto batch = plain.send({"send", "--batch", "x", "--yes", "--cltv-limit", "100", "--parallel", "7"}).batch;
  REQUIRE(batch);
  CHECK(batch->path == "x");
  CHECK(batch->parallel == 7);
  CHECK(batch->wait_ns == 300 * ns_per_second);
  const auto line = batch->read_line(R"({"invoice":"lnbc1","max_attempts":3,"outgoing_chan_id":["1x1x1","2x2x2"]})");
  REQUIRE(line);
  CHECK(line->cltv_limit == 100);
  CHECK(line->max_attempts == 3U);
  CHECK(line->outgoing_channels.size() == 2);
  CHECK(line->timeout_ns == 60 * ns_per_second);
  CHECK(batch->read_line(R"({"invoice":"lnbc1","cltv_limit":50})")->cltv_limit == 50);
  for (const char* key : {"wait", "yes", "batch", "parallel", "no_memory", "dry_run", "inflight_updates", "on_end",
                          "max_total", "max_fee_total", "max_amount", "max_day", "max_fee_ppm"})
    CHECK_FALSE(batch->read_line(std::string(R"({"invoice":"lnbc1",")") + key + R"(":true})"));
  for (const char* flag : {"--amt", "--dest", "--routes", "--label", "--payment-hash"}) {
    CHECK(plain.refusal({"send", "--batch", "x", "--yes", flag, flag == std::string("--amt") ? "1sat" : "y"})
              .find(flag) != std::string::npos);
  }
}
