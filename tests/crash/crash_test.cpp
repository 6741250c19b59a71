// Goal: killed, cut off from power or refused by the disk at any call, paytower loses and repeats no payment. Method: each
// flow is run again and again, with the fault at the first call, at the second, ... until it is not reached any more; then
// the machine starts again, everything is resumed, and the network's own ledger judges. PAYTOWER_CRASH_STEP=1 tries every
// call, a larger step every so manieth (from a start that differs from mode to mode); without it, every fifth.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

#include <sys/wait.h>
#include <unistd.h>

#include "db/migrator.h"
#include "tests/crash/crash_world.h"
#include "tests/migrations/legacy_maker.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::uint64_t most_points = 5'000;

std::uint64_t step() {
  static const std::uint64_t chosen = [] {
    const char* const text = std::getenv("PAYTOWER_CRASH_STEP");
    return text == nullptr ? 5ULL : std::max(1ULL, std::strtoull(text, nullptr, 10));
  }();
  return chosen;
}

struct Mode {
  const char* name;
  DiskFault fault;
};

const std::set<DiskCall> all_calls = {DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove, DiskCall::open, DiskCall::lock};

std::vector<Mode> modes() {
  using Kind = DiskFault::Kind;
  const std::set<DiskCall> changes = DiskFault{}.calls;
  return {
      {"kill before", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::kept, 0}},
      {"kill after", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::kept, 0}},
      {"power cut before, unsynced dropped", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"power cut after, unsynced dropped", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"power cut, some unsynced dropped", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::chosen, 1}},
      {"power cut, some others dropped", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::chosen, 2}},
      {"power cut, last write torn", {Kind::kill_after, 0, {DiskCall::write}, SQLITE_IOERR, Unsynced::torn, 3}},
      {"IOERR", {Kind::error, 0, all_calls, SQLITE_IOERR, Unsynced::kept, 0}},
      {"FULL", {Kind::error, 0, {DiskCall::write, DiskCall::truncate}, SQLITE_FULL, Unsynced::kept, 0}},
      {"BUSY", {Kind::error, 0, {DiskCall::lock}, SQLITE_BUSY, Unsynced::kept, 0}},
  };
}

struct Flow {
  const char* name;
  std::function<void(CrashWorld&)> prepare;     ///< on a sound disk
  std::function<void(CrashWorld&)> act;         ///< the fault comes in here
  std::function<void(CrashWorld&, std::vector<std::string>&)> after;   ///< what must hold once everything has ended
};

void must_be(CrashWorld& world, const PaymentHash& hash, PaymentStatus status, std::vector<std::string>& broken) {
  if (world.status(hash) != status) broken.push_back("not the expected end");
}

/// One point; true when the fault was reached.
bool try_point(const Flow& flow, const DiskFault& fault, std::vector<std::string>& broken, bool lying = false) {
  CrashWorld world;
  flow.prepare(world);
  world.disk.lying = lying;
  world.disk.arm(fault);
  flow.act(world);
  const bool struck = world.disk.struck();
  world.power_on();
  world.disk.lying = false;
  broken = world.judge();
  if (!world.to_the_end(world.requests)) broken.push_back("R17: no end was reached");
  for (std::string& line : world.judge()) broken.push_back("at the end: " + std::move(line));
  flow.after(world, broken);
  return struck;
}

void try_all_points(const Flow& flow) {
  std::uint64_t start = 1;
  for (Mode mode : modes()) {
    std::uint64_t points = 0;
    for (std::uint64_t n = 1 + start++ % step(); n < most_points; n += step()) {
      mode.fault.at = n;
      mode.fault.seed += n * 1'000;
      std::vector<std::string> broken;
      const bool struck = try_point(flow, mode.fault, broken);
      INFO(flow.name << ", " << mode.name << ", call " << n);
      for (const std::string& line : broken) FAIL_CHECK(line);
      if (!struck) break;
      ++points;
    }
    CHECK(points < most_points / step());
    std::printf("%s: %s: %llu points\n", flow.name, mode.name, static_cast<unsigned long long>(points));
  }
}

sim::InvoiceParams fails_once() {
  sim::InvoiceParams params;
  params.fail = *sim::parse_fail_spec("TEMPORARY_CHANNEL_FAILUREx1");
  return params;
}

void make_database(CrashWorld& world) {
  REQUIRE(world.process([](Process&) {}));
}

/// Two attempts, the first of which fails.
Flow send_flow() {
  return {"send", [](CrashWorld& world) { make_database(world); world.invoice(fails_once()); },
          [](CrashWorld& world) { world.send(world.requests[0]); },
          [](CrashWorld& world, auto& broken) { must_be(world, world.requests[0].hash, PaymentStatus::succeeded, broken); }};
}

}  // namespace

TEST_CASE("crash: send") { try_all_points(send_flow()); }

TEST_CASE("crash: the first send, which makes the database") {
  Flow flow = send_flow();
  flow.name = "first send";
  flow.prepare = [](CrashWorld& world) { world.invoice(); };
  try_all_points(flow);
}

TEST_CASE("crash: resume of a held payment that was settled meanwhile") {
  try_all_points({"resume",
                  [](CrashWorld& world) {
                    sim::InvoiceParams held;
                    held.hold.ns = sim::Hold::forever;
                    const auto request = world.invoice(held);
                    REQUIRE(world.send(request, 1));
                    REQUIRE(world.admin.release(request.hash, std::nullopt));
                  },
                  [](CrashWorld& world) { world.resume(); },
                  [](CrashWorld& world, auto& broken) { must_be(world, world.requests[0].hash, PaymentStatus::succeeded, broken); }});
}

TEST_CASE("crash: cancel of a payment whose request was lost") {
  try_all_points({"cancel",
                  [](CrashWorld& world) {
                    const auto request = world.invoice();
                    sim::Fault lost;
                    lost.kind = sim::FaultKind::lose_reply;
                    lost.step = sim::Step::before_dispatch;
                    world.admin.add_fault(lost);
                    REQUIRE(world.send(request, 1));
                  },
                  [](CrashWorld& world) {
                    if (world.cancel(world.requests[0].hash)) world.resume();
                  },
                  [](CrashWorld& world, auto& broken) {
                    // Without the word, the payment goes on and is paid.
                    const PaymentStatus status = world.status(world.requests[0].hash);
                    if (status != PaymentStatus::failed && status != PaymentStatus::succeeded) broken.push_back("not the expected end");
                  }});
}

TEST_CASE("crash: delete") {
  try_all_points({"delete",
                  [](CrashWorld& world) {
                    REQUIRE(world.send(world.invoice()));
                    sim::InvoiceParams never;
                    never.fail = *sim::parse_fail_spec("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
                    REQUIRE(world.send(world.invoice(never)));
                  },
                  [](CrashWorld& world) { world.remove_all(); },
                  [](CrashWorld& world, auto& broken) {
                    if (!world.remove_all()) broken.push_back("delete does not go on");
                    world.send(world.requests[0]);
                    for (std::string& line : world.judge()) broken.push_back("sent again: " + std::move(line));
                  }});
}

TEST_CASE("crash: a disk whose syncs do nothing is found out") {
  // The test of the test: the same check, on a disk that breaks the promise which the rules stand on.
  bool found = false;
  DiskFault cut{DiskFault::Kind::kill_after, 0, DiskFault{}.calls, SQLITE_IOERR, Unsynced::dropped, 0};
  for (cut.at = 1; cut.at < most_points && !found; ++cut.at) {
    std::vector<std::string> broken;
    const bool struck = try_point(send_flow(), cut, broken, true);
    for (const std::string& line : broken) found |= line.starts_with("R1: an HTLC of ours has no attempt");
    if (!struck) break;
  }
  CHECK(found);
}

namespace {

constexpr std::int64_t legacy_payments = 12;

/// What a migration is about: everything else of the world stands still.
VersionOne old_content() {
  VersionOne made;
  for (std::int64_t i = 1; i <= legacy_payments; ++i) {
    LegacyFields fields;
    fields.preimage = numbered_preimage(static_cast<std::uint64_t>(i));
    made.records.emplace_back(i, legacy_record(fields));
  }
  return made;
}

/// Nothing when it was not reached to its end.
std::optional<db::MigrateReport> migrate(const std::string& path) {
  db::OpenOptions any;
  any.any_version = true;
  try {
    db::Connection connection(path, db::OpenMode::read_write, db::payment_file(), any);
    db::WriteLock lock(connection.real_path(), 0);
    db::MigrateRequest asked;
    asked.now = UnixNs{777};
    return db::Migrator(connection, lock).run(asked, {});
  } catch (const StoreError&) {
  } catch (const RefusalError&) {
  } catch (const SQLite::Exception&) {
  }
  return std::nullopt;
}

bool try_migration(const DiskFault& fault, std::vector<std::string>& broken) {
  FaultDisk& disk = FaultDisk::instance();
  disk.become_default();
  const TempFolder folder;
  const std::string path = folder.file("payments.db");
  make_version_one(path, old_content());
  disk.forget();
  disk.arm(fault);
  const bool claimed = migrate(path).has_value();
  const bool struck = disk.struck();
  const bool died = disk.dead();
  disk.recover();
  // Counted by hand, so that the code under test does not judge itself.
  const auto payments = [&] {
    SQLite::Database file(path, SQLite::OPEN_READWRITE);
    if (file.execAndGet("PRAGMA integrity_check").getString() != "ok") broken.emplace_back("integrity_check");
    const bool old = file.execAndGet("PRAGMA user_version").getInt() == 1;
    if (old && claimed && !died) broken.emplace_back("said to be migrated, and is not");
    const char* const table = old ? "outgoing_payments" : "payments";
    return file.execAndGet(std::string("SELECT count(*) FROM ") + table).getInt64();
  };
  try {
    if (payments() != legacy_payments) broken.emplace_back("R14: records are missing after the fault");
    if (!migrate(path)) broken.emplace_back("R17: the rerun does not end");
    if (payments() != legacy_payments) broken.emplace_back("R14: records are missing after the rerun");
  } catch (const std::exception& error) {
    broken.push_back(std::string("the database cannot be read: ") + error.what());
  }
  disk.forget();
  return struck;
}

}  // namespace

TEST_CASE("crash: migrate") {
  std::uint64_t start = 1;
  for (Mode mode : modes()) {
    std::uint64_t points = 0;
    for (std::uint64_t n = 1 + start++ % step(); n < most_points; n += step()) {
      mode.fault.at = n;
      mode.fault.seed += n * 1'000;
      std::vector<std::string> broken;
      const bool struck = try_migration(mode.fault, broken);
      INFO(mode.name << ", call " << n);
      for (const std::string& line : broken) FAIL_CHECK(line);
      if (!struck) break;
      ++points;
    }
    std::printf("migrate: %s: %llu points\n", mode.name, static_cast<unsigned long long>(points));
  }
}

TEST_CASE("crash: an operator's shell opens and closes the database between any two steps, whatever fails beside it") {
  Flow flow = send_flow();
  flow.name = "send beside a shell";
  flow.act = [](CrashWorld& world) {
    world.shell_between_steps = true;
    world.operator_shell();
    world.send(world.requests[0]);
    if (!world.disk.dead()) world.operator_shell();
    world.shell_between_steps = false;
  };
  try_all_points(flow);
}

TEST_CASE("crash: two processes write and checkpoint at the same instant") {
  constexpr int rounds = 20;
  constexpr int payments_each = 5;
  for (int round = 0; round < rounds; ++round) {
    CrashWorld world(static_cast<std::uint64_t>(round + 1));
    make_database(world);
    for (int i = 0; i < 2 * payments_each; ++i) world.invoice();
    // Each child is a process with its own connections; its network is its copy of ours and goes with it.
    const auto child = [&](int which) {
      const pid_t started = fork();
      if (started != 0) return started;
      bool all = true;
      for (int i = 0; i < payments_each; ++i) {
        all &= world.process([&](Process& process) {
          // Both start each round together as nearly as two processes can: on the same tick, with a checkpoint after each.
          Payment fresh;
          fresh.request = world.requests[static_cast<std::size_t>(which * payments_each + i)];
          const std::vector<Write> init = {InitPayment{}};
          const PaymentWrites writes{&fresh, init};
          if (!process.store.commit(std::span(&writes, 1)).front()) throw StoreError("refused");
          auto held = process.write_lock.acquire();
          if (!held) throw StoreError("busy");
          sqlite3_wal_checkpoint_v2(process.connection.database().getHandle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
        });
      }
      _exit(all ? 0 : 1);
    };
    const pid_t first = child(0);
    const pid_t second = child(1);
    for (const pid_t one : {first, second}) {
      int ended = -1;
      REQUIRE(waitpid(one, &ended, 0) == one);
      CHECK(ended == 0);
    }
    Process process(world.path);
    CHECK(process.connection.database().execAndGet("PRAGMA integrity_check").getString() == "ok");
    CHECK(process.connection.database().execAndGet("SELECT count(*) FROM payments").getInt() == 2 * payments_each);
  }
}
