// The arithmetic of fees and time locks (BOLT 7).
#include "core/payment/policy.h"

namespace paytower {

ForwardingPolicy policy_of(const HintHop& hop) {
  return {hop.fee_base_msat, hop.fee_proportional_millionths, hop.cltv_expiry_delta};
}

std::optional<Msat> forwarding_fee(const ForwardingPolicy& policy, Msat amount) {
  constexpr std::uint64_t million = 1'000'000;
  // amount * ppm does not fit into 64 bits, so the amount is split. A fee above all bitcoin cannot be paid by anyone.
  const std::uint64_t whole = amount.value() / million;
  const std::uint64_t rest = amount.value() % million;
  const std::uint64_t ppm = policy.fee_proportional_millionths;
  if (whole != 0 && ppm > Msat::max_value / whole) return std::nullopt;
  return Msat::from(whole * ppm + rest * ppm / million + policy.fee_base_msat);
}

std::optional<Carried> carried_before(const ForwardingPolicy& policy, const Carried& out) {
  const auto fee = forwarding_fee(policy, out.amount);
  const auto amount = fee ? checked_add(out.amount, *fee) : std::nullopt;
  if (!amount) return std::nullopt;
  return Carried{*amount, out.delay + policy.cltv_delta};
}

}  // namespace paytower
