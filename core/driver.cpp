#include "core/driver.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/attempt_id.h"
#include "core/driver_admission.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/lifecycle.h"
#include "core/look.h"
#include "core/route_session.h"

namespace paytower {

namespace {

constexpr std::int64_t first_answer_ns = ns_per_second;          ///< --wait 0 stays this long for a first answer
constexpr std::int64_t farewell_ns = 700 * ns_per_ms;            ///< after a signal, for answers to hand-overs
constexpr std::int64_t reply_patience_ns = 2 * ns_per_second;    ///< an unanswered hand-over is looked for after this
constexpr std::int64_t store_poll_ns = 250 * ns_per_ms;          ///< how soon another process's cancel is seen
constexpr std::int64_t reconnect_ns = 250 * ns_per_ms;
constexpr std::int64_t longest_pause_ns = 5 * ns_per_second;
constexpr unsigned most_refusals = 8;                            ///< then a payment is left to the next run

MonoNs plus(MonoNs at, std::int64_t ns) { return MonoNs{at.value + ns}; }

/// One payment on its way through this process.
struct Item {
  Payment payment;
  std::uint64_t ticket = 0;
  bool handed_over = false;
  bool done = false;

  bool looking = false;
  bool look_outdated = false;                ///< something was handed over while the look was under way
  std::optional<MonoNs> look_at;             ///< a look is wanted, not before this
  unsigned idle_looks = 0;                   ///< looks in a row that changed nothing
  Marks marks;                               ///< of the last look

  bool asking = false;
  Exclusions excluded;                       ///< of the question under way

  std::map<AttemptId, unsigned> copies;      ///< hand-overs written by this process (R3)
  std::set<AttemptId> drawn;                 ///< ids that this process drew
  std::map<AttemptId, MonoNs> unanswered;    ///< hand-overs and fences without an answer yet
  std::set<AttemptId> querying;

  std::deque<Happening> backlog;
  bool deadline_told = false;
  bool answered_once = false;                ///< the switch answered a hand-over: --wait 0 may leave
  unsigned refusals = 0;                     ///< writes that the store refused, in a row
};

/// What all tries of one hash in this process share.
struct HashEntry {
  StoreKnowledge knowledge;
  AttemptId highest;
  std::size_t users = 0;
};

}  // namespace

struct Driver::Impl {
  Impl(DriverPorts the_ports, DriverOptions the_options) : ports(the_ports), options(std::move(the_options)) {}
  ~Impl() {
    for (const auto& [hash, entry] : hashes) ports.locks.unlock(hash);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  DriverPorts ports;
  DriverOptions options;

  std::deque<Admission> queue;                       ///< not driven yet
  std::vector<std::unique_ptr<Item>> items;          ///< driven now
  std::unordered_map<std::uint64_t, Item*> by_ticket;
  std::unordered_map<PaymentHash, HashEntry, BytesHash> hashes;
  std::vector<DriveResult> results;

  std::optional<IdentityAnswer> identity;
  bool identifying = false;
  bool ever_identified = false;
  std::optional<MonoNs> identify_at;

  std::uint64_t next_ticket = 1;
  MonoNs start;
  UnixNs base_wall;
  std::uint64_t seen_changes = 0;
  MonoNs store_poll_at;
  std::optional<MonoNs> told_to_leave;
  bool commit_was_busy = false;

  // --- time ---

  [[nodiscard]] MonoNs mono() const { return ports.clock.mono(); }
  /// Never earlier than the monotonic clock allows, whatever somebody does to the wall clock.
  [[nodiscard]] UnixNs now() const {
    const UnixNs by_mono{base_wall.value + (mono().value - start.value)};
    return std::max(ports.clock.wall(), by_mono);
  }
  [[nodiscard]] UnixNs now_for(const Payment& payment) const { return std::max(now(), payment.request.created); }
  [[nodiscard]] std::optional<MonoNs> limit() const {
    if (!options.wait_ns) return std::nullopt;
    return plus(start, *options.wait_ns == 0 ? first_answer_ns : *options.wait_ns);
  }

  // --- the run ---

  std::vector<DriveResult> run() {
    start = mono();
    base_wall = ports.clock.wall();
    seen_changes = ports.store.change_counter();
    store_poll_at = plus(start, store_poll_ns);
    admit();
    while (!items.empty() || !queue.empty()) {
      settle();
      sweep();
      admit();
      if (items.empty() && queue.empty()) break;
      if (leaving()) break;
      connect();
      start_looks();
      for (SwitchEvent& event : ports.node.poll(wake_at())) {
        std::visit([this](auto& what) { receive(what); }, event);
      }
      look_at_clocks();
    }
    leave_open();
    return std::move(results);
  }

  /// No new attempt once a signal came; answers to hand-overs are still waited for, briefly.
  [[nodiscard]] bool leaving() {
    if (!told_to_leave && ports.clock.stop_signal() != 0) told_to_leave = mono();
    if (told_to_leave) return !any_unanswered() || mono() >= plus(*told_to_leave, farewell_ns);
    const auto end = limit();
    return end && mono() >= *end;
  }

  [[nodiscard]] bool any_unanswered() const {
    return std::any_of(items.begin(), items.end(), [](const auto& item) { return !item->unanswered.empty(); });
  }

  void leave_open() {
    for (const auto& item : items) {
      if (!item->done) close(*item);
    }
    sweep();
    for (Admission& left : queue) results.push_back(busy_result(left));
    queue.clear();
  }

  /// The end of an item for this process, by what is stored of it.
  void close(Item& item) {
    if (item.payment.index.value == 0) {
      return finish(item, DriveEnd::unavailable,
                    Error{Errc::switch_unavailable, "the switch gave no route in time; nothing was recorded and nothing was sent", {}});
    }
    finish(item, item.payment.ended_for_good() ? DriveEnd::ended : DriveEnd::open, std::nullopt);
  }

  void finish(Item& item, DriveEnd end, std::optional<Error> error) {
    if (item.done) return;
    item.done = true;
    DriveResult result;
    result.hash = item.payment.request.hash;
    result.end = end;
    result.error = std::move(error);
    result.handed_over = item.handed_over;
    if (item.payment.index.value != 0) result.payment = item.payment;
    results.push_back(std::move(result));
  }

  void sweep() {
    for (auto& item : items) {
      if (!item->done) continue;
      by_ticket.erase(item->ticket);
      release(item->payment.request.hash);
      item.reset();
    }
    items.erase(std::remove(items.begin(), items.end(), nullptr), items.end());
  }

  // --- admission: lock, read, ask the lifecycle ---

  void admit() {
    const std::size_t room = std::min(options.max_parallel, limits::max_payment_locks);
    for (std::size_t waiting = queue.size(); waiting > 0 && items.size() < room; --waiting) {
      Admission next = std::move(queue.front());
      queue.pop_front();
      if (next.retry_at && mono() < *next.retry_at) {
        queue.push_back(std::move(next));
        continue;
      }
      admit_one(std::move(next));
    }
  }

  void admit_one(Admission next) {
    if (next.index) {
      const auto stored = ports.store.load(*next.index);
      if (!stored) return;  // deleted meanwhile
      next.hash = stored->request.hash;
    }
    if (!hold(next)) return wait_for_lock(std::move(next));
    // Read after locking: only now the facts cannot change below us (R11).
    HashState state = ports.store.find(next.hash);
    remember(next.hash, state);
    if (!next.index) return admit_request(next, state);
    auto stored = ports.store.load(*next.index);
    if (!stored) return release(next.hash);  // deleted before it was locked
    admit_stored(std::move(*stored));
  }

  /// Tries of one hash share its lock within a resume; a second send of a hash never does.
  bool hold(const Admission& next) {
    const auto known = hashes.find(next.hash);
    if (known != hashes.end()) {
      if (!next.index) return false;
      ++known->second.users;
      return true;
    }
    if (!ports.locks.try_lock(next.hash)) return false;
    hashes[next.hash].users = 1;
    return true;
  }

  void remember(const PaymentHash& hash, const HashState& state) {
    HashEntry& entry = hashes[hash];
    entry.knowledge = state.knowledge;
    entry.highest = std::max(entry.highest, state.highest_id);
  }

  void release(const PaymentHash& hash) {
    const auto entry = hashes.find(hash);
    if (entry == hashes.end() || --entry->second.users > 0) return;
    ports.locks.unlock(hash);
    hashes.erase(entry);
  }

  void wait_for_lock(Admission next) {
    const bool patient = next.idempotent || mono() < plus(start, options.lock_timeout_ns);
    const bool leave = ports.clock.stop_signal() != 0 || (limit() && mono() >= *limit());
    if (!patient || leave || options.wait_ns == 0) return results.push_back(busy_result(next));
    next.retry_at = plus(mono(), store_poll_ns / 5);
    queue.push_back(std::move(next));
  }

  void admit_stored(Payment payment) {
    if (payment.provenance != Provenance::native) return refuse_at_door(payment, DriveEnd::not_driven);
    const bool work_left = payment.has_open_attempt() || payment.has_watched_attempt() || !payment.ended_for_good();
    if (!work_left) return refuse_at_door(payment, DriveEnd::ended);
    drive(std::move(payment)).look_at = mono();
  }

  void refuse_at_door(const Payment& payment, DriveEnd end) {
    DriveResult result;
    result.hash = payment.request.hash;
    result.end = end;
    result.payment = payment;
    results.push_back(std::move(result));
    release(payment.request.hash);
  }

  void admit_request(Admission& next, HashState& state) {
    const Judgement judgement = judge_request(next, state);
    if (judgement.join) return admit_stored(std::move(*state.payment));
    if (judgement.result) {
      results.push_back(*judgement.result);
      return release(next.hash);
    }
    Payment fresh;
    fresh.request = std::move(*next.request);
    Item& item = drive(std::move(fresh));
    Created created;
    if (state.payment) created.previous = state.payment->status();
    if (state.guard) created.guard = state.guard->kind;
    item.backlog.push_back(created);
  }

  Item& drive(Payment payment) {
    auto item = std::make_unique<Item>();
    item->payment = std::move(payment);
    item->ticket = next_ticket++;
    by_ticket[item->ticket] = item.get();
    items.push_back(std::move(item));
    return *items.back();
  }

  // --- the tick: decide, commit once, act ---

  struct Decided {
    Item* item = nullptr;
    Happening cause;
    Decision decision;
  };

  void settle() {
    commit_was_busy = false;
    while (!commit_was_busy) {
      std::vector<Decided> tick = decide_all();
      if (tick.empty()) return;
      commit(tick);
    }
  }

  /// Events without writes act at once; each item stops at its first event with writes, which the tick's commit takes.
  std::vector<Decided> decide_all() {
    std::vector<Decided> tick;
    for (std::size_t i = 0; i < items.size(); ++i) {
      Item& item = *items[i];
      while (!item.done && !item.backlog.empty()) {
        Happening cause = std::move(item.backlog.front());
        item.backlog.pop_front();
        Decision decision = decide(item.payment, Event{now_for(item.payment), cause});
        warn_wrong_preimage(item, decision);
        if (!decision.writes.empty()) {
          tick.push_back(Decided{&item, std::move(cause), std::move(decision)});
          break;
        }
        perform(item, decision);
      }
    }
    return tick;
  }

  void commit(std::vector<Decided>& tick) {
    std::vector<PaymentWrites> writes;
    writes.reserve(tick.size());
    for (const Decided& pending : tick) writes.push_back(PaymentWrites{&pending.item->payment, pending.decision.writes});
    std::vector<Result<Stored>> stored;
    try {
      stored = ports.store.commit(writes);
    } catch (const StoreError&) {
      save_preimages(tick);
      throw;
    }
    for (std::size_t i = 0; i < tick.size(); ++i) {
      if (stored[i]) {
        accepted_by_store(tick[i], *stored[i]);
      } else {
        refused_by_store(tick[i], stored[i].error());
      }
    }
  }

  /// R10: what was learned must not be lost with the commit that failed.
  void save_preimages(const std::vector<Decided>& tick) {
    for (const Decided& pending : tick) {
      for (const Write& write : pending.decision.writes) {
        const PaymentHash& hash = pending.item->payment.request.hash;
        if (const auto* settle_it = std::get_if<SettleAttempt>(&write)) {
          ports.store.spool(hash, settle_it->id, settle_it->preimage);
          ports.observer.warn(hash, "paid, but the database could not store it; preimage " + settle_it->preimage.hex());
        } else if (const auto* foreign = std::get_if<RecordForeign>(&write)) {
          ports.observer.warn(hash, "paid by another user of the node, but the database could not store it; preimage " +
                                        foreign->attempt.preimage->hex());
        }
      }
    }
  }

  void accepted_by_store(Decided& pending, const Stored& stored) {
    Item& item = *pending.item;
    item.payment.index = stored.index;
    for (const Write& write : pending.decision.writes) {
      apply(item.payment, write);
      if (const auto* made = std::get_if<RegisterAttempt>(&write)) {
        hashes[item.payment.request.hash].knowledge.known_ids.push_back(*made->attempt.id);
      }
    }
    item.idle_looks = 0;
    item.refusals = 0;
    ports.observer.changed(item.payment);
    if (const auto* paid = std::get_if<HashPaid>(&pending.cause); paid && item.handed_over) {
      ports.observer.warn(item.payment.request.hash, "another user of the node paid this hash: " + std::to_string(paid->amount.value()) +
                                                         " msat and " + std::to_string(paid->fee.value()) + " msat of fees are theirs");
    }
    perform(item, pending.decision);
  }

  void refused_by_store(Decided& pending, const Error& why) {
    Item& item = *pending.item;
    if (why.code == Errc::busy) {
      commit_was_busy = true;
      if (item.payment.index.value == 0) return finish(item, DriveEnd::busy, why);
      item.backlog.push_front(std::move(pending.cause));  // what was learned is stored as soon as the lock is free
      return;
    }
    if (item.payment.index.value == 0) return finish(item, DriveEnd::refused, why);
    ports.observer.trace(item.payment.request.hash, "the store refused: " + why.message);
    if (++item.refusals > most_refusals) {
      ports.observer.warn(item.payment.request.hash, "the store refuses what the switch tells (" + why.message + "): left as it is");
      return close(item);
    }
    item.backlog.push_front(std::move(pending.cause));
    reload(item);
  }

  /// Another process changed the payment's facts (a cancel, an operator's word): theirs are read, and the switch is asked anew.
  void reload(Item& item) {
    auto stored = ports.store.load(item.payment.index);
    if (!stored) return finish(item, DriveEnd::ended, std::nullopt);
    item.payment = std::move(*stored);
    drop_all_but_proofs(item.backlog);
    if (item.payment.ended_for_good() && !item.payment.has_open_attempt()) return finish(item, DriveEnd::ended, std::nullopt);
    want_look(item, mono());
  }

  /// What was concluded from the old facts is concluded anew; a preimage stays true whatever was read.
  static void drop_all_but_proofs(std::deque<Happening>& backlog) {
    std::deque<Happening> proofs;
    for (Happening& event : backlog) {
      if (std::holds_alternative<Settled>(event) || std::holds_alternative<HashPaid>(event)) proofs.push_back(std::move(event));
    }
    backlog = std::move(proofs);
  }

  void warn_wrong_preimage(Item& item, const Decision& decision) {
    if (!decision.wrong_preimage) return;
    ports.observer.warn(item.payment.request.hash, "the switch gave a preimage for attempt " +
                                                       std::to_string(decision.wrong_preimage->value) +
                                                       " that does not hash to the payment hash: nothing was concluded");
  }

  // --- acts ---

  void perform(Item& item, const Decision& decision) {
    if (decision.refusal) return finish(item, DriveEnd::refused, refusal_of(item.payment, *decision.refusal));
    for (const Act& what : decision.acts) {
      if (item.done) return;
      std::visit([&](const auto& act) { do_act(item, act); }, what);
    }
  }

  void do_act(Item& item, const Report&) { close(item); }
  void do_act(Item& item, const Look&) { want_look(item, mono()); }
  void do_act(Item& item, const LookLater&) { want_look(item, plus(mono(), pause(item))); }

  [[nodiscard]] std::int64_t pause(const Item& item) const {
    return std::min(options.look_pause_ns << std::min(item.idle_looks, 10U), longest_pause_ns);
  }

  /// An earlier wish stands; a look that is under way was asked too early to answer this one (R9).
  void want_look(Item& item, MonoNs at) {
    if (item.looking) item.look_outdated = true;
    item.look_at = item.look_at ? std::min(*item.look_at, at) : at;
  }

  void do_act(Item& item, const AskRoute&) {
    if (options.collect_only || told_to_leave) return close(item);
    if (!identity) return want_look(item, mono());
    const auto others = ports.store.recent_failures(UnixNs{now().value - node_memory_ns});
    NextRoute next = next_route(item.payment, others, now(), item.ticket);
    if (std::holds_alternative<NothingLeft>(next)) {
      item.backlog.push_back(NoRoute{FailureReason::no_route});
    } else if (auto* route = std::get_if<Route>(&next)) {
      item.backlog.push_back(ready(item, std::move(*route)));
    } else {
      auto& question = std::get<RouteQuestion>(next);
      item.excluded = Exclusions{question.excluded_channels, question.excluded_nodes};
      item.asking = true;
      ports.node.ask_route(question);
    }
  }

  RouteReady ready(Item& item, Route route) {
    HashEntry& entry = hashes[item.payment.request.hash];
    entry.highest = draw_attempt_id(now(), ports.randomness, entry.highest);
    item.drawn.insert(entry.highest);
    return RouteReady{entry.highest, 0, identity->key, item.marks, std::move(route)};
  }

  void do_act(Item& item, const Dispatch& act) {
    if (told_to_leave || (options.collect_only && !item.drawn.count(act.id))) return close(item);
    if (!identity) return want_look(item, mono());
    const Attempt& attempt = *item.payment.find(act.id);
    ++item.copies[act.id];
    item.handed_over = true;
    item.unanswered[act.id] = mono();
    if (item.looking) item.look_outdated = true;
    trace(item, "hand over attempt " + std::to_string(act.id.value));
    ports.node.dispatch(handover(item.payment, attempt, store_id(item), false));
  }

  void do_act(Item& item, const Fence& act) {
    if (options.collect_only || told_to_leave) return close(item);
    if (!identity) return want_look(item, mono());
    const Attempt& attempt = *item.payment.find(act.id);
    item.unanswered[act.id] = mono();
    if (item.looking) item.look_outdated = true;
    trace(item, "fence attempt " + std::to_string(act.id.value));
    ports.node.fence(handover(item.payment, attempt, store_id(item), true));
  }

  void do_act(Item& item, const Query& act) {
    if (options.wait_ns == 0) return;  // handed over: the first answer is all that --wait 0 stays for
    if (!identity || !item.querying.insert(act.id).second) return;
    ports.node.query(key(item.payment, *item.payment.find(act.id)));
  }

  [[nodiscard]] const StoreId& store_id(const Item& item) { return hashes[item.payment.request.hash].knowledge.store; }

  void trace(const Item& item, const std::string& text) { ports.observer.trace(item.payment.request.hash, text); }

  // --- questions to the switch ---

  void connect() {
    if (identity || identifying) return;
    if (identify_at && mono() < *identify_at) return;
    identifying = true;
    ports.node.identify();
  }

  void start_looks() {
    if (!identity) return;
    for (const auto& item : items) {
      if (item->done || item->looking || !item->look_at || mono() < *item->look_at) continue;
      item->look_at.reset();
      item->looking = true;
      item->look_outdated = false;
      ports.node.look(item->payment.request.hash, oldest_marks(item->payment));
    }
  }

  // --- answers ---

  void receive(const IdentityAnswer& answer) {
    identifying = false;
    identity = answer;
    ever_identified = true;
    for (const auto& item : items) {
      if (item->done) continue;
      if (answer.restarted) trace(*item, "the switch was restarted");
      check_identity(*item);
    }
  }

  /// R6, on every connection.
  void check_identity(Item& item) {
    const auto refusal = wrong_switch(item.payment, identity->key);
    if (refusal) finish(item, refusal->code == Errc::other_switch ? DriveEnd::other_switch : DriveEnd::refused, *refusal);
  }

  void receive(const LookAnswer& answer) {
    for (const auto& item : items) {
      if (item->done || !item->looking || item->payment.request.hash != answer.look.hash) continue;
      item->looking = false;
      if (item->look_outdated) {
        item->look_outdated = false;
        if (item->unanswered.empty()) want_look(*item, mono());
        continue;
      }
      conclude(*item, answer.look);
    }
  }

  void conclude(Item& item, const LookResult& look) {
    LookFinding finding = interpret(item.payment, look, hashes[look.hash].knowledge);
    for (const std::string& warning : finding.warnings) ports.observer.warn(look.hash, warning);
    if (finding.alarm) throw RefusalError(refusal_of(item.payment, *finding.alarm));
    item.marks = look.now;
    ++item.idle_looks;
    for (Happening& event : finding.events) item.backlog.push_back(std::move(event));
  }

  void receive(const RouteAnswer& answer) {
    const auto found = by_ticket.find(answer.ticket);
    if (found == by_ticket.end() || found->second->done || !found->second->asking) return;
    Item& item = *found->second;
    item.asking = false;
    if (!answer.route) return item.backlog.push_back(NoRoute{answer.reason});
    if (!acceptable(*answer.route, item.payment, item.excluded)) {
      trace(item, "the switch's route breaks a limit or uses what was excluded: refused");
      return item.backlog.push_back(NoRoute{FailureReason::no_route});
    }
    item.backlog.push_back(ready(item, *answer.route));
  }

  [[nodiscard]] Item* item_of(const AttemptKey& key) {
    for (const auto& item : items) {
      if (!item->done && item->payment.request.hash == key.hash && item->payment.find(key.id)) return item.get();
    }
    return nullptr;
  }

  void receive(const DispatchAnswer& answer) {
    Item* item = item_of(answer.key);
    if (!item) return;
    item->unanswered.erase(answer.key.id);
    item->answered_once = true;
    switch (answer.kind) {
      case DispatchAnswer::Kind::accepted: {
        Attempt& attempt = *item->payment.find(answer.key.id);
        if (!attempt.accepted) attempt.accepted = now();
        trace(*item, "attempt " + std::to_string(answer.key.id.value) + " accepted");
        item->backlog.push_back(Accepted{answer.key.id});
        return;
      }
      case DispatchAnswer::Kind::not_sent: {
        const bool only_copy = item->drawn.count(answer.key.id) != 0 && item->copies[answer.key.id] == 1;
        item->backlog.push_back(NotSent{answer.key.id, answer.failure, only_copy});
        return;
      }
      case DispatchAnswer::Kind::look: want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item))); return;
    }
  }

  void receive(const QueryAnswer& answer) {
    Item* item = item_of(answer.key);
    if (!item) return;
    item->querying.erase(answer.key.id);
    switch (answer.kind) {
      case QueryAnswer::Kind::settled: item->backlog.push_back(Settled{answer.key.id, answer.preimage}); return;
      case QueryAnswer::Kind::failed: item->backlog.push_back(Failed{answer.key.id, answer.failure}); return;
      case QueryAnswer::Kind::look: want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item))); return;
    }
  }

  void receive(const FenceAnswer& answer) {
    Item* item = item_of(answer.key);
    if (!item) return;
    item->unanswered.erase(answer.key.id);
    if (answer.kind == FenceAnswer::Kind::fenced) return item->backlog.push_back(Fenced{answer.key.id});
    want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item)));
  }

  void receive(const OwnRowsAnswer&) {}  // never asked for here

  /// What was handed over stays open. Whoever has nothing recorded leaves; the others look again on the next connection.
  void receive(const Disconnected& lost) {
    identity.reset();
    identifying = false;
    identify_at = plus(mono(), reconnect_ns);
    for (const auto& item : items) {
      if (item->done) continue;
      item->looking = item->asking = false;
      item->unanswered.clear();
      item->querying.clear();
      want_look(*item, mono());
      if (ever_identified && item->payment.index.value != 0) continue;
      const Error error{Errc::switch_unavailable, lost.why, {}};
      finish(*item, DriveEnd::unavailable, error);
    }
  }

  // --- clocks ---

  [[nodiscard]] MonoNs wake_at() {
    MonoNs at = store_poll_at;
    if (const auto end = limit()) at = std::min(at, *end);
    if (identify_at && !identity && !identifying) at = std::min(at, *identify_at);
    if (commit_was_busy) at = std::min(at, plus(mono(), options.look_pause_ns));
    for (const Admission& waiting : queue) {
      if (waiting.retry_at) at = std::min(at, *waiting.retry_at);
    }
    for (const auto& item : items) {
      if (identity && item->look_at && !item->looking) at = std::min(at, *item->look_at);
      for (const auto& [id, since] : item->unanswered) at = std::min(at, plus(since, reply_patience_ns));
      if (const auto due = deadline_mono(*item)) at = std::min(at, *due);
      if (!item->backlog.empty() && !commit_was_busy) at = mono();
    }
    return at;
  }

  [[nodiscard]] std::optional<MonoNs> deadline_mono(const Item& item) const {
    if (item.deadline_told || item.payment.index.value == 0) return std::nullopt;
    const std::int64_t left = item.payment.request.deadline.value - now_for(item.payment).value;
    return plus(mono(), std::clamp<std::int64_t>(left, 0, 3600 * ns_per_second));
  }

  void look_at_clocks() {
    for (const auto& item : items) {
      if (item->done) continue;
      tell_deadline(*item);
      doubt_silence(*item);
      if (options.wait_ns == 0 && item->answered_once && item->backlog.empty() && item->unanswered.empty()) close(*item);
    }
    if (mono() < store_poll_at) return;
    store_poll_at = plus(mono(), store_poll_ns);
    const std::uint64_t changes = ports.store.change_counter();
    if (changes == seen_changes) return;
    seen_changes = changes;
    for (const auto& item : items) see_foreign_words(*item);
  }

  void tell_deadline(Item& item) {
    if (item.deadline_told || item.payment.index.value == 0) return;
    if (now_for(item.payment) < item.payment.request.deadline) return;
    item.deadline_told = true;
    item.backlog.push_back(DeadlinePassed{});
  }

  /// A hand-over that nobody answers is looked for; the look decides, not the silence.
  void doubt_silence(Item& item) {
    for (auto& [id, since] : item.unanswered) {
      if (mono() < plus(since, reply_patience_ns)) continue;
      since = mono();
      want_look(item, mono());
    }
  }

  /// `cancel` and `resolve` of another process are facts in the database: they are taken over as they stand.
  void see_foreign_words(Item& item) {
    if (item.done || item.payment.index.value == 0) return;
    const auto stored = ports.store.load(item.payment.index);
    if (!stored || stored->stop_reason != item.payment.stop_reason || stored->ended_for_good() != item.payment.ended_for_good()) {
      reload(item);
    }
  }
};

Driver::Driver(DriverPorts ports, DriverOptions options) : impl_(std::make_unique<Impl>(ports, std::move(options))) {}
Driver::~Driver() = default;

void Driver::submit(PaymentRequest request, bool idempotent) {
  Admission next;
  next.hash = request.hash;
  next.request = std::move(request);
  next.idempotent = idempotent;
  impl_->queue.push_back(std::move(next));
}

void Driver::adopt(PaymentIndex index) {
  Admission next;
  next.index = index;
  impl_->queue.push_back(std::move(next));
}

std::vector<DriveResult> Driver::run() { return impl_->run(); }

}  // namespace paytower
