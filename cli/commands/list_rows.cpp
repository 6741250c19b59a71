// Fills in the cells, and prints row by row.
#include "cli/commands/list_rows.h"

#include <utility>

#include <fmt/core.h>
#include <fmt/format.h>

#include "cli/output/csv.h"
#include "cli/output/open_text.h"
#include "cli/output/render.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

using Format = ListOptions::Format;

constexpr std::size_t short_hash = 12;
constexpr std::size_t widest_label = 60;

Format chosen(const ListOptions& options, const Output& output) {
  if (options.format != Format::automatic || output.json()) return options.format;
  return output.stdout_is_tty() ? Format::table : Format::tsv;
}

std::string fee_cell(const Payment& payment) {
  const auto settled = settlement_of(payment);
  return settled ? sat_text(settled->fee) : "-";
}

/// The status as people read it: FAILED alone would call a payment safe to pay again that is not.
std::string status_cell(const Payment& payment) {
  const bool unsure = payment.status() == PaymentStatus::failed && !payment.definitive();
  return fmt::format("{}{}", status_name(payment.status()), unsure ? ", not confirmed" : "");
}

/// What people know the payment by: their own label, or the payee's words, which quotes tell from it.
std::string label_text(const Payment& payment) {
  if (!payment.request.label.empty()) return printable_cut(payment.request.label, widest_label);
  const std::string description = description_of(payment);
  return description.empty() ? "-" : fmt::format("\"{}\"", printable_cut(description, widest_label - 2));
}

/// The plain values of a row, the same in TSV and CSV, but for the parts behind them. None of them can hold a tab.
std::vector<std::string> values(const Payment& payment) {
  return {fmt::format("{}", payment.index.value),     payment.request.hash.hex(),
          std::string(status_name(payment.status())), fmt::format("{}", payment.request.demand.amount.value()),
          fmt::format("{}", fee_of(payment).value()), fmt::format("{}", payment.attempts.size()),
          time_text(payment.request.created)};
}

std::vector<std::string> tsv_cells(const Payment& payment) {
  std::vector<std::string> cells = values(payment);
  cells.push_back(fmt::format("{}", parts_of(payment)));
  return cells;
}

/// The order is frozen: what is new goes behind.
std::vector<std::string> csv_cells(const Payment& payment) {
  const PublicKey& payee = payment.request.demand.destination;
  const bool failed = payment.status() == PaymentStatus::failed && payment.fail_reason;
  std::vector<std::string> cells = values(payment);
  cells.push_back(printable(payment.request.label));
  cells.push_back(fmt::format("{}", parts_of(payment)));
  cells.push_back(payee == PublicKey{} ? "" : payee.hex());
  cells.push_back(printable(description_of(payment)));
  cells.push_back(payment.proof() ? payment.proof()->hex() : "");
  cells.push_back(payment.ended.value_or(UnixNs{}) == UnixNs{} ? "" : time_text(*payment.ended));
  cells.emplace_back(failed ? reason_name(*payment.fail_reason) : "");
  cells.emplace_back(fee_final(payment) ? "true" : "false");
  cells.emplace_back(payment.definitive() ? "true" : "false");
  return cells;
}

/// A terminal also says how long ago it was; where it is narrow that is all it says of the time. The label is dropped
/// later than what a person looks for less.
std::vector<Column> columns(bool tty) {
  std::vector<Column> all{{"INDEX", true},
                          {"HASH"},
                          {"STATUS"},
                          {"AMOUNT", true},
                          {"FEE", true, 1},
                          {"ATTEMPTS", true, 3},
                          {"CREATED", false, tty ? 4U : 0U}};
  if (tty) all.push_back({"AGE", true});
  all.push_back({"PARTS", true, 5});
  all.push_back({"LABEL", false, 2, true});
  return all;
}

void write_tail(JsonWriter& out, const ListTail& tail) {
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

}  // namespace

std::string tsv_line(const std::vector<std::string>& cells) { return fmt::format("{}\n", fmt::join(cells, "\t")); }

PaymentRows::PaymentRows(Session& session, const ListOptions& options)
    : output_(session.output), omit_hops_(options.omit_hops), format_(chosen(options, session.output)),
      now_(session.clock.wall()), table_(columns(session.output.stdout_is_tty())), json_(session.output) {}

void PaymentRows::begin() {
  if (document()) {
    json_.writer().begin_object();
    json_.writer().key("payments").begin_array();
  }
  if (format_ == Format::csv)
    output_.result(
        csv_line({"index", "hash", "status", "value_msat", "fee_msat", "attempts", "created", "label", "parts",
                  "destination", "description", "preimage", "ended", "failure_reason", "fee_final", "definitive"}));
}

void PaymentRows::row(const Payment& payment) {
  ++rows_;
  switch (format_) {
    case Format::table: return add_to_table(payment);
    case Format::tsv: return output_.result(tsv_line(tsv_cells(payment)));
    case Format::csv: return output_.result(csv_line(csv_cells(payment)));
    case Format::ndjson: write_payment(json_.writer(), PaymentView{&payment, omit_hops_}); return json_.end();
    case Format::automatic:
      write_payment(json_.writer().element(), PaymentView{&payment, omit_hops_});
      return json_.pass_on();
  }
}

void PaymentRows::page() {
  if (format_ == Format::table && rows_ > 0) output_.result(table_.take(output_, 2));
}

void PaymentRows::end(const ListTail& tail) {
  if (!document()) return;
  json_.writer().end_array();
  write_tail(json_.writer(), tail);
  json_.writer().end_object();
  json_.end();
}

void PaymentRows::add_to_table(const Payment& payment) {
  const bool tty = output_.stdout_is_tty();
  const std::string hash = payment.request.hash.hex();
  std::vector<std::string> cells{fmt::format("{}", payment.index.value),
                                 tty ? hash.substr(0, short_hash) : hash,
                                 status_cell(payment),
                                 sat_text(payment.request.demand.amount),
                                 fee_cell(payment),
                                 fmt::format("{}", payment.attempts.size()),
                                 time_text(payment.request.created)};
  if (tty) cells.push_back(age_cell(payment, now_));
  const std::uint32_t parts = parts_of(payment);
  cells.push_back(parts == 0 ? "-" : fmt::format("{}", parts));
  cells.push_back(label_text(payment));
  table_.add(std::move(cells));
}

}  // namespace paytower::cli
