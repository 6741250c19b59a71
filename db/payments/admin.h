// What operators do to the database: delete, decide, release guards, back up, check.
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
  /// All ended tries of these hashes, with their duplicates; empty: everything (--all).
  std::vector<PaymentHash> hashes;
  bool include_non_failed = false;  ///< --all: also those that are not FAILED
  bool failed_htlcs_only = false;   ///< only failed attempts of ended payments; the payments stay
  /// Only what ended before this time (if the end is unknown: what was created before).
  std::optional<UnixNs> ended_before;
  bool forget = false;  ///< drops the guards too, except those of set ids: the hash becomes payable again
};

struct DeleteReport {
  struct Skipped {
    PaymentHash hash;
    /// "in_flight", "watched", "not_found", "guarded" (only a guard, no --forget), "too_recent", "set_id" (--forget)
    std::string reason;
  };
  std::uint64_t deleted = 0;        ///< rows of payments
  std::uint64_t deleted_htlcs = 0;  ///< attempts, also those that were deleted with their payments
  std::uint64_t forgotten = 0;      ///< guards that were dropped (--forget), also those made by this very deletion
  std::vector<Skipped> skipped;     ///< one for each hash
  bool interrupted = false;
};

/// What an operator cannot do: turn a set id into a payment hash.
[[nodiscard]] Error refusal_of_set_id(const PaymentHash& hash);

/// Which operator decided, and when: stored with the decision.
struct Operator {
  std::string user;  ///< login name, or "uid 1000"
  UnixNs at;
};

/// The values are stored.
enum class OperatorDecision : std::uint8_t { assume_failed = 1, write_off = 2, forget = 3, restored = 4, cancel = 5 };
/// "assume_failed", "write_off", "forget", "restored", "cancel"
[[nodiscard]] std::string_view decision_name(OperatorDecision decision);

struct CheckReport {
  std::vector<std::string> problems;                      ///< empty: sound
  std::vector<std::string> opened;                        ///< files that others have access to; each is a problem too
  std::vector<std::pair<SwitchKey, std::uint64_t>> open;  ///< open own attempts for each switch
  std::uint64_t payments = 0;
  std::uint64_t attempts = 0;
};

/// For one thread. Every call that writes waits for the write lock (Errc::busy). All throw StoreError (R10).
class PaymentAdmin {
 public:
  PaymentAdmin(Connection& connection, WriteLock& lock) : connection_(connection), lock_(lock) {}

  /// What remove() would do, without doing it. A read-only connection is enough.
  [[nodiscard]] Result<DeleteReport> plan(const DeleteRequest& request);
  /// Deletes in transactions of at most 500 rows. Between them `go_on` is asked: false stops there; what is done stays
  /// done, and a second call goes on. Never deletes what is INITIATED, IN_FLIGHT or watched; a paid payment leaves a
  /// guard. At the end the freed pages are given back in bounded steps.
  [[nodiscard]] Result<DeleteReport> remove(const DeleteRequest& request, const Operator& by,
                                            const std::function<bool(const DeleteReport&)>& go_on = {});

  /// How the payments of a hash are called from now on, all its tries; empty: not at all. What they were asked to be
  /// stays as it is. False if no payment of the hash is stored. REQUIRES: at most limits::max_label_bytes.
  [[nodiscard]] Result<bool> set_label(const PaymentHash& hash, const std::string& label);

  /// Stores what the operator has decided. `hash` is nothing for decisions about the whole store.
  [[nodiscard]] Result<std::monostate> record_decision(OperatorDecision decision,
                                                       const std::optional<PaymentHash>& hash, const Operator& by);
  /// resolve --assume-failed for a hash that has only a guard: the guard no longer counts. Errc::not_found without a
  /// guard, already_paid if the guard says that the hash is paid, already_ended if it is a set id.
  [[nodiscard]] Result<std::monostate> release_guard(const PaymentHash& hash, const Operator& by);
  /// resolve --write-off for a hash that has only a guard: never payable again. Errors as release_guard, except for a
  /// set id.
  [[nodiscard]] Result<std::monostate> write_off_guard(const PaymentHash& hash, const Operator& by);

  /// resolve --restored: from now on, unknown attempts of our own store up to this id are no sign of an old copy (R12).
  [[nodiscard]] Result<std::monostate> accept_ids_up_to(AttemptId highest);

  /// A complete, synced copy in the new file `path` (0600), while others work. Errc::usage if the name is taken or
  /// cannot be one, Errc::database if it cannot be written: then nothing is left of it. Between steps `go_on` gets the
  /// pages done and the pages in all; if it returns false, the result is Errc::database and no copy.
  [[nodiscard]] Result<std::monostate> backup(const std::string& path, const std::function<bool(int, int)>& go_on = {});

  /// Checks the schema against the one that paytower makes, the integrity of the file, foreign keys, every preimage
  /// against its hash, counters, file modes, and open attempts.
  [[nodiscard]] Result<CheckReport> check();

 private:
  void check_contents(CheckReport& report);
  void give_pages_back(const std::function<bool(const DeleteReport&)>& go_on, const DeleteReport& report);
  [[nodiscard]] Result<std::monostate> change_guard(const PaymentHash& hash, const Operator& by,
                                                    OperatorDecision decision, const char* sql);

  Connection& connection_;
  WriteLock& lock_;
};

}  // namespace paytower::db
