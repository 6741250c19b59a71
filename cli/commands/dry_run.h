// send --dry-run: the same questions as send, and no act.
#pragma once

#include "cli/commands/send_options.h"
#include "core/driver/driver.h"

namespace paytower::cli {

/// What a send of this call would come to.
struct Forecast {
  ExitCode code = ExitCode::ok;
  std::optional<Errc> refusal{};
  std::vector<Route> routes{};      ///< one a part
  std::optional<Payment> failed{};  ///< as it would end without a route
  std::string words{};
};

/// Of what the database knows of the hash already.
[[nodiscard]] Forecast forecast_of(const DriveResult& known);
/// --idempotent, and somebody has begun this payment already.
[[nodiscard]] Forecast forecast_of_join();
ExitCode tell_dry_run(Session& session, const Forecast& forecast);

/// Asks the switch, which has said who it is, about a hash that the database does not know: {"dry_run":true,...} or a
/// sentence, and the exit code that the send would have. `database` is null when there is none yet.
ExitCode dry_run_send(const SendOptions& options, PaymentRequest request, const HashState& state, Database* database,
                      Session& session, Switch& node);

}  // namespace paytower::cli
