#include "core/attempt_id.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace paytower {

namespace {

constexpr std::int64_t epoch_ms = 1'577'836'800'000;  // 2020-01-01T00:00:00Z
constexpr int random_bits = 22;
constexpr std::uint64_t end_of_ids = std::uint64_t{1} << 62;

}  // namespace

AttemptId draw_attempt_id(UnixNs now, Randomness& randomness, AttemptId highest) {
  std::array<std::uint8_t, 4> drawn{};
  randomness.fill(drawn);
  std::uint64_t random = 0;
  for (const std::uint8_t byte : drawn) random = random << 8 | byte;
  random &= (std::uint64_t{1} << random_bits) - 1;
  const std::int64_t elapsed_ms = std::max<std::int64_t>(0, now.value / ns_per_ms - epoch_ms);
  const std::uint64_t by_time = static_cast<std::uint64_t>(elapsed_ms) << random_bits | random;
  // A clock set back must not draw below what the hash has seen: then a random step above it, still unguessably apart.
  const std::uint64_t id = by_time > highest.value ? by_time : highest.value + 1 + random;
  if (id >= end_of_ids) throw std::overflow_error("no attempt id is left below 2^62");
  return AttemptId{id == 0 ? 1 : id};
}

}  // namespace paytower
