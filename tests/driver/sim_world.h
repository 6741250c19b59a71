// The real store and the simulated network on a virtual clock: minutes of network time take no real time.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include "core/driver/driver.h"
#include "core/sim/network.h"
#include "core/sim/node/pipe.h"
#include "core/switch/cln/switch.h"
#include "tests/driver/world.h"
#include "tests/support/invoices.h"
#include "tests/support/test_ledger.h"

namespace paytower::test {

class SimWorld {
 public:
  SimWorld() : SimWorld(sim::NetworkParams{.seed = 5}) {}
  explicit SimWorld(const sim::NetworkParams& params) { REQUIRE(admin.create_network(params)); }

  // --- the network ---

  PaymentRequest invoice(sim::InvoiceParams params = {}) {
    return invoice_request(admin, std::move(params), clock.wall(), 60);
  }
  PaymentRequest held_invoice() {
    sim::InvoiceParams params;
    params.hold.ns = sim::Hold::forever;
    return invoice(params);
  }

  /// What really happened to the hash.
  std::vector<sim::OracleEntry> oracle(const PaymentHash& hash) {
    std::vector<sim::OracleEntry> entries;
    admin.ledger(hash, [&](const sim::OracleEntry& entry) {
      entries.push_back(entry);
      return true;
    });
    return entries;
  }
  /// How many HTLCs of the hash have settled, or may still settle.
  std::size_t live_htlcs(const PaymentHash& hash) {
    std::size_t count = 0;
    for (const auto& entry : oracle(hash)) {
      if (entry.state == sim::OracleState::held || entry.state == sim::OracleState::settled) ++count;
    }
    return count;
  }
  void erase(const PaymentHash& hash, bool htlcs_too = false) {
    sim::Erasure what;
    what.hash = hash;
    what.htlcs_too = htlcs_too;
    CHECK(admin.erase(what) >= 1);
  }
  /// Adds a fault that strikes once, at the next such occasion.
  void fault(sim::FaultKind kind, const char* occasion, sim::Fault more = {}) {
    more.kind = kind;
    more.occasion = occasion;
    more.times = 1;
    node.faults().add(more);
  }
  /// The node reads the next hand-over only after this time.
  void hold_next_request(std::int64_t seconds) {
    sim::Fault late;
    late.value = seconds * ns_per_second;
    fault(sim::FaultKind::hold, "sendpay", late);
  }
  void pass(std::int64_t seconds) { clock.sleep_until(MonoNs{clock.mono().value + seconds * ns_per_second}); }

  // --- one process each ---

  /// A switch, connected to the node.
  cln::ClnSwitch connect() { return cln::ClnSwitch(node.transport(), {}, clock, node, request_ids); }

  DriveResult send(const PaymentRequest& request, std::optional<std::int64_t> wait_ns = 5 * ns_per_second) {
    return drive([&](Driver& driver) { driver.submit({request}); }, wait_ns).at(0);
  }
  /// Sends all of them in one process.
  std::vector<DriveResult> send_all(const std::vector<PaymentRequest>& requests) {
    return drive(
        [&](Driver& driver) {
          for (const PaymentRequest& request : requests) driver.submit({request});
        },
        60 * ns_per_second);
  }
  std::vector<DriveResult> resume(std::int64_t wait_ns = 5 * ns_per_second) {
    return drive(
        [&](Driver& driver) {
          for (const PaymentIndex index : value_of(opened->store.fetch_in_flight(PaymentIndex{0}, 1'000)))
            driver.adopt(index);
        },
        wait_ns);
  }
  /// Stores an operator's decision, as `resolve` does.
  void say(const PaymentHash& hash, Event word) {
    const Payment payment = *opened->store.find(hash).value().payment;
    const Decision decision = decide(payment, TimedEvent{clock.wall(), std::move(word)});
    REQUIRE_FALSE(decision.refusal);
    const PaymentWrites writes{&payment, decision.writes};
    REQUIRE(opened->store.commit(std::span(&writes, 1)).front());
  }
  /// How many warnings so far contain `text`.
  [[nodiscard]] std::size_t warnings_with(const std::string& text) const {
    return static_cast<std::size_t>(std::count_if(log.begin(), log.end(), [&](const std::string& line) {
      return line.starts_with("warn: ") && line.find(text) != std::string::npos;
    }));
  }
  /// Changes attempts although a trigger forbids it, as a failing disk or a row from another machine would.
  void change_attempts(const PaymentHash& hash, const std::string& assignment) {
    SQLite::Database raw(folder.file("payments.db"), SQLite::OPEN_READWRITE);
    const std::string trigger =
        raw.execAndGet("SELECT sql FROM sqlite_schema WHERE name = 'attempts_immutable'").getString();
    raw.exec("INSERT OR IGNORE INTO switches (id, node, network) VALUES (99, x'02" + std::string(64, '7') +
             "', 'regtest')");
    raw.exec("DROP TRIGGER attempts_immutable");
    SQLite::Statement update(
        raw, "UPDATE attempts SET " + assignment +
                 " WHERE payment_index IN (SELECT payment_index FROM payments WHERE payment_hash = ?1)");
    update.bind(1, hash.bytes.data(), static_cast<int>(hash.bytes.size()));
    CHECK(update.exec() >= 1);
    raw.exec(trigger);
  }
  void damage_route(const PaymentHash& hash) { change_attempts(hash, "route = x'ffff'"); }
  Payment stored(const PaymentHash& hash) { return *value_of(opened->store.find(hash)).payment; }

  TempFolder folder;
  Log log;
  VirtualClock clock;
  CountingRandomness randomness;
  RecordingObserver observer{log};
  TestLedger ledger;
  sim::TestAdmin admin{ledger, clock};
  sim::PipeNode node{ledger, clock, "the simulated network"};
  std::unique_ptr<Opened> opened = std::make_unique<Opened>(folder.file("payments.db"));
  SeededRandomness request_ids{1};
  std::size_t max_parallel = DriverOptions{}.max_parallel;

 private:
  template <typename Feed> std::vector<DriveResult> drive(Feed feed, std::optional<std::int64_t> wait_ns) {
    cln::ClnSwitch client = connect();
    DriverOptions options;
    options.wait_ns = wait_ns;
    options.max_parallel = max_parallel;
    DriverPorts ports{client, opened->store, opened->locks, clock, randomness, observer};
    Driver driver(ports, options);
    feed(driver);
    return value_of(driver.run());
  }
};

}  // namespace paytower::test
