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

Progress::Progress(Output& output, Clock& clock, std::string what)
    : output_(output), clock_(clock), what_(std::move(what)),
      active_(::isatty(STDERR_FILENO) == 1 && !output.quiet() && !output.json()), start_(clock.mono()), drawn_(start_) {
}

Progress::~Progress() { end(); }

void Progress::end() { output_.clear_live(); }

void Progress::update(std::uint64_t done, std::uint64_t total) {
  if (!active_) return;
  const MonoNs now = clock_.mono();
  if (now.value - start_.value < silent_ns || now.value - drawn_.value < pause_ns) return;
  drawn_ = now;
  output_.show_live(progress_text(what_, done, total, now.value - start_.value));
}

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::int64_t elapsed_ns) {
  const std::uint64_t ms = static_cast<std::uint64_t>(elapsed_ns / ns_per_ms);
  const std::uint64_t rate = ms == 0 ? 0 : done * 1000 / ms;
  std::string text = fmt::format("{}: {}", what, grouped(done));
  if (total > 0) text += fmt::format(" of {}", grouped(total));
  text += fmt::format(", {}/s", grouped(rate));
  if (total > done && rate > 0)
    text += fmt::format(", {} left", elapsed_text(static_cast<std::int64_t>((total - done) / rate) * ns_per_second));
  return text;
}

}  // namespace paytower::cli
