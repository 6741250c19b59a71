// Reading for people: pages, streams, counts, one hash's history. Works on a read-only connection.
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
#include "db/sqlite/connection.h"

namespace paytower::db {

/// All given conditions must hold.
struct PaymentFilter {
  std::vector<PaymentStatus> statuses;  ///< any of these; empty = every status
  std::optional<std::string> label;     ///< exactly this one
  std::optional<UnixNs> since;          ///< created at or after
  std::optional<UnixNs> until;          ///< created before
  bool damaged = false;                 ///< for PaymentQuery: what ended may be open
};

/// lnd's paging: index order; the offset itself is not on the page.
struct PageRequest {
  PaymentFilter filter;
  PaymentIndex offset;  ///< 0 = from the newest backwards, from the oldest forwards
  bool forwards = false;
  std::size_t max = 25;    ///< at least 1
  bool omit_hops = false;  ///< attempts come without their routes
};

/// A row that cannot be read: what is wrong with it, in words.
struct BadRow {
  PaymentIndex index;
  std::optional<PaymentHash> hash;
  std::string reason;
};

struct PaymentPage {
  std::vector<Payment> payments;  ///< ascending by index, also when paging backwards
  std::vector<BadRow> bad_rows;   ///< rows of the page that are not among `payments`
  PaymentIndex first;             ///< of the page, bad rows included; 0 when it is empty
  PaymentIndex last;
  bool more = false;  ///< there are rows beyond this page in its direction
};

/// Everything stored of one hash.
struct HashHistory {
  std::vector<Payment> tries;       ///< newest first, duplicates not among them
  std::vector<Payment> duplicates;  ///< ascending by index
  std::optional<Guard> guard;       ///< released ones too, see guard_released
  bool guard_released = false;
  std::vector<BadRow> bad_rows;
  /// What `show` puts first: the open try, else a paid one, else one that ended unknown, else the newest. nullptr
  /// without tries.
  [[nodiscard]] const Payment* head() const;
};

struct StoredGuard {
  Guard guard;
  std::optional<UnixNs> released;  ///< by the operator's word
};

/// A record that a migration or an import could not read, kept byte for byte (R14).
struct QuarantinedRecord {
  std::int64_t id = 0;
  std::string source;  ///< where it was: a bucket's or a table's name
  std::optional<std::int64_t> sequence;
  std::optional<PaymentHash> hash;
  std::string reason;
  Bytes record;
  UnixNs at;
};

/// Not for two threads. Throws RefusalError(busy) and StoreError.
class PaymentQuery {
 public:
  explicit PaymentQuery(Connection& connection) : connection_(connection) {}

  [[nodiscard]] PaymentPage page(const PageRequest& request);
  /// Every row of the filter in index order (or the other way round), read in pages, so that no read transaction lasts
  /// longer than one. `visit` returns false to stop. Rows created meanwhile may or may not be seen.
  void each(const PaymentFilter& filter, bool forwards, bool omit_hops,
            const std::function<bool(const std::variant<Payment, BadRow>&)>& visit);
  [[nodiscard]] std::uint64_t count(const PaymentFilter& filter);

  /// Hashes of payments and of guards that start with these hex digits (either case), at most `limit`, ascending.
  /// REQUIRES: 6 to 64 hex digits (RefusalError(usage) otherwise).
  [[nodiscard]] std::vector<PaymentHash> find_hashes(std::string_view hex_prefix, std::size_t limit);
  /// Nothing when neither a payment nor a guard of the hash is stored.
  [[nodiscard]] std::optional<HashHistory> history(const PaymentHash& hash, bool omit_hops = false);

  /// Ascending by hash, above `after`, at most `limit`.
  [[nodiscard]] std::vector<StoredGuard> guards(const std::optional<PaymentHash>& after, std::size_t limit);
  /// Ascending by id, above `after`, at most `limit`.
  [[nodiscard]] std::vector<QuarantinedRecord> quarantine(std::int64_t after, std::size_t limit);
  [[nodiscard]] StoreId store_id();
  /// Has the operator closed an attempt that the switch may still pay?
  [[nodiscard]] bool any_watched();
  /// The newest payment of our own that was created after `at`, with its time: at a time of now, a clock that stands
  /// behind. Imports bring the times of other machines.
  [[nodiscard]] std::optional<std::pair<PaymentIndex, UnixNs>> own_created_after(UnixNs at);

 private:
  [[nodiscard]] PaymentFilter prepared(PaymentFilter filter);

  Connection& connection_;
  std::optional<bool> damaged_;  ///< asked once
};

}  // namespace paytower::db
