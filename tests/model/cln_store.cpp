// What the store keeps of attempts that are handed over to a Core Lightning node, and its deletions.
#include "tests/lifecycle/states.h"
#include "tests/model/cln_world.h"
#include "tests/model/store.h"

namespace paytower::cln_model {

std::optional<GuardKind> guard_of(const Store& store) {
  if (store.guard == 0) return std::nullopt;
  return static_cast<GuardKind>(store.guard);
}

void check_new_id(const Config& config, const State& state, unsigned slot, const Attempt& attempt) {
  const Store& store = state.store;
  const bool begins = !has_parts(config) || begins_round(store, slot, attempt);
  for (unsigned number = 1; number <= most_ids; ++number) {
    if ((state.used & bit(number)) == 0 || round_of(store, number) != attempt.id->value) continue;
    if (begins || store.names[number].part == attempt.part) throw Violation{"R12: an attempt id is used again"};
    if (store.attempts[number].outcome == Outcome::given_back && has_open(store, slot))
      throw Violation{"parts: added to a set that the payee gives back"};
  }
}

std::optional<Errc> commit(const Config& config, const Mutation& mutation, State& state, unsigned slot,
                           const std::vector<Write>& writes) {
  if (const auto why = commit_writes(config, state, slot, writes, mutation.init_unchecked)) return why;
  for (const Write& write : writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      state.used |= bit(number_of(state.store, test::key_of(*made->attempt.id, made->attempt.part)));
  }
  if (!has_open(state.store, slot)) state.aged = static_cast<std::uint8_t>(state.aged & ~bit(slot));
  return std::nullopt;
}

bool begins_round(const Store& store, unsigned slot, const Attempt& attempt) {
  for (unsigned number = 1; number <= most_ids; ++number) {
    const StoredAttempt& other = store.attempts[number];
    const bool goes_on = other.outcome == Outcome::open || other.outcome == Outcome::never_sent;
    if (goes_on && other.owner == slot && round_of(store, number) == attempt.id->value) return false;
  }
  return true;
}

/// Triggers payments_delete_paid, payments_delete_unknown, attempts_deleted.
void delete_try(const Mutation& mutation, Store& store, unsigned slot) {
  StoredTry& one = store.tries[slot];
  const auto paid = static_cast<std::uint8_t>(GuardKind::paid_deleted);
  if (!mutation.delete_forgets) {
    if (one.proof != Proof::none) store.guard = paid;
    if (one.note != 0 && one.proof == Proof::none && store.guard != paid)
      store.guard = static_cast<std::uint8_t>(GuardKind::written_off);
  }
  one = StoredTry{RowStand::deleted, 0, 0, Proof::none, 0, 0};
  for (unsigned id = 1; id <= most_ids; ++id) {
    StoredAttempt& attempt = store.attempts[id];
    if (attempt.outcome == Outcome::absent || attempt.owner != slot) continue;
    attempt = StoredAttempt{};
    const auto round = static_cast<std::uint8_t>(round_of(store, id));
    if (!mutation.delete_forgets) store.deleted_up_to = std::max(store.deleted_up_to, round);
  }
}

std::uint8_t known_ids(const Store& store) {
  std::uint8_t known = 0;
  for (unsigned id = 1; id <= most_ids; ++id) {
    if (store.attempts[id].outcome != Outcome::absent) known |= bit(id);
  }
  return known;
}

}  // namespace paytower::cln_model
