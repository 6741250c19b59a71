// `list --guards` and `list --quarantine`: what is kept beside payments.
#include "cli/commands/list_kept.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/list_rows.h"
#include "cli/input/amount.h"
#include "cli/output/csv.h"
#include "cli/output/json.h"
#include "cli/output/render.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

using Format = ListOptions::Format;

std::string lower_case(std::string text) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

/// Rows of another kind than payments: one JSON array under `name`, NDJSON, TSV, or a table.
class OtherRows {
 public:
  OtherRows(Session& session, const ListOptions& options, const JsonKey& name, std::vector<Column> columns)
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

  /// What a person reads; the other forms have the amounts without blanks and commas.
  [[nodiscard]] bool table() const { return format_ == Format::table; }

  void row(const Json& json, const std::vector<std::string>& cells) {
    ++rows_;
    switch (format_) {
      case Format::automatic: json_.writer().element().json(dump(json)); return json_.pass_on();
      case Format::ndjson: return output_.result(fmt::format("{}\n", dump(json)));
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

std::string amount_cell(const std::optional<Msat>& amount, bool table) {
  if (!amount) return "-";
  return table ? sat_text(*amount) : amount_text(*amount);
}

struct ShownPayment {
  std::uint64_t rows = 0;
  bool more = false;
};

/// Shows rows, a page at a time. `fetch` gives up to N rows after the last one that was shown.
template <typename Fetch, typename Print> ShownPayment show_each(const ListOptions& options, Fetch fetch, Print print) {
  const std::uint64_t most = options.max_payments == 0 ? UINT64_MAX : options.max_payments;
  ShownPayment shown;
  while (true) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most - shown.rows, list_page));
    const auto page = fetch(wanted + 1);  // one more tells whether the list goes on
    const std::size_t taken = std::min(wanted, page.size());
    for (std::size_t i = 0; i < taken; ++i) print(page[i]);
    shown.rows += taken;
    shown.more = page.size() > wanted;
    if (!shown.more || shown.rows == most) return shown;
  }
}

}  // namespace

ExitCode list_guards(const ListOptions& options, Session& session, Database* database) {
  OtherRows rows(session, options, "guards", {{"HASH"}, {"KIND"}, {"AMOUNT", true}, {"SINCE"}, {"RELEASED"}});
  ShownPayment shown;
  if (database != nullptr) {
    std::optional<PaymentHash> after;
    const auto print = [&rows, &after](const db::StoredGuard& stored) {
      Json json = guard_json(stored.guard);
      json["released_ns"] = time_json(stored.released);
      rows.row(json, {stored.guard.hash.hex(), std::string(guard_kind_name(stored.guard.kind)),
                      amount_cell(stored.guard.amount, rows.table()), time_text(stored.guard.since),
                      stored.released ? time_text(*stored.released) : "-"});
      after = stored.guard.hash;
    };
    shown = show_each(
        options, [&](std::size_t limit) { return value_of(database->query.guards(after, limit)); }, print);
  }
  rows.end();
  if (shown.rows == 0) tell_nothing(session.output, "blocked hashes");
  if (shown.more) tell_rest(session.output, shown.rows, value_of(database->query.count_guards(most_counted + 1)));
  return ExitCode::ok;
}

ExitCode list_quarantine(const ListOptions& options, Session& session, Database* database) {
  OtherRows rows(session, options, "quarantined", {{"ID", true}, {"SOURCE"}, {"SEQUENCE", true}, {"HASH"}, {"REASON"}});
  ShownPayment shown;
  if (database != nullptr) {
    std::int64_t after = 0;
    const auto print = [&rows, &after](const db::QuarantinedRecord& record) {
      Json json;
      json["id"] = id_json(static_cast<std::uint64_t>(record.id));
      json["source"] = record.source;
      json["sequence"] = record.sequence ? Json(fmt::format("{}", *record.sequence)) : Json();
      json["payment_hash"] = hex_json(record.hash);
      json["reason"] = record.reason;
      json["record"] = to_hex(record.record);
      json["time_ns"] = time_json(record.at);
      rows.row(json, {fmt::format("{}", record.id), printable(record.source),
                      record.sequence ? fmt::format("{}", *record.sequence) : "-",
                      record.hash ? record.hash->hex() : "-", printable(record.reason)});
      after = record.id;
    };
    shown = show_each(
        options, [&](std::size_t limit) { return value_of(database->query.quarantine(after, limit)); }, print);
  }
  rows.end();
  if (shown.rows == 0) tell_nothing(session.output, "unreadable records");
  if (shown.more) tell_rest(session.output, shown.rows, value_of(database->query.count_quarantined(most_counted + 1)));
  return ExitCode::ok;
}

void tell_nothing(Output& output, std::string_view what) {
  if (!output.stdout_is_tty() || output.json()) return;
  output.flush();
  output.note(fmt::format("no {}", what));
}

void tell_rest(Output& output, std::uint64_t shown, std::optional<std::uint64_t> total) {
  if (!output.stdout_is_tty()) return;
  output.flush();
  std::string all = "more";
  if (total) all = *total > most_counted ? fmt::format("more than {}", grouped(most_counted)) : grouped(*total);
  output.note(fmt::format("{} of {}, --max-payments 0 for all", grouped(shown), all));
}

}  // namespace paytower::cli
