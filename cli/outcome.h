// Driving payments and saying what became of them: what `send`, `resume` and `cancel` have in common.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/session.h"
#include "core/driver.h"

namespace paytower::cli {

/// How long one question before the drive may take, so that --wait stays a bound.
[[nodiscard]] std::int64_t question_patience(const std::optional<std::int64_t>& wait_ns);
/// What is left of --wait after `spent_ns`. 0 keeps its meaning (hand over and leave) and is reached by nothing else.
[[nodiscard]] std::optional<std::int64_t> remaining_wait(const std::optional<std::int64_t>& wait_ns, std::int64_t spent_ns);

[[nodiscard]] DriverPorts driver_ports(Session& session, Database& database, Switch& node, Observer& observer);

/// Runs the driver. A switch that breaks altogether (SwitchError) leaves every payment as the store has it: open where
/// something of it is recorded, unavailable otherwise.
[[nodiscard]] std::vector<DriveResult> drive(Driver& driver, Database& database, const std::vector<PaymentHash>& hashes);

/// Prints how a call about exactly one payment ended, and returns its exit code (0, 3, 4, or the refusal's).
/// `silent`: only what needs a person (resume --quiet).
[[nodiscard]] ExitCode report_one(Session& session, const ConsoleObserver& observer, const DriveResult& result, bool silent = false);

/// Prints one payment as the result of a call.
void print_payment(Session& session, const Payment& payment);

}  // namespace paytower::cli
