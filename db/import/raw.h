// What no column has a place for in imported records, as `imported_raw` keeps it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "db/import/lnd/kv_types.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

inline constexpr std::size_t max_imported_raw = 16;  ///< how many entries of a payment are read; an import writes one

struct ImportedRaw {
  std::string what;  ///< "lnd payment", "lnd sql payment", "lnd outgoing payment"
  std::size_t bytes = 0;
  std::optional<lnd::KvPayment> payment;  ///< the record, if it can be decoded
};

/// The entries of a payment, in order. Refused: busy, and database for what cannot be read. Throws StoreError (R10).
[[nodiscard]] Result<std::vector<ImportedRaw>> imported_raw_of(Connection& connection, PaymentIndex index,
                                                               const PaymentHash& hash);

}  // namespace paytower::db
