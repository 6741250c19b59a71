// lnd.sqlite: the native tables of lnd 0.21 with --db.use-native-sql.
#include <algorithm>

#include <fmt/core.h>

#include "core/base/error.h"
#include "db/import/lnd/byte_reader.h"
#include "db/import/lnd/sql_rows.h"
#include "db/import/sources.h"
#include "db/import/sqlite_file.h"

namespace paytower::db {

namespace {

namespace names = lnd::sql_names;
namespace columns = lnd::sql_columns;

constexpr std::int64_t payments_moved = 14;  // in lnd's migration_tracker: the payments have moved to SQL

/// Whether another table has a row for this one. Most nodes have no rows at all in most of these tables; then it is not
/// asked for each row.
std::string flag_of(const LndSqlite& file, const std::string& table, const std::string& condition) {
  if (!file.has_rows(table)) return "0";
  return fmt::format("EXISTS (SELECT 1 FROM {} AS c WHERE c.{})", table, condition);
}

/// The table's columns, joined to a hop; NULL if the table is empty.
std::string extension_of(const LndSqlite& file, const std::string& table, std::string& joins,
                         std::initializer_list<const char*> columns) {
  const bool rows = file.has_rows(table);
  std::string list;
  for (const char* column : columns) list += fmt::format(", {}", rows ? fmt::format("{}.{}", table, column) : "NULL");
  if (rows) joins += fmt::format(" LEFT JOIN {} ON {}.hop_id = h.id", table, table);
  return list;
}

std::string payment_columns(const LndSqlite& file) {
  return fmt::format(
      "SELECT p.payment_identifier, p.id, p.amount_msat, p.created_at, p.fail_reason, i.id IS NOT NULL, "
      "i.intent_type, i.intent_payload, {}, {}"
      " FROM payments AS p LEFT JOIN payment_intents AS i ON i.payment_id = p.id WHERE p.id > ?1 ORDER BY p.id",
      flag_of(file, "payment_first_hop_custom_records", "payment_id = p.id"),
      flag_of(file, "payment_duplicates", "payment_id = p.id"));
}

std::string attempt_columns(const LndSqlite& file) {
  return fmt::format(
      "SELECT a.attempt_index, a.attempt_time, a.payment_hash, a.first_hop_amount_msat, a.route_total_time_lock, "
      "a.route_total_amount, a.route_source_key,"
      " r.attempt_index IS NOT NULL, r.resolution_time, r.resolution_type, r.settle_preimage, "
      "r.failure_source_index, r.htlc_fail_reason, r.failure_msg, {}"
      " FROM payment_htlc_attempts AS a LEFT JOIN payment_htlc_attempt_resolutions AS r ON r.attempt_index = "
      "a.attempt_index",
      flag_of(file, "payment_attempt_first_hop_custom_records", "htlc_attempt_index = a.attempt_index"));
}

std::string hop_columns(const LndSqlite& file) {
  std::string joins;
  const std::string mpp = extension_of(file, "payment_route_hop_mpp", joins, {"payment_addr", "total_msat"});
  const std::string amp = extension_of(file, "payment_route_hop_amp", joins, {"root_share", "set_id", "child_index"});
  const std::string blinded = extension_of(file, "payment_route_hop_blinded", joins,
                                           {"encrypted_data", "blinding_point", "blinded_path_total_amt"});
  return fmt::format(
      "SELECT h.id, h.hop_index, h.pub_key, h.scid, h.outgoing_time_lock, h.amt_to_forward, h.meta_data{}{}{}, {}"
      " FROM payment_route_hops AS h{} WHERE h.htlc_attempt_index = ?1 ORDER BY h.hop_index",
      mpp, amp, blinded, flag_of(file, "payment_hop_custom_records", "hop_id = h.id"), joins);
}

std::uint64_t number_in(SQLite::Statement& statement, int column) {
  return static_cast<std::uint64_t>(statement.getColumn(column).getInt64());
}

Bytes bytes_in(const SQLite::Column& column) {
  const auto* const data = static_cast<const std::uint8_t*>(column.getBlob());
  return {data, data + column.getBytes()};
}

/// The rows that belong to a payment, an attempt, a hop.
class Details {
 public:
  explicit Details(const LndSqlite& file)
      : attempts_(file.indexed(fmt::format("{} WHERE a.payment_id = ?1", attempt_columns(file)))),
        hops_(file.indexed(hop_columns(file))),
        hop_records_(file.indexed("SELECT key, value FROM payment_hop_custom_records WHERE hop_id = ?1 ORDER BY key")),
        attempt_records_(file.indexed("SELECT key, value FROM payment_attempt_first_hop_custom_records WHERE "
                                      "htlc_attempt_index = ?1 ORDER BY key")),
        payment_records_(file.indexed(
            "SELECT key, value FROM payment_first_hop_custom_records WHERE payment_id = ?1 ORDER BY key")) {}

  /// Custom records, which few rows have, are asked for only if the row itself says that there are some.
  void of_payment(RowCopy& copy, std::int64_t id, bool has_records) {
    if (has_records) records(copy, payment_records_, copy.bucket(copy.top(), names::first_hop_records), id);
    attempts_.reset();
    attempts_.bind(1, id);
    lnd::BucketEntry* all = nullptr;
    while (copy.complete() && attempts_.executeStep()) {
      if (all == nullptr) all = &copy.bucket(copy.top(), names::attempts);
      of_attempt(copy, *all, attempts_);
    }
    if (all == nullptr) return;
    std::sort(all->entries.begin(), all->entries.end(),
              [](const lnd::BucketEntry& a, const lnd::BucketEntry& b) { return a.key < b.key; });
  }

  /// The current row of `statement`, made from attempt_columns.
  void of_attempt(RowCopy& copy, lnd::BucketEntry& all, SQLite::Statement& statement) {
    const std::uint64_t index = number_in(statement, 0);
    lnd::BucketEntry& attempt = copy.numbered(all, index);
    copy.row(attempt, names::attempt, statement, 1, columns::attempt.size());
    if (statement.getColumn(7).getInt() != 0)
      copy.row(attempt, names::resolution, statement, 8, columns::resolution.size());
    if (statement.getColumn(14).getInt() != 0) {
      records(copy, attempt_records_, copy.bucket(attempt, names::first_hop_records), static_cast<std::int64_t>(index));
    }
    of_route(copy, attempt, static_cast<std::int64_t>(index));
  }

 private:
  void of_route(RowCopy& copy, lnd::BucketEntry& attempt, std::int64_t index) {
    hops_.reset();
    hops_.bind(1, index);
    std::vector<std::pair<std::uint64_t, std::int64_t>> with_records;
    lnd::BucketEntry* all = nullptr;
    while (copy.complete() && hops_.executeStep()) {
      if (all == nullptr) all = &copy.bucket(attempt, names::hops);
      copy.numbered_row(*all, number_in(hops_, 1), hops_, 2, columns::hop.size());
      if (hops_.getColumn(15).getInt() != 0)
        with_records.emplace_back(number_in(hops_, 1), hops_.getColumn(0).getInt64());
    }
    if (with_records.empty()) return;
    lnd::BucketEntry& kept = copy.bucket(attempt, names::hop_records);
    for (const auto& [hop, id] : with_records) records(copy, hop_records_, copy.numbered(kept, hop), id);
  }

  /// Rows of type and value that belong to `of`.
  static void records(RowCopy& copy, SQLite::Statement& statement, lnd::BucketEntry& into, std::int64_t of) {
    statement.reset();
    statement.bind(1, of);
    while (copy.complete() && statement.executeStep())
      copy.numbered_row(into, number_in(statement, 0), statement, 1, 1);
  }

  SQLite::Statement attempts_;
  SQLite::Statement hops_;
  SQLite::Statement hop_records_;
  SQLite::Statement attempt_records_;
  SQLite::Statement payment_records_;
};

/// Payments in the order of their ids, each followed by its duplicates; then rows that belong to no payment.
class NativeRecords : public lnd::RecordStream {
 public:
  NativeRecords(const LndSqlite& file, std::uint64_t largest_id)
      : file_(file), largest_id_(largest_id), details_(file), payments_(file.indexed(payment_columns(file))),
        duplicates_(file.indexed("SELECT id, amount_msat, created_at, fail_reason, settle_preimage, settle_time FROM "
                                 "payment_duplicates WHERE payment_id = ?1 ORDER BY id")),
        orphans_(file.database(),
                 fmt::format("{}"
                             " WHERE NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.id = a.payment_id) ORDER BY a.id",
                             attempt_columns(file))),
        lost_(file.database(),
              "SELECT id, amount_msat, created_at, fail_reason, settle_preimage, settle_time, payment_id FROM "
              "payment_duplicates AS d"
              " WHERE NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.id = d.payment_id) ORDER BY id") {
    payments_.bind(1, INT64_MIN);
  }

  std::optional<lnd::KvRecord> next() override {
    return file_.reading([this]() -> std::optional<lnd::KvRecord> {
      if (in_payment_ && duplicates_.executeStep()) return duplicate(duplicates_);
      in_payment_ = false;
      if (!payments_done_ && payments_.executeStep()) return payment();
      payments_done_ = true;
      if (!orphans_done_ && orphans_.executeStep()) return orphan();
      orphans_done_ = true;
      if (!lost_done_ && lost_.executeStep()) return lost();
      lost_done_ = true;
      return std::nullopt;
    });
  }

 private:
  lnd::KvRecord payment() {
    identifier_ = bytes_in(payments_.getColumn(0));
    const std::int64_t id = payments_.getColumn(1).getInt64();
    RowCopy copy(identifier_);
    copy.row(copy.top(), names::payment, payments_, 0, columns::payment.size());
    if (payments_.getColumn(5).getInt() != 0) copy.row(copy.top(), names::intent, payments_, 6, columns::intent.size());
    details_.of_payment(copy, id, payments_.getColumn(8).getInt() != 0);
    in_payment_ = payments_.getColumn(9).getInt() != 0;
    if (in_payment_) {
      duplicates_.reset();
      duplicates_.bind(1, id);
    }
    return lnd::decode_sql_payment(copy.take());
  }

  /// It has no number among the payments: it gets one after all of them.
  lnd::KvRecord duplicate(SQLite::Statement& statement) {
    return lnd::decode_sql_duplicate(copy_of_duplicate(statement, identifier_), ++largest_id_);
  }

  static lnd::BucketCopy copy_of_duplicate(SQLite::Statement& statement, const Bytes& identifier) {
    RowCopy copy(identifier);
    copy.row(copy.top(), names::duplicate, statement, 0, columns::duplicate.size());
    return copy.take();
  }

  lnd::KvRecord orphan() {
    const auto hash = PaymentHash::from_span(bytes_in(orphans_.getColumn(2)));
    RowCopy copy(hash ? Bytes(hash->bytes.begin(), hash->bytes.end()) : Bytes{});
    details_.of_attempt(copy, copy.bucket(copy.top(), names::attempts), orphans_);
    return lnd::sql_orphan(copy.take(), hash, "an attempt of a payment that is not there",
                           !orphans_.getColumn(10).isNull());
  }

  lnd::KvRecord lost() {
    return lnd::sql_orphan(copy_of_duplicate(lost_, {}), std::nullopt, "a duplicate of a payment that is not there",
                           !lost_.getColumn(4).isNull());
  }

  const LndSqlite& file_;
  std::uint64_t largest_id_;
  Details details_;
  SQLite::Statement payments_;
  SQLite::Statement duplicates_;
  SQLite::Statement orphans_;
  SQLite::Statement lost_;
  Bytes identifier_;
  bool in_payment_ = false, payments_done_ = false, orphans_done_ = false, lost_done_ = false;
};

class NativeSource : public lnd::Source {
 public:
  explicit NativeSource(std::unique_ptr<LndSqlite> file) : file_(std::move(file)) {
    check_tables();
    file_->reading([this] {
      largest_id_ = static_cast<std::uint64_t>(std::max<std::int64_t>(
          0, file_->database().execAndGet("SELECT coalesce(max(id), 0) FROM payments").getInt64()));
      read_source_node();
    });
    if (file_->had_log())
      notes_.emplace_back(
          "lnd was not stopped cleanly: its database was read together with its log, from a copy of both");
  }

  std::optional<PublicKey> source_node() const override { return source_node_; }
  std::uint64_t payment_sequence() const override { return largest_id_; }
  std::unique_ptr<lnd::RecordStream> records() const override {
    return file_->reading([this] { return std::make_unique<NativeRecords>(*file_, largest_id_); });
  }
  std::vector<std::string> notes() const override { return notes_; }
  void check_unchanged() const override { file_->check_unchanged(); }
  bool keeps_numbers() const override { return false; }
  const char* records_name() const override { return "lnd.sqlite payments"; }
  const char* raw_name() const override { return "lnd sql payment"; }

 private:
  void check_tables() const {
    file_->need_table("payments", {"id", "amount_msat", "created_at", "payment_identifier", "fail_reason"});
    file_->need_table("payment_intents", {"payment_id", "intent_type", "intent_payload"});
    file_->need_table("payment_htlc_attempts",
                      {"id", "attempt_index", "payment_id", "attempt_time", "payment_hash", "first_hop_amount_msat",
                       "route_total_time_lock", "route_total_amount", "route_source_key"});
    file_->need_table("payment_htlc_attempt_resolutions",
                      {"attempt_index", "resolution_time", "resolution_type", "settle_preimage", "failure_source_index",
                       "htlc_fail_reason", "failure_msg"});
    file_->need_table("payment_route_hops", {"id", "htlc_attempt_index", "hop_index", "pub_key", "scid",
                                             "outgoing_time_lock", "amt_to_forward", "meta_data"});
    file_->need_table("payment_route_hop_mpp", {"hop_id", "payment_addr", "total_msat"});
    file_->need_table("payment_route_hop_amp", {"hop_id", "root_share", "set_id", "child_index"});
    file_->need_table("payment_route_hop_blinded",
                      {"hop_id", "encrypted_data", "blinding_point", "blinded_path_total_amt"});
    file_->need_table("payment_hop_custom_records", {"hop_id", "key", "value"});
    file_->need_table("payment_first_hop_custom_records", {"payment_id", "key", "value"});
    file_->need_table("payment_attempt_first_hop_custom_records", {"htlc_attempt_index", "key", "value"});
    file_->need_table("payment_duplicates", {"id", "payment_id", "amount_msat", "created_at", "fail_reason",
                                             "settle_preimage", "settle_time"});
  }

  /// The graph says it. If the graph is kept elsewhere, the routes do, because they all begin at the node.
  void read_source_node() {
    SQLite::Database& database = file_->database();
    if (file_->has_table("graph_source_nodes", {"node_id"}) && file_->has_table("graph_nodes", {"id", "pub_key"})) {
      SQLite::Statement graph(database,
                              "SELECT n.pub_key FROM graph_source_nodes AS s JOIN graph_nodes AS n ON n.id = s.node_id "
                              "ORDER BY n.id LIMIT 1");
      if (graph.executeStep()) return take_key(graph.getColumn(0));
    }
    SQLite::Statement routes(database,
                             "SELECT route_source_key FROM payment_htlc_attempts ORDER BY attempt_index LIMIT 1");
    if (routes.executeStep()) take_key(routes.getColumn(0));
  }
  void take_key(const SQLite::Column& column) {
    source_node_ = PublicKey::from_span(bytes_in(column));
    if (!source_node_ || (source_node_->bytes[0] != 2 && source_node_->bytes[0] != 3))
      file_->refuse("its node is not a public key of 33 bytes that begins with 02 or 03");
  }

  std::unique_ptr<LndSqlite> file_;
  std::uint64_t largest_id_ = 0;
  std::optional<PublicKey> source_node_;
  std::vector<std::string> notes_;
};

}  // namespace

bool has_native_payments(const LndSqlite& file) {
  if (!file.has_table("payments", {}) || !file.has_table("migration_tracker", {"version"})) return false;
  return file.reading([&] {
    return file.database().execAndGet("SELECT coalesce(max(version), 0) FROM migration_tracker").getInt64() >=
           payments_moved;
  });
}

std::unique_ptr<lnd::Source> native_sql_source(std::unique_ptr<LndSqlite> file) {
  return std::make_unique<NativeSource>(std::move(file));
}

}  // namespace paytower::db
