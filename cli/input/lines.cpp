// Lines of a batch file, read piece by piece within bounds.
#include "cli/input/lines.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1'024;

bool blank(const std::string& text) { return text.find_first_not_of(" \t\r") == std::string::npos; }

}  // namespace

Result<LineReader> LineReader::open(const std::string& path) {
  if (path == "-") return LineReader(STDIN_FILENO);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return Error{Errc::usage, fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  return LineReader(descriptor);
}

LineReader::~LineReader() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

LineReader::LineReader(LineReader&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), held_(std::move(other.held_)), begin_(other.begin_),
      seen_(other.seen_), number_(other.number_), skipping_(other.skipping_), ended_(other.ended_) {}

std::optional<InputLine> LineReader::next() {
  while (true) {
    while (auto line = take()) {
      if (line->too_long || !blank(line->text)) return line;
    }
    if (ended_ || !fill()) return std::nullopt;
  }
}

/// A line that is complete in what was read, or what stands behind the last line end.
std::optional<InputLine> LineReader::take() {
  const std::size_t end = held_.find('\n', seen_);
  if (end == std::string::npos && (!ended_ || begin_ == held_.size())) {
    seen_ = held_.size();
    if (held_.size() - begin_ <= limits::max_batch_line_bytes) return std::nullopt;
    const bool first = !std::exchange(skipping_, true);
    held_.clear();
    begin_ = seen_ = 0;
    if (!first) return std::nullopt;
    return InputLine{++number_, {}, true};
  }
  const std::size_t stop = end == std::string::npos ? held_.size() : end;
  std::string text = held_.substr(begin_, stop - begin_);
  begin_ = seen_ = end == std::string::npos ? stop : stop + 1;
  if (std::exchange(skipping_, false)) return InputLine{number_, {}, false};  // the rest of a line that was reported
  ++number_;
  if (text.size() > limits::max_batch_line_bytes) return InputLine{number_, {}, true};
  return InputLine{number_, std::move(text), false};
}

/// False when nothing is there to be read now.
bool LineReader::fill() {
  held_.erase(0, begin_);
  seen_ -= begin_;
  begin_ = 0;
  pollfd ready{descriptor_, POLLIN, 0};
  if (::poll(&ready, 1, 0) <= 0) return false;
  const std::size_t size = held_.size();
  held_.resize(size + buffer_bytes);
  const ssize_t got = ::read(descriptor_, held_.data() + size, buffer_bytes);
  held_.resize(size + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (got < 0) refuse(Errc::usage, fmt::format("cannot read the batch: {}", std::strerror(errno)));
  if (got == 0) ended_ = true;
  return true;
}

std::uint64_t count_lines(const std::string& path) {
  struct stat status {};
  if (path == "-" || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  std::string buffer(buffer_bytes, '\0');
  std::uint64_t lines = 0;
  std::uint64_t left =
      static_cast<std::uint64_t>(status.st_size);  // what is written behind it meanwhile is not waited for
  char last = '\n';
  while (left > 0) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (last == '\n' && c != '\n') ++lines;
      last = c;
    }
    left -= std::min(left, static_cast<std::uint64_t>(got));
  }
  ::close(descriptor);
  return lines;
}

}  // namespace paytower::cli
