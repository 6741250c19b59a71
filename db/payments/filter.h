// The conditions of a filter in SQL, so that the indexes are used.
#pragma once

#include <string>

#include "db/payments/query.h"

namespace paytower::db {

/// The conditions as SQL. Their parameters follow in the order of bind_filter.
[[nodiscard]] std::string conditions(const PaymentFilter& filter);
void bind_filter(Query& statement, const PaymentFilter& filter);

/// Only times restrict the rows. (Labels and most statuses have an index of their own.)
[[nodiscard]] bool only_times(const PaymentFilter& filter);

}  // namespace paytower::db
