// What a payment costs, compared in one run with what the disk and SQLite allow. The measuring is Google Benchmark's,
// and so are the flags (--benchmark_filter=lifecycle/, --benchmark_repetitions=9, --benchmark_out=FILE); the table of
// ratios is ours.
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "core/driver/driver.h"
#include "core/payment/lifecycle.h"
#include "core/sim/network.h"
#include "core/sim/node/pipe.h"
#include "core/switch/cln/switch.h"
#include "db/sim/ledger.h"
#include "tests/bench/counters.h"
#include "tests/bench/floors.h"
#include "tests/bench/lnd_shape.h"
#include "tests/bench/ratio_table.h"
#include "tests/support/invoices.h"
#include "tests/support/lists.h"
#include "tests/support/made_payment.h"
#include "tests/support/opened.h"

using namespace paytower;
using namespace paytower::bench;
using namespace paytower::test;

namespace {

using Stopwatch = std::chrono::steady_clock;

double seconds_since(Stopwatch::time_point start) {
  return std::chrono::duration<double>(Stopwatch::now() - start).count();
}

// --- payments to be made ---

UnixNs wall_now() {
  return UnixNs{
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count()};
}

PaymentRequest request_of(std::uint64_t number) { return invoiced(wall_now(), number, 3'600); }

/// Measures how long the store took.
class TimedStore final : public PassingStore {
 public:
  using PassingStore::PassingStore;
  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override {
    const auto start = Stopwatch::now();
    auto stored = PassingStore::commit(tick);
    seconds += seconds_since(start);
    return stored;
  }
  Result<HashState> find(const PaymentHash& hash) override {
    const auto start = Stopwatch::now();
    auto state = PassingStore::find(hash);
    find_seconds += seconds_since(start);
    return state;
  }

  double seconds = 0;
  double find_seconds = 0;
};

// --- the store alone ---

int count_statement(unsigned, void* counter, void*, void*) {
  ++*static_cast<std::uint64_t*>(counter);
  return 0;
}

/// InitPayment + RegisterAttempt in one commit, Settle in another. One iteration stores `together` payments, each in
/// `parts` parts.
class StoreAlone {
 public:
  StoreAlone(const std::string& path, std::size_t together, std::uint32_t parts)
      : parts_(parts), opened_(path), batch_(together), writes_(together), tick_(together) {
    sqlite3_trace_v2(opened_.connection.database().getHandle(), SQLITE_TRACE_STMT, count_statement, &statements_);
  }

  void pay() {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      batch_[i] = Payment{};
      batch_[i].request = request_of(paid_ + i + 1);
      batch_[i].request.max_parts = parts_;
      writes_[i] = {InitPayment{}};
      for (std::uint32_t number = 0; number < parts_; ++number) {
        writes_[i].push_back(RegisterAttempt{part_of(batch_[i], paid_ + i, number)});
      }
    }
    commit();
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const Preimage proof = preimage_of(paid_ + i + 1);
      const UnixNs now = wall_now();
      writes_[i].clear();
      for (const Attempt& attempt : batch_[i].attempts)
        writes_[i].push_back(SettleAttempt{batch_[i].key(attempt), proof, now});
      writes_[i].push_back(Succeed{proof, now});
    }
    commit();
    paid_ += batch_.size();
  }

  void finish() { opened_.store.checkpoint_if_due(); }
  [[nodiscard]] double statements_each() const { return static_cast<double>(statements_) / static_cast<double>(paid_); }

 private:
  void commit() {
    for (std::size_t i = 0; i < batch_.size(); ++i) tick_[i] = PaymentWrites{&batch_[i], writes_[i]};
    const auto stored = opened_.store.commit(tick_);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      if (!stored[i]) std::abort();
      batch_[i].index = stored[i]->index;
      for (const Write& write : writes_[i]) apply(batch_[i], write);
    }
  }

  /// A payment in one piece has part number 0.
  [[nodiscard]] Attempt part_of(const Payment& payment, std::uint64_t number, std::uint32_t part) const {
    Attempt attempt;
    attempt.id = AttemptId{(std::uint64_t{1} << 50) + number};
    attempt.part = parts_ == 1 ? 0 : part + 1;
    attempt.switch_key = node_;
    attempt.marks = cln::marks_of({10, 11, 0, 12});
    attempt.route = route_of(880'000'000'000'001);
    attempt.amount = Msat::of(payment.request.demand.amount.value() / parts_);
    attempt.fee = attempt.route.fees();
    attempt.registered = payment.request.created;
    return attempt;
  }

  const std::uint32_t parts_;
  std::uint64_t statements_ = 0;
  std::uint64_t paid_ = 0;
  const SwitchKey node_{key_of(9), "regtest"};
  Opened opened_;
  std::vector<Payment> batch_;
  std::vector<std::vector<Write>> writes_;
  std::vector<PaymentWrites> tick_;
};

double bytes_on_disk(const std::string& path, std::size_t payments) {
  return static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(payments);
}

void store_alone(benchmark::State& state, const std::string& path, std::size_t together, std::size_t payments,
                 std::uint32_t parts) {
  {
    StoreAlone store(path, together, parts);
    const Counters counters;
    for (auto _ : state) store.pay();
    store.finish();
    counters.count(state, payments);
    state.counters["statements"] = store.statements_each();
  }
  state.counters["bytes on disk"] = bytes_on_disk(path, payments);
}

/// The same lifecycle in lnd's own SQL schema, on the same SQLite.
void in_lnd_shape(benchmark::State& state, const std::string& path, std::size_t together, std::size_t payments) {
  const Counters counters;
  for (auto _ : state) store_in_lnd_shape(path, together, payments);
  counters.count(state, payments);
  state.counters["bytes on disk"] = bytes_on_disk(path, payments);
}

// --- the driver with a switch in memory ---

class RealClock final : public Clock {
 public:
  UnixNs wall() override { return wall_now(); }
  MonoNs mono() override {
    return MonoNs{std::chrono::duration_cast<std::chrono::nanoseconds>(Stopwatch::now().time_since_epoch()).count()};
  }
  void sleep_until(MonoNs until) override {
    std::this_thread::sleep_until(Stopwatch::time_point(std::chrono::nanoseconds(until.value)));
  }
  int stop_signal() override { return 0; }
};

class FastRandomness final : public Randomness {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out)
      byte = static_cast<std::uint8_t>(state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL, state_ >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

/// Settles everything at once, so that only the rest is measured.
class InstantSwitch final : public Switch {
 public:
  explicit InstantSwitch(const std::map<PaymentHash, Preimage>& proofs) : proofs_(proofs) {}
  void identify() override { events_.push_back(IdentityAnswer{SwitchKey{key_of(9), "regtest"}}); }
  void look(const PaymentHash& hash, std::span<const Marks>) override {
    cln::NodeLists look;
    look.hash = hash;
    look.now = cln::Counters{10, 10, 0, 10};
    look.htlcs.emplace();
    look.debits.emplace();
    events_.push_back(test::answer_of(std::move(look)));
  }
  void ask_route(const RouteQuestion& question) override {
    events_.push_back(routes_answer(question.ticket, {route_}));
  }
  void dispatch(const Handover& handover) override {
    events_.push_back(DispatchAnswer{handover.key, DispatchAnswer::Kind::accepted, {}});
  }
  void query(const AttemptKey& key) override {
    events_.push_back(QueryAnswer{key, QueryAnswer::Kind::settled, proofs_.at(key.hash), {}});
  }
  void fence(const Handover&) override {}
  void release(const PaymentHash&, const StoreId&) override {}
  std::optional<HandoverTerms> terms() const override { return std::nullopt; }
  std::uint32_t base_height() const override { return 0; }
  void list_own(const StoreId&) override {}
  void newest_own(const StoreTrace&) override { events_.push_back(NewestOwnAnswer{}); }
  std::vector<SwitchEvent> poll(MonoNs) override { return std::exchange(events_, {}); }

 private:
  const std::map<PaymentHash, Preimage>& proofs_;
  Route route_ = route_of(880'000'000'000'001);
  std::vector<SwitchEvent> events_;
};

/// Gives payments from a list, and counts the results.
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

/// Pays all of `requests` in one iteration, `together` of them at the same time.
void drive(benchmark::State& state, Switch& node, PaymentStore& store, PaymentLocks& locks, std::size_t together,
           std::vector<PaymentRequest> requests) {
  RealClock clock;
  FastRandomness randomness;
  Observer observer;
  DriverOptions options;
  options.max_parallel = together;
  const std::size_t payments = requests.size();
  ListFeed feed(std::move(requests));
  Driver driver(DriverPorts{node, store, locks, clock, randomness, observer}, options);
  const Counters counters;
  for (auto _ : state) (void)driver.run(feed);
  counters.count(state, payments);
  if (feed.paid != payments) std::abort();
}

void lifecycle(benchmark::State& state, const std::string& path, std::size_t together, std::size_t payments) {
  std::map<PaymentHash, Preimage> proofs;
  std::vector<PaymentRequest> requests;
  for (std::uint64_t number = 1; number <= payments; ++number) {
    requests.push_back(request_of(number));
    proofs[requests.back().hash] = preimage_of(number);
  }
  Opened opened(path);
  TimedStore timed(opened.store);
  InstantSwitch node(proofs);
  const auto start = Stopwatch::now();
  drive(state, node, timed, opened.locks, together, std::move(requests));
  const double all = seconds_since(start);
  state.counters["% of it writing"] = 100 * timed.seconds / all;
  state.counters["% reading"] = 100 * timed.find_seconds / all;
}

// --- the simulated network ---

std::vector<PaymentRequest> network_invoices(sim::Ledger& ledger, std::size_t payments) {
  RealClock clock;
  sim::TestAdmin admin(ledger, clock);
  sim::NetworkParams params;
  params.seed = 1;
  if (!admin.create_network(params)) std::abort();
  std::vector<PaymentRequest> requests;
  for (std::size_t i = 0; i < payments; ++i) {
    sim::InvoiceParams wanted;
    wanted.amount = Msat::of(1'000);
    wanted.description = "benchmark";
    PaymentRequest request = invoice_request(admin, std::move(wanted), wall_now(), 3'600);
    request.demand.fee_limit = Msat::of(5'000);
    request.demand.cltv_limit = 2'016;
    requests.push_back(std::move(request));
  }
  return requests;
}

void simulated(benchmark::State& state, sim::Ledger& ledger, const std::string& path, std::size_t together,
               std::size_t payments) {
  auto requests = network_invoices(ledger, payments);
  Opened opened(path);
  RealClock clock;
  FastRandomness request_ids;
  sim::PipeNode pipe(ledger, clock, "the simulated network");
  cln::ClnSwitch node(pipe.transport(), {}, clock, pipe, request_ids);
  drive(state, node, opened.store, opened.locks, together, std::move(requests));
}

// --- all of them ---

void register_all(RatioTable& table, const Folder& folder) {
  const auto new_file = [&folder] { return folder.fresh("payments.db"); };
  table.measure("disk", 3'000, 3'000, [=](benchmark::State& state) { overwrite_and_sync(state, new_file()); });
  table.line("disk: overwrite 4 KiB and fdatasync", "disk");
  for (const std::size_t together : {1U, 10U, 100U, 1'000U}) {
    const std::size_t payments = together == 1 ? 2'000 : 20'000;
    const std::size_t commits = payments / together;
    const auto named = [together](const char* name) { return fmt::format("{}/{}", name, together); };
    table.measure(named("store"), commits, payments,
                  [=](benchmark::State& state) { store_alone(state, new_file(), together, payments, 1); });
    table.measure(named("store_in_4_parts"), commits, payments,
                  [=](benchmark::State& state) { store_alone(state, new_file(), together, payments, 4); });
    table.measure(named("bare_row"), commits, payments,
                  [=](benchmark::State& state) { two_commits(state, bare_floor, new_file(), together); });
    table.measure(named("rows_found_again"), commits, payments,
                  [=](benchmark::State& state) { two_commits(state, rows_floor, new_file(), together); });
    table.measure(named("lnd"), 1, payments,
                  [=](benchmark::State& state) { in_lnd_shape(state, new_file(), together, payments); });
    table.measure(named("lifecycle"), 1, payments,
                  [=](benchmark::State& state) { lifecycle(state, new_file(), together, payments); });
    table.line(fmt::format("store: InitPayment + RegisterAttempt + Settle, {} at once", together), named("store"),
               {named("bare_row"), named("rows_found_again"), named("lnd")});
    table.line(fmt::format("store: the same in 4 parts, {} at once", together), named("store_in_4_parts"),
               {named("store")});
    table.line(fmt::format("lifecycle: driver, store, switch in memory, {} at once", together), named("lifecycle"),
               {named("bare_row"), named("rows_found_again")});
  }
  constexpr std::size_t together = 1'000;
  constexpr std::size_t payments = 20'000;
  table.measure("simulated", 1, payments, [=, &folder](benchmark::State& state) {
    const auto ledger = value_of(db::create_sim_ledger(folder.fresh("network.sim")));
    simulated(state, *ledger, new_file(), together, payments);
  });
  table.line("simulated network, ledger in its file, 1000 at once", "simulated");
}

}  // namespace

int main(int argc, char** argv) {
  // Repetitions are interleaved, unless flags say otherwise: the last flag wins.
  std::string repetitions = "--benchmark_repetitions=5";
  std::string mixed = "--benchmark_enable_random_interleaving=true";
  std::vector<char*> flags{argv[0], repetitions.data(), mixed.data()};
  flags.insert(flags.end(), argv + 1, argv + argc);
  int count = static_cast<int>(flags.size());
  flags.push_back(nullptr);
  benchmark::Initialize(&count, flags.data());
  if (benchmark::ReportUnrecognizedArguments(count, flags.data())) return 2;

  const Folder folder;
  // The first user of SQLite in a process sets its global options: that must be us, as in the program.
  { const Opened first(folder.fresh("first.db")); }
  RatioTable table;
  register_all(table, folder);
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  return 0;
}
