// Several routes from a node that gives one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/parts/route_sets.h"

namespace paytower {

/// What a channel can take on top of all that is pending there, as far as we know.
struct ChannelRoom {
  ChannelDirection channel;
  Msat left;
};

struct HalvingQuestion {
  Msat whole;  ///< all parts together; it did not go in one part
  std::uint32_t most_parts = 2;
  std::vector<ChannelDirection> without_channels;
  std::vector<ChannelRoom> rooms;
  Msat least = least_part;  ///< no part is smaller
};

/// Works like lnd's payment session: an amount without a route is halved, and each part that finds a route uses up the
/// channels of that route for the parts after it. One question to the node at a time. There are at most as many
/// questions as halvings down to the smallest part, plus one for each part, plus one for each known channel that a
/// route would have filled too much.
class HalvedRoutes : public std::enable_shared_from_this<HalvedRoutes> {
 public:
  /// Asks the node one question. It answers with a route that delivers `piece`, or with none.
  using Tell = std::function<void(std::optional<Route>)>;
  using Ask = std::function<void(Msat piece, std::vector<ChannelDirection> without, Tell tell)>;
  /// Nothing if there is none.
  using Done = std::function<void(std::vector<Route>)>;

  /// `done` is not called if a question is never answered.
  HalvedRoutes(Ask ask, HalvingQuestion question, Done done)
      : ask_node_(std::move(ask)), question_(std::move(question)), done_(std::move(done)), left_(question_.whole) {}
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  [[nodiscard]] Msat next_piece() const;
  void ask_next();
  void ask(Msat piece);
  void take(Route route, Msat piece);
  void halve(Msat piece);
  [[nodiscard]] std::optional<ChannelDirection> overfull(const Route& route) const;
  void fill(const Route& route);

  Ask ask_node_;
  HalvingQuestion question_;
  Done done_;
  Msat left_;   ///< has no route yet
  Msat piece_;  ///< the largest amount that is still asked for
  std::vector<Route> found_;
  std::vector<ChannelDirection> too_small_;  ///< for the amount that is asked for now
};

}  // namespace paytower
