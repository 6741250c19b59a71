// `stats --format prom`: the metrics, in the text format of Prometheus.
#include "cli/output/stats_prometheus.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace paytower::cli {

namespace {

constexpr std::array<unsigned, 5> told_percentiles{50, 90, 95, 99, 100};

class Metrics {
 public:
  void metric(const std::string& name, const std::string& help) {
    name_ = fmt::format("paytower_{}", name);
    text_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n", name_, help, name_);
  }
  void sample(const std::string& value) { text_ += fmt::format("{} {}\n", name_, value); }
  void sample(std::uint64_t value) { sample(fmt::format("{}", value)); }
  void sample(const std::string& label, const std::string& of, const std::string& value) {
    text_ += fmt::format("{}{{{}=\"{}\"}} {}\n", name_, label, prometheus_label(of), value);
  }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

/// A whole number of 10^-digits.
std::string decimal(std::uint64_t value, std::size_t digits) {
  std::string text = fmt::format("{}", value);
  if (text.size() <= digits) text.insert(0, digits + 1 - text.size(), '0');
  return text.insert(text.size() - digits, ".");
}

template <typename Text> void add_percentiles(Metrics& metrics, const db::LogHistogram& histogram, const Text& text) {
  if (histogram.count() == 0) return;
  for (const unsigned percent : told_percentiles)
    metrics.sample("percentile", fmt::format("{}", percent), text(*histogram.percentile(percent)));
}

std::string whole(std::uint64_t value) { return fmt::format("{}", value); }

/// "02ab.../bitcoin", "none" where no HTLC is out.
std::string switch_label(const db::OpenAtSwitch& open) {
  return open.where ? fmt::format("{}/{}", open.where->node.hex(), open.where->network) : "none";
}

void add_payments(Metrics& metrics, const db::PaymentStats& stats) {
  metrics.metric("payments", "Payments by status.");
  for (std::size_t i = 0; i < stats.by_status.size(); ++i) {
    metrics.sample("status", std::string(status_name(static_cast<PaymentStatus>(i))), whole(stats.by_status[i]));
  }
  metrics.metric("payments_assumed_failed", "Payments marked as failed by hand, which the switch has not confirmed.");
  metrics.sample(stats.assumed_failed);
  metrics.metric("payments_failed", "Failed payments by reason.");
  for (const auto& entry : stats.by_reason)
    metrics.sample("reason", std::string(reason_name(entry.first)), whole(entry.second));
  if (const auto ppm = stats.success_ppm()) {
    metrics.metric("success_ratio", "Succeeded of succeeded and failed payments.");
    metrics.sample(decimal(*ppm, 6));
  }
  metrics.metric("attempts", "Attempts of all payments.");
  metrics.sample(stats.attempts);
  metrics.metric("attempts_per_payment", "Attempts of a payment that ended, by percentile.");
  add_percentiles(metrics, stats.attempts_each, whole);
}

/// 0 as well, so that an alarm over them does not end where its line does.
void add_open(Metrics& metrics, const db::PaymentStats& stats, UnixNs now) {
  const auto each = [&](const auto& value) {
    for (const db::OpenAtSwitch& open : stats.open) metrics.sample("switch", switch_label(open), whole(value(open)));
  };
  metrics.metric("open_payments", "Payments that are open now, by the switch that has their HTLCs.");
  each([](const db::OpenAtSwitch& open) { return open.payments; });
  metrics.metric("open_msat", "What is locked in HTLCs that are open now, with fees, in millisatoshi, by switch.");
  each([](const db::OpenAtSwitch& open) { return open.amount_msat; });
  metrics.metric("open_oldest_seconds",
                 "How long the oldest of what is open now has been open, by switch; 0 without any.");
  each([now](const db::OpenAtSwitch& open) {
    const std::int64_t age = open.oldest ? std::max<std::int64_t>(now.value - open.oldest->value, 0) : 0;
    return static_cast<std::uint64_t>(age / ns_per_second);
  });
}

void add_parts(Metrics& metrics, const db::PaymentStats& stats) {
  metrics.metric("payments_in_parts", "Paid payments that went in more than one part.");
  metrics.sample(stats.paid_in_parts);
  metrics.metric("parts_per_payment", "Settled parts of a paid payment, by percentile.");
  add_percentiles(metrics, stats.parts_each, whole);
}

void add_fees(Metrics& metrics, const db::PaymentStats& stats) {
  metrics.metric("sent_msat", "Sum of the amounts of paid payments, in millisatoshi.");
  metrics.sample(stats.amount_msat);
  metrics.metric("fees_msat", "Sum of the fees of paid payments, in millisatoshi.");
  metrics.sample(stats.fee_msat.sum());
  metrics.metric("fee_msat", "Fee of a paid payment, in millisatoshi, by percentile.");
  add_percentiles(metrics, stats.fee_msat, whole);
  metrics.metric("fee_ppm", "Fee of a paid payment in millionths of its amount, by percentile.");
  add_percentiles(metrics, stats.fee_ppm, whole);
  metrics.metric("settle_seconds", "Seconds from a payment's creation to its preimage, by percentile.");
  add_percentiles(metrics, stats.settle_us, [](std::uint64_t us) { return decimal(us, 6); });
}

void add_failures(Metrics& metrics, const db::PaymentStats& stats) {
  metrics.metric("attempt_failures", "Failed attempts by failure code.");
  for (const auto& entry : stats.by_code)
    metrics.sample("code", std::string(failure_name(entry.first)), whole(entry.second));
  metrics.metric("channel_failures", "Failed attempts by channel and direction, of the channels that failed most.");
  for (const db::ChannelFailures& entry : stats.by_channel) {
    metrics.sample("channel", fmt::format("{}/{}", entry.channel.channel.text(), entry.channel.direction),
                   whole(entry.count));
  }
  if (stats.other_channels > 0) metrics.sample("channel", "other", whole(stats.other_channels));
}

void add_bytes(Metrics& metrics, const db::PaymentStats& stats) {
  metrics.metric("bytes", "Bytes by class: of the file, free in it, and of what stands in it.");
  metrics.sample("class", "file", whole(stats.file_bytes));
  metrics.sample("class", "free", whole(stats.free_bytes));
  metrics.sample("class", "quarantine", whole(stats.quarantine_bytes));
  metrics.sample("class", "invoices", whole(stats.invoice_bytes));
  metrics.sample("class", "routes", whole(stats.route_bytes));
  metrics.sample("class", "texts", whole(stats.text_bytes));
  metrics.sample("class", "imported", whole(stats.imported_bytes));
  metrics.metric("bad_rows", "Rows that cannot be read.");
  metrics.sample(stats.bad_rows);
}

}  // namespace

std::string prometheus_label(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '\\' || c == '"') text += '\\';
      text += c;
    }
  }
  return text;
}

std::string prometheus_text(const db::PaymentStats& stats, UnixNs now) {
  Metrics metrics;
  add_payments(metrics, stats);
  add_open(metrics, stats, now);
  add_parts(metrics, stats);
  add_fees(metrics, stats);
  add_failures(metrics, stats);
  add_bytes(metrics, stats);
  return std::move(metrics).take();
}

}  // namespace paytower::cli
