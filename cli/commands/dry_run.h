// The result of send --dry-run: refusals as send words them, everything else in words of its own.
#pragma once

#include <vector>

#include "cli/commands/send_options.h"
#include "cli/commands/session.h"
#include "core/driver/driver.h"

namespace paytower::cli {

/// Refused before it came to a route, or to an end.
[[nodiscard]] bool is_refusal(const DriveResult& result, const std::vector<Route>& planned);

/// What all parts together pay as fees.
[[nodiscard]] Msat fees_of(const std::vector<Route>& planned);

/// How the send of this call would end, and the exit code of that. `planned`: the routes that it would take, one a
/// part; empty where it came to another end. {"dry_run":true,...} or a sentence.
ExitCode tell_dry_run(Session& session, const ConsoleObserver& observer, const DriveResult& told,
                      const std::vector<Route>& planned);

}  // namespace paytower::cli
