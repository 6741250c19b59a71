// One connection to a node: each write is one request, and answers are matched by id, in whatever order they come.
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

/// Never blocks. The user waits for descriptor() and calls pump(). The user's calls are what limits its queues.
class RpcClient {
 public:
  using Handler = std::function<void(const RpcReply&)>;
  using Dropped = std::function<void()>;

  /// No whole answer is larger than this (R16). The longest that we ask for is a page of a list.
  static constexpr std::size_t max_answer_bytes = 16U << 20U;
  /// A node that answers none of our quick questions for this long is gone. A request of 64 MB by another client was
  /// seen to stop a real node for 26 s.
  static constexpr std::int64_t patience_ns = 60 * ns_per_second;

  /// Clock and randomness must outlive this. `user`: the node may also run as this user, not only as ours or as root.
  RpcClient(std::unique_ptr<Transport> transport, std::optional<uid_t> user, Clock& clock, Randomness& randomness);

  /// Makes a new connection to a peer that may be trusted. An error says why there is none: Errc::switch_unavailable.
  [[nodiscard]] Result<std::monostate> connect();
  [[nodiscard]] bool connected() const { return transport_->is_open(); }
  [[nodiscard]] const std::optional<Peer>& peer() const { return peer_; }

  /// REQUIRES: connected(). `handler` is called at most once, from pump(). Instead of it `dropped` is called from
  /// lose(), but only if not a single byte of the request was written.
  void call(const std::string& method, const nlohmann::json& params, Handler handler, Dropped dropped = {});
  /// As call(). The node leaves out of its answer what `filter` does not name.
  void call_filtered(const std::string& method, const nlohmann::json& params, const nlohmann::json& filter,
                     Handler handler);
  /// As call(), for a question that gives up by itself: if there is no answer within `patience`, pump() calls `expired`
  /// instead of `handler`, and the connection stays.
  void call_within(std::int64_t patience, const std::string& method, const nlohmann::json& params, Handler handler,
                   Dropped expired);

  /// Reads and writes what is possible now, and calls handlers. Returns nothing while all is well, else why the
  /// connection can no longer be used; then call lose(). `moved` becomes true if anything was read or written.
  [[nodiscard]] std::optional<std::string> pump(bool& moved);
  /// A name that nobody else has.
  [[nodiscard]] std::string fresh_name() { return draw_request_id(randomness_); }
  /// For handlers: an answer says what no node may say. pump() returns `why`.
  void refuse(std::string why);

  /// What the node of this connection turned out not to know: a method, or a kind of question. Whoever finds out
  /// reports it here, and it is not asked again until the next connection, which may lead to a newer node.
  [[nodiscard]] bool lacks(const std::string& what) const { return lacking_.count(what) != 0; }
  void note_lacking(const std::string& what) { lacking_.insert(what); }

  /// Closes the connection and forgets every request.
  void lose();

  [[nodiscard]] int descriptor() const { return transport_->descriptor(); }
  [[nodiscard]] bool wants_to_write() const { return !outgoing_.empty(); }
  /// The latest time at which pump() must be called.
  [[nodiscard]] std::optional<MonoNs> deadline() const;
  /// How many answers came on this connection.
  [[nodiscard]] std::uint64_t answers() const { return answers_; }

 private:
  struct Call {
    Handler handler;
    Dropped dropped;
    Dropped expired;  ///< empty: if there is no answer, the connection is given up
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
  std::unordered_set<std::string> lacking_;  ///< at most one entry for each kind of question in our own code
  std::uint64_t answers_ = 0;
};

}  // namespace paytower
