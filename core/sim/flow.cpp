// Minimum cost flow from the payee back to our channels, cut into routes that keep to every limit.
#include "core/sim/flow.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/base/limits.h"

namespace paytower::sim {

namespace {

constexpr int max_paths = 512;           ///< R16: searched for in one flow
constexpr int max_rounds = 8;            ///< R16: flows tried for one aim
constexpr std::uint64_t grain_step = 8;  ///< the next search looks for paths that are narrower by this factor
constexpr double billion = 1'000'000'000;

/// What a flow tries to keep small.
enum class Aim { price, fees, time };

using Position = std::uint32_t;  ///< Graph::edge
using Amounts = std::map<Position, std::uint64_t>;

std::uint64_t over(std::uint64_t amount, std::uint64_t most) { return amount > most ? amount - most : 0; }

std::uint64_t amount_at(const Amounts& amounts, Position position) {
  const auto found = amounts.find(position);
  return found == amounts.end() ? 0 : found->second;
}

/// What flows over each direction, without fees. It grows path by path, from the payee back to us.
class Flow {
 public:
  Flow(const Graph& graph, const Terms& terms, NodeIndex payee, Msat typical_part)
      : graph_(graph), terms_(terms), payee_(payee), typical_(typical_part) {}

  void aim_at(Aim aim) {
    aim_ = aim;
    reserves_.clear();
    narrowed_.clear();
    banned_.clear();
  }
  [[nodiscard]] Aim aim() const { return aim_; }
  /// From now on this much of the direction is kept free for fees.
  void reserve(Position position, std::uint64_t amount) { reserves_[position] += amount; }
  /// One HTLC may carry this much less there, without its fees.
  void narrow(Position position, std::uint64_t amount) { narrowed_[position] += amount; }
  void ban(Position position) { banned_.insert(position); }

  enum class Filled { yes, no, too_little };  ///< too_little: no plan at all can carry it
  /// `parts`: about how many paths there should be.
  Filled fill(std::uint64_t amount, std::uint32_t parts) {
    amounts_.clear();
    out_.clear();
    std::uint64_t grain = std::max<std::uint64_t>(amount / parts, 1);
    for (int paths = 0; paths < max_paths; ++paths) {
      if (amount == 0) return Filled::yes;
      const std::uint64_t pushed = push(std::min(grain, amount), amount);
      amount -= pushed;
      if (pushed != 0) continue;
      const bool free = reserves_.empty() && narrowed_.empty() && banned_.empty();
      if (grain == 1) return free ? Filled::too_little : Filled::no;
      grain = std::max<std::uint64_t>(grain / grain_step, 1);
    }
    return Filled::no;
  }

  struct Path {
    std::vector<Position> edges;  ///< from us to the payee
    std::uint64_t amount = 0;     ///< the amount that flows over all of them
  };
  [[nodiscard]] Path widest() const {
    std::unordered_map<NodeIndex, std::pair<Position, std::uint64_t>> reached;  ///< over which edge, and how wide
    std::priority_queue<std::tuple<std::uint64_t, NodeIndex, Position>> queue;
    std::set<NodeIndex> done;
    queue.emplace(UINT64_MAX, own_node, 0);
    while (!queue.empty() && done.count(payee_) == 0) {
      const auto [width, node, by] = queue.top();
      queue.pop();
      if (!done.insert(node).second) continue;
      reached[node] = {by, width};
      for (const Position next : leaving(node))
        queue.emplace(std::min(width, amounts_.at(next)), graph_.edge(next).to, next);
    }
    Path path;
    if (done.count(payee_) == 0) return path;
    path.amount = reached.at(payee_).second;
    for (NodeIndex at = payee_; at != own_node; at = graph_.edge(path.edges.back()).from)
      path.edges.push_back(reached.at(at).first);
    std::reverse(path.edges.begin(), path.edges.end());
    return path;
  }
  void take(const Path& path, std::uint64_t amount) {
    for (const Position position : path.edges) add(position, -static_cast<std::int64_t>(amount));
  }

 private:
  /// How a search came to a node: over an edge that starts there, or back over one that ends there.
  struct Step {
    double cost = 0;
    std::uint32_t hops = 0;
    Position by = 0;
    bool back = false;
    NodeIndex next = 0;  ///< the next node towards the payee
    bool done = false;
  };
  using QueueEntry = std::tuple<double, std::uint32_t, NodeIndex>;

  /// Uses the cheapest path that is at least this wide. Returns how much flows over it.
  std::uint64_t push(std::uint64_t least, std::uint64_t most) {
    if (!search(least)) return 0;
    for (NodeIndex at = own_node; at != payee_; at = steps_.at(at).next)
      most = std::min(most, room(steps_.at(at).by, steps_.at(at).back));
    for (NodeIndex at = own_node; at != payee_; at = steps_.at(at).next) {
      const Step& step = steps_.at(at);
      add(step.by, step.back ? -static_cast<std::int64_t>(most) : static_cast<std::int64_t>(most));
    }
    return most;
  }

  bool search(std::uint64_t least) {
    steps_.clear();
    queue_ = {};
    steps_[payee_] = Step{};
    queue_.emplace(0, 0, payee_);
    while (!queue_.empty()) {
      const auto [cost, hops, node] = queue_.top();
      queue_.pop();
      if (node == own_node) return true;
      Step& here = steps_.at(node);
      if (std::exchange(here.done, true)) continue;
      for (const Position position : graph_.into(node)) {
        if (room(position, false) < least) continue;
        const Edge& edge = graph_.edge(position);
        reach(edge.from, Step{cost + price(position), hops + 1, position, false, node});
      }
      for (const Position position : leaving(node)) {
        if (amounts_.at(position) >= least) reach(graph_.edge(position).to, Step{cost, hops + 1, position, true, node});
      }
    }
    return false;
  }

  void reach(NodeIndex node, const Step& step) {
    const auto [known, first] = steps_.emplace(node, step);
    if (!first) {
      const bool better = std::tie(step.cost, step.hops) < std::tie(known->second.cost, known->second.hops);
      if (known->second.done || !better) return;
      known->second = step;
    }
    queue_.emplace(step.cost, step.hops, node);
  }

  /// How much more may flow over it, or `back` from it. At once, no more than one HTLC can carry.
  [[nodiscard]] std::uint64_t room(Position position, bool back) const {
    const std::uint64_t now = amount_at(amounts_, position);
    if (back) return now;
    const Edge told = terms_.as_told(graph_.edge(position));
    const bool out = told.from != own_node && terms_.excludes(graph_.key(told.from));
    if (out || banned_.count(position) != 0) return 0;
    const std::uint64_t left = over(terms_.left(told).value(), now + amount_at(reserves_, position));
    return std::min(left, over(told.policy.htlc_max.value(), amount_at(narrowed_, position)));
  }

  /// For each msat that passes, in billionths. Base fees and advice count as if a part of usual size shared them.
  [[nodiscard]] double price(Position position) const {
    constexpr double a_hop = 1;  // of two paths with the same cost, take the shorter one
    const Edge told = terms_.as_told(graph_.edge(position));
    if (told.from == own_node) return a_hop;
    const Policy& policy = told.policy;
    if (aim_ == Aim::time) return a_hop + policy.cltv_delta;
    const double each = billion / static_cast<double>(typical_.value());
    const double fees = policy.fee_proportional_millionths * 1'000.0 + policy.fee_base_msat * each;
    if (aim_ == Aim::fees) return a_hop + fees;
    const double advice = static_cast<double>(terms_.penalty(told.channel, typical_)) * each;
    return a_hop + fees + static_cast<double>(policy.cltv_delta * risk_billionths) + advice;
  }

  void add(Position position, std::int64_t amount) {
    std::uint64_t& now = amounts_[position];
    std::vector<Position>& out = out_[graph_.edge(position).from];
    if (now == 0) out.push_back(position);
    now += static_cast<std::uint64_t>(amount);
    if (now != 0) return;
    amounts_.erase(position);
    std::erase(out, position);
  }

  /// Something flows over this direction.
  [[nodiscard]] const std::vector<Position>& leaving(NodeIndex node) const {
    static const std::vector<Position> none;
    const auto found = out_.find(node);
    return found == out_.end() ? none : found->second;
  }

  const Graph& graph_;
  const Terms& terms_;
  NodeIndex payee_;
  Msat typical_;
  Aim aim_ = Aim::price;
  Amounts reserves_;
  Amounts narrowed_;
  std::set<Position> banned_;
  Amounts amounts_;
  std::unordered_map<NodeIndex, std::vector<Position>> out_;
  std::unordered_map<NodeIndex, Step> steps_;
  std::priority_queue<QueueEntry, std::vector<QueueEntry>, std::greater<>> queue_;
};

/// Cuts a flow into routes, and checks them.
class Planner {
 public:
  Planner(const Graph& graph, const OwnBalances& balances, const RouteQuestion& question, std::uint32_t most,
          const Room& room)
      : graph_(graph), balances_(balances), question_(question), most_(most), room_(room),
        terms_(balances, question, room) {}

  std::optional<std::vector<Route>> run() {
    const RouteDemand& demand = question_.demand;
    const auto payee = graph_.find(demand.destination);
    if (!payee || *payee == own_node || terms_.excludes(demand.destination)) return std::nullopt;
    if (most_ == 0 || demand.amount == Msat{} || demand.amount > own_money()) return std::nullopt;
    const Msat typical = Msat::of(std::max<std::uint64_t>(demand.amount.value() / std::min(most_, usual_parts), 1));
    Flow flow(graph_, terms_, *payee, typical);
    for (const Aim aim : {Aim::price, Aim::fees, Aim::time}) {
      flow.aim_at(aim);
      const Planned planned = plan(flow);
      if (planned == Planned::yes) return routes();
      if (planned == Planned::never) return std::nullopt;
    }
    return halve();
  }

 private:
  static constexpr std::uint32_t usual_parts = 4;

  struct Part {
    Flow::Path path;
    std::uint64_t amount = 0;
    Route route{};
  };

  [[nodiscard]] Msat own_money() const {
    Msat sum;
    for (const auto& [channel, balance] : balances_)
      sum = checked_add(sum, balance).value_or(Msat::of(Msat::max_value));
    return sum;
  }

  enum class Planned { yes, no, never };
  Planned plan(Flow& flow) {
    for (int round = 0; round < max_rounds; ++round) {
      const Flow::Filled filled = flow.fill(question_.demand.amount.value(), most_);
      if (filled == Flow::Filled::too_little) return Planned::never;
      if (filled == Flow::Filled::no || !cut(flow) || !lay()) return Planned::no;
      if (split_ && flow.aim() == Aim::price && round == 0) continue;  // the other aims take it as it is
      if (fits(flow)) return keeps_to_limits() ? Planned::yes : Planned::no;
    }
    return Planned::no;
  }

  /// The widest path first, so that there are few parts.
  bool cut(Flow& flow) {
    parts_.clear();
    split_ = false;
    for (std::uint64_t missing = question_.demand.amount.value(); missing > 0;) {
      if (parts_.size() >= most_) return false;
      Part part{flow.widest()};
      part.amount = one_htlc(flow, part.path.edges, std::min(part.path.amount, missing));
      if (part.amount == 0) return false;
      flow.take(part.path, part.amount);
      missing -= part.amount;
      parts_.push_back(std::move(part));
      if (!enlarge_last(missing)) return false;
    }
    std::stable_sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) { return a.amount > b.amount; });
    return true;
  }

  /// A part that is too small gets what it lacks from the largest one.
  bool enlarge_last(std::uint64_t missing) {
    Part& last = parts_.back();
    const std::uint64_t lacks = over(least_part.value(), last.amount);
    if (lacks == 0 || (parts_.size() == 1 && missing == 0)) return true;
    const auto largest = std::max_element(parts_.begin(), parts_.end(),
                                          [](const Part& a, const Part& b) { return a.amount < b.amount; });
    if (largest->amount < lacks + least_part.value()) return false;
    largest->amount -= lacks;
    last.amount += lacks;
    return true;
  }

  /// As much of the amount as every channel takes in one HTLC. If that is less, the flow is told.
  std::uint64_t one_htlc(Flow& flow, const std::vector<Position>& path, std::uint64_t amount) {
    const auto route = route_along(path, amount);
    if (!route) return 0;
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const std::uint64_t excess = over(route->hops[i].amount.value(), told(path[i]).policy.htlc_max.value());
      if (excess == 0) continue;
      split_ = true;
      flow.narrow(path[i], excess);
      most = std::max(most, excess);
    }
    return over(amount, most);
  }

  [[nodiscard]] Edge told(Position position) const { return terms_.as_told(graph_.edge(position)); }

  [[nodiscard]] std::optional<Route> route_along(const std::vector<Position>& path, std::uint64_t amount) const {
    Route route;
    route.hops.resize(path.size());
    Carried carried{Msat::of(amount), question_.demand.final_cltv_delta};
    for (std::size_t i = path.size(); i-- > 0;) {
      const Edge edge = told(path[i]);
      route.hops[i] = Hop{edge.channel.channel, edge.channel.direction, graph_.key(edge.to), carried.amount,
                          static_cast<std::uint32_t>(carried.delay)};
      if (i == 0) break;
      const auto before = carried_before(forwarding(edge.policy), carried);
      if (!before || before->delay > UINT32_MAX) return std::nullopt;
      carried = *before;
    }
    return path.empty() ? std::nullopt : std::optional(std::move(route));
  }

  bool lay() {
    return std::all_of(parts_.begin(), parts_.end(), [this](Part& part) {
      const auto route = route_along(part.path.edges, part.amount);
      if (route) part.route = *route;
      return route.has_value();
    });
  }

  /// With fees, all parts together. Where that is too much, the flow is told.
  bool fits(Flow& flow) const {
    bool fit = true;
    Amounts used;
    for (const Part& part : parts_) {
      for (std::size_t i = 0; i < part.route.hops.size(); ++i) {
        const Position position = part.path.edges[i];
        const std::uint64_t amount = part.route.hops[i].amount.value();
        used[position] += amount;
        const Policy policy = told(position).policy;
        if (amount >= policy.htlc_min.value() && amount <= policy.htlc_max.value()) continue;
        flow.ban(position);
        fit = false;
      }
    }
    for (const auto& [position, amount] : used) {
      const std::uint64_t excess = over(amount, terms_.left(told(position)).value());
      if (excess == 0) continue;
      flow.reserve(position, excess);
      fit = false;
    }
    return fit;
  }

  [[nodiscard]] bool keeps_to_limits() const {
    std::uint64_t fees = 0;
    for (const Part& part : parts_) {
      fees += part.route.fees().value();
      RouteDemand demand = question_.demand;
      demand.amount = Msat::of(part.amount);
      if (!check_route(part.route, demand)) return false;
    }
    return fees <= question_.demand.fee_limit.value();
  }

  [[nodiscard]] std::vector<Route> routes() const {
    std::vector<Route> found;
    for (const Part& part : parts_) found.push_back(part.route);
    return found;
  }

  /// One route at a time, using what the others have left.
  [[nodiscard]] std::optional<std::vector<Route>> halve() const {
    std::vector<Route> found;
    Room room = room_;
    RouteQuestion question = question_;
    std::vector<std::uint64_t> open{question.demand.amount.value()};
    while (!open.empty()) {
      const std::uint64_t amount = open.back();
      open.pop_back();
      question.demand.amount = Msat::of(amount);
      if (auto route = find_route(graph_, balances_, question, room)) {
        question.demand.fee_limit = Msat::of(over(question.demand.fee_limit.value(), route->fees().value()));
        occupy(room, *route);
        found.push_back(std::move(*route));
        continue;
      }
      if (amount / 2 < least_part.value() || found.size() + open.size() + 2 > most_) return std::nullopt;
      open.push_back(amount / 2);
      open.push_back(amount - amount / 2);
    }
    return found;
  }

  void occupy(Room& room, const Route& route) const {
    const Terms now(balances_, question_, room);
    std::vector<std::pair<ChannelDirection, Msat>> left;
    for (const Hop& hop : route.hops) {
      for (const Position position : graph_.into(*graph_.find(hop.node))) {
        const Edge edge = told(position);
        if (edge.channel != ChannelDirection{hop.channel, hop.direction}) continue;
        left.emplace_back(edge.channel, Msat::of(over(now.left(edge).value(), hop.amount.value())));
      }
    }
    for (const auto& [channel, amount] : left) room[channel] = amount;
  }

  const Graph& graph_;
  const OwnBalances& balances_;
  const RouteQuestion& question_;
  std::uint32_t most_;
  const Room& room_;
  Terms terms_;
  std::vector<Part> parts_;
  bool split_ = false;  ///< a path of the flow does not fit into one HTLC
};

}  // namespace

std::optional<std::vector<Route>> find_routes(const Graph& graph, const OwnBalances& balances,
                                              const RouteQuestion& question, std::uint32_t most, const Room& room) {
  return Planner(graph, balances, question, most, room).run();
}

}  // namespace paytower::sim
