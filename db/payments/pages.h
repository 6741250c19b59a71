// Finds and reads the rows of a page, with as few others as the indexes allow.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "db/payments/query.h"

namespace paytower::db {

using Row = std::variant<Payment, BadRow>;
[[nodiscard]] PaymentIndex index_of(const Row& row);

struct Rows {
  std::vector<Row> rows;  ///< in the direction of the page
  bool more = false;      ///< there are more after them
};

struct IndexRange {
  std::int64_t first = 0;
  std::int64_t last = INT64_MAX;
};

/// The indexes that a page may be of.
[[nodiscard]] IndexRange range_of_page(const PageRequest& request);

/// At most `max` rows of the page. Throws the refusals of reading().
[[nodiscard]] Rows read_page(Connection& connection, const PageRequest& request, std::size_t max);

/// The tries of one hash, each read by itself.
[[nodiscard]] Rows read_tries(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range);

}  // namespace paytower::db
