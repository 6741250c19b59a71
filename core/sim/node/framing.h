// How requests stand on a Core Lightning socket: JSON objects one behind the other, with or without white space between
// them.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace paytower::sim {

/// More that waits to be read ends the talk. (The node has no bound; a request of 16 MB keeps it busy for two seconds.)
inline constexpr std::size_t max_request_bytes = std::size_t{20} << 20;

/// Cuts what a client writes into requests. Strict, where the node takes more than JSON: whoever writes anything else,
/// or what read_json refuses, is told so once and never read again, and nothing that stood unread with it is executed.
class RequestFramer {
 public:
  /// Takes what was read. REQUIRES: not dead.
  void feed(std::string_view data);
  /// The next whole request; nothing also when it cannot be read.
  [[nodiscard]] std::optional<nlohmann::json> next();
  [[nodiscard]] bool has_next() const { return !whole_.empty(); }
  /// Nothing more is read from this client: malformed, too long or too deep.
  [[nodiscard]] bool dead() const { return dead_; }
  /// Why it is dead, once: the message of the answer (with id null).
  [[nodiscard]] std::optional<std::string> take_complaint();

 private:
  void die(std::string complaint);

  std::deque<std::string> whole_;
  std::string open_;       ///< what came of the request that is not whole yet
  std::size_t bytes_ = 0;  ///< of all of these
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;  ///< the next byte of a string stands for itself
  bool dead_ = false;
  std::optional<std::string> complaint_;
};

}  // namespace paytower::sim
