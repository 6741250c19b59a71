// Serves all clients in turns: reads, executes in one transaction, answers.
#include "core/sim/node/service.h"

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "core/sim/node/node.h"

namespace paytower::sim {

namespace {

constexpr std::size_t most_clients = 64;
constexpr std::size_t most_calls_a_turn = 256;  ///< for all clients together, in fair shares
/// How long it may take until an act of another process is seen.
constexpr std::int64_t watch_pause_ns = 20 * ns_per_ms;
constexpr std::int64_t idle_pause_ns = ns_per_second;
constexpr std::int64_t shuffle_pause_ns = 50 * ns_per_ms;  ///< an incomplete batch is sent after this time

/// A request that is answered later.
struct WaitingCall {
  PendingCall pending;
  RpcWait wait;
};

/// An answer that must not be sent yet.
struct Answer {
  std::uint64_t connection = 0;
  std::string text;
  MonoNs at{};
  bool last = false;  ///< the connection ends after it
};

}  // namespace

struct NodeService::Impl {
  Impl(Ledger& ledger_in, Clock& clock_in, Faults faults)
      : ledger(ledger_in), clock(clock_in), node(std::move(faults)) {}

  Ledger& ledger;
  Clock& clock;
  RpcNode node;
  std::map<std::uint64_t, RpcConnection> connections;
  std::uint64_t next_id = 1;
  std::optional<MonoNs> refusing_until;
  bool some_went = false;
  std::vector<WaitingCall> waiting;
  std::vector<Answer> late;
  std::vector<Answer> shuffled;
  std::optional<MonoNs> shuffle_until;
  std::optional<std::uint64_t> seen;  ///< Ledger::change_counter after the last turn
  std::optional<UnixNs> next;         ///< when the next event is due, in the network's time
  std::int64_t network_minus_wall = 0;
  bool frozen = false;

  // --- one transaction ---

  struct Done {
    PendingCall pending;
    RpcOutcome outcome;
  };

  static bool may_write(const std::vector<PendingCall>& calls) {
    return std::any_of(calls.begin(), calls.end(), [](const PendingCall& call) {
      return RpcNode::may_write(call.read.call) || !call.met.all.empty();
    });
  }

  [[nodiscard]] bool due(UnixNs wall) const {
    return next && !frozen && wall.value + network_minus_wall >= next->value;
  }

  [[nodiscard]] bool timed_out(MonoNs now) const {
    return std::any_of(waiting.begin(), waiting.end(),
                       [now](const WaitingCall& call) { return call.wait.deadline && *call.wait.deadline <= now; });
  }

  void turn() {
    std::vector<PendingCall> calls = collect(clock.mono());
    const RpcMoment moment{clock.wall(), clock.mono()};
    const std::uint64_t counter = ledger.change_counter();
    const bool look = seen != counter || timed_out(moment.mono);
    if (calls.empty() && !due(moment.wall) && !look) return;
    if (!calls.empty() && calls.back().met.has(FaultKind::die)) die_behind(std::move(calls), moment);
    std::vector<Done> done;
    bool write = due(moment.wall) || may_write(calls);
    const auto work = [&](LedgerTx& tx) {
      done = in_transaction(tx, calls, moment);
      next = next_event(tx);
      frozen = tx.number(Number::time_is_frozen) != 0;
      network_minus_wall = network_time(tx, moment.wall).value - moment.wall.value;
    };
    if (!write) {
      ledger.read([&](LedgerTx& tx) {
        const auto event = next_event(tx);
        write = event && *event <= network_time(tx, moment.wall);
        if (!write) work(tx);
      });
    }
    if (write) ledger.write(work);
    seen = counter + (write ? 1 : 0);
    node.forget_late();
    for (Done& answered : done) deliver(std::move(answered));
    if (!calls.empty()) spoil_service(calls.back().met);
  }

  std::vector<Done> in_transaction(LedgerTx& tx, const std::vector<PendingCall>& calls, const RpcMoment& moment) {
    std::vector<Done> done;
    done.reserve(calls.size());
    node.advance(tx, moment.wall);
    for (const PendingCall& call : calls) {
      const ReadCall& read = call.read;
      done.push_back(Done{call, read.refused ? *read.refused : node.execute(tx, read.call, moment, call.met)});
    }
    node.advance(tx, moment.wall);
    for (WaitingCall& call : waiting) {
      auto outcome = node.settle(tx, call.wait, moment);
      if (!outcome) continue;
      if (RpcConnection* connection = find(call.pending.connection)) --connection->waits;
      done.push_back(Done{std::move(call.pending), std::move(*outcome)});
      call.pending.connection = 0;
    }
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(),
                                 [](const WaitingCall& call) { return call.pending.connection == 0; }),
                  waiting.end());
    return done;
  }

  // --- answers ---

  void deliver(Done done) {
    RpcConnection* connection = find(done.pending.connection);
    if (!connection) return;
    const ActiveFaults& met = done.pending.met;
    const bool breaks = met.has(FaultKind::break_off, true);
    if (std::holds_alternative<RpcWait>(done.outcome)) {
      ++connection->waits;
      waiting.push_back(WaitingCall{std::move(done.pending), std::get<RpcWait>(std::move(done.outcome))});
      return;
    }
    if (const auto* silence = std::get_if<RpcSilence>(&done.outcome)) {
      if (silence->disconnect || breaks) connection->finish();
      return;
    }
    if (breaks) connection->finish();
    // A client that has closed its writing side gets no answers that take the node a moment.
    const bool lost = connection->at_end() && RpcNode::may_write(done.pending.read.call);
    if (met.has(FaultKind::drop_reply) || breaks || lost) return;
    CallReply reply = std::get<CallReply>(std::move(done.outcome));
    Answer answer{
        connection->id(), spoiled_answer(done.pending.read.call, std::move(reply), met), {}, met.has(FaultKind::close)};
    if (const auto batch = met.value(FaultKind::shuffle)) return shuffle(std::move(answer), *batch);
    const std::int64_t pause = met.value(FaultKind::late).value_or(0);
    if (pause == 0) return tell(answer);
    answer.at = MonoNs{clock.mono().value + pause};
    late.push_back(std::move(answer));
  }

  void tell(const Answer& answer) {
    RpcConnection* connection = find(answer.connection);
    if (!connection) return;
    connection->send(answer.text);
    if (answer.last) connection->finish();
  }

  void shuffle(Answer answer, std::int64_t batch) {
    shuffled.push_back(std::move(answer));
    shuffle_until = MonoNs{clock.mono().value + shuffle_pause_ns};
    if (shuffled.size() >= static_cast<std::size_t>(batch)) tell_shuffled();
  }

  void tell_shuffled() {
    for (; !shuffled.empty(); shuffled.pop_back()) {
      std::swap(shuffled[node.faults().draw(shuffled.size())], shuffled.back());
      tell(shuffled.back());
    }
    shuffle_until.reset();
  }

  void tell_late(MonoNs now) {
    for (const Answer& answer : late) {
      if (answer.at <= now) tell(answer);
    }
    late.erase(std::remove_if(late.begin(), late.end(), [now](const Answer& answer) { return answer.at <= now; }),
               late.end());
    if (shuffle_until && *shuffle_until <= now) tell_shuffled();
  }

  // --- the faults of the server itself ---

  /// The requests before the last one are executed, and then nothing more.
  [[noreturn]] void die_behind(std::vector<PendingCall> calls, const RpcMoment& moment) {
    calls.pop_back();
    if (!calls.empty()) ledger.write([&](LedgerTx& tx) { (void)in_transaction(tx, calls, moment); });
    (void)::kill(::getpid(), SIGKILL);
    for (;;) (void)::pause();
  }

  void spoil_service(const ActiveFaults& met) {
    if (met.has(FaultKind::die, true)) (void)::kill(::getpid(), SIGKILL);
    if (met.around(FaultKind::restart)) drop_all();
    for (const bool after : {true, false}) {
      if (const auto pause = met.value(FaultKind::refuse, after)) refuse(MonoNs{clock.mono().value + *pause});
    }
  }

  void drop_all() {
    drop_connections();
    waiting.clear();
    late.clear();
    shuffled.clear();
    shuffle_until.reset();
  }

  void forget_closed() {
    if (!erase_closed()) return;
    const auto nobody = [this](const WaitingCall& call) { return find(call.pending.connection) == nullptr; };
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(), nobody), waiting.end());
  }

  // --- the connections ---

  RpcConnection* find(std::uint64_t id) {
    const auto found = connections.find(id);
    return found == connections.end() ? nullptr : &found->second;
  }

  std::optional<std::uint64_t> let_in(MonoNs now) {
    const ActiveFaults met = node.faults().at("connect");
    if (const auto pause = met.value(FaultKind::refuse)) {
      refuse(MonoNs{now.value + *pause});
      return std::nullopt;
    }
    if (met.has(FaultKind::break_off)) return std::nullopt;
    const std::uint64_t id = next_id++;
    RpcConnection& made = connections.emplace(id, RpcConnection(id)).first->second;
    if (const auto pause = met.value(FaultKind::unread)) made.paused_until = MonoNs{now.value + *pause};
    if (refusing_until) made.paused_until = refusing_until;  // a forwarder lets everybody connect
    return id;
  }

  void refuse(MonoNs until) {
    refusing_until = until;
    drop_all();
  }

  /// Parks the request if a fault leaves it unread.
  std::optional<PendingCall> next_call(RpcConnection& connection, MonoNs now) {
    if (!connection.open_for_requests(now)) return std::nullopt;
    connection.paused_until.reset();
    if (connection.parked) return std::exchange(connection.parked, std::nullopt);
    auto request = connection.framer().next();
    if (!request) {
      const auto complaint = connection.framer().take_complaint();
      if (complaint) connection.send(answer_text("null", reply_of(CallError(RpcCode::invalid_request, *complaint))));
      return std::nullopt;
    }
    PendingCall pending;
    pending.connection = connection.id();
    pending.read = read_call(std::move(*request));
    if (pending.read.refused) return pending;
    const RpcCall& call = pending.read.call;
    const std::string_view occasion = RpcNode::is_fence(call) ? "fence" : std::string_view(call.method);
    pending.met = node.faults().at(occasion, RpcNode::hash_of(call), RpcNode::part_of(call));
    const auto pause = pending.met.value(FaultKind::unread);
    if (!pause) return pending;
    connection.paused_until = MonoNs{now.value + *pause};
    connection.parked = std::move(pending);
    return std::nullopt;
  }

  std::vector<PendingCall> collect(MonoNs now) {
    std::vector<PendingCall> calls;
    const std::size_t share = most_calls_a_turn / std::max<std::size_t>(connections.size(), 1);
    for (auto& [id, connection] : connections) {
      for (std::size_t taken = 0; taken < share; ++taken) {
        auto call = next_call(connection, now);
        if (!call) break;
        const bool ends_batch = call->met.ends_batch();
        calls.push_back(std::move(*call));
        if (ends_batch) return calls;
      }
    }
    return calls;
  }

  std::int64_t shorten(std::int64_t ns, MonoNs now) const {
    if (refusing_until) ns = std::min(ns, refusing_until->value - now.value);
    for (const auto& [id, connection] : connections) {
      if (connection.paused_until) ns = std::min(ns, connection.paused_until->value - now.value);
      if (connection.has_requests() && connection.open_for_requests(now)) ns = 0;
    }
    return std::max<std::int64_t>(ns, 0);
  }

  void drop_connections() {
    if (node.faults().behind_forwarder()) {
      for (auto& [id, connection] : connections) {
        connection.waits = 0;
        if (refusing_until) connection.paused_until = refusing_until;
      }
      return;
    }
    some_went = some_went || !connections.empty();
    connections.clear();
  }

  bool erase_closed() {
    for (auto it = connections.begin(); it != connections.end();) {
      const RpcConnection& connection = it->second;
      const bool done = connection.at_end() && !connection.has_requests() && !connection.wants_write();
      if (!connection.over() && !done) {
        ++it;
        continue;
      }
      it = connections.erase(it);
      some_went = true;
    }
    return std::exchange(some_went, false);
  }

  [[nodiscard]] std::int64_t pause_ns() const {
    const MonoNs now = clock.mono();
    std::int64_t pause = waiting.empty() ? idle_pause_ns : watch_pause_ns;
    const auto until = [&](const std::optional<MonoNs>& at) {
      if (at) pause = std::min(pause, at->value - now.value);
    };
    until(shuffle_until);
    for (const Answer& answer : late) until(answer.at);
    for (const WaitingCall& call : waiting) until(call.wait.deadline);
    if (next && !frozen) pause = std::min(pause, next->value - clock.wall().value - network_minus_wall);
    return shorten(pause, now);
  }
};

NodeService::NodeService(Ledger& ledger, Clock& clock, Faults faults)
    : impl_(std::make_unique<Impl>(ledger, clock, std::move(faults))) {}
NodeService::~NodeService() = default;

bool NodeService::has_room() const { return impl_->connections.size() < most_clients; }
std::optional<std::uint64_t> NodeService::let_in() { return impl_->let_in(impl_->clock.mono()); }
RpcConnection* NodeService::find(std::uint64_t id) { return impl_->find(id); }
bool NodeService::refuses() const {
  return impl_->refusing_until && impl_->clock.mono() < *impl_->refusing_until &&
         !impl_->node.faults().behind_forwarder();
}
Faults& NodeService::faults() { return impl_->node.faults(); }

void NodeService::turn() {
  const MonoNs now = impl_->clock.mono();
  if (impl_->refusing_until && now >= *impl_->refusing_until) impl_->refusing_until.reset();
  impl_->turn();
  impl_->tell_late(now);
}

void NodeService::forget_closed() { impl_->forget_closed(); }
std::int64_t NodeService::pause_ns() const { return impl_->pause_ns(); }
bool NodeService::stop_asked() const { return impl_->node.stop_asked(); }

}  // namespace paytower::sim
