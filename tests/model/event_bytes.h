// An event in one byte: the upper bits are its kind, the lower ones the attempt's number, or 0.
#pragma once

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"
#include "tests/model/world.h"

namespace paytower::model {

enum class EventKind : std::uint8_t {
  none,
  quiet,
  no_route,
  accepted,
  only_copy_not_sent,
  not_sent,
  settled,
  settled_wrong,
  failed_retry,
  failed_final,
  failed_mpp,
  failed_never,
  pending,
  pending_alone,
  nothing,
  nothing_fenced,
  no_debit,
  no_debit_fenced,
  not_yet,
  unknown,
  late,
  never,
  erased,
  fenced,
  busy,
  paid,
  paid_wrong,
  deadline,
  lost,
  orphaned,
  only_orphans,
  releasable,
  count
};
static_assert(static_cast<unsigned>(EventKind::count) <= 32);

[[nodiscard]] std::string event_name(std::uint8_t code);
/// Of an attempt without an HTLC. What an adapter never says throws Violation: see code_of of each world.
[[nodiscard]] EventKind kind_of(const NotFound& missing);
[[nodiscard]] EventKind kind_of(const Failure& failure);
/// The event, if it is one of NotFound. `run`: of the switch.
[[nodiscard]] std::optional<Event> missing_event(EventKind kind, const AttemptKey& key, const std::string& run);

template <typename Store> struct EventCoder {
  const Store& store;

  [[nodiscard]] static std::uint8_t pack(EventKind kind, unsigned number = 0) {
    return static_cast<std::uint8_t>(static_cast<unsigned>(kind) << 3 | number);
  }
  [[nodiscard]] std::uint8_t pack(EventKind kind, const AttemptKey& key) const {
    return pack(kind, number_of(store, key));
  }
  /// The first attempt of that id; the other user's number if none is ours.
  [[nodiscard]] unsigned first_of(const std::optional<AttemptId>& id) const {
    unsigned number = 1;
    while (number < Store::foreign && (!id || round_of(store, number) != id->value)) ++number;
    return number;
  }

  std::uint8_t operator()(const Quiet&) const { return pack(EventKind::quiet); }
  std::uint8_t operator()(const NoRoute&) const { return pack(EventKind::no_route); }
  std::uint8_t operator()(const Accepted& e) const { return pack(EventKind::accepted, e.key); }
  std::uint8_t operator()(const NotSent& e) const {
    return pack(e.only_copy ? EventKind::only_copy_not_sent : EventKind::not_sent, e.key);
  }
  std::uint8_t operator()(const Settled& e) const {
    return pack(proves(e.preimage, e.key.hash) ? EventKind::settled : EventKind::settled_wrong, e.key);
  }
  std::uint8_t operator()(const Failed& e) const { return pack(kind_of(e.failure), e.key); }
  std::uint8_t operator()(const Pending& e) const {
    return pack(e.takes_parts ? EventKind::pending : EventKind::pending_alone, e.key);
  }
  std::uint8_t operator()(const NotFound& e) const { return pack(kind_of(e), e.key); }
  std::uint8_t operator()(const Fenced& e) const { return pack(EventKind::fenced, e.key); }
  std::uint8_t operator()(const HashBusy&) const { return pack(EventKind::busy); }
  std::uint8_t operator()(const HashPaid& e) const {
    const bool proven = proves(e.preimage, test::key_of(AttemptId{1}).hash);
    return pack(proven ? EventKind::paid : EventKind::paid_wrong, first_of(e.id));
  }
  std::uint8_t operator()(const DeadlinePassed&) const { return pack(EventKind::deadline); }
  std::uint8_t operator()(const SettledPreimageLost& e) const {
    return e.key ? pack(EventKind::lost, *e.key) : pack(EventKind::lost);
  }
  std::uint8_t operator()(const Orphaned& e) const { return pack(EventKind::orphaned, e.key); }
  std::uint8_t operator()(const OnlyOrphans& e) const { return pack(EventKind::only_orphans, first_of(e.round)); }
  std::uint8_t operator()(const Releasable&) const { return pack(EventKind::releasable); }
  template <typename Other> std::uint8_t operator()(const Other&) const {
    throw Violation{"the model does not queue this event"};
  }
};

template <typename Store> [[nodiscard]] std::uint8_t pack_event(const Store& store, const Event& what) {
  return std::visit(EventCoder<Store>{store}, what);
}

/// `not_sent`: why the switch made no HTLC.
template <typename Store>
[[nodiscard]] Event unpack_event(const Store& store, std::uint8_t code, const std::string& run,
                                 const Failure& not_sent) {
  const unsigned number = code & 7U;
  const AttemptKey key = key_of(store, number);
  const auto kind = static_cast<EventKind>(code >> 3);
  if (auto missing = missing_event(kind, key, run)) return *missing;
  const auto paid = [&key](const Preimage& by) {
    return HashPaid{by, key.id, Msat::of(all_units * unit_msat), Msat{}};
  };
  switch (kind) {
    case EventKind::quiet: return Quiet{};
    case EventKind::no_route: return NoRoute{};
    case EventKind::accepted: return Accepted{key};
    case EventKind::only_copy_not_sent: return NotSent{key, not_sent, true};
    case EventKind::not_sent: return NotSent{key, not_sent, false};
    case EventKind::settled: return Settled{key, test::right_preimage()};
    case EventKind::settled_wrong: return Settled{key, test::wrong_preimage()};
    case EventKind::failed_retry: return Failed{key, failed_on_the_way()};
    case EventKind::failed_final: return Failed{key, failed_for_good()};
    case EventKind::failed_mpp: return Failed{key, given_back()};
    case EventKind::failed_never: return Failed{key, {FailureCode::not_executed, {}, {}, {}, {}}};
    case EventKind::pending: return Pending{key, true};
    case EventKind::pending_alone: return Pending{key, false};
    case EventKind::fenced: return Fenced{key};
    case EventKind::busy: return HashBusy{};
    case EventKind::paid: return paid(test::right_preimage());
    case EventKind::paid_wrong: return paid(test::wrong_preimage());
    case EventKind::deadline: return DeadlinePassed{};
    case EventKind::lost: return SettledPreimageLost{number == 0 ? std::optional<AttemptKey>{} : key};
    case EventKind::orphaned: return Orphaned{key};
    case EventKind::only_orphans: return OnlyOrphans{key.id};
    case EventKind::releasable: return Releasable{};
    case EventKind::nothing:
    case EventKind::nothing_fenced:
    case EventKind::no_debit:
    case EventKind::no_debit_fenced:
    case EventKind::not_yet:
    case EventKind::unknown:
    case EventKind::late:
    case EventKind::never:
    case EventKind::erased:
    case EventKind::none:
    case EventKind::count: break;
  }
  throw Violation{"the model has no such event"};
}

}  // namespace paytower::model
