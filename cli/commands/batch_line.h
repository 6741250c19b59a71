// One line of `send --batch`: a JSON object whose keys are the long flags of `send` with `_` for `-`, and `invoice`.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments/flag.h"
#include "core/base/error.h"

namespace paytower::cli {

/// What the line says, as the command line would have said it.
struct BatchLine {
  std::vector<std::string> words{};                                      ///< the invoice
  std::map<std::string, std::vector<std::string>, std::less<>> flags{};  ///< by long name; a flag without value has ""
};

/// Usage refusals: no JSON object, a key that is no flag of one payment, a value of the wrong kind. An amount is a text
/// with its unit, as everywhere; whole numbers are for counts; true for a flag without value; null for a key that is
/// not there.
[[nodiscard]] Result<BatchLine> parse_batch_line(std::string_view text, std::span<const Flag> flags);

}  // namespace paytower::cli
