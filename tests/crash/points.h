// Crash points: a flow is run with the fault at the first call to the disk, at the second, ... until it is not reached
// any more.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/crash_world.h"

namespace paytower::test {

inline constexpr std::uint64_t most_points = 5'000;

/// PAYTOWER_CRASH_STEP: every Nth call is tried. 1: all of them; 5 if it is not set.
[[nodiscard]] std::uint64_t crash_step();

struct Mode {
  const char* name;
  DiskFault fault;
};

/// Killed before and after each call, with all unsynced writes kept, dropped, chosen or torn; IOERR, FULL and BUSY at
/// each call. And at each hand-over: killed before it, in its middle and after it, and its connection lost.
[[nodiscard]] std::vector<Mode> modes();

/// Runs `try_one` for each mode with the fault at later and later calls, until it returns false: the fault was not
/// reached. It adds a line for every broken rule, which fails the test. The number of points is printed, and their sum
/// when the process ends.
void try_points(const char* flow,
                const std::function<bool(const DiskFault& fault, std::vector<std::string>& broken)>& try_one,
                std::uint64_t rarely = 1);
/// The same for one mode alone. Returns the number of points.
std::uint64_t try_mode(const char* flow, const Mode& mode, std::uint64_t first,
                       const std::function<bool(const DiskFault& fault, std::vector<std::string>& broken)>& try_one,
                       std::uint64_t rarely = 1);

struct Flow {
  const char* name;
  std::function<void(CrashWorld&)> prepare;                           ///< on a sound disk
  std::function<void(CrashWorld&)> act;                               ///< the fault strikes during this
  std::function<void(CrashWorld&, std::vector<std::string>&)> after;  ///< what must hold once everything has ended
  std::uint64_t rarely = 1;  ///< for a long flow: only every Nth of its calls is tried, unless all calls are asked for
};

/// Tries one point; true if the fault was reached. The bug `mutant` is there while the flow acts.
[[nodiscard]] bool try_point(const Flow& flow, const DiskFault& fault, std::vector<std::string>& broken,
                             Mutant mutant = Mutant::none);
void try_all_points(const Flow& flow);

/// Makes an empty database.
void make_database(CrashWorld& world);
/// An invoice that is paid at the second attempt.
[[nodiscard]] sim::InvoiceParams fails_once();
/// Two attempts, the first of which fails.
[[nodiscard]] Flow send_flow();
/// Six payments at once, whose ticks share their commits: paid, paid at the second attempt, failed, lost on its way,
/// and one that was paid before and is asked for again.
[[nodiscard]] Flow batch_flow();
/// A payment in three parts, the first of which fails and is replaced. None of our channels has enough for two parts.
[[nodiscard]] Flow parts_flow();
/// Three payments at once: in three parts, in several parts with one lost, and in one piece.
[[nodiscard]] Flow parts_batch_flow();
void must_be(CrashWorld& world, const PaymentHash& hash, PaymentStatus status, std::vector<std::string>& broken);

}  // namespace paytower::test
