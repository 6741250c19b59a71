// The limits that the operator sets for all payments: which of them a payment would break.
#include "core/payment/spending.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/amount_text.h"

namespace paytower {

namespace {

constexpr std::uint64_t million = 1'000'000;  ///< in ppm

Error refused(const PaymentRequest& request, const std::string& why) {
  return Error{Errc::policy, fmt::format("{}; nothing was sent", why), "paytower config", request.hash};
}

}  // namespace

// Amounts are below 2^61, so that the product of the quotient stays below 2^64 for every ppm of a whole or less.
std::optional<Msat> highest_fee_limit(const SpendingLimits& allowed, Msat amount) {
  if (!allowed.max_fee_ppm) return std::nullopt;
  const std::uint64_t ppm = std::min<std::uint64_t>(*allowed.max_fee_ppm, million);
  return Msat::of(amount.value() / million * ppm + amount.value() % million * ppm / million);
}

std::optional<Error> over_limit(const SpendingLimits& allowed, const PaymentRequest& request) {
  const RouteDemand& demand = request.demand;
  if (allowed.max_amount && demand.amount > *allowed.max_amount) {
    return refused(request, fmt::format("max-amount of the config file allows {} for a payment, this one is {}",
                                        sat_text(*allowed.max_amount), sat_text(demand.amount)));
  }
  const auto highest = highest_fee_limit(allowed, demand.amount);
  if (!highest || demand.fee_limit <= *highest) return std::nullopt;
  return refused(request, fmt::format("max-fee-ppm of the config file allows a fee limit of {}, this one is {}",
                                      sat_text(*highest), sat_text(demand.fee_limit)));
}

std::optional<Error> over_day(const SpendingLimits& allowed, const PaymentRequest& request, Msat spent) {
  if (!allowed.max_day) return std::nullopt;
  const auto sum = checked_add(spent, request.demand.amount);
  if (sum && *sum <= *allowed.max_day) return std::nullopt;
  return refused(request,
                 fmt::format("max-day of the config file allows {} in 24 hours, {} are paid or under way, this "
                             "payment is {}",
                             sat_text(*allowed.max_day), sat_text(spent), sat_text(request.demand.amount)));
}

}  // namespace paytower
