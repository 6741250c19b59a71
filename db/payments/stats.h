// How payments have gone: one pass over the rows of a span, in memory that does not grow with their number.
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

/// Payments that were created in this span. The index of creation times finds its beginning and end.
struct StatsSpan {
  std::optional<UnixNs> since;  ///< at or after
  std::optional<UnixNs> until;  ///< before
};

struct ChannelFailures {
  ChannelDirection channel;
  std::uint64_t count = 0;
};

/// What is open at one switch at this moment, whenever it was created.
struct OpenAtSwitch {
  std::optional<SwitchKey> where;  ///< nothing: no HTLC is out at this moment, or the record was imported
  std::uint64_t payments = 0;
  std::uint64_t amount_msat = 0;   ///< in HTLCs, with their fees; of payments without one what they ask for
  std::optional<UnixNs> oldest{};  ///< since when the oldest HTLC is out, or the oldest payment is there
};

/// What was counted. A payment is a try: one row of `payments`. Legacy duplicates have their own counter and count
/// nowhere else.
struct PaymentStats {
  static constexpr std::size_t most_channels = 65'536;
  static constexpr std::size_t shown_channels = 20;

  std::array<std::uint64_t, 5> by_status{};  ///< indexed by PaymentStatus
  std::uint64_t payments = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t bad_rows = 0;        ///< rows that cannot be read; they count nowhere else
  std::uint64_t paid_by_others = 0;  ///< of the succeeded ones: another user of the node has paid the hash
  /// Of the failed ones: marked as failed by the operator, and the switch has not confirmed it.
  std::uint64_t assumed_failed = 0;
  std::uint64_t attempts = 0;                          ///< without those of other users of the node
  std::map<FailureReason, std::uint64_t> by_reason{};  ///< of the failed payments

  std::uint64_t amount_msat = 0;    ///< of succeeded payments that we paid; stops at the largest number
  LogHistogram attempts_each{};     ///< for payments that have ended
  std::uint64_t paid_in_parts = 0;  ///< succeeded payments that we paid in more than one part
  LogHistogram parts_each{};        ///< settled parts of succeeded payments that we paid
  LogHistogram fee_msat{};          ///< for succeeded payments that we paid
  LogHistogram fee_ppm{};           ///< the fee in millionths of the amount, rounded down
  LogHistogram settle_us{};         ///< microseconds from creation to the preimage, if both times are stored

  /// Of failed and closed attempts; unknown_code for those without a name.
  std::map<FailureCode, std::uint64_t> by_code{};
  std::vector<ChannelFailures> by_channel{};  ///< the `shown_channels` channels that failed most, the worst first
  std::uint64_t channels = 0;        ///< how many channels failed; at most `most_channels` are counted separately
  std::uint64_t other_channels = 0;  ///< failures of the channels that are not shown

  std::vector<OpenAtSwitch> open{};  ///< each switch that an attempt ever went to, and at last what is at none

  // In bytes. The first three are of the whole file, the others of the rows that were counted.
  std::uint64_t file_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< pages that deletions have left for later rows
  std::uint64_t quarantine_bytes = 0;
  std::uint64_t invoice_bytes = 0;
  std::uint64_t route_bytes = 0;     ///< of attempts, and those given with --routes
  std::uint64_t text_bytes = 0;      ///< labels and failure messages
  std::uint64_t imported_bytes = 0;  ///< what an import has kept unchanged

  [[nodiscard]] std::uint64_t with(PaymentStatus status) const { return by_status[static_cast<std::size_t>(status)]; }
  /// Succeeded out of succeeded and failed, in millionths. Nothing if there are neither.
  [[nodiscard]] std::optional<std::uint64_t> success_ppm() const;
  /// All fees in millionths of all amounts. Nothing if nothing was paid.
  [[nodiscard]] std::optional<std::uint64_t> overall_fee_ppm() const;
};

/// Between pages, gets how far the pass has come: how many payment indexes are done, and how many the span has.
/// Returning false ends it.
using StatsProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Reads every payment of the span once, in pages of 1,000 payments, each in its own read transaction, so that no
/// writer's checkpoint has to wait. Rows that are created, end or disappear meanwhile may be counted as they were or as
/// they are. Nothing if `go_on` ended it. Refused: busy, and database for what cannot be read. Throws StoreError (R10).
[[nodiscard]] Result<std::optional<PaymentStats>> payment_stats(Connection& connection, const StatsSpan& span,
                                                                const StatsProgress& go_on = {});

}  // namespace paytower::db
