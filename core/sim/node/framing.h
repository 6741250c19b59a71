// How requests come on a Core Lightning socket: JSON objects one after the other, with or without white space between
// them.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace paytower::sim {

/// If more than this waits to be read, the connection ends. (The real node has no bound; a request of 16 MB keeps it
/// busy for two seconds.)
inline constexpr std::size_t max_request_bytes = std::size_t{20} << 20;

/// Cuts what a client writes into requests. Stricter than the node, which accepts more than JSON: a client that writes
/// anything else, or what read_json refuses, is told so once and never read again, and nothing that waited unread with
/// it is executed.
class RequestFramer {
 public:
  /// Adds what was read. REQUIRES: not dead.
  void feed(std::string_view data);
  /// The next whole request. Also nothing if it cannot be read.
  [[nodiscard]] std::optional<nlohmann::json> next();
  [[nodiscard]] bool has_next() const { return !whole_.empty(); }
  /// Nothing more is read from this client: its text is malformed, too long or too deep.
  [[nodiscard]] bool dead() const { return dead_; }
  /// Why it is dead: the message of the answer (with a null id). Given once.
  [[nodiscard]] std::optional<std::string> take_complaint();

 private:
  void die(std::string complaint);

  std::deque<std::string> whole_;
  std::string open_;       ///< what came of the unfinished request
  std::size_t bytes_ = 0;  ///< of all of these
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;  ///< the next byte of a string is not special
  bool dead_ = false;
  std::optional<std::string> complaint_;
};

}  // namespace paytower::sim
