// Working on payments and reporting how they ended: what `send`, `resume` and `cancel` have in common.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/session.h"
#include "cli/output/exit_code.h"
#include "core/driver/driver.h"

namespace paytower::cli {

/// What is said of DriveResult::pending_at_switch.
[[nodiscard]] std::string still_pending_words(const WhyOpen& why);

/// How long one question before the drive may take, so that --wait stays a bound.
[[nodiscard]] std::int64_t question_patience(const std::optional<std::int64_t>& wait_ns);
/// What is left of --wait after `spent_ns`. 0 keeps its meaning (send and leave) and is reached by nothing else.
[[nodiscard]] std::optional<std::int64_t> remaining_wait(const std::optional<std::int64_t>& wait_ns,
                                                         std::int64_t spent_ns);

/// For a live line over one payment, which is waited for `wait_ns` from now on.
[[nodiscard]] ConsoleObserver::Words waiting_words(Session& session, const std::optional<std::int64_t>& wait_ns);

/// The refusal if a limit of the config file forbids to begin this payment. The store checks the same limits again when
/// it records the payment.
[[nodiscard]] std::optional<Error> over_limits(Session& session, Database* database, const SpendingLimits& allowed,
                                               const PaymentRequest& wanted);

/// The ends that opening the database has stored: preimages that an earlier run could not store.
void tell_spooled(OnEnd& on_end, Database& database);

[[nodiscard]] DriverPorts driver_ports(Session& session, Database& database, Switch& node, Observer& observer);

/// Runs the driver. If the switch breaks altogether (SwitchError), every payment is reported as it is stored: open
/// where something of it is recorded, unavailable otherwise. An alarm is a refusal.
[[nodiscard]] std::vector<DriveResult> drive(Driver& driver, PaymentStore& store,
                                             const std::vector<PaymentHash>& hashes);

/// The result for a payment after the switch broke altogether: open where something of it is recorded, else
/// unavailable.
[[nodiscard]] DriveResult as_stored(PaymentStore& store, const PaymentHash& hash, const std::string& why);

/// "Unavailable" becomes "open" for a payment that is open here: something of it may be in flight (exit 4, not 7).
[[nodiscard]] DriveResult open_if_recorded(DriveResult result);

/// An HTLC of somebody else is seen at the node alone: how to look at it there.
[[nodiscard]] Error with_node_hint(const Session& session, Error error, const PaymentHash& hash);

/// Prints how a call about exactly one payment ended, and returns its exit code (0, 3, 4, or the refusal's).
struct ReportStyle {
  bool silent = false;  ///< only what needs a person (resume --quiet)
  bool sent = false;    ///< of a send
};
[[nodiscard]] ExitCode report_one(Session& session, const ConsoleObserver& observer, const DriveResult& result,
                                  ReportStyle style = {});

/// R2: the warning before a new try of a hash whose earlier tries were closed by hand, but may still be paid.
void warn_of_overpayment(Session& session, Database& database, const PaymentRequest& wanted);

/// Prints one payment as the result of a call. `sent`: of a send, how it came to be. `why_open`: as a look showed it.
void print_payment(Session& session, const Payment& payment, const DriveResult* sent = nullptr,
                   const WhyOpen& why_open = {});

}  // namespace paytower::cli
