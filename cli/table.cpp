#include "cli/table.h"

#include <algorithm>
#include <utility>

#include "cli/text.h"

namespace paytower::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(columns_of(column.title));
}

void Table::add(std::vector<std::string> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], columns_of(cells[i]));
  rows_.push_back(std::move(cells));
}

std::string Table::take(const Output& output, std::size_t status_column) {
  std::string text;
  if (!header_shown_) {
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    text += line(titles, nullptr, status_column);
    header_shown_ = true;
  }
  for (const auto& row : rows_) text += line(row, &output, status_column);
  rows_.clear();
  return text;
}

std::string Table::line(const std::vector<std::string>& cells, const Output* output, std::size_t status_column) const {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string space(widths_[i] - std::min(widths_[i], columns_of(cells[i])), ' ');
    const std::string shown = output != nullptr && i == status_column ? paint_status(*output, cells[i]) : cells[i];
    if (i > 0) text += "  ";
    text += columns_[i].right ? space + shown : shown + (i + 1 < cells.size() ? space : "");
  }
  return text + "\n";
}

std::string paint_status(const Output& output, const std::string& status) {
  if (status == "SUCCEEDED") return output.paint(status, Output::Tone::good);
  if (status == "FAILED") return output.paint(status, Output::Tone::bad);
  return output.paint(status, Output::Tone::open);
}

}  // namespace paytower::cli
