// The global flags, and the reading of a whole call: split, settings from outside, options of the command.
#include "cli/arguments/call.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/system/system.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

/// The values of the global flags, as they were given.
struct Values {
  std::optional<std::string> database, switch_address, certificate_file, macaroon_file;
  std::optional<std::uint32_t> node_user;
  std::optional<std::int64_t> lock_timeout_ns;
  bool json = false, quiet = false, no_input = false;
  unsigned verbosity = 0;
  ColorChoice color = ColorChoice::automatic;
};

void read_node_user(Values& values, const Value& value) {
  values.node_user = value_of(user_id(std::string(value.text)), value);
}

/// The bytes of a macaroon as text, hex or base64: everybody who can read the command line or the environment can spend
/// with it.
bool is_a_macaroon(std::string_view text) {
  constexpr std::size_t shortest = 64;
  if (text.size() < shortest) return false;
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos || text.substr(0, 3) == "AgE";
}

void read_macaroon_file(Values& values, const Value& value) {
  if (is_a_macaroon(value.text))
    refuse_value(value, "name the file; the macaroon itself is a secret that others can see here");
  values.macaroon_file = value.text;
}

void count_verbose(Values& values, const Value& /*value*/) { values.verbosity = std::min(values.verbosity + 1, 2U); }

constexpr std::array<std::string_view, 3> color_words{"auto", "always", "never"};

std::string lock_timeout_words() { return "0s for a payment, 30s for the database"; }

constexpr auto general_flags = std::to_array<Flag>({
    {"db", "PATH", "database file (default: $XDG_DATA_HOME/paytower/payments.db)", into::text<&Values::database>,
     is::configurable | is::in_environment},
    {"switch", "ADDR", "what forwards the payments: {kinds}", into::text<&Values::switch_address>,
     is::configurable | is::in_environment},
    {"node-user", "USER", "with cln: the node may run as this user (name or number), beside you and root",
     into::by<read_node_user>, is::configurable},
    {"tls-cert", "FILE", "with lnd: its certificate (default: that of its folder)",
     into::text<&Values::certificate_file>, is::configurable | is::in_environment},
    {"macaroon", "FILE",
     "with lnd: the macaroon to show it (default: paytower.macaroon of its folder, or admin.macaroon)",
     into::by<read_macaroon_file>, is::configurable | is::in_environment},
    {"config", "FILE|none", "config file (default: $XDG_CONFIG_HOME/paytower/config)", into::nothing,
     is::in_environment},
    {"json", "one JSON document on stdout, errors as JSON on stderr", into::on<&Values::json>, is::configurable},
    {"quiet,q", "no notes on stderr", into::on<&Values::quiet>, is::configurable},
    {"verbose,v", "a line on stderr for each change of state; -vv for each step", into::by<count_verbose>,
     is::configurable},
    {"color", "WHEN", "auto, always or never", into::choice<&Values::color, color_words>, "auto", is::configurable},
    {"no-input", "never ask: what would need an answer is exit 10", into::on<&Values::no_input>, is::configurable},
    {"lock-timeout", "DUR", "wait this long for another paytower (default: {})",
     into::duration<&Values::lock_timeout_ns>, lock_timeout_words, is::configurable},
    {"help,h", "show help", into::nothing},
    {"version,V", "show the version; with -v also commit, build and libraries", into::nothing},
});
static_assert(store_into<Values>(general_flags));

/// A flag of another kind of switch is refused in the call; in the environment or the config file it is ignored, since
/// those may serve several switches.
void refuse_flags_of_others(const SwitchKind& kind, const Given& given) {
  for (const SwitchKind& other : switch_kinds()) {
    for (const std::string_view flag : other.flags) {
      const bool ours = std::find(kind.flags.begin(), kind.flags.end(), flag) != kind.flags.end();
      if (given.said(flag) && !ours)
        refuse(Errc::usage, fmt::format("--{} goes only with --switch {}", flag, form_of(other)));
    }
  }
}

/// "paytower --db x --switch y": the flags of this call that a copied hint needs as well.
std::string hint_prefix(const Given& given) {
  std::vector<std::string_view> names{"db", "switch"};
  for (const SwitchKind& kind : switch_kinds()) names.insert(names.end(), kind.flags.begin(), kind.flags.end());
  names.emplace_back("config");
  std::string prefix = "paytower";
  for (const std::string_view name : names) {
    if (const std::string* value = given.said_value(name)) prefix += fmt::format(" --{} {}", name, shell_word(*value));
  }
  return prefix;
}

/// A bad value in the environment or the config file stops only the commands that use it; a flag is always read.
void read_places(GlobalOptions& global, Values values, const Given& given) {
  if (values.switch_address && (given.command->asks_switch || given.said("switch"))) {
    SwitchAddress address = value_of(read_switch_address(*values.switch_address), Value{"switch", {}});
    refuse_flags_of_others(*address.kind, given);
    address.node_user = values.node_user;
    address.certificate_file = std::move(values.certificate_file);
    address.macaroon_file = std::move(values.macaroon_file);
    global.switch_address = std::move(address);
  }
  if (!given.command->database && !given.said("db")) return;
  global.database_named = values.database.has_value();
  global.database = values.database ? *values.database : value_of(default_database(*given.outside));
  if (const auto home = objection_to_home(global.database)) refuse_value({"db", {}}, home->message);
  if (global.database_named && (global.database == ":memory:" || global.database.compare(0, 5, "file:") == 0)) {
    refuse_value({"db", {}},
                 fmt::format("{} is gone when the command ends: name a file on the disk", in_quotes(global.database)));
  }
}

void read_global(Call& call, const Given& given) {
  Values values;
  store_flags(&values, general_flags, given, given.outside->now);
  call.output = OutputSetup{values.json,  values.quiet,       values.verbosity,      values.no_input,
                            values.color, hint_prefix(given), !values.switch_address};
  call.global.lock_timeout_ns = values.lock_timeout_ns;
  read_places(call.global, std::move(values), given);
}

Call read(Given given, Commands commands, const Surroundings& surroundings) {
  Call call;
  call.command = given.command;
  call.group = given.group;
  if (given.has("help") || given.has("version")) {
    call.what = given.has("help") ? Call::What::help : Call::What::version;
    call.output.json = given.has("json");
    call.libraries = given.has("verbose");
    return call;
  }
  if (given.group) {
    refuse(Errc::usage, fmt::format("{} needs a command", group_name), fmt::format("paytower {} --help", group_name));
  }
  if (given.command == nullptr) refuse(Errc::usage, "no command was named", "paytower --help");
  given.outside = &surroundings;
  add_settings(given, surroundings, commands);
  const auto filled = result_of([&] {
    read_global(call, given);
    const std::shared_ptr<void> options = given.command->make();
    fill_options(options.get(), given);
    call.options = options;
  });
  if (!filled) refuse(with_next_step(with_origin(filled.error(), given), given.command->name));
  return call;
}

}  // namespace

std::span<const Flag> global_flags() { return general_flags; }

void store_flags(void* options, std::span<const Flag> table, const Given& given, UnixNs now) {
  for (const Flag& flag : table) {
    if (flag.into.store == nullptr) continue;
    const auto found = given.flags.find(flag.name);
    if (found != given.flags.end()) {
      for (const std::string& text : found->second) flag.into.store(options, Value{flag.name, text, now});
    } else if (!flag.standard.text.empty()) {
      flag.into.store(options, Value{flag.name, flag.standard.text, now});
    }
  }
}

void fill_options(void* options, const Given& given) {
  store_flags(options, given.command->flags, given, given.outside->now);
  for (const Flag& flag : given.command->flags) given.exclude(flag.name, flag.rival);
  given.command->take(options, given);
}

Result<Call> read_call(std::span<const std::string> arguments, Commands commands, const Surroundings& surroundings) {
  return result_of([&] { return read(split_call(arguments, commands), commands, surroundings); });
}

}  // namespace paytower::cli
