// HTTPS to one node: many requests at once, each on a connection of its own, and each told how it ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/limits.h"
#include "core/driver/ports.h"
#include "core/switch/rest/answer.h"

namespace paytower {

/// How a request ended.
struct RestEnd {
  enum class Kind {
    not_written,  ///< nobody can ever read the request's last byte: it was not executed, and it never will be
    answered,     ///< a whole answer, whatever it says; of a stream: its end, and nothing is missing
    lost,         ///< anything else: executed, not executed, or still to be executed
  };
  Kind kind = Kind::lost;
  RestHead head;     ///< also of a stream that was cut; status 0 when no head came
  std::string body;  ///< empty for a stream
  std::string why;   ///< for people, of what has no answer; holds nothing of the request
};

struct RestRequest {
  std::string method;  ///< "GET", "POST", "DELETE"
  std::string target;  ///< path and query
  /// JSON, whose last byte closes it: a server that stops reading at the closing brace must not get that far without
  /// the last byte.
  std::string body;
  std::string secret_name;              ///< of the header that carries the secret
  std::function<std::string()> secret;  ///< asked when the request is written; wiped, and never shown
  bool waits = false;                   ///< may wait long for its answer: a hand-over, a stream
  MonoNs answer_by;                     ///< the end of the whole answer
  std::size_t max_bytes = 16U << 20U;   ///< of the answer's body, or of each line of a stream (R16)
  /// Where it is given, the answer is a stream of lines, each told as it comes.
  std::function<void(const RestHead&, const std::string&)> line;
  std::function<void(const RestEnd&)> end;  ///< called exactly once, unless the request is dropped
};

/// Never blocks but in open(), and never writes a request twice. Whoever uses it waits for descriptor() and calls
/// pump(). Its queue is bounded by its user's calls.
class RestClient {
 public:
  /// Requests that may wait long and are on their way at once: all hand-overs that a channel holds, and streams. And
  /// quick ones, for which a few connections are kept. Others wait for their turn (R16).
  static constexpr std::size_t max_waiting_long = limits::max_batch_parallel + 8;
  static constexpr std::size_t max_quick = 8;
  static constexpr std::size_t max_idle = 8;  ///< connections that are kept for what comes next
  static constexpr std::size_t max_connections = max_waiting_long + max_quick + max_idle;
  static constexpr std::size_t max_request_bytes = 1U << 20U;
  /// TCP and TLS together; lnd's own takes a millisecond or two.
  static constexpr std::int64_t connect_patience_ns = 10 * ns_per_second;

  /// `certificate_file`: PEM; the node must show exactly one of its certificates (tls_socket.cpp:is_pinned). The clock
  /// must outlive this.
  RestClient(std::string host, std::uint16_t port, std::string certificate_file, Clock& clock);
  ~RestClient();  ///< tells nobody
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  /// Looks the host's name up, which may wait for the DNS, and makes OpenSSL ready; connects to nothing yet.
  /// Errc::switch_unavailable.
  [[nodiscard]] Result<std::monostate> open();
  [[nodiscard]] bool is_open() const;

  /// Queues a request; the next pump() writes it. The number that it gets is never used again. REQUIRES: is_open(), no
  /// blanks or control characters in the head, and at most max_request_bytes.
  std::uint64_t ask(RestRequest request);
  /// Nothing more is told of this request. If it was written, it may be executed all the same.
  void drop(std::uint64_t request);

  /// Does what can be done without waiting, and tells of it. True when anything has moved.
  bool pump();
  /// Closes every connection, and tells all who still wait.
  void lose();

  /// One for all connections. Negative while closed.
  [[nodiscard]] int descriptor() const;
  /// When pump() must be called at the latest.
  [[nodiscard]] std::optional<MonoNs> deadline() const;

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace paytower
