// From the options of `send` to what is to be paid.
#pragma once

#include <string_view>
#include <vector>

#include "cli/commands/send_options.h"
#include "core/driver/ports.h"
#include "core/payment/payment.h"

namespace paytower::cli {

/// The payment that a call of `send` asks for.
struct Wanted {
  PaymentRequest
      request;  ///< `deadline` is the earlier of --timeout and the invoice's expiry; amount 0 where none was said
  std::optional<Error> objection{};  ///< why no new try may begin: expired, a limit, --amt that is missing or too much
};

/// Reads the invoice, or --dest, and the limits of the call; a usage refusal when it cannot. The objection comes into
/// play later: that a hash is paid or in flight is said first.
[[nodiscard]] Result<Wanted> read_wanted(const SendOptions& options, UnixNs now);

/// What an invoice says it is for; empty for --dest. Untrusted text.
[[nodiscard]] std::string description_of(const SendOptions& options);

/// The routes of --routes, all checked against the request's limits. Usage refusals.
[[nodiscard]] Result<std::vector<Route>> read_routes(std::string_view text, const PaymentRequest& request,
                                                     const SwitchKey& key);

}  // namespace paytower::cli
