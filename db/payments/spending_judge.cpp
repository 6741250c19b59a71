// Sums what a day's payments may cost, and refuses what goes over.
#include "db/payments/spending_judge.h"

#include <algorithm>
#include <utility>

#include "core/base/refuse.h"

namespace paytower::db {

namespace {

UnixNs day_before(UnixNs now) { return UnixNs{std::max(now.value, INT64_MIN + spending_day_ns) - spending_day_ns}; }

}  // namespace

/// What was called failed by hand may still pay, and what `delete` took away was paid.
Msat SpendingJudge::spent_after(UnixNs from) {
  Query row = connection_.prepared(
      "SELECT amount_msat FROM payments INDEXED BY payments_created WHERE created_ns > ?1 AND provenance = 0 AND "
      "(fail_reason IS NULL OR late_preimage IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = "
      "payments.payment_index AND a.outcome = 3)) "
      "UNION ALL SELECT amount_msat FROM hash_guards WHERE kind = 3 AND since_ns > ?1 AND amount_msat IS NOT NULL");
  row.bind(from);
  Msat sum;
  while (row.step()) sum = checked_add(sum, row.msat()).value_or(Msat::of(Msat::max_value));
  return sum;
}

Msat SpendingJudge::spent_in_day(UnixNs now) { return spent_after(day_before(now)); }

void SpendingJudge::refuse_over_limits(const PaymentRequest& request) {
  if (auto over = over_limit(allowed_, request)) refuse(*std::move(over));
  if (!allowed_.max_day) return;
  const UnixNs from = day_before(request.created);
  const std::uint64_t version = connection_.data_version();
  bool counted = false;
  if (!day_ || day_->version != version || day_->from > from)
    day_ = DaySum{from, version, spent_after(from)}, counted = true;
  if (!counted && over_day(allowed_, request, day_->sum)) day_ = DaySum{from, version, spent_after(from)};
  if (auto over = over_day(allowed_, request, day_->sum)) refuse(*std::move(over));
  day_->sum = checked_add(day_->sum, request.demand.amount).value_or(Msat::of(Msat::max_value));
}

}  // namespace paytower::db
