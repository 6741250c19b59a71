// The control tower on SQLite: the port PaymentStore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/spending.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

/// The payment database, for Connection.
[[nodiscard]] const FileKind& payment_file();

struct SpoolEntry;

/// What this run has found in the spool (R10).
struct SpoolReport {
  std::vector<PaymentHash> settled;  ///< stored as paid now
  std::vector<std::string> left;     ///< for people: entries that stay in the spool, and why
};

/// When a process that ends copies the log back into the file.
enum class Closing {
  when_idle,   ///< if nothing is open in the database, or the log is large
  when_large,  ///< if the log is large: for a single send, whose caller waits
};

/// Errors of the database come as StoreError (R10), or as refusals: busy, or database for a row that cannot be read (a
/// preimage that proves nothing, a route that is not one): that payment must not be touched, but the others may. For
/// one thread. The connection and the lock must outlive it; a read-only connection is enough for all reads.
class SqlitePaymentStore final : public PaymentStore {
 public:
  /// Refused: busy, and database when the name of the store cannot be read.
  [[nodiscard]] static Result<SqlitePaymentStore> open(Connection& connection, WriteLock& lock);
  ~SqlitePaymentStore() override;
  SqlitePaymentStore(SqlitePaymentStore&& other) noexcept;
  SqlitePaymentStore& operator=(SqlitePaymentStore&&) = delete;

  [[nodiscard]] std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override;
  [[nodiscard]] Result<HashState> find(const PaymentHash& hash) override;
  [[nodiscard]] Result<std::optional<Payment>> load(PaymentIndex index) override;
  [[nodiscard]] Result<std::vector<PaymentIndex>> fetch_in_flight(PaymentIndex after, std::size_t limit) override;
  [[nodiscard]] Result<std::vector<PastResult>> recent_results(std::size_t most) override;
  [[nodiscard]] Result<StoreTrace> trace_at(const SwitchKey& here) override;
  [[nodiscard]] Result<bool> accounts_for(AttemptId id) override;
  [[nodiscard]] Result<std::uint64_t> change_counter() override;
  void spool(const AttemptKey& key, const Preimage& preimage) noexcept override;

  /// From now on no payment begins that is over these limits: its commit is refused (Errc::policy) in the transaction
  /// that would record it, so that no two processes get over a day's limit together.
  void set_limits(const SpendingLimits& allowed);
  /// What the payments that began in the day before `now` have paid or may still pay.
  [[nodiscard]] Result<Msat> spent_in_day(UnixNs now);

  /// The first thing after opening to write: every spooled preimage of ours is stored through decide() and removed from
  /// the spool. `now` becomes the time of those settlements. Refused and throws as find() and commit().
  [[nodiscard]] Result<SpoolReport> take_in_spool(UnixNs now);
  /// The last thing of a process that writes: see db::checkpoint_if_due. Never throws: an unfinished checkpoint does no
  /// harm.
  void checkpoint_if_due(Closing how = Closing::when_idle) noexcept;
  /// 16 random bytes, drawn when the file was made.
  [[nodiscard]] const StoreId& store_id() const;

 private:
  struct Impl;
  explicit SqlitePaymentStore(std::unique_ptr<Impl> impl);

  /// The payment that a spooled preimage belongs to and proves.
  [[nodiscard]] Result<std::optional<Payment>> owner_of(const SpoolEntry& entry);

  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower::db
