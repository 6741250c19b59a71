// Reads KIND:PLACE, and names the kinds in sentences.
#include "cli/input/switch_address.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/system/system.h"

namespace paytower::cli {

namespace {

std::optional<Error> objection_to_socket(const std::string& path) {
  std::error_code unseen;
  if (std::filesystem::is_directory(path, unseen))
    return usage(
        fmt::format("{} is a folder; name the socket in it, such as {}/bitcoin/lightning-rpc", in_quotes(path), path));
  return socket_path_objection(path);
}

std::string make_clause() {
  std::string clause;
  for (const SwitchKind& kind : switch_kinds()) {
    const std::string_view comma = clause.empty() ? "" : &kind == &switch_kinds().back() ? ", or " : ", ";
    clause += fmt::format("{}{}, {}", comma, form_of(kind), kind.help);
  }
  return clause;
}

}  // namespace

std::string form_of(const SwitchKind& kind) { return fmt::format("{}:{}", kind.name, kind.place); }

std::string simulated_address(std::string_view file) {
  const auto kinds = switch_kinds();
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [](const SwitchKind& row) { return row.simulated; });
  return fmt::format("{}:{}", kind->name, file);
}

const std::string& switch_kinds_clause() {
  static const std::string clause = make_clause();
  return clause;
}

Result<SwitchAddress> read_switch_address(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string place(text.substr(std::min(colon + 1, text.size())));
  for (const SwitchKind& kind : switch_kinds()) {
    if (kind.name != text.substr(0, colon) || place.empty()) continue;
    if (auto objection = objection_to_home(place)) return *std::move(objection);
    if (auto objection = kind.socket ? objection_to_socket(place) : std::nullopt) return *std::move(objection);
    return SwitchAddress{&kind, place};
  }
  return Error{Errc::usage, fmt::format("{} names no switch; write {}", in_quotes(text), switch_kinds_clause())};
}

}  // namespace paytower::cli
