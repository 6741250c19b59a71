// Goal: killed, cut off from power or refused by the disk at any call, paytower loses and repeats no payment. Method:
// each flow is run again and again, with the fault at the first call, at the second, ... until it is not reached any
// more, and the same at each hand-over; then the machine starts again, everything is resumed, and the network's own
// ledger decides what really happened. PAYTOWER_CRASH_STEP=N tries every Nth call, starting at a different call in each
// mode; 1 tries all, and the default is 5.
#include <algorithm>
#include <cstdio>

#include <doctest/doctest.h>

#include "tests/crash/points.h"

using namespace paytower;
using namespace paytower::test;

TEST_CASE("crash: send") { try_all_points(send_flow()); }

TEST_CASE("crash: a batch, whose payments share their commits") { try_all_points(batch_flow()); }

TEST_CASE("crash: a payment in three parts, one of which is replaced") { try_all_points(parts_flow()); }

TEST_CASE("crash: a batch of payments in parts, one of which is lost on its way") {
  try_all_points(parts_batch_flow());
}

TEST_CASE("crash: the payments of these flows go in the parts that they say") {
  const auto parts_in = [](const Flow& flow, std::size_t which) {
    CrashWorld world;
    flow.prepare(world);
    flow.act(world);
    const auto made = world.oracle(world.requests[which].hash);
    return std::count_if(made.begin(), made.end(),
                         [](const auto& entry) { return entry.state != sim::OracleState::failed; });
  };
  CHECK(parts_in(parts_flow(), 0) == 3);
  CHECK(parts_in(parts_batch_flow(), 0) == 3);
  CHECK(parts_in(parts_batch_flow(), 1) >= 2);
  CHECK(parts_in(parts_batch_flow(), 2) == 1);
}

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
                  [](CrashWorld& world, auto& broken) {
                    must_be(world, world.requests[0].hash, PaymentStatus::succeeded, broken);
                  }});
}

TEST_CASE("crash: cancel of a payment whose request was lost") {
  try_all_points({"cancel",
                  [](CrashWorld& world) {
                    const auto request = world.invoice();
                    world.node.faults().add({.kind = sim::FaultKind::ignore, .occasion = "sendpay", .times = 1});
                    REQUIRE(world.send(request, 1));
                  },
                  [](CrashWorld& world) {
                    if (world.cancel(world.requests[0].hash)) world.resume();
                  },
                  [](CrashWorld& world, auto& broken) {
                    // If the cancel was not stored, the payment goes on and is paid.
                    const PaymentStatus status = world.status(world.requests[0].hash);
                    if (status != PaymentStatus::failed && status != PaymentStatus::succeeded)
                      broken.push_back("not the expected end");
                  }});
}

TEST_CASE("crash: a process is killed, and the machine loses its power under the next one") {
  // What the first process wrote and did not sync can be read by the second one, but is gone after the power cut. So
  // the second one must not act on it before it is durable (R1).
  const Mode cut{"power cut", {DiskFault::Kind::kill_before, 0, DiskFault{}.calls, SQLITE_IOERR, Unsynced::dropped, 0}};
  std::uint64_t points = 0;
  bool reached = true;
  for (std::uint64_t first = 1; reached && first < most_points; ++first) {
    Flow flow = send_flow();
    flow.prepare = [&](CrashWorld& world) {
      make_database(world);
      world.invoice(fails_once());
      world.disk.arm({DiskFault::Kind::kill_before, first, DiskFault{}.calls, SQLITE_IOERR, Unsynced::kept, 0});
      world.send(world.requests[0]);
      reached = world.disk.struck();
      world.power_on();
    };
    flow.act = [](CrashWorld& world) { world.resume(); };
    points += try_mode(
        "killed, then a power cut", cut, 1 + first % crash_step(),
        [&](const DiskFault& fault, std::vector<std::string>& broken) { return try_point(flow, fault, broken); });
  }
  CHECK(points > 0);
  std::printf("killed, then a power cut: %ju points\n", std::uintmax_t{points});
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
