// Tables that fit the terminal: columns go first, then each row becomes a block of lines.
#include "cli/output/table.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "core/base/require.h"

namespace paytower::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)), left_out_(columns_.size(), false) {
  for (const Column& column : columns_) widths_.push_back(columns_of(column.title));
}

void Table::add(std::vector<std::string> cells) {
  require(cells.size() == columns_.size(), "a row has one text a column");
  for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], columns_of(cells[i]));
  rows_.push_back(std::move(cells));
}

/// What a column needs at least: less than this of a label tells nobody anything.
std::size_t Table::width_of(std::size_t column) const {
  constexpr std::size_t least_rest = 10;
  return columns_[column].rest ? std::min(widths_[column], least_rest) : widths_[column];
}

std::size_t Table::width() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    if (!left_out_[i]) sum += width_of(i) + (sum > 0 ? 2 : 0);
  }
  return sum;
}

void Table::leave_out_empty() {
  const std::size_t last = columns_.size() - 1;
  const bool empty = std::all_of(rows_.begin(), rows_.end(), [last](const auto& row) { return row[last] == "-"; });
  if (columns_[last].rest && empty) left_out_[last] = true;
}

void Table::cut_rest() {
  const std::size_t last = columns_.size() - 1;
  if (!columns_[last].rest || left_out_[last]) return;
  const std::size_t left = room_ - (width() - width_of(last));
  for (auto& row : rows_) row[last] = printable_cut(row[last], left);
}

/// After the header is printed the columns stay; blocks can still follow.
void Table::fit(std::size_t room) {
  room_ = room;
  while (!header_shown_ && width() > room) {
    std::size_t next = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool better = next == columns_.size() || columns_[i].spare > columns_[next].spare;
      if (columns_[i].spare > 0 && !left_out_[i] && better) next = i;
    }
    if (next == columns_.size()) break;
    left_out_[next] = true;
  }
  blocks_ = blocks_ || width() > room;
  if (blocks_) {
    std::fill(left_out_.begin(), left_out_.end(), false);
  } else {
    cut_rest();
  }
}

std::string Table::take(const Output& output, std::size_t status_column) {
  if (!header_shown_ && !columns_.empty()) leave_out_empty();
  if (output.stdout_is_tty() && !blocks_) fit(output.columns());
  std::string text;
  if (!header_shown_ && !blocks_) {
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    text += line(titles, nullptr, status_column);
  }
  for (const auto& row : rows_) {
    if (blocks_ && header_shown_) text += "\n";
    text += blocks_ ? block(row, output, status_column) : line(row, &output, status_column);
    header_shown_ = true;
  }
  header_shown_ = true;
  rows_.clear();
  return text;
}

std::string Table::line(const std::vector<std::string>& cells, const Output* output, std::size_t status_column) const {
  std::string text;
  std::string space;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (left_out_[i]) continue;
    text += space;
    space.assign(widths_[i] - std::min(widths_[i], columns_of(cells[i])), ' ');
    const std::string shown = output != nullptr && i == status_column ? paint_status(*output, cells[i]) : cells[i];
    text += columns_[i].right ? space + shown : shown;
    space = columns_[i].right ? "  " : fmt::format("{}  ", space);
  }
  return fmt::format("{}\n", text);
}

std::string Table::block(const std::vector<std::string>& cells, const Output& output, std::size_t status_column) const {
  std::size_t titles = 0;
  for (const Column& column : columns_) titles = std::max(titles, columns_of(column.title));
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i] == "-") continue;
    const std::string title =
        fmt::format("{}{}", columns_[i].title, std::string(titles - columns_of(columns_[i].title) + 2, ' '));
    text += i == status_column ? title + paint_status(output, cells[i]) : wrapped(title + cells[i], room_, titles + 2);
    text += "\n";
  }
  return text;
}

std::string paint_status(const Output& output, const std::string& status) {
  if (status == "SUCCEEDED") return output.paint(status, Output::Tone::good);
  if (status == "FAILED") return output.paint(status, Output::Tone::bad);
  return output.paint(status, Output::Tone::open);
}

namespace {

/// The last space before `end`, but not one inside of brackets as short as "(in 29 h)".
std::size_t space_to_break_at(std::string_view text, std::size_t end) {
  constexpr std::size_t short_brackets = 16;
  const std::size_t space = text.rfind(' ', end);
  if (space == std::string_view::npos) return space;
  const std::size_t bracket = text.rfind(" (", space);
  const bool inside = bracket != std::string_view::npos && text.find(')', bracket) > space;
  return inside && text.find(')', bracket) - bracket <= short_brackets ? bracket : space;
}

}  // namespace

std::string wrapped_lines(const std::string& text, std::size_t room) {
  std::string result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t gap = line.substr(0, 2) == "  " ? line.find("  ", 2) : std::string::npos;
    const std::size_t value = gap == std::string::npos ? 0 : line.find_first_not_of(' ', gap);
    const bool one_word = value != 0 && line.find(' ', value) == std::string::npos;
    const bool whole = one_word || line.find("paytower ") != std::string::npos;
    result += fmt::format("{}\n", whole ? line : wrapped(line, room, value));
  }
  return result;
}

std::string for_reader(const Output& output, const std::string& text) {
  return output.stdout_is_tty() ? wrapped_lines(text, output.columns()) : text;
}

std::string wrapped(const std::string& text, std::size_t room, std::size_t indent) {
  std::string result;
  std::string_view rest = text;
  std::size_t left = std::max<std::size_t>(room, indent + 2);  // a wide character fits in any case
  const std::size_t behind = left - indent;
  while (columns_of(rest) > left) {
    std::size_t bytes = bytes_within(rest, left);
    // Between two words, where one of them began on this line. What stands in front of `indent` is a title.
    const std::size_t space = space_to_break_at(rest, bytes);
    const bool between_words = space != std::string_view::npos && space >= (result.empty() ? indent + 1 : 1);
    if (between_words) bytes = space;
    result += fmt::format("{}\n{}", rest.substr(0, bytes), std::string(indent, ' '));
    rest.remove_prefix(between_words ? bytes + 1 : bytes);
    left = behind;
  }
  return result += rest;
}

}  // namespace paytower::cli
