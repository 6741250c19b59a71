// One client's connection, and what is written to it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "core/sim/node/call.h"
#include "core/sim/node/faults.h"
#include "core/sim/node/framing.h"
#include "core/sim/server/socket.h"

namespace paytower::sim {

/// While so much waits to be written, nothing is read from this client.
inline constexpr std::size_t unread_answer_bytes = std::size_t{1} << 20;
/// Requests of one client that may wait for their answers.
inline constexpr std::size_t most_waits = 10'000;

/// A request on its way to execution, with what strikes it.
struct PendingCall {
  std::uint64_t connection = 0;
  ReadCall read{};
  RpcStrikes strikes{};
};

class RpcConnection {
 public:
  RpcConnection(std::uint64_t id, OpenFile file) : id_(id), file_(std::move(file)) {}

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] int fd() const { return file_.get(); }
  /// Reads what there is, up to a bound.
  void receive();
  /// Writes as much as goes.
  void flush();
  void send(std::string_view text) { out_ += text; }
  /// Closed once all is written.
  void finish() { finishing_ = true; }

  [[nodiscard]] bool over() const { return broken_ || (finishing_ && out_.empty()); }
  /// The client has closed its writing side.
  [[nodiscard]] bool at_end() const { return at_end_; }
  /// Something that was read is not executed yet.
  [[nodiscard]] bool has_requests() const { return parked.has_value() || framer_.has_next(); }
  [[nodiscard]] bool wants_write() const { return !out_.empty(); }
  /// May something be read or executed now?
  [[nodiscard]] bool open_for_requests(MonoNs now) const {
    return !finishing_ && !paused(now) && out_.size() < unread_answer_bytes && waits < most_waits;
  }
  [[nodiscard]] bool paused(MonoNs now) const { return paused_until && now < *paused_until; }
  [[nodiscard]] RequestFramer& framer() { return framer_; }

  std::optional<MonoNs> paused_until{};  ///< nothing is read before (RpcStrikes::unread_ns)
  std::optional<PendingCall> parked{};   ///< the request that waits for that
  std::size_t waits = 0;                 ///< requests without an answer so far

 private:
  std::uint64_t id_;
  OpenFile file_;
  RequestFramer framer_;
  std::string out_;
  bool broken_ = false;
  bool at_end_ = false;
  bool finishing_ = false;
};

/// The answer as it goes out, spoiled by what strikes the request.
[[nodiscard]] std::string spoiled_answer(const RpcCall& call, CallReply reply, const RpcStrikes& strikes);

}  // namespace paytower::sim
