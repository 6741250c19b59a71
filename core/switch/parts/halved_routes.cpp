// Finds a set of routes by halving, with one question at a time.
#include "core/switch/parts/halved_routes.h"

#include <algorithm>
#include <utility>

namespace paytower {

namespace {

Msat half_of(Msat amount) { return Msat::of(amount.value() - amount.value() / 2); }

}  // namespace

void HalvedRoutes::start() { halve(left_); }

/// The last part carries all that is left, and no part leaves less than the smallest part for the next.
Msat HalvedRoutes::next_piece() const {
  if (found_.size() + 1 >= question_.most_parts || piece_ >= left_) return left_;
  const Msat behind = checked_sub(left_, piece_).value_or(Msat{});
  if (behind >= question_.least) return piece_;
  const Msat smaller = checked_sub(left_, question_.least).value_or(Msat{});
  return smaller >= question_.least ? smaller : left_;
}

void HalvedRoutes::ask_next() {
  too_small_.clear();
  left_ == Msat{} ? done_(std::move(found_)) : ask(next_piece());
}

void HalvedRoutes::ask(Msat piece) {
  std::vector<ChannelDirection> without = question_.without_channels;
  without.insert(without.end(), too_small_.begin(), too_small_.end());
  for (const ChannelRoom& room : question_.rooms) {
    if (room.left < piece) without.push_back(room.channel);
  }
  ask_node_(piece, std::move(without), [self = shared_from_this(), piece](std::optional<Route> route) {
    route && route->delivered() == piece ? self->take(std::move(*route), piece) : self->halve(piece);
  });
}

void HalvedRoutes::take(Route route, Msat piece) {
  if (const auto channel = overfull(route)) {
    const bool told = std::find(too_small_.begin(), too_small_.end(), *channel) != too_small_.end();
    too_small_.push_back(*channel);
    return told ? halve(piece) : ask(piece);
  }
  fill(route);
  found_.push_back(std::move(route));
  left_ = checked_sub(left_, piece).value_or(Msat{});
  piece_ = piece;
  ask_next();
}

void HalvedRoutes::halve(Msat piece) {
  const bool last = found_.size() + 1 >= question_.most_parts;
  if (last || half_of(piece) < question_.least) return done_({});
  piece_ = half_of(piece);
  ask_next();
}

/// A channel that cannot take what this route puts on it: with fees, the first hops carry more than the part.
std::optional<ChannelDirection> HalvedRoutes::overfull(const Route& route) const {
  for (const Hop& hop : route.hops) {
    const ChannelDirection channel{hop.channel, hop.direction};
    for (const ChannelRoom& room : question_.rooms) {
      if (room.channel == channel && room.left < hop.amount) return channel;
    }
  }
  return std::nullopt;
}

void HalvedRoutes::fill(const Route& route) {
  for (const Hop& hop : route.hops) {
    const ChannelDirection channel{hop.channel, hop.direction};
    for (ChannelRoom& room : question_.rooms) {
      if (room.channel == channel) room.left = checked_sub(room.left, hop.amount).value_or(Msat{});
    }
  }
}

}  // namespace paytower
