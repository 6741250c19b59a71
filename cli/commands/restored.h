// `resolve --restored`: a database that was restored from an old backup is made usable again.
#pragma once

#include "cli/output/exit_code.h"
#include "cli/session.h"

namespace paytower::cli {

[[nodiscard]] ExitCode resolve_restored(bool yes, Session& session);

}  // namespace paytower::cli
