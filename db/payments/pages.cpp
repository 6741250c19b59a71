// Reads pages: in the order of indexes, of a time range, of a hash, or by a walk through all rows.
#include "db/payments/pages.h"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/core.h>

#include "db/payments/filter.h"
#include "db/payments/rows.h"
#include "db/sqlite/reading.h"

namespace paytower::db {

namespace {

/// How many indexes a page of a time range may walk before it asks where the range begins.
constexpr std::int64_t near_indexes = 500;

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

}  // namespace

PaymentIndex index_of(const Row& row) {
  return std::visit([](const auto& one) { return one.index; }, row);
}

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

Rows read_page(Connection& connection, const PageRequest& request, std::size_t max) {
  if (request.filter.walks()) return walk_page(connection, request, max);
  return value_of(reading(connection, [&] { return read_within(connection, request, max, range_of_page(request)); }));
}

}  // namespace paytower::db
