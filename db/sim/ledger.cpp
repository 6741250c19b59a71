// Opens and makes the file of a simulated network, and runs transactions on it.
#include "db/sim/ledger.h"

#include <utility>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>

#include "core/base/error.h"
#include "db/sim/ledger_schema.h"
#include "db/sim/ledger_tx.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/locks.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr std::int64_t log_bytes_before_step = 4 << 20;

const FileKind& sim_file() {
  static constexpr FileKind kind{
      .what = "a simulated network",
      .application_id = 0x50545753,  // "PTWS"
      .schema_version = 3,
      .older_hint = "paytower simulate network --out PATH",
      .make = [](SQLite::Database& database, const std::string&) { database.exec(sim_schema); },
      .register_functions = nullptr,
  };
  return kind;
}

class SqliteSimLedger final : public sim::Ledger {
 public:
  explicit SqliteSimLedger(Connection connection)
      : connection_(std::move(connection)), lock_(connection_.real_path(), default_lock_timeout_ns), tx_(connection_) {}

  ~SqliteSimLedger() override {
    try {
      checkpoint_if_due(connection_, lock_, writes_ != 0 && nothing_under_way());
    } catch (const std::exception&) {
      // The log is as durable as the file; the next process that ends tries again.
    }
  }

  void write(const std::function<void(sim::LedgerTx&)>& work) override {
    guarded([&] {
      (void)value_of(write_tx(connection_, lock_, [&] {
        tx_.begin();
        work(tx_);
        tx_.store_changes();
      }));
      ++writes_;
      keep_log_short();
    });
  }

  void read(const std::function<void(sim::LedgerTx&)>& work) override {
    guarded([&] {
      const ReadTransaction transaction(connection_);
      tx_.begin();
      work(tx_);
    });
  }

  std::uint64_t change_counter() override {
    std::uint64_t counter = 0;
    guarded([&] { counter = connection_.data_version() + writes_; });
    return counter;
  }

 private:
  /// An error of this file says nothing about any HTLC: SwitchError. Only if the disk fails under this very process, it
  /// is R10.
  template <typename Work> void guarded(Work work) {
    const auto named = [](std::string_view what) { return fmt::format("the simulated network: {}", what); };
    try {
      const auto done = result_of(work);
      if (!done) throw SwitchError(named(done.error().message));
    } catch (const StoreError& error) {
      throw StoreError(named(error.what()));
    } catch (const BadValue& error) {
      throw SwitchError(named(error.what()));
    } catch (const SQLite::Exception& error) {
      throw SwitchError(named(error.what()));
    }
  }

  /// The file should then be complete without its log: people copy it.
  bool nothing_under_way() {
    Query query = connection_.prepared("SELECT 1 FROM flights LIMIT 1");
    return !query.step();
  }

  void keep_log_short() {
    if (connection_.wal_bytes_written() < log_bytes_before_step) return;
    if (const auto held = lock_.try_acquire()) checkpoint_step(connection_);
  }

  Connection connection_;
  WriteLock lock_;
  SimLedgerTx tx_;
  std::uint64_t writes_ = 0;
};

using Opened = Result<std::unique_ptr<sim::Ledger>>;

Opened open(const std::string& path, OpenMode mode, const OpenOptions& options) {
  try {
    auto connection = Connection::open(path, mode, sim_file(), options);
    if (connection) return Opened(std::make_unique<SqliteSimLedger>(*std::move(connection)));
    Error error = connection.error();
    if (error.code == Errc::usage) return error;
    error.code = Errc::switch_unavailable;
    if (mode != OpenMode::create && !exists(path)) {
      error.message = fmt::format("there is no simulated network {}", path);
      error.hint = fmt::format("paytower simulate network --out {}", path);
    }
    return error;
  } catch (const StoreError& error) {
    throw SwitchError(error.what());
  }
}

bool has_network(sim::Ledger& ledger) {
  bool found = false;
  ledger.read([&](sim::LedgerTx& tx) { found = tx.node(sim::own_node).has_value(); });
  return found;
}

}  // namespace

Result<std::unique_ptr<sim::Ledger>> open_sim_ledger(const std::string& path) {
  return open(path, OpenMode::read_write, {});
}

Result<std::unique_ptr<sim::Ledger>> create_sim_ledger(const std::string& path, const std::string& vfs) {
  OpenOptions options;
  options.vfs = vfs;
  auto ledger = open(path, OpenMode::create, options);
  if (ledger && has_network(**ledger)) {
    return Error{Errc::usage, fmt::format("there is a simulated network in {} already; nothing was changed", path),
                 "paytower simulate network --help"};
  }
  return ledger;
}

}  // namespace paytower::db
