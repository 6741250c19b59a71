// Goal: any number of processes use one network file and die at any moment, and the file is always sound. Method:
// forked children with their own connections and the real clock, some of them killed; afterwards no money may be
// missing.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include <SQLiteCpp/Database.h>

#include "core/base/hash.h"
#include "core/base/refuse.h"
#include "tests/sim/world.h"

using namespace paytower;
using namespace paytower::sim;
using namespace paytower::sim::test;

namespace {

class RealClock final : public Clock {
 public:
  UnixNs wall() override {
    return UnixNs{std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
  }
  MonoNs mono() override {
    return MonoNs{std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
  }
  void sleep_until(MonoNs until) override {
    while (mono() < until) std::this_thread::sleep_for(std::chrono::nanoseconds(until.value - mono().value));
  }
  int stop_signal() override { return 0; }
};

/// A child process that works on the file; its exit code says whether all went well.
class Child {
 public:
  Child(const std::string& file, const std::function<bool(Ledger&, RealClock&)>& work) : pid_(fork()) {
    if (pid_ != 0) return;
    int code = 1;
    try {
      RealClock clock;
      const auto ledger = value_of(db::open_sim_ledger(file));
      code = work(*ledger, clock) ? 0 : 2;
    } catch (const std::exception& error) {
      fprintf(stderr, "child: %s\n", error.what());
    }
    _exit(code);
  }
  void kill_hard() const { ::kill(pid_, SIGKILL); }
  /// The exit code, or 128 + the signal.
  int wait() const {
    int status = 0;
    REQUIRE(waitpid(pid_, &status, 0) == pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

/// A process at the network, connected.
class Client {
 public:
  Client(Ledger& ledger, RealClock& clock)
      : clock_(clock), pipe_(ledger, clock, "net.sim"), node_(pipe_.transport(), {}, clock, pipe_, ids_) {
    node_.identify();
    if (poll(ns_per_second).size() != 1) throw std::runtime_error("the node does not say who it is");
  }
  cln::ClnSwitch* operator->() { return &node_; }
  std::vector<SwitchEvent> poll(std::int64_t ns) { return node_.poll(MonoNs{clock_.mono().value + ns}); }

 private:
  RealClock& clock_;
  PipeNode pipe_;
  SeededBytes ids_;
  cln::ClnSwitch node_;
};

struct Prepared {
  std::vector<Handover> handovers;
};

/// Makes a network with invoices of n3, and a hand-over for each.
Prepared prepare(const std::string& file, std::size_t count, std::int64_t latency_ns, Hold hold = {}) {
  const auto ledger = value_of(db::create_sim_ledger(file));
  build_small_network(*ledger);
  RealClock clock;
  TestAdmin admin(*ledger, clock);
  admin.set_latency(latency_ns);
  Prepared prepared;
  for (std::size_t i = 0; i < count; ++i) {
    InvoiceParams params;
    params.amount = Msat::of(1'000 * sat);
    params.node = "n3";
    params.hold = hold;
    const auto made = admin.make_invoice(params);
    REQUIRE(made);
    RouteQuestion asked;
    asked.demand.destination = key_of(3);
    asked.demand.amount = *params.amount;
    asked.demand.fee_limit = Msat::of(100'000);
    Handover given;
    given.key = AttemptKey{made->hash, AttemptId{i + 1}, 0};
    given.label = attempt_label(StoreId{}, given.key.id);
    ledger->read([&](LedgerTx& tx) { given.route = *find_route(Graph::load(tx), own_balances(tx), asked); });
    given.amount = *params.amount;
    given.payment_secret = admin.invoice(made->hash)->secret;
    prepared.handovers.push_back(std::move(given));
  }
  return prepared;
}

/// Checks what holds for every network at every moment: no money is made or lost, and view and oracle agree.
void check_books(const std::string& file) {
  const auto ledger = value_of(db::open_sim_ledger(file));
  RealClock clock;
  TestAdmin admin(*ledger, clock);
  admin.advance();
  ledger->read([&](LedgerTx& tx) {
    std::map<ShortChannelId, std::uint64_t> under_way;
    std::map<AttemptKey, OracleState> truth;
    std::uint64_t after = 0;
    for (auto entries = tx.oracle_after(std::nullopt, after, 100); !entries.empty();
         entries = tx.oracle_after(std::nullopt, after, 100)) {
      for (const OracleEntry& entry : entries) {
        after = entry.id;
        const AttemptKey key{entry.hash, entry.attempt, entry.part};
        CHECK(truth.emplace(key, entry.state).second);  // one HTLC an attempt
        const auto row = tx.row(key);
        REQUIRE(row);
        const bool settled = entry.state == OracleState::settled;
        const bool held = entry.state == OracleState::held;
        CHECK(row->state == (settled ? RowState::complete : held ? RowState::pending : RowState::failed));
        if (settled) CHECK(proves(*row->preimage, entry.hash));
        CHECK(tx.movements_of(entry.hash).size() == (settled ? 1 : 0));
        for (const Flight& flight : tx.flights_of(entry.hash)) {
          CHECK(held);
          for (std::uint32_t i = 0; i < flight.reserved_hops; ++i)
            under_way[flight.route.hops[i].channel] += flight.route.hops[i].amount.value();
        }
      }
    }
    CHECK(tx.rows_after(0, 100'000).size() == truth.size());
    tx.each_channel([&](const Channel& channel) {
      CHECK(channel.capacity.value() ==
            channel.balances[0].value() + channel.balances[1].value() + under_way[channel.id]);
      return true;
    });
  });
}

/// Hands over and waits for all of them; true when all settled.
bool pay_all(Ledger& ledger, RealClock& clock, const std::vector<Handover>& handovers, std::size_t from,
             std::size_t step) {
  Client node(ledger, clock);
  std::size_t open = 0;
  for (std::size_t i = from; i < handovers.size(); i += step) {
    node->dispatch(handovers[i]);
    node->query(handovers[i].key);
    ++open;
  }
  const std::int64_t until = clock.mono().value + 60 * ns_per_second;
  while (open > 0 && clock.mono().value < until) {
    for (const SwitchEvent& event : node->poll(MonoNs{until})) {
      const auto* answer = std::get_if<QueryAnswer>(&event);
      if (!answer) continue;
      if (answer->kind != QueryAnswer::Kind::settled) return false;
      --open;
    }
  }
  return open == 0;
}

}  // namespace

TEST_CASE("a file that is missing, another program's, or unfinished") {
  TempFolder folder;
  const auto missing = db::open_sim_ledger(folder.file("net.sim"));
  CHECK(missing.error().code == Errc::switch_unavailable);
  CHECK(missing.error().message == "there is no simulated network " + folder.file("net.sim"));
  CHECK(missing.error().hint == "paytower simulate network --out " + folder.file("net.sim"));
  { const auto ledger = value_of(db::create_sim_ledger(folder.file("net.sim"))); }
  const auto taken_again = value_of(db::create_sim_ledger(folder.file("net.sim")));
  build_small_network(*taken_again);
  CHECK(db::create_sim_ledger(folder.file("net.sim")).error().code == Errc::usage);
}

TEST_CASE("a file of an older version, which kept faults in it, is opened, and nothing of them is left") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, 0);
  SQLite::Database(folder.file("net.sim"), SQLite::OPEN_READWRITE)
      .exec(
          "CREATE TABLE faults (fault INTEGER PRIMARY KEY, kind INTEGER NOT NULL) STRICT;"
          "INSERT INTO faults (fault, kind) VALUES (1, 2);"
          "INSERT INTO numbers (which, value) VALUES (6, -1), (13, 1)");
  RealClock clock;
  CHECK(pay_all(*value_of(db::open_sim_ledger(folder.file("net.sim"))), clock, prepared.handovers, 0, 1));
}

TEST_CASE("what was written is there for the next process, and an undone transaction is not") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, ns_per_second);
  {
    const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
    CHECK_THROWS_AS(ledger->write([](LedgerTx& tx) {
      tx.set_number(Number::height, 1);
      tx.remove_row(1);
      throw std::runtime_error("no");
    }),
                    std::runtime_error);
  }
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  ledger->read([&](LedgerTx& tx) {
    CHECK(tx.number(Number::height) == 800'000);
    CHECK(tx.invoice(prepared.handovers[0].key.hash)->payee == 3);
  });
}

TEST_CASE("twelve processes pay on one file at a time") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 120, 5 * ns_per_ms);
  std::vector<Child> children;
  for (std::size_t i = 0; i < 12; ++i) {
    children.emplace_back(folder.file("net.sim"), [&, i](Ledger& ledger, RealClock& clock) {
      return pay_all(ledger, clock, prepared.handovers, i, 12);
    });
  }
  for (const Child& child : children) CHECK(child.wait() == 0);
  check_books(folder.file("net.sim"));
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  ledger->read([](LedgerTx& tx) { CHECK(tx.number(Number::movements_created) == 120); });
}

TEST_CASE("two processes hand over the same attempt: one HTLC") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 60, 5 * ns_per_ms);
  std::vector<Child> children;
  for (int i = 0; i < 2; ++i) {
    children.emplace_back(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
      return pay_all(ledger, clock, prepared.handovers, 0, 1);
    });
  }
  for (const Child& child : children) CHECK(child.wait() == 0);
  check_books(folder.file("net.sim"));
}

TEST_CASE("killed at any moment, the file is whole, the attempts go on, and the next process finishes") {
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    TempFolder folder;
    const auto prepared = prepare(folder.file("net.sim"), 60, 2 * ns_per_ms);
    const Child victim(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
      for (const Handover& given : prepared.handovers) {
        if (!pay_all(ledger, clock, {given}, 0, 1)) return false;
      }
      // If this is done before the kill comes, it waits to be killed.
      std::this_thread::sleep_for(std::chrono::minutes(1));
      return false;
    });
    const Child other(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
      return pay_all(ledger, clock, prepared.handovers, 1, 2);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + round * 7));
    victim.kill_hard();
    CHECK(victim.wait() == 128 + SIGKILL);
    CHECK(other.wait() == 0);
    check_books(folder.file("net.sim"));
    const Child next(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
      // Attempts that are paid already are answered with "look", then settled: they are the same attempts.
      return pay_all(ledger, clock, prepared.handovers, 0, 1);
    });
    CHECK(next.wait() == 0);
    check_books(folder.file("net.sim"));
  }
}

TEST_CASE("an accepted attempt is durable before its answer") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, 60 * ns_per_second);
  const Child sender(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
    Client node(ledger, clock);
    node->dispatch(prepared.handovers[0]);
    const auto events = node.poll(ns_per_second);
    if (std::get<DispatchAnswer>(events.at(0)).kind != DispatchAnswer::Kind::accepted) return false;
    raise(SIGKILL);
    return true;
  });
  CHECK(sender.wait() == 128 + SIGKILL);
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  ledger->read([&](LedgerTx& tx) {
    CHECK(tx.row(prepared.handovers[0].key)->state == RowState::pending);
    CHECK(tx.flights_of(prepared.handovers[0].key.hash).size() == 1);
  });
}

TEST_CASE("a release in one process is seen at once by another that waits") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, 0, Hold{Hold::forever});
  const AttemptKey key = prepared.handovers[0].key;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const Child waiting(folder.file("net.sim"), [&](Ledger& ledger, RealClock& clock) {
    Client node(ledger, clock);
    node->dispatch(prepared.handovers[0]);
    if (node.poll(ns_per_second).size() != 1) return false;
    node->query(key);
    char ready = 'r';
    if (write(pipe_ends[1], &ready, 1) != 1) return false;
    const auto events = node.poll(20 * ns_per_second);
    const std::int64_t seen = clock.wall().value;
    if (write(pipe_ends[1], &seen, sizeof seen) != sizeof seen) return false;
    return events.size() == 1 && std::get<QueryAnswer>(events[0]).kind == QueryAnswer::Kind::settled;
  });
  char ready = 0;
  REQUIRE(read(pipe_ends[0], &ready, 1) == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  RealClock clock;
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  CHECK(SimAdmin(*ledger, clock).release(key.hash, std::nullopt).value() == 1);
  const std::int64_t released = clock.wall().value;
  std::int64_t seen = 0;
  REQUIRE(read(pipe_ends[0], &seen, sizeof seen) == sizeof seen);
  CHECK(waiting.wait() == 0);
  CHECK(seen - released < 200 * ns_per_ms);  // 20 ms, and much room for a busy machine
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST_CASE("goes on by time, not by process") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, 50 * ns_per_ms);
  {
    RealClock clock;
    const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
    Client node(*ledger, clock);
    node->dispatch(prepared.handovers[0]);
    REQUIRE(node.poll(ns_per_second).size() == 1);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  RealClock clock;
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  std::vector<OracleEntry> entries;
  SimAdmin(*ledger, clock).ledger(std::nullopt, [&](const OracleEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].state == OracleState::settled);
  CHECK(entries[0].resolved->value - entries[0].created.value == 50 * ns_per_ms);
}

TEST_CASE("the oracle cannot be changed, whoever tries") {
  TempFolder folder;
  const auto prepared = prepare(folder.file("net.sim"), 1, 0);
  const auto ledger = value_of(db::open_sim_ledger(folder.file("net.sim")));
  RealClock clock;
  Client node(*ledger, clock);
  node->dispatch(prepared.handovers[0]);
  REQUIRE(node.poll(ns_per_second).size() == 1);
  ledger->read([](LedgerTx& tx) { CHECK(tx.oracle_after(std::nullopt, 0, 10).size() == 1); });
  CHECK_THROWS_AS(ledger->write([](LedgerTx& tx) {
    OracleEntry again = tx.oracle_after(std::nullopt, 0, 10).front();
    again.state = OracleState::failed;  // it has settled
    tx.append_oracle(again);
  }),
                  SwitchError);
}
