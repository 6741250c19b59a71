// `config`: which setting is in force, and where it comes from.
#include <set>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/render.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

/// The default of a flag; where commands differ, with their names ("5m for send, 60s for resume").
std::optional<std::string> standard_setting(const Flag& flag, const Surroundings& surroundings) {
  if (flag.value.empty()) return "false";
  if (flag.name == "db") {
    const auto path = default_database(surroundings);
    return path ? std::optional(*path) : std::nullopt;
  }
  const std::string standard = flag.standard.shown();
  std::string each;
  bool differ = false;
  for (const Command* command : commands()) {
    for (const Flag& one : command->flags) {
      if (one.name != flag.name || !one.has(is::configurable)) continue;
      differ = differ || one.standard.shown() != standard;
      each += fmt::format("{}{} for {}", each.empty() ? "" : ", ", one.standard.shown(), command->name);
    }
  }
  if (standard.empty()) return std::nullopt;
  return differ ? each : standard;
}

struct ConfigOptions {
  std::vector<Setting> settings;
};

void take(ConfigOptions& config, const Given& given) { config.settings = settings_in_force(given, *given.outside); }

std::string_view source_name(Setting::Source source) {
  switch (source) {
    case Setting::Source::flag: return "flag";
    case Setting::Source::environment: return "environment";
    case Setting::Source::file: return "file";
    case Setting::Source::standard: return "default";
  }
  return "default";
}

Json settings_json(const std::vector<Setting>& settings) {
  Json json;
  json["settings"] = Json::array();
  for (const Setting& setting : settings) {
    Json one;
    one["name"] = setting.name;
    one["value"] = setting.value ? Json(*setting.value) : Json();
    one["source"] = source_name(setting.source);
    one["where"] = text_or_null(setting.where);
    json["settings"].push_back(std::move(one));
  }
  return json;
}

std::string settings_text(const std::vector<Setting>& settings, const Output& output) {
  Table table({{"SETTING"}, {"FROM"}, {"VALUE"}});
  for (const Setting& setting : settings) {
    const std::string from =
        setting.where.empty() ? std::string(source_name(setting.source)) : printable(setting.where);
    table.add({setting.name, from, setting.value ? printable(*setting.value) : "-"});
  }
  return table.take(output, SIZE_MAX);
}

ExitCode run(const ConfigOptions& options, Session& session) {
  session.output.result(session.output.json() ? fmt::format("{}\n", dump(settings_json(options.settings)))
                                              : settings_text(options.settings, session.output));
  return ExitCode::ok;
}

}  // namespace

std::vector<Setting> settings_in_force(const Given& given, const Surroundings& surroundings) {
  const Outside outside = read_outside(given, surroundings, commands());
  std::vector<Setting> settings;
  std::set<std::string_view> seen;
  const auto setting_of = [&](const Flag& flag) -> Setting {
    if (flag.name == "config") return outside.file;
    const std::string name(flag.name);
    if (const std::string* said = given.said_value(name))
      return Setting{name, *said, Setting::Source::flag, fmt::format("--{}", name)};
    if (auto setting = outside.find(flag, surroundings)) return *std::move(setting);
    return Setting{name, standard_setting(flag, surroundings)};
  };
  for (const Flag* flag : flags_that_are(is::configurable | is::in_environment, commands())) {
    if (!seen.insert(flag->name).second) continue;
    Setting setting = setting_of(*flag);
    if (setting.value == "") setting.value = "true";
    settings.push_back(std::move(setting));
  }
  return settings;
}

constexpr Command config_command = command<ConfigOptions, take, run>({
    .name = "config",
    .summary = "Show the settings in force, and where each comes from",
    .about = "A flag beats the environment, the environment beats the configuration file, and that beats the default.",
    .examples = "  paytower config\n"
                "  paytower config --json | jq '.settings[].name'",
    .database = false,
});

}  // namespace paytower::cli
