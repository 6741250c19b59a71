// `list`: which payments are shown, page by page.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "cli/arguments/foreign.h"
#include "cli/commands/commands.h"
#include "cli/commands/list_kept.h"
#include "cli/commands/list_options.h"
#include "cli/commands/list_rows.h"
#include "cli/input/amount.h"
#include "cli/output/progress.h"
#include "cli/output/suggest.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

void add_status(std::vector<PaymentStatus>& list, std::string_view word, const Value& value) {
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto add = [&list](PaymentStatus status) {
    if (std::find(list.begin(), list.end(), status) == list.end()) list.push_back(status);
  };
  if (lower == "initiated" || lower == "open") add(PaymentStatus::initiated);
  if (lower == "in_flight" || lower == "open") add(PaymentStatus::in_flight);
  if (lower == "succeeded") add(PaymentStatus::succeeded);
  if (lower == "failed") add(PaymentStatus::failed);
  if (lower == "unknown") add(PaymentStatus::unknown);
  static constexpr std::array<std::string_view, 6> known{"open",      "initiated", "in_flight",
                                                         "succeeded", "failed",    "unknown"};
  if (std::find(known.begin(), known.end(), lower) != known.end()) return;
  if (const auto foreign = foreign_value(value.flag, lower)) refuse_value(value, foreign->message, foreign->hint);
  const std::string near = nearest(lower, {known.begin(), known.end()});
  refuse_value(value, fmt::format("{} is not one of open, initiated, in_flight, succeeded, failed, unknown{}",
                                  in_quotes(word), near.empty() ? "" : fmt::format("; did you mean {}?", near)));
}

void read_statuses(ListOptions& list, const Value& value) {
  std::string_view rest = value.text;
  while (true) {
    const std::size_t comma = rest.find(',');
    add_status(list.statuses, rest.substr(0, comma), value);
    if (comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

void read_label_pattern(ListOptions& list, const Value& value) {
  (value.text.find_first_of("*?") == std::string_view::npos ? list.label : list.label_pattern) = value.text;
}

/// What the text is as an amount, also as it is shown: "1,000 sat". A bare number may be meant as sat or as msat.
std::vector<Msat> amounts_in(std::string_view text) {
  std::string plain(text);
  plain.erase(std::remove_if(plain.begin(), plain.end(), [](char c) { return c == ' ' || c == ','; }), plain.end());
  std::vector<Msat> amounts;
  for (const char* unit : {"", "sat", "msat"}) {
    if (const auto amount = parse_amount(fmt::format("{}{}", plain, unit))) amounts.push_back(*amount);
  }
  return amounts;
}

void read_search(ListOptions& list, const Value& value) {
  if (value.text.size() > limits::max_label_bytes)
    refuse_value(value, fmt::format("it is longer than {} bytes", limits::max_label_bytes));
  list.search = db::TextSearch{std::string(value.text), amounts_in(value.text)};
}

constexpr std::array<std::string_view, 4> list_formats{"table", "tsv", "csv", "ndjson"};

constexpr auto list_flags = std::to_array<Flag>({
    {"status", "S,...", "only these: initiated, in_flight, succeeded, failed, unknown; open = the first two",
     into::by<read_statuses>},
    {"max-payments", "N", "rows of the page (default: {}); 0 = all",
     into::whole<&ListOptions::max_payments, 0, INT64_MAX>, "25"},
    {"index-offset", "N", "the page before this index (behind it with --paginate-forwards)",
     into::whole<&ListOptions::index_offset, 0, INT64_MAX>},
    {"paginate-forwards", "oldest first; otherwise the newest page", into::on<&ListOptions::forwards>},
    {"since", "T", "created at or after T (a date, yesterday, RFC 3339, unix seconds, or an age such as 90d)",
     into::time<&ListOptions::since>},
    {"until", "T", "created at or before T", into::time<&ListOptions::until>},
    {"label", "TEXT", "only with this label; * in it stands for any text, ? for one character",
     into::by<read_label_pattern>},
    {"search", "TEXT", "only where label, description, amount, payee or hash says TEXT; looks through all payments",
     into::by<read_search>},
    {"count-total-payments", "also count all payments of the database", into::on<&ListOptions::count_total>},
    {"omit-hops", "leave the hops out of the JSON", into::on<&ListOptions::omit_hops>},
    {"format", "FORMAT", "table, tsv, csv or ndjson (default: table on a TTY, tsv in a pipe)",
     into::choice<&ListOptions::format, list_formats>},
    {"guards", "list what is kept of deleted or imported hashes instead", into::on<&ListOptions::guards>},
    {"quarantine", "list what a migration could not read instead", into::on<&ListOptions::quarantine>},
});

void take(ListOptions& list, const Given& given) {
  given.exclude_json_and_format(list.format == ListOptions::Format::ndjson);
  given.exclude("guards", "quarantine");
  if (!given.words.empty()) list.hash = given.hash();
  if (list.guards) list.what = ListOptions::What::guards;
  if (list.quarantine) list.what = ListOptions::What::quarantine;
  if (list.what != ListOptions::What::payments) {
    if (!given.words.empty()) given.refuse("guards and quarantined records are listed without a hash");
    given.need({"status", "since", "until", "label", "search", "count-total-payments", "omit-hops", "paginate-forwards",
                "index-offset"},
               "a list of payments");
  }
}

db::PageRequest page_request(const ListOptions& options) {
  db::PageRequest request;
  request.filter.statuses = options.statuses;
  request.filter.label = options.label;
  request.filter.label_pattern = options.label_pattern;
  request.filter.search = options.search;
  if (options.hash) request.filter.hash = options.hash->whole;
  request.filter.since = options.since;
  if (options.until && options.until->value < INT64_MAX)
    request.filter.until = UnixNs{options.until->value + 1};  // T itself is meant too
  request.offset = PaymentIndex{options.index_offset.value_or(0)};
  request.forwards = options.forwards;
  request.omit_hops = options.omit_hops;
  return request;
}

/// An empty screen could mean that something went wrong.
void tell_no_payment(Output& output, const ListOptions& options) {
  const bool text = options.format == ListOptions::Format::automatic || options.format == ListOptions::Format::table;
  if (!text) return;
  const bool any = page_request(options).filter.all() && options.index_offset.value_or(0) == 0;
  tell_nothing(output, any ? "payments" : "payment matches these filters");
}

/// One call of list: pages forwards through what was asked for.
class Lister {
 public:
  Lister(Session& session, const ListOptions& options, db::PaymentQuery& query)
      : session_(session), options_(options), query_(query), rows_(session, options),
        progress_(session.output, session.clock, "rows") {}

  ExitCode run() {
    expected_ = expected();
    rows_.begin();
    const bool more = options_.forwards ? forwards() : backwards();
    if (options_.count_total) tail_.total = value_of(query_.count({}));
    rows_.end(tail_);
    progress_.end();
    session_.output.flush();
    if (printed_ == 0 && tail_.bad_rows.empty() && !options_.hash) tell_no_payment(session_.output, options_);
    if (more) tell_rest(session_.output, printed_ + tail_.bad_rows.size(), in_all());
    if (options_.hash && printed_ == 0) session_.output.hint(fmt::format("paytower show {}", options_.hash->digits));
    if (tail_.bad_rows.empty()) return ExitCode::ok;
    report_bad_rows();
    return ExitCode::database;
  }

 private:
  /// For the progress line: how many rows there will be, 0 where counting them would cost as much as printing them.
  std::uint64_t expected() {
    if (options_.max_payments > 0) return options_.max_payments > list_page ? options_.max_payments : 0;
    const bool all = page_request(options_).filter.all() && !options_.index_offset;
    return all && progress_.active() ? value_of(query_.count({})) : 0;
  }

  /// What the page is a part of, for people.
  std::optional<std::uint64_t> in_all() {
    const db::PageRequest request = page_request(options_);
    if (!session_.output.stdout_is_tty() || request.filter.walks()) return std::nullopt;
    return value_of(query_.count_up_to(request, most_counted + 1));
  }

  // Both tell whether there are more rows in their direction.

  bool forwards() {
    return stream(PaymentIndex{options_.index_offset.value_or(0)}, options_.max_payments, std::nullopt);
  }

  /// The newest rows before the offset, printed in ascending order: first their beginning is looked for, then they
  /// stream.
  bool backwards() {
    db::PageRequest request = page_request(options_);
    // As in lnd, 0 is no offset: the page ends with the newest row.
    const std::int64_t offset = options_.index_offset.value_or(0);
    const std::optional<PaymentIndex> end = offset > 0 ? std::optional(PaymentIndex{offset}) : std::nullopt;
    if (options_.max_payments == 0) return stream(PaymentIndex{0}, 0, end);
    if (options_.max_payments <= list_page) {
      request.max = static_cast<std::size_t>(options_.max_payments);
      const db::PaymentPage page = value_of(query_.page(request));
      print(page);
      return page.more;
    }
    request.omit_hops = true;
    PaymentIndex start;
    bool more = true;
    for (std::uint64_t left = options_.max_payments; left > 0 && more;) {
      request.max = static_cast<std::size_t>(std::min<std::uint64_t>(left, list_page));
      const db::PaymentPage page = value_of(query_.page(request));
      if (page.first.value == 0) break;
      start = request.offset = page.first;
      left -= std::min<std::uint64_t>(left, page.rows());
      more = page.more;
    }
    if (start.value > 0) (void)stream(PaymentIndex{start.value - 1}, options_.max_payments, end);
    return more;
  }

  /// Rows behind `after`, at most `max` (0 = all), before `end`.
  bool stream(PaymentIndex after, std::uint64_t max, std::optional<PaymentIndex> end) {
    db::PageRequest request = page_request(options_);
    request.forwards = true;
    request.offset = after;
    request.before = end;
    for (std::uint64_t left = max; true;) {
      request.max = max == 0 ? list_page : static_cast<std::size_t>(std::min<std::uint64_t>(left, list_page));
      const db::PaymentPage page = value_of(query_.page(request));
      if (page.first.value == 0) return false;
      print(page);
      request.offset = page.last;
      left -= std::min<std::uint64_t>(left, page.rows());
      if (!page.more || (max > 0 && left == 0)) return page.more;
    }
  }

  void print(const db::PaymentPage& page) {
    for (const Payment& payment : page.payments) rows_.row(payment);
    rows_.page();
    printed_ += page.payments.size();
    // Where the rows themselves scroll by, they are the progress.
    if (!session_.output.stdout_is_tty()) progress_.update(printed_, expected_);
    if (tail_.first.value == 0) tail_.first = page.first;
    tail_.last = std::max(tail_.last, page.last);
    tail_.bad_rows.insert(tail_.bad_rows.end(), page.bad_rows.begin(), page.bad_rows.end());
  }

  void report_bad_rows() {
    std::string message = fmt::format("{} rows cannot be read:", tail_.bad_rows.size());
    for (std::size_t i = 0; i < std::min<std::size_t>(tail_.bad_rows.size(), 5); ++i) {
      const db::BadRow& row = tail_.bad_rows[i];
      message += fmt::format(" {} ({})", row.index.value, row.reason);
    }
    session_.output.error(report_of(Error{Errc::database, message, "paytower check"}));
  }

  Session& session_;
  const ListOptions& options_;
  db::PaymentQuery& query_;
  PaymentRows rows_;
  Progress progress_;
  std::uint64_t printed_ = 0;
  std::uint64_t expected_ = 0;
  ListTail tail_;
};

ExitCode empty_list(const ListOptions& options, Session& session) {
  PaymentRows rows(session, options);
  rows.begin();
  ListTail tail;
  if (options.count_total) tail.total = 0;
  rows.end(tail);
  return ExitCode::ok;
}

/// With the whole hash where only its beginning was given. A hash that nobody knows is refused.
ListOptions with_hash(ListOptions options, Session& session, Database* database) {
  if (!options.hash) return options;
  const PaymentHash hash = find_hash(session, database, *options.hash, false);
  if (database == nullptr || value_of(database->query.find_hashes(hash.hex(), 1)).empty())
    refuse(no_such_payment(*options.hash));
  options.hash = HashArgument{hash.hex(), hash};
  return options;
}

ExitCode list_payments(const ListOptions& options, Session& session, Database* database) {
  if (database == nullptr) return empty_list(options, session);
  return Lister(session, options, database->query).run();
}

ExitCode run(const ListOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_only);
  switch (options.what) {
    case ListOptions::What::guards: return list_guards(options, session, database.get());
    case ListOptions::What::quarantine: return list_quarantine(options, session, database.get());
    case ListOptions::What::payments: break;
  }
  return list_payments(with_hash(options, session, database.get()), session, database.get());
}

}  // namespace

constexpr Command list_command = command<ListOptions, take, run>({
    .name = "list",
    .words = "[HASH|INVOICE]",
    .summary = "List payments",
    .about = "The newest page, in ascending order; with a hash or an invoice all its tries. In a pipe: tab-separated\n"
             "values.",
    .flags = list_flags,
    .examples = "  paytower list\n"
                "  paytower list --status open\n"
                "  paytower list --label \"payroll*\" --search 1000sat\n"
                "  paytower list --since 90d --max-payments 0 --format csv > payments.csv",
    .alias = "ls",
    .only_shows = true,
});

}  // namespace paytower::cli
