// What a process does with one state. The item's steps are the driver's own; each function names the function of the
// loop (core/driver/loop.h) that it models. What only one kind of node has is virtual.
#pragma once

#include <utility>

#include "tests/model/item_bytes.h"

namespace paytower::model {

/// Later than every time limit of an item.
inline constexpr MonoNs some_time_later{3600 * ns_per_second};

[[nodiscard]] inline bool goes_to_switch(const Act& act) {
  return std::holds_alternative<Dispatch>(act) || std::holds_alternative<Fence>(act) ||
         std::holds_alternative<Release>(act);
}

[[nodiscard]] inline bool ends(const Wish& wish) {
  return std::holds_alternative<Leave>(wish) || std::holds_alternative<RefuseTry>(wish) ||
         std::holds_alternative<RefuseClock>(wish);
}

template <typename... What> [[nodiscard]] bool writes(const Decision& decision) {
  return std::any_of(decision.writes.begin(), decision.writes.end(),
                     [](const Write& write) { return (std::holds_alternative<What>(write) || ...); });
}

template <typename World> class ProcessStep {
 public:
  using Config = typename World::Config;
  using Mutation = typename World::Mutation;
  using State = typename World::State;
  using LookOnWay = typename World::LookOnWay;

  ProcessStep(const Config& config, const Mutation& mutation, State& state)
      : config_(config), mutation_(mutation), state_(state) {}
  ProcessStep(const ProcessStep&) = delete;
  ProcessStep& operator=(const ProcessStep&) = delete;
  virtual ~ProcessStep() = default;

  // --- admission.cpp ---

  /// admit_request: admission asks decide(Created) with what the store knows of the hash.
  void send(unsigned slot) {
    const Decision decision =
        ask(payment_of(config_, state_.store, slot, 0), TimedEvent{wall_time(state_, slot), what_is_known()});
    if (decision.refusal) return;
    if (state_.paid != 0) throw Violation{"R13: a paid hash passes admission"};
    remember_store();
    bytes(slot).active = 1;
    act(slot, item(slot), decision);
  }

  /// admit_stored, for all that fetch_in_flight lists: tries of one hash share its lock.
  void resume(bool collect_only) {
    remember_store();
    state_.process.collect_only = collect_only ? 1 : 0;
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (!has_work(state_.store, slot)) continue;
      bytes(slot).active = 1;
      bytes(slot).known_stop = state_.store.tries[slot].stop;
      change(slot, [](Item& one, const ItemContext& at) { want_look(one, at.mono); });
    }
  }

  // --- tick.cpp ---

  /// decide_all and commit for the first event of one item. An act that the switch sees is a move of its own, so that a
  /// crash can come in between. An act that only changes memory is done at once, because a crash before it or after it
  /// has the same result.
  void decide_front(unsigned slot) { decide_first(slot, item(slot)); }

  void do_committed_act(unsigned slot) {
    ItemBytes& mine = bytes(slot);
    Decision committed;
    if (mine.act == 3) {
      committed.acts.push_back(Release{});
    } else {
      unsigned number = 1;
      while ((mine.act_ids & bit(number)) == 0) ++number;
      if (state_.store.attempts[number].outcome == Outcome::absent) throw Violation{"R1: handed over without a record"};
      const AttemptKey key = key_of(state_.store, number);
      committed.acts.push_back(mine.act == 1 ? Act{Dispatch{key}} : Act{Fence{key}});
      mine.act_ids = static_cast<std::uint8_t>(mine.act_ids & ~bit(number));
    }
    if (mine.act_ids == 0) mine.act = 0;
    Item one = item(slot);
    const Wishes wishes = mutation_.calls.perform(one, committed, context(slot));
    fulfil(slot, std::move(one), wishes);
  }

  // --- driver.cpp ---

  /// start_looks: one a hash at a time, shared by all tries that want one. `late`: a minute after everything that has
  /// happened.
  virtual void look(bool late) {
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (bytes(slot).active == 0) continue;
      bytes(slot).look_late = late ? 1 : 0;
      change(slot, [](Item& one, const ItemContext& at) { (void)take_look(one, at.mono); });
    }
    state_.process.look = LookOnWay{};
    state_.process.look.stage = LookStage::asked;
  }

  /// look_at_clocks, when two seconds have passed, or the deadline.
  void doubt_silence(unsigned slot) {
    change(slot, [](Item& one, ItemContext at) {
      at.mono = some_time_later;
      paytower::doubt_silence(one, at);
    });
  }

  void tell_deadline(unsigned slot) { change(slot, paytower::tell_deadline); }

  void see_foreign_decisions(unsigned slot) { reload(slot, item(slot)); }

  /// A crash, or leaving: what was handed over goes on.
  virtual void die() {
    drop_connection();
    state_.process = {};
  }

  // --- answers.cpp ---

  /// At once, or with other moves in between.
  void answer_look() {
    execute_look();
    if (!config_.stale_looks) receive_look();
  }

  /// What the switch shows of the hash is copied.
  void execute_look() {
    LookOnWay& look = state_.process.look;
    look.stage = LookStage::answered;
    copy_shown(look);
    look.after_end = 0;
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (!has_open(state_.store, slot)) look.after_end |= bit(slot);
    }
  }

  /// receive(LookAnswer): every item of the hash that took part in the question gets the answer.
  void receive_look() {
    const LookOnWay look = std::exchange(state_.process.look, LookOnWay{});
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (bytes(slot).active == 0) continue;
      Item one = item(slot);
      const auto asked = mutation_.calls.look_came(one, context(slot));
      if (asked) {
        conclude(slot, std::move(one), look, *asked);
      } else {
        keep(slot, one);
      }
      if (state_.process.alive == 0) return;  // an alarm ended it
    }
  }

  /// receive(RouteAnswer): routes for parts; empty if there is no route. Nothing else waits in the queue then.
  void receive_routes(unsigned slot, const std::vector<Route>& routes) {
    Item one = item(slot);
    const Wishes wishes = mutation_.calls.route_came(one, routes_answer(0, routes), state_);
    const auto* take = wishes.empty() ? nullptr : std::get_if<TakeRoutes>(&wishes.front());
    if (take == nullptr) return fulfil(slot, std::move(one), wishes);
    take_routes(slot, std::move(one), *take);
  }

  /// receive(Disconnected): items without a recorded payment leave.
  void disconnect() {
    drop_connection();
    state_.process.look = {};
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (bytes(slot).active == 0) continue;
      change(slot, [](Item& one, const ItemContext& at) { on(one, Disconnected{}, at); });
      if (state_.store.tries[slot].stand != RowStand::stored) finish(slot);
      if (state_.process.alive == 0) return;
    }
  }

  // --- cli/commands/cancel.cpp and cli/commands/resolve.cpp ---

  /// `word` is decided in another process, about the payment as it is stored. cancel needs no lock, resolve has it.
  void say(const Event& word) {
    const auto slot = newest(state_.store.tries);
    if (!slot) return;
    const Decision decision =
        ask(stored_payment(config_, state_.store, *slot), TimedEvent{wall_time(state_, *slot), word});
    if (decision.refusal || decision.writes.empty()) return;
    const auto before = state_.store.attempts;
    if (commit(config_, mutation_, state_, *slot, decision.writes)) return;
    for (unsigned number = 1; number < before.size(); ++number) {
      if (before[number].outcome == Outcome::open && called_dead(state_.store.attempts[number].outcome))
        state_.assumed |= bit(number);
    }
  }

 protected:
  [[nodiscard]] virtual ItemContext context(unsigned slot) const = 0;
  /// remember(), with what SqlitePaymentStore::find reads after the lock is taken.
  virtual void remember_store() { state_.process.alive = 1; }
  [[nodiscard]] virtual Created what_is_known() const {
    Created created;
    if (const auto known = newest(state_.store.tries))
      created.previous = stored_payment(config_, state_.store, *known).status();
    return created;
  }
  virtual void note_told(const Event& /*cause*/) {}
  /// R4: a new id only after all attempts of the old one have ended, and after a look.
  virtual void check_new_round(unsigned slot, const Decision& decision) const = 0;
  virtual void hand_over(unsigned number) = 0;
  virtual void check_handover(unsigned slot, unsigned /*number*/) const {
    const Payment payment = payment_of(config_, state_.store, slot, 0);
    if (payment.proof()) throw Violation{"R2: handed over after the proof"};
    if (payment.missing() != Msat{}) throw Violation{"R2: handed over although the open parts do not make the amount"};
  }
  virtual void fence(unsigned number) = 0;
  virtual void release(unsigned slot) = 0;
  /// take_routes: the id is drawn, and the tick commits it.
  virtual void take_routes(unsigned slot, Item one, const TakeRoutes& take) = 0;
  /// Requests that were written go on; they will not be answered any more.
  virtual void drop_connection() = 0;
  virtual void copy_shown(LookOnWay& look) const = 0;
  [[nodiscard]] virtual LookFinding interpret(const Payment& payment, const LookOnWay& look) const = 0;
  virtual void alarm() = 0;
  /// The operator's word after which an attempt is taken for dead, whatever is true.
  [[nodiscard]] virtual bool called_dead(Outcome now) const = 0;

  [[nodiscard]] Decision ask(const Payment& payment, const TimedEvent& event) const {
    return mutation_.calls.decide(payment, event, state_);
  }
  [[nodiscard]] ItemBytes& bytes(unsigned slot) { return state_.process.items[slot]; }
  [[nodiscard]] Item item(unsigned slot) const { return item_of(config_, state_, slot); }
  void keep(unsigned slot, const Item& one) { keep_item(state_, slot, one); }

  template <typename Change> void change(unsigned slot, Change how) {
    Item one = item(slot);
    how(one, context(slot));
    keep(slot, one);
  }

  void decide_first(unsigned slot, Item one) {
    Event cause = std::move(one.backlog.front());
    one.backlog.erase(one.backlog.begin());
    note_told(cause);
    const Decision decision = ask(one.payment, TimedEvent{time_for(one.payment, context(slot)), cause});
    if (decision.writes.empty()) return act(slot, std::move(one), decision);
    if (writes<FailPayment>(decision) && bytes(slot).quiet_proven == 0)
      throw Violation{"R9: FAILED without a look behind the last end that showed nothing"};
    check_new_round(slot, decision);
    if (commit(config_, mutation_, state_, slot, decision.writes))
      return refused(slot, std::move(one), std::move(cause), decision);
    note_written(slot, decision);
    on_stored(one, PaymentIndex{slot + 1}, decision, context(slot).mono);
    act(slot, std::move(one), decision);
  }

  /// accepted_by_store. A look must follow (R9).
  virtual void note_written(unsigned slot, const Decision& decision) {
    if (!writes<RegisterAttempt, FailAttempt, CloseAttempt>(decision)) return;
    bytes(slot).quiet_proven = 0;
    LookOnWay& look = state_.process.look;
    look.after_end = static_cast<std::uint8_t>(look.after_end & ~bit(slot));
  }

  /// refused_by_store: a payment that is not recorded is done; otherwise it is read again, and proofs are kept.
  void refused(unsigned slot, Item one, Event cause, const Decision& decision) {
    const StoredTry& row = state_.store.tries[slot];
    if (row.stand == RowStand::unused) return finish(slot);
    if (row.stand == RowStand::deleted) throw Violation{"the model deletes nothing that is driven"};
    if (writes<SettleAttempt, RecordForeign>(decision) && row.proof == Proof::none)
      throw Violation{"R8: a right preimage is refused by the store"};
    one.backlog.insert(one.backlog.begin(), std::move(cause));
    reload(slot, std::move(one));
  }

  void reload(unsigned slot, Item one) {
    const Wishes wishes = on_reload(one, stored_payment(config_, state_.store, slot), context(slot));
    fulfil(slot, std::move(one), wishes);
  }

  // --- acts.cpp ---

  void act(unsigned slot, Item one, const Decision& decision) {
    if (decision.refusal || std::none_of(decision.acts.begin(), decision.acts.end(), goes_to_switch)) {
      const Wishes wishes = mutation_.calls.perform(one, decision, context(slot));
      return fulfil(slot, std::move(one), wishes);
    }
    for (const Act& what : decision.acts) {
      const auto* dispatch = std::get_if<Dispatch>(&what);
      const auto* fence = std::get_if<Fence>(&what);
      const std::uint8_t kind = dispatch != nullptr ? 1 : fence != nullptr ? 2 : 3;
      if (!goes_to_switch(what) || (bytes(slot).act != 0 && bytes(slot).act != kind))
        throw Violation{"the model does acts of one kind after a decision, the core asks for others beside them"};
      bytes(slot).act = kind;
      if (kind != 3)
        bytes(slot).act_ids |= bit(number_of(state_.store, dispatch != nullptr ? dispatch->key : fence->key));
    }
    keep(slot, one);
  }

  void fulfil(unsigned slot, Item one, const Wishes& wishes) {
    for (const Wish& wish : wishes) {
      if (ends(wish)) return finish(slot);
      if (const auto* ask = std::get_if<AskForRoutes>(&wish)) ask_for_routes(slot, one, *ask);
      if (const auto* send = std::get_if<SendHandover>(&wish)) {
        const unsigned number = number_of(state_.store, send->key);
        check_handover(slot, number);
        hand_over(number);
      }
      if (const auto* death = std::get_if<SendFence>(&wish)) fence(number_of(state_.store, death->key));
      if (std::holds_alternative<SendRelease>(wish)) release(slot);
    }
    keep(slot, one);
  }

  /// acts.cpp, fulfil(AskForRoutes).
  virtual void ask_for_routes(unsigned slot, Item& one, const AskForRoutes& wish) {
    if (!may_ask_routes(one, wish.wanted)) return;
    const std::uint32_t most_parts = wish.wanted.beside_orphans ? 1 : UINT32_MAX;
    const NextRoutes next = mutation_.calls.next_routes(one.payment, most_parts, state_);
    if (const auto* nothing = std::get_if<NothingLeft>(&next)) return no_route(one, nothing->detail);
    const auto& question = std::get<RouteQuestion>(next);
    route_asked(one, RouteAsked{wish.wanted});
    bytes(slot).asked_units = static_cast<std::uint8_t>(question.demand.amount.value() / unit_msat);
    bytes(slot).asked_parts = static_cast<std::uint8_t>(question.max_parts);
  }

  /// conclude: an alarm ends the process.
  void conclude(unsigned slot, Item one, const LookOnWay& look, MonoNs asked) {
    LookFinding finding = interpret(one.payment, look);
    if (finding.alarm) return alarm();
    for (const Event& what : finding.events) {
      if (!std::holds_alternative<Quiet>(what)) continue;
      bytes(slot).quiet_proven = (look.after_end & bit(slot)) != 0 && shows_nothing(look.shown) ? 1 : 0;
    }
    on(one, std::move(finding), asked, context(slot));
    keep(slot, one);
  }

  /// finish and sweep: the process ends with its last item.
  void finish(unsigned slot) {
    bytes(slot) = ItemBytes{};
    const auto& items = state_.process.items;
    if (std::none_of(items.begin(), items.end(), [](const ItemBytes& one) { return one.active != 0; })) die();
  }

  const Config& config_;
  const Mutation& mutation_;
  State& state_;
};

}  // namespace paytower::model
