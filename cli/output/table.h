// Tables with aligned columns, within the width of the terminal.
#pragma once

#include <string>
#include <vector>

#include "cli/output/output.h"

namespace paytower::cli {

struct Column {
  std::string title;
  bool right = false;  ///< aligned to the right
  unsigned spare = 0;  ///< left out where the terminal is too narrow, the highest first; 0 = never
  bool rest = false;   ///< the last one: its cells are cut to what the others leave; left out when all of them are "-"
};

/// Pads cells to common widths. Widths only grow, so that a table can be printed page by page. On a terminal that is
/// too narrow for it the spare columns go first; if that is not enough, each row becomes a block of "TITLE  value"
/// lines. Elsewhere lines are as long as they need to be.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// REQUIRES: one printable text a column.
  void add(std::vector<std::string> cells);
  /// The header, once, and the rows added since the last call. Colours the cells of `status_column`.
  [[nodiscard]] std::string take(const Output& output, std::size_t status_column);

 private:
  [[nodiscard]] std::size_t width_of(std::size_t column) const;
  [[nodiscard]] std::size_t width() const;
  void leave_out_empty();
  void fit(std::size_t room);
  void cut_rest();
  [[nodiscard]] std::string line(const std::vector<std::string>& cells, const Output* output,
                                 std::size_t status_column) const;
  [[nodiscard]] std::string block(const std::vector<std::string>& cells, const Output& output,
                                  std::size_t status_column) const;
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<bool> left_out_;
  std::vector<std::vector<std::string>> rows_;
  bool header_shown_ = false;
  bool blocks_ = false;
  std::size_t room_ = 0;  ///< of a block's lines
};

/// A status word in its colour.
[[nodiscard]] std::string paint_status(const Output& output, const std::string& status);

/// `text` on lines of at most `room` columns, broken between words where that is possible; all but the first are
/// indented. What stands in front of `indent` on the first one is a title, and stays.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t room, std::size_t indent);

/// Each line wrapped, that of a fact ("  money locked  for at most ...") below its value. A hash, and a line with a
/// command, stay whole: they are copied from the terminal.
[[nodiscard]] std::string wrapped_lines(const std::string& text, std::size_t room);

/// wrapped_lines where stdout is a terminal; as it is in a pipe.
[[nodiscard]] std::string for_reader(const Output& output, const std::string& text);

}  // namespace paytower::cli
