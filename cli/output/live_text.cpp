// Puts the live line together from pieces, as many as fit the columns.
#include "cli/output/live_text.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output/render_text.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t window_ns = 10 * ns_per_second;
constexpr std::int64_t least_window_ns = 2 * ns_per_second;
constexpr std::uint64_t least_ends = 5;   ///< fewer tell nothing of the pace
constexpr std::size_t clock_begins = 11;  ///< of the time in "2026-11-23T00:20:28Z"

const Attempt* first_open(const Payment& payment) {
  const auto found =
      std::find_if(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& a) { return a.open(); });
  return found == payment.attempts.end() ? nullptr : &*found;
}

std::uint64_t open_parts(const Payment& payment) {
  return static_cast<std::uint64_t>(
      std::count_if(payment.attempts.begin(), payment.attempts.end(), [](const Attempt& a) { return a.open(); }));
}

std::string since_text(UnixNs then, UnixNs now) { return age_text(std::max<std::int64_t>(now.value - then.value, 0)); }

std::string phase_text(const Payment& payment, UnixNs now) {
  const std::uint32_t made = payment.own_attempts();
  const std::uint32_t most = payment.request.max_attempts;
  if (const Attempt* open = first_open(payment))
    return fmt::format("In flight {}: attempt {} of {}", since_text(open->registered, now), made, most);
  const std::string age = since_text(payment.request.created, now);
  if (made == 0) return fmt::format("Looking for a route {}", age);
  return fmt::format("Nothing in flight {}: {} of {} attempts made", age, made, most);
}

std::string way_piece(const Payment& payment) {
  const Attempt* open = first_open(payment);
  if (open == nullptr) return {};
  if (const std::uint64_t parts = open_parts(payment); parts > 1) return fmt::format(", {}", counted(parts, "part"));
  return open->route.hops.empty() ? "" : fmt::format(", {}", counted(open->route.hops.size(), "hop"));
}

}  // namespace

std::string age_text(std::int64_t ns) {
  const std::int64_t seconds = ns / ns_per_second;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string fitting(std::span<const std::string> pieces, std::size_t columns) {
  std::string text;
  for (const std::string& piece : pieces) {
    if (!text.empty() && columns_of(text) + columns_of(piece) > columns) break;
    text += piece;
  }
  return text;
}

std::string waiting_text(const Payment& payment, UnixNs now, const std::optional<UnixNs>& leaves, std::size_t columns) {
  const std::string until =
      leaves ? fmt::format(", waits until {}", time_text(*leaves).substr(clock_begins)) : ", waits for its end";
  const std::vector<std::string> pieces{phase_text(payment, now), way_piece(payment), until, " (Ctrl-C is safe)"};
  return fitting(pieces, columns);
}

void Pace::saw(MonoNs now, std::uint64_t done) {
  samples_.push_back(Sample{now, done});
  while (samples_.size() > 2 && now.value - samples_[1].at.value >= window_ns) samples_.pop_front();
}

std::optional<double> Pace::per_second() const {
  if (samples_.empty()) return std::nullopt;
  const std::int64_t seen = samples_.back().at.value - samples_.front().at.value;
  if (seen < least_window_ns) return std::nullopt;
  const auto ends = static_cast<double>(samples_.back().done - samples_.front().done);
  return ends * static_cast<double>(ns_per_second) / static_cast<double>(seen);
}

std::optional<std::int64_t> Pace::time_for(std::uint64_t left) const {
  const auto rate = per_second();
  if (!rate || samples_.back().done - samples_.front().done < least_ends) return std::nullopt;
  constexpr double longest = 1e9;  // seconds
  const double seconds = static_cast<double>(left) / *rate;
  if (seconds > longest) return std::nullopt;
  return static_cast<std::int64_t>(seconds * static_cast<double>(ns_per_second));
}

std::string counts_text(const RunCounts& counts, const Pace& pace, std::size_t columns) {
  std::vector<std::string> pieces{fmt::format("{} paid, {} failed", grouped(counts.paid), grouped(counts.failed)),
                                  counts.refused > 0 ? fmt::format(", {} refused", grouped(counts.refused)) : "",
                                  fmt::format(", {} in flight", grouped(counts.in_flight))};
  if (counts.left) pieces.push_back(fmt::format(", {} left", grouped(*counts.left)));
  if (const auto rate = pace.per_second()) pieces.push_back(fmt::format(", {:.{}f}/s", *rate, *rate < 10 ? 1 : 0));
  // What is in flight ends when its payees want it to: nothing is told of the end where all has begun.
  if (const auto time = counts.left.value_or(0) > 0 ? pace.time_for(counts.awaited) : std::nullopt)
    pieces.push_back(fmt::format(", about {} to go", age_text(*time)));
  pieces.emplace_back(" (Ctrl-C is safe)");
  return fitting(pieces, columns);
}

std::uint64_t count_in_flight(std::span<const Payment* const> payments) {
  return static_cast<std::uint64_t>(
      std::count_if(payments.begin(), payments.end(), [](const Payment* one) { return one->has_open_attempt(); }));
}

}  // namespace paytower::cli
