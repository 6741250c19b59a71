// `resolve --restored`: an old copy of a database is put back to use.
#pragma once

#include "cli/output/exit_code.h"
#include "cli/session.h"

namespace paytower::cli {

[[nodiscard]] ExitCode resolve_restored(bool yes, Session& session);

}  // namespace paytower::cli
