// The frozen table of exit codes. Scripts rely on every line of it: a number never changes its meaning.
#pragma once

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace paytower::cli {

enum class ExitCode : int {
  ok = 0,                  ///< paid, or done
  internal = 1,            ///< a bug, or stdout not writable: `show` before paying again
  usage = 2,               ///< bad flags, amount, invoice, input file; nothing was written
  payment_failed = 3,      ///< FAILED for good, no HTLC in flight: may be paid again
  outcome_unknown = 4,     ///< open or cannot tell: never pay again, run `resume`
  refused = 5,             ///< already paid, in flight, ended, parameters differ; nothing changed
  busy = 6,                ///< another paytower holds it; the same call may be made later
  switch_unavailable = 7,  ///< no connection, and nothing of the hash was ever sent
  database = 8,            ///< cannot open, corrupt, schema older or newer, failed commit, restored from an old backup
  not_found = 9,           ///< no such payment, or an ambiguous prefix
  not_confirmed = 10,      ///< the answer was no, or a prompt was needed without a TTY
  quarantined = 12,        ///< migrate is complete, but unreadable records are kept separately
};

/// 128 + the signal's number: the outcome is open, as with outcome_unknown.
[[nodiscard]] constexpr ExitCode interrupted_by(int signal) { return static_cast<ExitCode>(128 + signal); }

[[nodiscard]] constexpr int number(ExitCode code) { return static_cast<int>(code); }

/// What one payment of a batch needs most is what the call says: the order of paytower-send(1), BATCH. By number, 0 to
/// 12; a signal's code is the last.
[[nodiscard]] constexpr unsigned badness(ExitCode code) {
  constexpr std::array<unsigned, 14> weights{0, 8, 1, 2, 6, 3, 4, 5, 9, 1, 1, 7, 1, 7};
  return weights.at(std::min<std::size_t>(static_cast<std::size_t>(code), weights.size() - 1));
}

/// Column of core/base/error_codes.inc.
[[nodiscard]] inline ExitCode exit_code_of(Errc code) { return static_cast<ExitCode>(kind_of(code).exit_code); }

}  // namespace paytower::cli
