// Words that people know from lncli, lightning-cli or other tools, and what paytower calls the same thing. The answer
// is always a refusal with the right command as its hint: a flag that looks the same may count in another unit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace paytower::cli {

struct ForeignWord {
  std::string_view where;  ///< the command whose flag it is, the flag whose value it is ("--status"), or empty
  std::string_view word;   ///< a flag begins with a dash
  std::string_view ours;   ///< what it is called here
  /// The call to make. HASH stands for the hash of the call, {} for what the flag was given: with the unit behind it
  /// when that was a bare number.
  std::string_view way;
};

[[nodiscard]] std::span<const ForeignWord> foreign_words();

/// Each answers for a word that paytower does not know; nothing when the table does not know it either. `arguments` is
/// the whole call.
[[nodiscard]] std::optional<Error> foreign_command(std::string_view word, std::span<const std::string> arguments);
[[nodiscard]] std::optional<Error> foreign_flag(std::string_view command, std::string_view argument,
                                                std::span<const std::string> arguments);
/// `flag`: its name without dashes.
[[nodiscard]] std::optional<Error> foreign_value(std::string_view flag, std::string_view word);

}  // namespace paytower::cli
