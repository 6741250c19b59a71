// A call split into its words and flags, and a command as its own file describes it: its help, its flags, its code.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments/flag.h"
#include "cli/input/hash.h"
#include "cli/output/exit_code.h"

namespace paytower::cli {

struct Command;
struct Session;       // cli/commands/session.h
struct Surroundings;  // cli/arguments/call.h
using Commands = std::span<const Command* const>;

/// One setting that is in force, as `config` shows it.
struct Setting {
  enum class Source { flag, environment, file, standard };
  std::string name;                  ///< the long flag's
  std::optional<std::string> value;  ///< as it was given; nothing = there is none
  Source source = Source::standard;
  std::string where{};  ///< the flag, the variable, or the file and its line; empty for a default
};
using Settings = std::map<std::string, Setting, std::less<>>;  ///< by name

/// What a call says, with every value still the text that was given.
struct Given {
  const Command* command = nullptr;  ///< nothing: none was named
  bool group = false;                ///< only the word before the commands of the group was named
  std::vector<std::string> words{};  ///< positional arguments
  /// By long name; a flag without value has "" for each time.
  std::map<std::string, std::vector<std::string>, std::less<>> flags{};
  Settings settings{};                    ///< those of `flags` that no flag of the call gave
  const Surroundings* outside = nullptr;  ///< where the call is read

  [[nodiscard]] bool has(std::string_view flag) const { return flags.find(flag) != flags.end(); }
  /// Whether the call itself has it, not the environment or the config file.
  [[nodiscard]] bool said(std::string_view flag) const { return has(flag) && settings.find(flag) == settings.end(); }
  /// The value of a flag that was said once; nullptr when it was not.
  [[nodiscard]] const std::string* said_value(std::string_view flag) const;
  /// " --all --older-than 90d": the command's flags that the call has, except `but`, for a hint that repeats it.
  [[nodiscard]] std::string said_flags(std::initializer_list<std::string_view> but = {}) const;

  // What follows throws usage refusals.

  /// The only positional argument.
  [[nodiscard]] const std::string& word(const char* what) const;
  /// The same, as a payment: its hash or its invoice.
  [[nodiscard]] HashArgument hash() const;
  [[nodiscard]] std::vector<HashArgument> hashes() const;
  /// Refuses the flags that need another one which is missing.
  void need(std::initializer_list<std::string_view> names, std::string_view condition) const;
  void exclude(std::string_view a, std::string_view b) const;
  /// Refuses --json beside a --format that is not JSON; `same`: it is.
  void exclude_json_and_format(bool same) const;
  /// With the command's help as the hint.
  [[noreturn]] void refuse(const std::string& why) const;
};

/// Splits the words of a call by the tables (CLI11 does it). Throws usage refusals: unknown commands and flags, with a
/// suggestion, values that are missing or empty, and a flag that comes twice.
[[nodiscard]] Given split_call(std::span<const std::string> arguments, Commands commands);

struct Command {
  std::string_view name;     ///< "send"; "simulate invoice" for a command of the group
  std::string_view words{};  ///< positional arguments as shown; empty = it takes none
  std::string_view summary;  ///< one line
  std::string_view about;    ///< paragraphs of --help
  std::span<const Flag> flags{};
  std::string_view examples;  ///< lines of --help
  std::string_view alias{};
  bool database = true;                       ///< works with the payment database
  bool asks_switch = false;                   ///< works with the switch
  bool only_shows = false;                    ///< a reader who leaves early (`| head`) misses nothing that counts
  bool pays = false;                          ///< makes HTLCs
  std::shared_ptr<void> (*make)() = nullptr;  ///< its options, empty
  /// Takes the words, and refuses combinations of flags.
  void (*take)(void* options, const Given& given) = nullptr;
  ExitCode (*run)(const void* options, Session& session) = nullptr;
};

/// Whether every flag that stores its value does so into these options.
template <typename Options> consteval bool store_into(std::span<const Flag> flags) {
  for (const Flag& flag : flags) {
    if (flag.into.owner != nullptr && flag.into.owner != &owner_of<Options>) return false;
  }
  return true;
}

/// Joins a command's description, its options, and the functions that complete and run them.
template <typename Options, void (*Take)(Options&, const Given&), ExitCode (*Run)(const Options&, Session&)>
consteval Command command(Command made) {
  if (!store_into<Options>(made.flags)) throw "a flag stores into the options of another command";
  made.make = [] { return std::shared_ptr<void>(std::make_shared<Options>()); };
  made.take = [](void* options, const Given& given) { Take(*static_cast<Options*>(options), given); };
  made.run = [](const void* options, Session& session) { return Run(*static_cast<const Options*>(options), session); };
  return made;
}

/// The word in front of the commands of the group.
inline constexpr std::string_view group_name = "simulate";

/// By full name or alias; nullptr when there is none.
[[nodiscard]] const Command* find_command(Commands commands, std::string_view name);
/// The flags that every command has.
[[nodiscard]] std::span<const Flag> global_flags();

}  // namespace paytower::cli
