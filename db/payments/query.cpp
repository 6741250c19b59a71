// What people ask: pages, counts, the history of a hash, guards, and what could not be read.
#include "db/payments/query.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "db/payments/filter.h"
#include "db/payments/pages.h"
#include "db/payments/rows.h"
#include "db/sqlite/reading.h"

namespace paytower::db {

namespace {

constexpr std::size_t stream_page = 500;

/// Whether some payment has ended although one of its attempts is open. The schema refuses that, so only in a damaged
/// file.
bool ended_while_open(Connection& connection) {
  Query row = connection.prepared(
      "SELECT 1 FROM attempts a CROSS JOIN payments p ON p.payment_index = a.payment_index WHERE a.payment_index > 0 "
      "AND a.outcome IS NULL "
      "AND p.ended_ns IS NOT NULL AND p.preimage IS NULL AND p.late_preimage IS NULL LIMIT 1");
  return row.step();
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
