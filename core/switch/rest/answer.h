// One HTTP/1.1 answer out of bytes, without a socket: what a hostile server says goes in, what may be used comes out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/types.h"

namespace paytower {

/// The head of an answer.
struct RestHead {
  int status = 0;
  /// The server's clock when it wrote this: whole seconds, so never later than its clock was. Nothing if it gives no
  /// time, or one that cannot be read.
  std::optional<UnixNs> date;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT", the only form that a server may write.
[[nodiscard]] std::optional<UnixNs> read_http_date(std::string_view text);

/// Keeps at most max_head_bytes besides what it gives out (R16).
class AnswerReader {
 public:
  enum class Form {
    whole,  ///< one body, whose length the server says
    lines,  ///< a stream of lines, which may also end with the connection
  };
  enum class State { reading, complete, refused };

  /// Neither a head, nor the head of a chunk, nor the trailer is longer than this.
  static constexpr std::size_t max_head_bytes = 16'384;
  /// How many 1xx answers may come before the real one.
  static constexpr unsigned max_interim_answers = 8;

  /// `max_bytes` bounds the body, or each line of a stream.
  AnswerReader(Form form, std::size_t max_bytes);
  ~AnswerReader();
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  State feed(std::string_view bytes);
  /// No more bytes come. `orderly`: TLS says that nothing was cut off. Never returns `reading`.
  State end(bool orderly);

  /// The lines of a stream without their ends, as they come; blank ones are skipped. What comes after the last newline
  /// is a line too if the stream is complete, but not if it was cut.
  [[nodiscard]] std::optional<std::string> next_line();

  /// The status is 0 until the whole head has come.
  [[nodiscard]] const RestHead& head() const;
  /// REQUIRES: complete, and the form is `whole`.
  [[nodiscard]] std::string take_body();
  /// Complete, without a byte after it, and the server keeps the connection open.
  [[nodiscard]] bool reusable() const;
  /// For people: why it was refused.
  [[nodiscard]] const std::string& why() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace paytower
