// What may happen next, as far as both worlds have it: the process starts, decides, acts, listens, or dies, and people
// decide. What only one kind of node has is virtual.
#pragma once

#include "tests/model/breadth_first.h"
#include "tests/model/event_bytes.h"

namespace paytower::model {

[[nodiscard]] inline unsigned first_in(std::uint8_t numbers) {
  unsigned number = 0;
  while (number < 8 && (numbers & bit(number)) == 0) ++number;
  return number;
}

template <typename World> class Moves {
 public:
  using Config = typename World::Config;
  using Mutation = typename World::Mutation;
  using State = typename World::State;
  using Process = typename World::Process;

  struct Step {
    std::string name;  ///< filled only for a trace
    State state;
    std::optional<std::string> broken;  ///< the rule that this step broke
  };

  Moves(const Config& config, const Mutation& mutation) : config_(config), mutation_(mutation) {}
  Moves(const Moves&) = delete;
  Moves& operator=(const Moves&) = delete;
  virtual ~Moves() = default;

  /// Every state that one move leads to, in a fixed order. Names are made only when `named`.
  void from(const State& state, bool named, std::vector<Step>& out) {
    out.clear();
    from_ = &state;
    out_ = &out;
    named_ = named;
    process_moves();
    people_moves();
    clock_moves();
    // As long as the process has work of its own, it neither asks nor listens, so what the switch does meanwhile may as
    // well come later. Between two decisions it only reads the database and the clock.
    if (!busy_inside(state.process)) world_moves();
  }

 protected:
  template <typename Change> void move(const char* name, unsigned number, Change how) {
    Step step;
    if (named_) step.name = number == 0 ? std::string(name) : std::string(name) + " " + std::to_string(number);
    step.state = *from_;
    try {
      how(step.state);
      check_step(*from_, step.state);
    } catch (const Violation& violation) {
      step.broken = violation.what;
    }
    normalise(config_, step.state);
    out_->push_back(std::move(step));
  }

  /// A step of the process: a member function, and what it takes.
  template <typename Function, typename... Values> [[nodiscard]] auto step(Function what, Values... values) const {
    return [this, what, values...](State& next) {
      Process process(config_, mutation_, next);
      (process.*what)(values...);
    };
  }

  // --- the process ---

  void process_moves() {
    if (from_->process.alive == 0) return start_moves();
    move("the process dies or leaves", 0, step(&Process::die));
    for (unsigned slot = 0; slot < most_tries; ++slot) {
      if (from_->process.items[slot].active != 0) item_moves(slot);
    }
    const bool busy = busy_inside(from_->process);
    if (busy && !several_at_once()) return;
    look_moves();
    if (busy) return;
    adapter_moves();
    if (config_.disconnects) move("the connection breaks", 0, step(&Process::disconnect));
  }

  /// Only one process: a second one would find the lock taken and leave (R11).
  void start_moves() {
    for (unsigned slot = 0; slot < config_.tries; ++slot) {
      if (from_->store.tries[slot].stand != RowStand::unused) continue;
      move("send", 0, step(&Process::send, slot));
      break;
    }
    bool work = false;
    for (unsigned slot = 0; slot < most_tries; ++slot) work = work || has_work(from_->store, slot);
    if (!work) return;
    move("resume", 0, step(&Process::resume, false));
    if (config_.collect_only) move("resume --no-retry", 0, step(&Process::resume, true));
  }

  void item_moves(unsigned slot) {
    const ItemBytes& item = from_->process.items[slot];
    if (item.act != 0) {
      const char* name = item.act == 1 ? "hand over" : item.act == 2 ? "fence" : "release";
      return move(name, item.act == 3 ? 0 : first_in(item.act_ids), step(&Process::do_committed_act, slot));
    }
    if (item.events != 0) {
      const std::string name = named_ ? "decide: " + event_name(item.backlog[0]) : std::string();
      move(name.c_str(), 0, step(&Process::decide_front, slot));
    }
    if (item.events != 0 && (!several_at_once() || item.events > 2)) return;
    if (item.events == 0 && busy_inside(from_->process)) return;
    for (unsigned number = 1; number < from_->store.attempts.size(); ++number) {
      const auto& one = from_->store.attempts[number];
      if (one.outcome != Outcome::absent && one.owner == slot) answer_moves(slot, number);
    }
    if (item.events != 0) return;
    if (item.look_wanted != 0 && from_->process.look.stage == LookStage::none) {
      move("look: try", slot + 1, step(&Process::look, false));
      if (item.orphans != 0) move("look, a minute later: try", slot + 1, step(&Process::look, true));
    }
    if (item.unanswered != 0 && item.look_wanted == 0 && config_.lost_replies)
      move("no answer in time: try", slot + 1, step(&Process::doubt_silence, slot));
    const StoredTry& row = from_->store.tries[slot];
    const bool recorded = row.stand == RowStand::stored;
    if (recorded && item.deadline_told == 0 && (from_->deadlines & bit(slot)) != 0)
      move("tell the deadline: try", slot + 1, step(&Process::tell_deadline, slot));
    if (recorded && item.known_stop != row.stop)
      move("see another process's word: try", slot + 1, step(&Process::see_foreign_decisions, slot));
    if (item.asking != 0) {
      take_routes("no route: try", slot + 1, slot, {});
      route_moves(slot);
    }
  }

  void take_routes(const char* name, unsigned number, unsigned slot, const std::vector<Route>& routes) {
    move(name, number, step(&Process::receive_routes, slot, routes));
  }

  /// The answer to a question for routes: every one that fits the question, as far as the model has ids and numbers
  /// left.
  virtual void route_moves(unsigned slot) {
    const ItemBytes& item = from_->process.items[slot];
    const bool goes_on = has_open(from_->store, slot) || item.asked_round != 0;
    if (item.ask_again != 0 || item.asking == 2 || (!goes_on && !has_ids_left())) return;
    const unsigned left = config_.numbers + 1U - std::min(config_.numbers + 1U, first_free(from_->store));
    for (const unsigned fee : route_fees()) {
      if (left >= 1 && (config_.one_piece || item.asked_units == 1))
        take_routes("a route for units:", item.asked_units, slot, {part_route(item.asked_units, fee)});
      if (left >= 2 && item.asked_units == 2 && item.asked_parts >= 2)
        take_routes("two parts", 0, slot, {part_route(1, fee), part_route(1, fee)});
    }
  }

  /// The look is executed and answered: at once, or with other moves in between.
  void look_moves() {
    for (const ItemBytes& item : from_->process.items) {
      if (item.act != 0 || item.events > 2) return;
    }
    const LookStage look = from_->process.look.stage;
    if (look == LookStage::asked && may_look()) move("the look is answered", 0, step(&Process::answer_look));
    if (look == LookStage::answered) move("the look's answer comes", 0, step(&Process::receive_look));
  }

  // --- people ---

  /// Deadlines, and decisions of people. `resolve` needs the payment's lock, `cancel` does not.
  virtual void people_moves() {
    for (unsigned slot = 0; config_.deadline && slot < config_.tries; ++slot) {
      const bool in_use = from_->store.tries[slot].stand == RowStand::stored || from_->process.items[slot].active != 0;
      if (!in_use || (from_->deadlines & bit(slot)) != 0) continue;
      move("the deadline passes: try", slot + 1, [slot](State& next) { next.deadlines |= bit(slot); });
    }
    const auto say = [this](const Event& word) { return step(&Process::say, word); };
    if (config_.cancel) move("cancel", 0, say(CancelRequested{}));
    if (!config_.words || from_->process.alive != 0) return;
    move("resolve --assume-failed", 0, say(OperatorAssumesFailed{}));
    move("resolve --write-off", 0, say(OperatorWritesOff{}));
  }

  // --- what only one kind of node has ---

  virtual void world_moves() = 0;
  virtual void clock_moves() {}
  virtual void adapter_moves() {}
  /// Answers that are on their way about one attempt of the try, and queries that the switch can answer by now.
  virtual void answer_moves(unsigned slot, unsigned number) = 0;
  /// Several answers in one poll.
  [[nodiscard]] virtual bool several_at_once() const { return false; }
  [[nodiscard]] virtual bool may_look() const { return true; }
  [[nodiscard]] virtual bool has_ids_left() const { return from_->drawn < config_.ids; }
  [[nodiscard]] virtual std::vector<unsigned> route_fees() const { return {250}; }

  const Config& config_;
  const Mutation& mutation_;
  const State* from_ = nullptr;
  std::vector<Step>* out_ = nullptr;
  bool named_ = false;
};

/// What BreadthFirst asks of a world. Packs a state as the numbers of its parts: few stores, nodes and processes make
/// many states.
template <typename World> class Search {
 public:
  using State = typename World::State;
  using Step = typename World::Moves::Step;
  using Rest = typename World::Rest;
  struct Packed {
    std::uint32_t store, node, process, copy;
    Rest rest;
  };
  static_assert(std::has_unique_object_representations_v<Packed>);

  Search(const typename World::Config& config, const typename World::Mutation& mutation)
      : config_(config), moves_(config, mutation) {}

  [[nodiscard]] State first() const { return first_state(config_); }
  void steps_from(const State& state, bool named, std::vector<Step>& out) { moves_.from(state, named, out); }
  [[nodiscard]] std::optional<std::string> rule_against(const State& state) const {
    return broken_rule(config_, state);
  }
  [[nodiscard]] bool ends(const State& state) const { return is_end(config_, state); }
  [[nodiscard]] static std::string text_of(const State& state) { return describe(state); }

  Packed pack(const State& state) {
    Packed packed{stores_.number(state.store).first, nodes_.number(state.node).first,
                  processes_.number(state.process).first, 0, state};
    if constexpr (has_copy) packed.copy = stores_.number(state.copy).first;
    return packed;
  }

  [[nodiscard]] State unpack(const Packed& packed) const {
    State state{};
    static_cast<Rest&>(state) = packed.rest;
    state.store = stores_[packed.store];
    state.node = nodes_[packed.node];
    state.process = processes_[packed.process];
    if constexpr (has_copy) state.copy = stores_[packed.copy];
    return state;
  }

 private:
  static constexpr bool has_copy = requires(State state) { state.copy; };

  const typename World::Config& config_;
  typename World::Moves moves_;
  Numbering<decltype(State::store)> stores_;
  Numbering<decltype(State::node)> nodes_;
  Numbering<decltype(State::process)> processes_;
};

/// Explores all reachable states, and stops at the first broken rule. `ways_out`: also checks R17, that every state can
/// reach an end.
template <typename World>
[[nodiscard]] Exploration explore_world(const typename World::Config& config, const typename World::Mutation& mutation,
                                        bool ways_out) {
  Search<World> search(config, mutation);
  return BreadthFirst(search).run(ways_out);
}

}  // namespace paytower::model
