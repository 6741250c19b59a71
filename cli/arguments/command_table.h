// Every command and every flag, as data: parsing, --help, suggestions and the config file all read this one table.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace paytower::cli {

struct FlagSpec {
  std::string_view name;     ///< long, without dashes
  char letter = 0;           ///< short form, 0 = none
  std::string_view value{};  ///< what it takes ("PATH"); empty = it takes nothing
  std::string_view help{};
  bool repeatable = false;
  bool configurable = false;  ///< may stand in the config file
};

struct CommandSpec {
  std::string_view name;     ///< "send"; "simulate invoice" for a command of a group
  std::string_view words;    ///< positional arguments as shown; empty = it takes none
  std::string_view summary;  ///< one line
  std::string_view about;    ///< paragraphs of --help
  std::span<const FlagSpec> flags;
  std::string_view examples;  ///< lines of --help
  std::string_view alias{};
};

[[nodiscard]] std::span<const FlagSpec> global_flags();
[[nodiscard]] std::span<const CommandSpec> commands();
/// By full name or alias; nullptr when there is none.
[[nodiscard]] const CommandSpec* find_command(std::string_view name);
/// True for "simulate": a word that only leads to commands.
[[nodiscard]] bool is_group(std::string_view name);

[[nodiscard]] std::string general_help();
[[nodiscard]] std::string command_help(const CommandSpec& command);
/// The commands of "simulate".
[[nodiscard]] std::string group_help(std::string_view group);

}  // namespace paytower::cli
