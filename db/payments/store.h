// The control tower on SQLite: port PaymentStore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

/// The payment database as Connection opens it.
[[nodiscard]] const FileKind& payment_file();

struct SpoolEntry;

/// What the next run found in the spool (R10).
struct SpoolReport {
  std::vector<PaymentHash> settled;  ///< now stored as paid
  std::vector<std::string> left;     ///< for people: entries that were left where they are, and why
};

/// When the end of a process brings the log back into the file.
enum class Closing {
  when_idle,   ///< nothing is open in the database, or the log is large
  when_large,  ///< a single send, whose caller waits
};

/// All of the database's errors leave as StoreError (R10), or as refusals: busy, and database for a row that cannot be
/// read (a preimage that does not prove, a route that is none): that payment must not be touched, the others may.
/// Not for two threads. The connection and the lock must outlive it; a read-only connection serves all reads.
class SqlitePaymentStore final : public PaymentStore {
 public:
  SqlitePaymentStore(Connection& connection, WriteLock& lock);
  ~SqlitePaymentStore() override;

  [[nodiscard]] std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override;
  [[nodiscard]] Result<HashState> find(const PaymentHash& hash) override;
  [[nodiscard]] Result<std::optional<Payment>> load(PaymentIndex index) override;
  [[nodiscard]] std::vector<PaymentIndex> fetch_in_flight(PaymentIndex after, std::size_t limit) override;
  [[nodiscard]] std::vector<PastResult> recent_results(std::size_t most) override;
  [[nodiscard]] StoreTrace trace_at(const SwitchKey& here) override;
  [[nodiscard]] bool accounts_for(AttemptId id) override;
  [[nodiscard]] std::uint64_t change_counter() override;
  void spool(const AttemptKey& key, const Preimage& preimage) noexcept override;

  /// First thing after opening for writing: every spooled preimage of ours is stored through decide() and taken off the
  /// spool. `now` becomes the time of those settlements. Throws as commit().
  [[nodiscard]] SpoolReport take_in_spool(UnixNs now);
  /// Last thing of a writing process: see db::checkpoint_if_due. Never throws: an unfinished checkpoint costs nothing.
  void checkpoint_if_due(Closing how = Closing::when_idle) noexcept;
  /// 16 random bytes drawn when the file was made.
  [[nodiscard]] const StoreId& store_id() const;

 private:
  /// The payment that a spooled preimage belongs to and proves.
  [[nodiscard]] std::optional<Payment> owner_of(const SpoolEntry& entry);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::db
