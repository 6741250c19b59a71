// How requests stand on a Core Lightning socket: JSON values one behind the other, with or without anything between
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace paytower::sim {

/// A longer request ends the talk. (The node has no bound; a request of 16 MB keeps it busy for two seconds.)
inline constexpr std::size_t max_request_bytes = std::size_t{20} << 20;
/// Values nested deeper are refused unread.
inline constexpr std::size_t max_request_depth = 16'384;

/// Follows JSON byte by byte: where a value ends, and whether it can still become one. Lax where the node's reader is:
/// a comma may stand before a closing bracket, and the value of a request may be anything.
class JsonScanner {
 public:
  enum class State : std::uint8_t {
    more,      ///< inside a value, or between two
    complete,  ///< this byte ended a value
    separate,  ///< the byte before this one ended a value (a bare number or word); this one belongs to no value
    broken,    ///< no value begins or goes on like this
  };
  [[nodiscard]] State take(unsigned char byte);
  /// No value has begun.
  [[nodiscard]] bool idle() const { return stack_.empty() && word_.empty() && !in_string_; }

 private:
  enum class Expect : std::uint8_t { value, value_or_close, key_or_close, colon, comma_or_close };

  State take_in_string(unsigned char byte);
  State take_outside(unsigned char byte);
  State open(char kind);
  State close(char kind);
  State value_done();
  [[nodiscard]] bool may_begin_value() const { return expect_ == Expect::value || expect_ == Expect::value_or_close; }

  std::vector<char> stack_;
  Expect expect_ = Expect::value;
  std::string word_;  ///< number or literal that is not finished
  bool in_string_ = false;
  bool string_is_key_ = false;
  int escape_digits_ = -1;         ///< -1: no escape; 0: behind the backslash; 1 to 4: hex digits that must follow
  int utf8_left_ = 0;              ///< continuation bytes that must follow
  unsigned char utf8_low_ = 0x80;  ///< bounds of the next one (overlong forms, surrogates)
  unsigned char utf8_high_ = 0xBF;
};

/// Cuts what a client writes into requests. As the node does, it looks at all that was read before it acts on any of
/// it: a good request with garbage behind it in the same read is not handed out.
class RequestFramer {
 public:
  /// Takes what was read. REQUIRES: not dead.
  void feed(std::string_view data);
  /// The next complete value, in its own bytes.
  [[nodiscard]] std::optional<std::string> next();
  [[nodiscard]] bool has_next() const { return next_end_ < ends_.size(); }
  /// Nothing more is read from this client: malformed, too long or too deep.
  [[nodiscard]] bool dead() const { return dead_; }
  /// Why it is dead, once: the message of the answer (with id null). Nothing where the node keeps silent.
  [[nodiscard]] std::optional<std::string> take_complaint();

 private:
  void die(std::optional<std::string> complaint);

  std::string buffer_;
  std::size_t scanned_ = 0;
  std::vector<std::size_t> ends_;  ///< of the complete values, in order
  std::size_t next_end_ = 0;
  std::size_t start_ = 0;  ///< of the next value to hand out
  JsonScanner scanner_;
  bool quote_left_ = false;  ///< the node takes the closing quote of a bare string for the first byte of the next read
  bool dead_ = false;
  std::optional<std::string> complaint_;
};

/// A member of an object in the bytes of the request; the name without its quotes.
struct RawMember {
  std::string_view name;
  std::string_view value;
};

/// The members of an object, in order. REQUIRES: `raw` is an object that RequestFramer handed out, or a value within
/// one.
[[nodiscard]] std::vector<RawMember> members_of(std::string_view raw);
/// The elements of an array, likewise.
[[nodiscard]] std::vector<std::string_view> elements_of(std::string_view raw);
/// Without white space at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view raw);

}  // namespace paytower::sim
