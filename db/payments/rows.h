// Rows of `payments` and `attempts` as the domain's types: the one place that knows their columns.
#pragma once

#include <optional>
#include <vector>

#include "core/payment/payment.h"
#include "db/sqlite/connection.h"

// Column lists of the SELECTs that the readers below take apart, in their order.
#define PAYTOWER_PAYMENT_COLUMNS                                                                                  \
  "p.payment_index, p.payment_hash, p.amount_msat, p.created_ns, p.deadline_ns, p.provenance, p.duplicate_of, "   \
  "p.destination, "                                                                                               \
  "p.fee_limit_msat, p.cltv_limit, p.final_cltv_delta, p.max_attempts, p.payment_secret, p.metadata, p.invoice, " \
  "p.network, "                                                                                                   \
  "p.label, p.outgoing_channels, p.candidate_routes, p.stop_reason, p.fail_reason, p.preimage, p.late_preimage, " \
  "p.end_note, "                                                                                                  \
  "p.ended_ns, p.amp"
#define PAYTOWER_ATTEMPT_COLUMNS                                                                                 \
  "a.payment_index, a.attempt_row, a.attempt_id, a.part, a.origin, s.node, s.network, a.mark_payments_created, " \
  "a.mark_htlcs_created, a.mark_htlcs_deleted, a.mark_movements_created, a.route, a.amount_msat, a.fee_msat, "   \
  "a.registered_ns, "                                                                                            \
  "a.total_time_lock, a.accepted_ns, a.resolved_ns, a.outcome, a.preimage, a.failure_code, a.failure_source, "   \
  "a.failure_channel, "                                                                                          \
  "a.failure_direction, a.failure_node, a.failure_message, a.switch_run, a.htlc_hash"

namespace paytower::db {

inline constexpr int payment_columns = 26;

/// The present row of PAYTOWER_PAYMENT_COLUMNS, without attempts. Throws BadValue.
[[nodiscard]] Payment read_payment(Query& row);

/// The present row of PAYTOWER_ATTEMPT_COLUMNS and the payment that it belongs to. Throws BadValue.
struct AttemptRow {
  PaymentIndex payment;
  Attempt attempt;
};
[[nodiscard]] AttemptRow read_attempt(Query& row, bool omit_hops);

/// R7, again at reading: BadValue when a preimage of the payment or of its attempts does not prove.
void check_proofs(const Payment& payment);

/// One payment with its attempts. Throws BadValue.
[[nodiscard]] std::optional<Payment> load_payment(Connection& connection, PaymentIndex index, bool omit_hops);

/// 8 bytes a channel, big-endian; nothing for none.
[[nodiscard]] std::optional<Bytes> encode_channels(const std::vector<ShortChannelId>& channels);
/// Each route with its length in 4 bytes before it; nothing for none.
[[nodiscard]] std::optional<Bytes> encode_routes(const std::vector<Route>& routes);

}  // namespace paytower::db
