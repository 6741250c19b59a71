// What the store keeps of attempts that are handed over to lnd.
#include "tests/model/lnd_world.h"
#include "tests/model/store.h"

namespace paytower::lnd_model {

void check_new_id(const Config& /*config*/, const State& state, unsigned /*slot*/, const Attempt& attempt) {
  const PaymentHash hash = key_of(state.store, foreign).hash;
  if (number_of(state.store, AttemptKey{hash, *attempt.id, attempt.part}) != 0)
    throw Violation{"R12: an attempt id is used again"};
}

std::optional<Errc> commit(const Config& config, const Mutation& /*mutation*/, State& state, unsigned slot,
                           const std::vector<Write>& writes) {
  return commit_writes(config, state, slot, writes);
}

}  // namespace paytower::lnd_model
