// `stats`: how payments have gone.
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/stats_prometheus.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct StatsOptions {
  enum class Format { table, json, prom };
  std::optional<UnixNs> since;
  std::optional<UnixNs> until;  ///< T itself is meant too
  Format format = Format::table;
};

constexpr std::array<std::string_view, 3> stats_formats{"table", "json", "prom"};

constexpr auto stats_flags = std::to_array<Flag>({
    {"since", "T", "payments created at or after T (a date, yesterday, RFC 3339, unix seconds, or an age such as 90d)",
     into::time<&StatsOptions::since>},
    {"until", "T", "payments created at or before T", into::time<&StatsOptions::until>},
    {"format", "FORMAT", "table, json, or prom for node_exporter's textfile collector (default: {})",
     into::choice<&StatsOptions::format, stats_formats>, "table"},
});

void take(StatsOptions& stats, const Given& given) {
  given.exclude_json_and_format(stats.format == StatsOptions::Format::json);
  if (given.has("json")) stats.format = StatsOptions::Format::json;
}

constexpr std::array<unsigned, 4> percentiles{50, 90, 95, 99};
constexpr std::array<PaymentStatus, 5> statuses{PaymentStatus::succeeded, PaymentStatus::failed, PaymentStatus::unknown,
                                                PaymentStatus::in_flight, PaymentStatus::initiated};
constexpr std::size_t table_channels = 10;
constexpr std::size_t longest_bar = 40;

Json number_or_null(const std::optional<std::uint64_t>& value) { return value ? Json(*value) : Json(); }

Json histogram_json(const db::LogHistogram& histogram, bool with_sum) {
  Json json;
  json["count"] = histogram.count();
  if (with_sum) json["sum"] = histogram.sum();
  for (const unsigned percent : percentiles)
    json[fmt::format("p{}", percent)] = number_or_null(histogram.percentile(percent));
  json["max"] = number_or_null(histogram.percentile(100));
  return json;
}

Json bytes_json(const db::PaymentStats& stats) {
  Json json;
  json["file"] = stats.file_bytes;
  json["free"] = stats.free_bytes;
  json["quarantine"] = stats.quarantine_bytes;
  json["invoices"] = stats.invoice_bytes;
  json["routes"] = stats.route_bytes;
  json["texts"] = stats.text_bytes;
  json["imported"] = stats.imported_bytes;
  return json;
}

Json open_json(const db::PaymentStats& stats) {
  Json json = Json::array();
  for (const db::OpenAtSwitch& open : stats.open) {
    Json one;
    one["node"] = open.where ? Json(open.where->node.hex()) : Json();
    one["network"] = open.where ? Json(open.where->network) : Json();
    one["payments"] = open.payments;
    one["amount_msat"] = open.amount_msat;
    one["oldest_ns"] = time_json(open.oldest);
    json.push_back(std::move(one));
  }
  return json;
}

Json stats_json(const db::PaymentStats& stats, const StatsOptions& options) {
  Json json;
  json["since_ns"] = time_json(options.since);
  json["until_ns"] = time_json(options.until);
  json["payments"] = stats.payments;
  for (const PaymentStatus status : statuses) json["by_status"][std::string(status_name(status))] = stats.with(status);
  json["paid_by_others"] = stats.paid_by_others;
  json["assumed_failed"] = stats.assumed_failed;
  json["duplicates"] = stats.duplicates;
  json["success_ppm"] = number_or_null(stats.success_ppm());
  json["attempts"] = stats.attempts;
  json["attempts_per_payment"] = histogram_json(stats.attempts_each, false);
  json["paid_in_parts"] = stats.paid_in_parts;
  json["parts_per_payment"] = histogram_json(stats.parts_each, false);
  json["amount_msat"] = stats.amount_msat;
  json["fee_msat"] = histogram_json(stats.fee_msat, true);
  json["fee_ppm"] = histogram_json(stats.fee_ppm, false);
  json["fee_ppm"]["overall"] = number_or_null(stats.overall_fee_ppm());
  json["settle_us"] = histogram_json(stats.settle_us, false);
  json["failed_by_reason"] = Json::object();
  for (const auto& entry : stats.by_reason)
    json["failed_by_reason"][std::string(reason_name(entry.first))] = entry.second;
  json["failures_by_code"] = Json::object();
  for (const auto& entry : stats.by_code)
    json["failures_by_code"][std::string(failure_name(entry.first))] = entry.second;
  json["failures_by_channel"] = Json::array();
  for (const db::ChannelFailures& entry : stats.by_channel) {
    Json one;
    one["chan_id"] = id_json(entry.channel.channel.value);
    one["scid"] = entry.channel.channel.text();
    one["direction"] = entry.channel.direction;
    one["failures"] = entry.count;
    json["failures_by_channel"].push_back(std::move(one));
  }
  json["failing_channels"] = stats.channels;
  json["failures_of_other_channels"] = stats.other_channels;
  json["open"] = open_json(stats);
  json["bytes"] = bytes_json(stats);
  json["bad_rows"] = stats.bad_rows;
  return json;
}

/// Millionths as "97.3 %".
std::string percent_text(const std::optional<std::uint64_t>& ppm) {
  if (!ppm) return "-";
  return fmt::format("{}.{} %", *ppm / 10'000, *ppm / 1'000 % 10);
}

std::string sats(std::uint64_t msat) {
  return msat > Msat::max_value ? "more than there is" : sat_text(Msat::of(msat));
}

std::string seconds(std::uint64_t us) {
  if (us < 1'000'000) return fmt::format("{} ms", us / 1'000);
  return elapsed_text(static_cast<std::int64_t>(std::min<std::uint64_t>(us, INT64_MAX / 1'000)) * 1'000);
}

std::string megabytes(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", grouped(bytes));
  if (bytes < 10'000'000) return fmt::format("{} kB", grouped(bytes / 1'000));
  return fmt::format("{} MB", grouped(bytes / 1'000'000));
}

/// A heading and rows of "name  number  bar", the numbers under each other and the bars as long as the line allows.
class Chart {
 public:
  Chart(std::string title, std::size_t columns) : title_(std::move(title)), columns_(columns) {}

  void add(std::string name, std::uint64_t count) { rows_.push_back({std::move(name), count}); }

  [[nodiscard]] std::string text() const {
    if (rows_.empty()) return {};
    std::size_t names = 0;
    std::size_t numbers = 0;
    std::uint64_t most = 1;
    for (const Row& row : rows_) {
      names = std::max(names, columns_of(row.name));
      numbers = std::max(numbers, grouped(row.count).size());
      most = std::max(most, row.count);
    }
    // Names that leave no room for their numbers stand on lines of their own.
    const bool apart = 2 + names + 2 + numbers > columns_;
    if (apart) names = 2;
    const std::size_t left = 2 + names + 2 + numbers + 2;
    const std::size_t room = columns_ > left ? std::min(columns_ - left, longest_bar) : 0;
    std::string text = fmt::format("\n{}\n", title_);
    for (const Row& row : rows_) {
      const std::string number = grouped(row.count);
      const std::string name = apart ? "" : row.name;
      if (apart) text += fmt::format("{}\n", wrapped(fmt::format("  {}", row.name), columns_, 4));
      const std::string gap(names - columns_of(name) + 2 + numbers - number.size(), ' ');
      std::string line = fmt::format("  {}{}{}", name, gap, number);
      const std::size_t bar = bar_length(row.count, most, room);
      if (bar > 0) line += fmt::format("  {}", std::string(bar, '#'));
      text += fmt::format("{}\n", line);
    }
    return text;
  }

 private:
  struct Row {
    std::string name;
    std::uint64_t count;
  };

  /// What is there at all has a mark, where there is room.
  static std::size_t bar_length(std::uint64_t count, std::uint64_t most, std::size_t room) {
    if (count == 0 || room == 0) return 0;
    const std::uint64_t unit = most / room + 1;
    return static_cast<std::size_t>(
        std::clamp<std::uint64_t>(most < room ? count * room / most : count / unit, 1, room));
  }

  std::string title_;
  std::size_t columns_;
  std::vector<Row> rows_;
};

template <typename Text>
std::string percentile_line(const char* name, const db::LogHistogram& histogram, const Text& text) {
  if (histogram.count() == 0) return fmt::format("  {:<20}-\n", name);
  const auto of = [&](unsigned percent) { return text(*histogram.percentile(percent)); };
  return fmt::format("  {:<20}median {}\n{:22}p90    {}\n{:22}p99    {}\n{:22}max    {}\n", name, of(50), "", of(90),
                     "", of(99), "", of(100));
}

std::string spread_text(const db::PaymentStats& stats) {
  std::string text = "\nPaid payments\n";
  text += fmt::format("  sent                {}\n  fees                {}\n", sats(stats.amount_msat),
                      sats(stats.fee_msat.sum()));
  if (const auto ppm = stats.overall_fee_ppm()) text += fmt::format("  average fee         {} ppm\n", grouped(*ppm));
  text += percentile_line("fee", stats.fee_msat, sats);
  text += percentile_line("fee in ppm", stats.fee_ppm, grouped);
  text += percentile_line("time to settle", stats.settle_us, seconds);
  if (stats.paid_in_parts > 0) {
    text += fmt::format("  in several parts    {}\n", grouped(stats.paid_in_parts));
    text += percentile_line("parts", stats.parts_each, grouped);
  }
  return fmt::format("{}\nEnded payments\n{}", text, percentile_line("attempts", stats.attempts_each, grouped));
}

std::string failures_text(const db::PaymentStats& stats, std::size_t columns) {
  Chart codes("Failed attempts by code", columns);
  std::vector<std::pair<std::uint64_t, std::string>> sorted;
  for (const auto& entry : stats.by_code) sorted.emplace_back(entry.second, failure_name(entry.first));
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& entry : sorted) codes.add(entry.second, entry.first);
  Chart channels("Failed attempts by channel", columns);
  std::uint64_t others = stats.other_channels;
  for (std::size_t i = 0; i < stats.by_channel.size(); ++i) {
    const db::ChannelFailures& entry = stats.by_channel[i];
    if (i < table_channels) {
      channels.add(fmt::format("{}/{}", entry.channel.channel.text(), entry.channel.direction), entry.count);
    } else {
      others = db::saturating_add(others, entry.count);
    }
  }
  if (others > 0) channels.add("other channels", others);
  return codes.text() + channels.text();
}

/// Nothing where nothing is open.
std::string open_text(const db::PaymentStats& stats, UnixNs now, std::size_t columns) {
  std::string text;
  for (const db::OpenAtSwitch& open : stats.open) {
    if (open.payments == 0 || !open.oldest) continue;
    const std::string where =
        open.where ? fmt::format(" on {}", printable(open.where->network)) : ", without an HTLC at this moment";
    const auto line = [columns](const std::string& words, std::size_t indent) {
      return fmt::format("{}\n", wrapped(words, columns, indent));
    };
    text += line(fmt::format("  {} of {}{}", counted(open.payments, "payment"), sats(open.amount_msat), where), 4);
    text += line(fmt::format("    oldest {} ({})", time_text(*open.oldest), relative_time(*open.oldest, now)), 6);
    if (open.where) text += line(fmt::format("    node {}", open.where->node.hex()), 4);
  }
  return text.empty() ? text : fmt::format("\nOpen now\n{}", text);
}

std::string bytes_text(const db::PaymentStats& stats) {
  std::string text = "\nSpace\n";
  const auto add = [&text](const char* name, std::uint64_t bytes) {
    text += fmt::format("  {:<20}{}\n", name, megabytes(bytes));
  };
  add("file", stats.file_bytes);
  add("free inside it", stats.free_bytes);
  add("quarantine", stats.quarantine_bytes);
  add("invoices", stats.invoice_bytes);
  add("routes", stats.route_bytes);
  add("texts", stats.text_bytes);
  add("imported records", stats.imported_bytes);
  return text;
}

std::string stats_text(const db::PaymentStats& stats, const StatsOptions& options, UnixNs now, std::size_t columns) {
  std::string title = fmt::format("{} payment{}", grouped(stats.payments), stats.payments == 1 ? "" : "s");
  if (options.since) title += fmt::format(" since {}", time_text(*options.since));
  if (options.until) title += fmt::format(" until {}", time_text(*options.until));
  Chart by_status("By status", columns);
  for (const PaymentStatus status : statuses) by_status.add(std::string(status_name(status)), stats.with(status));
  std::string text =
      fmt::format("{}\n{}\nSuccess rate          {}\n", title, by_status.text(), percent_text(stats.success_ppm()));
  if (stats.paid_by_others > 0) text += fmt::format("Paid by other users   {}\n", grouped(stats.paid_by_others));
  if (stats.assumed_failed > 0) {
    text += fmt::format("Marked failed by hand {} (not confirmed: `paytower resume` asks)\n",
                        grouped(stats.assumed_failed));
  }
  if (stats.duplicates > 0) text += fmt::format("Duplicates, apart     {}\n", grouped(stats.duplicates));
  Chart reasons("Failed payments by reason", columns);
  for (const auto& entry : stats.by_reason) reasons.add(std::string(reason_name(entry.first)), entry.second);
  return text + open_text(stats, now, columns) + spread_text(stats) + reasons.text() + failures_text(stats, columns) +
         bytes_text(stats);
}

std::optional<db::PaymentStats> count(const StatsOptions& options, Session& session) {
  const auto database = open_database(session, db::OpenMode::read_only);
  if (!database) return db::PaymentStats{};
  db::StatsSpan span;
  span.since = options.since;
  if (options.until && options.until->value < INT64_MAX) span.until = UnixNs{options.until->value + 1};
  const SignalGuard signals;
  Progress progress(session.output, session.clock, "payments");
  return value_of(db::payment_stats(database->connection, span, [&](std::uint64_t done, std::uint64_t total) {
    progress.update(done, total);
    return session.clock.stop_signal() == 0;
  }));
}

ExitCode run(const StatsOptions& options, Session& session) {
  Output& output = session.output;
  const auto stats = count(options, session);
  if (!stats) {
    const ExitCode code = interrupted_by(session.clock.stop_signal());
    output.error(ErrorReport{"interrupted", code, "interrupted; nothing was changed", "paytower stats --since 30d"});
    return code;
  }
  switch (options.format) {
    case StatsOptions::Format::table:
      output.result(stats_text(*stats, options, session.clock.wall(), output.columns()));
      break;
    case StatsOptions::Format::json: output.result(fmt::format("{}\n", dump(stats_json(*stats, options)))); break;
    case StatsOptions::Format::prom: output.result(prometheus_text(*stats, session.clock.wall())); break;
  }
  output.flush();
  if (stats->bad_rows == 0) return ExitCode::ok;
  output.error(report_of(
      Error{Errc::database, fmt::format("{} cannot be read; the others were counted", counted(stats->bad_rows, "row")),
            "paytower check"}));
  return ExitCode::database;
}

}  // namespace

constexpr Command stats_command = command<StatsOptions, take, run>({
    .name = "stats",
    .summary = "Show how payments have gone",
    .about =
        "Statuses, success rate, attempts, fees, time to settle, failures by code and channel, and what takes the "
        "space.\n"
        "Reads each payment of the span once; memory does not grow with them. Percentiles are at most 0.8 % too low.",
    .flags = stats_flags,
    .examples = "  paytower stats --since 30d\n"
                "  paytower stats --json | jq .success_ppm\n"
                "  paytower stats --format prom > paytower.prom.$$ && mv paytower.prom.$$ paytower.prom",
    .only_shows = true,
});

}  // namespace paytower::cli
