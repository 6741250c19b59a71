#include "cli/arguments/settings.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "cli/output/suggest.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Every flag that may stand in the file; the same name means the same in all commands that have it.
const FlagSpec* configurable_flag(std::string_view name) {
  const auto find = [name](std::span<const FlagSpec> specs) -> const FlagSpec* {
    const auto wanted = [name](const FlagSpec& spec) { return spec.configurable && spec.name == name; };
    const auto found = std::find_if(specs.begin(), specs.end(), wanted);
    return found == specs.end() ? nullptr : &*found;
  };
  if (const FlagSpec* flag = find(global_flags())) return flag;
  for (const CommandSpec& command : commands()) {
    if (const FlagSpec* flag = find(command.flags)) return flag;
  }
  return nullptr;
}

std::string nearest_configurable(std::string_view name) {
  std::vector<std::string> known;
  const auto add = [&known](std::span<const FlagSpec> specs) {
    for (const FlagSpec& spec : specs) {
      if (spec.configurable) known.emplace_back(spec.name);
    }
  };
  add(global_flags());
  for (const CommandSpec& command : commands()) add(command.flags);
  return nearest(name, known);
}

std::string line_name(const std::string& path, std::size_t line) {
  return "config file " + path + ", line " + std::to_string(line);
}

Error refuse(const std::string& path, std::size_t line, const std::string& why) {
  return Error{Errc::usage, line_name(path, line) + ": " + why, "paytower --config none --help"};
}

/// The value that a line gives to its flag; "" switches a flag without value on, nothing leaves it off.
Result<std::optional<std::string>> line_value(const FlagSpec& flag, const std::optional<std::string_view>& value,
                                              const std::string& path, std::size_t line) {
  const std::string name(flag.name);
  if (!flag.value.empty()) {
    if (!value || value->empty())
      return refuse(path, line, name + " needs a value: " + name + " = " + std::string(flag.value));
    return std::optional<std::string>(*value);
  }
  if (!value || *value == "true") return std::optional<std::string>("");
  if (*value == "false") return std::optional<std::string>();
  return refuse(path, line, name + " is true or false");
}

/// $name, or nothing. A variable that is set and empty is mostly a script's mistake, so it is refused and not skipped.
Result<std::optional<std::string>> variable(const Surroundings& surroundings, const char* name, const char* flag) {
  auto value = surroundings.environment(name);
  if (value && value->empty()) {
    return Error{Errc::usage, std::string(name) + " is set and empty; unset it, or give it the value of " + flag};
  }
  return value;
}

/// An XDG folder: the variable when it holds an absolute path, else the given place below the home folder.
Result<std::string> xdg_folder(const Surroundings& surroundings, const char* variable_name,
                               const std::string& below_home) {
  const auto named = surroundings.environment(variable_name);
  if (named && !named->empty() && named->front() == '/') return *named;
  const auto home = surroundings.environment("HOME");
  if (!home || home->empty()) return Error{Errc::usage, "HOME is not set, so there is no default place for files"};
  return *home + "/" + below_home;
}

/// A variable that stands for a flag.
struct Variable {
  const char* name;
  const char* flag;
};
constexpr std::array<Variable, 4> variables{{{"PAYTOWER_DB", "--db"},
                                             {"PAYTOWER_SWITCH", "--switch"},
                                             {"PAYTOWER_TLS_CERT", "--tls-cert"},
                                             {"PAYTOWER_MACAROON", "--macaroon"}}};

/// Which config file the call reads. No value: there is none to read, or no home to look for one in.
Result<Setting> config_setting(const RawCall& call, const Surroundings& surroundings) {
  if (const std::string* flag = call.value("config"))
    return Setting{"config", *flag, Setting::Source::flag, "--config"};
  const auto named = variable(surroundings, "PAYTOWER_CONFIG", "--config");
  if (!named) return named.error();
  if (*named) return Setting{"config", **named, Setting::Source::environment, "PAYTOWER_CONFIG"};
  const auto folder = xdg_folder(surroundings, "XDG_CONFIG_HOME", ".config");
  if (!folder) return Setting{"config", std::nullopt};
  return Setting{"config", *folder + "/paytower/config"};
}

Result<Config> read_config(const Setting& file, const Surroundings& surroundings) {
  if (!file.value || file.value == "none") return Config{};
  const auto text = surroundings.config_file(*file.value);
  if (!text) return text.error();
  if (*text) return parse_config(**text, *file.value);
  if (file.source == Setting::Source::standard) return Config{};
  return Error{Errc::usage, "there is no config file " + *file.value, "paytower --config none --help"};
}

/// What stands for a flag that nobody set, in words where it depends on the command.
std::string_view standard_value(std::string_view name) {
  struct Standard {
    std::string_view name;
    std::string_view value;
  };
  static constexpr std::array<Standard, 8> standards{{{"color", "auto"},
                                                      {"lock-timeout", "0s for a payment, 30s for the database"},
                                                      {"fee-limit", "the larger of 5sat and 1 % of the amount"},
                                                      {"cltv-limit", "2016"},
                                                      {"max-attempts", "20, in parts 84"},
                                                      {"max-parts", "16 where the payee takes parts, else 1"},
                                                      {"timeout", "60s"},
                                                      {"wait", "5m for send, 60s for resume"}}};
  for (const Standard& standard : standards) {
    if (standard.name == name) return standard.value;
  }
  return {};
}

bool command_has(const RawCall& call, std::string_view name) {
  const auto in = [name](std::span<const FlagSpec> specs) {
    return std::any_of(specs.begin(), specs.end(), [name](const FlagSpec& spec) { return spec.name == name; });
  };
  return in(global_flags()) || (call.command != nullptr && in(call.command->flags));
}

/// The two ways to say the fee limit exclude each other, so a flag of either silences both lines of the file.
bool silenced(const RawCall& call, std::string_view name) {
  const bool fee = name == "fee-limit" || name == "fee-limit-percent";
  return fee && (call.has("fee-limit") || call.has("fee-limit-percent"));
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& path) {
  Config config;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string name(trimmed(line.substr(0, equals)));
    const FlagSpec* flag = configurable_flag(name);
    if (flag == nullptr) {
      const std::string near = nearest_configurable(name);
      const std::string suggestion = near.empty() ? "" : "; did you mean " + near + "?";
      return refuse(path, number, in_quotes(name) + " cannot be set here" + suggestion);
    }
    std::optional<std::string_view> given;
    if (equals != std::string_view::npos) given = trimmed(line.substr(equals + 1));
    auto value = line_value(*flag, given, path, number);
    if (!value) return value.error();
    if (config.find(name) != config.end()) return refuse(path, number, name + " stands here twice");
    if (*value) config[name] = ConfigLine{**value, number};
  }
  const auto amount = config.find("fee-limit");
  const auto percent = config.find("fee-limit-percent");
  if (amount != config.end() && percent != config.end()) {
    return refuse(path, std::max(amount->second.line, percent->second.line),
                  "fee-limit and fee-limit-percent exclude each other");
  }
  return config;
}

Result<std::monostate> add_settings(RawCall& call, const Surroundings& surroundings) {
  const auto file = config_setting(call, surroundings);
  if (!file) return file.error();
  const auto config = read_config(*file, surroundings);
  if (!config) return config.error();
  const auto set = [](RawCall& in, const std::string& name, const std::string& value, Setting::Source source,
                      const std::string& where) {
    in.flags[name] = {value};
    in.settings[name] = Setting{name, value, source, where};
  };
  for (const auto& entry : variables) {
    const char* key = entry.flag + 2;
    if (call.has(key)) continue;
    const auto value = variable(surroundings, entry.name, entry.flag);
    if (!value) return value.error();
    if (*value) set(call, key, **value, Setting::Source::environment, entry.name);
  }
  RawCall merged = call;
  for (const auto& [name, line] : *config) {
    const bool wanted = command_has(call, name) && !call.has(name) && !silenced(call, name);
    if (wanted) set(merged, name, line.value, Setting::Source::file, line_name(*file->value, line.line));
  }
  call = std::move(merged);
  return std::monostate{};
}

Result<std::vector<Setting>> settings_in_force(const RawCall& call, const Surroundings& surroundings) {
  const auto file = config_setting(call, surroundings);
  if (!file) return file.error();
  const auto config = read_config(*file, surroundings);
  if (!config) return config.error();
  std::vector<Setting> settings;
  std::optional<Error> wrong;
  const auto add = [&](const FlagSpec& flag) {
    const std::string name(flag.name);
    const auto known = [&name](const Setting& setting) { return setting.name == name; };
    if (name == "config") settings.push_back(*file);
    if (!flag.configurable || std::any_of(settings.begin(), settings.end(), known)) return;
    const auto shown = [&flag](const std::string& value) { return flag.value.empty() ? std::string("true") : value; };
    if (const std::string* value = call.value(name))
      return settings.push_back({name, shown(*value), Setting::Source::flag, "--" + name});
    for (const Variable& entry : variables) {
      if (name != entry.flag + 2) continue;
      const auto value = variable(surroundings, entry.name, entry.flag);
      if (!value) wrong = value.error();
      if (value && *value) return settings.push_back({name, **value, Setting::Source::environment, entry.name});
    }
    const auto line = config->find(name);
    if (line != config->end()) {
      return settings.push_back(
          {name, shown(line->second.value), Setting::Source::file, line_name(*file->value, line->second.line)});
    }
    Setting standard{name, std::nullopt};
    if (const auto value = standard_value(name); !value.empty()) standard.value = value;
    if (flag.value.empty()) standard.value = "false";
    if (name == "db") {
      if (const auto path = default_database(surroundings)) standard.value = *path;
    }
    settings.push_back(std::move(standard));
  };
  for (const FlagSpec& flag : global_flags()) add(flag);
  for (const CommandSpec& command : commands()) {
    for (const FlagSpec& flag : command.flags) add(flag);
  }
  if (wrong) return *wrong;
  return settings;
}

Error with_origin(Error error, const RawCall& call) {
  for (const auto& [name, setting] : call.settings) {
    const std::string flag = "--" + name;
    const bool about = error.message.compare(0, flag.size(), flag) == 0 &&
                       error.message.find_first_of(": ", flag.size()) == flag.size();
    if (about) return Error{error.code, setting.where + ": " + error.message.substr(2), "paytower config"};
  }
  return error;
}

Result<std::string> default_database(const Surroundings& surroundings) {
  const auto folder = xdg_folder(surroundings, "XDG_DATA_HOME", ".local/share");
  if (!folder) return Error{Errc::usage, folder.error().message, "paytower --db payments.db --help"};
  return *folder + "/paytower/payments.db";
}

}  // namespace paytower::cli
