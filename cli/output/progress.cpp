// Decides when the line is drawn: after a second of silence, and not too often.
#include "cli/output/progress.h"

#include <utility>

#include <unistd.h>

#include <fmt/core.h>

#include "cli/output/render_text.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t silent_ns = ns_per_second;
constexpr std::int64_t pause_ns = 100 * ns_per_ms;

}  // namespace

LiveLine::LiveLine(Output& output, Clock& clock)
    : output_(output), clock_(clock), active_(::isatty(STDERR_FILENO) == 1 && !output.quiet() && !output.json()),
      start_(clock.mono()), drawn_(start_) {}

LiveLine::~LiveLine() { end(); }

bool LiveLine::due() const {
  if (!active_) return false;
  const MonoNs now = clock_.mono();
  return now.value - start_.value >= silent_ns && now.value - drawn_.value >= pause_ns;
}

// One less: in the last one some terminals go to the next line.
std::size_t LiveLine::columns() { return terminal_columns(STDERR_FILENO) - 1; }

void LiveLine::show(const std::string& text) {
  drawn_ = clock_.mono();
  output_.show_live(text);
}

void LiveLine::end() { output_.clear_live(); }

Progress::Progress(Output& output, Clock& clock, std::string what)
    : line_(output, clock), clock_(clock), what_(std::move(what)), start_(clock.mono()) {}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  if (line_.due()) line_.show(progress_text(what_, done, total, clock_.mono().value - start_.value));
}

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::int64_t elapsed_ns) {
  const std::uint64_t ms = static_cast<std::uint64_t>(elapsed_ns / ns_per_ms);
  const std::uint64_t rate = ms == 0 ? 0 : done * 1000 / ms;
  std::string text = fmt::format("{}: {}", what, grouped(done));
  if (total > 0) text += fmt::format(" of {}", grouped(total));
  text += fmt::format(", {}/s", grouped(rate));
  if (total > done && done > 0 && ms > 0) {
    const double left_ms = static_cast<double>(total - done) * static_cast<double>(ms) / static_cast<double>(done);
    text += fmt::format(", {} left", elapsed_text(static_cast<std::int64_t>(left_ms) * ns_per_ms));
  }
  return text;
}

}  // namespace paytower::cli
