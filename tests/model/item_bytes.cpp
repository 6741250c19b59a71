// An item as bytes and back. All times are 0: what is due is a move of its own.
#include <cstring>

#include "tests/model/world.h"

namespace paytower::model {

namespace {

bool has(std::uint8_t set, unsigned id) { return (set & bit(id)) != 0; }

LookState look_of(const ItemBytes& bytes) {
  const std::optional<MonoNs> wanted = bytes.look_wanted != 0 ? std::optional(MonoNs{}) : std::nullopt;
  if (bytes.looking != 0) return LookAsked{MonoNs{}, bytes.look_outdated != 0, wanted};
  if (wanted) return LookWanted{*wanted};
  return NoLook{};
}

void keep_look(ItemBytes& bytes, const LookState& look) {
  const auto* asked = std::get_if<LookAsked>(&look);
  bytes.looking = asked != nullptr ? 1 : 0;
  bytes.look_outdated = asked != nullptr && asked->outdated ? 1 : 0;
  bytes.look_wanted = std::holds_alternative<LookWanted>(look) || (asked != nullptr && asked->again) ? 1 : 0;
}

/// Copies of an id that another process drew are not counted: it is no only copy whatever their number (R3).
std::vector<HandoverRecord> handovers_of(const Config& config, const ItemBytes& bytes) {
  std::vector<HandoverRecord> records;
  const unsigned known = bytes.drawn | bytes.unanswered | bytes.querying;
  for (unsigned id = 1; known != 0 && id <= most_ids; ++id) {
    if ((known & bit(id)) == 0) continue;
    HandoverRecord& record = records.emplace_back(HandoverRecord{key_of(config, id)});
    record.drawn_here = has(bytes.drawn, id);
    record.copies = has(bytes.sent_more, id) ? 2 : has(bytes.sent_once, id) ? 1 : 0;
    if (has(bytes.unanswered, id)) record.unanswered = MonoNs{};
    record.querying = has(bytes.querying, id);
  }
  return records;
}

void keep_handovers(ItemBytes& bytes, const std::vector<HandoverRecord>& records) {
  bytes.drawn = bytes.sent_once = bytes.sent_more = bytes.unanswered = bytes.querying = 0;
  for (const HandoverRecord& record : records) {
    const std::uint8_t id = bit(static_cast<unsigned>(record.key.id.value));
    if (record.drawn_here) bytes.drawn |= id;
    if (record.drawn_here && record.copies == 1) bytes.sent_once |= id;
    if (record.drawn_here && record.copies > 1) bytes.sent_more |= id;
    if (record.unanswered) bytes.unanswered |= id;
    if (record.querying) bytes.querying |= id;
  }
}

void keep_backlog(ItemBytes& bytes, const Item& item) {
  if (item.backlog.size() > most_events) throw Violation{"more events at once than the model holds"};
  bytes.events = static_cast<std::uint8_t>(item.backlog.size());
  bytes.backlog = {};
  for (unsigned i = 0; i < bytes.events; ++i) bytes.backlog[i] = code_of(item.backlog[i], item.payment.request.hash);
}

/// Only the stop wish may lag behind.
void check_memory(const Store& store, unsigned slot, const Payment& payment) {
  if (store.tries[slot].stand != RowStand::stored) return;
  Store seen = store;
  store_payment(seen, slot, payment);
  seen.tries[slot].stop = store.tries[slot].stop;
  if (std::memcmp(&seen, &store, sizeof seen) != 0) throw Violation{"the payment in memory is not the stored one"};
}

}  // namespace

Item item_of(const Config& config, const State& state, unsigned slot) {
  const ItemBytes& bytes = state.process.items[slot];
  Item item;
  item.payment = payment_of(config, state.store, slot, bytes.known_stop);
  item.look = look_of(bytes);
  if (bytes.asking != 0) item.route.emplace();
  item.handovers = handovers_of(config, bytes);
  item.marks = marks_of(bytes.marks);
  for (unsigned i = 0; i < bytes.events; ++i) item.backlog.push_back(event_of(config, bytes.backlog[i]));
  item.deadline_told = bytes.deadline_told != 0;
  return item;
}

void keep_item(State& state, unsigned slot, const Item& item) {
  ItemBytes& bytes = state.process.items[slot];
  check_memory(state.store, slot, item.payment);
  const auto& stop = item.payment.stop_reason;
  bytes.known_stop = stop ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*stop)) : std::uint8_t{0};
  keep_look(bytes, item.look);
  bytes.asking = item.route ? 1 : 0;
  keep_handovers(bytes, item.handovers);
  bytes.marks = mark_bytes(item.marks);
  keep_backlog(bytes, item);
  bytes.deadline_told = item.deadline_told ? 1 : 0;
}

}  // namespace paytower::model
