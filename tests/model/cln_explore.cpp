// How a state of the world with a Core Lightning node is packed while all states are visited.
#include "tests/model/cln_explore.h"

namespace paytower::cln_model {

namespace {

/// What a state has besides its four large parts.
struct Rest {
  std::uint8_t copied, deadlines, aged, node_restored, drawn, used, assumed, paid;
};

/// Packs a state as the numbers of its parts: few stores, nodes and processes make many states.
class ClnWorld {
 public:
  using State = cln_model::State;
  using Step = cln_model::Step;
  struct Packed {
    std::uint32_t store, copy, node, process;
    Rest rest;
  };
  static_assert(std::has_unique_object_representations_v<Packed>);

  ClnWorld(const Config& config, const Mutation& mutation) : config_(config), moves_(config, mutation) {}

  [[nodiscard]] State first() const { return first_state(config_); }
  void steps_from(const State& state, bool named, std::vector<Step>& out) { moves_.from(state, named, out); }
  [[nodiscard]] std::optional<std::string> broken_rule(const State& state) const {
    return cln_model::broken_rule(config_, state);
  }
  [[nodiscard]] bool is_end(const State& state) const { return cln_model::is_end(config_, state); }
  [[nodiscard]] static std::string describe(const State& state) { return cln_model::describe(state); }

  Packed pack(const State& state) {
    return Packed{stores_.number(state.store).first, stores_.number(state.copy).first, nodes_.number(state.node).first,
                  processes_.number(state.process).first,
                  Rest{state.copied, state.deadlines, state.aged, state.node_restored, state.drawn, state.used,
                       state.assumed, state.paid}};
  }

  [[nodiscard]] State unpack(const Packed& packed) const {
    const Rest& rest = packed.rest;
    return State{stores_[packed.store],
                 stores_[packed.copy],
                 nodes_[packed.node],
                 processes_[packed.process],
                 rest.copied,
                 rest.deadlines,
                 rest.aged,
                 rest.node_restored,
                 rest.drawn,
                 rest.used,
                 rest.assumed,
                 rest.paid};
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
  ClnWorld world(config, mutation);
  return model::BreadthFirst<ClnWorld>(world).run(ways_out);
}

}  // namespace paytower::cln_model
