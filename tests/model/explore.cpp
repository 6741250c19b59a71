#include "tests/model/explore.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace paytower::model {

namespace {

constexpr std::uint32_t nowhere = 0xFFFF'FFFF;

/// Gives equal values equal numbers, from 0 in order of appearance. Values have no padding.
template <typename T> class Numbering {
 public:
  Numbering() : table_(1U << 10U, nowhere) {}

  [[nodiscard]] const T& operator[](std::uint32_t number) const { return values_[number]; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

  /// The number, and whether the value is new.
  std::pair<std::uint32_t, bool> number(const T& value) {
    std::size_t at = place(value);
    if (table_[at] != nowhere) return {table_[at], false};
    const auto next = static_cast<std::uint32_t>(values_.size());
    table_[at] = next;
    values_.push_back(value);
    if (values_.size() * 2 > table_.size()) grow();
    return {next, true};
  }

 private:
  [[nodiscard]] std::size_t place(const T& value) const {
    std::size_t at = hash(value) & (table_.size() - 1);
    while (table_[at] != nowhere && std::memcmp(&values_[table_[at]], &value, sizeof(T)) != 0)
      at = (at + 1) & (table_.size() - 1);
    return at;
  }

  void grow() {
    table_.assign(table_.size() * 2, nowhere);
    for (std::uint32_t i = 0; i < values_.size(); ++i) table_[place(values_[i])] = i;
  }

  static std::uint64_t hash(const T& value) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
    std::uint64_t mixed = 1469598103934665603ULL;
    std::size_t at = 0;
    for (; at + 8 <= sizeof(T); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + at, 8);
      mixed = (mixed ^ word) * 0x9E37'79B9'7F4A'7C15ULL;
      mixed ^= mixed >> 29;
    }
    for (; at < sizeof(T); ++at) mixed = (mixed ^ bytes[at]) * 1099511628211ULL;
    return mixed ^ mixed >> 32;
  }

  std::vector<T> values_;
  std::vector<std::uint32_t> table_;
};

/// What stands beside the four large parts of a state.
struct Rest {
  std::uint8_t copied, deadlines, aged, node_restored, drawn, used, assumed, paid;
};

/// A state as the numbers of its parts: few stores, nodes and processes make many states.
struct Packed {
  std::uint32_t store, copy, node, process;
  Rest rest;
};
static_assert(std::has_unique_object_representations_v<Packed>);

class Explorer {
 public:
  Explorer(const Config& config, const Mutation& mutation) : config_(config), moves_(config, mutation) {}

  Exploration run(bool ways_out) {
    found_ = std::make_unique<Numbering<Packed>>();
    add(first_state(config_), nowhere);
    std::vector<Step> steps;
    for (std::uint32_t at = 0; at < found_->size(); ++at) {
      const State state = unpack((*found_)[at]);
      moves_.from(state, false, steps);
      for (std::uint32_t which = 0; which < steps.size(); ++which) {
        ++result_.steps;
        if (!visit(steps[which], at, which, ways_out)) return finish();
      }
    }
    if (ways_out) look_for_traps();
    return finish();
  }

 private:
  bool visit(const Step& step, std::uint32_t from, std::uint32_t which, bool ways_out) {
    if (step.broken) return fail(*step.broken, from, which);
    const auto [to, fresh] = add(step.state, from);
    if (ways_out && to != from) edges_.push_back({from, to});
    if (!fresh) return true;
    if (auto broken = broken_rule(config_, step.state)) return fail(*broken, from, which);
    result_.complete = found_->size() <= most_states;
    return result_.complete;
  }

  std::pair<std::uint32_t, bool> add(const State& state, std::uint32_t parent) {
    const auto added = found_->number(pack(state));
    if (added.second) {
      parents_.push_back(parent);
      ends_.push_back(is_end(config_, state) ? 1 : 0);
      if (ends_.back() != 0) ++result_.ends;
    }
    return added;
  }

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

  bool fail(const std::string& rule, std::uint32_t from, std::uint32_t which) {
    result_.broken = rule;
    std::vector<Step> steps;
    moves_.from(unpack((*found_)[from]), true, steps);
    result_.trace =
        trace_to(from) + steps[which].name + "\n    " + describe(steps[which].state) + "\n    => " + rule + "\n";
    return false;
  }

  [[nodiscard]] std::string trace_to(std::uint32_t to) {
    std::vector<std::uint32_t> way;
    for (std::uint32_t at = to; at != nowhere; at = parents_[at]) way.push_back(at);
    std::reverse(way.begin(), way.end());
    std::string text = describe(unpack((*found_)[way.front()])) + "\n";
    for (std::size_t i = 1; i < way.size(); ++i) {
      std::vector<Step> steps;
      moves_.from(unpack((*found_)[way[i - 1]]), true, steps);
      const Packed wanted = (*found_)[way[i]];
      const auto step = std::find_if(steps.begin(), steps.end(), [&](const Step& one) {
        const Packed packed = pack(one.state);
        return !one.broken && std::memcmp(&packed, &wanted, sizeof packed) == 0;
      });
      text += step->name + "\n    " + describe(step->state) + "\n";
    }
    return text;
  }

  /// R17: backwards from the ends over all steps. What is not met has no way out.
  void look_for_traps() {
    const std::size_t count = found_->size();
    std::vector<std::uint32_t> first(count + 1, 0);
    for (const auto& [from, to] : edges_) ++first[to + 1];
    for (std::size_t i = 0; i < count; ++i) first[i + 1] += first[i];
    std::vector<std::uint32_t> before(edges_.size());
    std::vector<std::uint32_t> next(first.begin(), first.end() - 1);
    for (const auto& [from, to] : edges_) before[next[to]++] = from;
    std::vector<char> met(ends_);
    std::vector<std::uint32_t> queue;
    for (std::uint32_t at = 0; at < count; ++at) {
      if (met[at] != 0) queue.push_back(at);
    }
    while (!queue.empty()) {
      const std::uint32_t at = queue.back();
      queue.pop_back();
      for (std::uint32_t i = first[at]; i < first[at + 1]; ++i) {
        if (met[before[i]] != 0) continue;
        met[before[i]] = 1;
        queue.push_back(before[i]);
      }
    }
    const auto trap = std::find(met.begin(), met.end(), 0);
    if (trap == met.end()) return;
    result_.broken =
        "R17: no end can be reached from here (" + std::to_string(std::count(met.begin(), met.end(), 0)) + " states)";
    result_.trace = trace_to(static_cast<std::uint32_t>(trap - met.begin())) + "    => " + *result_.broken + "\n";
  }

  Exploration finish() {
    result_.states = found_->size();
    return std::move(result_);
  }

  struct Edge {
    std::uint32_t from, to;
  };

  const Config& config_;
  Moves moves_;
  Numbering<Store> stores_;
  Numbering<Node> nodes_;
  Numbering<Process> processes_;
  std::unique_ptr<Numbering<Packed>> found_;
  std::vector<std::uint32_t> parents_;
  std::vector<char> ends_;
  std::vector<Edge> edges_;
  Exploration result_;
};

}  // namespace

Exploration explore(const Config& config, const Mutation& mutation, bool ways_out) {
  return Explorer(config, mutation).run(ways_out);
}

}  // namespace paytower::model
