// Columns that stand under each other.
#pragma once

#include <string>
#include <vector>

#include "cli/output.h"

namespace paytower::cli {

struct Column {
  std::string title;
  bool right = false;            ///< aligned to the right
};

/// Pads cells to common widths. Widths only grow, so that a table can be printed page by page.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// REQUIRES: one printable text a column.
  void add(std::vector<std::string> cells);
  /// The header, once, and the rows added since the last call. Colours the cells of `status_column`.
  [[nodiscard]] std::string take(const Output& output, std::size_t status_column);

 private:
  [[nodiscard]] std::string line(const std::vector<std::string>& cells, const Output* output, std::size_t status_column) const;
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
  bool header_shown_ = false;
};

/// A status word in its colour.
[[nodiscard]] std::string paint_status(const Output& output, const std::string& status);

}  // namespace paytower::cli
