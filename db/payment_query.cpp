#include "db/payment_query.h"

#include <algorithm>
#include <map>

#include <SQLiteCpp/Exception.h>

#include "core/hash.h"
#include "db/payment_rows.h"
#include "db/reading.h"

namespace paytower::db {

namespace {

constexpr std::size_t stream_page = 500;

std::string status_condition(PaymentStatus status) {
  switch (status) {
    case PaymentStatus::initiated:
      return "(p.ended_ns IS NULL AND NOT EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index))";
    case PaymentStatus::in_flight:
      return "(p.ended_ns IS NULL AND EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index))";
    case PaymentStatus::succeeded: return "(p.preimage IS NOT NULL OR p.late_preimage IS NOT NULL)";
    case PaymentStatus::failed: return "(p.fail_reason IS NOT NULL AND p.late_preimage IS NULL AND p.end_note IS NULL)";
    case PaymentStatus::unknown: return "(p.end_note IS NOT NULL AND p.preimage IS NULL AND p.late_preimage IS NULL)";
  }
  return "0";
}

bool is_open(PaymentStatus status) { return status == PaymentStatus::initiated || status == PaymentStatus::in_flight; }

/// The conditions as SQL text; their parameters follow in the order of bind_filter.
std::string conditions(const PaymentFilter& filter) {
  std::string sql;
  if (!filter.statuses.empty()) {
    // Said by itself, so that the index of unfinished payments serves.
    if (std::all_of(filter.statuses.begin(), filter.statuses.end(), is_open)) sql += " AND p.ended_ns IS NULL";
    sql += " AND (";
    for (std::size_t i = 0; i < filter.statuses.size(); ++i) sql += (i == 0 ? "" : " OR ") + status_condition(filter.statuses[i]);
    sql += ")";
  }
  if (filter.label) sql += " AND p.label = ?";
  if (filter.since) sql += " AND p.created_ns >= ?";
  if (filter.until) sql += " AND p.created_ns < ?";
  return sql;
}

void bind_filter(Query& statement, const PaymentFilter& filter) {
  if (filter.label) statement.bind(*filter.label);
  if (filter.since) statement.bind(*filter.since);
  if (filter.until) statement.bind(*filter.until);
}

struct IndexRange {
  std::int64_t first = 0;
  std::int64_t last = INT64_MAX;
};

/// Indexes that a page of a time range may walk before it asks where the range begins.
constexpr std::int64_t near_indexes = 10'000;

/// Are times all that leads to the rows? Labels and most statuses have an index of their own.
bool only_times(const PaymentFilter& filter) {
  if (!filter.since && !filter.until) return false;
  return !filter.label && (filter.statuses.empty() || std::count(filter.statuses.begin(), filter.statuses.end(), PaymentStatus::succeeded) != 0);
}

/// Where in the order of indexes the rows of a time range are. Imported rows and clocks that were set lie out of order, so
/// every row of the range is asked, and the times of what lies in between are compared all the same.
IndexRange range_of_times(Connection& connection, const PaymentFilter& filter) {
  Query row = connection.prepared("SELECT min(payment_index), max(payment_index) FROM payments WHERE created_ns >= ?1 AND created_ns < ?2");
  row.bind(filter.since ? filter.since->value : INT64_MIN, filter.until ? filter.until->value : INT64_MAX);
  row.step();
  const auto first = row.maybe_integer();
  const auto last = row.maybe_integer();
  if (!first || !last) return {1, 0};
  return {*first, *last};
}

using Row = std::variant<Payment, BadRow>;

PaymentIndex index_of(const Row& row) {
  return std::visit([](const auto& one) { return one.index; }, row);
}

BadRow bad_row(Query& row, PaymentIndex index, const BadValue& why) {
  BadRow bad{index, std::nullopt, why.what()};
  row.seek(1);
  try {
    bad.hash = row.maybe_fixed<PaymentHash>();
  } catch (const BadValue&) {
    // Not even the hash can be read.
  }
  return bad;
}

/// Payments with their attempts in one pass over both tables, in the direction of the page.
std::string page_sql(const PageRequest& request) {
  return "SELECT " PAYTOWER_PAYMENT_COLUMNS ", " PAYTOWER_ATTEMPT_COLUMNS
         " FROM payments p LEFT JOIN attempts a ON a.payment_index = p.payment_index LEFT JOIN switches s ON s.id = a.switch_id "
         "WHERE p.payment_index BETWEEN ? AND ?" + conditions(request.filter) + " ORDER BY p.payment_index" + (request.forwards ? "" : " DESC") +
         ", a.attempt_row";
}

struct Rows {
  std::vector<Row> rows;          ///< in the direction of the page
  bool more = false;              ///< there are others behind them
};

/// At most `max` rows within `range`.
Rows read_rows(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range) {
  Rows page;
  Query row = connection.prepared(page_sql(request));
  row.bind(range.first, range.last);
  bind_filter(row, request.filter);
  while (row.step()) {
    const PaymentIndex index{row.integer()};
    const bool begins = page.rows.empty() || index_of(page.rows.back()) != index;
    // Without a LIMIT, which would count attempts: whoever has seen enough stops.
    if (begins && page.rows.size() == max) {
      page.more = true;
      break;
    }
    try {
      row.seek(begins ? 0 : payment_columns);
      if (begins) page.rows.emplace_back(read_payment(row));
      auto* payment = std::get_if<Payment>(&page.rows.back());
      if (payment != nullptr && !row.null()) payment->attempts.push_back(read_attempt(row, request.omit_hops).attempt);
    } catch (const BadValue& why) {
      if (begins && (page.rows.empty() || index_of(page.rows.back()) != index)) page.rows.emplace_back(BadRow{});
      page.rows.back() = bad_row(row, index, why);
    }
  }
  for (Row& one : page.rows) {
    const auto* payment = std::get_if<Payment>(&one);
    if (payment == nullptr) continue;
    try {
      check_proofs(*payment);
    } catch (const BadValue& why) {
      one = BadRow{payment->index, payment->request.hash, why.what()};
    }
  }
  return page;
}

std::int64_t newest_index(Connection& connection) {
  Query row = connection.prepared("SELECT max(payment_index) FROM payments");
  row.step();
  return row.maybe_integer().value_or(0);
}

Rows read_page(Connection& connection, const PageRequest& request, std::size_t max) {
  if (request.forwards && request.offset.value == INT64_MAX) return {};
  IndexRange range;
  if (request.forwards) range.first = request.offset.value + 1;
  if (!request.forwards && request.offset.value != 0) range.last = request.offset.value - 1;
  if (!only_times(request.filter)) return read_rows(connection, request, max, range);
  // Most pages lie where the walk begins; otherwise it begins where the range does, instead of walking through all that was
  // created before or after it.
  range.last = std::min(range.last, newest_index(connection));
  if (range.first > range.last) return {};
  IndexRange near = range;
  if (range.last - range.first > near_indexes) {
    if (request.forwards) near.last = range.first + near_indexes;
    if (!request.forwards) near.first = range.last - near_indexes;
  }
  Rows rows = read_rows(connection, request, max, near);
  if (rows.more || (near.first == range.first && near.last == range.last)) return rows;
  const IndexRange times = range_of_times(connection, request.filter);
  return read_rows(connection, request, max, {std::max(range.first, times.first), std::min(range.last, times.last)});
}

Row load_or_name(Connection& connection, PaymentIndex index, bool omit_hops) {
  try {
    if (auto payment = load_payment(connection, index, omit_hops)) return std::move(*payment);
    return BadRow{index, std::nullopt, "it was deleted meanwhile"};
  } catch (const BadValue& error) {
    BadRow bad{index, std::nullopt, error.what()};
    Query row = connection.prepared("SELECT payment_hash FROM payments WHERE payment_index = ?1");
    row.bind(index);
    try {
      if (row.step()) bad.hash = row.maybe_fixed<PaymentHash>();
    } catch (const BadValue&) {
      // Not even the hash can be read.
    }
    return bad;
  }
}

void read_guard(Query& row, StoredGuard& stored) {
  Guard& guard = stored.guard;
  guard.hash = row.fixed<PaymentHash>();
  guard.kind = static_cast<GuardKind>(row.number(4));
  if (const auto amount = row.maybe_number(Msat::max_value)) guard.amount = Msat::of(*amount);
  guard.preimage = row.maybe_fixed<Preimage>();
  guard.destination = row.maybe_fixed<PublicKey>();
  guard.payment_secret_hash = row.maybe_fixed<Sha256Digest>();
  guard.since = row.time();
  stored.released = row.maybe_time();
  if (!guard.preimage || proves(*guard.preimage, guard.hash)) return;
  guard.preimage.reset();  // never shown
  throw BadValue("a guard's preimage that does not hash to the payment hash");
}

/// The first and last hash that begin with these digits.
std::pair<PaymentHash, PaymentHash> range_of(std::string_view prefix) {
  std::string low(prefix);
  std::string high(prefix);
  low.resize(2 * PaymentHash::size, '0');
  high.resize(2 * PaymentHash::size, 'f');
  const auto first = PaymentHash::from_hex_text(low);
  const auto last = PaymentHash::from_hex_text(high);
  if (prefix.size() < 6 || prefix.size() > 2 * PaymentHash::size || !first || !last) {
    throw RefusalError(Error{Errc::usage, "a payment hash is 64 hex digits, or at least 6 of its first ones", "paytower list"});
  }
  return {*first, *last};
}

}  // namespace

const Payment* HashHistory::head() const {
  const auto first = [this](auto wanted) -> const Payment* {
    const auto found = std::find_if(tries.begin(), tries.end(), wanted);
    return found == tries.end() ? nullptr : &*found;
  };
  if (const auto* open = first([](const Payment& p) { return !p.ended_for_good(); })) return open;
  if (const auto* paid = first([](const Payment& p) { return p.proof().has_value(); })) return paid;
  if (const auto* unknown = first([](const Payment& p) { return p.status() == PaymentStatus::unknown; })) return unknown;
  return tries.empty() ? nullptr : &tries.front();
}

PaymentPage PaymentQuery::page(const PageRequest& request) {
  Rows read = reading(connection_, [&] { return read_page(connection_, request, std::max<std::size_t>(1, request.max)); });
  if (!request.forwards) std::reverse(read.rows.begin(), read.rows.end());
  PaymentPage page;
  page.more = read.more;
  if (!read.rows.empty()) {
    page.first = index_of(read.rows.front());
    page.last = index_of(read.rows.back());
  }
  for (Row& row : read.rows) {
    if (auto* payment = std::get_if<Payment>(&row)) {
      page.payments.push_back(std::move(*payment));
    } else {
      page.bad_rows.push_back(std::get<BadRow>(std::move(row)));
    }
  }
  return page;
}

void PaymentQuery::each(const PaymentFilter& filter, bool forwards, bool omit_hops,
                        const std::function<bool(const std::variant<Payment, BadRow>&)>& visit) {
  PageRequest request;
  request.filter = filter;
  request.forwards = forwards;
  request.omit_hops = omit_hops;
  for (bool more = true; more;) {
    const Rows page = reading(connection_, [&] { return read_page(connection_, request, stream_page); });
    for (const Row& row : page.rows) {
      if (!visit(row)) return;
    }
    more = page.more;
    if (more) request.offset = index_of(page.rows.back());
  }
}

std::uint64_t PaymentQuery::count(const PaymentFilter& filter) {
  return reading(connection_, [&] {
    Query row = connection_.prepared("SELECT count(*) FROM payments p WHERE 1" + conditions(filter));
    bind_filter(row, filter);
    row.step();
    return row.number(INT64_MAX);
  });
}

std::vector<PaymentHash> PaymentQuery::find_hashes(std::string_view hex_prefix, std::size_t limit) {
  const auto [first, last] = range_of(hex_prefix);
  const PaymentHash low = first;
  const PaymentHash high = last;
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT payment_hash FROM payments WHERE payment_hash BETWEEN ?1 AND ?2 UNION SELECT payment_hash FROM hash_guards "
        "WHERE payment_hash BETWEEN ?1 AND ?2 ORDER BY payment_hash LIMIT ?3");
    row.bind(low, high, static_cast<std::int64_t>(limit));
    std::vector<PaymentHash> hashes;
    while (row.step()) hashes.push_back(row.fixed<PaymentHash>());
    return hashes;
  });
}

std::optional<HashHistory> PaymentQuery::history(const PaymentHash& hash, bool omit_hops) {
  return reading(connection_, [&]() -> std::optional<HashHistory> {
    HashHistory history;
    std::vector<PaymentIndex> indexes;
    {
      Query row = connection_.prepared("SELECT payment_index FROM payments WHERE payment_hash = ?1");
      row.bind(hash);
      while (row.step()) indexes.push_back(PaymentIndex{row.integer()});
    }
    std::sort(indexes.begin(), indexes.end());
    for (const PaymentIndex index : indexes) {
      auto loaded = load_or_name(connection_, index, omit_hops);
      if (auto* bad = std::get_if<BadRow>(&loaded)) {
        history.bad_rows.push_back(std::move(*bad));
        continue;
      }
      auto& payment = std::get<Payment>(loaded);
      auto& list = payment.duplicate_of ? history.duplicates : history.tries;
      list.push_back(std::move(payment));
    }
    std::reverse(history.tries.begin(), history.tries.end());
    Query row = connection_.prepared(
        "SELECT payment_hash, kind, amount_msat, preimage, destination, payment_secret_hash, since_ns, released_ns FROM hash_guards "
        "WHERE payment_hash = ?1");
    row.bind(hash);
    if (row.step()) {
      StoredGuard stored;
      try {
        read_guard(row, stored);
      } catch (const BadValue& error) {
        history.bad_rows.push_back(BadRow{PaymentIndex{}, hash, error.what()});
      }
      history.guard = stored.guard;
      history.guard_released = stored.released.has_value();
    }
    if (indexes.empty() && !history.guard) return std::nullopt;
    return history;
  });
}

std::vector<StoredGuard> PaymentQuery::guards(const std::optional<PaymentHash>& after, std::size_t limit) {
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT payment_hash, kind, amount_msat, preimage, destination, payment_secret_hash, since_ns, released_ns FROM hash_guards "
        "WHERE payment_hash > ?1 ORDER BY payment_hash LIMIT ?2");
    row.bind(after ? Bytes(after->bytes.begin(), after->bytes.end()) : Bytes{}, static_cast<std::int64_t>(limit));
    std::vector<StoredGuard> guards;
    while (row.step()) {
      StoredGuard stored;
      try {
        read_guard(row, stored);
      } catch (const BadValue&) {
        // `check` names it; here its hash still says that it stands.
      }
      guards.push_back(stored);
    }
    return guards;
  });
}

std::vector<QuarantinedRecord> PaymentQuery::quarantine(std::int64_t after, std::size_t limit) {
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT id, source, sequence, payment_hash, reason, record, at_ns FROM quarantine WHERE id > ?1 ORDER BY id LIMIT ?2");
    row.bind(after, static_cast<std::int64_t>(limit));
    std::vector<QuarantinedRecord> records;
    while (row.step()) {
      QuarantinedRecord record;
      record.id = row.integer();
      record.source = row.text();
      record.sequence = row.maybe_integer();
      record.hash = row.maybe_fixed<PaymentHash>();
      record.reason = row.text();
      record.record = row.maybe_blob().value_or(Bytes{});
      record.at = row.time();
      records.push_back(std::move(record));
    }
    return records;
  });
}

StoreId PaymentQuery::store_id() {
  return reading(connection_, [&] {
    Query row = connection_.prepared("SELECT store_id FROM store_meta WHERE id = 1");
    row.step();
    return row.fixed<StoreId>();
  });
}

}  // namespace paytower::db
