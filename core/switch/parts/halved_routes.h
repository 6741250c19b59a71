// Several routes from a node that tells one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/driver/ports.h"

namespace paytower {

/// What a channel takes besides all that is pending there, as far as we know.
struct ChannelRoom {
  ChannelDirection channel;
  Msat left;
};

struct HalvingQuestion {
  Msat whole;  ///< all parts together, which did not go in one
  std::uint32_t most_parts = 2;
  std::vector<ChannelDirection> without_channels;
  std::vector<ChannelRoom> rooms;
};

/// As lnd's payment session does it: what finds no route is halved, and each piece that finds one fills the channels of
/// its route for those behind it. One question to the node at a time; at most the halvings down to the least part, one
/// for each part, and one more for each known channel that a route would have filled too far.
class HalvedRoutes : public std::enable_shared_from_this<HalvedRoutes> {
 public:
  /// Puts one question to the node; it tells a route that delivers `piece`, or none.
  using Tell = std::function<void(std::optional<Route>)>;
  using Ask = std::function<void(Msat piece, std::vector<ChannelDirection> without, Tell tell)>;
  /// Nothing where there is none.
  using Done = std::function<void(std::vector<Route>)>;

  /// `done` is not called when a question is never answered.
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
  Msat piece_;  ///< the largest that is still asked for
  std::vector<Route> found_;
  std::vector<ChannelDirection> too_small_;  ///< for the piece that is asked for now
};

}  // namespace paytower
