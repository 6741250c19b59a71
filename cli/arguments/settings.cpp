// Settings from outside the call: the environment and the config file, read as strictly as flags.
#include "cli/arguments/call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "cli/output/suggest.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

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
  return fmt::format("{} cannot be set here{}", in_quotes(name), did_you_mean(nearest(name, known)));
}

constexpr const char* without_config = "paytower --config none --help";

[[noreturn]] void refuse_line(const std::string& where, std::string_view why) {
  refuse(Errc::usage, fmt::format("{}: {}", where, why), without_config);
}

/// The value that a line gives to its flag; "" switches a flag without value on, nothing leaves it off.
std::optional<std::string> line_value(const Flag& flag, const std::optional<std::string_view>& value,
                                      const std::string& where) {
  if (!flag.value.empty()) {
    if (!value || value->empty())
      refuse_line(where, fmt::format("{0} needs a value: {0} = {1}", flag.name, flag.value));
    return std::string(*value);
  }
  if (!value || *value == "true") return "";
  if (*value != "false") refuse_line(where, fmt::format("{} is true or false", flag.name));
  return std::nullopt;
}

/// What the environment says of a flag. A variable that is set and empty is mostly a script's mistake, so it is
/// refused.
std::optional<Setting> variable_of(std::string_view flag, const Surroundings& surroundings) {
  const std::string variable = variable_name(flag);
  auto value = surroundings.environment(variable.c_str());
  if (!value) return std::nullopt;
  if (value->empty())
    refuse(Errc::usage, fmt::format("{} is set and empty; unset it, or give it the value of --{}", variable, flag),
           fmt::format("unset {}", variable));
  return Setting{std::string(flag), std::move(value), Setting::Source::environment, variable};
}

/// A file of ours in an XDG folder: that of the variable when it holds an absolute path, else the given one at home.
Result<std::string> xdg_file(const Surroundings& surroundings, const char* variable, const char* at_home,
                             const char* file) {
  const auto named = surroundings.environment(variable);
  if (named && !named->empty() && named->front() == '/') return fmt::format("{}/paytower/{}", *named, file);
  const auto home = surroundings.environment("HOME");
  if (home && !home->empty()) return fmt::format("{}/{}/paytower/{}", *home, at_home, file);
  return usage("HOME is not set, so there is no default place for files", "paytower --db payments.db --help");
}

/// Which config file the call reads. No value: there is none to read, or no home to look for one in.
Setting config_setting(const Given& given, const Surroundings& surroundings) {
  if (const std::string* path = given.said_value("config"))
    return Setting{"config", *path, Setting::Source::flag, "--config"};
  if (auto named = variable_of("config", surroundings)) return *std::move(named);
  const auto usual = xdg_file(surroundings, "XDG_CONFIG_HOME", ".config", "config");
  return Setting{"config", usual ? std::optional(*usual) : std::nullopt};
}

Settings read_config(const Setting& file, const Surroundings& surroundings, Commands commands) {
  if (!file.value || file.value == "none") return {};
  const auto text = value_of(surroundings.config_file(*file.value));
  if (text) return parse_config(*text, *file.value, commands);
  if (file.source == Setting::Source::standard) return {};
  refuse(Errc::usage, fmt::format("there is no config file {}", *file.value), without_config);
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

Settings parse_config(std::string_view text, const std::string& path, Commands commands) {
  const std::vector<const Flag*> flags = flags_that_are(is::configurable, commands);
  Settings config;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string where = fmt::format("config file {}, line {}", path, number);
    const std::size_t equals = line.find('=');
    const std::string name(without_blanks(line.substr(0, equals)));
    const auto flag = std::find_if(flags.begin(), flags.end(), [&name](const Flag* one) { return one->name == name; });
    if (flag == flags.end()) refuse_line(where, no_such_line(name, flags));
    std::optional<std::string_view> text_behind;
    if (equals != std::string_view::npos) text_behind = without_blanks(line.substr(equals + 1));
    auto value = line_value(**flag, text_behind, where);
    if (config.find(name) != config.end()) refuse_line(where, fmt::format("{} stands here twice", name));
    if (!value) continue;
    if (config.find((*flag)->rival) != config.end())
      refuse_line(where, fmt::format("{} and {} exclude each other", (*flag)->rival, name));
    config[name] = Setting{name, std::move(value), Setting::Source::file, where};
  }
  return config;
}

Outside read_outside(const Given& given, const Surroundings& surroundings, Commands commands) {
  const Setting file = config_setting(given, surroundings);
  return Outside{file, read_config(file, surroundings, commands)};
}

std::optional<Setting> Outside::find(const Flag& flag, const Surroundings& surroundings) const {
  if (flag.has(is::in_environment)) {
    if (auto variable = variable_of(flag.name, surroundings)) return variable;
  }
  const auto line = config.find(flag.name);
  return line == config.end() ? std::nullopt : std::optional(line->second);
}

void add_settings(Given& given, const Surroundings& surroundings, Commands commands) {
  const Outside outside = read_outside(given, surroundings, commands);
  for (const auto flags : {global_flags(), given.command->flags}) {
    for (const Flag& flag : flags) {
      if (given.has(flag.name) || given.has(flag.rival) || !flag.has(is::configurable)) continue;
      const auto setting = outside.find(flag, surroundings);
      if (!setting) continue;
      given.flags[setting->name] = {*setting->value};
      given.settings[setting->name] = *setting;
    }
  }
}

Error with_origin(Error error, const Given& given) {
  if (error.message.compare(0, 2, "--") != 0) return error;
  const std::string said = error.message.substr(2);
  const auto found = given.settings.find(said.substr(0, said.find_first_of(": ")));
  if (found == given.settings.end()) return error;
  return Error{error.code, fmt::format("{}: {}", found->second.where, said), "paytower config"};
}

Result<std::string> default_database(const Surroundings& surroundings) {
  return xdg_file(surroundings, "XDG_DATA_HOME", ".local/share", "payments.db");
}

}  // namespace paytower::cli
