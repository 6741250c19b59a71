// Settings from outside the call: environment and config file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "cli/raw_call.h"

namespace paytower::cli {

/// Lines of a config file, by long flag name. The file holds `name = value`, or a bare name for a flag without value;
/// blank lines and lines that begin with # are skipped, space around names and values is not part of them, and there is
/// no quoting. A usage refusal names the line: no such flag, one that may not stand there, a second one, an empty value.
[[nodiscard]] Result<std::map<std::string, std::string, std::less<>>> parse_config(std::string_view text, const std::string& path);

/// Adds to `call` what the config file and the environment say and no flag did: flag > environment > config file.
[[nodiscard]] Result<std::monostate> add_settings(RawCall& call, const Surroundings& surroundings);

/// $XDG_DATA_HOME/paytower/payments.db.
[[nodiscard]] Result<std::string> default_database(const Surroundings& surroundings);

}  // namespace paytower::cli
