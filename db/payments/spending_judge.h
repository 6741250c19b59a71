// The limits over all payments, judged in the very transaction that would record one more.
#pragma once

#include <cstdint>
#include <optional>

#include "core/payment/spending.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

class SpendingJudge {
 public:
  explicit SpendingJudge(Connection& connection) : connection_(connection) {}

  void set(const SpendingLimits& allowed) { allowed_ = allowed; }
  /// Throws the refusal (Errc::policy) of a payment that is over a limit; one that is not counts from now on.
  void refuse_over_limits(const PaymentRequest& request);
  /// A payment that had failed has paid after all.
  void count_anew() { day_.reset(); }
  /// What the payments that began in the day before `now` have paid or may still pay.
  [[nodiscard]] Msat spent_in_day(UnixNs now);

 private:
  /// What the payments that began after `from` have paid or may still pay, as it was at this version of the file. Too
  /// much at most: payments that failed since, or were undone with their savepoint, are still in it.
  struct DaySum {
    UnixNs from;
    std::uint64_t version = 0;
    Msat sum;
  };

  [[nodiscard]] Msat spent_after(UnixNs from);

  Connection& connection_;
  SpendingLimits allowed_;
  std::optional<DaySum> day_;
};

}  // namespace paytower::db
