#include "cli/commands/commands.h"
#include "cli/output/render.h"
#include "cli/output/table.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

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

}  // namespace

ExitCode run(const ConfigOptions& options, Session& session) {
  session.output.result(session.output.json() ? dump(settings_json(options.settings)) + "\n"
                                              : settings_text(options.settings, session.output));
  return ExitCode::ok;
}

}  // namespace paytower::cli
