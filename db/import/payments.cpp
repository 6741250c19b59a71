// lnd's key-value payments as rows of version 2. They are another node's history: imported, never payable and never
// driven.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include "core/base/limits.h"
#include "db/import/lnd/source.h"
#include "db/import/stage.h"
#include "db/payments/columns.h"
#include "db/sqlite/statement.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

using P = PaymentColumn;
using A = AttemptColumn;

constexpr std::uint64_t rows_between_words = 512;
constexpr std::size_t max_invoice_bytes = 65'536;

std::int64_t time_of(const std::optional<UnixNs>& time) { return time ? time->value : 0; }

/// Text that can be shown as it is.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= ' ' && letter <= '~'; });
}

/// The route of a record that lnd migrated from before version 9: only keys.
bool from_legacy(const lnd::KvRoute& route) {
  return std::all_of(route.hops.begin(), route.hops.end(),
                     [](const lnd::KvHop& hop) { return hop.channel.value == 0 && hop.outgoing_time_lock == 0; });
}

/// Part of the attempt fits into no column.
bool has_more(const lnd::KvAttempt& attempt) {
  const auto hop_has_more = [](const lnd::KvHop& hop) {
    return hop.amp || hop.blinded || hop.metadata || !hop.records.empty();
  };
  // The expiry of the payee's HTLC follows from the hop before it, except in a blinded path, or if nobody wrote it.
  const auto& hops = attempt.route.hops;
  const std::uint32_t last = hops.size() > 1 ? hops[hops.size() - 2].outgoing_time_lock : attempt.route.total_time_lock;
  if (!hops.empty() && hops.back().outgoing_time_lock != last && !from_legacy(attempt.route)) return true;
  return attempt.first_hop_amount || !attempt.first_hop_records.empty() ||
         (attempt.fail && attempt.fail->wire_message.size() > 2) ||
         std::any_of(attempt.route.hops.begin(), attempt.route.hops.end(), hop_has_more) ||
         (!attempt.route.hops.empty() && !lnd::core_route(attempt.route, 0));
}

bool has_more(const lnd::KvPayment& payment) {
  return payment.other_intent || !payment.first_hop_records.empty() || !is_plain(payment.payment_request) ||
         payment.payment_request.size() > max_invoice_bytes ||
         std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [](const lnd::KvAttempt& attempt) { return has_more(attempt); });
}

const lnd::KvAttempt* settled_attempt(const lnd::KvPayment& payment) {
  for (const lnd::KvAttempt& attempt : payment.attempts) {
    if (attempt.settle) return &attempt;
  }
  return nullptr;
}

/// Each HTLC is locked to a hash of its own. If a route has the payee's AMP record (lnd has kept it since 0.17), that
/// record names the payment as its set.
bool is_amp(const lnd::KvPayment& payment) {
  const auto of_set = [&payment](const lnd::KvAttempt& attempt) {
    const bool own_hash = attempt.hash && attempt.hash != payment.hash;
    const bool named = !attempt.route.hops.empty() && attempt.route.hops.back().amp.has_value();
    return own_hash && (!named || std::ranges::equal(attempt.route.hops.back().amp->set_id.bytes, payment.hash.bytes));
  };
  return !payment.attempts.empty() && std::all_of(payment.attempts.begin(), payment.attempts.end(), of_set);
}

/// Why a payment that lnd could read cannot become a row; empty if it can.
std::string no_row(const lnd::KvPayment& payment) {
  if (payment.sequence < 1 || payment.sequence > INT64_MAX)
    return fmt::format("sequence number {} does not fit", payment.sequence);
  const bool amp = is_amp(payment);
  for (const lnd::KvAttempt& attempt : payment.attempts) {
    if (!amp && attempt.hash && attempt.hash != payment.hash)
      return "an HTLC that is locked to another hash than its payment's, and no part of an AMP payment";
    // R7. An AMP payment is named by its set id, which no preimage proves: each of its HTLCs is locked to a hash of its
    // own.
    if (attempt.settle && hash_of(attempt.settle->preimage) != attempt.hash.value_or(payment.hash)) {
      return fmt::format("a settled attempt whose preimage does not hash to {}",
                         amp ? "its own hash" : "the payment hash");
    }
  }
  return {};
}

/// The facts of a payment as columns.
struct Facts {
  std::optional<Preimage> preimage;
  std::optional<FailureReason> stop;
  std::optional<FailureReason> fail;
  std::optional<std::int64_t> ended;
};

Facts facts_of(const lnd::KvPayment& payment) {
  Facts facts;
  std::int64_t last = time_of(payment.created);
  bool open = false;
  for (const lnd::KvAttempt& attempt : payment.attempts) {
    open = open || attempt.open();
    if (attempt.fail) last = std::max(last, time_of(attempt.fail->at));
  }
  if (const lnd::KvAttempt* settled = settled_attempt(payment)) {
    facts.preimage = settled->settle->preimage;
    facts.ended = settled->settle->at ? time_of(settled->settle->at) : time_of(payment.created);
  } else if (payment.fail_reason && open) {
    facts.stop = payment.fail_reason;
  } else if (payment.fail_reason) {
    facts.fail = payment.fail_reason;
    facts.ended = last;
  }
  return facts;
}

std::optional<PublicKey> destination_of(const lnd::KvPayment& payment) {
  for (const lnd::KvAttempt& attempt : payment.attempts) {
    if (!attempt.route.hops.empty()) return attempt.route.hops.back().node;
  }
  return std::nullopt;
}

std::optional<PaymentSecret> secret_of(const lnd::KvPayment& payment) {
  for (const lnd::KvAttempt& attempt : payment.attempts) {
    if (!attempt.route.hops.empty() && attempt.route.hops.back().mpp) return attempt.route.hops.back().mpp->address;
  }
  return std::nullopt;
}

class Converter {
 public:
  Converter(SQLite::Database& database, const lnd::Source& source, UnixNs now, migrations::StepReport& report)
      : database_(database), raw_name_(source.raw_name()), records_name_(source.records_name()), now_(now),
        report_(report),
        payment_(database,
                 insert_payment({P::payment_index, P::payment_hash, P::amount_msat, P::created_ns, P::provenance,
                                 P::duplicate_of, P::destination, P::payment_secret, P::invoice, P::stop_reason,
                                 P::fail_reason, P::preimage, P::ended_ns, P::amp})),
        attempt_(database,
                 insert_attempt({A::payment_index, A::attempt_id, A::part, A::origin, A::route, A::amount_msat,
                                 A::fee_msat, A::registered_ns, A::total_time_lock, A::resolved_ns, A::outcome,
                                 A::preimage, A::failure_code, A::failure_source, A::failure_channel,
                                 A::failure_direction, A::failure_node, A::failure_message, A::htlc_hash})),
        raw_(database, "INSERT INTO imported_raw (payment_index, what, data) VALUES (?1, ?2, ?3)"),
        aside_(database,
               "INSERT INTO quarantine (source, sequence, payment_hash, reason, record, at_ns) VALUES (?1, ?2, ?3, ?4, "
               "?5, ?6)"),
        guard_(database,
               "INSERT INTO hash_guards (payment_hash, kind, since_ns) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 "
               "FROM hash_guards WHERE payment_hash = ?1)"),
        set_id_(database, "UPDATE hash_guards SET amp = 1 WHERE payment_hash = ?1"),
        paid_(database, "UPDATE hash_guards SET kind = 2 WHERE payment_hash = ?1 AND kind = 1") {}

  void add(const lnd::KvRecord& record) {
    ++report_.read;
    if (!record.duplicate) first_.reset();
    if (const auto* unreadable = std::get_if<lnd::KvUnreadable>(&record.what))
      return set_aside(record, unreadable->reason, unreadable->settled);
    const auto& payment = std::get<lnd::KvPayment>(record.what);
    const bool settled = settled_attempt(payment) != nullptr;
    const std::string reason = no_row(payment);
    const std::string refused = reason.empty() ? store(payment, record) : reason;
    if (!refused.empty()) {
      set_aside(record, refused, settled);
    } else {
      ++(first_ ? report_.duplicates : report_.migrated);
      if (!first_) first_ = static_cast<std::int64_t>(payment.sequence);
      if (facts_of(payment).ended) return;
      arm(payment.hash, GuardKind::in_flight);
    }
    if (is_amp(payment)) Query(set_id_).bind(payment.hash).run();
  }

 private:
  /// Returns why the database refuses it, or nothing. What was stored by then is deleted again, because a savepoint
  /// would cost as much as the rows themselves: nothing refers to them yet, and they are the last ones.
  std::string store(const lnd::KvPayment& payment, const lnd::KvRecord& record) {
    bool begun = false;
    try {
      store_payment(payment);
      begun = true;
      std::int64_t part = 0;
      for (const lnd::KvAttempt& attempt : payment.attempts) store_attempt(payment, attempt, part++);
      if (has_more(payment))
        Query(raw_).bind(static_cast<std::int64_t>(payment.sequence), raw_name_, record.whole()).run();
    } catch (const SQLite::Exception& error) {
      if (!is_constraint(error)) throw;
      const std::string why = error.what();
      if (begun) take_out(static_cast<std::int64_t>(payment.sequence));
      return fmt::format("the database refuses it: {}", why);
    }
    attempts_stored_ += static_cast<std::int64_t>(payment.attempts.size());
    return {};
  }

  void take_out(std::int64_t index) {
    SQLite::Statement attempts(database_, "DELETE FROM attempts WHERE attempt_row > ?1");
    Query(attempts).bind(attempts_stored_).run();
    SQLite::Statement payment(database_, "DELETE FROM payments WHERE payment_index = ?1");
    Query(payment).bind(index).run();
    database_.exec(
        "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(payment_index), 0) FROM payments) WHERE name = "
        "'payments'");
  }

  void store_payment(const lnd::KvPayment& payment) {
    const Facts facts = facts_of(payment);
    const bool shown = !payment.payment_request.empty() && is_plain(payment.payment_request) &&
                       payment.payment_request.size() <= max_invoice_bytes;
    Query(payment_)
        .bind(static_cast<std::int64_t>(payment.sequence), payment.hash, payment.value, time_of(payment.created),
              static_cast<int>(Provenance::lnd_kv), first_, destination_of(payment), secret_of(payment),
              shown ? std::optional(payment.payment_request) : std::nullopt, number(facts.stop), number(facts.fail),
              facts.preimage, facts.ended, std::int64_t{is_amp(payment)})
        .run();
  }

  void store_attempt(const lnd::KvPayment& payment, const lnd::KvAttempt& attempt, std::int64_t part) {
    // Delays count from height 0 here: an imported route says at which height each HTLC expired.
    auto route = lnd::core_route(attempt.route, 0);
    for (std::size_t i = 0; route && i < route->hops.size(); ++i) {
      if (route->hops[i].channel.value == 0) route->hops[i].direction = 0;
    }
    // A record that lnd itself had migrated names neither channels nor heights. In a blinded path only some hops are
    // known.
    if (route && from_legacy(attempt.route)) route->hops.front().delay = 0;
    std::optional<std::int64_t> resolved;
    std::optional<std::int64_t> outcome;
    if (attempt.settle) {
      outcome = static_cast<std::int64_t>(AttemptOutcome::settled);
      resolved = time_of(attempt.settle->at);
    } else if (attempt.fail) {
      outcome = static_cast<std::int64_t>(AttemptOutcome::failed);
      resolved = time_of(attempt.fail->at);
    }
    Query insert(attempt_);
    insert.bind(static_cast<std::int64_t>(payment.sequence), id_of(attempt), part,
                static_cast<int>(AttemptOrigin::imported), route ? std::optional(encode_route(*route)) : std::nullopt,
                attempt.delivered(), attempt.route.fees(), time_of(attempt.registered),
                std::int64_t{attempt.route.total_time_lock}, resolved, outcome,
                attempt.settle ? std::optional(attempt.settle->preimage) : std::nullopt);
    bind_failure(insert,
                 outcome == static_cast<std::int64_t>(AttemptOutcome::failed) ? &attempt.fail->failure : nullptr);
    insert.bind(attempt.hash == payment.hash ? std::nullopt : attempt.hash);
    insert.run();
  }

  static void bind_failure(Query& insert, const Failure* failure) {
    if (failure == nullptr) {
      for (int i = 0; i < 6; ++i) insert.bind(std::nullopt);
      return;
    }
    const std::string message = failure->message.substr(0, limits::max_failure_message_bytes);
    const auto& channel = failure->channel;
    insert.bind(static_cast<std::int64_t>(failure->code), failure->source_index,
                channel ? std::optional(static_cast<std::int64_t>(channel->channel.value)) : std::nullopt,
                channel ? std::optional(std::int64_t{channel->direction}) : std::nullopt, failure->node,
                message.empty() ? std::nullopt : std::optional(message));
  }

  static std::optional<std::int64_t> id_of(const lnd::KvAttempt& attempt) {
    if (!attempt.id) return std::nullopt;
    return static_cast<std::int64_t>(*attempt.id);
  }

  static std::optional<std::int64_t> number(const std::optional<FailureReason>& reason) {
    if (!reason) return std::nullopt;
    return static_cast<std::int64_t>(*reason);
  }

  void set_aside(const lnd::KvRecord& record, const std::string& reason, bool settled) {
    std::optional<std::int64_t> sequence;
    if (record.sequence && *record.sequence <= INT64_MAX) sequence = static_cast<std::int64_t>(*record.sequence);
    Query(aside_)
        .bind(records_name_, sequence, record.hash,
              record.raw_complete ? reason : fmt::format("{}; only its beginning is kept", reason), record.whole(),
              now_)
        .run();
    ++report_.quarantined;
    // The bytes say what became of it. Until a person has looked, it may be paid or in flight.
    if (record.hash) arm(*record.hash, settled ? GuardKind::paid_without_record : GuardKind::in_flight);
  }

  /// Adds a guard. "Paid" replaces "in flight", and never the other way round, whichever record of the hash comes
  /// first.
  void arm(const PaymentHash& hash, GuardKind kind) {
    Query(guard_).bind(hash, static_cast<std::int64_t>(kind), now_).run();
    if (kind == GuardKind::paid_without_record) Query(paid_).bind(hash).run();
  }

  SQLite::Database& database_;
  const char* raw_name_;
  const char* records_name_;
  UnixNs now_;
  migrations::StepReport& report_;
  SQLite::Statement payment_;
  SQLite::Statement attempt_;
  SQLite::Statement raw_;
  SQLite::Statement aside_;
  SQLite::Statement guard_;
  SQLite::Statement set_id_;
  SQLite::Statement paid_;
  std::int64_t attempts_stored_ = 0;   // their rows are numbered from 1
  std::optional<std::int64_t> first_;  // for the current hash: the row that later records are duplicates of
};

}  // namespace

void convert_payments(SQLite::Database& database, const lnd::Source& source, UnixNs now, StatementWatch& watch,
                      migrations::StepReport& report) {
  Converter converter(database, source, now, report);
  const auto payments = source.records();
  std::uint64_t count = 0;
  while (auto record = payments->next()) {
    if (count++ % rows_between_words == 0) watch.tell(count, 0);
    converter.add(*record);
  }
}

}  // namespace paytower::db
