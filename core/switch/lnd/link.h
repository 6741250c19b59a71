// The connection to one lnd: its requests with our macaroon, and its clock. What an answer means stands elsewhere.
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

/// Requests end by calling back, from pump(); none does once it was dropped.
class Link {
 public:
  /// How a hand-over, or any other request that must not be made twice, is sent.
  struct Once {
    std::optional<UnixNs> dies_at;  ///< by lnd's clock: no copy of it is taken later
    std::int64_t patience_ns = 0;   ///< for the whole answer
    bool waits = false;             ///< an HTLC has to end first
  };
  using Ended = std::function<void(const RestEnd&)>;
  using Line = std::function<void(const RestHead&, const std::string&)>;

  /// The clock must outlive this.
  Link(LndAddress address, Clock& clock);

  /// Reads the macaroon, and makes ready to connect. Its refusal says what to do.
  [[nodiscard]] Result<std::monostate> open();
  [[nodiscard]] bool is_open() const { return client_.is_open() && macaroon_.has_value(); }

  /// A question that changes nothing: put again on another connection where the first is lost, once. Told as lost when
  /// that one is lost too.
  void ask(const Request& request, Ended ended);
  /// The same, over in a moment by its macaroon: whether lnd keeps to that.
  void ask_expired(const Request& request, Ended ended);
  /// The first line of a stream; the rest is not read. `line` says whether it is the last one, so that the connection
  /// can be kept. `ended`: without any line.
  using FirstLine = std::function<bool(const RestHead&, const std::string&)>;
  void ask_first_line(const Request& request, FirstLine line, Ended ended);
  /// A stream, for as long as the connection lasts.
  void follow(const Request& request, Line line, Ended ended);
  /// Never a second time.
  void ask_once(const Request& request, const Once& how, Ended ended);
  /// Nothing more is told of questions and streams. What was asked once is told of.
  void drop_questions();

  bool pump() { return client_.pump(); }
  [[nodiscard]] int descriptor() const { return client_.descriptor(); }
  [[nodiscard]] std::optional<MonoNs> deadline() const { return client_.deadline(); }

  /// lnd's, as far as it has been told; 0 before its first answer. Never later than it is, unless it is set back.
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
  std::set<std::uint64_t> questions_;  ///< that may be dropped
  UnixNs told_{};                      ///< lnd's clock when it answered
  MonoNs told_at_{};
};

}  // namespace paytower::lnd
