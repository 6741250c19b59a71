// What lnd shows of one hash, the state of our attempt at that moment, and what is decided then, as a line of text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/payment/lifecycle.h"
#include "core/switch/lnd/evidence.h"
#include "tests/lifecycle/states.h"

namespace paytower::test {

// --- times: all by lnd's clock, which shows `created` when the first attempt is handed over ---

inline constexpr UnixNs after(std::int64_t seconds, std::int64_t ns = 0) {
  return UnixNs{created.value + seconds * ns_per_second + ns};
}
inline constexpr UnixNs dies_at = after(30);
inline constexpr UnixNs grace_ends = after(40);
inline constexpr UnixNs next_day = after(86'400);
inline constexpr std::uint32_t expiry_height = 700;

// --- ours ---

inline StoreId store_of(std::uint8_t fill) {
  StoreId store;
  store.bytes.fill(fill);
  return store;
}
inline const StoreId our_store = store_of(3);
inline const StoreId other_store = store_of(4);
inline constexpr AttemptId earlier_id{900};  ///< of an earlier try of the hash

inline Attempt handed_over(AttemptId id, std::uint32_t part = 0, std::uint64_t msat = 250'000) {
  Attempt attempt = part_attempt(id, part, msat, Shape::open);
  attempt.dies_at = dies_at;
  attempt.total_time_lock = expiry_height;
  return attempt;
}

inline Payment recorded_payment(std::vector<Attempt> attempts) {
  Payment payment = fresh_payment();
  payment.index.value = 1;
  payment.request.deadline = after(2 * 86'400);
  payment.attempts = std::move(attempts);
  return payment;
}
[[nodiscard]] inline Payment lost_payment() { return recorded_payment({handed_over(first_id)}); }

inline StoreKnowledge knowledge_of(const Payment& payment) {
  StoreKnowledge store{our_store, {key_of(earlier_id)}, AttemptId{100}};
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) store.known.push_back(payment.key(attempt));
  }
  return store;
}

// --- lnd's ---

using lnd::Htlc;
using lnd::MarkKind;
using lnd::Record;
using lnd::Sight;

inline lnd::Mark mark_of(const AttemptKey& key, MarkKind kind = MarkKind::attempt, const StoreId& store = our_store) {
  return lnd::MarkCipher(store).make({key.id, key.part, kind});
}

inline Htlc foreign_htlc(Htlc::State state) {
  Htlc htlc;
  htlc.attempt_id = 77;
  htlc.state = state;
  htlc.attempt_time = after(1);
  htlc.amount = Msat::of(250'000);
  htlc.sent = Msat::of(250'500);
  htlc.first_channel = ShortChannelId{1};
  if (state == Htlc::State::settled) htlc.preimage = right_preimage();
  if (state == Htlc::State::failed) htlc.failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  return htlc;
}

inline Htlc own_htlc(Htlc::State state, const AttemptKey& key = key_of(first_id)) {
  Htlc htlc = foreign_htlc(state);
  htlc.mark = mark_of(key);
  return htlc;
}

inline Record record_of(Record::Status status, std::vector<Htlc> htlcs = {}, UnixNs made = after(1)) {
  Record record;
  record.status = status;
  record.value = Msat::of(250'000);
  record.created = made;
  record.htlcs = std::move(htlcs);
  return record;
}

/// The record that a fence of the attempt leaves, sent at `at`.
inline Record fence_record(const StoreId& store, UnixNs at, const AttemptKey& key = key_of(first_id)) {
  Htlc htlc = foreign_htlc(Htlc::State::failed);
  htlc.amount = htlc.sent = Msat::of(1);
  htlc.attempt_time = at;
  htlc.mark = mark_of(key, MarkKind::fence, store);
  Record record = record_of(Record::Status::in_flight, {htlc}, at);
  record.value = Msat::of(1);
  return record;
}

inline Sight sight_at(UnixNs clock, std::optional<Record> record = {}) {
  Sight sight;
  sight.hash = key_of(first_id).hash;
  sight.record = std::move(record);
  sight.clock = clock;
  sight.height = 600;
  return sight;
}

// --- what is decided, as text ---

struct WriteText {
  using Text = std::string;

  Text operator()(const InitPayment&) const { return "record it"; }
  Text operator()(const RegisterAttempt&) const { return "register"; }
  Text operator()(const AcceptAttempt&) const { return "seen"; }
  Text operator()(const MoveAttempt&) const { return "move"; }
  Text operator()(const SettleAttempt&) const { return "settled"; }
  Text operator()(const RecordForeign&) const { return "record theirs"; }
  Text operator()(const Succeed&) const { return "SUCCEEDED"; }
  Text operator()(const StoreLatePreimage&) const { return "late SUCCEEDED"; }
  Text operator()(const FailAttempt& write) const { return Text(failure_name(write.failure.code)); }
  Text operator()(const CloseAttempt& write) const { return "close " + Text(failure_name(write.failure.code)); }
  Text operator()(const CloseImported&) const { return "close imported"; }
  Text operator()(const SetStop& write) const { return "stop " + Text(reason_name(write.reason)); }
  Text operator()(const FailPayment& write) const { return "FAILED " + Text(reason_name(write.reason)); }
  Text operator()(const EndUnknown&) const { return "UNKNOWN"; }
};

struct ActText {
  const char* operator()(const AskRoutes&) const { return "ask routes"; }
  const char* operator()(const Look&) const { return "look"; }
  const char* operator()(const LookLater&) const { return "look later"; }
  const char* operator()(const Dispatch&) const { return "hand over"; }
  const char* operator()(const Query&) const { return "ask for the end"; }
  const char* operator()(const Fence&) const { return "prove dead"; }
  const char* operator()(const Release&) const { return "release"; }
  const char* operator()(const Report&) const { return "leave"; }
};

/// Collects what happens, in order; the same thing twice in a row is written once.
class Line {
 public:
  void add(const Decision& decision) {
    if (decision.refusal) add("refuse " + std::string(code_name(*decision.refusal)));
    for (const Write& write : decision.writes) add(std::visit(WriteText{}, write));
    for (const Act& act : decision.acts) add(std::visit(ActText{}, act));
  }
  void add(const std::string& word) {
    if (word == last_) return;
    text_ += (text_.empty() ? "" : ", ") + word;
    last_ = word;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string last_;
};

inline void decide_on(Payment& payment, const Event& event, UnixNs at, Line& line) {
  const Decision decision = decide(payment, {at, event});
  line.add(decision);
  for (const Write& write : decision.writes) {
    if (std::holds_alternative<InitPayment>(write)) payment.index.value = 1;
    apply(payment, write);
  }
}

inline std::string decided(Payment& payment, const Event& event, UnixNs at = after(5)) {
  Line line;
  decide_on(payment, event, at, line);
  return line.text();
}

/// Who keeps the hash busy, as messages name it.
inline const char* name_of_blocker(Blocker blocker) {
  switch (blocker) {
    case Blocker::none: return "";
    case Blocker::closed_by_hand: return " (ours, closed by hand)";
    case Blocker::other_user: return " (another user)";
    case Blocker::other_check: return " (another check)";
    case Blocker::unfinished: return " (unfinished)";
  }
  return " (?)";
}

/// Everything that one look leads to: interpret(), then decide() for each event in order, whose writes are applied at
/// once.
inline std::string looked(Payment& payment, const Sight& sight) {
  const LookFinding finding = interpret(payment, sight, knowledge_of(payment));
  if (finding.alarm) return "alarm " + std::string(code_name(*finding.alarm));
  Line line;
  for (const Event& event : finding.events) decide_on(payment, event, sight.clock, line);
  return line.text() + name_of_blocker(finding.why_open.blocker);
}

inline Evidence evidence_for(const Payment& payment, const Sight& sight, const AttemptKey& key = key_of(first_id)) {
  const LookResult look = sight.about(our_store, asked_of(payment));
  for (const auto& [about, evidence] : look.evidence) {
    if (about == key) return evidence;
  }
  return Evidence::unknown;
}

}  // namespace paytower::test
