// One pass over the payments of a span, page by page, adding everything up.
#include "db/payments/stats.h"

#include <algorithm>
#include <utility>

#include "db/sqlite/reading.h"

namespace paytower::db {

namespace {

constexpr std::int64_t page_rows = 1'000;
constexpr std::uint64_t longest_value = 1ULL << 31;  // SQLite's own limit for a text or blob
constexpr std::uint64_t million = 1'000'000;

__extension__ using Wide = unsigned __int128;  // a fee times a million does not fit into 64 bits

std::uint64_t millionths(std::uint64_t part, std::uint64_t whole) {
  const Wide result = Wide{part} * million / whole;
  return result > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(result);
}

/// What is counted of a row of `payments`.
struct PaymentRow {
  std::int64_t index = 0;
  Msat amount;
  UnixNs created;
  Provenance provenance = Provenance::native;
  bool duplicate = false;
  bool proven = false;
  bool ended = false;
  bool unknown = false;
  std::optional<FailureReason> reason;
  std::uint64_t invoice_bytes = 0;
  std::uint64_t route_bytes = 0;
  std::uint64_t label_bytes = 0;
};

/// What the attempts of one payment add up to.
struct AttemptSum {
  std::uint64_t made = 0;  ///< our own, or those of the imported record
  bool any = false;
  bool open = false;
  std::uint64_t settled = 0;  ///< how many of these have settled
  std::uint64_t fee = 0;
  std::optional<UnixNs> resolved;  ///< when the first of them settled
};

using ChannelCounts = std::map<std::pair<std::uint64_t, std::uint8_t>, std::uint64_t>;

PaymentRow read_payment(std::int64_t index, Query& row) {
  PaymentRow payment;
  payment.index = index;
  payment.amount = row.msat();
  payment.created = row.time();
  payment.provenance = static_cast<Provenance>(row.number(2));
  payment.duplicate = row.integer() != 0;
  payment.proven = row.integer() != 0;
  payment.ended = row.integer() != 0;
  payment.unknown = row.integer() != 0;
  if (const auto reason = row.maybe_number(5)) payment.reason = static_cast<FailureReason>(*reason);
  payment.invoice_bytes = row.number(longest_value);
  payment.route_bytes = row.number(longest_value);
  payment.label_bytes = row.number(longest_value);
  return payment;
}

/// Payment::status().
PaymentStatus status_of(const PaymentRow& payment, const AttemptSum& sum) {
  if (payment.proven) return PaymentStatus::succeeded;
  if (sum.open) return PaymentStatus::in_flight;
  if (payment.unknown) return PaymentStatus::unknown;
  if (payment.reason) return PaymentStatus::failed;
  return sum.any ? PaymentStatus::in_flight : PaymentStatus::initiated;
}

void add_open(OpenAtSwitch& open, bool new_payment, std::uint64_t amount_msat, UnixNs since) {
  if (new_payment) ++open.payments;
  open.amount_msat = saturating_add(open.amount_msat, amount_msat);
  open.oldest = open.oldest ? std::min(*open.oldest, since) : since;
}

void add_open_attempts(Connection& connection, std::map<std::int64_t, OpenAtSwitch>& by_switch, OpenAtSwitch& nowhere) {
  Query row = connection.prepared(
      "SELECT switch_id, payment_index, amount_msat + fee_msat, registered_ns FROM attempts INDEXED BY "
      "attempts_one_open WHERE outcome IS NULL ORDER BY payment_index");
  std::int64_t last = 0;
  while (row.step()) {
    const auto where = row.maybe_integer();
    const std::int64_t payment = row.integer();
    const std::uint64_t amount = row.number(2 * Msat::max_value);
    const auto found = where ? by_switch.find(*where) : by_switch.end();
    add_open(found == by_switch.end() ? nowhere : found->second, payment != last, amount, row.time());
    last = payment;
  }
}

/// From the indexes of what has not ended, whatever the span of the others.
std::vector<OpenAtSwitch> open_now(Connection& connection) {
  std::map<std::int64_t, OpenAtSwitch> by_switch;
  {
    Query row = connection.prepared("SELECT id, node, network FROM switches");
    while (row.step()) {
      const std::int64_t id = row.integer();
      SwitchKey key;
      key.node = row.fixed<PublicKey>();
      key.network = row.text();
      by_switch[id].where = std::move(key);
    }
  }
  OpenAtSwitch nowhere;
  add_open_attempts(connection, by_switch, nowhere);
  Query row = connection.prepared(
      "SELECT amount_msat, created_ns FROM payments INDEXED BY payments_unfinished WHERE ended_ns IS NULL AND NOT "
      "EXISTS "
      "(SELECT 1 FROM attempts a WHERE a.payment_index = payments.payment_index AND a.outcome IS NULL)");
  while (row.step()) {
    const std::uint64_t amount = row.number(Msat::max_value);
    add_open(nowhere, true, amount, row.time());
  }
  std::vector<OpenAtSwitch> all;
  for (auto& [id, open] : by_switch) all.push_back(std::move(open));
  all.push_back(std::move(nowhere));
  return all;
}

/// One pass over a span.
class Pass {
 public:
  Pass(Connection& connection, const StatsSpan& span) : connection_(connection), span_(span) {}

  std::optional<PaymentStats> run(const StatsProgress& go_on) {
    (void)value_of(reading(connection_, [this] { measure(); }));
    stats_.open = value_of(reading(connection_, [this] { return open_now(connection_); }));
    const std::uint64_t total = last_ < first_ ? 0 : static_cast<std::uint64_t>(last_ - first_) + 1;
    const std::int64_t begin = first_;
    while (first_ <= last_) {
      const bool more = value_of(reading(connection_, [this] { return page(); }));
      if (!more) break;
      if (go_on && !go_on(static_cast<std::uint64_t>(first_ - begin), total)) return std::nullopt;
    }
    rank_channels();
    return std::move(stats_);
  }

 private:
  [[nodiscard]] std::int64_t since() const { return span_.since ? span_.since->value : INT64_MIN; }
  [[nodiscard]] std::int64_t until() const { return span_.until ? span_.until->value : INT64_MAX; }

  /// Where the span is in the order of indexes, and the sizes of the file as a whole.
  void measure() {
    const bool all = !span_.since && !span_.until;
    {
      Query row = connection_.prepared(all ? "SELECT min(payment_index), max(payment_index) FROM payments"
                                           : "SELECT min(payment_index), max(payment_index) FROM payments WHERE "
                                             "created_ns >= ?1 AND created_ns < ?2");
      if (!all) row.bind(since(), until());
      row.step();
      first_ = row.maybe_integer().value_or(1);
      last_ = row.maybe_integer().value_or(0);
    }
    const std::uint64_t page_bytes = one_number("PRAGMA page_size");
    stats_.file_bytes = one_number("PRAGMA page_count") * page_bytes;
    stats_.free_bytes = one_number("PRAGMA freelist_count") * page_bytes;
    stats_.quarantine_bytes = one_number("SELECT coalesce(sum(length(record)), 0) FROM quarantine");
    Query row = connection_.prepared(
        "SELECT count(*) FROM payments WHERE payment_index IN (SELECT payment_index FROM attempts INDEXED BY "
        "attempts_watched WHERE outcome = 3 AND "
        "failure_code IN (65541, 65542) AND payment_index BETWEEN ?3 AND ?4) AND fail_reason IS NOT NULL AND end_note "
        "IS NULL AND preimage IS NULL AND late_preimage IS NULL AND created_ns >= ?1 AND created_ns < ?2");
    row.bind(since(), until(), first_, last_);
    row.step();
    stats_.assumed_failed = row.number(INT64_MAX);
  }

  std::uint64_t one_number(const char* sql) {
    Query row = connection_.prepared(sql);
    row.step();
    return row.number(INT64_MAX);
  }

  /// False if nothing of the span is left.
  bool page() {
    std::vector<PaymentRow> rows;
    const std::int64_t read_up_to = read_payments(rows);
    if (read_up_to < first_) return false;
    read_attempts(rows, read_up_to);
    read_imported(read_up_to);
    if (read_up_to == last_) return false;
    first_ = read_up_to + 1;
    return true;
  }

  /// The last index that was read; below first_ if there is none.
  std::int64_t read_payments(std::vector<PaymentRow>& rows) {
    Query row = connection_.prepared(
        "SELECT payment_index, amount_msat, created_ns, provenance, duplicate_of IS NOT NULL, preimage IS NOT NULL OR "
        "late_preimage IS NOT NULL,"
        " ended_ns IS NOT NULL, end_note IS NOT NULL, fail_reason, coalesce(length(CAST(invoice AS BLOB)), 0), "
        "coalesce(length(candidate_routes), 0),"
        " coalesce(length(CAST(label AS BLOB)), 0)"
        " FROM payments WHERE payment_index BETWEEN ?1 AND ?2 AND created_ns >= ?3 AND created_ns < ?4 ORDER BY "
        "payment_index LIMIT ?5");
    row.bind(first_, last_, since(), until(), page_rows);
    std::int64_t read_up_to = first_ - 1;
    while (row.step()) {
      read_up_to = row.integer();
      try {
        rows.push_back(read_payment(read_up_to, row));
      } catch (const BadValue&) {
        ++stats_.bad_rows;
      }
    }
    return read_up_to;
  }

  /// Both come in the order of indexes. A payment is counted once its attempts have been read.
  void read_attempts(const std::vector<PaymentRow>& rows, std::int64_t read_up_to) {
    Query row = connection_.prepared(
        "SELECT payment_index, origin, outcome, fee_msat, resolved_ns, failure_code, failure_channel, "
        "failure_direction, coalesce(length(route), 0),"
        " coalesce(length(CAST(failure_message AS BLOB)), 0) FROM attempts WHERE payment_index BETWEEN ?1 AND ?2 ORDER "
        "BY payment_index");
    row.bind(first_, read_up_to);
    auto payment = rows.begin();
    AttemptSum sum;
    while (row.step()) {
      const std::int64_t index = row.integer();
      while (payment != rows.end() && payment->index < index) count(*payment++, std::exchange(sum, AttemptSum{}));
      if (payment == rows.end() || payment->index != index || payment->duplicate) continue;
      try {
        add_attempt(sum, row);
      } catch (const BadValue&) {
        ++stats_.bad_rows;
      }
    }
    while (payment != rows.end()) count(*payment++, std::exchange(sum, AttemptSum{}));
  }

  void add_attempt(AttemptSum& sum, Query& row) {
    const auto origin = static_cast<AttemptOrigin>(row.number(2));
    const auto outcome = row.maybe_number(3);
    const Msat fee = row.msat();
    const auto resolved = row.maybe_time();
    const auto code = row.maybe_number(UINT32_MAX);
    const auto channel = row.maybe_bits();
    const auto direction = row.maybe_number(1);
    const std::uint64_t route_bytes = row.number(longest_value);
    const std::uint64_t message_bytes = row.number(longest_value);
    sum.any = true;
    if (!outcome) sum.open = true;
    stats_.route_bytes += route_bytes;
    stats_.text_bytes += message_bytes;
    if (origin == AttemptOrigin::foreign) return;
    ++sum.made;
    if (outcome == static_cast<std::uint64_t>(AttemptOutcome::settled)) {
      ++sum.settled;
      sum.fee = saturating_add(sum.fee, fee.value());
      if (resolved && (!sum.resolved || *resolved < *sum.resolved)) sum.resolved = resolved;
    }
    if (code) count_failure(static_cast<std::uint32_t>(*code));
    if (channel) count_channel(*channel, static_cast<std::uint8_t>(direction.value_or(0)));
  }

  /// A code without a name, from a damaged row or a newer program, must not make the table grow.
  void count_failure(std::uint32_t code) {
    const auto known = failure_from_name(failure_name(static_cast<FailureCode>(code)));
    ++stats_.by_code[known.value_or(FailureCode::unknown_code)];
  }

  void count_channel(std::uint64_t channel, std::uint8_t direction) {
    const auto key = std::make_pair(channel, direction);
    const auto known = channels_.find(key);
    if (known != channels_.end()) {
      ++known->second;
    } else if (channels_.size() < PaymentStats::most_channels) {
      channels_.emplace(key, 1);
    } else {
      ++stats_.other_channels;
    }
  }

  void count(const PaymentRow& payment, const AttemptSum& sum) {
    stats_.invoice_bytes += payment.invoice_bytes;
    stats_.route_bytes += payment.route_bytes;
    stats_.text_bytes += payment.label_bytes;
    if (payment.duplicate) {
      ++stats_.duplicates;
      return;
    }
    const PaymentStatus status = status_of(payment, sum);
    ++stats_.payments;
    ++stats_.by_status[static_cast<std::size_t>(status)];
    stats_.attempts += sum.made;
    if (payment.ended) stats_.attempts_each.add(sum.made);
    if (status == PaymentStatus::failed && payment.reason) ++stats_.by_reason[*payment.reason];
    if (status == PaymentStatus::succeeded) count_paid(payment, sum);
  }

  void count_paid(const PaymentRow& payment, const AttemptSum& sum) {
    if (sum.settled == 0) {
      ++stats_.paid_by_others;
      return;
    }
    stats_.amount_msat = saturating_add(stats_.amount_msat, payment.amount.value());
    stats_.parts_each.add(sum.settled);
    if (sum.settled > 1) ++stats_.paid_in_parts;
    stats_.fee_msat.add(sum.fee);
    if (payment.amount.value() > 0) stats_.fee_ppm.add(millionths(sum.fee, payment.amount.value()));
    // An imported record may have one time for both ends, or none.
    const bool native = payment.provenance == Provenance::native;
    const bool known = sum.resolved && (native ? *sum.resolved >= payment.created
                                               : payment.created > UnixNs{} && *sum.resolved > payment.created);
    if (!known) return;
    const std::uint64_t took_ns =
        static_cast<std::uint64_t>(sum.resolved->value) - static_cast<std::uint64_t>(payment.created.value);
    stats_.settle_us.add(took_ns / 1'000);
  }

  void read_imported(std::int64_t read_up_to) {
    Query row = connection_.prepared(
        "SELECT coalesce(sum(length(data)), 0) FROM imported_raw WHERE payment_index BETWEEN ?1 AND ?2");
    row.bind(first_, read_up_to);
    row.step();
    stats_.imported_bytes += row.number(INT64_MAX);
  }

  void rank_channels() {
    std::vector<ChannelFailures> all;
    all.reserve(channels_.size());
    for (const auto& entry : channels_)
      all.push_back({{ShortChannelId{entry.first.first}, entry.first.second}, entry.second});
    std::stable_sort(all.begin(), all.end(),
                     [](const ChannelFailures& a, const ChannelFailures& b) { return a.count > b.count; });
    stats_.channels = all.size();
    const std::size_t shown = std::min(all.size(), PaymentStats::shown_channels);
    for (std::size_t i = shown; i < all.size(); ++i) stats_.other_channels += all[i].count;
    all.resize(shown);
    stats_.by_channel = std::move(all);
  }

  Connection& connection_;
  const StatsSpan& span_;
  std::int64_t first_ = 1;
  std::int64_t last_ = 0;
  ChannelCounts channels_;
  PaymentStats stats_;
};

}  // namespace

std::optional<std::uint64_t> PaymentStats::success_ppm() const {
  const std::uint64_t both = with(PaymentStatus::succeeded) + with(PaymentStatus::failed);
  if (both == 0) return std::nullopt;
  return millionths(with(PaymentStatus::succeeded), both);
}

std::optional<std::uint64_t> PaymentStats::overall_fee_ppm() const {
  if (amount_msat == 0) return std::nullopt;
  return millionths(fee_msat.sum(), amount_msat);
}

Result<std::optional<PaymentStats>> payment_stats(Connection& connection, const StatsSpan& span,
                                                  const StatsProgress& go_on) {
  return result_of([&] { return Pass(connection, span).run(go_on); });
}

}  // namespace paytower::db
