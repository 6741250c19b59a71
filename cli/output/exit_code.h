// The frozen table of exit codes. Scripts rely on every line of it: a number never changes its meaning.
#pragma once

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

/// Column of core/base/error_codes.inc.
[[nodiscard]] inline ExitCode exit_code_of(Errc code) { return static_cast<ExitCode>(kind_of(code).exit_code); }

}  // namespace paytower::cli
