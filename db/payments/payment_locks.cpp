// Locks payments on bytes of the lock file.
#include "db/payments/payment_locks.h"

#include "core/base/limits.h"

namespace paytower::db {

namespace {
constexpr std::int64_t first_payment_byte = std::int64_t{1} << 62;
}

std::int64_t lock_byte(const PaymentHash& hash) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 7; ++i) value = value << 8 | hash.bytes[i];
  return first_payment_byte + value;
}

FilePaymentLocks::~FilePaymentLocks() = default;  // closing the file frees them all

bool FilePaymentLocks::try_lock(const PaymentHash& hash) {
  if (held_.count(hash) != 0 || held_.size() >= limits::max_payment_locks) return false;
  int& holders = holders_[lock_byte(hash)];
  if (holders == 0 && !file_.try_lock(lock_byte(hash))) {
    holders_.erase(lock_byte(hash));
    return false;
  }
  ++holders;
  held_.insert(hash);
  return true;
}

void FilePaymentLocks::unlock(const PaymentHash& hash) {
  if (held_.erase(hash) == 0) return;
  const auto entry = holders_.find(lock_byte(hash));
  if (--entry->second > 0) return;
  file_.unlock(entry->first);
  holders_.erase(entry);
}

}  // namespace paytower::db
