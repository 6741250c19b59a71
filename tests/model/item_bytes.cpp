// What an item has in memory, as bytes and back.
#include "tests/model/item_bytes.h"

namespace paytower::model {

namespace {

constexpr MonoNs a_minute_later{60 * ns_per_second};

bool has(std::uint8_t set, unsigned number) { return (set & bit(number)) != 0; }

}  // namespace

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

void read_handover(const ItemBytes& bytes, unsigned number, HandoverRecord& record) {
  record.drawn_here = has(bytes.drawn, number);
  record.copies = has(bytes.sent_more, number) ? 2 : has(bytes.sent_once, number) ? 1 : 0;
  if (has(bytes.unanswered, number)) record.unanswered = MonoNs{};
  record.querying = has(bytes.querying, number);
  if (has(bytes.orphans, number)) record.orphan_since = MonoNs{};
  if (has(bytes.barred, number)) record.barred = MonoNs{};
}

void keep_handover(const HandoverRecord& record, unsigned number, bool counted, ItemBytes& bytes) {
  const std::uint8_t one = bit(number);
  if (record.drawn_here) bytes.drawn |= one;
  if (counted && record.copies == 1) bytes.sent_once |= one;
  if (counted && record.copies > 1) bytes.sent_more |= one;
  if (record.unanswered) bytes.unanswered |= one;
  if (record.querying) bytes.querying |= one;
  if (record.orphan_since) bytes.orphans |= one;
  if (record.barred) bytes.barred |= one;
}

}  // namespace paytower::model
