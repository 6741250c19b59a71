// One client's connection, whatever carries its bytes: what the client has written, and what is to be written to it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "core/sim/node/call.h"
#include "core/sim/node/faults.h"
#include "core/sim/node/framing.h"

namespace paytower::sim {

/// As long as more than this waits to be written, nothing is read from this client.
inline constexpr std::size_t unread_answer_bytes = std::size_t{1} << 20;
/// How many requests of one client may wait for their answers.
inline constexpr std::size_t most_waits = 10'000;

/// A request that is to be executed, with the faults that it meets.
struct PendingCall {
  std::uint64_t connection = 0;
  ReadCall read{};
  ActiveFaults met{};
};

class RpcConnection {
 public:
  explicit RpcConnection(std::uint64_t id) : id_(id) {}

  [[nodiscard]] std::uint64_t id() const { return id_; }

  // --- the side of whoever carries the bytes ---
  /// What the client wrote.
  void feed(std::string_view data) {
    if (!framer_.dead()) framer_.feed(data);
  }
  /// The client has closed its writing side: nothing more comes, but what came is still executed.
  void end() { at_end_ = true; }
  [[nodiscard]] bool at_end() const { return at_end_; }
  /// The client has gone: what it wrote is executed, but nobody is told.
  void leave() {
    end();
    gone_ = true;
    out_.clear();
  }
  /// The connection broke.
  void lose() { broken_ = true; }
  /// Bytes for the client. Whoever delivers them removes them from the front.
  [[nodiscard]] std::string& output() { return out_; }
  [[nodiscard]] bool wants_write() const { return !out_.empty(); }
  /// Whether something may be read or executed now.
  [[nodiscard]] bool open_for_requests(MonoNs now) const {
    return !finishing_ && !paused(now) && out_.size() < unread_answer_bytes && waits < most_waits;
  }
  [[nodiscard]] bool paused(MonoNs now) const { return paused_until && now < *paused_until; }
  [[nodiscard]] bool over() const { return broken_ || (finishing_ && out_.empty()); }

  // --- the node's side ---
  void send(std::string_view text) {
    if (!gone_) out_ += text;
  }
  /// Closed as soon as everything is written.
  void finish() { finishing_ = true; }
  /// Something was read and is not executed yet.
  [[nodiscard]] bool has_requests() const { return parked.has_value() || framer_.has_next(); }
  [[nodiscard]] RequestFramer& framer() { return framer_; }

  std::optional<MonoNs> paused_until{};  ///< nothing is read before this time (FaultKind::unread)
  std::optional<PendingCall> parked{};   ///< the request that waits for that time
  std::size_t waits = 0;                 ///< how many requests have no answer yet

 private:
  std::uint64_t id_;
  RequestFramer framer_;
  std::string out_;
  bool broken_ = false;
  bool at_end_ = false;
  bool gone_ = false;
  bool finishing_ = false;
};

/// The answer as it goes out, spoiled by the faults that the request meets.
[[nodiscard]] std::string spoiled_answer(const RpcCall& call, CallReply reply, const ActiveFaults& met);

}  // namespace paytower::sim
