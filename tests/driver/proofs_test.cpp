// Goal: a right preimage goes to the spool and to stderr however the run ends (R10): by a failed commit, by an alarm,
// or because the write lock is not free; and wherever the preimage waits.
#include <doctest/doctest.h>

#include "db/payments/spool.h"
#include "tests/driver/world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

Preimage other_preimage() {
  Preimage preimage;
  preimage.bytes.fill(0x33);
  return preimage;
}

Payment second_payment() {
  Payment other = World::other_payment();
  other.request.hash = hash_of(other_preimage());
  return other;
}

constexpr AttemptId other_id{99};

/// A world with two open payments: its own, whose process died after the hand-over, and another one.
class TwoOpen : public World {
 public:
  TwoOpen() {
    node.expect("identify", identity());
    node.expect("look", quiet());
    node.expect("route", route(1));
    node.expect("send", crash());
    CHECK_THROWS_AS((void)send(), Crash);
    Payment other = second_payment();
    const std::array<Write, 2> writes{InitPayment{}, RegisterAttempt{own_attempt(other_id, Shape::open)}};
    const PaymentWrites entry{&other, writes};
    REQUIRE(store().commit(std::span(&entry, 1)).front());
    log.clear();
  }

  /// A run that looks at both, sees nothing of the first payment, and then what `second` shows.
  auto resume_and_see(ScriptedSwitch::Reply second) {
    node.expect("identify", identity());
    node.expect("look", nothing());
    node.expect("look", std::move(second));
    return resume_all();
  }
};

cln::NodeLists look_of(const PaymentHash& hash, SwitchRow row) {
  cln::NodeLists look = quiet_look();
  look.hash = hash;
  look.rows.push_back(std::move(row));
  return look;
}

/// A look that shows the other payment as paid.
cln::NodeLists paid(World& world) {
  SwitchRow row;
  row.id = other_id;
  row.state = RowState::complete;
  row.label = attempt_label(world.store().store_id(), other_id);
  row.preimage = other_preimage();
  return look_of(hash_of(other_preimage()), row);
}

ScriptedSwitch::Reply second_paid(World& world) {
  return [&world](ScriptedSwitch&) { return std::vector<SwitchEvent>{answer_of(paid(world))}; };
}

/// A look that shows a row of ours which the database does not have: it is an old copy.
cln::NodeLists alarm(World& world) {
  SwitchRow row;
  row.id = AttemptId{(std::uint64_t{1} << 60) + 1};
  row.state = RowState::pending;
  row.label = attempt_label(world.store().store_id(), row.id);
  return look_of(world.request.hash, row);
}

void check_saved(World& world) {
  const db::SpoolContents spool = db::read_spool(world.path());
  REQUIRE(spool.entries.size() == 1);
  CHECK(spool.entries.front().key.hash == hash_of(other_preimage()));
  CHECK(spool.entries.front().key.id == other_id);
  CHECK(spool.entries.front().preimage == other_preimage());
  const std::string told = "warn: paid, but the database could not store it; preimage " + other_preimage().hex();
  CHECK(std::count(world.log.begin(), world.log.end(), told) == 1);
  world.recording->fail_commit.reset();
  const auto taken = value_of(world.store().take_in_spool(world.clock.wall()));
  CHECK(taken.settled == std::vector{hash_of(other_preimage())});
  CHECK(world.store().find(hash_of(other_preimage())).value().payment->status() == PaymentStatus::succeeded);
}

}  // namespace

TEST_CASE("R10: an alarm that ends the run saves the preimages that wait behind it, received or not") {
  for (const bool alarm_first : {true, false}) {
    TwoOpen world;
    const auto seen = [&](ScriptedSwitch&) {
      std::vector<SwitchEvent> events{answer_of(paid(world))};
      events.insert(alarm_first ? events.begin() : events.end(), answer_of(alarm(world)));
      return events;
    };
    CHECK_THROWS_AS((void)world.resume_and_see(seen), RefusalError);
    check_saved(world);
  }
}

TEST_CASE("R10: a look that raises the alarm and holds a proof of its own payment") {
  TwoOpen world;
  const auto seen = [&](ScriptedSwitch&) {
    cln::NodeLists both = paid(world);
    both.rows.push_back(alarm(world).rows.front());
    return std::vector<SwitchEvent>{answer_of(std::move(both))};
  };
  CHECK_THROWS_AS((void)world.resume_and_see(seen), RefusalError);
  check_saved(world);
}

TEST_CASE("R10: a read that the store refuses ends the run, and what waits to be stored is saved") {
  TwoOpen world;
  const auto seen = [&](ScriptedSwitch&) {
    world.recording->refuse_read = world.recording->reads;
    world.clock.sleep_until(MonoNs{world.clock.mono().value + ns_per_second});
    return std::vector<SwitchEvent>{answer_of(paid(world))};
  };
  CHECK_THROWS_WITH_AS((void)world.resume_and_see(seen), "another program holds the database", RefusalError);
  check_saved(world);
}

TEST_CASE("R10: a commit that fails saves what it should have stored") {
  TwoOpen world;
  world.recording->fail_commit = world.recording->commits;
  CHECK_THROWS_AS((void)world.resume_and_see(second_paid(world)), StoreError);
  check_saved(world);
}

TEST_CASE("R10: a write lock that is not had before --wait is over") {
  TwoOpen world;
  world.options.wait_ns = 3 * ns_per_second;
  world.recording->busy_from = world.recording->commits;
  for (const DriveResult& result : world.resume_and_see(second_paid(world))) CHECK(result.end == DriveEnd::open);
  world.recording->busy_from.reset();
  check_saved(world);
}
