// The columns of `payments` and `attempts` that the control tower reads and writes, each listed once. What is selected,
// what is inserted, and where a reader finds a value all come from these two lists.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "db/sqlite/statement.h"

namespace paytower::db {

// X(table's name in a SELECT, column)
// clang-format off
#define PAYTOWER_PAYMENT_COLUMNS(X) \
  X(p, payment_index) X(p, payment_hash) X(p, amount_msat) X(p, created_ns) X(p, deadline_ns) X(p, provenance) \
  X(p, duplicate_of) X(p, destination) X(p, fee_limit_msat) X(p, cltv_limit) X(p, final_cltv_delta) \
  X(p, max_attempts) X(p, payment_secret) X(p, metadata) X(p, invoice) X(p, network) X(p, label) \
  X(p, outgoing_channels) X(p, candidate_routes) X(p, stop_reason) X(p, fail_reason) X(p, preimage) \
  X(p, late_preimage) X(p, end_note) X(p, ended_ns) X(p, amp) X(p, max_parts) X(p, shown_label) \
  X(p, failure_detail)
#define PAYTOWER_ATTEMPT_COLUMNS(X) \
  X(a, payment_index) X(a, attempt_row) X(a, attempt_id) X(a, part) X(a, origin) X(a, switch_id) X(s, node) \
  X(s, network) X(a, marks) X(a, route) X(a, amount_msat) X(a, fee_msat) X(a, registered_ns) \
  X(a, total_time_lock) X(a, accepted_ns) X(a, resolved_ns) X(a, outcome) X(a, preimage) X(a, failure_code) \
  X(a, failure_source) X(a, failure_channel) X(a, failure_direction) X(a, failure_node) X(a, failure_message) \
  X(a, switch_run) X(a, htlc_hash) X(a, dies_at_ns) X(a, expected_time_lock) X(a, moved_ns)
// clang-format on

#define PAYTOWER_COLUMN(table, name) name,
enum class PaymentColumn : std::uint8_t { PAYTOWER_PAYMENT_COLUMNS(PAYTOWER_COLUMN) };
enum class AttemptColumn : std::uint8_t { PAYTOWER_ATTEMPT_COLUMNS(PAYTOWER_COLUMN) };
#undef PAYTOWER_COLUMN

struct ColumnName {
  std::string_view table;
  std::string_view column;
};

#define PAYTOWER_COLUMN(table, name) ColumnName{#table, #name},
inline constexpr std::array payment_columns{PAYTOWER_PAYMENT_COLUMNS(PAYTOWER_COLUMN)};
inline constexpr std::array attempt_columns{PAYTOWER_ATTEMPT_COLUMNS(PAYTOWER_COLUMN)};
#undef PAYTOWER_COLUMN

[[nodiscard]] constexpr std::string_view name_of(PaymentColumn column) {
  return payment_columns[static_cast<std::size_t>(column)].column;
}
[[nodiscard]] constexpr std::string_view name_of(AttemptColumn column) {
  return attempt_columns[static_cast<std::size_t>(column)].column;
}

/// "p.payment_index, p.payment_hash, ...": for a SELECT FROM payments p.
[[nodiscard]] const std::string& select_payment();
/// "a.payment_index, ..., s.node, ...": for a SELECT FROM attempts a LEFT JOIN switches s ON s.id = a.switch_id.
[[nodiscard]] const std::string& select_attempt();

/// "INSERT INTO payments (...) VALUES (?1, ?2, ...)", the parameters in the order of `columns`.
[[nodiscard]] std::string insert_payment(std::initializer_list<PaymentColumn> columns);
[[nodiscard]] std::string insert_attempt(std::initializer_list<AttemptColumn> columns);

/// The current row of a query whose SELECT list has all columns of a table, starting at number `first`.
template <typename Column> class ColumnsOf {
 public:
  explicit ColumnsOf(Query& row, int first = 0) : row_(&row), first_(first) {}
  /// The query, with this column as the next one to read.
  [[nodiscard]] Query& operator[](Column column) const {
    row_->seek(first_ + static_cast<int>(column));
    return *row_;
  }

 private:
  Query* row_;
  int first_;
};

}  // namespace paytower::db
