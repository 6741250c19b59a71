// One function for each kind of write that the driver asks for.
#include "db/payments/writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <variant>

#include <SQLiteCpp/Exception.h>

#include "core/base/hash.h"
#include "core/payment/lifecycle.h"
#include "db/payments/rows.h"
#include "db/payments/stored_detail.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

// An attempt of ours: its id, part and payment are parameters 1 to 3. The row is looked up first: for an UPDATE by an
// index of two columns SQLite would fill a temporary table, which costs half as much again as the UPDATE.
#define THE_ATTEMPT                                                                                         \
  "attempt_row = (SELECT attempt_row FROM attempts WHERE attempt_id = ?1 AND part = ?2 AND origin = 0 AND " \
  "payment_index = ?3)"

/// Empty text is stored as NULL, which is shorter and means the same.
std::optional<std::string> unless_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}
std::optional<Bytes> unless_empty(const Bytes& bytes) {
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

/// A compare-and-set found another value: somebody changed the facts in between.
[[noreturn]] void missed(const std::string& what) { refuse(Errc::conflict, what); }

/// What another user of the node has paid is recorded, and costs nothing.
bool begins_to_pay(const PaymentWrites& entry) {
  const auto has = [&entry](auto is_one) { return std::any_of(entry.writes.begin(), entry.writes.end(), is_one); };
  return has([](const Write& write) { return std::holds_alternative<InitPayment>(write); }) &&
         !has([](const Write& write) { return std::holds_alternative<RecordForeign>(write); });
}

/// Writes one payment.
class Writer {
 public:
  Writer(Connection& connection, SpendingJudge& judge, const Payment& payment)
      : connection_(connection), judge_(judge), payment_(payment), index_(payment.index) {}

  [[nodiscard]] PaymentIndex index() const { return index_; }

  void store_all(const PaymentWrites& entry) {
    if (begins_to_pay(entry)) judge_.refuse_over_limits(payment_.request);
    for (const Write& write : entry.writes) std::visit([this](const auto& what) { store(what); }, write);
    store_acceptances();
  }

 private:
  void store(const InitPayment&) {
    const PaymentRequest& request = payment_.request;
    const RouteDemand& demand = request.demand;
    static const std::string sql =
        insert_payment({PaymentColumn::payment_hash, PaymentColumn::amount_msat, PaymentColumn::created_ns,
                        PaymentColumn::deadline_ns, PaymentColumn::provenance, PaymentColumn::destination,
                        PaymentColumn::fee_limit_msat, PaymentColumn::cltv_limit, PaymentColumn::final_cltv_delta,
                        PaymentColumn::max_attempts, PaymentColumn::max_parts, PaymentColumn::payment_secret,
                        PaymentColumn::metadata, PaymentColumn::invoice, PaymentColumn::network, PaymentColumn::label,
                        PaymentColumn::outgoing_channels, PaymentColumn::candidate_routes});
    Query insert = connection_.prepared(sql);
    insert.bind(request.hash, demand.amount, request.created, request.deadline, static_cast<int>(Provenance::native),
                demand.destination, demand.fee_limit, demand.cltv_limit, demand.final_cltv_delta, request.max_attempts,
                request.max_parts, request.payment_secret, request.metadata, unless_empty(request.invoice),
                unless_empty(request.network), unless_empty(request.label), encode_channels(demand.outgoing_channels),
                encode_routes(request.candidates));
    insert.run();
    index_.value = sqlite3_last_insert_rowid(connection_.database().getHandle());
  }

  void store(const RegisterAttempt& write) {
    try {
      insert_attempt(write.attempt);
    } catch (const SQLite::Exception& error) {
      if (!is_constraint(error) || !is_taken(write.attempt)) throw;
      refuse(Errc::attempt_id_taken, "the attempt id that was drawn is taken; nothing was sent");
    }
  }

  /// Whether another payment or this very attempt has the id: the other parts of its round may share it.
  bool is_taken(const Attempt& attempt) {
    Query row = connection_.prepared(
        "SELECT 1 FROM attempts WHERE attempt_id = ?1 AND origin = 0 AND (payment_index <> ?2 OR part = ?3)");
    row.bind(bits(attempt.id), index_, attempt.part);
    return row.step();
  }

  void store(const RecordForeign& write) {
    check_proof(*write.attempt.preimage);
    insert_attempt(write.attempt);
  }

  void insert_attempt(const Attempt& attempt) {
    static const std::string sql = db::insert_attempt(
        {AttemptColumn::payment_index, AttemptColumn::attempt_id, AttemptColumn::part, AttemptColumn::origin,
         AttemptColumn::switch_id, AttemptColumn::marks, AttemptColumn::route, AttemptColumn::amount_msat,
         AttemptColumn::fee_msat, AttemptColumn::registered_ns, AttemptColumn::resolved_ns, AttemptColumn::outcome,
         AttemptColumn::preimage, AttemptColumn::switch_run, AttemptColumn::total_time_lock, AttemptColumn::dies_at_ns,
         AttemptColumn::expected_time_lock});
    Query insert = connection_.prepared(sql);
    std::optional<Bytes> route;
    if (!attempt.route.hops.empty()) route = encode_route(attempt.route);
    insert.bind(index_, bits(attempt.id), attempt.part, static_cast<int>(attempt.origin), switch_id(attempt.switch_key),
                unless_empty(attempt.marks), route, attempt.amount, attempt.fee, attempt.registered, attempt.resolved,
                outcome(attempt.outcome), attempt.preimage, unless_empty(attempt.switch_run), attempt.total_time_lock,
                attempt.dies_at, attempt.expected_time_lock);
    insert.run();
  }

  void store(const MoveAttempt& write) {
    change_one(
        "UPDATE attempts SET switch_run = ?4, expected_time_lock = coalesce(max(?5, expected_time_lock), ?5, "
        "expected_time_lock), moved_ns = ?6 "
        "WHERE " THE_ATTEMPT " AND outcome IS NULL",
        "the attempt to hand over again is not there, or has ended", bits(write.key.id), write.key.part, index_,
        unless_empty(write.run), write.expected_time_lock, write.at);
  }

  void store(const AcceptAttempt& write) {
    change_one("UPDATE attempts SET accepted_ns = coalesce(accepted_ns, ?4) WHERE " THE_ATTEMPT,
               "the attempt that was accepted is not there", bits(write.key.id), write.key.part, index_, write.at);
  }

  void store(const SettleAttempt& write) {
    check_proof(write.preimage);
    change_one(
        "UPDATE attempts SET outcome = 1, preimage = ?4, resolved_ns = ?5, accepted_ns = coalesce(accepted_ns, ?6), "
        "failure_code = NULL, "
        "failure_source = NULL, failure_channel = NULL, failure_direction = NULL, failure_node = NULL, failure_message "
        "= NULL "
        "WHERE " THE_ATTEMPT " AND outcome IS NOT 1",
        "the attempt to settle is not there, or settled before", bits(write.key.id), write.key.part, index_,
        write.preimage, write.at, accepted(write.key));
  }

  void store(const FailAttempt& write) { end_attempt(write.key, 2, write.failure, write.at); }
  void store(const CloseAttempt& write) { end_attempt(write.key, 3, write.failure, write.at); }

  void store(const CloseImported& write) {
    Query update = connection_.prepared(
        "UPDATE attempts SET outcome = 3, resolved_ns = ?1, failure_code = ?2 WHERE payment_index = ?3 AND origin = 2 "
        "AND outcome IS NULL");
    update.bind(write.at, static_cast<std::uint32_t>(write.code), index_);
    if (update.run() == 0) missed("the imported attempts to end are not there, or ended before");
  }

  void end_attempt(const AttemptKey& attempt, int how, const Failure& failure, UnixNs at) {
    std::optional<std::int64_t> channel;
    std::optional<int> direction;
    if (failure.channel) {
      channel = static_cast<std::int64_t>(failure.channel->channel.value);
      direction = failure.channel->direction;
    }
    change_one(
        "UPDATE attempts SET outcome = ?4, resolved_ns = ?5, accepted_ns = coalesce(accepted_ns, ?6), failure_code = "
        "?7, failure_source = ?8, "
        "failure_channel = ?9, failure_direction = ?10, failure_node = ?11, failure_message = ?12 "
        "WHERE " THE_ATTEMPT " AND outcome IS NOT 1 AND outcome IS NOT 2",
        "the attempt to end is not there, or ended before", bits(attempt.id), attempt.part, index_, how, at,
        accepted(attempt), static_cast<std::uint32_t>(failure.code), failure.source_index, channel, direction,
        failure.node, unless_empty(kept_words(failure.message)));
  }

  void store(const Succeed& write) {
    check_proof(write.preimage);
    change_one(
        "UPDATE payments SET preimage = ?1, ended_ns = coalesce(ended_ns, ?2) WHERE payment_index = ?3 AND preimage IS "
        "NULL",
        "the payment to succeed is not there, or succeeded before", write.preimage, write.at, index_);
  }

  void store(const StoreLatePreimage& write) {
    check_proof(write.preimage);
    change_one("UPDATE payments SET late_preimage = ?1 WHERE payment_index = ?2 AND late_preimage IS NULL",
               "the payment to succeed late is not there, or has its proof", write.preimage, index_);
    judge_.count_anew();  // it counts again
    // If the hash is paid, a newer try of it makes no further attempt.
    Query stop = connection_.prepared(
        "UPDATE payments SET stop_reason = ?1 WHERE payment_hash = ?2 AND live = 1 AND stop_reason IS NULL AND "
        "preimage IS NULL AND end_note IS NULL");
    stop.bind(static_cast<int>(FailureReason::error), payment_.request.hash);
    stop.run();
  }

  void store(const SetStop& write) {
    change_one(
        "UPDATE payments SET stop_reason = ?1, failure_detail = coalesce(?2, failure_detail) WHERE payment_index = ?3 "
        "AND stop_reason IS NULL",
        "the payment to stop is not there, or was stopped before", static_cast<int>(write.reason),
        encode_detail(write.detail), index_);
  }

  void store(const FailPayment& write) {
    change_one(
        "UPDATE payments SET fail_reason = ?1, ended_ns = coalesce(ended_ns, ?2), "
        "failure_detail = coalesce(?3, failure_detail) WHERE payment_index = ?4 AND fail_reason IS NULL",
        "the payment to fail is not there, or failed before", static_cast<int>(write.reason), write.at,
        encode_detail(write.detail), index_);
  }

  void store(const EndUnknown& write) {
    change_one(
        "UPDATE payments SET end_note = ?1, ended_ns = coalesce(ended_ns, ?2) WHERE payment_index = ?3 AND end_note IS "
        "NULL",
        "the payment to end is not there, or ended before", static_cast<int>(write.note), write.at, index_);
  }

  /// Changes one row. No row: what the write goes on from is no longer so.
  template <typename... Values> void change_one(const char* sql, const char* otherwise, const Values&... values) {
    Query update = connection_.prepared(sql);
    update.bind(values...);
    if (update.run() != 1) missed(otherwise);
  }

  /// That it was accepted needs no commit of its own: it is stored with whatever is written next. Attempts that end
  /// store it themselves.
  void store_acceptances() {
    for (const Attempt& attempt : payment_.attempts) {
      if (!attempt.open() || !attempt.accepted || !attempt.id || attempt.origin != AttemptOrigin::own) continue;
      Query update =
          connection_.prepared("UPDATE attempts SET accepted_ns = ?4 WHERE " THE_ATTEMPT " AND accepted_ns IS NULL");
      update.bind(bits(*attempt.id), attempt.part, index_, *attempt.accepted);
      update.run();
    }
  }

  /// R7: the last check before a proof is stored.
  void check_proof(const Preimage& preimage) {
    if (!proves(preimage, payment_.request.hash)) missed("a preimage that does not hash to the payment hash");
  }

  std::optional<UnixNs> accepted(const AttemptKey& attempt) {
    const Attempt* known = payment_.find(attempt);
    return known ? known->accepted : std::nullopt;
  }
  static std::optional<int> outcome(const std::optional<AttemptOutcome>& value) {
    if (!value) return std::nullopt;
    return static_cast<int>(*value);
  }

  /// A small number for each switch, so that attempts need not repeat its name.
  std::optional<std::int64_t> switch_id(const std::optional<SwitchKey>& key) {
    if (!key) return std::nullopt;
    {
      // Looked up each time: a remembered number could belong to an insert that was undone with its savepoint.
      Query row = connection_.prepared("SELECT id FROM switches WHERE node = ?1 AND network = ?2");
      row.bind(key->node, key->network);
      if (row.step()) return row.integer();
    }
    Query insert = connection_.prepared("INSERT INTO switches (node, network) VALUES (?1, ?2)");
    insert.bind(key->node, key->network);
    insert.run();
    return sqlite3_last_insert_rowid(connection_.database().getHandle());
  }

  Connection& connection_;
  SpendingJudge& judge_;
  const Payment& payment_;
  PaymentIndex index_;  ///< 0 until the payment is stored
};

}  // namespace

Result<Stored> store_writes(Connection& connection, SpendingJudge& judge, const PaymentWrites& entry) {
  Writer writer(connection, judge, *entry.payment);
  const auto done = in_savepoint(connection, [&] { writer.store_all(entry); });
  if (!done) return done.error();
  return Stored{writer.index()};
}

}  // namespace paytower::db
