// What the operator does to the database: delete, words, guards, backup, check.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/payment/payment.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"

namespace paytower::db {

struct DeleteRequest {
  std::vector<PaymentHash> hashes;     ///< all ended tries of these, with their duplicates; empty = everything (--all)
  bool include_non_failed = false;     ///< --all: not only FAILED ones
  bool failed_htlcs_only = false;      ///< failed attempts of ended payments; the payments stay
  std::optional<UnixNs> ended_before;  ///< only what ended earlier (where the end is unknown: was created earlier)
  bool forget = false;                 ///< drops the guards too, but of set ids: the hash becomes payable again
};

struct DeleteReport {
  struct Skipped {
    PaymentHash hash;
    /// "in_flight", "watched", "not_found", "guarded" (only a guard, no --forget), "too_recent", "set_id" (--forget)
    std::string reason;
  };
  std::uint64_t deleted = 0;        ///< rows of payments
  std::uint64_t deleted_htlcs = 0;  ///< attempts, also those that went with their payments
  std::uint64_t forgotten = 0;      ///< guards dropped (--forget), also those armed by this very deletion
  std::vector<Skipped> skipped;     ///< one a hash
  bool interrupted = false;
};

/// What the operator's word cannot do: make a set id a payment hash.
[[nodiscard]] Error refusal_of_set_id(const PaymentHash& hash);

/// Which operator says it, and when: kept with the decision.
struct Operator {
  std::string user;  ///< login name, or "uid 1000"
  UnixNs at;
};

/// Values are stored.
enum class OperatorDecision : std::uint8_t { assume_failed = 1, write_off = 2, forget = 3, restored = 4, cancel = 5 };
/// "assume_failed", "write_off", "forget", "restored", "cancel"
[[nodiscard]] std::string_view decision_name(OperatorDecision decision);

struct CheckReport {
  std::vector<std::string> problems;                      ///< empty = sound
  std::vector<std::pair<SwitchKey, std::uint64_t>> open;  ///< unresolved own attempts a switch
  std::uint64_t payments = 0;
  std::uint64_t attempts = 0;
};

/// Not for two threads. Every call that writes waits for the write lock (RefusalError(busy)) and throws StoreError
/// (R10).
class PaymentAdmin {
 public:
  PaymentAdmin(Connection& connection, WriteLock& lock) : connection_(connection), lock_(lock) {}

  /// What remove() would do, without doing it. Works on a read-only connection.
  [[nodiscard]] DeleteReport plan(const DeleteRequest& request);
  /// Deletes in transactions of at most 500 rows; `go_on` is asked between them (false = stop there; what is done stays
  /// done and a second call continues). Never touches what is INITIATED, IN_FLIGHT or watched; a paid payment leaves a
  /// guard. Gives the freed pages back at the end, in bounded steps.
  [[nodiscard]] DeleteReport remove(const DeleteRequest& request, const Operator& by,
                                    const std::function<bool(const DeleteReport&)>& go_on = {});

  /// Writes down what the operator said. `hash` is nothing for words about the whole store.
  void record_decision(OperatorDecision decision, const std::optional<PaymentHash>& hash, const Operator& by);
  /// resolve --assume-failed on a hash that has only a guard: the guard no longer stands. Errc::not_found without one,
  /// already_paid when the guard says that the hash is paid, already_ended when it is a set id.
  [[nodiscard]] Result<std::monostate> release_guard(const PaymentHash& hash, const Operator& by);
  /// resolve --write-off on a hash that has only a guard: never payable again. Errors as release_guard, but for a set
  /// id.
  [[nodiscard]] Result<std::monostate> write_off_guard(const PaymentHash& hash, const Operator& by);

  /// resolve --restored: unknown attempts of our own store up to this id are no sign of an old copy from now on (R12).
  void accept_ids_up_to(AttemptId highest);

  /// A complete, synced copy in a new file `path` (0600) while others work. Errc::usage for a name that is none or
  /// taken, Errc::database when it cannot be written: then nothing is left of it. `go_on` is asked between steps with
  /// pages done and pages in all; false leaves with Errc::database and no copy.
  [[nodiscard]] Result<std::monostate> backup(const std::string& path, const std::function<bool(int, int)>& go_on = {});

  /// The schema against the one that paytower makes, integrity of the file, foreign keys, every preimage against its
  /// hash, counters, file modes, open attempts.
  [[nodiscard]] CheckReport check();

 private:
  void check_contents(CheckReport& report);
  void give_pages_back(const std::function<bool(const DeleteReport&)>& go_on, const DeleteReport& report);
  [[nodiscard]] Result<std::monostate> change_guard(const PaymentHash& hash, const Operator& by,
                                                    OperatorDecision decision, const char* sql);

  Connection& connection_;
  WriteLock& lock_;
};

}  // namespace paytower::db
