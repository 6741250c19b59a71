#include <algorithm>
#include <array>
#include <utility>

#include "cli/arguments/foreign.h"
#include "cli/commands/commands.h"
#include "cli/input/amount.h"
#include "cli/output/csv.h"
#include "cli/output/json.h"
#include "cli/output/open_text.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/suggest.h"
#include "cli/output/table.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

struct ListOptions {
  enum class Format { table, tsv, csv, ndjson, automatic };
  enum class What { payments, guards, quarantine };
  std::vector<PaymentStatus> statuses;  ///< empty = all
  std::uint64_t max_payments = 0;       ///< 0 = all
  std::optional<std::int64_t> index_offset;
  bool forwards = false;
  std::optional<UnixNs> since;
  std::optional<UnixNs> until;
  std::optional<std::string> label;
  bool count_total = false;
  bool omit_hops = false;
  Format format = Format::automatic;
  bool guards = false;
  bool quarantine = false;
  What what = What::payments;
};
using Format = ListOptions::Format;

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
  refuse_value(value, in_quotes(word) + " is none of open, initiated, in_flight, succeeded, failed, unknown" +
                          (near.empty() ? "" : "; did you mean " + near + "?"));
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

constexpr std::array<std::string_view, 4> format_words{"table", "tsv", "csv", "ndjson"};

constexpr auto flags = std::to_array<Flag>({
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
    {"label", "TEXT", "only payments with exactly this label", into::text<&ListOptions::label>},
    {"count-total-payments", "also count all payments of the database", into::on<&ListOptions::count_total>},
    {"omit-hops", "leave the hops out of the JSON", into::on<&ListOptions::omit_hops>},
    {"format", "FORMAT", "table, tsv, csv or ndjson (default: table on a TTY, tsv in a pipe)",
     into::choice<&ListOptions::format, format_words>},
    {"guards", "list what is kept of deleted or imported hashes instead", into::on<&ListOptions::guards>},
    {"quarantine", "list what a migration could not read instead", into::on<&ListOptions::quarantine>},
});

void take(ListOptions& list, const Given& given) {
  given.exclude_json_and_format(list.format == Format::ndjson);
  given.exclude("guards", "quarantine");
  if (list.guards) list.what = ListOptions::What::guards;
  if (list.quarantine) list.what = ListOptions::What::quarantine;
  if (list.what != ListOptions::What::payments) {
    given.need({"status", "since", "until", "label", "count-total-payments", "omit-hops", "paginate-forwards"},
               "a list of payments");
  }
}

constexpr std::size_t page_size = 500;
constexpr std::size_t short_hash = 12;

std::string fee_text(const Payment& payment) {
  const auto settled = settlement_of(payment);
  return settled ? sat_text(settled->fee) : "-";
}

std::string tsv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    if (!line.empty()) line += '\t';
    line += cell;
  }
  return line + "\n";
}

/// The plain values of a row, the same in TSV and CSV, but for the parts behind them. None of them can hold a tab.
std::vector<std::string> values(const Payment& payment) {
  return {std::to_string(payment.index.value),        payment.request.hash.hex(),
          std::string(status_name(payment.status())), std::to_string(payment.request.demand.amount.value()),
          std::to_string(fee_of(payment).value()),    std::to_string(payment.attempts.size()),
          time_text(payment.request.created)};
}

/// What --json says behind the rows.
struct Tail {
  PaymentIndex first{};
  PaymentIndex last{};
  std::optional<std::uint64_t> total{};  ///< of the database
  std::vector<db::BadRow> bad_rows{};
};

void write_tail(JsonWriter& out, const Tail& tail) {
  out.key("first_index_offset").id(static_cast<std::uint64_t>(tail.first.value));
  out.key("last_index_offset").id(static_cast<std::uint64_t>(tail.last.value));
  out.key("total_num_payments");
  tail.total ? out.id(*tail.total) : out.null();
  out.key("bad_rows").begin_array();
  for (const db::BadRow& row : tail.bad_rows) {
    out.element().begin_object();
    out.key("payment_index").id(static_cast<std::uint64_t>(row.index.value));
    out.key("payment_hash").maybe_hex(row.hash);
    out.key("reason").text(row.reason);
    out.end_object();
  }
  out.end_array();
}

/// Prints rows as they come, so that a list of any length needs no more than a page of memory.
class Printer {
 public:
  Printer(Session& session, const ListOptions& options)
      : output_(session.output), omit_hops_(options.omit_hops), format_(choose(options)), now_(session.clock.wall()),
        table_(columns(session.output.stdout_is_tty())), json_(session.output) {}

  void begin() {
    if (document()) {
      json_.writer().begin_object();
      json_.writer().key("payments").begin_array();
    }
    if (format_ == Format::csv)
      output_.result(
          csv_line({"index", "hash", "status", "value_msat", "fee_msat", "attempts", "created", "label", "parts"}));
  }

  void row(const Payment& payment) {
    ++rows_;
    switch (format_) {
      case Format::table: return add_to_table(payment);
      case Format::tsv: return add_to_tsv(payment);
      case Format::csv: return add_to_csv(payment);
      case Format::ndjson: append_payment(json_.text(), PaymentView{&payment, omit_hops_}); return json_.end();
      case Format::automatic:
        json_.writer().element();
        append_payment(json_.text(), PaymentView{&payment, omit_hops_});
        return json_.pass_on();
    }
  }

  /// After each page: a table's widths are those of the rows so far.
  void page() {
    if (format_ == Format::table && rows_ > 0) output_.result(table_.take(output_, 2));
  }

  void end(const Tail& tail) {
    if (!document()) return;
    json_.writer().end_array();
    write_tail(json_.writer(), tail);
    json_.writer().end_object();
    json_.end();
  }

 private:
  /// Format::automatic stands for --json's one document.
  static Format choose(const ListOptions& options, bool json, bool tty) {
    if (options.format != Format::automatic) return options.format;
    if (json) return Format::automatic;
    return tty ? Format::table : Format::tsv;
  }
  [[nodiscard]] Format choose(const ListOptions& options) const {
    return choose(options, output_.json(), output_.stdout_is_tty());
  }
  [[nodiscard]] bool document() const { return format_ == Format::automatic; }

  void add_to_tsv(const Payment& payment) {
    std::vector<std::string> cells = values(payment);
    cells.push_back(std::to_string(parts_of(payment)));
    output_.result(tsv_line(cells));
  }

  /// As TSV, and the label before the parts: the only text of people.
  void add_to_csv(const Payment& payment) {
    std::vector<std::string> cells = values(payment);
    cells.push_back(printable(payment.request.label));
    cells.push_back(std::to_string(parts_of(payment)));
    output_.result(csv_line(cells));
  }

  /// A terminal also says how long ago it was; where it is narrow that is all it says of the time.
  static std::vector<Column> columns(bool tty) {
    std::vector<Column> all{{"INDEX", true},
                            {"HASH"},
                            {"STATUS"},
                            {"AMOUNT", true},
                            {"FEE", true, 1},
                            {"ATTEMPTS", true, 2},
                            {"CREATED", false, tty ? 3U : 0U}};
    if (tty) all.push_back({"AGE", true});
    all.push_back({"PARTS", true, 4});
    return all;
  }

  void add_to_table(const Payment& payment) {
    const bool tty = output_.stdout_is_tty();
    const std::string hash = payment.request.hash.hex();
    std::vector<std::string> cells{std::to_string(payment.index.value),
                                   tty ? hash.substr(0, short_hash) : hash,
                                   std::string(status_name(payment.status())),
                                   sat_text(payment.request.demand.amount),
                                   fee_text(payment),
                                   std::to_string(payment.attempts.size()),
                                   time_text(payment.request.created)};
    if (tty) cells.push_back(age_cell(payment, now_));
    const std::uint32_t parts = parts_of(payment);
    cells.push_back(parts == 0 ? "-" : std::to_string(parts));
    table_.add(std::move(cells));
  }

  Output& output_;
  bool omit_hops_;
  Format format_;
  UnixNs now_;
  Table table_;
  GrowingJson json_;
  std::uint64_t rows_ = 0;
};

db::PageRequest page_request(const ListOptions& options) {
  db::PageRequest request;
  request.filter.statuses = options.statuses;
  request.filter.label = options.label;
  request.filter.since = options.since;
  if (options.until && options.until->value < INT64_MAX)
    request.filter.until = UnixNs{options.until->value + 1};  // T itself is meant too
  request.offset = PaymentIndex{options.index_offset.value_or(0)};
  request.forwards = options.forwards;
  request.omit_hops = options.omit_hops;
  return request;
}

/// One call of list: pages forwards through what was asked for.
class Lister {
 public:
  Lister(Session& session, const ListOptions& options, db::PaymentQuery& query)
      : session_(session), options_(options), query_(query), printer_(session, options),
        progress_(session.output, session.clock, "rows") {}

  ExitCode run() {
    total_ = expected();
    printer_.begin();
    if (options_.forwards) {
      stream(PaymentIndex{options_.index_offset.value_or(0)}, options_.max_payments, std::nullopt);
    } else {
      backwards();
    }
    if (options_.count_total) tail_.total = query_.count({});
    printer_.end(tail_);
    progress_.end();
    session_.output.flush();
    if (tail_.bad_rows.empty()) return ExitCode::ok;
    report_bad_rows();
    return ExitCode::database;
  }

 private:
  /// For the progress line: how many rows there will be, 0 where counting them would cost as much as printing them.
  std::uint64_t expected() {
    if (options_.max_payments > 0) return options_.max_payments > page_size ? options_.max_payments : 0;
    const db::PaymentFilter filter = page_request(options_).filter;
    const bool all =
        filter.statuses.empty() && !filter.label && !filter.since && !filter.until && !options_.index_offset;
    return all && progress_.active() ? query_.count({}) : 0;
  }

  /// The newest rows before the offset, printed in ascending order: first their beginning is looked for, then they
  /// stream.
  void backwards() {
    db::PageRequest request = page_request(options_);
    // As in lnd, 0 is no offset: the page ends with the newest row.
    const std::int64_t offset = options_.index_offset.value_or(0);
    const std::optional<PaymentIndex> end = offset > 0 ? std::optional(PaymentIndex{offset}) : std::nullopt;
    if (options_.max_payments == 0) return stream(PaymentIndex{0}, 0, end);
    if (options_.max_payments <= page_size) {
      request.max = static_cast<std::size_t>(options_.max_payments);
      return print(query_.page(request));
    }
    request.omit_hops = true;
    PaymentIndex start;
    std::uint64_t left = options_.max_payments;
    while (left > 0) {
      request.max = static_cast<std::size_t>(std::min<std::uint64_t>(left, page_size));
      const db::PaymentPage page = query_.page(request);
      if (page.first.value == 0) break;
      start = request.offset = page.first;
      left -= std::min<std::uint64_t>(left, page.payments.size() + page.bad_rows.size());
      if (!page.more) break;
    }
    if (start.value > 0) stream(PaymentIndex{start.value - 1}, options_.max_payments, end);
  }

  /// Rows behind `after`, at most `max` (0 = all), before `end`.
  void stream(PaymentIndex after, std::uint64_t max, std::optional<PaymentIndex> end) {
    db::PageRequest request = page_request(options_);
    request.forwards = true;
    request.offset = after;
    std::uint64_t left = max;
    while (true) {
      request.max = max == 0 ? page_size : static_cast<std::size_t>(std::min<std::uint64_t>(left, page_size));
      db::PaymentPage page = query_.page(request);
      if (page.first.value == 0) return;
      request.offset = page.last;
      left -= std::min<std::uint64_t>(left, page.payments.size() + page.bad_rows.size());
      const bool more = page.more && (max == 0 || left > 0) && !(end && page.last >= *end);
      if (end) cut(page, *end);
      print(page);
      if (!more) return;
    }
  }

  static void cut(db::PaymentPage& page, PaymentIndex end) {
    const auto beyond = [end](const auto& row) { return row.index >= end; };
    page.payments.erase(std::remove_if(page.payments.begin(), page.payments.end(), beyond), page.payments.end());
    page.bad_rows.erase(std::remove_if(page.bad_rows.begin(), page.bad_rows.end(), beyond), page.bad_rows.end());
    page.first = page.last = PaymentIndex{};
    for (const Payment& payment : page.payments) widen(page, payment.index);
    for (const db::BadRow& row : page.bad_rows) widen(page, row.index);
  }
  static void widen(db::PaymentPage& page, PaymentIndex index) {
    if (page.first.value == 0 || index < page.first) page.first = index;
    page.last = std::max(page.last, index);
  }

  void print(const db::PaymentPage& page) {
    for (const Payment& payment : page.payments) printer_.row(payment);
    printer_.page();
    printed_ += page.payments.size();
    // Where the rows themselves scroll by, they are the progress.
    if (!session_.output.stdout_is_tty()) progress_.update(printed_, total_);
    if (tail_.first.value == 0) tail_.first = page.first;
    tail_.last = std::max(tail_.last, page.last);
    tail_.bad_rows.insert(tail_.bad_rows.end(), page.bad_rows.begin(), page.bad_rows.end());
  }

  void report_bad_rows() {
    std::string message = std::to_string(tail_.bad_rows.size()) + " rows cannot be read:";
    for (std::size_t i = 0; i < std::min<std::size_t>(tail_.bad_rows.size(), 5); ++i) {
      message += " " + std::to_string(tail_.bad_rows[i].index.value) + " (" + tail_.bad_rows[i].reason + ")";
    }
    session_.output.error(report_of(Error{Errc::database, message, "paytower check"}));
  }

  Session& session_;
  const ListOptions& options_;
  db::PaymentQuery& query_;
  Printer printer_;
  Progress progress_;
  std::uint64_t printed_ = 0;
  std::uint64_t total_ = 0;
  Tail tail_;
};

ExitCode empty_list(const ListOptions& options, Session& session) {
  Printer printer(session, options);
  printer.begin();
  Tail tail;
  if (options.count_total) tail.total = 0;
  printer.end(tail);
  return ExitCode::ok;
}

// --- guards and quarantine ---

std::uint64_t limit_of(const ListOptions& options) {
  return options.max_payments == 0 ? UINT64_MAX : options.max_payments;
}

std::string lower_case(std::string text) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

/// Rows of another kind than payments: one JSON array under `name`, NDJSON, TSV, or a table.
class OtherRows {
 public:
  OtherRows(Session& session, const ListOptions& options, std::string_view name, std::vector<Column> columns)
      : output_(session.output), json_(session.output), format_(options.format) {
    std::vector<std::string> header;
    header.reserve(columns.size());
    for (const Column& column : columns) header.push_back(lower_case(column.title));
    table_ = Table(std::move(columns));
    if (format_ == Format::csv) output_.result(csv_line(header));
    if (format_ == Format::automatic && !output_.json())
      format_ = output_.stdout_is_tty() ? Format::table : Format::tsv;
    if (format_ != Format::automatic) return;
    json_.writer().begin_object();
    json_.writer().key(name).begin_array();
  }

  void row(const Json& json, const std::vector<std::string>& cells) {
    ++rows_;
    switch (format_) {
      case Format::automatic: json_.writer().element().json(dump(json)); return json_.pass_on();
      case Format::ndjson: return output_.result(dump(json) + "\n");
      case Format::tsv: return output_.result(tsv_line(cells));
      case Format::csv: return output_.result(csv_line(cells));
      case Format::table: return table_.add(cells);
    }
  }

  void end() {
    if (format_ == Format::automatic) {
      json_.writer().end_array();
      json_.writer().end_object();
      json_.end();
    }
    if (format_ == Format::table && rows_ > 0) output_.result(table_.take(output_, SIZE_MAX));
  }

 private:
  Output& output_;
  GrowingJson json_;
  Format format_;
  Table table_{std::vector<Column>{}};
  std::uint64_t rows_ = 0;
};

ExitCode list_guards(const ListOptions& options, Session& session, Database* database) {
  OtherRows rows(session, options, "guards", {{"HASH"}, {"KIND"}, {"AMOUNT", true}, {"SINCE"}, {"RELEASED"}});
  std::optional<PaymentHash> after;
  std::uint64_t left = limit_of(options);
  while (database != nullptr && left > 0) {
    const auto page = database->query.guards(after, static_cast<std::size_t>(std::min<std::uint64_t>(left, page_size)));
    for (const db::StoredGuard& stored : page) {
      Json json = guard_json(stored.guard);
      json["released_ns"] = time_json(stored.released);
      rows.row(json, {stored.guard.hash.hex(), std::string(guard_kind_name(stored.guard.kind)),
                      stored.guard.amount ? amount_text(*stored.guard.amount) : "-", time_text(stored.guard.since),
                      stored.released ? time_text(*stored.released) : "-"});
      after = stored.guard.hash;
    }
    left -= page.size();
    if (page.size() < page_size) break;
  }
  rows.end();
  return ExitCode::ok;
}

ExitCode list_quarantine(const ListOptions& options, Session& session, Database* database) {
  OtherRows rows(session, options, "quarantined", {{"ID", true}, {"SOURCE"}, {"SEQUENCE", true}, {"HASH"}, {"REASON"}});
  std::int64_t after = 0;
  std::uint64_t left = limit_of(options);
  while (database != nullptr && left > 0) {
    const auto page =
        database->query.quarantine(after, static_cast<std::size_t>(std::min<std::uint64_t>(left, page_size)));
    for (const db::QuarantinedRecord& record : page) {
      Json json;
      json["id"] = id_json(static_cast<std::uint64_t>(record.id));
      json["source"] = record.source;
      json["sequence"] = record.sequence ? Json(std::to_string(*record.sequence)) : Json();
      json["payment_hash"] = hex_json(record.hash);
      json["reason"] = record.reason;
      json["record"] = to_hex(record.record);
      json["time_ns"] = time_json(record.at);
      rows.row(json, {std::to_string(record.id), printable(record.source),
                      record.sequence ? std::to_string(*record.sequence) : "-", record.hash ? record.hash->hex() : "-",
                      printable(record.reason)});
      after = record.id;
    }
    left -= page.size();
    if (page.size() < page_size) break;
  }
  rows.end();
  return ExitCode::ok;
}

ExitCode run(const ListOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_only);
  switch (options.what) {
    case ListOptions::What::guards: return list_guards(options, session, database.get());
    case ListOptions::What::quarantine: return list_quarantine(options, session, database.get());
    case ListOptions::What::payments: break;
  }
  if (!database) return empty_list(options, session);
  return Lister(session, options, database->query).run();
}

}  // namespace

constexpr Command list_command = command<ListOptions, take, run>({
    .name = "list",
    .summary = "List payments",
    .about = "The newest page, in ascending order. In a pipe: tab-separated values.",
    .flags = flags,
    .examples = "  paytower list\n"
                "  paytower list --status open\n"
                "  paytower list --since 90d --max-payments 0 --format csv > payments.csv",
    .alias = "ls",
    .only_shows = true,
});

}  // namespace paytower::cli
