// `resolve --restored`: a database that was restored from an old backup is made usable again.
#pragma once

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"

namespace paytower::cli {

[[nodiscard]] ExitCode resolve_restored(bool yes, Session& session);

}  // namespace paytower::cli
