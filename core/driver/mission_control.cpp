// Remembers what channels carried and did not carry, and what that says about the next attempt.
#include "core/driver/mission_control.h"

#include <algorithm>
#include <cmath>

#include "core/payment/lifecycle.h"

namespace paytower {

namespace {

/// The same lesson is not given again within this time.
constexpr std::int64_t retell_ns = 600 * ns_per_second;

/// A policy failure says nothing about liquidity: the next payment learns the new policy, and pays (M4).
bool learns_nothing(const Verdict& verdict, const Failure& failure) {
  return verdict.policy && failure.code != FailureCode::channel_disabled;
}

/// How much must still be there of what the channel is known to have carried.
Msat left_of(const ChannelBounds& bounds) {
  return bounds.carried ? checked_sub(*bounds.carried, bounds.gone).value_or(Msat{}) : Msat{};
}

Msat just_below(Msat amount) { return Msat::of(amount.value() == 0 ? 0 : amount.value() - 1); }

}  // namespace

double weight_of(UnixNs then, UnixNs now) {
  if (now <= then) return 1;
  return std::exp2(-static_cast<double>(now.value - then.value) / static_cast<double>(knowledge_half_life_ns));
}

double chance_of(const ChannelBounds& bounds, Msat amount, UnixNs now) {
  const Msat left = left_of(bounds);
  const double weight = weight_of(bounds.carried_at, now);
  const double without_failure = left >= amount ? untried_chance + (1 - untried_chance) * weight : untried_chance;
  if (!bounds.failed) return without_failure;
  const double low = static_cast<double>(left.value()) * weight;
  const auto high = static_cast<double>(bounds.failed->value());
  const double share = std::clamp((static_cast<double>(amount.value()) - low) / std::max(high - low, 1.0), 0.0, 1.0);
  return std::max(without_failure * (1 - weight_of(bounds.failed_at, now) * share), least_chance);
}

void MissionControl::learn_all(std::vector<PastResult> results) {
  std::stable_sort(results.begin(), results.end(),
                   [](const PastResult& a, const PastResult& b) { return a.at < b.at; });
  for (const PastResult& result : results) learn(result);
}

void MissionControl::learn(const PastResult& result) {
  const auto& hops = result.route.hops;
  if (!result.failure) {
    for (const Hop& hop : hops)
      carried({hop.channel, hop.direction}, hop.amount, result.at, Lesson::Kind::succeeded, &hop != &hops.front());
    return;
  }
  const Verdict verdict = judge(*result.failure, result.route);
  for (std::size_t i = 0; i < std::min(verdict.carried, hops.size()); ++i)
    carried({hops[i].channel, hops[i].direction}, hops[i].amount, result.at, Lesson::Kind::unconstrained, i > 0);
  // The node knows more about our own channels than any memory.
  for (std::size_t i = 1; i < hops.size(); ++i) {
    const ChannelDirection channel{hops[i].channel, hops[i].direction};
    const auto& blamed = verdict.exclude_channels;
    const bool fails = std::find(blamed.begin(), blamed.end(), channel) != blamed.end();
    const auto is_out = [&](const PublicKey& node) {
      return std::find(verdict.exclude_nodes.begin(), verdict.exclude_nodes.end(), node) != verdict.exclude_nodes.end();
    };
    if (fails && learns_nothing(verdict, *result.failure)) continue;
    if (fails && verdict.lasting) failed(channel, anything, result.at);
    if (fails && !verdict.lasting) failed(channel, hops[i].amount, result.at);
    if (!fails && (is_out(hops[i].node) || is_out(hops[i - 1].node))) failed(channel, anything, result.at);
  }
  for (const PublicKey& node : verdict.exclude_nodes) {
    if (nodes_.size() < most_channels || nodes_.count(node) != 0) nodes_[node] = std::max(nodes_[node], result.at);
  }
}

void MissionControl::learn(const Lesson& lesson) {
  if (lesson.kind == Lesson::Kind::constrained) return failed(lesson.channel, lesson.amount, lesson.at);
  carried(lesson.channel, lesson.amount, lesson.at, lesson.kind, false);
}

void MissionControl::carried(const ChannelDirection& channel, Msat amount, UnixNs at, Lesson::Kind kind, bool tell) {
  if (channel.channel.value == 0) return;  // an imported route that does not name the channel
  ChannelBounds* known = bounds_to_change(channel, at);
  if (known == nullptr) return;
  const bool fresh = known->carried && at.value - known->carried_at.value < retell_ns;
  const Msat left = left_of(*known);
  const bool known_before = fresh && (kind == Lesson::Kind::succeeded ? left == Msat{} : left >= amount);
  if (tell && (!known_before || known->failed)) note(channel, amount, kind, at);
  if (known->failed && *known->failed <= amount && known->failed_at <= at) known->failed.reset();
  if (known->failed && *known->failed <= amount) return;  // a newer failure says the opposite
  const bool more = amount >= left || at.value - known->carried_at.value > knowledge_half_life_ns;
  if (more) {
    known->carried = amount;
    known->carried_at = std::max(known->carried_at, at);
    known->gone = Msat{};
  }
  if (kind == Lesson::Kind::succeeded) {  // the amount is no longer there
    known->gone = checked_add(known->gone, amount).value_or(Msat::of(Msat::max_value));
    if (known->failed && known->failed_at <= at) known->failed = Msat::of(known->failed->value() - amount.value());
  }
  if (known->failed && *known->carried >= *known->failed) known->carried = just_below(*known->failed);
  if (known->carried == Msat{}) known->carried.reset();
}

void MissionControl::failed(const ChannelDirection& channel, Msat amount, UnixNs at) {
  if (channel.channel.value == 0) return;
  ChannelBounds* known = bounds_to_change(channel, at);
  if (known == nullptr) return;
  // It has carried more since then.
  if (known->carried && *known->carried >= amount && known->carried_at > at) return;
  const bool fresh = known->failed && at.value - known->failed_at.value < retell_ns;
  if (!(fresh && *known->failed <= amount)) note(channel, amount, Lesson::Kind::constrained, at);
  if (known->carried && *known->carried >= amount) known->carried = just_below(amount);
  if (known->carried == Msat{}) known->carried.reset();
  const bool less =
      !known->failed || amount <= *known->failed || at.value - known->failed_at.value > knowledge_half_life_ns;
  if (less) known->failed = amount;
  if (less) known->failed_at = std::max(known->failed_at, at);
}

ChannelBounds* MissionControl::bounds_to_change(const ChannelDirection& channel, UnixNs at) {
  if (const auto found = channels_.find(channel); found != channels_.end()) return &found->second;
  if (channels_.size() >= most_channels) forget_before(UnixNs{at.value - knowledge_life_ns});
  if (channels_.size() >= most_channels) return nullptr;
  return &channels_[channel];
}

void MissionControl::forget_before(UnixNs when) {
  for (auto at = channels_.begin(); at != channels_.end();) {
    const std::int64_t newest = std::max(at->second.carried_at.value, at->second.failed_at.value);
    at = newest < when.value ? channels_.erase(at) : std::next(at);
  }
}

void MissionControl::note(const ChannelDirection& channel, Msat amount, Lesson::Kind kind, UnixNs at) {
  lessons_.push_back(Lesson{channel, amount, kind, at});
  if (lessons_.size() <= most_lessons) return;
  lessons_.pop_front();
  ++first_lesson_;
}

const ChannelBounds* MissionControl::bounds(const ChannelDirection& channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second;
}

double MissionControl::chance(const ChannelDirection& channel, Msat amount, UnixNs now) const {
  const ChannelBounds* known = bounds(channel);
  return known == nullptr ? untried_chance : chance_of(*known, amount, now);
}

std::optional<UnixNs> MissionControl::node_failed(const PublicKey& node) const {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return std::nullopt;
  return found->second;
}

std::vector<Lesson> MissionControl::lessons_since(std::uint64_t heard) const {
  const std::uint64_t skip =
      heard > first_lesson_ ? std::min<std::uint64_t>(heard - first_lesson_, lessons_.size()) : 0;
  return {lessons_.begin() + static_cast<std::ptrdiff_t>(skip), lessons_.end()};
}

}  // namespace paytower
