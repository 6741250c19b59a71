// One line on stderr for what takes longer than a second.
#pragma once

#include <cstdint>
#include <string>

#include "cli/output/output.h"
#include "core/driver/ports.h"

namespace paytower::cli {

/// Silent unless stderr is a TTY and neither --quiet nor --json was given. Redrawn at most ten times a second; its line
/// is wiped when it ends and before anything else is printed, so that results stand alone.
class Progress {
 public:
  Progress(Output& output, Clock& clock, std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `total` 0 = not known: then there is no time left to tell.
  void update(std::uint64_t done, std::uint64_t total);
  /// Whether anybody would see it.
  [[nodiscard]] bool active() const { return active_; }
  /// Wipes the line before a result is printed.
  void end();

 private:
  Output& output_;
  Clock& clock_;
  std::string what_;
  bool active_;
  MonoNs start_;
  MonoNs drawn_;
};

/// "rows: 1,200 of 5,000, 600/s, 6.0 s left"
[[nodiscard]] std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                                        std::int64_t elapsed_ns);

}  // namespace paytower::cli
