// What one process holds of a database, and a store that a test watches.
#pragma once

#include <string>
#include <vector>

#include "core/base/refuse.h"
#include "db/payments/payment_locks.h"
#include "db/payments/store.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::test {

struct Opened {
  explicit Opened(const std::string& path)
      : connection(value_of(db::Connection::open(path, db::OpenMode::create, db::payment_file()))),
        write_lock(connection.real_path(), db::default_lock_timeout_ns), locks(connection.real_path()),
        store(value_of(db::SqlitePaymentStore::open(connection, write_lock))) {}

  db::Connection connection;
  db::WriteLock write_lock;
  db::FilePaymentLocks locks;
  db::SqlitePaymentStore store;
};

/// Passes everything on to another store.
class PassingStore : public PaymentStore {
 public:
  explicit PassingStore(PaymentStore& inner) : inner_(inner) {}
  std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override { return inner_.commit(tick); }
  Result<HashState> find(const PaymentHash& hash) override { return inner_.find(hash); }
  Result<std::optional<Payment>> load(PaymentIndex index) override { return inner_.load(index); }
  Result<std::vector<PaymentIndex>> fetch_in_flight(PaymentIndex after, std::size_t limit) override {
    return inner_.fetch_in_flight(after, limit);
  }
  Result<std::vector<PastResult>> recent_results(std::size_t most) override { return inner_.recent_results(most); }
  Result<StoreTrace> trace_at(const SwitchKey& here) override { return inner_.trace_at(here); }
  Result<bool> accounts_for(AttemptId id) override { return inner_.accounts_for(id); }
  Result<std::uint64_t> change_counter() override { return inner_.change_counter(); }
  void spool(const AttemptKey& key, const Preimage& preimage) noexcept override { inner_.spool(key, preimage); }

 private:
  PaymentStore& inner_;
};

}  // namespace paytower::test
