// A breadth-first search over all states of any world: the first broken rule has a shortest trace.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace paytower::model {

struct Exploration {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::uint64_t ends = 0;             ///< states in which nothing is left to do
  std::optional<std::string> broken;  ///< the rule that was broken first
  std::string trace;                  ///< how, one line a move; shortest
  bool complete = true;               ///< false when `most_states` were not enough
};

inline constexpr std::uint64_t most_states = 10'000'000;

inline constexpr std::uint32_t nowhere = 0xFFFF'FFFF;

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

/// A World has a State, a Step {name, state, broken rule}, a Packed (a state in few bytes, without padding), and the
/// functions that are called here. The caller owns it.
template <typename World> class BreadthFirst {
 public:
  using State = typename World::State;
  using Step = typename World::Step;
  using Packed = typename World::Packed;

  explicit BreadthFirst(World& world) : world_(world) {}

  Exploration run(bool ways_out) {
    add(world_.first(), nowhere);
    std::vector<Step> steps;
    for (std::uint32_t at = 0; at < found_.size(); ++at) {
      const State state = world_.unpack(found_[at]);
      world_.steps_from(state, false, steps);
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
    if (auto broken = world_.rule_against(step.state)) return fail(*broken, from, which);
    result_.complete = found_.size() <= most_states;
    return result_.complete;
  }

  std::pair<std::uint32_t, bool> add(const State& state, std::uint32_t parent) {
    const auto added = found_.number(world_.pack(state));
    if (added.second) {
      parents_.push_back(parent);
      ends_.push_back(world_.ends(state) ? 1 : 0);
      if (ends_.back() != 0) ++result_.ends;
    }
    return added;
  }

  bool fail(const std::string& rule, std::uint32_t from, std::uint32_t which) {
    result_.broken = rule;
    std::vector<Step> steps;
    world_.steps_from(world_.unpack(found_[from]), true, steps);
    result_.trace =
        trace_to(from) + steps[which].name + "\n    " + world_.text_of(steps[which].state) + "\n    => " + rule + "\n";
    return false;
  }

  [[nodiscard]] std::string trace_to(std::uint32_t to) {
    std::vector<std::uint32_t> way;
    for (std::uint32_t at = to; at != nowhere; at = parents_[at]) way.push_back(at);
    std::reverse(way.begin(), way.end());
    std::string text = world_.text_of(world_.unpack(found_[way.front()])) + "\n";
    for (std::size_t i = 1; i < way.size(); ++i) {
      std::vector<Step> steps;
      world_.steps_from(world_.unpack(found_[way[i - 1]]), true, steps);
      const Packed wanted = found_[way[i]];
      const auto step = std::find_if(steps.begin(), steps.end(), [&](const Step& one) {
        const Packed packed = world_.pack(one.state);
        return !one.broken && std::memcmp(&packed, &wanted, sizeof packed) == 0;
      });
      text += step->name + "\n    " + world_.text_of(step->state) + "\n";
    }
    return text;
  }

  /// R17: walks backwards from the ends over all steps. A state that is not reached has no way out.
  void look_for_traps() {
    const std::size_t count = found_.size();
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
    result_.states = found_.size();
    return std::move(result_);
  }

  struct Edge {
    std::uint32_t from, to;
  };

  World& world_;
  Numbering<Packed> found_;
  std::vector<std::uint32_t> parents_;
  std::vector<char> ends_;
  std::vector<Edge> edges_;
  Exploration result_;
};

}  // namespace paytower::model
