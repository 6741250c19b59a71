// Draws attempt ids from the clock and from chance.
#include "core/driver/attempt_id.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/core.h>

#include "core/base/number.h"

namespace paytower {

namespace {

constexpr std::int64_t epoch_ms = 1'577'836'800'000;  // 2020-01-01T00:00:00Z
constexpr int random_bits = 22;

std::string day(UnixNs at) {
  const std::time_t seconds = at.value / ns_per_second;
  std::tm parts{};
  std::array<char, 40> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr || std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts) == 0)
    return "no day";
  return text.data();
}

Error wrong_clock(UnixNs now, const std::string& why) {
  return Error{Errc::clock,
               fmt::format("the clock of this machine shows {}, {}; nothing is sent with a wrong clock", day(now), why),
               "date"};
}

}  // namespace

Result<AttemptId> draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest) {
  if (auto why = unusable_clock(now, UnixNs{INT64_MIN})) return *std::move(why);
  std::array<std::uint8_t, 4> drawn{};
  randomness.fill(drawn);
  const std::uint64_t random = big_endian(drawn) & ((std::uint64_t{1} << random_bits) - 1);
  const std::int64_t elapsed_ms = std::max<std::int64_t>(0, now.value / ns_per_ms - epoch_ms);
  const std::uint64_t by_time = static_cast<std::uint64_t>(elapsed_ms) << random_bits | random;
  // Several ids in one millisecond, or the clock was set back: go a random step above the highest known id, so that
  // copies of one database still draw different ids.
  const std::uint64_t id = by_time > highest.value ? by_time : highest.value + 1 + random;
  if (id >= end_of_ids)
    return Error{Errc::clock, "a clock that was ahead has used up the attempt ids; nothing was sent", {}};
  return AttemptId{id == 0 ? 1 : id};
}

std::optional<Error> unusable_clock(UnixNs now, UnixNs earliest) {
  if (now < earliest) return wrong_clock(now, fmt::format("before the release of this paytower ({})", day(earliest)));
  if (now >= ids_hold_until) return wrong_clock(now, fmt::format("and attempt ids last until {}", day(ids_hold_until)));
  return std::nullopt;
}

}  // namespace paytower
