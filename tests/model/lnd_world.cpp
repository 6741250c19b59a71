// Turns the bytes of lnd's model into the core's types and back, and describes a state in words.
#include "tests/model/lnd_world.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"

namespace paytower::lnd_model {

namespace {

Failure shown_failure(Shown how) {
  if (how == Shown::failed_final) return failed_for_good();
  return how == Shown::failed_mpp ? given_back() : failed_on_the_way();
}

// --- lnd's record ---

lnd::Mark mark_of(const StoredAttempt& attempt, lnd::MarkKind kind) {
  static const lnd::MarkCipher cipher(store_name());
  static std::map<lnd::MarkParts, lnd::Mark> made;
  const lnd::MarkParts parts{AttemptId{attempt.round}, attempt.part, kind};
  const auto known = made.find(parts);
  return known != made.end() ? known->second : made.emplace(parts, cipher.make(parts)).first->second;
}

lnd::Mark mark_of_others() {
  lnd::Mark mark;
  mark.fill(0x55);
  return mark;
}

lnd::Htlc htlc_of(Shown shown, unsigned units, Tick time) {
  lnd::Htlc htlc;
  htlc.attempt_time = lnd_time(time);
  htlc.amount = Msat::of(units * unit_msat);
  htlc.sent = htlc.amount;
  htlc.destination = test::node_key(2);
  htlc.first_channel = part_route(1).hops.front().channel;
  if (shown == Shown::in_flight) return htlc;
  const bool settled = shown == Shown::settled || shown == Shown::settled_wrong;
  htlc.state = settled ? lnd::Htlc::State::settled : lnd::Htlc::State::failed;
  if (settled) htlc.preimage = shown == Shown::settled ? test::right_preimage() : test::wrong_preimage();
  if (!settled) htlc.failure = shown_failure(shown);
  return htlc;
}

lnd::Htlc check_htlc(Tick time, const lnd::Mark& mark) {
  lnd::Htlc htlc = htlc_of(Shown::failed, 0, time);
  htlc.amount = lnd::fence_amount;
  htlc.mark = mark;
  return htlc;
}

/// One channel. What is pending beyond its height takes the channel to the chain; what is below it may be signed and
/// not yet confirmed, so that no list shows it.
std::vector<lnd::OwnChannel> channels_of(const State& state) {
  const auto gone = [&](unsigned number) {
    return state.node.truth[number] == Truth::live && state.node.height > state.store.attempts[number].height;
  };
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (gone(number)) return {};
  }
  lnd::OwnChannel channel;
  channel.id = part_route(1).hops.front().channel;
  channel.active = true;
  return {std::move(channel)};
}

}  // namespace

UnixNs lnd_time(Tick tick) { return UnixNs{test::created.value + tick * tick_ns}; }

std::uint32_t chain_height(std::uint8_t grown) { return 1'000 + grown * 1'000U; }

UnixNs wall_time(const State& state, unsigned slot) {
  return (state.deadlines & bit(slot)) != 0 ? test::past_deadline : test::before_deadline;
}

AttemptKey key_of(const Store& store, unsigned number) {
  if (number == foreign) return test::key_of(AttemptId{foreign});
  return test::key_of(AttemptId{store.attempts[number].round}, store.attempts[number].part);
}

unsigned round_of(const Store& store, unsigned number) { return store.attempts[number].round; }

unsigned units_of(const Store& store, unsigned number) {
  return number == foreign ? all_units : store.attempts[number].units;
}

unsigned number_of(const Store& store, const AttemptKey& key) {
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const StoredAttempt& one = store.attempts[number];
    if (one.outcome != Outcome::absent && one.round == key.id.value && one.part == key.part) return number;
  }
  return 0;
}

unsigned first_free(const Store& store) {
  unsigned number = 1;
  while (number <= most_numbers && store.attempts[number].outcome != Outcome::absent) ++number;
  return number;
}

Attempt attempt_of(const Store& store, unsigned number) {
  const StoredAttempt& stored = store.attempts[number];
  Attempt attempt;
  attempt.id = AttemptId{stored.round};
  attempt.part = stored.part;
  attempt.switch_key = switch_key();
  attempt.route = part_route(stored.units);
  attempt.amount = attempt.route.delivered();
  attempt.fee = attempt.route.fees();
  attempt.registered = test::created;
  attempt.dies_at = UnixNs{lnd_time(stored.registered).value + lnd::handover_life_ns};
  attempt.total_time_lock = chain_height(stored.height) + attempt.route.total_delay();
  if (stored.accepted != 0) attempt.accepted = test::created;
  set_outcome(attempt, stored.outcome);
  return attempt;
}

void store_attempt(Store& store, unsigned slot, const AttemptKey& key, const Attempt& attempt) {
  const unsigned known = number_of(store, key);
  const unsigned number = known != 0 ? known : first_free(store);
  if (number > most_numbers) throw Violation{"an attempt beyond the model's"};
  const std::int64_t born = attempt.dies_at->value - lnd::handover_life_ns - test::created.value;
  const auto units = (attempt.amount.value() + unit_msat / 2) / unit_msat;
  store.attempts[number] = StoredAttempt{outcome_of(attempt),
                                         static_cast<std::uint8_t>(slot),
                                         static_cast<std::uint8_t>(attempt.id->value),
                                         static_cast<std::uint8_t>(attempt.part),
                                         static_cast<std::uint8_t>(units),
                                         attempt.accepted ? std::uint8_t{1} : std::uint8_t{0},
                                         static_cast<std::uint8_t>(*attempt.total_time_lock / 1'000 - 1),
                                         static_cast<Tick>(born / tick_ns)};
}

lnd::Record record_of(const Store& store, const Record& record) {
  lnd::Record shown;
  shown.status = record.status == Status::succeeded ? lnd::Record::Status::succeeded
                 : record.status == Status::failed  ? lnd::Record::Status::failed
                                                    : lnd::Record::Status::in_flight;
  shown.failing = record.failing != 0;
  shown.value = record.whole != 0 ? Msat::of(all_units * unit_msat) : lnd::fence_amount;
  shown.created = lnd_time(record.created);
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (record.htlcs[owner] == Shown::absent) continue;
    const bool ours = owner != foreign;
    const Tick time = record.times[owner] != 0 ? record.times[owner] : record.created;
    lnd::Htlc& htlc = shown.htlcs.emplace_back(htlc_of(record.htlcs[owner], units_of(store, owner), time));
    htlc.attempt_id = owner;
    if (ours) htlc.mark = mark_of(store.attempts[owner], lnd::MarkKind::attempt);
  }
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (record.fences[number] == 0) continue;
    const auto mark = mark_of(store.attempts[number], lnd::MarkKind::fence);
    shown.htlcs.push_back(check_htlc(record.fences[number], mark));
  }
  if (record.released != 0)
    shown.htlcs.push_back(check_htlc(record.created, mark_of(store.attempts[1], lnd::MarkKind::release)));
  if (record.other_check != 0) shown.htlcs.push_back(check_htlc(record.other_check, mark_of_others()));
  return shown;
}

std::uint8_t waiting(const Node& node) {
  std::uint8_t numbers = 0;
  for (unsigned number = 1; number <= most_numbers; ++number) {
    const Copy& copy = node.copies[number];
    if (copy.stage != Stage::none && copy.live != 0) numbers |= bit(number);
  }
  return numbers;
}

lnd::Sight sight_of(const State& state, const LookOnWay& look) {
  lnd::Sight sight;
  sight.hash = test::key_of(AttemptId{1}).hash;
  sight.clock = lnd_time(look.clock);
  sight.height = chain_height(look.height);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if ((look.waiting & bit(number)) != 0) sight.waiting.push_back(key_of(state.store, number));
    if ((look.fenced & bit(number)) != 0) sight.fenced.push_back(key_of(state.store, number));
  }
  if (look.shown.status == Status::none) return sight;
  sight.record = record_of(state.store, look.shown);
  if (lnd::wants_channels(*sight.record, sight.clock)) sight.channels = channels_of(state);
  return sight;
}

/// What a process has read since it locked the hash, and what it has stored.
StoreKnowledge knowledge(const Store& store) {
  StoreKnowledge what;
  what.store = store_name();
  for (unsigned number = 1; number < first_free(store); ++number) what.known.push_back(key_of(store, number));
  return what;
}

Event event_of(const State& state, std::uint8_t code) { return unpack_event(state.store, code, {}, refused()); }

std::uint8_t code_of(const Store& store, const Event& what) {
  if (const auto* missing = std::get_if<NotFound>(&what)) {
    const bool by_lists = missing->evidence == Evidence::finished_no_debit || missing->evidence == Evidence::money_left;
    if (by_lists) throw Violation{"lnd's record proves nothing of this kind"};
  }
  if (std::holds_alternative<SettledPreimageLost>(what)) throw Violation{"lnd shows every preimage"};
  return pack_event(store, what);
}

State first_state(const Config& /*config*/) {
  State state{};
  state.node.now = 4;  // room for limits that a mutant makes too early
  return state;
}

// --- words ---

namespace {

std::string text_of(const Record& record) {
  constexpr std::array<const char*, 4> statuses = {"none", "in flight", "succeeded", "failed"};
  constexpr std::array<const char*, 7> states = {
      "", "in flight", "settled", "settled (wrong preimage)", "failed", "failed for good", "failed (MPP_TIMEOUT)"};
  std::string text = std::string(" record ") + statuses[static_cast<std::size_t>(record.status)];
  if (record.status == Status::none) return text;
  if (record.failing != 0) text += ", failing";
  text += record.whole != 0 ? " of all" : " of 1 msat";
  text += " made at " + std::to_string(record.created);
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (record.htlcs[owner] == Shown::absent) continue;
    text += std::string(", ") + (owner == foreign ? "other user's" : "ours " + std::to_string(owner)) + " " +
            states[static_cast<std::size_t>(record.htlcs[owner])];
  }
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (record.fences[number] != 0)
      text += ", fence of " + std::to_string(number) + " at " + std::to_string(record.fences[number]);
  }
  if (record.released != 0) text += ", our release";
  if (record.other_check != 0) text += ", another database's fence at " + std::to_string(record.other_check);
  return text;
}

std::string text_of(const Copy& copy, unsigned number) {
  constexpr std::array<const char*, 7> stages = {"",       "on the wire", "waits for the database", "has begun",
                                                 "is run", "is refused",  "is answered unclearly"};
  if (copy.stage == Stage::none) return {};
  return "; copy of " + std::to_string(number) + (copy.live != 0 ? " " : " (sender gone) ") +
         stages[static_cast<std::size_t>(copy.stage)] +
         (copy.limit != 0 ? ", limit from " + std::to_string(copy.limit) : "") +
         (copy.flagged != 0 ? ", held for" : "");
}

}  // namespace

std::string describe(const State& state) {
  constexpr std::array<const char*, 5> truths = {"", "live", "settled", "failed", "orphan"};
  std::string text = "at " + std::to_string(state.node.now) + "; store:";
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = state.store.tries[slot];
    if (one.stand == RowStand::unused) continue;
    text += " try " + std::to_string(slot + 1) + (one.stop != 0 ? " stop" : "") + (one.fail != 0 ? " FAILED" : "") +
            (one.proof != Proof::none ? " SUCCEEDED" : "") + (one.note != 0 ? " UNKNOWN" : "");
  }
  for (unsigned number = 1; number < first_free(state.store); ++number) {
    const StoredAttempt& one = state.store.attempts[number];
    text += " " + std::to_string(number) + "(round " + std::to_string(one.round) + " part " + std::to_string(one.part) +
            ": " + std::to_string(one.units) + ", at " + std::to_string(one.registered) +
            (one.accepted != 0 ? ", seen)=" : ")=") + outcome_name(one.outcome);
  }
  text += "; lnd:" + text_of(state.node.record);
  for (unsigned number = 1; number <= most_numbers; ++number) text += text_of(state.node.copies[number], number);
  for (unsigned number = 1; number <= most_numbers; ++number) {
    if (state.node.late_fences[number] != 0) text += "; late fence of " + std::to_string(number);
  }
  if (state.node.late_release != 0) text += "; late release";
  text += "; true:";
  for (unsigned owner = 1; owner <= foreign; ++owner) {
    if (state.node.truth[owner] == Truth::none) continue;
    text += " " + std::to_string(owner) + " " + truths[static_cast<std::size_t>(state.node.truth[owner])];
  }
  if (state.process.alive != 0) text += "; process";
  return text;
}

}  // namespace paytower::lnd_model
