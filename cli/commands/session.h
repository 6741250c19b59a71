// What commands work with: the open database, the switch, and the observer of the driver.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments/call.h"
#include "cli/input/hash.h"
#include "cli/output/change_log.h"
#include "cli/output/exit_code.h"
#include "cli/output/on_end.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "cli/system/system.h"
#include "core/driver/ports.h"
#include "db/payments/admin.h"
#include "db/payments/payment_locks.h"
#include "db/payments/query.h"
#include "db/payments/store.h"
#include "db/sqlite/connection.h"

namespace paytower::cli {

/// Handed to every command; all of it outlives the call.
struct Session {
  const GlobalOptions& global;
  Output& output;
  SystemClock& clock;
  SystemRandomness& randomness;
  SystemPoller poller{clock};
};

/// The payment database and everything that works on it. Opening it for writing stores the spooled preimages first
/// (R10).
class Database {
 public:
  /// `wait_ns`: how long the whole command stays, if that is bounded (--wait): its waits for the write lock end with
  /// it.
  Database(Session& session, db::OpenMode mode, const std::optional<std::int64_t>& wait_ns = {});
  /// From now on --wait bounds the waits for the write lock.
  void bound_waits(const std::optional<std::int64_t>& wait_ns);

  db::Connection connection;
  db::WriteLock write_lock;
  db::SqlitePaymentStore store;
  db::FilePaymentLocks payment_locks;
  db::PaymentQuery query;
  db::PaymentAdmin admin;
  std::vector<PaymentHash> paid_from_spool{};  ///< at opening: preimages that could not be stored earlier
};

/// Opens the database that the call names. Null when it is the default one and does not exist yet: then nothing is
/// stored, and a hint says so. Throws RefusalError.
[[nodiscard]] std::unique_ptr<Database> open_database(Session& session, db::OpenMode mode,
                                                      const std::optional<std::int64_t>& wait_ns = {});
/// For commands that can create the database, before they do: null when there is none. The first is for a dry run.
[[nodiscard]] std::unique_ptr<Database> open_if_there(Session& session);
[[nodiscard]] std::unique_ptr<Database> open_to_write_if_there(Session& session,
                                                               const std::optional<std::int64_t>& wait_ns);
/// Whether there is something at this path, readable or not.
[[nodiscard]] bool exists_already(const std::string& path);
/// The folders above the default database, where the call names none.
void make_default_folders(Session& session);
/// As open_database, but makes the file (and the folders of the default place) where it is missing.
[[nodiscard]] std::unique_ptr<Database> create_database(Session& session, const std::optional<std::int64_t>& wait_ns);

/// The one hash that is meant. Throws RefusalError: not_found, ambiguous (with the candidates), and usage for a prefix
/// where `whole_without_tty` is set and nobody is at a terminal.
[[nodiscard]] PaymentHash find_hash(Session& session, Database* database, const HashArgument& argument,
                                    bool whole_without_tty);
[[nodiscard]] Error no_such_payment(const HashArgument& argument);

/// The switch that the call names. Refused: usage when none is named and for what its address can never mean,
/// switch_unavailable when it cannot be opened.
[[nodiscard]] Result<std::unique_ptr<SwitchHandle>> open_switch(Session& session);
/// Whether `error` means that the named switch cannot be asked: it does not answer, or its address is wrong. Commands
/// then still tell what is recorded of a payment.
[[nodiscard]] bool is_out_of_reach(const Session& session, const Error& error);
/// The file of the simulated network that --switch names. Throws RefusalError(usage).
[[nodiscard]] const std::string& simulated_network(const Session& session);

/// Who the switch is. Refused (switch_unavailable) when nobody is there, when it does not say so within `patience_ns`,
/// over as many connections as that takes, or when the user wants to stop.
[[nodiscard]] Result<IdentityAnswer> identify(Session& session, Switch& node, std::int64_t patience_ns);
/// All that the switch shows of a payment's hash; refused as identify().
[[nodiscard]] Result<std::shared_ptr<const Shown>> look(Session& session, Switch& node, const Payment& payment,
                                                        std::int64_t patience_ns);

/// R12, once a connection: database_old_copy when the switch shows attempts of the database that are not in it, or a
/// refusal of identify(). REQUIRES: the node has said who it is.
[[nodiscard]] std::optional<Error> check_copy(Session& session, Database& database, Switch& node,
                                              std::int64_t patience_ns);

/// Every row at the switch that the store made; refused as identify().
[[nodiscard]] Result<std::vector<OwnRow>> own_rows(Session& session, Switch& node, const StoreId& store,
                                                   std::int64_t patience_ns);

/// Tells people (and with --inflight-updates: scripts) what the driver does.
class ConsoleObserver final : public Observer {
 public:
  ConsoleObserver(Output& output, bool inflight_updates) : output_(output), log_(output), updates_(inflight_updates) {}
  void changed(const Payment& payment) override;
  void handing_over(const AttemptKey& /*key*/) override { output_.note_htlc(); }
  void driving(std::span<const Payment* const> now) override;
  void warn(const PaymentHash& hash, std::string_view message) override;
  void trace(const PaymentHash& hash, std::string_view message) override;

  /// Makes the text of the live line: of what is driven now, and at most so many columns wide.
  using Words = std::function<std::string(std::span<const Payment* const> now, std::size_t columns)>;
  /// From now on `line` says how the run stands. It must outlive the driver's run.
  void watch_on(LiveLine& line, Words words) { line_ = &line, words_ = std::move(words); }

  /// From now on its program is told how payments end. It must outlive the driver's run.
  void tell_ends_to(OnEnd& on_end) { on_end_ = &on_end; }
  /// Told of every change too, once it is durable. Must not throw.
  void add_listener(std::function<void(const Payment&)> listener) { listeners_.push_back(std::move(listener)); }

  [[nodiscard]] bool warned(const PaymentHash& hash) const { return warned_.count(hash) != 0; }

 private:
  Output& output_;
  ChangeLog log_;
  bool updates_;
  OnEnd* on_end_ = nullptr;
  LiveLine* line_ = nullptr;
  Words words_;
  std::vector<std::function<void(const Payment&)>> listeners_;
  std::set<PaymentHash> warned_;
};

/// The error of a call that a signal ended while the outcome is open, or before anything was recorded.
[[nodiscard]] ErrorReport interrupted_report(int signal, const std::optional<Payment>& payment);

}  // namespace paytower::cli
