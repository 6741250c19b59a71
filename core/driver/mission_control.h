// What is known of the network from how attempts ended (M1 to M3): for each direction of a channel, what it carried
// and what it did not carry. Pure and in memory: times come in, and everything is derived from stored attempts (M7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/payment/route.h"

namespace paytower {

/// How one attempt of any payment ended.
struct PastResult {
  UnixNs at;
  Route route;
  std::optional<Failure> failure;  ///< nothing: it settled
};

/// What a channel has shown in one direction. If both are set, `carried` is below `failed`.
struct ChannelBounds {
  std::optional<Msat> carried;  ///< at least this much, at `carried_at`
  UnixNs carried_at{};
  Msat gone;  ///< the part of `carried` that has settled since and is on the other side now
  /// This much was too much, at `failed_at`; less what has settled over the channel since.
  std::optional<Msat> failed;
  UnixNs failed_at{};
};

/// How much an observation still counts: 1 at first, half of that after each hour, as in lnd.
inline constexpr std::int64_t knowledge_half_life_ns = 3'600 * ns_per_second;
[[nodiscard]] double weight_of(UnixNs then, UnixNs now);
/// What is older than this says nothing any more: after six half-lives 1.6 % are left.
inline constexpr std::int64_t knowledge_life_ns = 6 * knowledge_half_life_ns;

/// The chance that a channel carries an amount about which nothing is known: 60 %, as in lnd. So a way that is known to
/// carry the amount comes before one that nobody has tried, unless it costs more than the attempt that it saves. A
/// store without any results asks for no advice: then the cheapest route comes first.
inline constexpr double untried_chance = 0.6;
/// No chance is below this: advice never closes a way (M1).
inline constexpr double least_chance = 0.001;
/// The chance that the channel carries `amount`, as far as its bounds tell: 1 up to what it has carried and still
/// holds, untried_chance above that, least_chance from what it did not carry, and an even fall towards there. What was
/// seen counts less as it ages, until the channel is as good as untried. (lnd counts amounts that have settled as if
/// they were still there, and tries them again in vain.)
[[nodiscard]] double chance_of(const ChannelBounds& bounds, Msat amount, UnixNs now);

/// One thing learned. In this order they are told to a switch that keeps such knowledge itself.
struct Lesson {
  enum class Kind {
    constrained,    ///< the amount did not pass
    unconstrained,  ///< the amount passed, and came back
    succeeded,      ///< the amount passed for good
  };
  ChannelDirection channel;
  Msat amount;
  Kind kind = Kind::constrained;
  UnixNs at{};
};

class MissionControl {
 public:
  static constexpr std::size_t results_to_load = 1'000;  ///< M5: the newest results of a store
  static constexpr std::size_t most_channels = 100'000;  ///< R16
  static constexpr std::size_t most_lessons = 10'000;    ///< R16: kept for switches that have not heard them
  /// The smallest amount: a channel that does not carry this carries nothing.
  static constexpr Msat anything = Msat::of(1);

  /// O(hops). Takes results of any age and in any order: an older result never replaces what a newer one showed.
  void learn(const PastResult& result);
  /// Only one lesson, as a switch is told it.
  void learn(const Lesson& lesson);
  /// Forgets what was last seen before `when`.
  void forget_before(UnixNs when);
  /// All results of a store, in order of time.
  void learn_all(std::vector<PastResult> results);

  /// nullptr if nothing is known.
  [[nodiscard]] const ChannelBounds* bounds(const ChannelDirection& channel) const;
  [[nodiscard]] double chance(const ChannelDirection& channel, Msat amount, UnixNs now) const;
  /// In no particular order.
  template <typename Visit> void each(Visit visit) const {
    for (const auto& [channel, known] : channels_) visit(channel, known);
  }
  [[nodiscard]] bool empty() const { return channels_.empty(); }
  [[nodiscard]] std::size_t size() const { return channels_.size(); }
  /// When a node failed as a whole, if it ever did.
  [[nodiscard]] std::optional<UnixNs> node_failed(const PublicKey& node) const;

  /// How many lessons there have been in all.
  [[nodiscard]] std::uint64_t lessons() const { return first_lesson_ + lessons_.size(); }
  /// The lessons after the first `heard` ones, as far as they are still kept.
  [[nodiscard]] std::vector<Lesson> lessons_since(std::uint64_t heard) const;

 private:
  void carried(const ChannelDirection& channel, Msat amount, UnixNs at, Lesson::Kind kind, bool tell);
  void failed(const ChannelDirection& channel, Msat amount, UnixNs at);
  ChannelBounds* bounds_to_change(const ChannelDirection& channel, UnixNs at);
  void note(const ChannelDirection& channel, Msat amount, Lesson::Kind kind, UnixNs at);

  struct Hash {
    std::size_t operator()(const ChannelDirection& channel) const {
      return std::hash<std::uint64_t>{}((channel.channel.value << 1U | channel.direction) * 0x9E3779B97F4A7C15ULL);
    }
  };
  std::unordered_map<ChannelDirection, ChannelBounds, Hash> channels_;
  std::unordered_map<PublicKey, UnixNs, BytesHash> nodes_;
  std::deque<Lesson> lessons_;
  std::uint64_t first_lesson_ = 0;
};

}  // namespace paytower
