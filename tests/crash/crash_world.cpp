// How a crash test's process pays and resumes, dies, and what must hold afterwards.
#include "tests/crash/crash_world.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "core/base/hash.h"
#include "core/base/refuse.h"
#include "core/driver/admission.h"
#include "core/payment/lifecycle.h"
#include "core/switch/cln/switch.h"
#include "db/payments/admin.h"
#include "tests/support/invoices.h"

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

bool alive(const sim::OracleEntry& entry) {
  return entry.state == sim::OracleState::held || entry.state == sim::OracleState::settled;
}

}  // namespace

/// A dead process asks nothing. Before each question and after each answer the operator may do something.
class CrashWorld::WatchedSwitch final : public Switch {
 public:
  WatchedSwitch(CrashWorld& world, Switch& inner) : world_(world), inner_(inner) {}
  void identify() override {
    step();
    inner_.identify();
  }
  void look(const PaymentHash& hash, std::span<const Marks> since) override {
    step();
    inner_.look(hash, since);
  }
  void ask_route(const RouteQuestion& question) override {
    step();
    inner_.ask_route(question);
  }
  void dispatch(const Handover& handover) override {
    step();
    inner_.dispatch(handover);
  }
  void query(const AttemptKey& key) override {
    step();
    inner_.query(key);
  }
  void fence(const Handover& handover) override {
    step();
    inner_.fence(handover);
  }
  void release(const PaymentHash& hash, const StoreId& store) override {
    step();
    inner_.release(hash, store);
  }
  std::optional<HandoverTerms> terms() const override { return inner_.terms(); }
  std::uint32_t base_height() const override { return inner_.base_height(); }
  void list_own(const StoreId& store) override {
    step();
    inner_.list_own(store);
  }
  void newest_own(const StoreTrace& asked) override {
    step();
    inner_.newest_own(asked);
  }
  std::vector<SwitchEvent> poll(MonoNs until) override {
    step();
    return inner_.poll(until);
  }

 private:
  void step() {
    if (world_.disk.dead()) throw Killed{};
    if (world_.shell_between_steps) world_.operator_shell();
    if (!world_.beside || std::exchange(world_.somebody_beside_, true)) return;
    world_.beside();
    world_.somebody_beside_ = false;
    if (world_.disk.dead()) throw Killed{};  // the machine may have died in what the others did
  }
  CrashWorld& world_;
  Switch& inner_;
};

/// The process may die, or lose its connection, at any hand-over: before a byte of it is written, in its middle, and
/// after it. A fence is a sendpay too, so it counts as one.
class CrashWorld::MortalTransport final : public Transport {
 public:
  MortalTransport(FaultDisk& disk, std::unique_ptr<Transport> inner) : disk_(disk), inner_(std::move(inner)) {}
  [[nodiscard]] Result<std::monostate> open() override { return inner_->open(); }
  void close() override { inner_->close(); }
  [[nodiscard]] bool is_open() const override { return inner_->is_open(); }
  [[nodiscard]] const std::string& name() const override { return inner_->name(); }
  [[nodiscard]] std::optional<Peer> peer() const override { return inner_->peer(); }
  [[nodiscard]] int descriptor() const override { return inner_->descriptor(); }
  [[nodiscard]] std::optional<std::size_t> read(std::span<char> buffer) override { return inner_->read(buffer); }

  /// The client writes one request at a time.
  [[nodiscard]] std::optional<std::size_t> write(std::string_view text) override {
    if (disk_.dead()) throw Killed{};
    if (text.find(R"("method":"sendpay")") == std::string_view::npos) return inner_->write(text);
    if (disk_.before(DiskCall::handover, false) != SQLITE_OK) return cut_off();
    const auto written = inner_->write(disk_.tears() ? text.substr(0, text.size() / 2) : text);
    if (disk_.after(DiskCall::handover) != SQLITE_OK) throw Killed{};
    return written;
  }

 private:
  std::optional<std::size_t> cut_off() {
    if (disk_.dead()) throw Killed{};
    inner_->close();
    return std::nullopt;
  }

  FaultDisk& disk_;
  std::unique_ptr<Transport> inner_;
};

/// A store with a known bug, between the driver and the real store.
class CrashWorld::MutantStore final : public PassingStore {
 public:
  MutantStore(Mutant mutant, db::SqlitePaymentStore& inner, Switch& node)
      : PassingStore(inner), mutant_(mutant), inner_(inner), node_(node) {}

  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override {
    if (mutant_ == Mutant::hands_over_first) hand_over(tick, 0);
    if (mutant_ == Mutant::hands_over_second) hand_over(tick, 1);
    try {
      return mutant_ == Mutant::splits_rounds ? commit_in_pieces(tick) : inner_.commit(tick);
    } catch (const StoreError&) {
      if (mutant_ != Mutant::claims) throw;
      std::vector<Result<Stored>> claimed;
      for (const PaymentWrites& entry : tick)
        claimed.push_back(Stored{PaymentIndex{std::max<std::int64_t>(1, entry.payment->index.value)}});
      return claimed;
    }
  }

 private:
  /// Hands over all parts of each round except the first `spared`.
  void hand_over(std::span<const PaymentWrites> tick, std::size_t spared) {
    for (const PaymentWrites& entry : tick) {
      std::size_t parts = 0;
      for (const Write& write : entry.writes) {
        const auto* made = std::get_if<RegisterAttempt>(&write);
        if (made && parts++ >= spared)
          node_.dispatch(handover(*entry.payment, made->attempt, inner_.store_id(), false));
      }
    }
    (void)node_.poll(MonoNs{});
  }

  /// Commits each payment's writes up to its first part, and then the rest.
  std::vector<Result<Stored>> commit_in_pieces(std::span<const PaymentWrites> tick) {
    std::vector<Result<Stored>> done;
    for (const PaymentWrites& entry : tick) {
      const auto first = std::find_if(entry.writes.begin(), entry.writes.end(), [](const Write& write) {
        return std::holds_alternative<RegisterAttempt>(write);
      });
      const auto count = static_cast<std::size_t>(first - entry.writes.begin()) + 1;
      done.push_back(count < entry.writes.size() ? commit_twice(entry, count) : one(entry));
    }
    return done;
  }

  Result<Stored> commit_twice(const PaymentWrites& entry, std::size_t count) {
    Result<Stored> stored = one({entry.payment, entry.writes.subspan(0, count)});
    if (!stored) return stored;
    Payment half = *entry.payment;
    half.index = stored->index;
    for (const Write& write : entry.writes.subspan(0, count)) apply(half, write);
    return one({&half, entry.writes.subspan(count)});
  }

  Result<Stored> one(const PaymentWrites& entry) { return std::move(inner_.commit(std::span(&entry, 1)).front()); }

  Mutant mutant_;
  db::SqlitePaymentStore& inner_;
  Switch& node_;
};

void CrashWorld::become(Mutant mutant) {
  mutant_ = mutant;
  disk.lying = mutant == Mutant::no_sync;
}

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
  const PaymentRequest request = invoice_request(admin, std::move(params), clock.wall(), 3'000);
  requests.push_back(request);
  return request;
}

void CrashWorld::hold_in_each(const std::function<Msat()>& ours) {
  const auto own = admin.node("n0");
  for (const sim::Channel& channel : admin.channels()) {
    if (channel.nodes[0] != own->index && channel.nodes[1] != own->index) continue;
    const std::uint64_t both = channel.balances[0].value() + channel.balances[1].value();
    const std::uint64_t held = std::min(both, ours().value());
    const std::uint64_t side0 = channel.nodes[0] == own->index ? held : both - held;
    (void)admin.set_balance(channel.id, Msat::of(side0));
  }
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
    if (mutant_ == Mutant::synchronous_normal) process.connection.database().exec("PRAGMA synchronous = NORMAL");
    // Every process that may write does this first.
    (void)value_of(process.store.take_in_spool(clock.wall()));
    check_spooled(process);
    work(process);
    if (!disk.dead()) process.store.checkpoint_if_due();
    left_well = !disk.dead();
  } catch (const Killed&) {
  } catch (const StoreError& error) {
    doubt("an error of the store", error);
  } catch (const RefusalError&) {
  } catch (const SQLite::Exception& error) {
    doubt("an error of SQLite", error);
  }
  return left_well;
}

void CrashWorld::doubt(const char* what, const std::exception& error) {
  if (!disk.struck()) trouble.push_back(std::string("R10: ") + what + " on a sound disk: " + error.what());
}

void CrashWorld::warn(const PaymentHash& hash, std::string_view message) {
  last_warnings[hash] = message;
  if (disk.dead() || !message.starts_with("paid, but the database could not store it")) return;
  if (!disk.struck()) trouble.push_back("R10: a preimage could not be stored on a sound disk: " + short_name(hash));
  spooled_.insert(hash);
}

void CrashWorld::check_spooled(Process& process) {
  if (disk.struck() || disk.dead()) return;  // a later process tries again
  for (const PaymentHash& hash : spooled_) {
    const HashState state = process.store.find(hash).value();
    const bool deleted_since =
        removed_.contains(hash) && !state.payment && state.guard;  // it was paid, as its guard says
    if (deleted_since || (state.payment && state.payment->status() == PaymentStatus::succeeded)) continue;
    trouble.push_back("R10: a spooled preimage was not taken in: " + short_name(hash));
  }
  spooled_.clear();
}

bool CrashWorld::drive(Process& process, std::int64_t wait_seconds, const std::function<void(Driver&)>& feed) {
  cln::ClnSwitch inner(std::make_unique<MortalTransport>(disk, node.transport()), {}, clock, node, request_ids_);
  WatchedSwitch watched(*this, inner);
  DriverOptions options;
  options.wait_ns = wait_seconds * ns_per_second;
  MutantStore mutant(mutant_, process.store, inner);
  PaymentStore& store = mutant_ == Mutant::none ? static_cast<PaymentStore&>(process.store) : mutant;
  DriverPorts ports{watched, store, process.locks, clock, randomness, *this};
  Driver driver(ports, options);
  feed(driver);
  (void)value_of(driver.run());
  return true;
}

bool CrashWorld::send(const PaymentRequest& request, std::int64_t wait_seconds) {
  return send_all({request}, wait_seconds);
}

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
      for (const PaymentIndex index : value_of(process.store.fetch_in_flight(PaymentIndex{0}, 1'000)))
        driver.adopt(index);
    });
  });
}

bool CrashWorld::cancel(const PaymentHash& hash) {
  return process([&](Process& process) {
    const auto payment = process.store.find(hash).value().payment;
    if (!payment) return;
    const Decision decision = decide(*payment, TimedEvent{clock.wall(), CancelRequested{}});
    if (decision.refusal || decision.writes.empty()) return;
    const PaymentWrites writes{&*payment, decision.writes};
    (void)process.store.commit(std::span(&writes, 1));
  });
}

bool CrashWorld::say(const PaymentHash& hash, const Event& word) {
  return process([&](Process& process) {
    if (!process.locks.try_lock(hash)) return;
    const auto payment = process.store.find(hash).value().payment;
    if (payment) {
      const Decision decision = decide(*payment, TimedEvent{clock.wall(), word});
      const auto kind = std::holds_alternative<OperatorWritesOff>(word) ? db::OperatorDecision::write_off
                                                                        : db::OperatorDecision::assume_failed;
      db::PaymentAdmin words(process.connection, process.write_lock);
      if (!decision.refusal) (void)value_of(words.record_decision(kind, hash, db::Operator{"test", clock.wall()}));
      const PaymentWrites writes{&*payment, decision.writes};
      if (!decision.writes.empty()) (void)process.store.commit(std::span(&writes, 1));
    }
    process.locks.unlock(hash);
  });
}

bool CrashWorld::remove(const PaymentHash& hash) {
  removed_.insert(hash);
  return process([&](Process& process) {
    db::PaymentAdmin words(process.connection, process.write_lock);
    db::DeleteRequest what;
    what.hashes = {hash};
    (void)value_of(words.remove(what, db::Operator{"test", clock.wall()}));
  });
}

bool CrashWorld::remove_all() {
  for (const PaymentRequest& request : requests) removed_.insert(request.hash);
  return process([&](Process& process) {
    db::PaymentAdmin words(process.connection, process.write_lock);
    db::DeleteRequest what;
    what.include_non_failed = true;
    (void)value_of(words.remove(what, db::Operator{"test", clock.wall()}));
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
  if (disk.dead())
    std::ofstream(path + ".spool", std::ios::binary | std::ios::in)
        .write(spool_at_kill_.data(), static_cast<std::streamsize>(spool_at_kill_.size()));
  disk.recover();
}

bool CrashWorld::to_the_end(const std::vector<PaymentRequest>& wanted) {
  constexpr int most_runs = 20;
  for (int run = 0; run < most_runs; ++run) {
    resume(60);
    bool open = false;
    std::vector<PaymentRequest> missing;
    const bool read = process([&](Process& process) {
      // A paid payment has ended, even while resume still asks about a dead attempt of it.
      for (const PaymentIndex index : value_of(process.store.fetch_in_flight(PaymentIndex{0}, 1'000))) {
        const Payment payment = *process.store.load(index).value();
        if (payment.status() != PaymentStatus::in_flight && payment.status() != PaymentStatus::initiated) continue;
        open = true;
        if (run + 1 == most_runs) trouble.push_back("no end: " + short_name(payment.request.hash));
      }
      for (const PaymentRequest& request : wanted) {
        const HashState state = process.store.find(request.hash).value();
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
  trace += std::to_string(clock.mono().value) + " " + short_name(payment.request.hash) + " " +
           std::to_string(static_cast<int>(payment.status())) + " " + std::to_string(payment.attempts.size()) + "\n";
  if (listener) listener(payment);
}

namespace {

/// R2, by the times in the ledger: at no moment do our HTLCs that are locked or settled add up to more than the
/// payment, or their fees to more than the limit.
bool within_demand(const std::vector<sim::OracleEntry>& entries, const RouteDemand& demand) {
  for (const auto& now : entries) {
    std::uint64_t sum = 0;
    std::uint64_t fees = 0;
    for (const auto& entry : entries) {
      const bool stands =
          entry.id <= now.id && (entry.state != sim::OracleState::failed || *entry.resolved > now.created);
      if (entry.foreign || entry.state == sim::OracleState::fenced || (entry.id != now.id && !stands)) continue;
      sum += entry.amount.value();
      fees += entry.amount_sent.value() - entry.amount.value();
    }
    if (!now.foreign && (sum > demand.amount.value() || fees > demand.fee_limit.value())) return false;
  }
  return true;
}

/// True if the attempts of each own round together carry at least the payment's amount. Called for every stored state,
/// so a round that was stored in pieces is found. More is allowed: a part that replaces a failed one counts beside it.
bool whole_rounds(const Payment& payment) {
  std::map<AttemptId, std::uint64_t> rounds;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) rounds[*attempt.id] += attempt.amount.value();
  }
  return std::all_of(rounds.begin(), rounds.end(),
                     [&](const auto& round) { return round.second >= payment.request.demand.amount.value(); });
}

/// True if the entry is an attempt of this payment that has settled.
bool settled_here(const sim::OracleEntry& entry, const Payment& payment) {
  return !entry.foreign && entry.state == sim::OracleState::settled &&
         payment.find(AttemptKey{entry.hash, entry.attempt, entry.part}) != nullptr;
}

/// True if the fee that is called final is the sum over all parts that settled. Where an attempt was closed without
/// proof, nobody knows the fee.
bool fee_is_true(const Payment& payment, const std::vector<sim::OracleEntry>& entries) {
  const bool closed = std::any_of(payment.attempts.begin(), payment.attempts.end(),
                                  [](const Attempt& a) { return a.outcome == AttemptOutcome::closed; });
  const auto told = settlement_of(payment);
  if (closed || !told || told->first->origin != AttemptOrigin::own || !fee_final(payment)) return true;
  std::uint64_t fees = 0;
  for (const auto& entry : entries) {
    if (settled_here(entry, payment)) fees += entry.amount_sent.value() - entry.amount.value();
  }
  return told->fee.value() == fees;
}

/// Another user's HTLC that had been there long before FAILED was stored, and was still there then.
bool stood_long(const sim::OracleEntry& entry, UnixNs ended) {
  constexpr std::int64_t long_before_ns = 60 * ns_per_second;  // FAILED follows from a look that is not older than this
  if (!entry.foreign || entry.created.value > ended.value - long_before_ns) return false;
  return entry.state == sim::OracleState::settled || !entry.resolved || *entry.resolved > ended;
}

}  // namespace

bool CrashWorld::still_shown(const AttemptKey& key) {
  bool shown = false;
  ledger.read([&](sim::LedgerTx& tx) {
    for (const sim::Row& row : tx.rows_of(key.hash)) shown |= row.key == key;
  });
  return shown;
}

const PaymentRequest& CrashWorld::request_of(const PaymentHash& hash) const {
  return *std::find_if(requests.begin(), requests.end(),
                       [&](const PaymentRequest& request) { return request.hash == hash; });
}

bool CrashWorld::judge_hash(Process& process, const PaymentHash& hash, std::vector<std::string>& broken) {
  const HashState state = process.store.find(hash).value();
  const auto say = [&](const std::string& what) { broken.push_back(what + " (" + short_name(hash) + ")"); };
  const auto& known = state.knowledge.known;
  const auto entries = oracle(hash);
  bool settled = false;
  bool ours_settled = false;
  bool ours_live = false;
  bool theirs_settled = false;
  bool under_way = false;
  std::uint64_t received = 0;
  for (const auto& entry : entries) {
    if (entry.state == sim::OracleState::fenced) continue;
    settled |= entry.state == sim::OracleState::settled;
    under_way |= entry.state == sim::OracleState::held;
    theirs_settled |= entry.foreign && entry.state == sim::OracleState::settled;
    if (entry.foreign) continue;
    ours_live |= alive(entry);
    ours_settled |= entry.state == sim::OracleState::settled;
    received += entry.state == sim::OracleState::settled ? entry.amount.value() : 0;
    const bool recorded =
        removed_.contains(hash) ||
        std::find(known.begin(), known.end(), AttemptKey{hash, entry.attempt, entry.part}) != known.end();
    if (!recorded) say("R1: an HTLC of ours has no attempt in the database");
  }
  const RouteDemand& demand = request_of(hash).demand;
  if (!within_demand(entries, demand)) say("R2: HTLCs of ours that settled or are locked come to too much");
  if (received != 0 && received != demand.amount.value() && !under_way && !theirs_settled)
    say("R2: the payee has a part of the payment for good");
  const auto told = told_.find(hash);
  const bool told_paid = told != told_.end() && told->second == PaymentStatus::succeeded;
  if (!state.payment) {
    if (told != told_.end() && !removed_.contains(hash)) say("R1: what was told is forgotten");
    if ((ours_settled || told_paid) && !state.guard) say("R13: a paid hash is payable again");
    return !under_way;
  }
  const PaymentStatus now = state.payment->status();
  if (now == PaymentStatus::succeeded && !settled) say("R7: SUCCEEDED and nothing settled");
  if (now == PaymentStatus::succeeded && !proves(*state.payment->proof(), hash)) say("R7: SUCCEEDED without proof");
  if (!whole_rounds(*state.payment)) say("R1: a round is stored in pieces");
  if (!fee_is_true(*state.payment, entries)) say("R8: the fee that was called final is not what the parts cost");
  if (now == PaymentStatus::failed) {
    if (ours_live) say("R9: FAILED while an HTLC of ours is locked or settled");
    const UnixNs ended = state.payment->ended.value_or(clock.wall());
    // If the node has forgotten another user's complete record, nobody can see that it was paid.
    const bool theirs = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
      return stood_long(entry, ended) && still_shown(AttemptKey{hash, entry.attempt, entry.part});
    });
    if (theirs) say("R9: FAILED while somebody's HTLC is locked or settled");
  }
  if (told_paid && now != PaymentStatus::succeeded) say("R8: SUCCEEDED was told and is gone");
  return state.payment->ended_for_good() && !state.payment->has_open_attempt() && !under_way;
}

std::vector<std::string> CrashWorld::judge() {
  std::vector<PaymentHash> all;
  for (const PaymentRequest& request : requests) all.push_back(request.hash);
  return judge(all, true);
}

std::vector<std::string> CrashWorld::judge(std::vector<PaymentHash>& hashes, bool whole) {
  // The next process takes in what was spooled.
  if (!spooled_.empty()) (void)process([](Process&) {});
  std::vector<std::string> broken = trouble;
  node.turn();  // the node reads what a dead client had written
  admin.advance();
  try {
    Process process(path);
    const std::string sound =
        whole ? process.connection.database().execAndGet("PRAGMA integrity_check").getString() : "ok";
    if (sound != "ok") broken.push_back("integrity_check: " + sound);
    std::erase_if(hashes, [&](const PaymentHash& hash) { return judge_hash(process, hash, broken); });
  } catch (const std::exception& error) {
    broken.push_back(std::string("the database cannot be read: ") + error.what());
  }
  return broken;
}

PaymentStatus CrashWorld::status(const PaymentHash& hash) {
  Process process(path);
  const HashState state = process.store.find(hash).value();
  return state.payment ? state.payment->status() : PaymentStatus::initiated;
}

}  // namespace paytower::test
