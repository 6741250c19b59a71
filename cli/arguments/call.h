// A call, read strictly: which command, with which options. This is all that the rest of paytower knows of the command
// line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments/command.h"
#include "cli/input/switch_address.h"
#include "cli/output/output.h"
#include "core/base/types.h"

namespace paytower::cli {

/// The options that every command has.
struct GlobalOptions {
  std::string database;         ///< path
  bool database_named = false;  ///< by flag, environment or config: then it must exist
  std::optional<SwitchAddress> switch_address;
  std::optional<std::int64_t> lock_timeout_ns;  ///< --lock-timeout; nothing: 0 for payments, 30 s for the database
};

struct Call {
  GlobalOptions global;
  OutputSetup output;
  enum class What { command, help, version };
  What what = What::command;
  bool libraries = false;                 ///< of --version: also the versions of libraries
  bool group = false;                     ///< of --help: about the commands of the group
  const Command* command = nullptr;       ///< that runs, or that --help is about
  std::shared_ptr<const void> options{};  ///< of the command that runs
};

/// The environment, files, stdin and clock that a call is read with; tests give their own.
struct Surroundings {
  std::function<std::optional<std::string>(const char* name)> environment;
  /// The text of a config file; nothing when there is none; a usage refusal when it cannot be read.
  std::function<Result<std::optional<std::string>>(const std::string& path)> config_file;
  /// All of stdin, for an invoice given as "-". Empty: a line of a batch, which has no stdin.
  std::function<Result<std::string>()> standard_input{};
  UnixNs now{};
};

/// `arguments` without the program's name. Refusals: Errc::usage, and what the command itself refuses; nothing has been
/// changed then.
[[nodiscard]] Result<Call> read_call(std::span<const std::string> arguments, Commands commands,
                                     const Surroundings& surroundings);

// --- settings from outside the call; usage refusals are thrown ---

/// Of a flag in the environment: "tls-cert" is PAYTOWER_TLS_CERT.
[[nodiscard]] std::string variable_name(std::string_view flag);

/// Every flag with one of these traits; the same name means the same in all commands that have it.
[[nodiscard]] std::vector<const Flag*> flags_that_are(unsigned traits, Commands commands);

/// The settings of a config file. A line is `name = value`, or a bare name for a flag without value; blank lines and
/// lines that begin with # are skipped; blanks around names and values are dropped; there is no quoting. A usage
/// refusal names the line: an unknown flag, one that is not allowed there, a second one, an empty value.
[[nodiscard]] Settings parse_config(std::string_view text, const std::string& path, Commands commands);

/// What the environment and the config file say.
struct Outside {
  Setting file;
  Settings config;

  /// Of one flag: the environment beats the file. A flag without value has "" when it is on.
  [[nodiscard]] std::optional<Setting> find(const Flag& flag, const Surroundings& surroundings) const;
};
[[nodiscard]] Outside read_outside(const Given& given, const Surroundings& surroundings, Commands commands);

/// Adds to `given` what the environment and the config file say and no flag did: flag > environment > config file.
void add_settings(Given& given, const Surroundings& surroundings, Commands commands);

/// `error`; when it is about a value from the environment or the config file, with the variable or the line in front.
[[nodiscard]] Error with_origin(Error error, const Given& given);

/// $XDG_DATA_HOME/paytower/payments.db.
[[nodiscard]] Result<std::string> default_database(const Surroundings& surroundings);

// --- values into options ---

/// Stores defaults and given values. Throws usage refusals, as the next one.
void store_flags(void* options, std::span<const Flag> flags, const Given& given, UnixNs now);
/// The same for all flags of the command; refuses two flags that exclude each other; then the command takes the words.
void fill_options(void* options, const Given& given);

}  // namespace paytower::cli
