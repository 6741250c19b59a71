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

/// PAYTOWER_CRASH_STEP: every so manieth call is tried; 1 = all of them, 5 without it.
[[nodiscard]] std::uint64_t crash_step();

struct Mode {
  const char* name;
  DiskFault fault;
};

/// Killed before and after each call, all unsynced kept, dropped, chosen or torn; IOERR, FULL and BUSY at each call.
/// And at each hand-over: killed before it, in its middle and behind it, and its connection cut off.
[[nodiscard]] std::vector<Mode> modes();

/// Runs `try_one` for each mode with the fault at ever later calls, until it returns false: the fault was not reached.
/// It adds a line for every broken rule, which fails the test; the points are printed, and their sum when the process
/// ends.
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
  std::function<void(CrashWorld&)> act;                               ///< the fault comes in here
  std::function<void(CrashWorld&, std::vector<std::string>&)> after;  ///< what must hold once everything has ended
  std::uint64_t rarely = 1;  ///< a long flow: so many times fewer of its calls, unless every call is asked for
};

/// One point; true when the fault was reached. `mutant` holds while the flow acts.
[[nodiscard]] bool try_point(const Flow& flow, const DiskFault& fault, std::vector<std::string>& broken,
                             Mutant mutant = Mutant::none);
void try_all_points(const Flow& flow);

/// A database, and nothing in it.
void make_database(CrashWorld& world);
/// An invoice that is paid at the second attempt.
[[nodiscard]] sim::InvoiceParams fails_once();
/// Two attempts, the first of which fails.
[[nodiscard]] Flow send_flow();
/// Six payments at once, whose ticks share their commits: paid, paid at the second attempt, failed, lost on its way,
/// and one that was paid before and is asked for again.
[[nodiscard]] Flow batch_flow();
/// A payment in three parts, the first of which fails and is replaced: none of our channels holds what two have to.
[[nodiscard]] Flow parts_flow();
/// Three at once: in three parts, in several with one lost, and in one piece.
[[nodiscard]] Flow parts_batch_flow();
void must_be(CrashWorld& world, const PaymentHash& hash, PaymentStatus status, std::vector<std::string>& broken);

}  // namespace paytower::test
