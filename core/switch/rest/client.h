// HTTPS to one node: many requests at once, each on its own connection, and each is told how it ended.
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
    not_written,  ///< nobody can ever read the request's last byte: it was not executed and never will be
    answered,     ///< a complete answer, whatever it says; for a stream: its end, with nothing missing
    lost,         ///< anything else: executed, not executed, or still to be executed
  };
  Kind kind = Kind::lost;
  RestHead head;     ///< also for a stream that was cut; status 0 if no head came
  std::string body;  ///< empty for a stream
  std::string why;   ///< for people, if there is no answer; contains nothing of the request
};

struct RestRequest {
  std::string method;  ///< "GET", "POST", "DELETE"
  std::string target;  ///< path and query
  /// JSON that its last byte closes: so a server that stops reading at the closing brace cannot get there without the
  /// last byte.
  std::string body;
  std::string secret_name;              ///< the name of the header that carries the secret
  std::function<std::string()> secret;  ///< called when the request is written; the text is wiped and never shown
  bool waits = false;                   ///< the answer may take long: a payment, a stream
  MonoNs answer_by;                     ///< when the whole answer must be there
  std::size_t max_bytes = 16U << 20U;   ///< of the answer's body, or of each line of a stream (R16)
  /// If set, the answer is a stream of lines, and each line is reported as it comes.
  std::function<void(const RestHead&, const std::string&)> line;
  std::function<void(const RestEnd&)> end;  ///< called exactly once, unless the request is dropped
};

/// Blocks only in open(), and never writes a request twice. The user waits for descriptor() and calls pump(). The
/// user's calls are what limits the queue.
class RestClient {
 public:
  /// How many requests may be under way at once: slow ones, enough for all the payments that a channel holds and for
  /// streams; and quick ones, for which a few connections are kept open. More of them wait for their turn (R16).
  static constexpr std::size_t max_waiting_long = limits::max_batch_parallel + 8;
  static constexpr std::size_t max_quick = 8;
  static constexpr std::size_t max_idle = 8;  ///< connections that are kept open for later requests
  static constexpr std::size_t max_connections = max_waiting_long + max_quick + max_idle;
  static constexpr std::size_t max_request_bytes = 1U << 20U;
  /// For TCP and TLS together; lnd's own machine needs a millisecond or two.
  static constexpr std::int64_t connect_patience_ns = 10 * ns_per_second;

  /// `certificate_file`: PEM. The node must show one of the certificates in it, byte for byte
  /// (tls_socket.cpp:is_pinned). The clock must outlive this.
  RestClient(std::string host, std::uint16_t port, std::string certificate_file, Clock& clock);
  ~RestClient();  ///< reports nothing
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  /// Looks up the host's name, which may wait for the DNS, and prepares OpenSSL. Does not connect yet.
  /// Errc::switch_unavailable.
  [[nodiscard]] Result<std::monostate> open();
  [[nodiscard]] bool is_open() const;

  /// Queues a request; the next pump() writes it. Its number is never used again. REQUIRES: is_open(), no blanks or
  /// control characters in the head, and at most max_request_bytes.
  std::uint64_t ask(RestRequest request);
  /// Nothing more is reported about this request. If it was written, it may still be executed.
  void drop(std::uint64_t request);

  /// Does what can be done without waiting, and reports it. True if anything has moved.
  bool pump();
  /// Closes every connection, and tells everybody who still waits.
  void lose();

  /// One descriptor for all connections. Negative while closed.
  [[nodiscard]] int descriptor() const;
  /// The latest time at which pump() must be called.
  [[nodiscard]] std::optional<MonoNs> deadline() const;

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace paytower
