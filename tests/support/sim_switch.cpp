#include "tests/support/sim_switch.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/limits.h"
#include "core/sim/engine.h"
#include "core/sim/faults.h"
#include "core/sim/forwarding.h"
#include "core/sim/graph.h"
#include "core/sim/network.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

namespace {

/// How long another process's act may stay unseen.
constexpr std::int64_t watch_pause_ns = 20 * ns_per_ms;

struct AskIdentity {};
struct AskLook {
  PaymentHash hash;
};
struct AskDispatch {
  Handover handover;
};
struct AskQuery {
  AttemptKey key;
};
struct AskFence {
  Handover handover;
};
struct AskOwnRows {
  StoreId store;
};
struct AskNewestOwn {
  StoreTrace trace;
};
using Request =
    std::variant<AskIdentity, AskLook, RouteQuestion, AskDispatch, AskQuery, AskFence, AskOwnRows, AskNewestOwn>;

bool changes_something(const Request& request) {
  return std::holds_alternative<AskDispatch>(request) || std::holds_alternative<AskFence>(request);
}

/// What a switch remembers between its transactions.
struct State {
  std::set<AttemptKey> waiting;  ///< queries without an answer so far
  std::set<AttemptKey> held;     ///< hand-overs that a fault keeps back
  std::optional<Graph> graph;
  std::int64_t graph_version = -1;

  // What the last transaction saw; holds until somebody writes.
  std::optional<std::uint64_t> seen;  ///< Ledger::change_counter
  std::optional<UnixNs> next;         ///< network time of the next event
  std::int64_t network_minus_wall = 0;
  bool frozen = false;
};

/// One transaction of a switch: executes what was asked, in order.
class Turn {
 public:
  Turn(State& owner, LedgerTx& tx, UnixNs wall)
      : owner_(owner), tx_(tx), wall_(wall), engine_(tx, network_time(tx, wall)), faults_(tx, engine_) {}

  std::vector<SwitchEvent> run(const std::vector<Request>& requests, bool look_at_all) {
    check_network();
    if (!reachable(tx_, engine_.now())) {
      disconnected_ = true;
      return finish("the simulated network does not answer",
                    !requests.empty() || !owner_.waiting.empty() || !owner_.held.empty());
    }
    take(faults_.advance());
    for (const Request& request : requests) {
      if (!std::holds_alternative<RouteQuestion>(request)) balances_.reset();
      std::visit([this](const auto& asked) { execute(asked); }, request);
    }
    take(faults_.advance());
    answer_queries(look_at_all);
    return finish("the simulated network broke the connection", disconnected_);
  }

 private:
  void check_network() {
    if (!tx_.node(own_node)) throw SwitchError("there is no simulated network in this file");
  }

  void tell(SwitchEvent event) {
    if (!disconnected_) events_.push_back(std::move(event));
  }

  std::vector<SwitchEvent> finish(const char* why, bool say) {
    if (disconnected_) {
      owner_.waiting.clear();
      owner_.held.clear();
    }
    if (disconnected_ && say) events_.push_back(Disconnected{why});
    remember();
    return std::move(events_);
  }

  void remember() {
    owner_.next = next_event(tx_);
    owner_.frozen = tx_.number(Number::time_is_frozen) != 0;
    owner_.network_minus_wall = engine_.now().value - wall_.value;
  }

  /// What an advance brought: attempts whose queries may be answered now, and late answers.
  void take(const Progress& progress) {
    for (const AttemptKey& key : progress.ended) {
      if (owner_.waiting.count(key) != 0) ended_.insert(key);
    }
    for (const LateSend& late : progress.late) {
      if (owner_.held.erase(late.key) != 0) tell(dispatch_answer(late.key, late.result));
    }
  }

  /// Does what a before_ step asks. False: the request is lost.
  bool survives(const Strikes& strikes) {
    if (strikes.disconnect) disconnected_ = true;
    return !strikes.unanswered();
  }

  void execute(const AskIdentity&) {
    const auto own = tx_.node(own_node);
    tell(IdentityAnswer{SwitchKey{own->key, network_name}, static_cast<std::uint32_t>(tx_.number(Number::height))});
  }

  void execute(const AskLook& asked) {
    if (!survives(faults_.strike(Step::before_look, asked.hash))) return;
    take(faults_.advance());
    LookResult look = engine_.look(asked.hash);
    if (survives(faults_.strike(Step::after_look, asked.hash))) tell(LookAnswer{std::move(look)});
  }

  void execute(const RouteQuestion& asked) {
    const std::int64_t version = tx_.number(Number::graph_version);
    if (!owner_.graph || owner_.graph_version != version) owner_.graph = Graph::load(tx_);
    owner_.graph_version = version;
    if (!balances_) balances_ = own_balances(tx_);
    auto route = find_route(*owner_.graph, *balances_, asked);
    if (!route && asked.memory) {
      RouteAnswer none = no_route_answer(asked.ticket, {});
      none.advised = true;
      return tell(std::move(none));
    }
    if (!route)
      return tell(no_route_answer(asked.ticket, explain_no_route(*owner_.graph, *balances_, own_channels(tx_), asked)));
    tell(RouteAnswer{asked.ticket, std::move(route)});
  }

  void execute(const AskDispatch& asked) {
    const AttemptKey& key = asked.handover.key;
    const Strikes before = faults_.strike(Step::before_dispatch, key.hash);
    if (!survives(before)) return;
    if (before.hold && !asked.handover.route.hops.empty() && asked.handover.route.hops.size() <= limits::max_hops) {
      engine_.hold_back(asked.handover, UnixNs{engine_.now().value + before.hold->delay_ns}, before.hold->height);
      owner_.held.insert(key);
      return;
    }
    DispatchAnswer answer;
    answer.key = key;
    if (before.orphan_row && !tx_.row(key)) {
      const PublicKey payee = asked.handover.route.hops.empty() ? PublicKey{} : asked.handover.route.hops.back().node;
      engine_.add_orphan_row(key, asked.handover.label, asked.handover.route.delivered(), payee);
      answer.kind = DispatchAnswer::Kind::accepted;
    } else {
      answer = dispatch_answer(key, engine_.send(asked.handover));
    }
    if (survives(faults_.strike(Step::after_dispatch, key.hash))) tell(std::move(answer));
  }

  void execute(const AskQuery& asked) {
    owner_.waiting.insert(asked.key);
    ended_.insert(asked.key);
  }

  void execute(const AskFence& asked) {
    const AttemptKey& key = asked.handover.key;
    const Strikes before = faults_.strike(Step::before_fence, key.hash);
    if (!survives(before)) return;
    FenceAnswer answer;
    answer.key = key;
    if (!before.refuse_fence && engine_.fence(asked.handover, before.orphan_fence).fenced)
      answer.kind = FenceAnswer::Kind::fenced;
    if (survives(faults_.strike(Step::after_fence, key.hash))) tell(answer);
  }

  void execute(const AskOwnRows& asked) {
    constexpr std::size_t page = 1'000;
    OwnRowsAnswer answer;
    std::uint64_t after = 0;
    for (auto rows = tx_.rows_after(after, page); !rows.empty(); rows = tx_.rows_after(after, page)) {
      for (const Row& row : rows) {
        const auto label = parse_attempt_label(row.label);
        if (label && label->store == asked.store)
          answer.rows.push_back(OwnRow{row.key.hash, as_seen(row), row.invoice, row.created});
        after = row.created_index;
      }
    }
    tell(std::move(answer));
  }

  /// Backwards from the newest row, as on a real node.
  void execute(const AskNewestOwn& asked) {
    constexpr std::uint64_t page = 100;
    NewestOwnAnswer answer;
    std::uint64_t last = static_cast<std::uint64_t>(tx_.number(Number::payments_created));
    bool older = false;
    while (last > 0 && answer.ids.empty() && !older) {
      const std::uint64_t before = last > page ? last - page : 0;
      for (const Row& row : tx_.rows_after(before, page)) {
        const auto label = parse_attempt_label(row.label);
        if (label && label->store == asked.trace.store) answer.ids.push_back(label->id);
      }
      older = asked.trace.since && before < *asked.trace.since;
      last = before;
    }
    tell(std::move(answer));
  }

  static DispatchAnswer dispatch_answer(const AttemptKey& key, const SendResult& result) {
    DispatchAnswer answer;
    answer.key = key;
    switch (result.kind) {
      case SendResult::Kind::pending: answer.kind = DispatchAnswer::Kind::accepted; break;
      case SendResult::Kind::not_sent:
        answer.kind = DispatchAnswer::Kind::not_sent;
        answer.failure = result.failure;
        break;
      case SendResult::Kind::complete:
      case SendResult::Kind::busy:
      case SendResult::Kind::exists:
      case SendResult::Kind::held_back: answer.kind = DispatchAnswer::Kind::look; break;
    }
    return answer;
  }

  void answer_queries(bool all) {
    const std::set<AttemptKey> asked = all ? owner_.waiting : ended_;
    for (const AttemptKey& key : asked) {
      if (owner_.waiting.count(key) == 0) continue;
      auto answer = query_answer(key);
      if (!answer) continue;
      owner_.waiting.erase(key);
      if (survives(faults_.strike(Step::query, key.hash))) tell(std::move(*answer));
    }
  }

  /// Nothing while the attempt is pending.
  std::optional<QueryAnswer> query_answer(const AttemptKey& key) {
    QueryAnswer answer;
    answer.key = key;
    const auto row = tx_.row(key);
    if (!row) return answer;
    if (row->state == RowState::pending) return std::nullopt;
    const bool fence = row->label == fence_label(row->label);  // the id is fenced, which is no word about the attempt
    if (row->state == RowState::complete && row->preimage) {
      answer.kind = QueryAnswer::Kind::settled;
      answer.preimage = *row->preimage;
    } else if (row->state == RowState::failed && row->failure && !fence) {
      answer.kind = QueryAnswer::Kind::failed;
      answer.failure = *row->failure;
      answer.message = told_policy(tx_, *row->failure, row->amount).value_or(Bytes{});
    }
    return answer;
  }

  State& owner_;
  LedgerTx& tx_;
  UnixNs wall_;
  Engine engine_;
  FaultRunner faults_;
  std::vector<SwitchEvent> events_;
  std::set<AttemptKey> ended_;
  std::optional<OwnBalances> balances_;  ///< for questions in a row: no HTLC goes out between them
  bool disconnected_ = false;
};

}  // namespace

struct SimSwitch::Impl : State {
  Impl(Ledger& ledger_in, Clock& clock_in) : ledger(ledger_in), clock(clock_in) {}

  Ledger& ledger;
  Clock& clock;
  std::vector<Request> queue;

  std::vector<SwitchEvent> poll(MonoNs until) {
    for (;;) {
      std::vector<SwitchEvent> events = step();
      if (!events.empty() || clock.mono() >= until) return events;
      const MonoNs wake = wake_time(until);
      clock.sleep_until(wake);
      if (clock.mono() < wake) return {};  // a signal
    }
  }

  [[nodiscard]] std::vector<SwitchEvent> step() {
    if (queue.empty() && waiting.empty() && held.empty()) return {};
    const UnixNs wall = clock.wall();
    const std::uint64_t counter = ledger.change_counter();
    const bool changed = seen != counter;
    const bool due = next && !frozen && wall.value + network_minus_wall >= next->value;
    if (queue.empty() && !changed && !due) return {};
    const std::vector<Request> requests = std::exchange(queue, {});
    std::vector<SwitchEvent> events;
    bool write = std::any_of(requests.begin(), requests.end(), changes_something);
    if (!write) {
      ledger.read([&](LedgerTx& tx) {
        write = must_write(tx, wall);
        if (!write) events = Turn(*this, tx, wall).run(requests, changed);
      });
    }
    if (write) ledger.write([&](LedgerTx& tx) { events = Turn(*this, tx, wall).run(requests, changed); });
    seen = counter + (write ? 1 : 0);
    return events;
  }

  /// Reading suffices unless something is due or a fault waits for its step.
  static bool must_write(LedgerTx& tx, UnixNs wall) {
    const auto event = next_event(tx);
    return (event && *event <= network_time(tx, wall)) || !tx.faults().empty();
  }

  [[nodiscard]] MonoNs wake_time(MonoNs until) {
    if (waiting.empty() && held.empty()) return until;
    std::int64_t pause = watch_pause_ns;
    if (next && !frozen)
      pause = std::clamp<std::int64_t>(next->value - clock.wall().value - network_minus_wall, 1, watch_pause_ns);
    return std::min(until, MonoNs{clock.mono().value + pause});
  }
};

SimSwitch::SimSwitch(Ledger& ledger, Clock& clock) : impl_(std::make_unique<Impl>(ledger, clock)) {}
SimSwitch::~SimSwitch() = default;

void SimSwitch::identify() { impl_->queue.emplace_back(AskIdentity{}); }
void SimSwitch::look(const PaymentHash& hash, const std::optional<Marks>& /*since*/) {
  impl_->queue.emplace_back(AskLook{hash});
}
void SimSwitch::ask_route(const RouteQuestion& question) { impl_->queue.emplace_back(question); }
void SimSwitch::dispatch(const Handover& handover) { impl_->queue.emplace_back(AskDispatch{handover}); }
void SimSwitch::query(const AttemptKey& key) { impl_->queue.emplace_back(AskQuery{key}); }
void SimSwitch::fence(const Handover& handover) { impl_->queue.emplace_back(AskFence{handover}); }
void SimSwitch::list_own(const StoreId& store) { impl_->queue.emplace_back(AskOwnRows{store}); }
void SimSwitch::newest_own(const StoreTrace& trace) { impl_->queue.emplace_back(AskNewestOwn{trace}); }
std::vector<SwitchEvent> SimSwitch::poll(MonoNs until) { return impl_->poll(until); }

}  // namespace paytower::sim
