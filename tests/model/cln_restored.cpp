// resolve --restored: cli/commands/restored.cpp around the real plan_adoption.
#include "core/driver/restored.h"

#include <algorithm>
#include <utility>

#include "tests/lifecycle/states.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

void adopt_restored(const Config& config, const Mutation& mutation, State& state) {
  const cln::NodeLists look = look_result(config, state, state.node.seen);
  std::vector<OwnRow> rows;
  for (const SwitchRow& row : look.rows) {
    if (row.label.empty()) continue;
    rows.push_back(OwnRow{look.hash, row, {}, test::created});
    rows.back().row.destination = test::node_key(2);
  }
  std::vector<PaymentHash> known;
  if (newest(state.store.tries) || state.store.guard != 0) known.push_back(look.hash);
  const AdoptionPlan plan = plan_adoption(rows, known, store_name(), switch_key(), test::created);
  const auto free_slot = std::find_if(state.store.tries.begin(), state.store.tries.end(),
                                      [](const StoredTry& one) { return one.stand == RowStand::unused; });
  if (!plan.adoptions.empty() && free_slot != state.store.tries.end()) {
    const auto slot = static_cast<unsigned>(free_slot - state.store.tries.begin());
    // These ids are ours already, so the ghost that looks for reused ids must not count them as new.
    const std::uint8_t used = std::exchange(state.used, std::uint8_t{0});
    const std::uint8_t paid = std::exchange(state.paid, std::uint8_t{0});
    if (!commit(config, mutation, state, slot, plan.adoptions.front().writes)) state.deadlines |= bit(slot);
    state.used |= used;
    state.paid |= paid;
  }
  state.store.deleted_up_to = std::max(state.store.deleted_up_to, static_cast<std::uint8_t>(plan.highest.value));
}

}  // namespace paytower::cln_model
