// One database in a folder of its own, a scripted switch, and a new driver for each call, as if each call were a
// process.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/driver/harness.h"
#include "tests/driver/temp_folder.h"
#include "tests/support/opened.h"

namespace paytower::test {

/// Counts what reaches the real store.
class CountingStore final : public PassingStore {
 public:
  CountingStore(PaymentStore& inner, unsigned& commits) : PassingStore(inner), commits_(commits) {}
  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override {
    ++commits_;
    return PassingStore::commit(tick);
  }
  Result<std::vector<PastResult>> recent_results(std::size_t most) override {
    ++results_read;
    return PassingStore::recent_results(most);
  }

  unsigned results_read = 0;

 private:
  unsigned& commits_;
};

class World {
 public:
  World()
      : request(fresh_payment().request), opened_(std::make_unique<Opened>(folder_.file("payments.db"))),
        counting_(opened_->store, commits_) {
    recording = std::make_unique<RecordingStore>(counting_, log);
  }

  Log log;
  VirtualClock clock;
  CountingRandomness randomness;
  RecordingObserver observer{log};
  ScriptedSwitch node{clock, log};
  DriverOptions options = default_options();
  PaymentRequest request;
  std::unique_ptr<RecordingStore> recording;

  static DriverOptions default_options() {
    DriverOptions options;
    options.wait_ns = 100 * ns_per_second;
    return options;
  }

  [[nodiscard]] db::SqlitePaymentStore& store() { return opened_->store; }
  [[nodiscard]] std::string path() const { return opened_->connection.real_path(); }
  [[nodiscard]] unsigned inner_commits() const { return commits_; }
  [[nodiscard]] unsigned results_read() const { return counting_.results_read; }

  DriveResult send(bool idempotent = false) {
    return one(drive([&](Driver& driver) { driver.submit({request, idempotent}); }, node, *recording));
  }

  /// Resumes the one open payment of the store.
  DriveResult resume() {
    const auto open = value_of(store().fetch_in_flight(PaymentIndex{0}, 10));
    REQUIRE(open.size() == 1);
    return one(drive([&](Driver& driver) { driver.adopt(open.front()); }, node, *recording));
  }

  /// Resumes all open payments of the store.
  std::vector<DriveResult> resume_all() {
    return drive(
        [&](Driver& driver) {
          for (const PaymentIndex index : value_of(store().fetch_in_flight(PaymentIndex{0}, 10))) driver.adopt(index);
        },
        node, *recording);
  }

  /// The same send from another process, while the first one lives. It must not reach the switch.
  DriveResult send_beside() {
    Opened other(folder_.file("payments.db"));
    Log other_log;
    ScriptedSwitch silent(clock, other_log);
    DriverPorts ports{silent, other.store, other.locks, clock, randomness, observer};
    Driver driver(ports, DriverOptions{});
    driver.submit({request});
    auto results = value_of(driver.run());
    CHECK(other_log.empty());
    REQUIRE(results.size() == 1);
    return results.front();
  }

  /// A send to a switch that cannot be reached: only the store decides.
  DriveResult send_without_switch(bool idempotent = false, std::optional<PaymentRequest> other = {}) {
    Log other_log;
    ScriptedSwitch dead(clock, other_log);
    dead.expect("identify", disconnect());
    return one(drive(
        [&](Driver& driver) {
          driver.submit({other.value_or(request), idempotent});
        },
        dead, opened_->store));
  }

  /// A payment of another hash, not stored yet.
  [[nodiscard]] static Payment other_payment() {
    Payment other = fresh_payment();
    other.request.hash.bytes.fill(0x5a);
    return other;
  }

  void cancel_from_another_process() { say_from_another_process(CancelRequested{}); }
  void say_from_another_process(Event word) {
    Opened other(folder_.file("payments.db"));
    const Payment payment = *other.store.find(request.hash).value().payment;
    const Decision decision = decide(payment, TimedEvent{clock.wall(), std::move(word)});
    const PaymentWrites writes{&payment, decision.writes};
    const auto stored = other.store.commit(std::span(&writes, 1));
    REQUIRE(stored.front());
  }

  void check_stored(const Payment& payment) {
    const auto stored = store().load(payment.index).value();
    REQUIRE(stored);
    CHECK(stored->status() == payment.status());
    CHECK(stored->proof() == payment.proof());
    CHECK(stored->stop_reason == payment.stop_reason);
    CHECK(stored->fail_reason == payment.fail_reason);
    REQUIRE(stored->attempts.size() == payment.attempts.size());
    for (std::size_t i = 0; i < payment.attempts.size(); ++i) {
      CHECK(stored->attempts[i].id == payment.attempts[i].id);
      CHECK(stored->attempts[i].outcome == payment.attempts[i].outcome);
      CHECK(stored->attempts[i].route == payment.attempts[i].route);
      CHECK(stored->attempts[i].marks == payment.attempts[i].marks);
    }
  }

  void check_one_open_attempt_at_most() {
    const HashState state = store().find(request.hash).value();
    if (!state.payment) return;
    std::size_t open = 0;
    for (const Attempt& attempt : state.payment->attempts) open += attempt.open() ? 1U : 0U;
    CHECK(open <= 1);
  }

 private:
  template <typename Feed> std::vector<DriveResult> drive(Feed feed, Switch& to, PaymentStore& through) {
    DriverPorts ports{to, through, opened_->locks, clock, randomness, observer};
    Driver driver(ports, options);
    feed(driver);
    return value_of(driver.run());
  }
  static DriveResult one(std::vector<DriveResult> results) {
    REQUIRE(results.size() == 1);
    return std::move(results.front());
  }

  TempFolder folder_;
  std::unique_ptr<Opened> opened_;
  unsigned commits_ = 0;
  CountingStore counting_;
};

}  // namespace paytower::test
