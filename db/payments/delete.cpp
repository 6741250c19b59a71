// Deleting: planned and done by the same rules, in small transactions.
#include <map>
#include <set>

#include <fmt/core.h>

#include "db/payments/admin.h"
#include "db/payments/operator_decisions.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr std::size_t rows_a_batch = 500;
constexpr int pages_a_step = 500;

/// A try with its duplicates: what deleting needs to know about it.
struct Candidate {
  PaymentIndex index;
  PaymentHash hash;
  std::optional<UnixNs> ended;
  UnixNs created;
  bool failed = false;
  bool open = false;
  bool watched = false;
  bool amp = false;        ///< its hash is a set id, which is never forgotten
  std::uint64_t rows = 1;  ///< with its duplicates
  std::uint64_t attempts = 0;
  std::uint64_t failed_attempts = 0;
};

#define PAYTOWER_CANDIDATE                                                                                            \
  "SELECT p.payment_index, p.payment_hash, p.ended_ns, p.created_ns, "                                                \
  "p.fail_reason IS NOT NULL AND p.late_preimage IS NULL AND p.end_note IS NULL, "                                    \
  "p.ended_ns IS NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = p.payment_index AND a.outcome IS "  \
  "NULL) "                                                                                                            \
  "OR EXISTS (SELECT 1 FROM payments d LEFT JOIN attempts a ON a.payment_index = d.payment_index AND a.outcome IS "   \
  "NULL "                                                                                                             \
  "WHERE d.duplicate_of = p.payment_index AND (d.ended_ns IS NULL OR a.attempt_row IS NOT NULL)), "                   \
  "EXISTS (SELECT 1 FROM attempts a WHERE a.payment_index = p.payment_index AND a.outcome = 3 AND a.failure_code IN " \
  "(65541, 65542)), p.amp, "                                                                                          \
  "1 + (SELECT count(*) FROM payments d WHERE d.duplicate_of = p.payment_index), "                                    \
  "(SELECT count(*) FROM attempts a WHERE a.payment_index = p.payment_index) + "                                      \
  "(SELECT count(*) FROM payments d JOIN attempts a ON a.payment_index = d.payment_index WHERE d.duplicate_of = "     \
  "p.payment_index), "                                                                                                \
  "(SELECT count(*) FROM attempts a WHERE a.payment_index = p.payment_index AND a.outcome = 2) "                      \
  "FROM payments p "

Candidate read_candidate(Query& row) {
  Candidate candidate;
  candidate.index.value = row.integer();
  candidate.hash = row.fixed<PaymentHash>();
  candidate.ended = row.maybe_time();
  candidate.created = row.time();
  candidate.failed = row.integer() != 0;
  candidate.open = row.integer() != 0;
  candidate.watched = row.integer() != 0;
  candidate.amp = row.integer() != 0;
  candidate.rows = row.number(INT64_MAX);
  candidate.attempts = row.number(INT64_MAX);
  candidate.failed_attempts = row.number(INT64_MAX);
  return candidate;
}

/// What one request does, decided row by row: the same for a plan and for the deletion itself.
class Deletion {
 public:
  Deletion(Connection& connection, const DeleteRequest& request) : connection_(connection), request_(request) {
    last_ = value_of(reading(connection_, [this] {
      Query row = connection_.prepared("SELECT max(payment_index) FROM payments");
      row.step();
      return PaymentIndex{row.maybe_integer().value_or(0)};
    }));
  }

  DeleteReport report;

  [[nodiscard]] std::vector<Candidate> next_batch() {
    if (request_.hashes.empty()) return batch_of_all();
    while (next_hash_ < request_.hashes.size()) {
      auto batch = batch_of(request_.hashes[next_hash_++]);
      if (!batch.empty()) return batch;
    }
    return {};
  }

  /// True if the row has to go. Otherwise the report says why not.
  bool wanted(const Candidate& candidate) {
    const bool named = !request_.hashes.empty();
    if (candidate.open || candidate.watched) {
      skip(candidate.hash, candidate.open ? "in_flight" : "watched");
      return false;
    }
    if (request_.ended_before && candidate.ended.value_or(candidate.created) >= *request_.ended_before) {
      if (named) skip(candidate.hash, "too_recent");
      return false;
    }
    if (named && request_.forget && candidate.amp) {
      skip(candidate.hash, "set_id");
      return false;
    }
    return true;
  }

  /// One entry for each hash. That it is open says more than that it is watched or recent.
  void skip(const PaymentHash& hash, const std::string& reason) {
    const auto [entry, added] = skipped_.try_emplace(hash, report.skipped.size());
    if (added) {
      report.skipped.push_back({hash, reason});
    } else if (reason == "in_flight") {
      report.skipped[entry->second].reason = reason;
    }
  }

  /// The hash keeps its guard as long as it has open or watched tries, and a set id always does.
  [[nodiscard]] bool busy(const PaymentHash& hash) const {
    const auto entry = skipped_.find(hash);
    if (entry == skipped_.end()) return false;
    const std::string& reason = report.skipped[entry->second].reason;
    return reason == "in_flight" || reason == "watched" || reason == "set_id";
  }

  void count(const Candidate& candidate) {
    if (request_.failed_htlcs_only) {
      report.deleted_htlcs += candidate.failed_attempts;
      return;
    }
    report.deleted += candidate.rows;
    report.deleted_htlcs += candidate.attempts;
  }

 private:
  std::vector<Candidate> batch_of_all() {
    return value_of(reading(connection_, [&] {
      std::vector<Candidate> batch = read_candidates(scope_ == Scope::unfinished ? unfinished
                                                     : whole()                   ? everything
                                                                                 : failed);
      if (batch.empty() && scope_ == Scope::ended && !whole()) {
        // What is skipped is reported too.
        scope_ = Scope::unfinished;
        after_ = PaymentIndex{};
        batch = read_candidates(unfinished);
      }
      return batch;
    }));
  }

  std::vector<Candidate> batch_of(const PaymentHash& hash) {
    return value_of(reading(connection_, [&] {
      std::vector<Candidate> batch;
      Query row = connection_.prepared(PAYTOWER_CANDIDATE "WHERE p.duplicate_of IS NULL AND p.payment_hash = ?1");
      row.bind(hash);
      while (row.step()) batch.push_back(read_candidate(row));
      if (batch.empty()) note_guard_only(hash);
      return batch;
    }));
  }

  void note_guard_only(const PaymentHash& hash) {
    Query row = connection_.prepared("SELECT amp FROM hash_guards WHERE payment_hash = ?1");
    row.bind(hash);
    if (!row.step()) {
      skip(hash, "not_found");
    } else if (!request_.forget) {
      skip(hash, "guarded");
    } else if (row.integer() != 0) {
      skip(hash, "set_id");
    }
  }

  /// --all without --include-non-failed uses the index of failed payments, however many others there are.
  [[nodiscard]] bool whole() const { return request_.include_non_failed || request_.failed_htlcs_only; }

  std::vector<Candidate> read_candidates(const char* sql) {
    std::vector<Candidate> batch;
    Query row = connection_.prepared(sql);
    row.bind(after_, last_, static_cast<std::int64_t>(rows_a_batch));
    while (row.step()) batch.push_back(read_candidate(row));
    if (!batch.empty()) after_ = batch.back().index;
    return batch;
  }

  static constexpr const char* everything = PAYTOWER_CANDIDATE
      "WHERE p.duplicate_of IS NULL AND p.payment_index > ?1 AND p.payment_index <= ?2 ORDER BY p.payment_index LIMIT "
      "?3";
  static constexpr const char* failed = PAYTOWER_CANDIDATE
      "WHERE p.fail_reason IS NOT NULL AND p.late_preimage IS NULL AND p.end_note IS NULL AND p.duplicate_of IS NULL "
      "AND p.payment_index > ?1 AND p.payment_index <= ?2 ORDER BY p.payment_index LIMIT ?3";
  static constexpr const char* unfinished = PAYTOWER_CANDIDATE
      "WHERE p.ended_ns IS NULL AND p.duplicate_of IS NULL AND p.payment_index > ?1 AND p.payment_index <= ?2 ORDER BY "
      "p.payment_index LIMIT ?3";
  enum class Scope { ended, unfinished };

  Connection& connection_;
  const DeleteRequest& request_;
  PaymentIndex after_;
  PaymentIndex last_;  // payments that are created meanwhile are left out
  Scope scope_ = Scope::ended;
  std::size_t next_hash_ = 0;
  std::map<PaymentHash, std::size_t> skipped_;  // at which place in the report
};

/// What --forget may drop: 1 or 0.
std::uint64_t guards_of(Connection& connection, const PaymentHash& hash) {
  return value_of(reading(connection, [&] {
    Query row = connection.prepared("SELECT count(*) FROM hash_guards WHERE payment_hash = ?1 AND amp = 0");
    row.bind(hash);
    row.step();
    return row.number(INT64_MAX);
  }));
}

}  // namespace

Result<DeleteReport> PaymentAdmin::plan(const DeleteRequest& request) {
  return result_of([&] {
    Deletion deletion(connection_, request);
    std::set<PaymentHash> guards;  // existing ones, and those that the deletion would make
    for (auto batch = deletion.next_batch(); !batch.empty(); batch = deletion.next_batch()) {
      for (const Candidate& candidate : batch) {
        if (!deletion.wanted(candidate)) continue;
        deletion.count(candidate);
        if (request.forget && !request.failed_htlcs_only && !candidate.amp &&
            (!candidate.failed || guards_of(connection_, candidate.hash) > 0))
          guards.insert(candidate.hash);
      }
    }
    if (request.forget && !request.failed_htlcs_only) {
      for (const PaymentHash& hash : request.hashes) {
        if (guards_of(connection_, hash) > 0 && !deletion.busy(hash)) guards.insert(hash);
      }
    }
    deletion.report.forgotten = guards.size();
    return std::move(deletion.report);
  });
}

Result<DeleteReport> PaymentAdmin::remove(const DeleteRequest& request, const Operator& by,
                                          const std::function<bool(const DeleteReport&)>& go_on) {
  return result_of([&] {
    Deletion deletion(connection_, request);
    DeleteReport& report = deletion.report;
    const auto forget = [&](const PaymentHash& hash) {
      if (guards_of(connection_, hash) == 0) return;
      // First the decision: without it the schema keeps the guard.
      insert_decision(connection_, OperatorDecision::forget, hash, by);
      Query drop = connection_.prepared("DELETE FROM hash_guards WHERE payment_hash = ?1");
      drop.bind(hash);
      if (drop.run() == 1) ++report.forgotten;
    };
    for (auto batch = deletion.next_batch(); !batch.empty(); batch = deletion.next_batch()) {
      (void)value_of(write_tx(connection_, lock_, [&] {
        for (const Candidate& candidate : batch) {
          if (!deletion.wanted(candidate)) continue;
          // The facts may have changed since they were read: the schema decides.
          const auto done = in_savepoint(connection_, [&] {
            Query drop = connection_.prepared(request.failed_htlcs_only
                                                  ? "DELETE FROM attempts WHERE payment_index = ?1 AND outcome = 2"
                                                  : "DELETE FROM payments WHERE payment_index = ?1");
            drop.bind(candidate.index);
            drop.run();
          });
          if (!done) {
            deletion.skip(candidate.hash, "in_flight");
            continue;
          }
          deletion.count(candidate);
          if (request.forget && !request.failed_htlcs_only) forget(candidate.hash);
        }
      }));
      if (go_on && !go_on(report)) {
        report.interrupted = true;
        return std::move(report);
      }
      lock_.give_way();
    }
    if (request.forget && !request.failed_htlcs_only) {
      (void)value_of(write_tx(connection_, lock_, [&] {
        for (const PaymentHash& hash : request.hashes) {
          if (!deletion.busy(hash)) forget(hash);
        }
      }));
    }
    give_pages_back(go_on, report);
    return std::move(report);
  });
}

void PaymentAdmin::give_pages_back(const std::function<bool(const DeleteReport&)>& go_on, const DeleteReport& report) {
  const auto free_pages = [this] {
    return value_of(reading(connection_, [this] {
      Query row = connection_.prepared("PRAGMA freelist_count");
      row.step();
      return row.integer();
    }));
  };
  for (std::int64_t before = free_pages(); before > 0;) {
    (void)value_of(write_tx(connection_, lock_, [&] {
      connection_.prepared(fmt::format("PRAGMA incremental_vacuum({})", pages_a_step)).run();
    }));
    const std::int64_t now = free_pages();
    if (now >= before || (go_on && !go_on(report))) return;
    before = now;
    lock_.give_way();
  }
}

}  // namespace paytower::db
