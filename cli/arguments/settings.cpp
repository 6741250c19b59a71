// Settings from outside the call: the environment and the config file, read as strictly as flags.
#include "cli/arguments/call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "cli/output/suggest.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string no_such_line(const std::string& name, std::span<const Flag* const> flags) {
  std::vector<std::string> known;
  for (const Flag* flag : flags) known.emplace_back(flag->name);
  const std::string near = nearest(name, known);
  return fmt::format("{} cannot be set here{}", in_quotes(name), did_you_mean(near));
}

std::string line_name(const std::string& path, std::size_t line) {
  return fmt::format("config file {}, line {}", path, line);
}

Error refuse(const std::string& path, std::size_t line, const std::string& why) {
  return Error{Errc::usage, fmt::format("{}: {}", line_name(path, line), why), "paytower --config none --help"};
}

/// The value that a line gives to its flag; "" switches a flag without value on, nothing leaves it off.
Result<std::optional<std::string>> line_value(const Flag& flag, const std::optional<std::string_view>& value,
                                              const std::string& path, std::size_t line) {
  if (!flag.value.empty()) {
    if (!value || value->empty())
      return refuse(path, line, fmt::format("{0} needs a value: {0} = {1}", flag.name, flag.value));
    return std::optional<std::string>(*value);
  }
  if (!value || *value == "true") return std::optional<std::string>("");
  if (*value == "false") return std::optional<std::string>();
  return refuse(path, line, fmt::format("{} is true or false", flag.name));
}

/// What the environment says of a flag. A variable that is set and empty is mostly a script's mistake, so it is
/// refused.
Result<std::optional<Setting>> variable_of(std::string_view flag, const Surroundings& surroundings) {
  const std::string variable = variable_name(flag);
  const std::string name(flag);
  const auto value = surroundings.environment(variable.c_str());
  if (!value) return std::optional<Setting>();
  if (value->empty())
    return Error{Errc::usage,
                 fmt::format("{} is set and empty; unset it, or give it the value of --{}", variable, name),
                 fmt::format("unset {}", variable)};
  return std::optional(Setting{name, *value, Setting::Source::environment, variable});
}

/// An XDG folder: the variable when it holds an absolute path, else the given place below the home folder.
Result<std::string> xdg_folder(const Surroundings& surroundings, const char* variable, const std::string& below_home) {
  const auto named = surroundings.environment(variable);
  if (named && !named->empty() && named->front() == '/') return *named;
  const auto home = surroundings.environment("HOME");
  if (!home || home->empty()) return Error{Errc::usage, "HOME is not set, so there is no default place for files"};
  return fmt::format("{}/{}", *home, below_home);
}

/// Which config file the call reads. No value: there is none to read, or no home to look for one in.
Result<Setting> config_setting(const Given& given, const Surroundings& surroundings) {
  if (const std::string* path = given.said_value("config"))
    return Setting{"config", *path, Setting::Source::flag, "--config"};
  auto named = variable_of("config", surroundings);
  if (!named) return named.error();
  if (*named) return **std::move(named);
  const auto folder = xdg_folder(surroundings, "XDG_CONFIG_HOME", ".config");
  if (!folder) return Setting{"config", std::nullopt};
  return Setting{"config", fmt::format("{}/paytower/config", *folder)};
}

Result<Config> read_config(const Setting& file, const Surroundings& surroundings, Commands commands) {
  if (!file.value || file.value == "none") return Config{};
  const auto text = surroundings.config_file(*file.value);
  if (!text) return text.error();
  if (*text) return parse_config(**text, *file.value, commands);
  if (file.source == Setting::Source::standard) return Config{};
  return Error{Errc::usage, fmt::format("there is no config file {}", *file.value), "paytower --config none --help"};
}

}  // namespace

std::string variable_name(std::string_view flag) {
  std::string name = "PAYTOWER_";
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return name;
}

std::vector<const Flag*> flags_that_are(unsigned traits, Commands commands) {
  std::vector<const Flag*> list;
  const auto add = [&list, traits](std::span<const Flag> flags) {
    for (const Flag& flag : flags) {
      if (flag.has(traits)) list.push_back(&flag);
    }
  };
  add(global_flags());
  for (const Command* command : commands) add(command->flags);
  return list;
}

Result<Config> parse_config(std::string_view text, const std::string& path, Commands commands) {
  const std::vector<const Flag*> flags = flags_that_are(is::configurable, commands);
  Config config;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const std::string name(without_blanks(line.substr(0, equals)));
    const auto flag = std::find_if(flags.begin(), flags.end(), [&name](const Flag* one) { return one->name == name; });
    if (flag == flags.end()) return refuse(path, number, no_such_line(name, flags));
    std::optional<std::string_view> text_behind;
    if (equals != std::string_view::npos) text_behind = without_blanks(line.substr(equals + 1));
    auto value = line_value(**flag, text_behind, path, number);
    if (!value) return value.error();
    if (config.find(name) != config.end()) return refuse(path, number, fmt::format("{} stands here twice", name));
    if (!*value) continue;
    if (config.find((*flag)->rival) != config.end())
      return refuse(path, number, fmt::format("{} and {} exclude each other", (*flag)->rival, name));
    config[name] = ConfigLine{**value, number};
  }
  return config;
}

Result<Outside> read_outside(const Given& given, const Surroundings& surroundings, Commands commands) {
  auto file = config_setting(given, surroundings);
  if (!file) return file.error();
  auto config = read_config(*file, surroundings, commands);
  if (!config) return config.error();
  return Outside{*std::move(file), *std::move(config)};
}

Result<std::optional<Setting>> Outside::find(const Flag& flag, const Surroundings& surroundings) const {
  auto variable = flag.has(is::in_environment) ? variable_of(flag.name, surroundings) : std::optional<Setting>();
  const auto line = config.find(flag.name);
  if (!variable || *variable || line == config.end()) return variable;
  return std::optional(
      Setting{line->first, line->second.value, Setting::Source::file, line_name(*file.value, line->second.line)});
}

Result<std::monostate> add_settings(Given& given, const Surroundings& surroundings, Commands commands) {
  const auto outside = read_outside(given, surroundings, commands);
  if (!outside) return outside.error();
  for (const auto flags : {global_flags(), given.command->flags}) {
    for (const Flag& flag : flags) {
      if (given.has(flag.name) || given.has(flag.rival) || !flag.has(is::configurable)) continue;
      const auto setting = outside->find(flag, surroundings);
      if (!setting) return setting.error();
      if (!*setting) continue;
      given.flags[(*setting)->name] = {*(*setting)->value};
      given.settings[(*setting)->name] = **setting;
    }
  }
  return std::monostate{};
}

Error with_origin(Error error, const Given& given) {
  for (const auto& [name, setting] : given.settings) {
    const std::string flag = fmt::format("--{}", name);
    const bool about = error.message.compare(0, flag.size(), flag) == 0 &&
                       error.message.find_first_of(": ", flag.size()) == flag.size();
    if (about)
      return Error{error.code, fmt::format("{}: {}", setting.where, error.message.substr(2)), "paytower config"};
  }
  return error;
}

Result<std::string> default_database(const Surroundings& surroundings) {
  const auto folder = xdg_folder(surroundings, "XDG_DATA_HOME", ".local/share");
  if (!folder) return Error{Errc::usage, folder.error().message, "paytower --db payments.db --help"};
  return fmt::format("{}/paytower/payments.db", *folder);
}

}  // namespace paytower::cli
