// Goal: the crash tests can fail. Method: each flow again with one known bug, until one of the points reports the right
// rule as broken.
#include <string_view>

#include <doctest/doctest.h>

#include "tests/crash/points.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// The number of the call at which `rule` is broken; 0 if it never is. Tries every `step`-th call.
std::uint64_t found_at(const Flow& flow, Mutant mutant, DiskFault fault, std::string_view rule,
                       std::uint64_t step = 1) {
  for (fault.at = 1; fault.at < most_points; fault.at += step) {
    std::vector<std::string> broken;
    const bool struck = try_point(flow, fault, broken, mutant);
    for (const std::string& line : broken) {
      if (line.find(rule) != std::string::npos) return fault.at;
    }
    if (!struck) return 0;
  }
  return 0;
}

DiskFault of_mode(std::string_view name) {
  for (const Mode& mode : modes()) {
    if (name == mode.name) return mode.fault;
  }
  FAIL("no such mode");
  return {};
}

constexpr const char* forgotten = "R1: an HTLC of ours has no attempt in the database";

}  // namespace

TEST_CASE("crash mutants: a disk whose syncs do nothing") {
  CHECK(found_at(send_flow(), Mutant::no_sync, of_mode("power cut after, unsynced dropped"), forgotten) > 0);
}

TEST_CASE("crash mutants: commits that do not wait for the disk (synchronous = NORMAL)") {
  CHECK(found_at(send_flow(), Mutant::synchronous_normal, of_mode("power cut before, unsynced dropped"), forgotten) >
        0);
  // A kill without a power cut loses nothing: only a power cut finds this bug.
  CHECK(found_at(send_flow(), Mutant::synchronous_normal, of_mode("kill before"), forgotten) == 0);
}

TEST_CASE("crash mutants: the attempt is recorded after it was handed over") {
  CHECK(found_at(send_flow(), Mutant::hands_over_first, of_mode("kill before"), forgotten) > 0);
  CHECK(found_at(send_flow(), Mutant::hands_over_first, of_mode("FULL"), forgotten) > 0);
}

TEST_CASE("crash mutants: the attempts of a batch are recorded after they were handed over") {
  CHECK(found_at(batch_flow(), Mutant::hands_over_first, of_mode("kill before"), forgotten) > 0);
}

TEST_CASE("crash mutants: the second part of a round is recorded after it was handed over") {
  CHECK(found_at(parts_flow(), Mutant::hands_over_second, of_mode("kill before"), forgotten) > 0);
  CHECK(found_at(parts_flow(), Mutant::hands_over_second, of_mode("FULL"), forgotten) > 0);
  // A payment in one piece has no second part.
  CHECK(found_at(send_flow(), Mutant::hands_over_second, of_mode("kill before"), "R") == 0);
}

TEST_CASE("crash mutants: the parts of a round are recorded in two commits") {
  CHECK(found_at(parts_flow(), Mutant::splits_rounds, of_mode("kill before"), "R1: a round is stored in pieces") > 0);
  CHECK(found_at(send_flow(), Mutant::splits_rounds, of_mode("kill before"), "R") == 0);
}

TEST_CASE("crash mutants: what the database could not store counts as stored") {
  CHECK(found_at(send_flow(), Mutant::claims, of_mode("IOERR"), "R1: ") > 0);
}

TEST_CASE("crash mutants: without a bug, none of these is found") {
  for (const char* mode :
       {"power cut after, unsynced dropped", "power cut before, unsynced dropped", "kill before", "FULL", "IOERR"}) {
    CHECK(found_at(send_flow(), Mutant::none, of_mode(mode), "R", crash_step()) == 0);
    CHECK(found_at(parts_flow(), Mutant::none, of_mode(mode), "R", crash_step()) == 0);
  }
}
