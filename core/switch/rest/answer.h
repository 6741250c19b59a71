// One HTTP/1.1 answer out of bytes, without a socket: what a hostile server says goes in, what may be used comes out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/types.h"

namespace paytower {

/// What stands above an answer's body.
struct RestHead {
  int status = 0;
  /// The server's clock when it wrote this: whole seconds, so never later than its clock was. Nothing where it says no
  /// time, or one that cannot be read.
  std::optional<UnixNs> date;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT", the only form that a server may make.
[[nodiscard]] std::optional<UnixNs> read_http_date(std::string_view text);

/// Keeps at most max_head_bytes beside what it gives out (R16).
class AnswerReader {
 public:
  enum class Form {
    whole,  ///< one body whose length the server says
    lines,  ///< a stream of lines, which may also end with the connection
  };
  enum class State { reading, complete, refused };

  /// A head, a chunk's head and the trailer are not longer than this.
  static constexpr std::size_t max_head_bytes = 16'384;
  /// Answers of 1xx before the one that counts.
  static constexpr unsigned max_interim_answers = 8;

  /// `max_bytes` bounds the body, or of a stream each line.
  AnswerReader(Form form, std::size_t max_bytes);
  ~AnswerReader();
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  State feed(std::string_view bytes);
  /// No more bytes come. `orderly`: TLS says that nothing was cut off. Never `reading`.
  State end(bool orderly);

  /// A stream's lines without their ends, as they come; blank ones are passed over. What stands behind the last newline
  /// of a complete stream is a line too, that of a cut one is not.
  [[nodiscard]] std::optional<std::string> next_line();

  /// Status 0 before the whole head has come.
  [[nodiscard]] const RestHead& head() const;
  /// REQUIRES: complete, and the form is `whole`.
  [[nodiscard]] std::string take_body();
  /// Complete, not a byte behind it, and the server keeps the connection.
  [[nodiscard]] bool reusable() const;
  /// Why it was refused, for people.
  [[nodiscard]] const std::string& why() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace paytower
