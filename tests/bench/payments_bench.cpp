// What a payment costs, beside what the disk and SQLite allow, in one run: absolute times do not hold on shared machines, ratios do.
//
//   paytower_bench [FOLDER [PART]]   FOLDER is on the file system to be measured (default: a new one in $TMPDIR);
//                                    PART is floor, store, lnd, driver, memory or file (default: all)
//
// Prints one table: the floor, our figure, and the ratio. There are two floors, a bare row and rows that can be found again; for
// part lnd the floor is the same lifecycle in lnd's SQL schema.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "core/driver.h"
#include "core/hash.h"
#include "core/lifecycle.h"
#include "core/switch/sim/memory_ledger.h"
#include "core/switch/sim/network.h"
#include "core/switch/sim/sim_admin.h"
#include "core/switch/sim/sim_switch.h"
#include "core/bolt11/invoice.h"
#include "db/connection.h"
#include "db/locks.h"
#include "db/payment_store.h"
#include "db/sim_ledger.h"
#include "tests/bench/lnd_shape.h"

using namespace paytower;

namespace {
std::uint64_t syncs_so_far = 0;
}  // namespace

/// In place of the C library's, for SQLite too: it counts.
extern "C" int fdatasync(int descriptor) {
  ++syncs_so_far;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace {

using Stopwatch = std::chrono::steady_clock;

double seconds_since(Stopwatch::time_point start) { return std::chrono::duration<double>(Stopwatch::now() - start).count(); }

/// CPU of this process so far, user and system: tells more than the clock where the machine is shared.
double cpu_seconds() {
  rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// What one measurement gave.
struct Measured {
  double rate = 0;               ///< payments a second
  double cpu_us = 0;             ///< CPU a payment, in microseconds
};

Measured measure(std::size_t payments, const std::function<void()>& work) {
  const double cpu = cpu_seconds();
  const auto start = Stopwatch::now();
  work();
  const double count = static_cast<double>(payments);
  return {count / seconds_since(start), 1e6 * (cpu_seconds() - cpu) / count};
}

std::string folder;

std::string fresh_file(const std::string& name) {
  const std::string path = folder + "/" + name;
  for (const char* ending : {"", "-wal", "-shm", ".lock", ".spool"}) std::filesystem::remove(path + ending);
  return path;
}

/// Bytes that this process has given to the kernel to write.
std::uint64_t written_so_far() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  while (io >> name >> value) {
    if (name == "wchar:") return value;
  }
  return 0;
}

/// What was done to the disk since this was made.
class DiskUse {
 public:
  [[nodiscard]] std::string text(std::size_t payments) const {
    const double count = static_cast<double>(payments);
    return fmt::format("{:.3f} syncs, {:.0f} bytes written a payment", static_cast<double>(syncs_so_far - syncs_) / count,
                       static_cast<double>(written_so_far() - written_) / count);
  }

 private:
  std::uint64_t syncs_ = syncs_so_far;
  std::uint64_t written_ = written_so_far();
};

// --- the table -------------------------------------------------------------------------------------------------------

void print(const std::string& what, const Measured& ours, const std::optional<Measured>& floor, const std::string& note = {}) {
  fmt::print("{:<64} {:>8.0f}/s {:>6.1f} us", what, ours.rate, ours.cpu_us);
  if (floor) {
    fmt::print(" {:>8.0f}/s {:>6.1f} us {:>5.2f}", floor->rate, floor->cpu_us, ours.rate / floor->rate);
  } else {
    fmt::print(" {:>10} {:>9} {:>5}", "", "", "");
  }
  fmt::print("  {}\n", note);
  std::fflush(stdout);
}

// --- floors ----------------------------------------------------------------------------------------------------------

Measured disk_syncs(std::size_t count) {
  const std::string path = fresh_file("raw");
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string page(4'096, 'x');
  if (file < 0 || ::pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size())) std::abort();
  const Measured measured = measure(count, [&] {
    for (std::size_t i = 0; i < count; ++i) {
      if (::pwrite(file, page.data(), page.size(), 0) < 0 || ::fdatasync(file) != 0) std::abort();
    }
  });
  ::close(file);
  return measured;
}

/// What a payment is stored with: `init` in its first commit, `settle` in its second. ?1 is its number, and random bytes are the rest.
struct Floor {
  const char* schema;
  std::vector<const char*> init;
  std::vector<const char*> settle;
};

/// One row of 900 bytes inserted, then changed. No constraint, no index but the key: what SQLite gives at best.
const Floor bare_floor{"CREATE TABLE p (id INTEGER PRIMARY KEY, body BLOB, proof BLOB)",
                       {"INSERT INTO p (id, body) VALUES (?1, randomblob(900))"},
                       {"UPDATE p SET proof = randomblob(32) WHERE id = ?1"}};

/// A payment and its attempt, found again by hash, by time, by id and while they are open: what any store of payments that
/// can be listed and resumed must have. No check, no trigger, no foreign key, no lock but SQLite's.
const Floor rows_floor{R"(
  CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB, created INTEGER, request BLOB, proof BLOB, ended INTEGER);
  CREATE UNIQUE INDEX p_hash ON p (hash);
  CREATE INDEX p_created ON p (created);
  CREATE INDEX p_open ON p (id) WHERE ended IS NULL;
  CREATE TABLE a (id INTEGER PRIMARY KEY, payment INTEGER, attempt INTEGER, route BLOB, proof BLOB, ended INTEGER);
  CREATE INDEX a_payment ON a (payment);
  CREATE UNIQUE INDEX a_attempt ON a (attempt);
  CREATE UNIQUE INDEX a_open ON a (payment) WHERE ended IS NULL)",
                       {"INSERT INTO p (id, hash, created, request) VALUES (?1, randomblob(32), ?1, randomblob(400))",
                        "INSERT INTO a (payment, attempt, route) VALUES (?1, ?1, randomblob(190))"},
                       {"UPDATE a SET proof = randomblob(32), ended = ?1 WHERE attempt = ?1",
                        "UPDATE p SET proof = randomblob(32), ended = ?1 WHERE id = ?1"}};

/// Two commits of a payment, `together` payments a commit.
Measured two_commits(const Floor& floor, std::size_t together, std::size_t payments) {
  SQLite::Database database(fresh_file("floor.db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(floor.schema);
  const auto prepared = [&database](const std::vector<const char*>& texts) {
    std::deque<SQLite::Statement> statements;
    for (const char* text : texts) statements.emplace_back(database, text);
    return statements;
  };
  auto init = prepared(floor.init);
  auto settle = prepared(floor.settle);
  const auto run = [&](std::deque<SQLite::Statement>& statements, std::size_t first) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    for (std::size_t i = 0; i < together; ++i) {
      for (SQLite::Statement& statement : statements) {
        statement.bind(1, static_cast<std::int64_t>(1 + first + i));
        statement.exec();
        statement.reset();
      }
    }
    transaction.commit();
  };
  return measure(payments, [&] {
    for (std::size_t done = 0; done < payments; done += together) {
      run(init, done);
      run(settle, done);
    }
  });
}

void print_beside_floors(const std::string& what, const Measured& ours, std::size_t together, std::size_t payments, const std::string& note) {
  print(what, ours, two_commits(bare_floor, together, payments), note);
  print("  beside two commits of rows that can be found again", ours, two_commits(rows_floor, together, payments));
}

// --- payments to be made ---------------------------------------------------------------------------------------------

Preimage preimage_of(std::uint64_t number) {
  std::array<std::uint8_t, 8> seed{};
  for (std::uint8_t& byte : seed) {
    byte = static_cast<std::uint8_t>(number);
    number >>= 8;
  }
  return Preimage{sha256(seed).bytes};
}

PublicKey key_of(std::uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  key.bytes[0] = 2;
  return key;
}

Route three_hops() {
  Route route;
  route.hops.push_back(Hop{ShortChannelId{880'000'000'000'001}, 0, key_of(1), Msat::of(251'000), 60});
  route.hops.push_back(Hop{ShortChannelId{880'000'000'000'002}, 1, key_of(2), Msat::of(250'500), 40});
  route.hops.push_back(Hop{ShortChannelId{880'000'000'000'003}, 0, key_of(3), Msat::of(250'000), 18});
  return route;
}

UnixNs wall_now() {
  return UnixNs{std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

/// A payment of a BOLT 11 invoice of about 300 bytes.
PaymentRequest request_of(std::uint64_t number) {
  PaymentRequest request;
  request.hash = hash_of(preimage_of(number));
  request.demand.destination = key_of(3);
  request.demand.amount = Msat::of(250'000);
  request.demand.fee_limit = Msat::of(5'000);
  request.demand.cltv_limit = 2'016;
  request.demand.final_cltv_delta = 18;
  request.payment_secret = PaymentSecret{preimage_of(number + (1ULL << 40)).bytes};
  request.created = wall_now();
  request.deadline = UnixNs{request.created.value + 3'600 * ns_per_second};
  request.invoice = "lnbcrt2500n1" + std::string(282, 'q') + std::to_string(number % 1'000'000);
  request.network = "regtest";
  return request;
}

struct Opened {
  explicit Opened(const std::string& path)
      : connection(path, db::OpenMode::create, db::payment_file()),
        lock(connection.real_path(), db::default_lock_timeout_ns),
        locks(connection.real_path()),
        store(connection, lock) {}
  db::Connection connection;
  db::WriteLock lock;
  db::FilePaymentLocks locks;
  db::SqlitePaymentStore store;
};

/// Tells how long the store took.
class TimedStore final : public PaymentStore {
 public:
  explicit TimedStore(PaymentStore& inner) : inner_(inner) {}
  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override {
    const auto start = Stopwatch::now();
    auto stored = inner_.commit(tick);
    seconds += seconds_since(start);
    return stored;
  }
  HashState find(const PaymentHash& hash) override {
    const auto start = Stopwatch::now();
    auto state = inner_.find(hash);
    find_seconds += seconds_since(start);
    return state;
  }
  std::optional<Payment> load(PaymentIndex index) override { return inner_.load(index); }
  std::vector<PaymentIndex> fetch_in_flight(PaymentIndex after, std::size_t limit) override { return inner_.fetch_in_flight(after, limit); }
  std::vector<RecentFailure> recent_failures(UnixNs since) override { return inner_.recent_failures(since); }
  std::uint64_t change_counter() override { return inner_.change_counter(); }
  void spool(const PaymentHash& hash, AttemptId id, const Preimage& preimage) noexcept override { inner_.spool(hash, id, preimage); }

  double seconds = 0;
  double find_seconds = 0;

 private:
  PaymentStore& inner_;
};

// --- the store alone -------------------------------------------------------------------------------------------------

int count_statement(unsigned, void* counter, void*, void*) {
  ++*static_cast<std::uint64_t*>(counter);
  return 0;
}

Measured store_alone(std::size_t together, std::size_t payments) {
  const std::string path = fresh_file("store.db");
  std::uint64_t statements = 0;
  Measured measured;
  std::string disk;
  {
    Opened opened(path);
    sqlite3_trace_v2(opened.connection.database().getHandle(), SQLITE_TRACE_STMT, count_statement, &statements);
    std::vector<Payment> batch(together);
    std::vector<std::vector<Write>> writes(together);
    std::vector<PaymentWrites> tick(together);
    const SwitchKey node{key_of(9), "regtest"};
    const auto commit = [&] {
      for (std::size_t i = 0; i < together; ++i) tick[i] = PaymentWrites{&batch[i], writes[i]};
      const auto stored = opened.store.commit(tick);
      for (std::size_t i = 0; i < together; ++i) {
        if (!stored[i]) std::abort();
        batch[i].index = stored[i]->index;
        for (const Write& write : writes[i]) apply(batch[i], write);
      }
    };
    const DiskUse use;
    measured = measure(payments, [&] {
      for (std::size_t done = 0; done < payments; done += together) {
        for (std::size_t i = 0; i < together; ++i) {
          batch[i] = Payment{};
          batch[i].request = request_of(done + i + 1);
          Attempt attempt;
          attempt.id = AttemptId{(std::uint64_t{1} << 50) + done + i};
          attempt.switch_key = node;
          attempt.marks = Marks{10, 11, 0, 12};
          attempt.route = three_hops();
          attempt.amount = attempt.route.delivered();
          attempt.fee = attempt.route.fees();
          attempt.registered = batch[i].request.created;
          writes[i] = {InitPayment{}, RegisterAttempt{attempt}};
        }
        commit();
        for (std::size_t i = 0; i < together; ++i) {
          const Preimage proof = preimage_of(done + i + 1);
          const UnixNs now = wall_now();
          writes[i] = {SettleAttempt{*batch[i].attempts[0].id, proof, now}, Succeed{proof, now}};
        }
        commit();
      }
    });
    opened.store.checkpoint_if_due();
    disk = use.text(payments);
  }
  struct stat file {};
  ::stat(path.c_str(), &file);
  print_beside_floors(fmt::format("store: InitPayment + RegisterAttempt + Settle, {} at once", together), measured, together, payments,
                      fmt::format("{:.1f} statements, {}, {} on disk", static_cast<double>(statements) / static_cast<double>(payments), disk,
                                  static_cast<std::size_t>(file.st_size) / payments));
  return measured;
}

/// Ours beside the same lifecycle in lnd's own SQL schema, on the same SQLite.
void beside_lnd(std::size_t together, std::size_t payments, const Measured& ours) {
  const std::string path = fresh_file("lnd.db");
  const DiskUse use;
  const Measured theirs = measure(payments, [&] { bench::store_in_lnd_shape(path, together, payments); });
  const std::string disk = use.text(payments);
  print(fmt::format("store beside lnd's SQL schema, three commits, {} at once", together), ours, theirs,
        fmt::format("theirs: {}, {} on disk", disk, std::filesystem::file_size(path) / payments));
}

// --- the driver with a switch in memory ------------------------------------------------------------------------------

class RealClock final : public Clock {
 public:
  UnixNs wall() override { return wall_now(); }
  MonoNs mono() override {
    return MonoNs{std::chrono::duration_cast<std::chrono::nanoseconds>(Stopwatch::now().time_since_epoch()).count()};
  }
  void sleep_until(MonoNs) override {}
  int stop_signal() override { return 0; }
};

class FastRandomness final : public Randomness {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL, state_ >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

/// Settles everything at once: what is measured is everything else.
class InstantSwitch final : public Switch {
 public:
  explicit InstantSwitch(const std::map<PaymentHash, Preimage>& proofs) : proofs_(proofs) {}
  void identify() override { events_.push_back(IdentityAnswer{SwitchKey{key_of(9), "regtest"}, 100}); }
  void look(const PaymentHash& hash, const std::optional<Marks>&) override {
    LookResult look;
    look.hash = hash;
    look.now = Marks{10, 10, 0, 10};
    look.htlcs.emplace();
    look.debits.emplace();
    events_.push_back(LookAnswer{std::move(look)});
  }
  void ask_route(const RouteQuestion& question) override { events_.push_back(RouteAnswer{question.ticket, route_, FailureReason::no_route}); }
  void dispatch(const Handover& handover) override { events_.push_back(DispatchAnswer{handover.key, DispatchAnswer::Kind::accepted, {}}); }
  void query(const AttemptKey& key) override {
    events_.push_back(QueryAnswer{key, QueryAnswer::Kind::settled, proofs_.at(key.hash), {}});
  }
  void fence(const Handover&) override {}
  void list_own(const StoreId&) override {}
  std::vector<SwitchEvent> poll(MonoNs) override { return std::exchange(events_, {}); }

 private:
  const std::map<PaymentHash, Preimage>& proofs_;
  Route route_ = three_hops();
  std::vector<SwitchEvent> events_;
};

/// Payments from a list, results counted.
class ListFeed final : public DriveFeed {
 public:
  explicit ListFeed(std::vector<PaymentRequest> requests) : requests_(std::move(requests)) {}
  std::optional<Submission> next() override {
    if (taken_ == requests_.size()) return std::nullopt;
    return Submission{std::move(requests_[taken_++])};
  }
  bool over() const override { return taken_ == requests_.size(); }
  void ended(DriveResult result) override {
    if (!result.payment || result.payment->status() != PaymentStatus::succeeded) {
      fmt::print(stderr, "a payment was not paid: {}\n", result.error ? result.error->message : "?");
      std::exit(1);
    }
    ++paid;
  }
  std::size_t paid = 0;

 private:
  std::vector<PaymentRequest> requests_;
  std::size_t taken_ = 0;
};

Measured drive(Switch& node, PaymentStore& store, PaymentLocks& locks, std::size_t together, std::vector<PaymentRequest> requests) {
  RealClock clock;
  FastRandomness randomness;
  Observer observer;
  DriverOptions options;
  options.max_parallel = together;
  const std::size_t payments = requests.size();
  ListFeed feed(std::move(requests));
  Driver driver(DriverPorts{node, store, locks, clock, randomness, observer}, options);
  const Measured measured = measure(payments, [&] { driver.run(feed); });
  if (feed.paid != payments) std::abort();
  return measured;
}

void driver_alone(std::size_t together, std::size_t payments) {
  std::map<PaymentHash, Preimage> proofs;
  std::vector<PaymentRequest> requests;
  for (std::uint64_t number = 1; number <= payments; ++number) {
    requests.push_back(request_of(number));
    proofs[requests.back().hash] = preimage_of(number);
  }
  Opened opened(fresh_file("driver.db"));
  TimedStore timed(opened.store);
  InstantSwitch node(proofs);
  const DiskUse use;
  const Measured measured = drive(node, timed, opened.locks, together, std::move(requests));
  const double count = static_cast<double>(payments);
  print_beside_floors(fmt::format("lifecycle: driver, store and a switch in memory, {} at once", together), measured, together, payments,
                      fmt::format("{}; writing {:.0f} %, reading {:.0f} % of the time", use.text(payments),
                                  100 * timed.seconds * measured.rate / count, 100 * timed.find_seconds * measured.rate / count));
}

// --- the simulated network -------------------------------------------------------------------------------------------

std::vector<PaymentRequest> network_invoices(sim::Ledger& ledger, std::size_t payments) {
  RealClock clock;
  sim::SimAdmin admin(ledger, clock);
  sim::NetworkParams params;
  params.seed = 1;
  if (!admin.create_network(params)) std::abort();
  std::vector<PaymentRequest> requests;
  for (std::size_t i = 0; i < payments; ++i) {
    sim::InvoiceParams wanted;
    wanted.amount = Msat::of(1'000);
    wanted.description = "benchmark";
    const auto made = admin.make_invoice(wanted);
    if (!made) std::abort();
    const auto invoice = decode_invoice(made->text);
    PaymentRequest request;
    request.hash = invoice->payment_hash;
    request.demand.destination = invoice->payee;
    request.demand.amount = *invoice->amount;
    request.demand.fee_limit = Msat::of(5'000);
    request.demand.cltv_limit = 2'016;
    request.payment_secret = invoice->payment_secret;
    request.invoice = made->text;
    request.network = "regtest";
    request.created = wall_now();
    request.deadline = UnixNs{request.created.value + 3'600 * ns_per_second};
    requests.push_back(std::move(request));
  }
  return requests;
}

void simulated(const std::string& what, sim::Ledger& ledger, std::size_t together, std::size_t payments) {
  auto requests = network_invoices(ledger, payments);
  Opened opened(fresh_file("sim_payments.db"));
  RealClock clock;
  sim::SimSwitch node(ledger, clock);
  const DiskUse use;
  const Measured measured = drive(node, opened.store, opened.locks, together, std::move(requests));
  print(fmt::format("simulated network, ledger {}, {} at once", what, together), measured, std::nullopt,
      use.text(payments));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string only = argc > 2 ? argv[2] : "";
  const auto wanted = [&only](const char* part) { return only.empty() || only == part; };
  std::string made;
  if (argc > 1) {
    folder = argv[1];
  } else {
    const char* base = std::getenv("TMPDIR");
    made = std::string(base != nullptr ? base : "/tmp") + "/paytower-bench-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) return 1;
    folder = made;
  }
  // SQLite is tuned by whoever uses it first: that is us, as in the program.
  { const Opened first(fresh_file("first.db")); }
  fmt::print("{:<64} {:>10} {:>9} {:>10} {:>9} {:>5}\n", "", "paytower", "CPU each", "floor", "CPU each", "ratio");
  if (wanted("floor")) {
    print("disk: overwrite 4 KiB and fdatasync", disk_syncs(3'000), std::nullopt);
    print("SQLite: one payment in two commits, a bare row", two_commits(bare_floor, 1, 2'000), std::nullopt);
    print("SQLite: one payment in two commits, rows that can be found again", two_commits(rows_floor, 1, 2'000), std::nullopt);
  }
  for (const std::size_t together : {1U, 10U, 100U, 1'000U}) {
    if (!wanted("store") && !wanted("lnd")) continue;
    const std::size_t payments = together == 1 ? 2'000 : 20'000;
    const Measured ours = store_alone(together, payments);
    if (wanted("lnd")) beside_lnd(together, payments, ours);
  }
  for (const std::size_t together : {1U, 10U, 100U, 1'000U}) {
    if (wanted("driver")) driver_alone(together, together == 1 ? 2'000 : 20'000);
  }
  if (wanted("memory")) {
    sim::MemoryLedger ledger;
    simulated("in memory", ledger, 1'000, 20'000);
  }
  if (wanted("file")) {
    const auto ledger = db::create_sim_ledger(fresh_file("network.sim"));
    simulated("in its file", *ledger, 1'000, 20'000);
  }
  if (!made.empty()) std::filesystem::remove_all(made);
  return 0;
}
