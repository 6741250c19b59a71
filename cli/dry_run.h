// `send --dry-run`: everything that a send asks before it acts, and nothing that it would store or hand over.
#pragma once

#include "cli/options.h"
#include "cli/session.h"
#include "core/payment.h"

namespace paytower::cli {

[[nodiscard]] ExitCode dry_run_send(const SendOptions& options, PaymentRequest request, Session& session, Switch& node);

}  // namespace paytower::cli
