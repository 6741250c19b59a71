// What the worlds around both kinds of node have in common, as bytes: what is committed of a payment, and what one
// process has in memory of it. cln_world.h and lnd_world.h have the rest: what is said to the node, what it shows, and
// what is true. One payment hash; own attempts are numbered from 1 in order of their making.
//
// Only the surroundings are modelled. Decisions are taken by the real decide(), apply() and interpret(), and what
// answers and decisions make of a payment on its way by the real functions of core/driver/item.h: on real Payments and
// Items, which are built from these bytes and written back into them.
//
// A template of this folder reads the bytes of either world. What it calls with them has the same name in both.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/item.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"

namespace paytower::model {

inline constexpr unsigned most_tries = 2;   ///< rows of `payments` of the hash, deleted ones included
inline constexpr unsigned most_events = 6;  ///< backlog of one item
inline constexpr unsigned all_units = 2;    ///< the payment's amount, in units of the smallest part
inline constexpr std::uint64_t unit_msat = 125'000;

/// Numbers as a set.
[[nodiscard]] constexpr std::uint8_t bit(unsigned number) { return static_cast<std::uint8_t>(1U << number); }

/// Thrown when a state is broken: the name of the rule and what broke it.
struct Violation {
  std::string what;
};

// --- what is committed ---

/// given_back: failed by MPP_TIMEOUT; never_sent: failed as a proven orphan, or refused by lnd.
enum class Outcome : std::uint8_t {
  absent,
  open,
  settled,
  failed,
  assumed_failed,
  written_off,
  preimage_lost,
  given_back,
  never_sent
};
enum class RowStand : std::uint8_t { unused, stored, deleted };
enum class Proof : std::uint8_t { none, preimage, late };

/// Reasons and notes are stored as 1 + value; 0 is none.
struct StoredTry {
  RowStand stand;
  std::uint8_t stop;
  std::uint8_t fail;
  Proof proof;
  std::uint8_t note;
  std::uint8_t foreign;  ///< a foreign attempt carries the proof
};

[[nodiscard]] inline bool ended(const StoredTry& one) {
  return one.fail != 0 || one.note != 0 || one.proof != Proof::none;
}

template <typename Store> [[nodiscard]] bool has_open(const Store& store, unsigned slot) {
  return std::any_of(store.attempts.begin(), store.attempts.end(),
                     [slot](const auto& one) { return one.outcome == Outcome::open && one.owner == slot; });
}

template <typename Store> [[nodiscard]] bool has_watched(const Store& store, unsigned slot) {
  return std::any_of(store.attempts.begin(), store.attempts.end(), [slot](const auto& one) {
    return (one.outcome == Outcome::assumed_failed || one.outcome == Outcome::written_off) && one.owner == slot;
  });
}

/// fetch_in_flight lists it.
template <typename Store> [[nodiscard]] bool has_work(const Store& store, unsigned slot) {
  const StoredTry& one = store.tries[slot];
  return one.stand == RowStand::stored && (!ended(one) || has_open(store, slot) || has_watched(store, slot));
}

/// The try that decides about a new one: db/payments/store.cpp, newest().
[[nodiscard]] std::optional<unsigned> newest(const std::array<StoredTry, most_tries>& tries);

// --- one process: all of it is lost in a crash ---

enum class LookStage : std::uint8_t { none, asked, answered };

/// payments_created, htlcs_created, htlcs_deleted, movements_created of a Core Lightning node.
using MarkBytes = std::array<std::uint8_t, 4>;

/// One payment on its way: core/driver/item.h, struct Item. Its payment is the stored one, except for the stop wish.
/// Times are left out: what is due is a move.
struct ItemBytes {
  std::uint8_t active;
  std::uint8_t known_stop;  ///< the stop wish as in memory: another process's cancel comes later
  std::uint8_t looking;
  std::uint8_t look_outdated;
  std::uint8_t look_wanted;  ///< with `looking`: again
  std::uint8_t look_late;    ///< it was asked for a minute after everything that had happened
  std::uint8_t asking;       ///< 2: the answer will be dropped
  std::uint8_t asked_units;  ///< what the question for routes is about
  std::uint8_t asked_parts;
  std::uint8_t asked_round;  ///< beside the orphans of this one
  std::uint8_t ask_again;
  std::uint8_t ask_again_round;
  std::uint8_t deadline_told;
  std::uint8_t drawn;      ///< numbers of ids that this process drew
  std::uint8_t sent_once;  ///< drawn ones with exactly one copy written
  std::uint8_t sent_more;
  std::uint8_t unanswered;
  std::uint8_t querying;
  std::uint8_t orphans;  ///< shown as pending without an HTLC by every look for some time
  std::uint8_t barred;
  std::uint8_t act;           ///< committed and not yet done: 1 dispatch, 2 fence, 3 release
  std::uint8_t act_ids;       ///< of these, in their order
  std::uint8_t quiet_proven;  ///< ghost, R9: a look after the last end showed nothing of anybody
  std::uint8_t events;
  std::array<std::uint8_t, most_events> backlog;
  MarkBytes marks;
};

/// True if the process has something to decide or to do before it listens again (driver.cpp: settle() before poll()).
template <typename Process> [[nodiscard]] bool busy_inside(const Process& process) {
  return std::any_of(process.items.begin(), process.items.end(),
                     [](const ItemBytes& item) { return item.events != 0 || item.act != 0; });
}

/// The functions of the core that a mutant wraps, to change what goes in or comes out. `Shown`: what a look answers.
template <typename State, typename Shown> struct CoreCalls {
  std::function<Decision(const Payment&, const TimedEvent&, const State&)> decide =
      [](const Payment& payment, const TimedEvent& event, const State&) { return paytower::decide(payment, event); };
  std::function<LookFinding(const Payment&, const Shown&, const StoreKnowledge&)> interpret =
      [](const Payment& payment, const Shown& shown, const StoreKnowledge& store) {
        return paytower::interpret(payment, shown, store);
      };
  std::function<NextRoutes(const Payment&, std::uint32_t, const State&)> next_routes =
      [](const Payment& payment, std::uint32_t most, const State&) {
        return paytower::next_routes(payment, most, QuestionContext{});
      };
  std::function<Wishes(Item&, const RouteAnswer&, const State&)> route_came =
      [](Item& item, const RouteAnswer& answer, const State&) { return on(item, answer); };
  std::function<void(Item&, const DispatchAnswer&, const ItemContext&)> dispatch_came =
      [](Item& item, const DispatchAnswer& answer, const ItemContext& at) { on(item, answer, at); };
  std::function<Wishes(Item&, const Decision&, const ItemContext&)> perform = paytower::perform;
  std::function<std::optional<MonoNs>(Item&, const ItemContext&)> look_came = paytower::look_came;
};

// --- the core's types (world.cpp) ---

[[nodiscard]] SwitchKey switch_key();
[[nodiscard]] StoreId store_name();
[[nodiscard]] Msat fee_limit();
[[nodiscard]] Route part_route(unsigned units, unsigned fee = 250);

[[nodiscard]] Failure refused();
[[nodiscard]] Failure failed_on_the_way();
[[nodiscard]] Failure failed_for_good();
[[nodiscard]] Failure given_back();

[[nodiscard]] const char* outcome_name(Outcome outcome);
[[nodiscard]] Outcome outcome_of(const Attempt& attempt);
void set_outcome(Attempt& attempt, Outcome outcome);

[[nodiscard]] Payment new_payment(unsigned attempts, unsigned parts, bool secret);
[[nodiscard]] Attempt foreign_attempt(AttemptId id);
void read_row(const StoredTry& row, unsigned slot, std::uint8_t known_stop, Payment& payment);
void write_row(const Payment& payment, StoredTry& row);
[[nodiscard]] std::uint8_t reason_byte(const std::optional<FailureReason>& reason);

/// A try as a Payment. `known_stop`: the stop wish that the reader has in memory.
template <typename Config, typename Store>
[[nodiscard]] Payment payment_of(const Config& config, const Store& store, unsigned slot, std::uint8_t known_stop) {
  Payment payment = new_payment(config.attempts, config.max_parts, has_secret(config));
  const StoredTry& row = store.tries[slot];
  if (row.stand != RowStand::stored) return payment;
  read_row(row, slot, known_stop, payment);
  for (unsigned number = 1; number <= Store::most; ++number) {
    if (store.attempts[number].outcome != Outcome::absent && store.attempts[number].owner == slot)
      payment.attempts.push_back(attempt_of(store, number));
  }
  if (row.foreign != 0) payment.attempts.push_back(foreign_attempt(AttemptId{Store::foreign}));
  return payment;
}

/// The inverse, for what the writes of one tick may change.
template <typename Store> void store_payment(Store& store, unsigned slot, const Payment& payment) {
  write_row(payment, store.tries[slot]);
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) store_attempt(store, slot, payment.key(attempt), attempt);
  }
}

/// Of the payment as it is stored.
template <typename Config, typename Store>
[[nodiscard]] Payment stored_payment(const Config& config, const Store& store, unsigned slot) {
  return payment_of(config, store, slot, store.tries[slot].stop);
}

}  // namespace paytower::model
