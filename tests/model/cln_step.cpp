// What is around the item of a process that hands over to a Core Lightning node.
#include <algorithm>
#include <utility>

#include "core/driver/attempt_id.h"
#include "tests/lifecycle/states.h"
#include "tests/model/cln_world.h"

namespace paytower::cln_model {

namespace {

/// Always the same number. With a clock before 2020 the real draw_attempt_id then depends only on what the store knows.
class Fixed final : public Randomness {
 public:
  explicit Fixed(std::uint8_t value) : value_(value) {}
  void fill(std::span<std::uint8_t> out) override {
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    out.back() = value_;
  }

 private:
  std::uint8_t value_;
};

const IdentityAnswer& identity(std::uint8_t run) {
  static const std::array<IdentityAnswer, 3> here = {IdentityAnswer{switch_key(), run_name(0)},
                                                     IdentityAnswer{switch_key(), run_name(1)},
                                                     IdentityAnswer{switch_key(), run_name(2)}};
  return here.at(run);
}

}  // namespace

ItemContext DriverStep::context(unsigned slot) const {
  ItemContext at;
  at.wall = wall_time(state_, slot);
  at.identity = &identity(state_.node.run);
  if (state_.process.collect_only != 0) at.mode = ItemContext::Mode::collect_only;
  return at;
}

void DriverStep::remember_store() {
  Process& process = state_.process;
  process.alive = 1;
  process.known = known_ids(state_.store);
  process.deleted_up_to = state_.store.deleted_up_to;
  process.highest = state_.store.deleted_up_to;
  for (unsigned id = 1; id <= most_ids; ++id) {
    const auto round = static_cast<std::uint8_t>(round_of(state_.store, id));
    if ((process.known & bit(id)) != 0) process.highest = std::max(process.highest, round);
  }
}

Created DriverStep::what_is_known() const {
  if (mutation_.init_unchecked) return Created{};
  Created created = ProcessStep::what_is_known();
  created.guard = guard_of(state_.store);
  return created;
}

void DriverStep::check_new_round(unsigned slot, const Decision& decision) const {
  if (!has_parts(config_)) return;  // the id alone is the round, and later checks see every rule about it
  for (const Write& write : decision.writes) {
    const auto* made = std::get_if<RegisterAttempt>(&write);
    if (made == nullptr || !begins_round(state_.store, slot, made->attempt)) continue;
    if (has_open(state_.store, slot)) throw Violation{"R2: a new round beside an open one"};
    if (state_.process.items[slot].quiet_proven == 0)
      throw Violation{"R4: a new round without a look behind the last end that showed nothing"};
  }
}

void DriverStep::note_written(unsigned slot, const Decision& decision) {
  for (const Write& write : decision.writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      state_.process.known |= bit(number_of(state_.store, test::key_of(*made->attempt.id, made->attempt.part)));
  }
  ProcessStep::note_written(slot, decision);
}

void DriverStep::ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish) {
  if (has_parts(config_)) return ProcessStep::ask_for_routes(slot, one, wish);
  if (may_ask_routes(one, wish.wanted)) route_asked(one, {});
}

void DriverStep::check_handover(unsigned slot, unsigned number) const {
  ProcessStep::check_handover(slot, number);
  const MarkBytes& marks = state_.store.attempts[number].marks;
  const MarkBytes& present = state_.node.seen.now;
  for (unsigned i = 0; i < marks.size(); ++i) {
    if (marks[i] != no_mark && marks[i] > present[i])
      throw Violation{"R5: handed over to a node that was restored from an old copy"};
  }
}

void DriverStep::hand_over(unsigned number) {
  Requests& asked = state_.node.requests[number];
  if (asked.live < config_.copies) asked.live = static_cast<std::uint8_t>(asked.live + 1);
}

void DriverStep::fence(unsigned number) { state_.node.requests[number].fence_live = 1; }

void DriverStep::release(unsigned /*slot*/) {
  throw Violation{"nothing is ever to be released at a Core Lightning node"};
}

/// The real draw_attempt_id. A clock that stands still is the worst one: then only the store keeps ids apart.
unsigned DriverStep::draw() {
  Process& process = state_.process;
  Fixed randomness(config_.clock_stands ? std::uint8_t{0} : static_cast<std::uint8_t>(state_.drawn + 1));
  const AttemptId id = *draw_attempt_id(UnixNs{}, randomness, AttemptId{process.highest});
  process.highest = static_cast<std::uint8_t>(id.value);
  state_.drawn = std::max(state_.drawn, static_cast<std::uint8_t>(id.value));
  return static_cast<unsigned>(id.value);
}

void DriverStep::drop_connection() {
  for (Requests& asked : state_.node.requests) {
    asked.detached = static_cast<std::uint8_t>(std::min<unsigned>(config_.copies, asked.detached + asked.live));
    asked.fence_detached = static_cast<std::uint8_t>(std::min(1, asked.fence_detached + asked.fence_live));
    asked.live = asked.fence_live = asked.reply = asked.fence_reply = 0;
  }
}

LookFinding DriverStep::interpret(const Payment& payment, const LookOnWay& look) const {
  return mutation_.calls.interpret(payment, look_result(config_, state_, look.shown),
                                   knowledge(state_.store, state_.process.known, state_.process.deleted_up_to));
}

void DriverStep::take_routes(unsigned slot, Item one, const TakeRoutes& take) {
  const std::uint8_t drawn_before = state_.drawn;
  const std::uint8_t highest_before = state_.process.highest;
  const AttemptId id =
      take.round ? *take.round : AttemptId{mutation_.old_round && drawn_before > 0 ? drawn_before : draw()};
  if (id.value > most_ids) throw Violation{"an id beyond the model's"};
  routes_ready(one, take.routes, id, context(slot));
  if (!has_parts(config_)) return decide_first(slot, std::move(one));
  const Names names_before = state_.store.names;
  const unsigned first = first_free(state_.store);
  name_parts(std::get<RoutesReady>(one.backlog.back()));
  decide_first(slot, std::move(one));
  if (first <= most_ids && state_.store.attempts[first].outcome != Outcome::absent) return;
  // Nothing was stored: the drawn id is forgotten, to keep the number of states small.
  state_.store.names = names_before;
  state_.drawn = drawn_before;
  if (state_.process.alive != 0) state_.process.highest = highest_before;
  bytes(slot).drawn = static_cast<std::uint8_t>(bytes(slot).drawn & (bit(first) - 1U));
}

void DriverStep::name_parts(const RoutesReady& ready) {
  for (const PlannedPart& planned : ready.parts) {
    const unsigned number = first_free(state_.store);
    if (number > last_number(config_)) throw Violation{"an attempt beyond the model's"};
    const auto units = planned.route.delivered().value() / unit_msat;
    state_.store.names[number] =
        Name{static_cast<std::uint16_t>(planned.route.fees().value()), static_cast<std::uint8_t>(ready.round.value),
             static_cast<std::uint8_t>(planned.part), static_cast<std::uint8_t>(units), 0};
  }
}

void DriverStep::receive_dispatch(unsigned slot, unsigned id) {
  const unsigned reply = std::exchange(state_.node.requests[id].reply, std::uint8_t{0});
  const auto kind = reply == 1   ? DispatchAnswer::Kind::accepted
                    : reply == 2 ? DispatchAnswer::Kind::not_sent
                                 : DispatchAnswer::Kind::look;
  change(slot, [&](Item& one, const ItemContext& at) {
    mutation_.calls.dispatch_came(one, DispatchAnswer{key_of(state_.store, id), kind, {}}, at);
  });
}

void DriverStep::receive_fence(unsigned slot, unsigned id) {
  Item one = item(slot);
  const unsigned reply = std::exchange(state_.node.requests[id].fence_reply, std::uint8_t{0});
  const auto kind = reply == 1   ? FenceAnswer::Kind::fenced
                    : reply == 3 ? FenceAnswer::Kind::barred
                                 : FenceAnswer::Kind::look;
  const Wishes wishes = on(one, FenceAnswer{key_of(state_.store, id), kind}, context(slot));
  fulfil(slot, std::move(one), wishes);
}

/// The switch's answer, which depends on its row. That a row is pending is answered only late: see Moves.
void DriverStep::receive_query(unsigned slot, unsigned id) {
  QueryAnswer answer;
  switch (state_.node.seen.rows[id]) {
    case RowKind::complete:
    case RowKind::complete_wrong:
      answer.kind = QueryAnswer::Kind::settled;
      answer.preimage =
          state_.node.seen.rows[id] == RowKind::complete ? test::right_preimage() : test::wrong_preimage();
      break;
    case RowKind::failed_final:
      answer.failure.code = FailureCode::incorrect_or_unknown_payment_details;
      [[fallthrough]];
    case RowKind::failed_retry: answer.kind = QueryAnswer::Kind::failed; break;
    case RowKind::failed_mpp:
      answer.kind = QueryAnswer::Kind::failed;
      answer.failure.code = FailureCode::mpp_timeout;
      answer.failure.source_index = 2;
      break;
    case RowKind::none:
    case RowKind::fence:
    case RowKind::pending:
    case RowKind::fence_pending: break;
  }
  change(slot, [&](Item& one, const ItemContext& at) {
    answer.key = key_of(state_.store, id);
    on(one, answer, at);
  });
}

}  // namespace paytower::cln_model
