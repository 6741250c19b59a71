// The connection to one lnd: requests with our macaroon, and lnd's clock. What an answer means is said elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "core/driver/ports.h"
#include "core/switch/lnd/address.h"
#include "core/switch/lnd/macaroon.h"
#include "core/switch/lnd/requests.h"
#include "core/switch/rest/client.h"

namespace paytower::lnd {

/// Requests end with a call from pump(). A dropped request never calls.
class Link {
 public:
  /// How to send a payment, or any other request that must not be made twice.
  struct Once {
    std::optional<UnixNs> dies_at;  ///< by lnd's clock: no copy of the request is accepted later
    std::int64_t patience_ns = 0;   ///< for the complete answer
    bool waits = false;             ///< the answer comes only when an HTLC has ended
  };
  using Ended = std::function<void(const RestEnd&)>;
  using Line = std::function<void(const RestHead&, const std::string&)>;

  /// The clock must outlive this.
  Link(LndAddress address, Clock& clock);

  /// Reads the macaroon and prepares for connecting. A refusal says what to do.
  [[nodiscard]] Result<std::monostate> open();
  [[nodiscard]] bool is_open() const { return client_.is_open() && macaroon_.has_value(); }

  [[nodiscard]] const std::string& macaroon_file() const { return address_.macaroon_file; }

  /// A question that changes nothing: if the connection is lost, it is asked once more on another one. Reported as lost
  /// if that one is lost too.
  void ask(const Request& request, Ended ended);
  /// The same, with a macaroon that is valid only for a moment: does lnd keep that limit?
  void ask_expired(const Request& request, Ended ended);
  /// The first line of a stream; the rest is not read. `line` is told whether it is the last one, so that the
  /// connection can be kept. `ended`: there was no line.
  using FirstLine = std::function<bool(const RestHead&, const std::string&)>;
  void ask_first_line(const Request& request, FirstLine line, Ended ended);
  /// A stream, as long as the connection lasts.
  void follow(const Request& request, Line line, Ended ended);
  /// Never sent a second time.
  void ask_once(const Request& request, const Once& how, Ended ended);
  /// From now on nothing is reported about questions and streams. Requests that are made only once are still reported.
  void drop_questions();

  bool pump() { return client_.pump(); }
  [[nodiscard]] int descriptor() const { return client_.descriptor(); }
  [[nodiscard]] std::optional<MonoNs> deadline() const { return client_.deadline(); }

  /// lnd's clock, as far as it has told it; 0 before its first answer. Never later than it is, unless it was set back.
  [[nodiscard]] UnixNs lnd_clock() const;

 private:
  [[nodiscard]] RestRequest written(const Request& request, std::int64_t patience_ns, std::optional<UnixNs> dies_at);
  std::uint64_t question(RestRequest request);
  void put(const Request& request, std::optional<UnixNs> dies_at, unsigned times, const Ended& ended);
  void saw(const RestHead& head);

  LndAddress address_;
  Clock& clock_;
  RestClient client_;
  std::optional<Macaroon> macaroon_;
  std::set<std::uint64_t> questions_;  ///< those that may be dropped
  UnixNs told_{};                      ///< lnd's clock when it answered
  MonoNs told_at_{};
};

}  // namespace paytower::lnd
