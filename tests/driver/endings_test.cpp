// Goal: every way to lose money that core/README 1 names, on the real store and the simulated network. The network's
// own ledger of what really happened decides.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/driver/sim_world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// Makes a payment whose HTLC is held and whose process has ended.
PaymentRequest leave_held(SimWorld& world) {
  const PaymentRequest request = world.held_invoice();
  const auto result = world.send(request, ns_per_second);
  REQUIRE(result.end == DriveEnd::open);
  REQUIRE(world.live_htlcs(request.hash) == 1);
  return request;
}

void release(SimWorld& world, const PaymentHash& hash) {
  REQUIRE(world.admin.release(hash, std::nullopt));
  world.admin.advance();
}

}  // namespace

TEST_CASE("ending: an invoice is paid through real fees and CLTV deltas") {
  SimWorld world;
  const auto request = world.invoice();
  const auto result = world.send(request);
  REQUIRE(result.payment);
  CHECK(result.payment->status() == PaymentStatus::succeeded);
  CHECK(proves(*result.payment->preimage, request.hash));
  CHECK(world.live_htlcs(request.hash) == 1);
}

TEST_CASE("ending: settled, the record erased, resumed: UNKNOWN, never a second HTLC, never FAILED") {
  SimWorld world;
  const auto request = leave_held(world);
  release(world, request.hash);
  world.erase(request.hash);
  const auto results = world.resume();
  REQUIRE(results.size() == 1);
  CHECK(results[0].payment->status() == PaymentStatus::unknown);
  CHECK(results[0].payment->end_note == EndNote::preimage_lost);
  CHECK(world.live_htlcs(request.hash) == 1);
  CHECK(world.send(request).error->code == Errc::already_ended);
  CHECK(world.resume().empty());
}

TEST_CASE("ending: settled, the record erased, past the deadline: no fence takes a paid attempt for dead") {
  SimWorld world;
  const auto request = leave_held(world);
  release(world, request.hash);
  world.erase(request.hash);
  world.pass(120);
  CHECK(world.resume()[0].payment->status() == PaymentStatus::unknown);
  CHECK(world.live_htlcs(request.hash) == 1);
}

TEST_CASE("ending: settled and erased between the look and the fence: the look behind the fence sees the money") {
  SimWorld world;
  const auto request = world.invoice();
  // The request is held back. `resume` comes after the deadline, finds nothing, and sends a fence. Just before the
  // fence, the late request is executed and settles, and its row is erased.
  world.hold_next_request(70);
  CHECK(world.send(request, ns_per_second).end == DriveEnd::open);
  world.pass(65);
  world.fault(sim::FaultKind::forget, "fence");
  world.pass(10);
  const auto results = world.resume();
  REQUIRE(results.size() == 1);
  CHECK(results[0].payment->status() != PaymentStatus::failed);
  CHECK(world.live_htlcs(request.hash) == 1);
  CHECK(world.send(request).end == DriveEnd::refused);
}

TEST_CASE(
    "ending: the record and the list of HTLCs erased: the books still show the money, so UNKNOWN, and nothing is "
    "sent") {
  SimWorld world;
  const auto request = leave_held(world);
  release(world, request.hash);
  world.erase(request.hash, true);
  world.pass(120);
  const auto results = world.resume();
  REQUIRE(results.size() == 1);
  CHECK(results[0].payment->status() == PaymentStatus::unknown);
  CHECK(world.live_htlcs(request.hash) == 1);
  CHECK(world.send(request).end == DriveEnd::refused);
}

TEST_CASE(
    "ending: never executed, and the lists erased: nothing is concluded, nothing is sent, the operator has the last "
    "word") {
  SimWorld world;
  const auto other = leave_held(world);
  const auto request = world.invoice();
  world.fault(sim::FaultKind::ignore, "sendpay");
  CHECK(world.send(request, ns_per_second).end == DriveEnd::open);
  release(world, other.hash);
  world.erase(other.hash, true);  // the counter of deletions is the same for all hashes
  world.pass(120);
  for (int i = 0; i < 3; ++i) {
    for (const auto& result : world.resume()) {
      if (result.hash != request.hash) continue;
      CHECK(result.end == DriveEnd::open);
      CHECK(result.payment->status() == PaymentStatus::in_flight);
    }
  }
  CHECK(world.warnings_with("no record of attempt") == 3);  // once in each run, so that cron mails it to a person
  CHECK(world.live_htlcs(request.hash) == 0);
  world.say(request.hash, OperatorWritesOff{});
  CHECK(world.stored(request.hash).status() == PaymentStatus::unknown);
  CHECK(world.send(request).end == DriveEnd::refused);
}

TEST_CASE(
    "ending: never executed, resumed: the same attempt again makes one HTLC, also when the first copy comes late") {
  for (const std::int64_t late : {2, 30}) {
    SimWorld world;
    const auto request = world.invoice();
    world.hold_next_request(late);
    CHECK(world.send(request, ns_per_second).end == DriveEnd::open);
    const auto results = world.resume();
    REQUIRE(results.size() == 1);
    CHECK(results[0].payment->status() == PaymentStatus::succeeded);
    world.pass(60);
    world.admin.advance();
    CHECK(world.live_htlcs(request.hash) == 1);
  }
}

TEST_CASE("ending: past the deadline and never executed: fenced, FAILED, and the late request finds the fence") {
  SimWorld world;
  const auto request = world.invoice();
  world.hold_next_request(300);
  CHECK(world.send(request, ns_per_second).end == DriveEnd::open);
  world.pass(90);
  const auto results = world.resume();
  REQUIRE(results.size() == 1);
  CHECK(results[0].payment->status() == PaymentStatus::failed);
  CHECK(results[0].payment->fail_reason == FailureReason::timeout);
  CHECK(results[0].payment->definitive());
  world.pass(600);
  world.admin.advance();
  CHECK(world.live_htlcs(request.hash) == 0);
}

TEST_CASE("ending: a fence that is refused leaves the payment open") {
  SimWorld world;
  const auto request = world.invoice();
  world.fault(sim::FaultKind::ignore, "sendpay");
  CHECK(world.send(request, ns_per_second).end == DriveEnd::open);
  world.pass(90);
  world.node.faults().add({sim::FaultKind::refuse_fence, "fence"});
  CHECK(world.resume()[0].end == DriveEnd::open);
  world.node.faults().clear();
  CHECK(world.resume()[0].payment->status() == PaymentStatus::failed);
  CHECK(world.live_htlcs(request.hash) == 0);
}

TEST_CASE("ending: FAILED is wanted while another user of the node holds the hash") {
  SimWorld world;
  sim::InvoiceParams params;
  params.fail = sim::FailSpec{0x4000 | 15, std::nullopt, 1};
  const auto request = world.invoice(params);
  world.fault(sim::FaultKind::foreign_hold, "end");
  const auto open = world.send(request);
  CHECK(open.end == DriveEnd::open);
  CHECK(open.payment->status() == PaymentStatus::in_flight);
  CHECK(open.payment->stop_reason == FailureReason::incorrect_payment_details);
  SUBCASE("theirs fails: FAILED") {
    REQUIRE(world.admin.release(request.hash, 0x4000 | 15));
    CHECK(world.resume()[0].payment->status() == PaymentStatus::failed);
  }
  SUBCASE("theirs settles: paid, by a foreign attempt") {
    REQUIRE(world.admin.release(request.hash, std::nullopt));
    const auto results = world.resume();
    CHECK(results[0].payment->status() == PaymentStatus::succeeded);
    CHECK(results[0].payment->settled_attempt()->origin == AttemptOrigin::foreign);
    CHECK(world.live_htlcs(request.hash) == 1);
  }
}

TEST_CASE("ending: paid by another user of the node before and after our first hand-over") {
  SimWorld world;
  SUBCASE("before: refused, recorded with its proof") {
    const auto request = world.invoice();
    REQUIRE(world.admin.foreign(request.hash, sim::ForeignAct::pay, "another wallet"));
    world.pass(1);
    const auto result = world.send(request);
    CHECK(result.end == DriveEnd::refused);
    CHECK(result.error->code == Errc::already_paid);
    CHECK(world.stored(request.hash).status() == PaymentStatus::succeeded);
  }
  SUBCASE("after: paid") {
    sim::InvoiceParams params;
    params.fail = sim::FailSpec{0x2000 | 2, std::nullopt, 1};
    const auto request = world.invoice(params);
    world.fault(sim::FaultKind::foreign_pay, "end");
    const auto result = world.send(request);
    CHECK(result.end == DriveEnd::ended);
    CHECK(result.payment->status() == PaymentStatus::succeeded);
    CHECK(result.payment->settled_attempt()->origin == AttemptOrigin::foreign);
  }
}

TEST_CASE("ending: a late preimage after the operator's word, without and with a newer try") {
  SimWorld world;
  const auto request = leave_held(world);
  world.say(request.hash, OperatorAssumesFailed{});
  CHECK(world.stored(request.hash).status() == PaymentStatus::failed);
  CHECK_FALSE(world.stored(request.hash).definitive());

  SUBCASE("without: the watch list asks, and the proof wins") {
    CHECK(world.resume(0).at(0).payment->status() == PaymentStatus::failed);
    release(world, request.hash);
    const auto results = world.resume();
    REQUIRE(results.size() == 1);
    CHECK(results[0].payment->status() == PaymentStatus::succeeded);
    CHECK(results[0].payment->fail_reason == FailureReason::error);
    CHECK(proves(*results[0].payment->late_preimage, request.hash));
    CHECK(world.send(request).error->code == Errc::already_paid);
    CHECK(world.resume().empty());
  }
  SUBCASE("the switch says failed: the watch ends") {
    REQUIRE(world.admin.release(request.hash, 0x4000 | 15));
    CHECK(world.resume().at(0).payment->status() == PaymentStatus::failed);
    CHECK(world.resume().empty());
    CHECK(world.stored(request.hash).definitive());
  }
  SUBCASE("with a newer try: both are told, and no second HTLC leaves") {
    // The node still shows the old HTLC, so a newer send is refused as in flight. A newer try that exists already (made
    // while the node showed nothing) gets a stop wish.
    CHECK(world.send(request).error->code == Errc::in_flight);
    Payment newer;
    newer.request = request;
    const std::vector<Write> init = {InitPayment{}};
    const PaymentWrites writes{&newer, init};
    REQUIRE(world.opened->store.commit(std::span(&writes, 1)).front());
    release(world, request.hash);
    world.resume();
    CHECK(world.live_htlcs(request.hash) == 1);
    CHECK(world.stored(request.hash).status() == PaymentStatus::succeeded);
    for (const PaymentIndex index : {PaymentIndex{1}, PaymentIndex{2}}) {
      CHECK(world.opened->store.load(index).value()->status() == PaymentStatus::succeeded);
    }
  }
}

TEST_CASE("ending: two wrong answers of a hostile payee settle nothing") {
  for (const sim::PayeeBehaviour behaviour :
       {sim::PayeeBehaviour::wrong_preimage, sim::PayeeBehaviour::complete_without_preimage}) {
    SimWorld world;
    sim::InvoiceParams params;
    params.behaviour = behaviour;
    const auto request = world.invoice(params);
    const auto result = world.send(request);
    CHECK(result.end == DriveEnd::open);
    CHECK(result.payment->status() == PaymentStatus::in_flight);
    CHECK(world.resume()[0].payment->status() == PaymentStatus::in_flight);
    CHECK(world.oracle(request.hash).size() == 1);
  }
}

TEST_CASE("ending: accepted but the result lost: the money decides") {
  SimWorld world;
  const auto request = world.invoice();
  world.fault(sim::FaultKind::lose_result, "end");
  const auto result = world.send(request);
  CHECK(result.payment->status() == PaymentStatus::unknown);
  CHECK(world.live_htlcs(request.hash) == 1);
}

TEST_CASE("ending: an orphan row keeps the payment open, and nothing is sent beside it") {
  SimWorld world;
  const auto request = world.invoice();
  world.fault(sim::FaultKind::orphan, "sendpay");
  CHECK(world.send(request).end == DriveEnd::open);
  world.pass(120);
  CHECK(world.resume()[0].payment->status() == PaymentStatus::in_flight);
  CHECK(world.live_htlcs(request.hash) == 0);
  world.say(request.hash, OperatorAssumesFailed{});
  CHECK(world.stored(request.hash).status() == PaymentStatus::failed);
}

TEST_CASE("ending: the node restored from an old copy stops everything") {
  SimWorld world;
  world.admin.save_copy("before");
  const auto other = world.invoice();
  CHECK(world.send(other).payment->status() == PaymentStatus::succeeded);
  const auto request = leave_held(world);
  REQUIRE(world.admin.restore_copy("before"));
  CHECK_THROWS_AS((void)world.resume(), RefusalError);
  CHECK(world.stored(request.hash).status() == PaymentStatus::in_flight);
  CHECK(world.live_htlcs(request.hash) == 1);
}

TEST_CASE("ending: the switch unreachable for a while") {
  SimWorld world;
  const auto request = leave_held(world);
  world.fault(sim::FaultKind::refuse, "connect", {.value = 20 * ns_per_second});
  const auto results = world.resume();
  CHECK(results.at(0).end == DriveEnd::unavailable);
  CHECK(results.at(0).payment->status() == PaymentStatus::in_flight);
  world.pass(30);
  release(world, request.hash);
  CHECK(world.resume().at(0).payment->status() == PaymentStatus::succeeded);
}

TEST_CASE("ending: an operator's sqlite3 shell opens and closes the database between any two steps and loses nothing") {
  SimWorld world;
  const std::string shell =
      "sqlite3 '" + world.folder.file("payments.db") + "' 'SELECT count(*) FROM payments' >/dev/null 2>&1";

  /// Runs the sqlite3 shell before and after everything that the driver does.
  class Watched final : public Switch {
   public:
    Watched(Switch& inner, std::string command) : inner_(inner), command_(std::move(command)) {}
    void identify() override { inner_.identify(); }
    void look(const PaymentHash& hash, std::span<const Marks> since) override {
      shell();
      inner_.look(hash, since);
    }
    void ask_route(const RouteQuestion& question) override {
      shell();
      inner_.ask_route(question);
    }
    void dispatch(const Handover& handover) override {
      shell();
      inner_.dispatch(handover);
      shell();
    }
    void query(const AttemptKey& key) override {
      shell();
      inner_.query(key);
    }
    void fence(const Handover& handover) override { inner_.fence(handover); }
    void release(const PaymentHash& hash, const StoreId& store) override { inner_.release(hash, store); }
    std::optional<HandoverTerms> terms() const override { return inner_.terms(); }
    std::uint32_t base_height() const override { return inner_.base_height(); }
    void list_own(const StoreId& store) override { inner_.list_own(store); }
    void newest_own(const StoreTrace& trace) override { inner_.newest_own(trace); }
    std::vector<SwitchEvent> poll(MonoNs until) override { return inner_.poll(until); }
    int calls = 0;

   private:
    void shell() {
      ++calls;
      REQUIRE(std::system(command_.c_str()) == 0);
    }
    Switch& inner_;
    std::string command_;
  };

  for (int i = 0; i < 5; ++i) {
    const auto request = world.invoice();
    cln::ClnSwitch inner = world.connect();
    Watched node(inner, shell);
    DriverPorts ports{node, world.opened->store, world.opened->locks, world.clock, world.randomness, world.observer};
    Driver driver(ports, DriverOptions{});
    driver.submit({request});
    CHECK(value_of(driver.run()).at(0).payment->status() == PaymentStatus::succeeded);
    CHECK(node.calls >= 5);
    CHECK(std::system(shell.c_str()) == 0);
    world.opened = nullptr;  // only the shell has the file open, then we open it again
    CHECK(std::system(shell.c_str()) == 0);
    world.opened = std::make_unique<Opened>(world.folder.file("payments.db"));
    CHECK(world.stored(request.hash).status() == PaymentStatus::succeeded);
  }
}

TEST_CASE("ending: a held HTLC is no news: nothing is said about it, run after run") {
  SimWorld world;
  leave_held(world);
  for (int i = 0; i < 3; ++i) CHECK(world.resume().at(0).end == DriveEnd::open);
  CHECK(world.warnings_with("") == 0);
}

TEST_CASE("ending: held payments take turns, and those that have ended behind them are stored in one run") {
  SimWorld world;
  std::vector<PaymentRequest> held;
  std::vector<PaymentRequest> ended;
  for (int i = 0; i < 7; ++i) held.push_back(leave_held(world));
  for (int i = 0; i < 3; ++i) ended.push_back(leave_held(world));
  for (const PaymentRequest& request : ended) release(world, request.hash);
  world.max_parallel = 3;

  const auto results = world.resume();
  CHECK(results.size() == 10);
  for (const PaymentRequest& request : ended) CHECK(world.stored(request.hash).status() == PaymentStatus::succeeded);
  for (const DriveResult& result : results) {
    CHECK(result.end != DriveEnd::busy);  // nobody else drives them
    const bool over = result.payment->status() == PaymentStatus::succeeded;
    CHECK((result.end == DriveEnd::ended) == over);
  }

  // A payment that gave up its place gets another turn within the run.
  release(world, held.front().hash);
  (void)world.resume(60 * ns_per_second);
  CHECK(world.stored(held.front().hash).status() == PaymentStatus::succeeded);
  for (const PaymentRequest& request : held) CHECK(world.live_htlcs(request.hash) == 1);
}

TEST_CASE("ending: R12, an old copy of the database is noticed by a payment of another hash, before its HTLC") {
  SimWorld world;
  const PaymentRequest lost = leave_held(world);
  // From now on the database has the same store id and no record of the attempt, like a copy that was made earlier.
  SQLite::Database raw(world.folder.file("payments.db"), SQLite::OPEN_READWRITE);
  for (const char* table : {"attempts", "payments"}) {
    SQLite::Statement names(raw, "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1");
    names.bind(1, std::string(table));
    std::vector<std::string> triggers;
    while (names.executeStep()) triggers.push_back(names.getColumn(0).getString());
    for (const std::string& name : triggers) raw.exec("DROP TRIGGER " + name);
    raw.exec("DELETE FROM " + std::string(table));
  }
  const auto other = world.invoice();
  CHECK_THROWS_WITH_AS((void)world.send(other), doctest::Contains("that the database does not have"), RefusalError);
  CHECK(world.oracle(other.hash).empty());
  CHECK(world.live_htlcs(lost.hash) == 1);
}

TEST_CASE("ending: one row cannot be read: the others end, it is named and stays as it is") {
  SimWorld world;
  const auto broken = leave_held(world);
  const auto whole = leave_held(world);
  world.damage_route(broken.hash);
  release(world, whole.hash);
  const auto results = world.resume();
  REQUIRE(results.size() == 2);
  for (const auto& result : results) {
    if (result.hash == whole.hash) {
      CHECK(result.payment->status() == PaymentStatus::succeeded);
    } else {
      CHECK(result.end == DriveEnd::refused);
      REQUIRE(result.error);
      CHECK(result.error->code == Errc::database);
      CHECK(result.error->message.find("payment 1") != std::string::npos);
    }
  }
  CHECK_THROWS_AS(world.stored(broken.hash), RefusalError);
  CHECK(world.send(broken).error->code == Errc::database);
  CHECK(world.live_htlcs(broken.hash) == 1);
}

TEST_CASE("ending: another payment's unreadable failure does not keep a new payment from its route") {
  SimWorld world;
  sim::InvoiceParams once;
  once.fail = *sim::parse_fail_spec("TEMPORARY_CHANNEL_FAILUREx1");
  const auto request = world.invoice(once);
  REQUIRE(world.send(request).payment->attempts.size() == 2);
  world.damage_route(request.hash);
  CHECK(world.send(world.invoice()).payment->status() == PaymentStatus::succeeded);
}

TEST_CASE("ending: another switch's open attempt is never shown to this one, also when its turn comes late") {
  SimWorld world;
  const auto ours = leave_held(world);
  const auto theirs = leave_held(world);
  world.change_attempts(theirs.hash, "switch_id = 99");
  release(world, ours.hash);
  world.max_parallel = 1;
  const auto results = world.resume();
  REQUIRE(results.size() == 2);
  CHECK(results[0].payment->status() == PaymentStatus::succeeded);
  CHECK(results[1].end == DriveEnd::other_switch);
  CHECK(results[1].payment->status() == PaymentStatus::in_flight);
}

TEST_CASE(
    "ending: another user paid between our look and our hand-over: paid, and nobody waits for our own dead attempt") {
  for (const sim::FaultKind act : {sim::FaultKind::foreign_pay, sim::FaultKind::foreign_complete}) {
    SimWorld world;
    const auto request = world.invoice();
    world.fault(act, "sendpay");
    const MonoNs start = world.clock.mono();
    const auto result = world.send(request, 60 * ns_per_second);
    REQUIRE(result.payment);
    CHECK(result.payment->status() == PaymentStatus::succeeded);
    CHECK(world.clock.mono().value - start.value < 5 * ns_per_second);
    CHECK(world.live_htlcs(request.hash) <= 1);
    // Later runs ask about what is left of our attempt, and leave as soon.
    const MonoNs again = world.clock.mono();
    for (const auto& later : world.resume(60 * ns_per_second))
      CHECK(later.payment->status() == PaymentStatus::succeeded);
    CHECK(world.clock.mono().value - again.value < 5 * ns_per_second);
  }
}
