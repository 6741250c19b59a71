// The writes of the lifecycle as SQL.
#pragma once

#include "core/driver/ports.h"
#include "db/payments/spending_judge.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Stores all writes of one payment, or none: a refusal undoes them and is the result. REQUIRES: a write transaction is
/// open.
[[nodiscard]] Result<Stored> store_writes(Connection& connection, SpendingJudge& judge, const PaymentWrites& entry);

}  // namespace paytower::db
