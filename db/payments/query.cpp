// Reads pages, counts and histories for people, with SQL that uses the indexes.
#include "db/payments/query.h"

#include <algorithm>
#include <map>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>

#include "core/base/hash.h"
#include "db/payments/rows.h"
#include "db/sqlite/reading.h"

namespace paytower::db {

namespace {

constexpr std::size_t stream_page = 500;

#define HAS_OPEN "EXISTS (SELECT 1 FROM attempts o WHERE o.payment_index = p.payment_index AND o.outcome IS NULL)"

/// Payment::status() in SQL.
std::string status_condition(PaymentStatus status) {
  switch (status) {
    case PaymentStatus::initiated:
      return "(p.ended_ns IS NULL AND NOT EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index))";
    case PaymentStatus::in_flight:
      return "(p.ended_ns IS NULL AND EXISTS (SELECT 1 FROM attempts x WHERE x.payment_index = p.payment_index) OR "
             "p.preimage IS NULL AND p.late_preimage IS NULL AND " HAS_OPEN ")";
    case PaymentStatus::succeeded: return "(p.preimage IS NOT NULL OR p.late_preimage IS NOT NULL)";
    case PaymentStatus::failed:
      return "(p.fail_reason IS NOT NULL AND p.late_preimage IS NULL AND p.end_note IS NULL AND NOT " HAS_OPEN ")";
    case PaymentStatus::unknown:
      return "(p.end_note IS NOT NULL AND p.preimage IS NULL AND p.late_preimage IS NULL AND NOT " HAS_OPEN ")";
  }
  return "0";
}

bool is_open(PaymentStatus status) { return status == PaymentStatus::initiated || status == PaymentStatus::in_flight; }

/// The conditions as SQL. Their parameters follow in the order of bind_filter.
std::string conditions(const PaymentFilter& filter) {
  std::string sql;
  if (!filter.statuses.empty()) {
    // This condition is added so that the index of unfinished payments can be used: everything open is in it, except in
    // a damaged file.
    if (!filter.damaged && std::all_of(filter.statuses.begin(), filter.statuses.end(), is_open))
      sql += " AND p.ended_ns IS NULL";
    sql += " AND (";
    for (std::size_t i = 0; i < filter.statuses.size(); ++i)
      sql += (i == 0 ? "" : " OR ") + status_condition(filter.statuses[i]);
    sql += ")";
  }
  // Its tries are few, and found by read_tries: here they are in order.
  if (filter.hash) sql += " AND +p.payment_hash = ?";
  if (filter.label) sql += " AND p.shown_label = ?";
  if (filter.since) sql += " AND p.created_ns >= ?";
  if (filter.until) sql += " AND p.created_ns < ?";
  // The index of labels would give the rows in another order. To a bare parameter SQLite would compile it each time.
  if (filter.label_pattern) sql += " AND +p.shown_label GLOB (? || '')";
  if (filter.search)
    sql += " AND (p.amount_msat IN (?, ?) OR says(?, p.shown_label, p.invoice, p.destination, p.payment_hash))";
  return sql;
}

void bind_filter(Query& statement, const PaymentFilter& filter) {
  if (filter.hash) statement.bind(*filter.hash);
  if (filter.label) statement.bind(*filter.label);
  if (filter.since) statement.bind(*filter.since);
  if (filter.until) statement.bind(*filter.until);
  if (filter.label_pattern) statement.bind(glob_of(*filter.label_pattern));
  if (filter.search) {
    const std::vector<Msat>& amounts = filter.search->amounts;
    const auto amount = [&amounts](std::size_t i) {
      return i < amounts.size() ? std::optional(amounts[i]) : std::nullopt;
    };
    statement.bind(amount(0), amount(1), lower_case(filter.search->text));
  }
}

struct IndexRange {
  std::int64_t first = 0;
  std::int64_t last = INT64_MAX;
};

/// How many indexes a page of a time range may walk before it asks where the range begins.
constexpr std::int64_t near_indexes = 500;

/// Only times restrict the rows. (Labels and most statuses have an index of their own.)
bool only_times(const PaymentFilter& filter) {
  if (!filter.since && !filter.until) return false;
  return !filter.hash && !filter.label &&
         (filter.statuses.empty() ||
          std::count(filter.statuses.begin(), filter.statuses.end(), PaymentStatus::succeeded) != 0);
}

/// Rows that are not noted as out of order are at most this much older than the newest row before them (trigger
/// payments_note_order).
constexpr std::int64_t order_slack_ns = 10 * ns_per_second;

#define IN_ORDER \
  " AND NOT EXISTS (SELECT 1 FROM payments_out_of_order o WHERE o.payment_index = payments.payment_index)"

std::optional<std::int64_t> ask(Connection& connection, const std::string& sql, std::int64_t from, std::int64_t to) {
  Query row = connection.prepared(sql);
  row.bind(from, to);
  return row.step() ? row.maybe_integer() : std::nullopt;
}

/// Where a time range is in the order of indexes, apart from rows that were noted as out of order. The first row in
/// time may not be the first by index, but then that one is at most the slack younger. The same at the end.
IndexRange range_of_times(Connection& connection, const PaymentFilter& filter) {
  const std::int64_t since = filter.since ? filter.since->value : INT64_MIN;
  const std::int64_t last = filter.until ? std::max(filter.until->value, INT64_MIN + 1) - 1 : INT64_MAX;
  const auto earliest =
      ask(connection,
          "SELECT created_ns FROM payments WHERE created_ns BETWEEN ?1 AND ?2" IN_ORDER " ORDER BY created_ns LIMIT 1",
          since, last);
  const auto latest = ask(connection,
                          "SELECT created_ns FROM payments WHERE created_ns BETWEEN ?1 AND ?2" IN_ORDER
                          " ORDER BY created_ns DESC LIMIT 1",
                          since, last);
  if (!earliest || !latest) return {1, 0};
  const std::int64_t soon = *earliest > INT64_MAX - order_slack_ns ? INT64_MAX : *earliest + order_slack_ns;
  const std::int64_t before = *latest < INT64_MIN + order_slack_ns ? INT64_MIN : *latest - order_slack_ns;
  const auto first_index =
      ask(connection, "SELECT min(payment_index) FROM payments WHERE created_ns BETWEEN ?1 AND ?2" IN_ORDER, *earliest,
          std::min(soon, last));
  const auto last_index =
      ask(connection, "SELECT max(payment_index) FROM payments WHERE created_ns BETWEEN ?1 AND ?2" IN_ORDER,
          std::max(before, since), *latest);
  return {first_index.value_or(1), last_index.value_or(0)};
}

/// Whether some payment has ended although one of its attempts is open. The schema refuses that, so only in a damaged
/// file.
bool ended_while_open(Connection& connection) {
  Query row = connection.prepared(
      "SELECT 1 FROM attempts a CROSS JOIN payments p ON p.payment_index = a.payment_index WHERE a.payment_index > 0 "
      "AND a.outcome IS NULL "
      "AND p.ended_ns IS NOT NULL AND p.preimage IS NULL AND p.late_preimage IS NULL LIMIT 1");
  return row.step();
}

using Row = std::variant<Payment, BadRow>;

PaymentIndex index_of(const Row& row) {
  return std::visit([](const auto& one) { return one.index; }, row);
}

BadRow bad_row(Query& row, PaymentIndex index, const BadValue& why) {
  BadRow bad{index, std::nullopt, why.what()};
  try {
    bad.hash = PaymentColumns(row)[PaymentColumn::payment_hash].maybe_fixed<PaymentHash>();
  } catch (const BadValue&) {
    // Not even the hash can be read.
  }
  return bad;
}

/// Reads payments with their attempts in one pass over both tables, in the direction of the page.
std::string page_sql(const PageRequest& request) {
  return fmt::format(
      "SELECT {}, {}"
      " FROM payments p LEFT JOIN attempts a ON a.payment_index = p.payment_index LEFT JOIN switches s ON s.id = "
      "a.switch_id "
      "WHERE p.payment_index BETWEEN ? AND ?{} ORDER BY p.payment_index{}"
      ", a.attempt_row",
      select_payment(), select_attempt(), conditions(request.filter), request.forwards ? "" : " DESC");
}

struct Rows {
  std::vector<Row> rows;  ///< in the direction of the page
  bool more = false;      ///< there are more after them
};

/// At most `max` rows within `range`.
Rows read_rows(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range) {
  Rows page;
  Query row = connection.prepared(page_sql(request));
  row.bind(range.first, range.last);
  bind_filter(row, request.filter);
  while (row.step()) {
    const PaymentColumns payment_row(row);
    const AttemptColumns attempt_row(row, static_cast<int>(payment_columns.size()));
    const PaymentIndex index{payment_row[PaymentColumn::payment_index].integer()};
    const bool begins = page.rows.empty() || index_of(page.rows.back()) != index;
    // There is no LIMIT, because it would count attempts: the loop stops when the page is full.
    if (begins && page.rows.size() == max) {
      page.more = true;
      break;
    }
    try {
      if (begins) page.rows.emplace_back(read_payment(payment_row));
      auto* payment = std::get_if<Payment>(&page.rows.back());
      if (payment != nullptr && !attempt_row[AttemptColumn::payment_index].null())
        payment->attempts.push_back(read_attempt(attempt_row, request.omit_hops).attempt);
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

/// Appends what fits on the page; `more` if something did not fit.
void append(Rows& page, Rows&& behind, std::size_t max) {
  for (Row& row : behind.rows) {
    if (page.rows.size() == max) {
      page.more = true;
      return;
    }
    page.rows.push_back(std::move(row));
  }
  page.more = behind.more;
}

/// The rows of `within` that were noted as out of order, each read by itself.
void append_out_of_order(Connection& connection, const PageRequest& request, std::size_t max, IndexRange within,
                         Rows& page) {
  if (within.first > within.last || page.more) return;
  Query noted =
      connection.prepared(fmt::format("SELECT payment_index FROM payments_out_of_order WHERE payment_index BETWEEN ?1 "
                                      "AND ?2 AND +created_ns >= ?3 AND +created_ns < ?4 ORDER BY payment_index{}",
                                      request.forwards ? "" : " DESC"));
  noted.bind(within.first, within.last, request.filter.since ? request.filter.since->value : INT64_MIN,
             request.filter.until ? request.filter.until->value : INT64_MAX);
  while (!page.more && noted.step()) {
    const std::int64_t index = noted.integer();
    append(page, read_rows(connection, request, 1, {index, index}), max);
  }
}

/// The rows of a time range: those in the indexes that it spans, and those that are out of order, before and after
/// them.
Rows read_times(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range) {
  IndexRange walk = range_of_times(connection, request.filter);
  walk.first = std::max(walk.first, range.first);
  walk.last = std::min(walk.last, range.last);
  Rows page;
  if (walk.first > walk.last) {
    append_out_of_order(connection, request, max, range, page);
    return page;
  }
  const IndexRange below{range.first, walk.first - 1};
  const IndexRange above{walk.last + 1, range.last};
  append_out_of_order(connection, request, max, request.forwards ? below : above, page);
  // If the page is full: is there one more row?
  if (!page.more)
    append(page, read_rows(connection, request, std::max<std::size_t>(1, max - page.rows.size()), walk), max);
  append_out_of_order(connection, request, max, request.forwards ? above : below, page);
  return page;
}

/// The indexes that a page may be of.
IndexRange range_of_page(const PageRequest& request) {
  IndexRange range;
  if (!request.forwards) {
    if (request.offset.value != 0) range.last = request.offset.value - 1;
    return range;
  }
  if (request.offset.value == INT64_MAX) return {1, 0};
  range.first = request.offset.value + 1;
  if (request.before) range.last = request.before->value - 1;
  return range;
}

/// The tries of one hash, each read by itself.
Rows read_tries(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range) {
  std::vector<std::int64_t> indexes;
  Query row = connection.prepared("SELECT payment_index FROM payments WHERE payment_hash = ?1");
  row.bind(*request.filter.hash);
  while (row.step()) {
    const std::int64_t index = row.integer();
    if (index >= range.first && index <= range.last) indexes.push_back(index);
  }
  std::sort(indexes.begin(), indexes.end());
  if (!request.forwards) std::reverse(indexes.begin(), indexes.end());
  Rows page;
  for (const std::int64_t index : indexes) {
    if (!page.more) append(page, read_rows(connection, request, 1, {index, index}), max);
  }
  return page;
}

/// The rows of a page that are within these indexes.
Rows read_within(Connection& connection, const PageRequest& request, std::size_t max, IndexRange range) {
  if (range.first > range.last) return {};
  if (request.filter.hash) return read_tries(connection, request, max, range);
  if (!only_times(request.filter)) return read_rows(connection, request, max, range);
  // Most pages are where the walk begins. Otherwise start where the range begins, instead of walking through all that
  // was created before or after it.
  range.last = std::min(range.last, newest_index(connection));
  if (range.first > range.last) return {};
  IndexRange near = range;
  if (range.last - range.first > near_indexes) {
    if (request.forwards) near.last = range.first + near_indexes;
    if (!request.forwards) near.first = range.last - near_indexes;
  }
  Rows rows = read_rows(connection, request, max, near);
  if (rows.more || (near.first == range.first && near.last == range.last)) return rows;
  return read_times(connection, request, max, range);
}

/// How many indexes are looked through in one read transaction.
constexpr std::int64_t indexes_at_once = 20'000;

/// The next part of a range, in the direction of the page, that begins with a row.
std::optional<IndexRange> next_stretch(Connection& connection, IndexRange range, bool forwards) {
  constexpr std::int64_t more = indexes_at_once - 1;
  const auto begin = ask(connection,
                         forwards ? "SELECT min(payment_index) FROM payments WHERE payment_index BETWEEN ?1 AND ?2"
                                  : "SELECT max(payment_index) FROM payments WHERE payment_index BETWEEN ?1 AND ?2",
                         range.first, range.last);
  if (!begin) return std::nullopt;
  if (forwards) return IndexRange{*begin, *begin > range.last - more ? range.last : *begin + more};
  return IndexRange{*begin < range.first + more ? range.first : *begin - more, *begin};
}

/// As read_page, where every payment has to be looked at.
Rows walk_page(Connection& connection, const PageRequest& request, std::size_t max) {
  struct Step {
    std::optional<IndexRange> stretch;
    Rows rows;
  };
  IndexRange range = range_of_page(request);
  Rows page;
  while (range.first <= range.last && !page.more) {
    // If the page is full: is there one more row?
    const std::size_t room = std::max<std::size_t>(1, max - page.rows.size());
    Step step = value_of(reading(connection, [&] {
      Step taken{next_stretch(connection, range, request.forwards), {}};
      if (taken.stretch) taken.rows = read_within(connection, request, room, *taken.stretch);
      return taken;
    }));
    if (!step.stretch) break;
    append(page, std::move(step.rows), max);
    if (request.forwards) {
      if (step.stretch->last == range.last) break;
      range.first = step.stretch->last + 1;
    } else {
      range.last = step.stretch->first - 1;
    }
  }
  return page;
}

Rows read_page(Connection& connection, const PageRequest& request, std::size_t max) {
  if (request.filter.walks()) return walk_page(connection, request, max);
  return value_of(reading(connection, [&] { return read_within(connection, request, max, range_of_page(request)); }));
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
  guard.amp = row.number(1) == 1;
  stored.released = row.maybe_time();
  if (!guard.preimage || proves(*guard.preimage, guard.hash)) return;
  guard.preimage.reset();  // it is never shown
  throw BadValue("a guard's preimage that does not hash to the payment hash");
}

/// The smallest and the largest hash that begin with these digits.
Result<std::pair<PaymentHash, PaymentHash>> range_of(std::string_view prefix) {
  std::string low(prefix);
  std::string high(prefix);
  low.resize(2 * PaymentHash::size, '0');
  high.resize(2 * PaymentHash::size, 'f');
  const auto first = PaymentHash::from_hex_text(low);
  const auto last = PaymentHash::from_hex_text(high);
  if (prefix.size() < 6 || prefix.size() > 2 * PaymentHash::size || !first || !last)
    return Error{Errc::usage, "a payment hash is 64 hex digits, or at least the first 6 of them", "paytower list"};
  return std::pair(*first, *last);
}

}  // namespace

const Payment* HashHistory::head() const {
  const auto first = [this](auto wanted) -> const Payment* {
    const auto found = std::find_if(tries.begin(), tries.end(), wanted);
    return found == tries.end() ? nullptr : &*found;
  };
  if (const auto* open = first([](const Payment& p) { return !p.ended_for_good(); })) return open;
  if (const auto* paid = first([](const Payment& p) { return p.proof().has_value(); })) return paid;
  if (const auto* unknown = first([](const Payment& p) { return p.status() == PaymentStatus::unknown; }))
    return unknown;
  return tries.empty() ? nullptr : &tries.front();
}

PaymentFilter PaymentQuery::prepared(PaymentFilter filter) {
  if (filter.statuses.empty()) return filter;
  if (!damaged_) damaged_ = value_of(reading(connection_, [this] { return ended_while_open(connection_); }));
  filter.damaged = *damaged_;
  return filter;
}

Result<PaymentPage> PaymentQuery::page(const PageRequest& request) {
  auto read = result_of([&] {
    PageRequest ready = request;
    ready.filter = prepared(request.filter);
    return read_page(connection_, ready, std::max<std::size_t>(1, request.max));
  });
  if (!read) return read.error();
  std::vector<Row>& rows = read->rows;
  if (!request.forwards) std::reverse(rows.begin(), rows.end());
  PaymentPage page;
  page.more = read->more;
  if (!rows.empty()) {
    page.first = index_of(rows.front());
    page.last = index_of(rows.back());
  }
  for (Row& row : rows) {
    if (auto* payment = std::get_if<Payment>(&row)) {
      page.payments.push_back(std::move(*payment));
    } else {
      page.bad_rows.push_back(std::get<BadRow>(std::move(row)));
    }
  }
  return page;
}

Result<std::monostate> PaymentQuery::each(const PaymentFilter& filter, bool forwards, bool omit_hops,
                                          const std::function<bool(const std::variant<Payment, BadRow>&)>& visit) {
  return result_of([&] {
    PageRequest request;
    request.filter = prepared(filter);
    request.forwards = forwards;
    request.omit_hops = omit_hops;
    for (bool more = true; more;) {
      const Rows page = read_page(connection_, request, stream_page);
      for (const Row& row : page.rows) {
        if (!visit(row)) return;
      }
      more = page.more;
      if (more) request.offset = index_of(page.rows.back());
    }
  });
}

Result<std::uint64_t> PaymentQuery::count(const PaymentFilter& wanted) {
  return reading(connection_, [&] {
    const PaymentFilter filter = prepared(wanted);
    Query row = connection_.prepared(fmt::format("SELECT count(*) FROM payments p WHERE 1{}", conditions(filter)));
    bind_filter(row, filter);
    row.step();
    return row.number(INT64_MAX);
  });
}

Result<std::uint64_t> PaymentQuery::count_up_to(const PageRequest& request, std::uint64_t most) {
  const IndexRange range = range_of_page(request);
  return reading(connection_, [&] {
    const PaymentFilter filter = prepared(request.filter);
    if (filter.hash) return std::uint64_t{read_tries(connection_, request, most, range).rows.size()};
    // The range is compared and not walked through: what the filter has an index for is counted there.
    Query row = connection_.prepared(
        fmt::format("SELECT count(*) FROM (SELECT 1 FROM payments p WHERE +p.payment_index BETWEEN ? AND ?{} LIMIT ?)",
                    conditions(filter)));
    row.bind(range.first, range.last);
    bind_filter(row, filter);
    row.bind(static_cast<std::int64_t>(most));
    row.step();
    return row.number(INT64_MAX);
  });
}

Result<std::vector<PaymentHash>> PaymentQuery::find_hashes(std::string_view hex_prefix, std::size_t limit) {
  const auto range = range_of(hex_prefix);
  if (!range) return range.error();
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT payment_hash FROM payments WHERE payment_hash BETWEEN ?1 AND ?2 UNION SELECT payment_hash FROM "
        "hash_guards "
        "WHERE payment_hash BETWEEN ?1 AND ?2 ORDER BY payment_hash LIMIT ?3");
    row.bind(range->first, range->second, static_cast<std::int64_t>(limit));
    std::vector<PaymentHash> hashes;
    while (row.step()) hashes.push_back(row.fixed<PaymentHash>());
    return hashes;
  });
}

Result<std::optional<HashHistory>> PaymentQuery::history(const PaymentHash& hash, bool omit_hops) {
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
        "SELECT payment_hash, kind, amount_msat, preimage, destination, payment_secret_hash, since_ns, amp, "
        "released_ns FROM hash_guards "
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

Result<std::vector<StoredGuard>> PaymentQuery::guards(const std::optional<PaymentHash>& after, std::size_t limit) {
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT payment_hash, kind, amount_msat, preimage, destination, payment_secret_hash, since_ns, amp, "
        "released_ns FROM hash_guards "
        "WHERE payment_hash > ?1 ORDER BY payment_hash LIMIT ?2");
    row.bind(after ? Bytes(after->bytes.begin(), after->bytes.end()) : Bytes{}, static_cast<std::int64_t>(limit));
    std::vector<StoredGuard> guards;
    while (row.step()) {
      StoredGuard stored;
      try {
        read_guard(row, stored);
      } catch (const BadValue&) {
        // `check` reports it. Here the hash alone shows that the guard exists.
      }
      guards.push_back(stored);
    }
    return guards;
  });
}

Result<std::vector<QuarantinedRecord>> PaymentQuery::quarantine(std::int64_t after, std::size_t limit) {
  return reading(connection_, [&] {
    Query row = connection_.prepared(
        "SELECT id, source, sequence, payment_hash, reason, record, at_ns FROM quarantine WHERE id > ?1 ORDER BY id "
        "LIMIT ?2");
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

Result<std::uint64_t> PaymentQuery::count_guards(std::uint64_t most) {
  return count_first("SELECT count(*) FROM (SELECT 1 FROM hash_guards LIMIT ?1)", most);
}

Result<std::uint64_t> PaymentQuery::count_quarantined(std::uint64_t most) {
  return count_first("SELECT count(*) FROM (SELECT 1 FROM quarantine LIMIT ?1)", most);
}

Result<std::uint64_t> PaymentQuery::count_first(const char* sql, std::uint64_t most) {
  return reading(connection_, [&] {
    Query row = connection_.prepared(sql);
    row.bind(static_cast<std::int64_t>(most));
    row.step();
    return row.number(INT64_MAX);
  });
}

Result<StoreId> PaymentQuery::store_id() {
  return reading(connection_, [&] {
    Query row = connection_.prepared("SELECT store_id FROM store_meta WHERE id = 1");
    row.step();
    return row.fixed<StoreId>();
  });
}

Result<bool> PaymentQuery::any_watched() {
  return reading(connection_, [&] {
    return connection_
        .prepared(
            "SELECT 1 FROM attempts INDEXED BY attempts_watched WHERE outcome = 3 AND failure_code IN (65541, "
            "65542) LIMIT 1")
        .step();
  });
}

Result<std::optional<std::pair<PaymentIndex, UnixNs>>> PaymentQuery::own_created_after(UnixNs at) {
  return reading(connection_, [&]() -> std::optional<std::pair<PaymentIndex, UnixNs>> {
    // With a correct clock the range is empty. However many imports have times in the future, only a thousand are
    // looked through.
    Query row = connection_.prepared(
        "SELECT payment_index, created_ns, provenance FROM payments WHERE created_ns > ?1 ORDER BY created_ns DESC "
        "LIMIT 1000");
    row.bind(at);
    while (row.step()) {
      const PaymentIndex index{row.integer()};
      const UnixNs created = row.time();
      if (row.integer() == 0) return std::pair(index, created);
    }
    return std::nullopt;
  });
}

}  // namespace paytower::db
