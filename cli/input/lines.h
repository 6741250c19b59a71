// Lines of a file or a pipe, read as they come: reading never waits for a line that is not there yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/types.h"

namespace paytower::cli {

struct InputLine {
  std::uint64_t number = 0;  ///< from 1, blank ones counted
  std::string text{};        ///< without its end; empty when too_long
  bool too_long = false;     ///< longer than limits::max_batch_line_bytes: skipped
};

inline constexpr std::int64_t line_pause_ns = 20 * ns_per_ms;  ///< until an open pipe is looked at again

class LineReader {
 public:
  /// A file, or stdin for "-". Usage refusal when it cannot be opened.
  [[nodiscard]] static Result<LineReader> open(const std::string& path);
  ~LineReader();
  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;

  /// The next line that is not blank; nothing when none is complete yet, or at the end. Never blocks. Holds at most one
  /// line and one buffer. RefusalError(usage) when reading fails.
  [[nodiscard]] std::optional<InputLine> next();
  /// The end was reached and every line was given.
  [[nodiscard]] bool over() const { return ended_ && begin_ == held_.size(); }

 private:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] std::optional<InputLine> take();
  [[nodiscard]] bool fill();

  int descriptor_;
  std::string held_;  ///< read and not given yet, from begin_ on
  std::size_t begin_ = 0;
  std::size_t seen_ = 0;  ///< no line end before this
  std::uint64_t number_ = 0;
  bool skipping_ = false;  ///< inside a line that is too long
  bool ended_ = false;
};

/// How many lines that are not empty a regular file has now; 0 for a pipe or an unreadable file. One pass, one buffer.
[[nodiscard]] std::uint64_t count_lines(const std::string& path);

}  // namespace paytower::cli
