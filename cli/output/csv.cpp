// Cells of CSV, quoted where they have to be.
#include "cli/output/csv.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/core.h>

namespace paytower::cli {

namespace {

/// Also the wide forms of East Asian scripts: some spreadsheets read them alike.
bool begins_formula(std::string_view text) {
  static constexpr std::array<std::string_view, 10> beginnings{
      "=", "+", "-", "@", "\t", "\r", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};
  return std::any_of(beginnings.begin(), beginnings.end(), [text](std::string_view one) {
    return text.size() > one.size() && text.substr(0, one.size()) == one;
  });
}

/// In some countries a spreadsheet takes a semicolon for the end of the cell, whatever quotes are there.
std::string harmless(std::string_view cell) {
  std::string out;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if ((i == 0 || cell[i - 1] == ';') && begins_formula(cell.substr(i))) out += '\'';
    out += cell[i];
  }
  return out;
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
