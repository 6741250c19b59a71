// Rows of `payments` and `attempts` as the types of the domain.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/payment/payment.h"
#include "db/payments/columns.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

using PaymentColumns = ColumnsOf<PaymentColumn>;
using AttemptColumns = ColumnsOf<AttemptColumn>;

/// The current row of select_payment(), without attempts. Throws BadValue.
[[nodiscard]] Payment read_payment(const PaymentColumns& row);

/// The current row of select_attempt(), and the payment that it belongs to. Throws BadValue.
struct AttemptRow {
  PaymentIndex payment;
  Attempt attempt;
};
[[nodiscard]] AttemptRow read_attempt(const AttemptColumns& row, bool omit_hops);

/// R7, again when reading: BadValue if a preimage of the payment or of its attempts proves nothing.
void check_proofs(const Payment& payment);

/// One payment with its attempts. Throws BadValue.
[[nodiscard]] std::optional<Payment> load_payment(Connection& connection, PaymentIndex index, bool omit_hops);

/// An id as its column has it.
[[nodiscard]] constexpr std::int64_t bits(AttemptId id) { return static_cast<std::int64_t>(id.value); }
[[nodiscard]] constexpr std::optional<std::int64_t> bits(const std::optional<AttemptId>& id) {
  return id ? std::optional(bits(*id)) : std::nullopt;
}
/// 8 bytes for each channel, big-endian; nothing if there are none.
[[nodiscard]] std::optional<Bytes> encode_channels(const std::vector<ShortChannelId>& channels);
/// Each route, with its length in 4 bytes before it; nothing if there are none.
[[nodiscard]] std::optional<Bytes> encode_routes(const std::vector<Route>& routes);

}  // namespace paytower::db
