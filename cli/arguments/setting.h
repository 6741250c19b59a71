// Where a setting of a call comes from.
#pragma once

#include <optional>
#include <string>

namespace paytower::cli {

/// One setting that is in force, as `config` shows it.
struct Setting {
  enum class Source { flag, environment, file, standard };
  std::string name;                  ///< the long flag's
  std::optional<std::string> value;  ///< as it was given; nothing = there is none
  Source source = Source::standard;
  std::string where{};  ///< the flag, the variable, or the file and its line; empty for a default
};

}  // namespace paytower::cli
