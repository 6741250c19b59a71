// Reads `imported_raw`, and decodes it where possible.
#include "db/import/raw.h"

#include "db/import/lnd/kv_payments.h"
#include "db/import/lnd/sql_rows.h"
#include "db/sqlite/reading.h"

namespace paytower::db {

Result<std::vector<ImportedRaw>> imported_raw_of(Connection& connection, PaymentIndex index, const PaymentHash& hash) {
  return reading(connection, [&] {
    std::vector<ImportedRaw> all;
    Query row =
        connection.prepared("SELECT what, data FROM imported_raw WHERE payment_index = ?1 ORDER BY id LIMIT ?2");
    row.bind(index, static_cast<std::int64_t>(max_imported_raw));
    while (row.step()) {
      ImportedRaw& raw = all.emplace_back();
      raw.what = row.text();
      const Bytes data = row.maybe_blob().value_or(Bytes{});
      raw.bytes = data.size();
      if (raw.what == "lnd payment") raw.payment = lnd::decode_kept_payment(data, hash);
      if (raw.what == "lnd sql payment") raw.payment = lnd::decode_kept_sql_payment(data, hash);
    }
    return all;
  });
}

}  // namespace paytower::db
