// One line on stderr for what takes longer than a second.
#pragma once

#include <cstdint>
#include <string>

#include "cli/output.h"
#include "core/ports.h"

namespace paytower::cli {

/// Silent unless stderr is a TTY and neither --quiet nor --json was given. Redrawn at most ten times a second; its line is
/// wiped when it ends, so that results stand alone.
class Progress {
 public:
  Progress(const Output& output, Clock& clock, std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `total` 0 = not known: then there is no time left to tell.
  void update(std::uint64_t done, std::uint64_t total);
  /// Wipes the line before a result is printed.
  void end();

 private:
  Clock& clock_;
  std::string what_;
  bool active_;
  bool shown_ = false;
  MonoNs start_;
  MonoNs drawn_;
};

/// "rows: 1200 of 5000, 600/s, 0 min 6 s left"
[[nodiscard]] std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total, std::int64_t elapsed_ns);

}  // namespace paytower::cli
