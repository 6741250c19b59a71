#include "tests/crash/crash_world.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include "core/bolt11/invoice.h"
#include "core/hash.h"
#include "core/lifecycle.h"
#include "core/switch/sim/sim_switch.h"
#include "db/payment_admin.h"

namespace paytower::test {

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string short_name(const PaymentHash& hash) {
  std::ostringstream text;
  text << std::hex << int{hash.bytes[0]} << int{hash.bytes[1]} << int{hash.bytes[2]};
  return text.str();
}

bool alive(const sim::OracleEntry& entry) { return entry.state == sim::OracleState::held || entry.state == sim::OracleState::settled; }

}  // namespace

Process::Process(const std::string& path)
    : connection(path, db::OpenMode::create, db::payment_file()),
      write_lock(connection.real_path(), db::default_lock_timeout_ns),
      locks(connection.real_path()),
      store(connection, write_lock) {}

/// A dead process asks nothing; and before each question and after each answer the operator may look.
class CrashWorld::WatchedSwitch final : public Switch {
 public:
  WatchedSwitch(CrashWorld& world, Switch& inner) : world_(world), inner_(inner) {}
  void identify() override { step(); inner_.identify(); }
  void look(const PaymentHash& hash, const std::optional<Marks>& since) override { step(); inner_.look(hash, since); }
  void ask_route(const RouteQuestion& question) override { step(); inner_.ask_route(question); }
  void dispatch(const Handover& handover) override { step(); inner_.dispatch(handover); }
  void query(const AttemptKey& key) override { step(); inner_.query(key); }
  void fence(const Handover& handover) override { step(); inner_.fence(handover); }
  void list_own(const StoreId& store) override { step(); inner_.list_own(store); }
  std::vector<SwitchEvent> poll(MonoNs until) override {
    step();
    auto events = inner_.poll(until);
    world_.watch_ledger();
    return events;
  }

 private:
  void step() {
    if (world_.disk.dead()) throw Killed{};
    if (world_.shell_between_steps) world_.operator_shell();
  }
  CrashWorld& world_;
  Switch& inner_;
};

CrashWorld::CrashWorld(std::uint64_t seed) : randomness(seed) {
  disk.become_default();
  disk.at_kill = [this] { spool_at_kill_ = bytes_of(path + ".spool"); };
  sim::NetworkParams params;
  params.seed = seed;
  if (!admin.create_network(params)) throw std::logic_error("no network");
}

CrashWorld::~CrashWorld() {
  disk.at_kill = nullptr;
  disk.lying = false;
  disk.forget();
}

PaymentRequest CrashWorld::invoice(sim::InvoiceParams params) {
  if (!params.amount) params.amount = Msat::of(250'000);
  if (params.description.empty()) params.description = "test";
  const auto made = admin.make_invoice(params);
  if (!made) throw std::logic_error("no invoice");
  const auto read = decode_invoice(made->text);
  PaymentRequest request;
  request.hash = read->payment_hash;
  request.demand.destination = read->payee;
  request.demand.amount = *read->amount;
  request.demand.fee_limit = Msat::of(50'000);
  request.payment_secret = read->payment_secret;
  request.invoice = made->text;
  request.network = "regtest";
  request.created = clock.wall();
  request.deadline = UnixNs{clock.wall().value + 3'000 * ns_per_second};
  requests.push_back(request);
  return request;
}

std::vector<sim::OracleEntry> CrashWorld::oracle(const PaymentHash& hash) {
  std::vector<sim::OracleEntry> entries;
  admin.ledger(hash, [&](const sim::OracleEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  return entries;
}

bool CrashWorld::process(const std::function<void(Process&)>& work) {
  bool left_well = false;
  try {
    Process process(path);
    // The first thing that a process that may write does.
    (void)process.store.take_in_spool(clock.wall());
    work(process);
    if (!disk.dead()) process.store.checkpoint_if_due();
    left_well = !disk.dead();
  } catch (const Killed&) {
  } catch (const StoreError&) {
  } catch (const RefusalError&) {
  } catch (const SQLite::Exception&) {
  }
  return left_well;
}

bool CrashWorld::drive(Process& process, std::int64_t wait_seconds, const std::function<void(Driver&)>& feed) {
  sim::SimSwitch inner(ledger, clock);
  WatchedSwitch node(*this, inner);
  DriverOptions options;
  options.wait_ns = wait_seconds * ns_per_second;
  DriverPorts ports{node, process.store, process.locks, clock, randomness, *this};
  Driver driver(ports, options);
  feed(driver);
  (void)driver.run();
  return true;
}

bool CrashWorld::send(const PaymentRequest& request, std::int64_t wait_seconds) { return send_all({request}, wait_seconds); }

bool CrashWorld::send_all(const std::vector<PaymentRequest>& wanted, std::int64_t wait_seconds) {
  return process([&](Process& process) {
    drive(process, wait_seconds, [&](Driver& driver) {
      for (const PaymentRequest& request : wanted) driver.submit({request, true});
    });
  });
}

bool CrashWorld::resume(std::int64_t wait_seconds) {
  return process([&](Process& process) {
    drive(process, wait_seconds, [&](Driver& driver) {
      for (const PaymentIndex index : process.store.fetch_in_flight(PaymentIndex{0}, 1'000)) driver.adopt(index);
    });
  });
}

bool CrashWorld::cancel(const PaymentHash& hash) {
  return process([&](Process& process) {
    const auto payment = process.store.find(hash).payment;
    if (!payment) return;
    const Decision decision = decide(*payment, Event{clock.wall(), CancelRequested{}});
    if (decision.refusal || decision.writes.empty()) return;
    const PaymentWrites writes{&*payment, decision.writes};
    (void)process.store.commit(std::span(&writes, 1));
  });
}

bool CrashWorld::remove_all() {
  for (const PaymentRequest& request : requests) removed_.insert(request.hash);
  return process([&](Process& process) {
    db::PaymentAdmin words(process.connection, process.write_lock);
    db::DeleteRequest what;
    what.include_non_failed = true;
    (void)words.remove(what, db::Speaker{"test", clock.wall()});
  });
}

void CrashWorld::operator_shell() {
  sqlite3* shell = nullptr;
  if (sqlite3_open_v2(path.c_str(), &shell, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_exec(shell, "SELECT count(*) FROM payments", nullptr, nullptr, nullptr);
  }
  sqlite3_close(shell);
}

void CrashWorld::power_on() {
  if (disk.dead()) std::ofstream(path + ".spool", std::ios::binary | std::ios::in).write(spool_at_kill_.data(), static_cast<std::streamsize>(spool_at_kill_.size()));
  disk.recover();
}

bool CrashWorld::to_the_end(const std::vector<PaymentRequest>& wanted) {
  constexpr int most_runs = 20;
  for (int run = 0; run < most_runs; ++run) {
    resume(60);
    bool open = false;
    std::vector<PaymentRequest> missing;
    const bool read = process([&](Process& process) {
      // A payment that is paid has its end, also while a dead attempt of ours is still asked about beside it.
      for (const PaymentIndex index : process.store.fetch_in_flight(PaymentIndex{0}, 1'000)) {
        const Payment payment = *process.store.load(index);
        if (payment.status() != PaymentStatus::in_flight && payment.status() != PaymentStatus::initiated) continue;
        open = true;
        if (run + 1 == most_runs) trouble.push_back("no end: " + short_name(payment.request.hash));
      }
      for (const PaymentRequest& request : wanted) {
        const HashState state = process.store.find(request.hash);
        if (!state.payment && !state.guard) missing.push_back(request);
      }
    });
    if (!missing.empty()) send_all(missing, 60);
    if (read && !open && missing.empty()) return true;
    pass(60);
  }
  return false;
}

void CrashWorld::changed(const Payment& payment) {
  if (disk.dead()) return;
  told_[payment.request.hash] = payment.status();
  trace += std::to_string(clock.mono().value) + " " + short_name(payment.request.hash) + " " + std::to_string(static_cast<int>(payment.status())) + " " +
           std::to_string(payment.attempts.size()) + "\n";
}

void CrashWorld::watch_ledger() {
  for (const PaymentRequest& request : requests) {
    std::size_t ours = 0;
    for (const auto& entry : oracle(request.hash)) ours += !entry.foreign && alive(entry) ? 1U : 0U;
    if (ours > 1) trouble.push_back("R2: two HTLCs of ours for " + short_name(request.hash));
  }
}

void CrashWorld::judge_hash(Process& process, const PaymentHash& hash, std::vector<std::string>& broken) {
  const HashState state = process.store.find(hash);
  const auto say = [&](const std::string& what) { broken.push_back(what + " (" + short_name(hash) + ")"); };
  std::size_t ours = 0;
  bool settled = false;
  bool living = false;
  for (const auto& entry : oracle(hash)) {
    if (entry.state == sim::OracleState::fenced) continue;
    settled |= entry.state == sim::OracleState::settled;
    living |= alive(entry);
    if (entry.foreign) continue;
    ours += alive(entry) ? 1U : 0U;
    bool recorded = removed_.contains(hash);
    if (state.payment) {
      for (const Attempt& attempt : state.payment->attempts) recorded |= attempt.id == entry.attempt;
    }
    if (!recorded) say("R1: an HTLC of ours has no attempt in the database");
  }
  if (ours > 1) say("R2: more than one HTLC of ours settled or locked");
  const auto told = told_.find(hash);
  if (!state.payment) {
    if (told != told_.end() && !removed_.contains(hash)) say("R1: what was told is forgotten");
    if (settled && !state.guard) say("R13: a paid hash is payable again");
    return;
  }
  const PaymentStatus now = state.payment->status();
  if (now == PaymentStatus::succeeded && !settled) say("R7: SUCCEEDED and nothing settled");
  if (now == PaymentStatus::succeeded && !proves(*state.payment->proof(), hash)) say("R7: SUCCEEDED without proof");
  if (now == PaymentStatus::failed && living) say("R9: FAILED while something is locked or settled");
  if (told != told_.end() && told->second == PaymentStatus::succeeded && now != PaymentStatus::succeeded) say("R8: SUCCEEDED was told and is gone");
}

std::vector<std::string> CrashWorld::judge() {
  std::vector<std::string> broken = trouble;
  admin.advance();
  try {
    Process process(path);
    const std::string sound = process.connection.database().execAndGet("PRAGMA integrity_check").getString();
    if (sound != "ok") broken.push_back("integrity_check: " + sound);
    for (const PaymentRequest& request : requests) judge_hash(process, request.hash, broken);
  } catch (const std::exception& error) {
    broken.push_back(std::string("the database cannot be read: ") + error.what());
  }
  return broken;
}

PaymentStatus CrashWorld::status(const PaymentHash& hash) {
  Process process(path);
  const HashState state = process.store.find(hash);
  return state.payment ? state.payment->status() : PaymentStatus::initiated;
}

}  // namespace paytower::test
