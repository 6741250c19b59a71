// Breadth first over all states of the world with lnd: how a state is packed meanwhile.
#include "tests/model/lnd_world.h"

namespace paytower::lnd_model {

namespace {

/// What a state has besides its three large parts.
struct Rest {
  std::uint8_t deadlines, drawn, assumed, paid, told, none[3];
};

/// Packs a state as the numbers of its parts: few stores, records and processes make many states.
class LndWorld {
 public:
  using State = lnd_model::State;
  using Step = lnd_model::Step;
  struct Packed {
    std::uint32_t store, node, process;
    Rest rest;
  };
  static_assert(std::has_unique_object_representations_v<Packed>);

  LndWorld(const Config& config, const Mutation& mutation) : config_(config), moves_(config, mutation) {}

  [[nodiscard]] static State first() { return first_state(); }
  void steps_from(const State& state, bool named, std::vector<Step>& out) { moves_.from(state, named, out); }
  [[nodiscard]] std::optional<std::string> broken_rule(const State& state) const {
    return lnd_model::broken_rule(config_, state);
  }
  [[nodiscard]] static bool is_end(const State& state) { return lnd_model::is_end(state); }
  [[nodiscard]] static std::string describe(const State& state) { return lnd_model::describe(state); }

  Packed pack(const State& state) {
    return Packed{stores_.number(state.store).first, nodes_.number(state.node).first,
                  processes_.number(state.process).first,
                  Rest{state.deadlines, state.drawn, state.assumed, state.paid, state.told, {}}};
  }

  [[nodiscard]] State unpack(const Packed& packed) const {
    const Rest& rest = packed.rest;
    return State{stores_[packed.store],
                 nodes_[packed.node],
                 processes_[packed.process],
                 rest.deadlines,
                 rest.drawn,
                 rest.assumed,
                 rest.paid,
                 rest.told};
  }

 private:
  const Config& config_;
  Moves moves_;
  model::Numbering<Store> stores_;
  model::Numbering<Node> nodes_;
  model::Numbering<Process> processes_;
};

}  // namespace

model::Exploration explore(const Config& config, const Mutation& mutation, bool ways_out) {
  LndWorld world(config, mutation);
  return model::BreadthFirst<LndWorld>(world).run(ways_out);
}

}  // namespace paytower::lnd_model
