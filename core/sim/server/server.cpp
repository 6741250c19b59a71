#include "core/sim/server/server.h"

#include <sys/prctl.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <utility>
#include <variant>
#include <vector>

#include "core/sim/node/node.h"
#include "core/sim/server/clients.h"

namespace paytower::sim {

namespace {

constexpr std::int64_t watch_pause_ns = 20 * ns_per_ms;  ///< how long another process's act may stay unseen
constexpr std::int64_t idle_pause_ns = ns_per_second;
constexpr std::int64_t shuffle_pause_ns = 50 * ns_per_ms;  ///< a batch that does not fill is told then

/// A request that is answered later.
struct WaitingCall {
  PendingCall pending;
  RpcWait wait;
};

/// An answer that is not to be told yet.
struct Answer {
  std::uint64_t connection = 0;
  std::string text;
  MonoNs at{};
  bool last = false;  ///< the connection ends behind it
};

}  // namespace

struct RpcServer::Impl {
  Impl(Ledger& ledger_in, Clock& clock_in, const std::string& path, RpcFaults faults_in)
      : ledger(ledger_in), clock(clock_in), faults(std::move(faults_in)), node(faults.traits()), clients(path, faults) {
    if (faults.poses_as_lightningd()) (void)::prctl(PR_SET_NAME, "lightningd");
  }

  Ledger& ledger;
  Clock& clock;
  RpcFaults faults;
  RpcNode node;
  RpcClients clients;
  std::vector<WaitingCall> waiting;
  std::vector<Answer> late;
  std::vector<Answer> shuffled;
  std::optional<MonoNs> shuffle_until;
  std::optional<PaymentHash> last_hash;
  std::optional<std::uint64_t> seen;  ///< Ledger::change_counter after the last turn
  std::optional<UnixNs> next;         ///< network time of the next event
  std::int64_t network_minus_wall = 0;
  bool frozen = false;

  // --- one transaction ---

  struct Done {
    PendingCall pending;
    RpcOutcome outcome;
  };

  static bool may_write(const std::vector<PendingCall>& calls) {
    return std::any_of(calls.begin(), calls.end(), [](const PendingCall& call) {
      return RpcNode::may_write(call.read.call) || !call.strikes.orders.before.empty() ||
             !call.strikes.orders.after.empty();
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
    std::vector<PendingCall> calls = clients.collect(clock.mono());
    const RpcMoment moment{clock.wall(), clock.mono()};
    const std::uint64_t counter = ledger.change_counter();
    const bool look = seen != counter || timed_out(moment.mono);
    if (calls.empty() && !due(moment.wall) && !look) return;
    if (!calls.empty() && calls.back().strikes.die_before) die_behind(std::move(calls), moment);
    std::vector<Done> done;
    bool reached = true;
    bool write = due(moment.wall) || may_write(calls);
    const auto work = [&](LedgerTx& tx) {
      reached = reachable(tx, network_time(tx, moment.wall));
      if (reached) done = in_transaction(tx, calls, moment);
      next = next_event(tx);
      frozen = tx.number(Number::time_is_frozen) != 0;
      network_minus_wall = network_time(tx, moment.wall).value - moment.wall.value;
    };
    if (!write) {
      ledger.read([&](LedgerTx& tx) {
        const auto event = next_event(tx);
        write = (event && *event <= network_time(tx, moment.wall)) || !tx.faults().empty();
        if (!write) work(tx);
      });
    }
    if (write) ledger.write(work);
    seen = counter + (write ? 1 : 0);
    node.forget_late();
    if (!reached) {
      next.reset();
      return drop_all();
    }
    for (Done& answered : done) deliver(std::move(answered));
    if (!calls.empty()) strike_server(calls.back().strikes);
  }

  std::vector<Done> in_transaction(LedgerTx& tx, const std::vector<PendingCall>& calls, const RpcMoment& moment) {
    std::vector<Done> done;
    done.reserve(calls.size());
    go_on(tx, moment);
    for (const PendingCall& call : calls) done.push_back(Done{call, execute(tx, call, moment)});
    go_on(tx, moment);
    for (WaitingCall& call : waiting) {
      auto outcome = node.settle(tx, call.wait, moment);
      if (!outcome) continue;
      if (RpcConnection* connection = clients.find(call.pending.connection)) --connection->waits;
      done.push_back(Done{std::move(call.pending), std::move(*outcome)});
      call.pending.connection = 0;
    }
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(),
                                 [](const WaitingCall& call) { return call.pending.connection == 0; }),
                  waiting.end());
    return done;
  }

  /// Lets the network catch up with its time, with the faults of what ends.
  void go_on(LedgerTx& tx, const RpcMoment& moment) {
    for (const AttemptKey& key : node.advance(tx, moment.wall)) {
      const RpcStrikes struck = faults.strike("end");
      for (const RpcOrder& order : struck.orders.before) node.obey(tx, order, key.hash, moment.wall);
      for (const RpcOrder& order : struck.orders.after) node.obey(tx, order, key.hash, moment.wall);
    }
  }

  RpcOutcome execute(LedgerTx& tx, const PendingCall& call, const RpcMoment& moment) {
    if (call.read.refused) return *call.read.refused;
    if (call.strikes.break_before) return RpcSilence{true};
    if (call.strikes.error_before) return CallReply{};
    if (!call.strikes.executes()) return RpcSilence{};
    if (const auto hash = RpcNode::hash_of(call.read.call)) last_hash = hash;
    return node.execute(tx, call.read.call, moment, call.strikes.orders, last_hash);
  }

  // --- answers ---

  void deliver(Done done) {
    RpcConnection* connection = clients.find(done.pending.connection);
    if (!connection) return;
    const RpcStrikes& strikes = done.pending.strikes;
    if (std::holds_alternative<RpcWait>(done.outcome)) {
      ++connection->waits;
      waiting.push_back(WaitingCall{std::move(done.pending), std::get<RpcWait>(std::move(done.outcome))});
      return;
    }
    if (const auto* silence = std::get_if<RpcSilence>(&done.outcome)) {
      if (silence->disconnect || strikes.break_after) connection->finish();
      return;
    }
    if (strikes.break_after) connection->finish();
    // Whoever has closed its writing side gets no answer of what takes the node a moment.
    const bool lost = connection->at_end() && RpcNode::may_write(done.pending.read.call);
    if (strikes.drop_reply || strikes.break_after || lost) return;
    CallReply reply = std::get<CallReply>(std::move(done.outcome));
    Answer answer{connection->id(),
                  spoiled_answer(done.pending.read.call, std::move(reply), strikes),
                  {},
                  strikes.cut.has_value()};
    if (strikes.shuffle != 0) return shuffle(std::move(answer), strikes.shuffle);
    if (strikes.late_ns == 0) return tell(answer);
    answer.at = MonoNs{clock.mono().value + strikes.late_ns};
    late.push_back(std::move(answer));
  }

  void tell(const Answer& answer) {
    RpcConnection* connection = clients.find(answer.connection);
    if (!connection) return;
    connection->send(answer.text);
    if (answer.last) connection->finish();
  }

  void shuffle(Answer answer, std::size_t batch) {
    shuffled.push_back(std::move(answer));
    shuffle_until = MonoNs{clock.mono().value + shuffle_pause_ns};
    if (shuffled.size() >= batch) tell_shuffled();
  }

  void tell_shuffled() {
    for (; !shuffled.empty(); shuffled.pop_back()) {
      std::swap(shuffled[faults.draw(shuffled.size())], shuffled.back());
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

  // --- what strikes the server itself ---

  /// The requests before the last one are executed, and then nothing more is.
  [[noreturn]] void die_behind(std::vector<PendingCall> calls, const RpcMoment& moment) {
    calls.pop_back();
    if (!calls.empty()) ledger.write([&](LedgerTx& tx) { (void)in_transaction(tx, calls, moment); });
    (void)::kill(::getpid(), SIGKILL);
    for (;;) (void)::pause();
  }

  void strike_server(const RpcStrikes& strikes) {
    if (strikes.die_after) (void)::kill(::getpid(), SIGKILL);
    if (strikes.restart_before || strikes.restart_after) drop_all();
    const auto& refused = strikes.refuse_before ? strikes.refuse_before : strikes.refuse_after;
    if (!refused) return;
    clients.refuse(MonoNs{clock.mono().value + *refused});
    drop_all();
  }

  void drop_all() {
    clients.drop_all();
    waiting.clear();
    late.clear();
    shuffled.clear();
    shuffle_until.reset();
  }

  void forget_closed() {
    if (!clients.forget_closed()) return;
    const auto nobody = [this](const WaitingCall& call) { return clients.find(call.pending.connection) == nullptr; };
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(), nobody), waiting.end());
  }

  // --- the loop ---

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
    return clients.shorten(pause, now);
  }

  void run() {
    while (clock.stop_signal() == 0 && !node.stop_asked()) {
      clients.wait(pause_ns(), clock.mono());
      const MonoNs now = clock.mono();
      clients.listen_again(now);
      turn();
      tell_late(now);
      clients.flush();
      forget_closed();
    }
    clients.flush();
  }
};

RpcServer::RpcServer(Ledger& ledger, Clock& clock, const std::string& socket_path, RpcFaults faults) {
  ledger.read([](LedgerTx& tx) {
    if (!tx.node(own_node)) throw SwitchError("there is no simulated network in this file");
  });
  impl_ = std::make_unique<Impl>(ledger, clock, socket_path, std::move(faults));
}

RpcServer::~RpcServer() = default;

void RpcServer::run() { impl_->run(); }

}  // namespace paytower::sim
