// Settings from outside the call: environment and config file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments/options.h"
#include "cli/arguments/raw_call.h"

namespace paytower::cli {

/// What a line of a config file says.
struct ConfigLine {
  std::string value;  ///< "" switches a flag without value on
  std::size_t line = 0;
};
using Config = std::map<std::string, ConfigLine, std::less<>>;

/// Lines of a config file, by long flag name. The file holds `name = value`, or a bare name for a flag without value;
/// blank lines and lines that begin with # are skipped, space around names and values is not part of them, and there is
/// no quoting. A usage refusal names the line: no such flag, one that may not stand there, a second one, an empty
/// value.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::string& path);

/// Adds to `call` what the config file and the environment say and no flag did: flag > environment > config file.
[[nodiscard]] Result<std::monostate> add_settings(RawCall& call, const Surroundings& surroundings);

/// Every setting that a config file could hold, and the file itself, each with its value and where that comes from; in
/// the order of the help. `call` is as split, without settings.
[[nodiscard]] Result<std::vector<Setting>> settings_in_force(const RawCall& call, const Surroundings& surroundings);

/// `error` as it is, or, when it is about the value of a setting that no flag gave, with the variable or the line in
/// front.
[[nodiscard]] Error with_origin(Error error, const RawCall& call);

/// $XDG_DATA_HOME/paytower/payments.db.
[[nodiscard]] Result<std::string> default_database(const Surroundings& surroundings);

}  // namespace paytower::cli
