// One line on stderr for what takes longer than a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/output/output.h"
#include "core/driver/ports.h"

namespace paytower::cli {

/// Silent in its first second, and always unless stderr is a TTY and neither --quiet nor --json was given. Redrawn at
/// most ten times a second; it is wiped when it ends and before anything else is printed, so that results stand alone.
class LiveLine {
 public:
  LiveLine(Output& output, Clock& clock);
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  /// Whether anybody would see it.
  [[nodiscard]] bool active() const { return active_; }
  /// Whether it is time to draw it (again).
  [[nodiscard]] bool due() const;
  /// How wide its text may be.
  [[nodiscard]] static std::size_t columns();
  void show(const std::string& text);
  /// Wipes the line before a result is printed.
  void end();

 private:
  Output& output_;
  Clock& clock_;
  bool active_;
  MonoNs start_;
  MonoNs drawn_;
};

/// How far something has come, on a LiveLine.
class Progress {
 public:
  Progress(Output& output, Clock& clock, std::string what);

  /// `total` 0 = not known: then there is no time left to tell.
  void update(std::uint64_t done, std::uint64_t total);
  [[nodiscard]] bool active() const { return line_.active(); }
  void end() { line_.end(); }

 private:
  LiveLine line_;
  Clock& clock_;
  std::string what_;
  MonoNs start_;
};

/// "rows: 1,200 of 5,000, 600/s, 6.3 s left"
[[nodiscard]] std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                                        std::int64_t elapsed_ns);

}  // namespace paytower::cli
