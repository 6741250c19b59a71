// Reading for people: pages, streams, counts, the history of a hash. A read-only connection is enough.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/payment/payment.h"
#include "db/payments/text_search.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// All given conditions must hold.
struct PaymentFilter {
  std::vector<PaymentStatus> statuses;  ///< any of these; empty: every status
  std::optional<PaymentHash> hash;
  std::optional<std::string> label;          ///< exactly this one
  std::optional<std::string> label_pattern;  ///< * stands for any text, ? for any character
  std::optional<TextSearch> search;
  std::optional<UnixNs> since;  ///< created at or after
  std::optional<UnixNs> until;  ///< created before
  bool damaged = false;         ///< for PaymentQuery: payments that have ended may be open

  /// Only a walk through the payments finds what fits: no index helps.
  [[nodiscard]] bool walks() const { return label_pattern || search; }
  /// Every payment fits.
  [[nodiscard]] bool all() const { return statuses.empty() && !hash && !label && !since && !until && !walks(); }
};

/// lnd's paging: in the order of indexes; the payment with the offset itself is not on the page.
struct PageRequest {
  PaymentFilter filter;
  PaymentIndex offset;  ///< 0: backwards from the newest, forwards from the oldest
  bool forwards = false;
  std::size_t max = 25;                  ///< at least 1
  bool omit_hops = false;                ///< read attempts without their routes
  std::optional<PaymentIndex> before{};  ///< forwards: no row with this index or one behind it
};

/// A row that cannot be read, and what is wrong with it.
struct BadRow {
  PaymentIndex index;
  std::optional<PaymentHash> hash;
  std::string reason;
};

struct PaymentPage {
  std::vector<Payment> payments;  ///< in the order of indexes, also when paging backwards
  std::vector<BadRow> bad_rows;   ///< rows of the page that are not among `payments`
  PaymentIndex first;             ///< of the page, including bad rows; 0 if the page is empty
  PaymentIndex last;
  bool more = false;  ///< there are more rows in the direction of the page
  [[nodiscard]] std::size_t rows() const { return payments.size() + bad_rows.size(); }
};

/// Everything that is stored of one hash.
struct HashHistory {
  std::vector<Payment> tries;       ///< the newest first, without duplicates
  std::vector<Payment> duplicates;  ///< in the order of indexes
  std::optional<Guard> guard;       ///< also if it is released, see guard_released
  bool guard_released = false;
  std::vector<BadRow> bad_rows;
  /// What `show` puts first: the open try, else a paid one, else one that ended as unknown, else the newest. nullptr if
  /// there are no tries.
  [[nodiscard]] const Payment* head() const;
};

struct StoredGuard {
  Guard guard;
  std::optional<UnixNs> released;  ///< by the operator
};

/// A record that a migration or import could not read, kept byte for byte (R14).
struct QuarantinedRecord {
  std::int64_t id = 0;
  std::string source;  ///< where it was: the name of a bucket or table
  std::optional<std::int64_t> sequence;
  std::optional<PaymentHash> hash;
  std::string reason;
  Bytes record;
  UnixNs at;
};

/// For one thread. Refused: busy, and database for what cannot be read. Throws StoreError (R10).
class PaymentQuery {
 public:
  explicit PaymentQuery(Connection& connection) : connection_(connection) {}

  /// Where no index helps, it is looked through a stretch of indexes at a time, each in a read transaction of its own.
  [[nodiscard]] Result<PaymentPage> page(const PageRequest& request);
  /// Every row of the filter in the order of indexes (or backwards), read in pages, so that no read transaction is
  /// long. `visit` returns false to stop. Rows that are created meanwhile may be seen or not.
  [[nodiscard]] Result<std::monostate> each(const PaymentFilter& filter, bool forwards, bool omit_hops,
                                            const std::function<bool(const std::variant<Payment, BadRow>&)>& visit);
  [[nodiscard]] Result<std::uint64_t> count(const PaymentFilter& filter);
  /// How many rows there are of which the page is a part, behind its offset; counted no further than `most`.
  [[nodiscard]] Result<std::uint64_t> count_up_to(const PageRequest& request, std::uint64_t most);

  /// Hashes of payments and guards that start with these hex digits (upper or lower case), at most `limit`, sorted.
  /// Errc::usage for anything but 6 to 64 hex digits.
  [[nodiscard]] Result<std::vector<PaymentHash>> find_hashes(std::string_view hex_prefix, std::size_t limit);
  /// Nothing if neither a payment nor a guard of the hash is stored.
  [[nodiscard]] Result<std::optional<HashHistory>> history(const PaymentHash& hash, bool omit_hops = false);

  /// Ascending by hash, above `after`, at most `limit`.
  [[nodiscard]] Result<std::vector<StoredGuard>> guards(const std::optional<PaymentHash>& after, std::size_t limit);
  /// Ascending by id, above `after`, at most `limit`.
  [[nodiscard]] Result<std::vector<QuarantinedRecord>> quarantine(std::int64_t after, std::size_t limit);
  /// How many there are, counted no further than `most`.
  [[nodiscard]] Result<std::uint64_t> count_guards(std::uint64_t most);
  [[nodiscard]] Result<std::uint64_t> count_quarantined(std::uint64_t most);
  [[nodiscard]] Result<StoreId> store_id();
  /// Whether the operator has closed an attempt that the switch may still pay.
  [[nodiscard]] Result<bool> any_watched();
  /// The newest payment of our own that was created after `at`, and its time. If `at` is now, the clock is behind.
  /// Imports do not count: their times come from other machines.
  [[nodiscard]] Result<std::optional<std::pair<PaymentIndex, UnixNs>>> own_created_after(UnixNs at);

 private:
  [[nodiscard]] PaymentFilter prepared(PaymentFilter filter);
  [[nodiscard]] Result<std::uint64_t> count_first(const char* sql, std::uint64_t most);

  Connection& connection_;
  std::optional<bool> damaged_;  ///< asked only once
};

}  // namespace paytower::db
