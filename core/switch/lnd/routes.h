// Routes from lnd's own graph and its own mission control, which learns from all that we send.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/payment/failure_detail.h"
#include "core/switch/lnd/link.h"
#include "core/switch/lnd/reading.h"
#include "core/switch/parts/halved_routes.h"

namespace paytower::lnd {

/// One question to QueryRoutes for the whole amount in one part. If there is no route and parts are allowed, it goes on
/// by halving (HalvedRoutes). What earlier payments met is in lnd's own mission control, which is weighed if the
/// question takes advice (M1): then "none" is no last word. Without advice, one more question without the limits on fee
/// and blocks may show that a limit is in the way, our channels may show that they hold too little, and a smaller
/// amount or more parts that the amount is what does not go through.
class RouteSearch : public std::enable_shared_from_this<RouteSearch> {
 public:
  using Done = std::function<void(RouteAnswer)>;

  /// lnd could not be asked, and why: nothing is known about routes.
  using Unheard = std::function<void(const std::string&)>;

  /// `height`: of the chain; the routes' delays count from it. Ends with one call, of `done` or of `unheard`; with none
  /// when the questions are dropped, which `unheard` has to do.
  RouteSearch(Link& link, RouteQuestion question, const PublicKey& own, std::uint32_t height, Done done,
              Unheard unheard);
  /// REQUIRES: owned by a shared_ptr, which the search keeps alive until its end.
  void start();

 private:
  using Found = std::function<void(std::vector<Route>)>;
  void put(const RouteQuestion& question, Found found);
  void take_whole(const std::vector<Route>& routes);
  void look_at_channels(std::function<void()> next);
  void ask_for_parts(std::uint32_t most, Found found);
  void take_parts(std::vector<Route> routes);
  [[nodiscard]] std::vector<ChannelRoom> rooms() const;
  [[nodiscard]] RouteQuestion in_one_piece() const;
  void explain();
  void explain_by_more_parts(const FailureDetail& words);
  void explain_by_less(const FailureDetail& words);
  void lose(const std::string& why);
  void end_with(FailureDetail detail);

  Link& link_;
  RouteQuestion question_;
  PublicKey own_;
  std::uint32_t height_;
  Done done_;
  Unheard unheard_;
  std::optional<std::vector<OwnChannel>> channels_;
  std::optional<RestError> error_;  ///< the last error of lnd
  bool any_part_ = false;           ///< a route for a part has been seen
  std::optional<FailureDetail>
      otherwise_;  ///< set once it is known that there is no route: why, if nothing better is found
  unsigned asked_for_words_ = 0;
};

}  // namespace paytower::lnd
