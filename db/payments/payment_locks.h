// Which payments this process is driving, on the lock file beside the database (R11).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "core/base/types.h"
#include "core/driver/ports.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

/// R11. Hashes with the same byte (their first 7 bytes are equal) share its lock within one object. Another process
/// then sees both as locked, which only makes it wait. At most limits::max_payment_locks at once: beyond that, try_lock
/// returns false.
class FilePaymentLocks final : public PaymentLocks {
 public:
  explicit FilePaymentLocks(const std::string& real_path) : file_(real_path) {}
  ~FilePaymentLocks() override;

  /// Throws StoreError like LockFile::try_lock.
  [[nodiscard]] bool try_lock(const PaymentHash& hash) override;
  void unlock(const PaymentHash& hash) override;

 private:
  LockFile file_;
  std::set<PaymentHash> held_;
  std::map<std::int64_t, int> holders_;  // how often each byte is held
};

/// The byte of the lock file that is locked for a payment.
[[nodiscard]] std::int64_t lock_byte(const PaymentHash& hash);

}  // namespace paytower::db
