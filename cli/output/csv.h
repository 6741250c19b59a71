// Comma-separated values as RFC 4180 has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace paytower::cli {

/// One record with its CR LF. A cell that holds a comma, a quote or the end of a line stands in quotes, a quote inside
/// it twice. What a spreadsheet would take for a formula (= + - @, a tab or a CR with something behind it, at the
/// beginning of a cell or behind a semicolon) gets an apostrophe in front, so that nobody's words are ever executed.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& cells);

}  // namespace paytower::cli
