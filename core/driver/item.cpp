// What answers and decisions make of one payment: plain functions, no ports.
#include "core/driver/item.h"

#include <algorithm>
#include <utility>

#include "core/driver/admission.h"
#include "core/driver/attempt_id.h"

namespace paytower {

namespace {

constexpr std::int64_t longest_pause_ns = 5 * ns_per_second;  ///< between two looks that change nothing
/// A running node ends a record without an HTLC within 30 s, so an older one is an orphan. `resume` waits for 60 s,
/// which is long enough to see that.
constexpr std::int64_t orphan_patience_ns = 45 * ns_per_second;
constexpr std::int64_t reply_patience_ns = 2 * ns_per_second;  ///< after this time without an answer, a look is made
/// Counted from the first proof; 0.1 s is usually enough.
constexpr std::int64_t parts_patience_ns = 2 * ns_per_second;

template <typename Records> auto find_in(Records& records, const AttemptKey& key) -> decltype(records.data()) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const auto& one) { return one.key == key; });
  return found == records.end() ? nullptr : &*found;
}

HandoverRecord& handover_of(Item& item, const AttemptKey& key) {
  if (HandoverRecord* known = find_in(item.handovers, key)) return *known;
  return item.handovers.emplace_back(HandoverRecord{key});
}

std::int64_t pause(const Item& item, const ItemContext& at) {
  return std::min(at.look_pause_ns << std::min(item.idle_looks, 10U), longest_pause_ns);
}

/// The answer alone says nothing, so a look follows: the first one at once.
void look_instead(Item& item, const ItemContext& at) {
  want_look(item, plus(at.mono, item.idle_looks == 0 ? 0 : pause(item, at)));
}

/// A look that is already under way does not show what goes to the switch from now on.
void outdate_look(Item& item) {
  if (auto* asked = std::get_if<LookAsked>(&item.look)) asked->outdated = true;
}

/// If another look was wanted meanwhile, it is still wanted.
void end_look(Item& item) {
  const auto* asked = std::get_if<LookAsked>(&item.look);
  if (asked == nullptr) return;
  const auto again = asked->again;
  item.look = NoLook{};
  if (again) item.look = LookWanted{*again};
}

/// The question was about a part of a round, and that round is over.
void outdate_question(Item& item) {
  if (!item.route) return;
  item.route->outdated = true;
  item.route->again.reset();
}

void answered(Item& item, const AttemptKey& key) {
  if (HandoverRecord* record = find_in(item.handovers, key)) record->unanswered.reset();
}

std::optional<MonoNs> deadline_due(const Item& item, const ItemContext& at) {
  if (item.deadline_told || item.payment.index.value == 0) return std::nullopt;
  const std::int64_t left = item.payment.request.deadline.value - time_for(item.payment, at).value;
  return plus(at.mono, std::clamp<std::int64_t>(left, 0, 3600 * ns_per_second));
}

// --- the look's findings ---

bool holds(const std::vector<AttemptKey>& keys, const AttemptKey& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// An orphan that every look for 45 s has shown is proven. If a look does not show it, the time starts again.
/// The Pending event of a proven one becomes Orphaned.
void prove_orphans(Item& item, LookFinding& finding, MonoNs asked, MonoNs now) {
  for (HandoverRecord& record : item.handovers) {
    if (!holds(finding.orphans, record.key)) record.orphan_since.reset();
  }
  for (const AttemptKey& key : finding.orphans) {
    HandoverRecord& record = handover_of(item, key);
    if (!record.orphan_since) record.orphan_since = now;
    if (asked < plus(*record.orphan_since, orphan_patience_ns)) continue;
    for (Event& event : finding.events) {
      if (const auto* pending = std::get_if<Pending>(&event); pending && pending->key == key) event = Orphaned{key};
    }
  }
}

/// The switch refuses this attempt and its fence for good, and no HTLC of it was made before. That ends it, as a fence
/// would.
void end_barred(const Item& item, LookFinding& finding, MonoNs asked) {
  for (Event& event : finding.events) {
    auto* missing = std::get_if<NotFound>(&event);
    if (missing == nullptr || missing->evidence != Evidence::nothing_since_mark || !item.payment.proof()) continue;
    const HandoverRecord* record = find_in(item.handovers, missing->key);
    missing->fenced = missing->fenced || (record != nullptr && record->barred && !(asked < *record->barred));
  }
}

/// A recorded payment by another user says whom it paid, so that --idempotent can compare.
void take_over_payee(Item& item, const Event& event) {
  const auto* paid = std::get_if<HashPaid>(&event);
  if (paid != nullptr && paid->destination && item.payment.index.value == 0)
    item.payment.request.demand.destination = *paid->destination;
}

/// What was concluded from outdated facts has to be concluded again.
void drop_all_but_proofs(std::vector<Event>& backlog) {
  const auto proof = [](const Event& event) {
    return std::holds_alternative<Settled>(event) || std::holds_alternative<HashPaid>(event);
  };
  backlog.erase(std::remove_if(backlog.begin(), backlog.end(), [&](const Event& event) { return !proof(event); }),
                backlog.end());
}

// --- acts ---

/// Whether this process may send an attempt. `record`: what it knows of its own requests for it, or nullptr.
bool may_hand_over(const ItemContext& at, const HandoverRecord* record) {
  if (at.mode == ItemContext::Mode::collect_only) return record != nullptr && record->drawn_here;
  return at.mode == ItemContext::Mode::drive;
}

/// Does one act. False: the acts after it are not done.
class Performer {
 public:
  Performer(Item& item, const ItemContext& at, Wishes& wishes) : item_(item), at_(at), wishes_(wishes) {}

  bool operator()(const Report&) { return end(Leave{}); }
  bool operator()(const Look&) { return look_at(at_.mono); }
  bool operator()(const LookLater&) { return look_at(plus(at_.mono, pause(item_, at_))); }

  bool operator()(const AskRoutes& act) {
    const bool beside = item_.payment.has_open_attempt();
    if (at_.mode != ItemContext::Mode::drive) return beside || end(Leave{});
    if (auto wrong = unusable_clock(at_.wall, at_.clock_from)) return beside || end(RefuseClock{std::move(*wrong)});
    if (at_.identity == nullptr) return look_at(at_.mono);
    return wish(AskForRoutes{act});
  }

  bool operator()(const Dispatch& act) {
    const Attempt& attempt = *item_.payment.find(act.key);
    HandoverRecord& record = handover_of(item_, act.key);
    if (!may_hand_over(at_, &record)) return end(Leave{});
    if (at_.identity == nullptr) return look_at(at_.mono);
    // The node was restarted since the decision.
    if (attempt.switch_run != at_.identity->run) return look_at(at_.mono);
    const bool first = record.drawn_here && record.copies == 0;
    if (!first && !at_.identity->capabilities.same_again) return look_at(plus(at_.mono, pause(item_, at_)));  // R4
    ++record.copies;
    sent(record);
    return wish(SendHandover{record.key});
  }

  bool operator()(const Fence& act) {
    if (at_.mode != ItemContext::Mode::drive) return end(Leave{});
    if (at_.identity == nullptr) return look_at(at_.mono);
    HandoverRecord& record = handover_of(item_, act.key);
    sent(record);
    return wish(SendFence{record.key});
  }

  bool operator()(const Release&) {
    if (at_.mode != ItemContext::Mode::drive) return end(Leave{});
    if (at_.identity == nullptr) return look_at(at_.mono);
    outdate_look(item_);
    return wish(SendRelease{});
  }

  bool operator()(const Query& act) {
    if (!at_.ask_for_ends || at_.identity == nullptr) return true;
    HandoverRecord& record = handover_of(item_, act.key);
    if (std::exchange(record.querying, true)) return true;
    return wish(SendQuery{record.key});
  }

 private:
  void sent(HandoverRecord& record) {
    record.unanswered = at_.mono;
    outdate_look(item_);
  }

  bool look_at(MonoNs when) {
    want_look(item_, when);
    return true;
  }

  bool wish(Wish what) {
    wishes_.push_back(std::move(what));
    return true;
  }

  bool end(Wish what) {
    wishes_.push_back(std::move(what));
    return false;
  }

  Item& item_;
  const ItemContext& at_;
  Wishes& wishes_;
};

}  // namespace

// --- reading ---

UnixNs time_for(const Payment& payment, const ItemContext& at) { return std::max(at.wall, payment.request.created); }

const HandoverRecord* find_handover(const Item& item, const AttemptKey& key) { return find_in(item.handovers, key); }

bool unanswered(const Item& item) {
  return std::any_of(item.handovers.begin(), item.handovers.end(),
                     [](const HandoverRecord& record) { return record.unanswered.has_value(); });
}

bool at_rest(const Item& item) {
  return item.backlog.empty() && !unanswered(item) && !std::holds_alternative<LookAsked>(item.look) && !item.route;
}

std::optional<MonoNs> look_due(const Item& item) {
  const auto* wanted = std::get_if<LookWanted>(&item.look);
  return wanted != nullptr ? std::optional(wanted->at) : std::nullopt;
}

std::optional<MonoNs> wakes_at(const Item& item, const ItemContext& at) {
  std::optional<MonoNs> first = deadline_due(item, at);
  for (const HandoverRecord& record : item.handovers) {
    if (!record.unanswered) continue;
    const MonoNs due = plus(*record.unanswered, reply_patience_ns);
    first = first ? std::min(*first, due) : due;
  }
  if (item.proven) first = std::min(first.value_or(MonoNs{INT64_MAX}), plus(*item.proven, parts_patience_ns));
  return first;
}

// --- the look ---

void want_look(Item& item, MonoNs at) {
  if (auto* asked = std::get_if<LookAsked>(&item.look)) {
    asked->outdated = true;
    asked->again = asked->again ? std::min(*asked->again, at) : at;
    return;
  }
  const auto earlier = look_due(item);
  item.look = LookWanted{earlier ? std::min(*earlier, at) : at};
}

bool take_look(Item& item, MonoNs now) {
  const auto due = look_due(item);
  if (!due || now < *due) return false;
  item.look = LookAsked{now};
  return true;
}

std::optional<MonoNs> look_came(Item& item, const ItemContext& at) {
  const auto* under_way = std::get_if<LookAsked>(&item.look);
  if (under_way == nullptr) return std::nullopt;
  const LookAsked asked = *under_way;
  end_look(item);
  if (!asked.outdated) return asked.asked;
  if (!unanswered(item)) want_look(item, at.mono);
  return std::nullopt;
}

// --- answers ---

void on(Item& item, LookFinding finding, MonoNs asked, const ItemContext& at) {
  item.marks = finding.now;
  ++item.idle_looks;
  prove_orphans(item, finding, asked, at.mono);
  end_barred(item, finding, asked);
  for (Event& event : finding.events) {
    take_over_payee(item, event);
    item.backlog.push_back(std::move(event));
  }
}

Wishes on(Item& item, const RouteAnswer& answer) {
  if (!item.route) return {};
  const RouteAsked asked = std::move(*item.route);
  item.route.reset();
  if (asked.again) return {AskForRoutes{*asked.again}};
  if (asked.outdated) return {};
  auto judged = judge_answer(answer, item.payment, asked.excluded);
  if (auto* routes = std::get_if<std::vector<Route>>(&judged))
    return {TakeRoutes{std::move(*routes), round_for(item, asked.wanted)}};
  if (answer.advised && asked.advised) return {AskForRoutes{asked.wanted, false, asked.caution}};
  if (asked.caution > 0 && !asked.excluded.bounds.empty())
    return {AskForRoutes{asked.wanted, false, asked.caution - 1}};
  if (met_full_channel(item.payment, asked.full_until)) return {WaitForChannel{}};
  item.backlog.push_back(std::move(std::get<NoRoute>(judged)));
  return {};
}

void on(Item& item, const DispatchAnswer& answer, const ItemContext& at) {
  answered(item, answer.key);
  switch (answer.kind) {
    case DispatchAnswer::Kind::accepted: {
      Attempt* attempt = item.payment.find(answer.key);
      // This needs no commit of its own, unless it is a proof.
      if (attempt != nullptr && !attempt->accepted && !attempt->dies()) attempt->accepted = at.wall;
      item.backlog.push_back(Accepted{answer.key});
      return;
    }
    case DispatchAnswer::Kind::not_sent: {
      const HandoverRecord* record = find_handover(item, answer.key);
      item.backlog.push_back(NotSent{answer.key, answer.failure, record != nullptr && record->only_copy()});
      return;
    }
    case DispatchAnswer::Kind::look: return look_instead(item, at);
  }
}

void on(Item& item, const QueryAnswer& answer, const ItemContext& at) {
  if (HandoverRecord* record = find_in(item.handovers, answer.key)) record->querying = false;
  if (answer.kind != QueryAnswer::Kind::look) answered(item, answer.key);
  switch (answer.kind) {
    case QueryAnswer::Kind::settled: return item.backlog.push_back(Settled{answer.key, answer.preimage});
    case QueryAnswer::Kind::failed: return item.backlog.push_back(Failed{answer.key, answer.failure});
    case QueryAnswer::Kind::look: return look_instead(item, at);
  }
}

Wishes on(Item& item, const FenceAnswer& answer, const ItemContext& at) {
  answered(item, answer.key);
  if (answer.kind == FenceAnswer::Kind::fenced) {
    item.backlog.push_back(Fenced{answer.key});
    return {};
  }
  if (answer.kind == FenceAnswer::Kind::barred && item.payment.proof()) {
    HandoverRecord& record = handover_of(item, answer.key);
    if (!std::exchange(record.barred, at.mono)) {
      want_look(item, at.mono);
      return {};
    }
  }
  // The payment has ended already. As long as somebody's complete record is in the way, the switch accepts no fence,
  // but it makes no HTLC of ours either. A later run asks again.
  if (item.payment.ended_for_good()) return {Leave{}};
  look_instead(item, at);
  return {};
}

void on(Item& item, const ReleaseAnswer&, const ItemContext& at) { want_look(item, at.mono); }

void on(Item& item, const Disconnected&, const ItemContext& at) {
  end_look(item);
  item.route.reset();
  for (HandoverRecord& record : item.handovers) {
    record.unanswered.reset();
    record.querying = false;
  }
  want_look(item, at.mono);
}

// --- the route ---

bool may_ask_routes(Item& item, const AskRoutes& wanted) {
  if (item.route) item.route->again = wanted;
  return !item.route;
}

std::optional<AttemptId> round_for(const Item& item, const AskRoutes& wanted) {
  return wanted.beside_orphans ? wanted.beside_orphans : item.payment.open_round();
}

void route_asked(Item& item, RouteAsked asked) { item.route = std::move(asked); }

void no_route(Item& item, FailureDetail detail) {
  item.backlog.push_back(NoRoute{FailureReason::no_route, std::move(detail)});
}

void routes_ready(Item& item, std::vector<Route> routes, AttemptId round, const ItemContext& at) {
  if (item.payment.request.candidates.empty()) tell_apart(routes, item.payment);  // R5
  RoutesReady ready{round, {}, at.identity->key, item.marks, at.identity->run, at.terms, at.base_height};
  std::uint32_t part = item.payment.next_part();
  for (Route& route : routes) {
    handover_of(item, AttemptKey{item.payment.request.hash, round, part}).drawn_here = true;
    ready.parts.push_back(PlannedPart{part++, std::move(route)});
  }
  item.backlog.push_back(std::move(ready));
}

void take_other_id(Item& item, RoutesReady taken, AttemptId id) {
  for (const PlannedPart& planned : taken.parts) {
    AttemptKey key{item.payment.request.hash, taken.round, planned.part};
    if (HandoverRecord* record = find_in(item.handovers, key)) record->drawn_here = false;
    key.id = id;
    handover_of(item, key).drawn_here = true;
  }
  taken.round = id;
  item.backlog.insert(item.backlog.begin(), std::move(taken));
}

// --- clocks ---

void tell_deadline(Item& item, const ItemContext& at) {
  if (item.deadline_told || item.payment.index.value == 0) return;
  if (time_for(item.payment, at) < item.payment.request.deadline) return;
  item.deadline_told = true;
  item.backlog.push_back(DeadlinePassed{});
}

void doubt_silence(Item& item, const ItemContext& at) {
  for (HandoverRecord& record : item.handovers) {
    if (!record.unanswered || at.mono < plus(*record.unanswered, reply_patience_ns)) continue;
    record.unanswered = at.mono;
    want_look(item, at.mono);
  }
}

Wishes leave_proven(const Item& item, const ItemContext& at) {
  const bool stays = !item.proven || at.mono < plus(*item.proven, parts_patience_ns) || !item.backlog.empty();
  if (stays) return {};
  return {Leave{}};
}

// --- the store ---

void on_stored(Item& item, PaymentIndex index, const Decision& decision, MonoNs now) {
  item.payment.index = index;
  const bool proven = item.payment.proof().has_value();
  const bool open = item.payment.has_open_attempt();
  for (const Write& write : decision.writes) apply(item.payment, write);
  if (!proven && item.payment.proof()) item.proven = now;
  if (open && !item.payment.has_open_attempt()) outdate_question(item);
  item.idle_looks = 0;
}

Wishes on_reload(Item& item, Payment stored, const ItemContext& at) {
  item.payment = std::move(stored);
  drop_all_but_proofs(item.backlog);
  if (item.payment.ended_for_good() && !item.payment.has_open_attempt()) return {Leave{}};
  want_look(item, at.mono);
  return {};
}

// --- decisions ---

void leave_unmoved(const Item& item, Decision& decision, const ItemContext& at) {
  std::erase_if(decision.writes, [&](const Write& write) {
    const auto* move = std::get_if<MoveAttempt>(&write);
    return move != nullptr && !may_hand_over(at, find_handover(item, move->key));
  });
}

Wishes perform(Item& item, const Decision& decision, const ItemContext& at) {
  if (decision.refusal) return {RefuseTry{*decision.refusal}};
  Wishes wishes;
  Performer performer(item, at, wishes);
  for (const Act& act : decision.acts) {
    if (!std::visit(performer, act)) break;
  }
  return wishes;
}

}  // namespace paytower
