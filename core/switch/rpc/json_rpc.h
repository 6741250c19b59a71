// JSON-RPC 2.0 as a Core Lightning node speaks it on its Unix socket: requests are single objects, answers end with
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

// JSON-RPC's own error codes.
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;

/// Cuts a stream into single answers. An answer never contains a raw newline, so "\n\n" always ends it.
class FrameSplitter {
 public:
  explicit FrameSplitter(std::size_t max_frame) : max_frame_(max_frame) {}

  /// Adds what was read. Call next() until it gives nothing before adding more. False if an answer grows beyond the
  /// bound: then the stream cannot be used any more.
  [[nodiscard]] bool feed(std::string_view bytes);
  /// The next whole answer without its end. Nothing if there is none yet.
  [[nodiscard]] std::optional<std::string> next();

 private:
  std::size_t max_frame_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< the first byte that was not given out
  std::size_t seen_ = 0;   ///< there is no end before this byte
};

struct RpcError {
  std::int64_t code = 0;
  std::string message;  ///< what the node said: untrusted
  nlohmann::json data;  ///< null if there is none
};

/// One answer. Exactly one of the two is set.
struct RpcReply {
  std::string id;
  std::optional<nlohmann::json> result;
  std::optional<RpcError> error;
};

/// Reads one answer. Refused (Errc::usage): not JSON, nested too deep, not an object, an id that is not a string,
/// neither result nor error or both, an error without a whole code. A null id is refused too: the node sends it for a
/// request that it could not read, and then it never reads this connection again.
[[nodiscard]] Result<RpcReply> read_reply(std::string_view frame, std::size_t max_bytes);

/// The text of one request. `filter`: which fields of the answer are wanted; null: all.
[[nodiscard]] std::string request_text(const std::string& id, const std::string& method, const nlohmann::json& params,
                                       const nlohmann::json& filter = nullptr);

/// 128 random bits in hex: an answer to an older request, or a guess, never matches.
[[nodiscard]] std::string draw_request_id(Randomness& randomness);

}  // namespace paytower
