// An item as bytes and back. All times are 0: what is due is a move of its own.
#pragma once

#include <cstring>

#include "tests/model/world.h"

namespace paytower::model {

[[nodiscard]] LookState look_of(const ItemBytes& bytes);
void keep_look(ItemBytes& bytes, const LookState& look);
[[nodiscard]] std::optional<RouteAsked> question_of(const ItemBytes& bytes);
void keep_question(ItemBytes& bytes, const std::optional<RouteAsked>& asked);
void read_handover(const ItemBytes& bytes, unsigned number, HandoverRecord& record);
void keep_handover(const HandoverRecord& record, unsigned number, bool counted, ItemBytes& bytes);

template <typename Store>
[[nodiscard]] std::vector<HandoverRecord> handovers_of(const Store& store, const ItemBytes& bytes) {
  std::vector<HandoverRecord> records;
  const unsigned known = bytes.drawn | bytes.unanswered | bytes.querying | bytes.orphans | bytes.barred;
  for (unsigned number = 1; known != 0 && number <= Store::most; ++number) {
    if ((known & bit(number)) == 0) continue;
    read_handover(bytes, number, records.emplace_back(HandoverRecord{key_of(store, number)}));
  }
  return records;
}

template <typename Store>
void keep_handovers(const Store& store, ItemBytes& bytes, const std::vector<HandoverRecord>& records) {
  bytes.drawn = bytes.sent_once = bytes.sent_more = bytes.unanswered = bytes.querying = 0;
  bytes.orphans = bytes.barred = 0;
  for (const HandoverRecord& record : records) {
    const unsigned number = number_of(store, record.key);
    if (number == 0) continue;  // planned and never recorded
    keep_handover(record, number, record.drawn_here || Store::counts_every_copy, bytes);
  }
}

/// The payment in memory must be the stored one; only its stop wish may be older.
template <typename Store> void check_memory(const Store& store, unsigned slot, const Payment& payment) {
  if (store.tries[slot].stand != RowStand::stored) return;
  Store seen = store;
  store_payment(seen, slot, payment);
  seen.tries[slot].stop = store.tries[slot].stop;
  if (std::memcmp(&seen, &store, sizeof seen) != 0) throw Violation{"the payment in memory is not the stored one"};
}

template <typename Config, typename State>
[[nodiscard]] Item item_of(const Config& config, const State& state, unsigned slot) {
  const ItemBytes& bytes = state.process.items[slot];
  Item item;
  item.payment = payment_of(config, state.store, slot, bytes.known_stop);
  item.look = look_of(bytes);
  item.route = question_of(bytes);
  item.handovers = handovers_of(state.store, bytes);
  item.marks = node_marks(state, bytes.marks);
  for (unsigned i = 0; i < bytes.events; ++i) item.backlog.push_back(event_of(state, bytes.backlog[i]));
  item.deadline_told = bytes.deadline_told != 0;
  return item;
}

/// The inverse, for what the driver's functions may change; the model's own bytes stay. Throws Violation when the
/// payment in memory is not the one that is stored.
template <typename State> void keep_item(State& state, unsigned slot, const Item& item) {
  ItemBytes& bytes = state.process.items[slot];
  check_memory(state.store, slot, item.payment);
  bytes.known_stop = reason_byte(item.payment.stop_reason);
  keep_look(bytes, item.look);
  keep_question(bytes, item.route);
  keep_handovers(state.store, bytes, item.handovers);
  keep_node_marks(state, item.marks, bytes.marks);
  if (item.backlog.size() > most_events) throw Violation{"more events at once than the model holds"};
  bytes.events = static_cast<std::uint8_t>(item.backlog.size());
  bytes.backlog = {};
  for (unsigned i = 0; i < bytes.events; ++i) bytes.backlog[i] = code_of(state.store, item.backlog[i]);
  bytes.deadline_told = item.deadline_told ? 1 : 0;
}

}  // namespace paytower::model
