// How payments have gone: one pass over the rows of a span, in memory that does not grow with them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "core/payment/payment.h"
#include "db/payments/log_histogram.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// Payments created in this span; the index of creation times finds where it begins and ends.
struct StatsSpan {
  std::optional<UnixNs> since;  ///< at or after
  std::optional<UnixNs> until;  ///< before
};

struct ChannelFailures {
  ChannelDirection channel;
  std::uint64_t count = 0;
};

/// What was counted. A payment is a try: one row of `payments`. Legacy duplicates are counted apart and nowhere else.
struct PaymentStats {
  static constexpr std::size_t most_channels = 65'536;
  static constexpr std::size_t shown_channels = 20;

  std::array<std::uint64_t, 5> by_status{};  ///< by PaymentStatus
  std::uint64_t payments = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t bad_rows = 0;        ///< cannot be read; counted here alone
  std::uint64_t paid_by_others = 0;  ///< of the succeeded ones: another user of the node settled the hash
  std::uint64_t assumed_failed = 0;  ///< of the failed ones: by the operator's word, which the switch has not confirmed
  std::uint64_t attempts = 0;        ///< without those of other users
  std::map<FailureReason, std::uint64_t> by_reason{};  ///< of the failed payments

  std::uint64_t amount_msat = 0;    ///< sum over succeeded payments that we paid; stays at the largest number
  LogHistogram attempts_each{};     ///< of payments that ended
  std::uint64_t paid_in_parts = 0;  ///< succeeded payments that we paid in more than one part
  LogHistogram parts_each{};        ///< settled parts of succeeded payments that we paid
  LogHistogram fee_msat{};          ///< of succeeded payments that we paid
  LogHistogram fee_ppm{};           ///< fee in millionths of the amount, rounded down
  LogHistogram settle_us{};         ///< microseconds from creation to the preimage, where both are recorded

  std::map<FailureCode, std::uint64_t> by_code{};  ///< failed and closed attempts; what has no name is unknown_code
  std::vector<ChannelFailures> by_channel{};       ///< the `shown_channels` that failed most, the worst first
  std::uint64_t channels = 0;                      ///< how many channels failed; at most `most_channels` are told apart
  std::uint64_t other_channels = 0;                ///< failures of the channels that are not shown

  // Bytes. The first three are of the whole file, the others of the rows that were counted.
  std::uint64_t file_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< pages that deletes left for later rows
  std::uint64_t quarantine_bytes = 0;
  std::uint64_t invoice_bytes = 0;
  std::uint64_t route_bytes = 0;     ///< of attempts, and given with --routes
  std::uint64_t text_bytes = 0;      ///< labels and failure messages
  std::uint64_t imported_bytes = 0;  ///< what an import kept as it was

  [[nodiscard]] std::uint64_t with(PaymentStatus status) const { return by_status[static_cast<std::size_t>(status)]; }
  /// Succeeded of succeeded and failed, in millionths; nothing when there is none of either.
  [[nodiscard]] std::optional<std::uint64_t> success_ppm() const;
  /// All fees in millionths of all amounts; nothing when nothing was paid.
  [[nodiscard]] std::optional<std::uint64_t> overall_fee_ppm() const;
};

/// Told between pages how far the pass has come: payment indexes behind it, and in the whole span. False ends it.
using StatsProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Reads every payment of the span once, in pages of 1,000 payments with a read transaction each, so that no writer's
/// checkpoint waits for it. Rows that are created, end or go meanwhile may be counted as they were or as they are.
/// Nothing when `go_on` ended it. Throws RefusalError(busy) and StoreError.
[[nodiscard]] std::optional<PaymentStats> payment_stats(Connection& connection, const StatsSpan& span,
                                                        const StatsProgress& go_on = {});

}  // namespace paytower::db
