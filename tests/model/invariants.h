// The rules of core/README 1 that a state of either world can break.
#pragma once

#include "tests/model/world.h"

namespace paytower::model {

/// R2: two payments of the hash that may both pay.
[[nodiscard]] std::optional<std::string> two_live(const std::array<StoredTry, most_tries>& tries);

template <typename Truths> [[nodiscard]] bool any_is(const Truths& truths, typename Truths::value_type what) {
  return std::find(truths.begin(), truths.end(), what) != truths.end();
}

/// R2, by what is stored: what has paid or may still pay. What the operator has closed does not count.
template <typename Store> [[nodiscard]] std::optional<std::string> too_much(const Store& store, unsigned slot) {
  unsigned units = 0;
  for (unsigned number = 1; number <= Store::most; ++number) {
    const auto& one = store.attempts[number];
    if (one.owner == slot && (one.outcome == Outcome::open || one.outcome == Outcome::settled))
      units += units_of(store, number);
  }
  if (units > all_units) return "R2: more is open or settled than was asked for";
  return std::nullopt;
}

/// R5, R7, R8, R9 for one try. Its status is the core's own.
template <typename Config, typename State>
[[nodiscard]] std::optional<std::string> wrong_try(const Config& config, const State& state, unsigned slot) {
  const StoredTry& one = state.store.tries[slot];
  if (one.stand != RowStand::stored) return std::nullopt;
  if (auto broken = too_much(state.store, slot)) return broken;
  const PaymentStatus status = stored_payment(config, state.store, slot).status();
  if (one.proof != Proof::none && status != PaymentStatus::succeeded)
    return "R8: a proof is stored, and the payment has not succeeded";
  using Truth = typename decltype(state.node.truth)::value_type;
  const bool paid = any_is(state.node.truth, Truth::settled);
  if (one.proof != Proof::none && !paid) return "R7: a payment is stored as paid, and nothing was paid";
  if (status == PaymentStatus::failed && has_open(state.store, slot)) return "R9: FAILED with an open attempt";
  if (one.note == static_cast<std::uint8_t>(EndNote::preimage_lost) && !paid)
    return "R5: PREIMAGE_LOST, and nothing was paid";
  return std::nullopt;
}

}  // namespace paytower::model
