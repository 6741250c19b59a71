// Cells of CSV, quoted where they have to be.
#include "cli/output/csv.h"

#include <fmt/core.h>

namespace paytower::cli {

namespace {

std::string harmless(std::string_view cell) {
  constexpr std::string_view begins_formula = "=+-@\t\r";
  const bool formula = cell.size() > 1 && begins_formula.find(cell.front()) != std::string_view::npos;
  return fmt::format("{}{}", formula ? "'" : "", cell);
}

std::string quoted_if_needed(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string text = "\"";
  for (const char c : cell) {
    if (c == '"') text += '"';
    text += c;
  }
  return fmt::format("{}\"", text);
}

}  // namespace

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    line += quoted_if_needed(harmless(cells[i]));
  }
  return fmt::format("{}\r\n", line);
}

}  // namespace paytower::cli
