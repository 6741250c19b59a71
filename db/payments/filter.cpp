// The status of a payment and all other conditions as SQL.
#include "db/payments/filter.h"

#include <algorithm>

namespace paytower::db {

namespace {

#define HAS_OPEN "EXISTS (SELECT 1 FROM attempts o WHERE o.payment_index = p.payment_index AND o.outcome IS NULL)"

/// Payment::status() in SQL.
std::string status_condition(PaymentStatus status) {
  switch (status) {
    case PaymentStatus::initiated:
      return "(p.ended_ns IS NULL AND NOT EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index))";
    case PaymentStatus::in_flight:
      return "(p.ended_ns IS NULL AND EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index) OR "
             "p.preimage IS NULL AND p.late_preimage IS NULL AND " HAS_OPEN ")";
    case PaymentStatus::succeeded: return "(p.preimage IS NOT NULL OR p.late_preimage IS NOT NULL)";
    case PaymentStatus::failed:
      return "(p.fail_reason IS NOT NULL AND p.late_preimage IS NULL AND p.end_note IS NULL AND NOT " HAS_OPEN ")";
    case PaymentStatus::unknown:
      return "(p.end_note IS NOT NULL AND p.preimage IS NULL AND p.late_preimage IS NULL AND NOT " HAS_OPEN ")";
  }
  return "0";
}

bool is_open(PaymentStatus status) { return status == PaymentStatus::initiated || status == PaymentStatus::in_flight; }

}  // namespace

std::string conditions(const PaymentFilter& filter) {
  std::string sql;
  if (!filter.statuses.empty()) {
    // This condition is added so that the index of unfinished payments can be used: everything open is in it, except in
    // a damaged file.
    if (!filter.damaged && std::all_of(filter.statuses.begin(), filter.statuses.end(), is_open))
      sql += " AND p.ended_ns IS NULL";
    sql += " AND (";
    for (std::size_t i = 0; i < filter.statuses.size(); ++i)
      sql += (i == 0 ? "" : " OR ") + status_condition(filter.statuses[i]);
    sql += ")";
  }
  // Its tries are few, and found by read_tries: here they are in order.
  if (filter.hash) sql += " AND +p.payment_hash = ?";
  if (filter.label) sql += " AND p.shown_label = ?";
  if (filter.since) sql += " AND p.created_ns >= ?";
  if (filter.until) sql += " AND p.created_ns < ?";
  // The index of labels would give the rows in another order. To a bare parameter SQLite would compile it each time.
  if (filter.label_pattern) sql += " AND +p.shown_label GLOB (? || '')";
  if (filter.search)
    sql += " AND (p.amount_msat IN (?, ?) OR says(?, p.shown_label, p.invoice, p.destination, p.payment_hash))";
  return sql;
}

void bind_filter(Query& statement, const PaymentFilter& filter) {
  if (filter.hash) statement.bind(*filter.hash);
  if (filter.label) statement.bind(*filter.label);
  if (filter.since) statement.bind(*filter.since);
  if (filter.until) statement.bind(*filter.until);
  if (filter.label_pattern) statement.bind(glob_of(*filter.label_pattern));
  if (filter.search) {
    const std::vector<Msat>& amounts = filter.search->amounts;
    const auto amount = [&amounts](std::size_t i) {
      return i < amounts.size() ? std::optional(amounts[i]) : std::nullopt;
    };
    statement.bind(amount(0), amount(1), lower_case(filter.search->text));
  }
}

bool only_times(const PaymentFilter& filter) {
  if (!filter.since && !filter.until) return false;
  return !filter.hash && !filter.label &&
         (filter.statuses.empty() ||
          std::count(filter.statuses.begin(), filter.statuses.end(), PaymentStatus::succeeded) != 0);
}

}  // namespace paytower::db
