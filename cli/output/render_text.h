// Payments in words, for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/output/exit_code.h"
#include "cli/output/output.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"

namespace paytower::cli {

/// How a payment ended, or that it has not, why, and what can be done: the text of `send` and `resume HASH`, one
/// paragraph with a line end. `why_open`: as a look showed it; nothing if nobody has looked.
[[nodiscard]] std::string outcome_text(const Payment& payment, const WhyOpen& why_open = {});

/// outcome_text() on one line, for `resume` with several payments: "3f9c...  SUCCEEDED  250 sat".
[[nodiscard]] std::string outcome_line(const Payment& payment, const Output& output);

/// What may be done with a payment that has failed for certain, behind "Nothing is in flight": "; it is safe to pay
/// again.", or that its invoice has expired.
[[nodiscard]] std::string again_words(const Payment& payment, UnixNs now);

/// Who keeps the payment hash busy at the node, and until when, without an end. Empty where there is nothing to say.
[[nodiscard]] std::string blocker_text(Blocker blocker);

/// The exit code of a call about exactly this payment: 0 paid, 3 failed, 4 anything else.
[[nodiscard]] ExitCode exit_code_of(const Payment& payment);

/// The command that goes on with it; empty when it has ended.
[[nodiscard]] std::string next_command(const Payment& payment, const WhyOpen& why_open = {});

/// The page of `show`: facts, attempts, and what may be done next.
[[nodiscard]] std::string payment_page(const Payment& payment, const std::vector<Payment>& older_tries,
                                       const std::vector<Payment>& duplicates, bool omit_hops, const Output& output);
/// What marking as failed by hand may cost (possible_overpayment), without an end.
[[nodiscard]] std::string overpayment_text(Msat more);
[[nodiscard]] std::string guard_page(const Guard& guard, const Output& output);

/// "fee 1.012 sat" ... amounts of another user's settled attempt that carries our payment; nothing when it was ours.
[[nodiscard]] std::optional<std::string> foreign_settlement(const Payment& payment);

/// How many attempts of ours there were, as the tables of `show` and `list` count them. For --max-attempts some count
/// together (Payment::own_attempts).
[[nodiscard]] std::uint32_t attempts_made(const Payment& payment);

/// "1 attempt", "2 attempts", "2 hashes". REQUIRES: a noun that is not empty.
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& noun);

/// "0.4 s", "3.4 s", "2 min 5 s".
[[nodiscard]] std::string elapsed_text(std::int64_t ns);

}  // namespace paytower::cli
