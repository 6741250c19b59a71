// Runs a flow once for each call to the disk, with a fault at that call.
#include "tests/crash/points.h"

#include <cstdio>
#include <cstdlib>

#include <doctest/doctest.h>

namespace paytower::test {

namespace {

/// Counts the points of this process, and prints the sum at its end.
struct Total {
  ~Total() {
    if (points > 0) std::printf("crash points tried: %ju\n", std::uintmax_t{points});
  }
  std::uint64_t points = 0;
};
Total total;

}  // namespace

std::uint64_t crash_step() {
  static const std::uint64_t chosen = [] {
    const char* const text = std::getenv("PAYTOWER_CRASH_STEP");
    return text == nullptr ? std::uint64_t{5} : std::max<std::uint64_t>(1, std::strtoull(text, nullptr, 10));
  }();
  return chosen;
}

std::vector<Mode> modes() {
  using Kind = DiskFault::Kind;
  const std::set<DiskCall> changes = DiskFault{}.calls;
  const std::set<DiskCall> all = {DiskCall::write,  DiskCall::sync, DiskCall::truncate,
                                  DiskCall::remove, DiskCall::open, DiskCall::lock};
  return {
      {"kill before", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::kept, 0}},
      {"kill after", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::kept, 0}},
      {"power cut before, unsynced dropped", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"power cut after, unsynced dropped", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"power cut, some unsynced dropped", {Kind::kill_after, 0, changes, SQLITE_IOERR, Unsynced::chosen, 1}},
      {"power cut, some others dropped", {Kind::kill_before, 0, changes, SQLITE_IOERR, Unsynced::chosen, 2}},
      {"power cut, last write torn", {Kind::kill_after, 0, {DiskCall::write}, SQLITE_IOERR, Unsynced::torn, 3}},
      {"IOERR", {Kind::error, 0, all, SQLITE_IOERR, Unsynced::kept, 0}},
      {"FULL", {Kind::error, 0, {DiskCall::write, DiskCall::truncate}, SQLITE_FULL, Unsynced::kept, 0}},
      {"FULL from then on",
       {Kind::lasting_error, 0, {DiskCall::write, DiskCall::truncate}, SQLITE_FULL, Unsynced::kept, 0}},
      {"BUSY", {Kind::error, 0, {DiskCall::lock}, SQLITE_BUSY, Unsynced::kept, 0}},
      {"kill before a hand-over", {Kind::kill_before, 0, {DiskCall::handover}, SQLITE_IOERR, Unsynced::kept, 0}},
      {"power cut before a hand-over",
       {Kind::kill_before, 0, {DiskCall::handover}, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"kill in a hand-over", {Kind::kill_after, 0, {DiskCall::handover}, SQLITE_IOERR, Unsynced::torn, 4}},
      {"power cut behind a hand-over", {Kind::kill_after, 0, {DiskCall::handover}, SQLITE_IOERR, Unsynced::dropped, 0}},
      {"cut off at a hand-over", {Kind::error, 0, {DiskCall::handover}, SQLITE_IOERR, Unsynced::kept, 0}},
  };
}

std::uint64_t try_mode(const char* flow, const Mode& mode, std::uint64_t first,
                       const std::function<bool(const DiskFault&, std::vector<std::string>&)>& try_one,
                       std::uint64_t rarely) {
  std::uint64_t points = 0;
  // There are few hand-overs, so all of them are tried.
  const bool each = mode.fault.calls.contains(DiskCall::handover);
  const std::uint64_t step = each || crash_step() == 1 ? 1 : crash_step() * rarely;
  for (std::uint64_t n = each ? 1 : first; n < most_points; n += step) {
    DiskFault fault = mode.fault;
    fault.at = n;
    fault.seed += n * 1'000;
    std::vector<std::string> broken;
    const bool struck = try_one(fault, broken);
    INFO(flow << ", " << mode.name << ", call " << n << "; PAYTOWER_CRASH_STEP=1 crash_test tries every call");
    for (const std::string& line : broken) FAIL_CHECK(line);
    if (!struck) break;
    ++points;
  }
  CHECK(points < most_points / step);
  total.points += points;
  return points;
}

void try_points(const char* flow, const std::function<bool(const DiskFault&, std::vector<std::string>&)>& try_one,
                std::uint64_t rarely) {
  std::uint64_t start = 1;  // a different one for each mode
  for (const Mode& mode : modes()) {
    const std::uint64_t points = try_mode(flow, mode, 1 + start++ % crash_step(), try_one, rarely);
    std::printf("%s: %s: %ju points\n", flow, mode.name, std::uintmax_t{points});
  }
}

bool try_point(const Flow& flow, const DiskFault& fault, std::vector<std::string>& broken, Mutant mutant) {
  CrashWorld world;
  flow.prepare(world);
  world.become(mutant);
  world.disk.arm(fault);
  flow.act(world);
  const bool struck = world.disk.struck();
  world.power_on();
  world.become(Mutant::none);
  broken = world.judge();
  if (!world.to_the_end(world.requests)) broken.push_back("R17: no end was reached");
  for (std::string& line : world.judge()) broken.push_back("at the end: " + std::move(line));
  flow.after(world, broken);
  return struck;
}

void try_all_points(const Flow& flow) {
  try_points(
      flow.name,
      [&](const DiskFault& fault, std::vector<std::string>& broken) { return try_point(flow, fault, broken); },
      flow.rarely);
}

void make_database(CrashWorld& world) {
  REQUIRE(world.process([](Process&) {}));
}

sim::InvoiceParams fails_once() {
  sim::InvoiceParams params;
  params.fail = *sim::parse_fail_spec("TEMPORARY_CHANNEL_FAILUREx1");
  return params;
}

Flow send_flow() {
  return {"send",
          [](CrashWorld& world) {
            make_database(world);
            world.invoice(fails_once());
          },
          [](CrashWorld& world) { world.send(world.requests[0]); },
          [](CrashWorld& world, auto& broken) {
            must_be(world, world.requests[0].hash, PaymentStatus::succeeded, broken);
          }};
}

Flow batch_flow() {
  return {"batch",
          [](CrashWorld& world) {
            REQUIRE(world.send(world.invoice()));
            world.invoice();
            world.invoice();
            world.invoice(fails_once());
            sim::InvoiceParams never;
            never.fail = *sim::parse_fail_spec("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
            world.invoice(never);
            world.invoice();
            world.node.faults().add(
                {.kind = sim::FaultKind::ignore, .occasion = "sendpay", .hash = world.requests[5].hash, .times = 1});
          },
          [](CrashWorld& world) { world.send_all(world.requests); },
          [](CrashWorld& world, auto& broken) {
            for (std::size_t i = 0; i < world.requests.size(); ++i) {
              must_be(world, world.requests[i].hash, i == 4 ? PaymentStatus::failed : PaymentStatus::succeeded, broken);
            }
          }};
}

namespace {

PaymentRequest& in_parts(CrashWorld& world, std::uint64_t msat, sim::InvoiceParams params = {}) {
  params.amount = Msat::of(msat);
  world.invoice(params);
  world.requests.back().max_parts = 6;
  return world.requests.back();
}

void all_paid(CrashWorld& world, std::vector<std::string>& broken) {
  for (const PaymentRequest& request : world.requests) must_be(world, request.hash, PaymentStatus::succeeded, broken);
}

}  // namespace

Flow parts_flow() {
  return {"three parts",
          [](CrashWorld& world) {
            make_database(world);
            world.hold_in_each([] { return Msat::of(150'000); });
            in_parts(world, 280'000, fails_once());
          },
          [](CrashWorld& world) { world.send(world.requests[0]); }, all_paid, 4};
}

Flow parts_batch_flow() {
  return {"a batch in parts",
          [](CrashWorld& world) {
            make_database(world);
            world.hold_in_each([] { return Msat::of(200'000); });
            in_parts(world, 380'000);
            const PaymentHash lost = in_parts(world, 220'000).hash;
            in_parts(world, 50'000);
            world.node.faults().add(
                {.kind = sim::FaultKind::ignore, .occasion = "sendpay", .hash = lost, .part = 2, .times = 1});
          },
          [](CrashWorld& world) { world.send_all(world.requests); }, all_paid, 4};
}

void must_be(CrashWorld& world, const PaymentHash& hash, PaymentStatus status, std::vector<std::string>& broken) {
  if (world.status(hash) != status) broken.push_back("not the expected end");
}

}  // namespace paytower::test
