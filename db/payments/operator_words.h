// One row of what the operator said, inside the transaction of the deed.
#pragma once

#include "db/payments/admin.h"

namespace paytower::db {

/// REQUIRES: a write transaction is open.
inline void insert_word(Connection& connection, OperatorWord word, const std::optional<PaymentHash>& hash, const Speaker& speaker) {
  Query insert = connection.prepared("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (?1, ?2, ?3, ?4)");
  insert.bind(speaker.at, static_cast<int>(word), hash, speaker.user);
  insert.run();
}

}  // namespace paytower::db
