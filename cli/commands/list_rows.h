// How `list` prints payments: as a table, as lines for scripts and spreadsheets, or as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands/list_options.h"
#include "cli/commands/session.h"
#include "cli/output/json.h"
#include "cli/output/table.h"

namespace paytower::cli {

/// What --json says behind the rows.
struct ListTail {
  PaymentIndex first{};
  PaymentIndex last{};
  std::optional<std::uint64_t> total{};  ///< of the database
  std::vector<db::BadRow> bad_rows{};
};

/// Prints rows as they come, so that a list of any length needs no more than a page of memory.
class PaymentRows {
 public:
  PaymentRows(Session& session, const ListOptions& options);

  void begin();
  void row(const Payment& payment);
  /// After each page: a table's widths are those of the rows so far.
  void page();
  void end(const ListTail& tail);

 private:
  [[nodiscard]] bool document() const { return format_ == ListOptions::Format::automatic; }
  void add_to_table(const Payment& payment);

  Output& output_;
  bool omit_hops_;
  ListOptions::Format format_;
  UnixNs now_;
  Table table_;
  GrowingJson json_;
  std::uint64_t rows_ = 0;
};

/// One line of tab-separated values. REQUIRES: no cell holds a tab or a line end.
[[nodiscard]] std::string tsv_line(const std::vector<std::string>& cells);

}  // namespace paytower::cli
