// Durations and points in time, read strictly: what could mean two things is refused.
#include "cli/input/time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "core/base/number.h"

namespace paytower::cli {

namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::int64_t minute = 60 * ns_per_second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t longest = 36'525 * day;
constexpr std::array<TimeUnit, 6> time_units{
    {{"w", 7 * day}, {"d", day}, {"h", hour}, {"m", minute}, {"s", ns_per_second}, {"ms", ns_per_ms}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> duration(std::string_view text) {
  if (text == "0") return 0;
  const auto split = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::size_t digits = static_cast<std::size_t>(split - text.begin());
  for (const TimeUnit& unit : time_units) {
    if (text.substr(digits) != unit.name) continue;
    const auto count = whole_number(text.substr(0, digits), static_cast<std::uint64_t>(longest / unit.ns));
    if (!count) return std::nullopt;
    return static_cast<std::int64_t>(*count) * unit.ns;
  }
  return std::nullopt;
}

/// Takes exactly `count` digits off the front.
std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count), is_digit))
    return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) value = value * 10 + (c - '0');
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// ".123456789" in nanoseconds; nothing when there are none or more than nine digits.
std::optional<std::int64_t> fraction(std::string_view& text) {
  std::int64_t value = 0;
  std::int64_t scale = ns_per_second;
  while (!text.empty() && is_digit(text.front()) && scale > 1) {
    scale /= 10;
    value += (text.front() - '0') * scale;
    text.remove_prefix(1);
  }
  if (scale == ns_per_second || (!text.empty() && is_digit(text.front()))) return std::nullopt;
  return value;
}

/// "Z", "+01:00" in seconds east of UTC.
std::optional<std::int64_t> offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const std::int64_t sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  const auto hours = digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

/// Takes "2026-11-28" off the front: its first moment in UTC. Nothing outside of what nanoseconds in 64 bits can hold.
std::optional<std::int64_t> date_seconds(std::string_view& text) {
  const auto year = digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto mday = digits(text, 2);
  if (!mday || *year < 1970 || *year > 2261) return std::nullopt;
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year{*year}, chrono::month{static_cast<unsigned>(*month)},
                                    chrono::day{static_cast<unsigned>(*mday)}};
  if (!date.ok()) return std::nullopt;
  return chrono::sys_days{date}.time_since_epoch().count() * 86'400;
}

/// "2026-11-28" alone is 00:00 of that day.
std::optional<UnixNs> rfc3339(std::string_view text) {
  const auto midnight = date_seconds(text);
  if (!midnight) return std::nullopt;
  if (text.empty()) return UnixNs{*midnight * ns_per_second};
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto hours = digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = digits(text, 2);
  if (!minutes || !take(text, ':')) return std::nullopt;
  const auto seconds = digits(text, 2);
  std::optional<std::int64_t> below = 0;
  if (seconds && take(text, '.')) below = fraction(text);
  const auto east = offset(text);
  if (!seconds || !below || !east) return std::nullopt;
  if (*hours > 23 || *minutes > 59 || *seconds > 59) return std::nullopt;
  return UnixNs{(*midnight + *hours * 3600 + *minutes * 60 + *seconds - *east) * ns_per_second + *below};
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  if (const auto ns = duration(text)) return *ns;
  if (whole_number(text)) {
    const std::string digits_given(text.substr(0, 19));
    return Error{Errc::usage, fmt::format("duration {}: a bare number has no unit; write {}s for seconds",
                                          in_quotes(text), digits_given)};
  }
  return Error{
      Errc::usage,
      fmt::format("duration {}: write digits and one of ms s m h d w (such as 90s or 36h), or 0; at most 100 years",
                  in_quotes(text))};
}

Result<UnixNs> parse_time(std::string_view text, UnixNs now) {
  if (const auto seconds = whole_number(text, 9'000'000'000))
    return UnixNs{static_cast<std::int64_t>(*seconds) * ns_per_second};
  if (const auto age = duration(text)) return UnixNs{now.value - *age};
  if (const auto time = rfc3339(text)) return *time;
  const std::int64_t midnight = now.value - now.value % day;
  if (text == "today") return UnixNs{midnight};
  if (text == "yesterday") return UnixNs{midnight - day};
  return Error{Errc::usage,
               fmt::format("time {}: write a date (2026-11-23), RFC 3339 (2026-11-23T00:20:28Z), unix seconds, an age "
                           "(90d, 36h), today or yesterday",
                           in_quotes(text))};
}

}  // namespace paytower::cli
