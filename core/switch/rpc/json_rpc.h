// JSON-RPC 2.0 as a Core Lightning node speaks it on its Unix socket: one object a request, answers that end with
// "\n\n".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/driver/ports.h"

namespace paytower {

/// Cuts a stream of answers into single ones. An answer never holds a raw newline, so "\n\n" ends it wherever it comes.
class FrameSplitter {
 public:
  explicit FrameSplitter(std::size_t max_frame) : max_frame_(max_frame) {}

  /// Takes what was read; next() is to be called until it gives nothing before more is fed. False when an answer grows
  /// beyond the bound: the stream cannot be used any more.
  [[nodiscard]] bool feed(std::string_view bytes);
  /// The next whole answer without its end, or nothing yet.
  [[nodiscard]] std::optional<std::string> next();

 private:
  std::size_t max_frame_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< first byte that was not handed out
  std::size_t seen_ = 0;   ///< no end stands before this byte
};

struct RpcError {
  std::int64_t code = 0;
  std::string message;  ///< the node's words: untrusted
  nlohmann::json data;  ///< null without one
};

/// One answer. Exactly one of the two is there.
struct RpcReply {
  std::string id;
  std::optional<nlohmann::json> result;
  std::optional<RpcError> error;
};

/// Reads one answer. Refused (Errc::usage): no JSON, too deep, no object, an id that is no string, neither a result nor
/// an error or both, an error without a whole code. An id of null is refused too: the node says so of a request that it
/// could not read, and then it never reads this connection again.
[[nodiscard]] Result<RpcReply> read_reply(std::string_view frame, std::size_t max_bytes);

/// The text of one request. `filter`: what of the answer is wanted, null for all of it.
[[nodiscard]] std::string request_text(const std::string& id, const std::string& method, const nlohmann::json& params,
                                       const nlohmann::json& filter = nullptr);

/// 128 random bits in hex: an answer to an older request, or a guess, never matches.
[[nodiscard]] std::string draw_request_id(Randomness& randomness);

}  // namespace paytower
