// An item as bytes and back. All times are 0: what is due is a move of its own.
#include <cstring>

#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

constexpr MonoNs a_minute_later{60 * ns_per_second};

bool has(std::uint8_t set, unsigned id) { return (set & bit(id)) != 0; }

LookState look_of(const ItemBytes& bytes) {
  const std::optional<MonoNs> wanted = bytes.look_wanted != 0 ? std::optional(MonoNs{}) : std::nullopt;
  const MonoNs asked = bytes.look_late != 0 ? a_minute_later : MonoNs{};
  if (bytes.looking != 0) return LookAsked{asked, bytes.look_outdated != 0, wanted};
  if (wanted) return LookWanted{*wanted};
  return NoLook{};
}

void keep_look(ItemBytes& bytes, const LookState& look) {
  const auto* asked = std::get_if<LookAsked>(&look);
  bytes.looking = asked != nullptr ? 1 : 0;
  if (asked == nullptr) bytes.look_late = 0;
  bytes.look_outdated = asked != nullptr && asked->outdated ? 1 : 0;
  bytes.look_wanted = std::holds_alternative<LookWanted>(look) || (asked != nullptr && asked->again) ? 1 : 0;
}

/// Copies are counted only if this process drew the id: otherwise it is never an only copy (R3).
std::vector<HandoverRecord> handovers_of(const Config& config, const Names& names, const ItemBytes& bytes) {
  std::vector<HandoverRecord> records;
  const unsigned known = bytes.drawn | bytes.unanswered | bytes.querying | bytes.orphans | bytes.barred;
  for (unsigned id = 1; known != 0 && id <= most_ids; ++id) {
    if ((known & bit(id)) == 0) continue;
    HandoverRecord& record = records.emplace_back(HandoverRecord{key_of(config, names, id)});
    record.drawn_here = has(bytes.drawn, id);
    record.copies = has(bytes.sent_more, id) ? 2 : has(bytes.sent_once, id) ? 1 : 0;
    if (has(bytes.unanswered, id)) record.unanswered = MonoNs{};
    record.querying = has(bytes.querying, id);
    if (has(bytes.orphans, id)) record.orphan_since = MonoNs{};
    if (has(bytes.barred, id)) record.barred = MonoNs{};
  }
  return records;
}

void keep_handovers(const Config& config, const Names& names, ItemBytes& bytes,
                    const std::vector<HandoverRecord>& records) {
  bytes.drawn = bytes.sent_once = bytes.sent_more = bytes.unanswered = bytes.querying = 0;
  bytes.orphans = bytes.barred = 0;
  for (const HandoverRecord& record : records) {
    const unsigned number = number_of(config, names, record.key);
    if (number == 0) continue;  // planned and never recorded
    const std::uint8_t id = bit(number);
    if (record.drawn_here) bytes.drawn |= id;
    if (record.drawn_here && record.copies == 1) bytes.sent_once |= id;
    if (record.drawn_here && record.copies > 1) bytes.sent_more |= id;
    if (record.unanswered) bytes.unanswered |= id;
    if (record.querying) bytes.querying |= id;
    if (record.orphan_since) bytes.orphans |= id;
    if (record.barred) bytes.barred |= id;
  }
}

void keep_backlog(const Config& config, const Names& names, ItemBytes& bytes, const Item& item) {
  if (item.backlog.size() > most_events) throw Violation{"more events at once than the model holds"};
  bytes.events = static_cast<std::uint8_t>(item.backlog.size());
  bytes.backlog = {};
  for (unsigned i = 0; i < bytes.events; ++i) bytes.backlog[i] = code_of(config, names, item.backlog[i]);
}

std::optional<RouteAsked> question_of(const ItemBytes& bytes) {
  if (bytes.asking == 0) return std::nullopt;
  const auto beside = [](std::uint8_t round) { return round != 0 ? std::optional(AttemptId{round}) : std::nullopt; };
  RouteAsked asked{AskRoutes{beside(bytes.asked_round)}};
  asked.outdated = bytes.asking == 2;
  if (bytes.ask_again != 0) asked.again = AskRoutes{beside(bytes.ask_again_round)};
  return asked;
}

void keep_question(ItemBytes& bytes, const std::optional<RouteAsked>& asked) {
  const auto round = [](const AskRoutes& ask) {
    return ask.beside_orphans ? static_cast<std::uint8_t>(ask.beside_orphans->value) : std::uint8_t{0};
  };
  bytes.asking = !asked ? 0 : asked->outdated ? 2 : 1;
  bytes.asked_round = asked ? round(asked->wanted) : std::uint8_t{0};
  bytes.ask_again = asked && asked->again ? 1 : 0;
  bytes.ask_again_round = asked && asked->again ? round(*asked->again) : std::uint8_t{0};
  if (!asked) bytes.asked_units = bytes.asked_parts = 0;
}

/// The payment in memory must be the stored one; only its stop wish may be older.
void check_memory(const Config& config, const Store& store, unsigned slot, const Payment& payment) {
  if (store.tries[slot].stand != RowStand::stored) return;
  Store seen = store;
  store_payment(config, seen, slot, payment);
  seen.tries[slot].stop = store.tries[slot].stop;
  if (std::memcmp(&seen, &store, sizeof seen) != 0) throw Violation{"the payment in memory is not the stored one"};
}

}  // namespace

Item item_of(const Config& config, const State& state, unsigned slot) {
  const ItemBytes& bytes = state.process.items[slot];
  Item item;
  item.payment = payment_of(config, state.store, slot, bytes.known_stop);
  item.look = look_of(bytes);
  item.route = question_of(bytes);
  item.handovers = handovers_of(config, state.store.names, bytes);
  item.marks = marks_of(bytes.marks);
  for (unsigned i = 0; i < bytes.events; ++i) item.backlog.push_back(event_of(config, state, bytes.backlog[i]));
  item.deadline_told = bytes.deadline_told != 0;
  return item;
}

void keep_item(const Config& config, State& state, unsigned slot, const Item& item) {
  ItemBytes& bytes = state.process.items[slot];
  const Names& names = state.store.names;
  check_memory(config, state.store, slot, item.payment);
  const auto& stop = item.payment.stop_reason;
  bytes.known_stop = stop ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*stop)) : std::uint8_t{0};
  keep_look(bytes, item.look);
  keep_question(bytes, item.route);
  keep_handovers(config, names, bytes, item.handovers);
  bytes.marks = mark_bytes(item.marks);
  keep_backlog(config, names, bytes, item);
  bytes.deadline_told = item.deadline_told ? 1 : 0;
}

}  // namespace paytower::cln_model
