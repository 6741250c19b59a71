// What `cancel` and `resolve` share: an operator's decision about a stored payment.
#pragma once

#include "cli/commands/session.h"
#include "core/payment/lifecycle.h"

namespace paytower::cli {

/// A refusal of the lifecycle to an operator's decision, in words.
[[nodiscard]] Error refusal_of_decision(const Payment& payment, Errc why);

/// Wants `expected` typed. Throws RefusalError(not_confirmed) for anything else, and without a terminal. `look`: the
/// command that shows what was asked about, for whoever said no.
void confirm_decision(const Session& session, const std::string& consequence, const std::string& expected,
                      const std::string& look);

/// decide() and one durable commit. A constraint in the store (another process was faster) reads the payment again, a
/// few times. Returns the payment as stored afterwards, or the refusal. Throws StoreError.
[[nodiscard]] Result<Payment> store_decision(Session& session, Database& database, Payment payment, const Event& word);

}  // namespace paytower::cli
