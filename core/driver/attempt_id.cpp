#include "core/driver/attempt_id.h"

#include <algorithm>
#include <array>
#include <ctime>

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
               "the clock of this machine shows " + day(now) + ", " + why + "; no attempt is made by such a clock",
               "date"};
}

}  // namespace

Result<AttemptId> draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest) {
  if (auto why = unusable_clock(now, UnixNs{INT64_MIN})) return *std::move(why);
  std::array<std::uint8_t, 4> drawn{};
  randomness.fill(drawn);
  std::uint64_t random = 0;
  for (const std::uint8_t byte : drawn) random = random << 8 | byte;
  random &= (std::uint64_t{1} << random_bits) - 1;
  const std::int64_t elapsed_ms = std::max<std::int64_t>(0, now.value / ns_per_ms - epoch_ms);
  const std::uint64_t by_time = static_cast<std::uint64_t>(elapsed_ms) << random_bits | random;
  // Within a millisecond, and by a clock that was set back: a random step above what is known, still unguessably apart.
  const std::uint64_t id = by_time > highest.value ? by_time : highest.value + 1 + random;
  if (id >= end_of_ids)
    return Error{Errc::clock, "no attempt id is left above those of a clock that ran ahead; nothing was sent", {}};
  return AttemptId{id == 0 ? 1 : id};
}

std::optional<Error> unusable_clock(UnixNs now, UnixNs earliest) {
  if (now < earliest) return wrong_clock(now, "before the release of this paytower (" + day(earliest) + ")");
  if (now >= ids_hold_until) return wrong_clock(now, "and attempt ids hold until " + day(ids_hold_until));
  return std::nullopt;
}

}  // namespace paytower
