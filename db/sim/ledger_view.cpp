// The view: what the node remembers.
#include <array>
#include <string>
#include <utility>

#include "core/sim/codec.h"
#include "db/sim/ledger_sql.h"
#include "db/sim/ledger_tx.h"

namespace paytower::db {

using namespace sim_sql;

namespace {

AttemptKey read_key(Query& query) {
  AttemptKey key;
  key.hash = query.fixed<PaymentHash>();
  key.id = AttemptId{from_bits(query.integer())};
  key.part = u32(query);
  return key;
}

sim::Row read_row(Query& query) {
  sim::Row row;
  row.created_index = query.number(max_i64);
  row.key = read_key(query);
  row.state = static_cast<RowState>(query.number(2));
  row.label = query.text();
  row.destination = query.fixed<PublicKey>();
  row.amount = query.msat();
  row.amount_sent = query.msat();
  row.total = query.msat();
  row.invoice = query.text();
  row.created = query.time();
  row.updated_index = query.number(max_i64);
  row.completed = query.maybe_time();
  row.preimage = query.maybe_fixed<Preimage>();
  if (const auto failure = query.maybe_blob()) row.failure = sim::decode_failure(*failure);
  return row;
}

sim::Htlc read_htlc(Query& query) {
  sim::Htlc htlc;
  htlc.created_index = query.number(max_i64);
  htlc.key = read_key(query);
  htlc.channel = ShortChannelId{from_bits(query.integer())};
  htlc.amount = query.msat();
  htlc.expiry = u32(query);
  htlc.finished = query.integer() != 0;
  return htlc;
}

sim::Movement read_movement(Query& query) {
  sim::Movement movement;
  movement.index = query.number(max_i64);
  movement.key = read_key(query);
  movement.amount = query.msat();
  movement.at = query.time();
  return movement;
}

sim::HeldRequest read_request(Query& query) {
  sim::HeldRequest request;
  request.id = query.number(max_i64);
  auto handover = sim::decode_handover(query.maybe_blob().value_or(Bytes{}));
  if (!handover) throw BadValue("a held request that cannot be read");
  request.handover = std::move(*handover);
  request.not_before = query.time();
  request.min_height = u32(query);
  return request;
}

}  // namespace

// --- rows ---

#define ROW_COLUMNS                                                                                           \
  "created_index, payment_hash, attempt_id, part, state, label, destination, amount_msat, amount_sent_msat, " \
  "total_msat, "                                                                                              \
  "bolt11, created_ns, updated_index, completed_ns, preimage, failure"
#define HTLC_COLUMNS "created_index, payment_hash, attempt_id, part, scid, amount_msat, expiry, finished"
#define MOVEMENT_COLUMNS "created_index, payment_hash, attempt_id, part, amount_msat, at_ns"

void SimLedgerTx::put_row(const sim::Row& row) {
  const auto failure = row.failure ? std::optional(sim::encode_failure(*row.failure)) : std::nullopt;
  connection_
      .prepared("INSERT OR REPLACE INTO sendpays (" ROW_COLUMNS
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")
      .bind(bits(row.created_index), row.key.hash, bits(row.key.id.value), row.key.part, static_cast<int>(row.state),
            row.label, row.destination, row.amount, row.amount_sent, row.total, row.invoice, row.created,
            bits(row.updated_index), row.completed, row.preimage, failure)
      .run();
}

std::optional<sim::Row> SimLedgerTx::row(const AttemptKey& key) {
  Query query = connection_.prepared("SELECT " ROW_COLUMNS
                                     " FROM sendpays WHERE payment_hash = ?1 AND attempt_id = ?2 AND part = ?3");
  query.bind(key.hash, bits(key.id.value), key.part);
  if (!query.step()) return std::nullopt;
  return read_row(query);
}

std::vector<sim::Row> SimLedgerTx::rows_of(const PaymentHash& hash) {
  return all(
      connection_.prepared("SELECT " ROW_COLUMNS " FROM sendpays WHERE payment_hash = ?1 ORDER BY created_index"),
      read_row, hash);
}

std::vector<sim::Row> SimLedgerTx::rows_after(std::uint64_t after, std::size_t limit) {
  return all(connection_.prepared("SELECT " ROW_COLUMNS
                                  " FROM sendpays WHERE created_index > ?1 ORDER BY created_index LIMIT ?2"),
             read_row, bits(after), bits(limit));
}

void SimLedgerTx::remove_row(std::uint64_t created_index) {
  connection_.prepared("DELETE FROM sendpays WHERE created_index = ?1").bind(bits(created_index)).run();
}

// --- HTLC list and movements ---

void SimLedgerTx::put_htlc(const sim::Htlc& htlc) {
  connection_.prepared("INSERT OR REPLACE INTO htlcs (" HTLC_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
      .bind(bits(htlc.created_index), htlc.key.hash, bits(htlc.key.id.value), htlc.key.part, bits(htlc.channel.value),
            htlc.amount, htlc.expiry, htlc.finished)
      .run();
}

std::vector<sim::Htlc> SimLedgerTx::htlcs_of(const PaymentHash& hash) {
  return all(connection_.prepared("SELECT " HTLC_COLUMNS " FROM htlcs WHERE payment_hash = ?1 ORDER BY created_index"),
             read_htlc, hash);
}

std::vector<sim::Htlc> SimLedgerTx::htlcs_after(std::uint64_t after, std::size_t limit) {
  return all(connection_.prepared("SELECT " HTLC_COLUMNS
                                  " FROM htlcs WHERE created_index > ?1 ORDER BY created_index LIMIT ?2"),
             read_htlc, bits(after), bits(limit));
}

void SimLedgerTx::finish_htlc(std::uint64_t created_index) {
  connection_.prepared("UPDATE htlcs SET finished = 1 WHERE created_index = ?1").bind(bits(created_index)).run();
}

void SimLedgerTx::remove_htlc(std::uint64_t created_index) {
  connection_.prepared("DELETE FROM htlcs WHERE created_index = ?1").bind(bits(created_index)).run();
}

void SimLedgerTx::add_movement(const sim::Movement& movement) {
  connection_.prepared("INSERT INTO movements (" MOVEMENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
      .bind(bits(movement.index), movement.key.hash, bits(movement.key.id.value), movement.key.part, movement.amount,
            movement.at)
      .run();
}

std::vector<sim::Movement> SimLedgerTx::movements_of(const PaymentHash& hash) {
  return all(
      connection_.prepared("SELECT " MOVEMENT_COLUMNS " FROM movements WHERE payment_hash = ?1 ORDER BY created_index"),
      read_movement, hash);
}

std::vector<sim::Movement> SimLedgerTx::movements_after(std::uint64_t after, std::size_t limit) {
  return all(connection_.prepared("SELECT " MOVEMENT_COLUMNS
                                  " FROM movements WHERE created_index > ?1 ORDER BY created_index LIMIT ?2"),
             read_movement, bits(after), bits(limit));
}

// --- copies ---

namespace {
constexpr std::array view_numbers = {sim::Number::payments_created, sim::Number::htlcs_created,
                                     sim::Number::htlcs_deleted,    sim::Number::movements_created,
                                     sim::Number::payments_updated, sim::Number::payments_deleted,
                                     sim::Number::htlcs_updated};
}

void SimLedgerTx::save_view(std::string_view name) {
  for (const char* sql :
       {"DELETE FROM sendpays_copies WHERE copy = ?1", "DELETE FROM htlcs_copies WHERE copy = ?1",
        "DELETE FROM movements_copies WHERE copy = ?1", "DELETE FROM numbers_copies WHERE copy = ?1",
        "INSERT INTO sendpays_copies (copy, " ROW_COLUMNS ") SELECT ?1, " ROW_COLUMNS " FROM sendpays",
        "INSERT INTO htlcs_copies (copy, " HTLC_COLUMNS ") SELECT ?1, " HTLC_COLUMNS " FROM htlcs",
        "INSERT INTO movements_copies (copy, " MOVEMENT_COLUMNS ") SELECT ?1, " MOVEMENT_COLUMNS " FROM movements"}) {
    connection_.prepared(sql).bind(name).run();
  }
  for (const sim::Number which : view_numbers) {
    connection_.prepared("INSERT INTO numbers_copies (copy, which, value) VALUES (?1, ?2, ?3)")
        .bind(name, static_cast<int>(which), number(which))
        .run();
  }
}

bool SimLedgerTx::restore_view(std::string_view name) {
  std::vector<std::pair<sim::Number, std::int64_t>> numbers;
  {
    Query query = connection_.prepared("SELECT which, value FROM numbers_copies WHERE copy = ?1");
    query.bind(name);
    while (query.step()) {
      const auto which = static_cast<sim::Number>(query.number(number_count - 1));
      numbers.emplace_back(which, query.integer());
    }
  }
  if (numbers.empty()) return false;
  clear_view();
  for (const char* sql :
       {"INSERT INTO sendpays (" ROW_COLUMNS ") SELECT " ROW_COLUMNS " FROM sendpays_copies WHERE copy = ?1",
        "INSERT INTO htlcs (" HTLC_COLUMNS ") SELECT " HTLC_COLUMNS " FROM htlcs_copies WHERE copy = ?1",
        "INSERT INTO movements (" MOVEMENT_COLUMNS ") SELECT " MOVEMENT_COLUMNS
        " FROM movements_copies WHERE copy = ?1"}) {
    connection_.prepared(sql).bind(name).run();
  }
  for (const auto& entry : numbers) set_number(entry.first, entry.second);
  return true;
}

void SimLedgerTx::clear_view() {
  for (const char* sql : {"DELETE FROM sendpays", "DELETE FROM htlcs", "DELETE FROM movements"})
    connection_.prepared(sql).run();
  for (const sim::Number which : view_numbers) set_number(which, 0);
}

// --- hand-overs in the node's buffers ---

void SimLedgerTx::put_request(const sim::HeldRequest& request) {
  connection_
      .prepared(
          "INSERT OR REPLACE INTO held_requests (request, handover, not_before_ns, min_height) VALUES (?1, ?2, ?3, ?4)")
      .bind(bits(request.id), sim::encode_handover(request.handover), request.not_before, request.min_height)
      .run();
}

void SimLedgerTx::remove_request(std::uint64_t id) {
  connection_.prepared("DELETE FROM held_requests WHERE request = ?1").bind(bits(id)).run();
}

std::vector<sim::HeldRequest> SimLedgerTx::held_requests() {
  return all(
      connection_.prepared("SELECT request, handover, not_before_ns, min_height FROM held_requests ORDER BY request"),
      read_request);
}

}  // namespace paytower::db
