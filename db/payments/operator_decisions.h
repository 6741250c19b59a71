// Stores what the operator has decided, inside the transaction that does it.
#pragma once

#include "core/base/require.h"
#include "db/payments/admin.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

/// REQUIRES: a write transaction is open.
inline void insert_decision(Connection& connection, OperatorDecision decision, const std::optional<PaymentHash>& hash,
                            const Operator& by) {
  require(in_transaction(connection.database()), "a write transaction is open");
  Query insert =
      connection.prepared("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (?1, ?2, ?3, ?4)");
  insert.bind(by.at, static_cast<int>(decision), hash, by.user);
  insert.run();
}

}  // namespace paytower::db
