// How close to a failed amount the next question for a route goes.
#include "core/driver/caution.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/driver/route_session.h"

namespace paytower {

namespace {

constexpr std::uint64_t whole_share = 1'024;
/// One for each caution, as a share of `whole_share`.
constexpr std::array<std::uint64_t, most_caution + 1> shares{1'023, 960, 768, 512};

/// The most that the channel is known to have carried of this payment at once.
std::uint64_t shown(const Payment& payment, const ChannelDirection& channel) {
  std::map<AttemptId, std::uint64_t> held;  ///< by parts of a round that waited at the payee together
  std::uint64_t most = 0;
  for (const Attempt& attempt : payment.attempts) {
    const auto amount = attempt.origin == AttemptOrigin::own ? passed_over(attempt, channel) : std::nullopt;
    if (!amount) continue;
    const bool waited = !attempt.failure || attempt.failure->code == FailureCode::mpp_timeout;
    most = std::max(most, waited ? held[*attempt.id] += amount->value() : amount->value());
  }
  return most;
}

std::uint64_t share_of(std::uint64_t amount, std::uint64_t share) {
  return amount / whole_share * share + amount % whole_share * share / whole_share;
}

bool is_ours(const Payment& payment, const ChannelDirection& channel) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& attempt) {
    return !attempt.route.hops.empty() && attempt.route.hops.front().channel == channel.channel;
  });
}

}  // namespace

std::optional<Msat> passed_over(const Attempt& attempt, const ChannelDirection& channel) {
  const auto& hops = attempt.route.hops;
  const std::size_t ended = attempt.failure ? judge(*attempt.failure, attempt.route).carried : hops.size();
  for (std::size_t i = 0; i < ended; ++i) {
    if (ChannelDirection{hops[i].channel, hops[i].direction} == channel) return hops[i].amount;
  }
  return std::nullopt;
}

std::vector<ChannelBound> cautious(std::vector<ChannelBound> bounds, const Payment& payment, unsigned caution) {
  for (ChannelBound& bound : bounds) {
    const std::uint64_t high = bound.below.value();
    const bool ours = is_ours(payment, bound.channel);
    const std::uint64_t low = ours ? 0 : std::min(shown(payment, bound.channel), high > 0 ? high - 1 : 0);
    const std::uint64_t open = high - low;
    const std::uint64_t asked = ours ? open - std::min(open, most_difference) : share_of(open, shares[caution]);
    bound.below = Msat::of(low + std::max<std::uint64_t>(asked, 1));
  }
  return bounds;
}

}  // namespace paytower
