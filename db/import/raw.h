// What of imported records no column has a place for, as `imported_raw` keeps it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "db/import/lnd/kv_types.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

inline constexpr std::size_t max_imported_raw = 16;  ///< entries of one payment that are read; an import writes one

struct ImportedRaw {
  std::string what;  ///< "lnd payment", "lnd sql payment", "lnd outgoing payment"
  std::size_t bytes = 0;
  std::optional<lnd::KvPayment> payment;  ///< the record, where it can be decoded
};

/// Those of a payment, in order. For a reader; throws SQLite::Exception.
[[nodiscard]] std::vector<ImportedRaw> imported_raw_of(Connection& connection, PaymentIndex index,
                                                       const PaymentHash& hash);

}  // namespace paytower::db
