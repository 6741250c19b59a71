// One connection to a node: requests go out one object a write, answers are matched by id in whatever order they come.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/driver/ports.h"
#include "core/switch/rpc/json_rpc.h"
#include "core/switch/rpc/transport.h"

namespace paytower {

/// Never blocks. Whoever uses it waits for descriptor() and calls pump(). Its queues are bounded by its user's calls.
class RpcClient {
 public:
  using Handler = std::function<void(const RpcReply&)>;
  using Dropped = std::function<void()>;

  /// A whole answer is not larger than this (R16). The longest that we ask for is a page of a list.
  static constexpr std::size_t max_answer_bytes = 16U << 20U;
  /// A node that answers none of our quick questions for so long is gone. A request of 64 MB by another client was seen
  /// to stop a real node for 26 s.
  static constexpr std::int64_t patience_ns = 60 * ns_per_second;

  /// Clock and randomness must outlive this. `user`: the node may run as this user too, beside our own and root.
  RpcClient(std::unique_ptr<Transport> transport, std::optional<uid_t> user, Clock& clock, Randomness& randomness);

  /// A fresh connection to a peer that may be trusted; an error tells why there is none. Errc::switch_unavailable.
  [[nodiscard]] Result<std::monostate> connect();
  [[nodiscard]] bool connected() const { return transport_->is_open(); }
  [[nodiscard]] const std::optional<Peer>& peer() const { return peer_; }

  /// REQUIRES: connected(). `handler` is called at most once, from pump(). `dropped` is called instead, from lose(),
  /// only when not one byte of the request was written.
  void call(const std::string& method, const nlohmann::json& params, Handler handler, Dropped dropped = {});
  /// As call(), where the node leaves out of its answer what `filter` does not name.
  void call_filtered(const std::string& method, const nlohmann::json& params, const nlohmann::json& filter,
                     Handler handler);
  /// As call(), for a question that is given up by itself: without an answer within `patience` `expired` is called
  /// instead of `handler`, from pump(), and the connection stays.
  void call_within(std::int64_t patience, const std::string& method, const nlohmann::json& params, Handler handler,
                   Dropped expired);

  /// Reads and writes what can be, and calls handlers. Nothing while all is well, else why the connection cannot be
  /// used any more; then call lose(). True in `moved` when anything was read or written.
  [[nodiscard]] std::optional<std::string> pump(bool& moved);
  /// A name that nobody else has.
  [[nodiscard]] std::string fresh_name() { return draw_request_id(randomness_); }
  /// For handlers: an answer says what no node may say. pump() returns it.
  void refuse(std::string why);

  /// What this connection's node was found not to know: a method, or a kind of question. Whoever finds that out says
  /// so, and nobody asks it again before the next connection, which may lead to a newer node.
  [[nodiscard]] bool lacks(const std::string& what) const { return lacking_.count(what) != 0; }
  void note_lacking(const std::string& what) { lacking_.insert(what); }

  /// Closes the connection and forgets every request.
  void lose();

  [[nodiscard]] int descriptor() const { return transport_->descriptor(); }
  [[nodiscard]] bool wants_to_write() const { return !outgoing_.empty(); }
  /// When pump() must be called at the latest.
  [[nodiscard]] std::optional<MonoNs> deadline() const;
  /// Answers of this connection so far.
  [[nodiscard]] std::uint64_t answers() const { return answers_; }

 private:
  struct Call {
    Handler handler;
    Dropped dropped;
    Dropped expired;  ///< empty: without an answer the connection is given up
    MonoNs answer_by;
    bool touched = false;  ///< a byte of it was written
  };
  struct Outgoing {
    std::string id;
    std::string text;
    std::size_t written = 0;
  };

  [[nodiscard]] std::optional<std::string> write_all(bool& moved);
  [[nodiscard]] std::optional<std::string> read_all(bool& moved);
  [[nodiscard]] std::optional<std::string> deliver();
  void send(const std::string& method, const nlohmann::json& params, Call call, const nlohmann::json& filter = nullptr);
  [[nodiscard]] std::optional<std::string> overdue(bool& moved);

  std::optional<uid_t> user_;
  Clock& clock_;
  Randomness& randomness_;
  std::unique_ptr<Transport> transport_;
  std::optional<Peer> peer_;
  FrameSplitter frames_{max_answer_bytes};
  std::deque<Outgoing> outgoing_;
  std::unordered_map<std::string, Call> waiting_;
  std::optional<std::string> refused_;
  std::unordered_set<std::string> lacking_;  ///< at most one entry a kind of question in our own code
  std::uint64_t answers_ = 0;
};

}  // namespace paytower
