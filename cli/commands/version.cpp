// --version, and with -v what a report of a fault needs: commit, build and libraries.
#include <array>
#include <string>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sodium/version.h>

#include "cli/commands/commands.h"
#include "cli/output/render.h"

namespace paytower::cli {

extern const char* const built_commit;  ///< written by the build; empty when the sources are no git checkout

namespace {

constexpr std::string_view version = PAYTOWER_VERSION;
constexpr std::string_view build_type = PAYTOWER_BUILD_TYPE;
constexpr std::string_view compiler = PAYTOWER_COMPILER;

/// As this process has loaded them, or else as they were compiled in.
std::array<std::pair<std::string_view, std::string>, 7> libraries() {
  return {{{"sqlite", SQLite::getLibVersion()},
           {"libsodium", sodium_version_string()},
           {"sqlitecpp", PAYTOWER_SQLITECPP},
           {"fmt", PAYTOWER_FMT},
           {"nlohmann-json", PAYTOWER_NLOHMANN},
           {"cli11", PAYTOWER_CLI11},
           {"boost", PAYTOWER_BOOST}}};
}

}  // namespace

void print_version(bool all, Session& session) {
  const std::string_view commit = built_commit;
  if (session.output.json()) {
    Json json;
    json["version"] = version;
    json["commit"] = commit.empty() ? Json() : Json(commit);
    json["build_type"] = build_type;
    json["compiler"] = compiler;
    json["libraries"] = Json::array();
    for (const auto& [name, number] : libraries()) json["libraries"].push_back(fmt::format("{} {}", name, number));
    json["sqlite"] = SQLite::getLibVersion();
    return session.output.line(dump(json));
  }
  std::string text = fmt::format("paytower {}\n", version);
  if (all) {
    text += fmt::format("commit {}\nbuild {}, {}\n", commit.empty() ? "unknown" : commit, build_type, compiler);
    for (const auto& [name, number] : libraries()) text += fmt::format("{} {}\n", name, number);
  }
  session.output.result(text);
}

}  // namespace paytower::cli
