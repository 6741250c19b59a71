// Comma-separated values as RFC 4180 has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace paytower::cli {

/// One record with its CR LF. A cell that holds a comma, a quote or the end of a line stands in quotes, a quote inside
/// it twice. What a spreadsheet would take for a formula (a longer cell that begins with = + - @, a tab or a CR) gets
/// an apostrophe in front, so that nobody's label is ever executed.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& cells);

}  // namespace paytower::cli
