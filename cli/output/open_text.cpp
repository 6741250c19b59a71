// Works out ages and time locks, at ten minutes a block.
#include "cli/output/open_text.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output/render_text.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t block_ns = 600 * ns_per_second;
constexpr std::int64_t long_open_ns = 3'600 * ns_per_second;

/// The open HTLC of ours whose time lock is expected to end last.
struct LastLock {
  const Attempt* attempt = nullptr;
  UnixNs end{};
};

/// A node that is not told the height counts the delays from its next block.
std::uint32_t locked_blocks(const Attempt& attempt) {
  return attempt.route.total_delay() + (attempt.total_time_lock ? 0 : 1);
}

UnixNs lock_end(const Attempt& attempt) {
  const UnixNs handed_over = attempt.moved.value_or(attempt.registered);
  return UnixNs{handed_over.value + static_cast<std::int64_t>(locked_blocks(attempt)) * block_ns};
}

LastLock last_lock(const Payment& payment, std::span<const AttemptKey> unseen = {}) {
  LastLock last;
  for (const Attempt& attempt : payment.attempts) {
    if (!attempt.open() || attempt.origin != AttemptOrigin::own || attempt.route.hops.empty()) continue;
    if (!unseen.empty() && std::find(unseen.begin(), unseen.end(), payment.key(attempt)) != unseen.end()) continue;
    if (last.attempt == nullptr || lock_end(attempt) > last.end) last = LastLock{&attempt, lock_end(attempt)};
  }
  return last;
}

std::string when(UnixNs time, UnixNs now) { return fmt::format("{} ({})", time_text(time), relative_time(time, now)); }

}  // namespace

std::optional<std::string> in_flight_since(const Payment& payment, UnixNs now) {
  std::optional<UnixNs> oldest;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.open() && attempt.registered != UnixNs{})
      oldest = oldest ? std::min(*oldest, attempt.registered) : attempt.registered;
  }
  if (!oldest) return std::nullopt;
  return fmt::format("since {}", when(*oldest, now));
}

std::optional<std::string> locked_until(const Payment& payment, UnixNs now, std::span<const AttemptKey> unseen) {
  const LastLock last = last_lock(payment, unseen);
  if (last.attempt == nullptr) return std::nullopt;
  const std::string expected =
      fmt::format("{}{}", when(last.end, now), last.end < now ? ": it should be over by now" : "");
  if (const auto& block = last.attempt->total_time_lock)
    return fmt::format("until block {} at the latest, about {}", grouped(*block), expected);
  if (const auto& block = last.attempt->expected_time_lock)
    return fmt::format("probably until block {}, about {}", grouped(*block), expected);
  return fmt::format("for at most {}, until about {}", counted(locked_blocks(*last.attempt), "block"), expected);
}

std::string open_facts(const Payment& payment, UnixNs now, std::span<const AttemptKey> unseen) {
  std::string text;
  if (const auto since = in_flight_since(payment, now)) text += fmt::format("  in flight     {}\n", *since);
  if (const auto until = locked_until(payment, now, unseen)) text += fmt::format("  money locked  {}\n", *until);
  return text;
}

std::string held_words(const Payment& payment, UnixNs now) {
  const LastLock last = last_lock(payment);
  if (last.attempt == nullptr) return {};
  std::string text =
      last.end < now
          ? "Its time lock should be over by now: the node then closes the channel, and the payment ends on the chain. "
            "Look at the node's channels: lightning-cli listpeerchannels, or for lnd lncli pendingchannels. Never pay "
            "it again before it has ended. A later resume collects the result."
          : "If the payee or a node on the way holds it, only waiting helps: it ends by itself, at the latest with its "
            "time lock. A later resume collects the result.";
  if (payment.stop_reason != FailureReason::canceled) text += " cancel only stops further attempts.";
  return fmt::format("{}\n", text);
}

std::string age_cell(const Payment& payment, UnixNs now) {
  if (payment.request.created == UnixNs{}) return "-";
  std::string age = relative_time(payment.request.created, now);
  const bool long_open = !payment.ended_for_good() && now.value - payment.request.created.value > long_open_ns;
  if (!long_open) return age;
  return fmt::format("open for {}", age.substr(0, age.find(" ago")));
}

}  // namespace paytower::cli
