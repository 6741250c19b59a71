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

/// What a direction of a channel showed. Where both are set, `carried` is below `failed`.
struct ChannelBounds {
  std::optional<Msat> carried;  ///< at least so much, at `carried_at`
  UnixNs carried_at{};
  Msat gone;                   ///< of `carried`: what has settled over it, then and since, and is on the other side now
  std::optional<Msat> failed;  ///< so much was too much, at `failed_at`; less what has settled over it since
  UnixNs failed_at{};
};

/// How much an observation still counts: 1 at once, half of it after each half-life of one hour, as in lnd.
inline constexpr std::int64_t knowledge_half_life_ns = 3'600 * ns_per_second;
[[nodiscard]] double weight_of(UnixNs then, UnixNs now);
/// What is so old says nothing any more: six half-lives leave 1.6 %.
inline constexpr std::int64_t knowledge_life_ns = 6 * knowledge_half_life_ns;

/// The chance that a channel carries an amount of which nothing is known: lnd's 60 %. So a way that is known to hold
/// the amount goes before one that nobody has tried, unless it costs more than the attempt that it saves. A store
/// without any results asks for no advice at all: then the cheapest route is the first.
inline constexpr double untried_chance = 0.6;
/// What no channel falls below: advice closes no way (M1).
inline constexpr double least_chance = 0.001;
/// The chance that the channel carries `amount`, as far as its bounds tell: 1 up to what it has carried and still
/// holds, untried_chance above that, least_chance from what it did not carry. Towards there it falls evenly. What was
/// seen counts less as it ages, until the channel is as good as untried again. (lnd counts what settled as if it were
/// still there: then it is tried in vain again.)
[[nodiscard]] double chance_of(const ChannelBounds& bounds, Msat amount, UnixNs now);

/// One thing learned, in the order in which it was: what a switch that keeps such knowledge itself is told.
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
  static constexpr std::size_t results_to_load = 1'000;  ///< M5: the newest ones of a store
  static constexpr std::size_t most_channels = 100'000;  ///< R16
  static constexpr std::size_t most_lessons = 10'000;    ///< R16: kept for whoever has not heard them
  /// What carries nothing at all, whatever the amount.
  static constexpr Msat anything = Msat::of(1);

  /// O(hops). Results of any age and in any order; an older one never replaces what a newer one showed.
  void learn(const PastResult& result);
  /// One thing alone, as a switch hears it.
  void learn(const Lesson& lesson);
  /// What was last seen before `when` is forgotten.
  void forget_before(UnixNs when);
  /// All of a store's, in order of time.
  void learn_all(std::vector<PastResult> results);

  /// nullptr where nothing is known.
  [[nodiscard]] const ChannelBounds* bounds(const ChannelDirection& channel) const;
  [[nodiscard]] double chance(const ChannelDirection& channel, Msat amount, UnixNs now) const;
  /// In no order.
  template <typename Visit> void each(Visit visit) const {
    for (const auto& [channel, known] : channels_) visit(channel, known);
  }
  [[nodiscard]] bool empty() const { return channels_.empty(); }
  [[nodiscard]] std::size_t size() const { return channels_.size(); }
  /// When a node failed as a whole, if it ever did.
  [[nodiscard]] std::optional<UnixNs> node_failed(const PublicKey& node) const;

  /// How many lessons there have been.
  [[nodiscard]] std::uint64_t lessons() const { return first_lesson_ + lessons_.size(); }
  /// Those behind the first `heard` ones, as far as they are kept.
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
