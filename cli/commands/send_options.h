// What a call of `send` says, and a line of its batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/input/amount.h"
#include "core/payment/payment.h"
#include "core/payment/spending.h"

namespace paytower::cli {

// What stands for a limit that nobody named, where that depends on the payment.
inline constexpr Msat least_default_fee = Msat::of(5'000);
inline constexpr Percent default_fee{Percent::units_per_percent};
inline constexpr std::uint32_t default_parts = 16;
inline constexpr std::uint32_t attempts_in_one_part = 20;
inline constexpr std::uint32_t attempts_in_parts = 84;  ///< 20, and four sets of 16

/// send --dest: what an invoice would have said.
struct DirectPayee {
  PublicKey node;
  PaymentHash hash;
  PaymentSecret secret;
  std::uint32_t final_cltv_delta = 0;
};

struct BatchOptions;

/// Where a flag has a default, its table holds it, not this struct.
struct SendOptions {
  std::variant<std::string, DirectPayee> payee;  ///< bare BOLT 11 text, or --dest
  std::optional<Msat> amount;
  std::optional<std::string> routes;  ///< file, or "-"
  std::variant<std::monostate, Msat, Percent> fee_limit;
  std::uint32_t cltv_limit = 0;
  std::optional<std::uint32_t> max_attempts;  ///< nothing: by max_parts
  std::optional<std::uint32_t> max_parts;     ///< nothing: by what the payee takes
  std::vector<ShortChannelId> outgoing_channels;
  std::string label;
  std::int64_t timeout_ns = 0;
  std::optional<std::int64_t> wait_ns;  ///< nothing = for ever
  bool idempotent = false;
  bool no_memory = false;
  bool inflight_updates = false;
  bool yes = false;
  bool dry_run = false;
  std::string rehearsal;                      ///< the same call as a dry run
  std::vector<std::string> on_end;            ///< words of the program; empty: none
  SpendingLimits allowed;                     ///< of the config file alone
  std::shared_ptr<const BatchOptions> batch;  ///< then the call pays nothing else

  // As given, on the way to `payee` and `batch`.
  std::optional<PublicKey> dest;
  std::optional<PaymentHash> payment_hash;
  std::optional<PaymentSecret> payment_secret;
  std::uint32_t final_cltv_delta = 0;
  std::string batch_path;
  std::uint32_t parallel = 0;
  std::optional<Msat> max_total;
  std::optional<Msat> max_fee_total;
};

/// send --batch: many payments in one process, one loop, shared commits.
struct BatchOptions {
  std::string path;            ///< NDJSON, "-" = stdin
  std::uint32_t parallel = 0;  ///< payments driven at once
  std::optional<std::int64_t> wait_ns;
  bool yes = false;
  bool no_memory = false;
  std::vector<std::string> on_end;
  SpendingLimits allowed;
  std::optional<Msat> max_total;      ///< of all lines together
  std::optional<Msat> max_fee_total;  ///< of their fee limits together
  bool dry_run = false;
  std::string rehearsal;  ///< the same call as a dry run
  std::string again;      ///< the call that goes on where this one stops
  /// One line as if it had been given on the command line, on top of this call's flags.
  std::function<Result<SendOptions>(std::string_view line)> read_line;
};

/// What send does when nothing is said.
[[nodiscard]] SendOptions standard_send();

/// The invoice that the call names, or the one in stdin for "-": other users of the machine read the command line.
[[nodiscard]] std::string read_payable(const Given& given);

[[nodiscard]] ExitCode run_send(const SendOptions& options, Session& session);
[[nodiscard]] ExitCode run_batch(const BatchOptions& options, Session& session);

}  // namespace paytower::cli
