// What the live line of `send`, `send --batch` and `resume` says while they wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/payment/payment.h"

namespace paytower::cli {

/// How long something has gone on, for a line that is read while it grows: "12 s", "5 min 10 s", "7 h 40 min", "3 d 4
/// h".
[[nodiscard]] std::string age_text(std::int64_t ns);

/// As many of the pieces, from the first one on, as fit into `columns`; the first one always.
[[nodiscard]] std::string fitting(std::span<const std::string> pieces, std::size_t columns);

/// One payment that is waited for, at `now`. `leaves`: when the command stops waiting; nothing: never.
/// "In flight 12 s: attempt 1 of 20, 3 hops, waits until 12:49:21Z (Ctrl-C is safe)".
[[nodiscard]] std::string waiting_text(const Payment& payment, UnixNs now, const std::optional<UnixNs>& leaves,
                                       std::size_t columns);

/// How the payments of one call stand.
struct RunCounts {
  std::uint64_t paid = 0;
  std::uint64_t failed = 0;
  std::uint64_t refused = 0;
  std::uint64_t in_flight = 0;
  std::optional<std::uint64_t> left{};  ///< not begun, or without an HTLC; nothing: not known
  std::uint64_t awaited = 0;            ///< those that are left, and those in flight whose end this call waits for
};

/// How fast payments end, by the last ten seconds: what came before (a slow start, a burst) says little of what comes.
class Pace {
 public:
  /// `done` payments had ended at `now`.
  void saw(MonoNs now, std::uint64_t done);
  /// In a second; nothing before two seconds have been seen.
  [[nodiscard]] std::optional<double> per_second() const;
  /// How long `left` more take at this pace; nothing where too little was seen to tell.
  [[nodiscard]] std::optional<std::int64_t> time_for(std::uint64_t left) const;

 private:
  struct Sample {
    MonoNs at;
    std::uint64_t done;
  };
  std::deque<Sample> samples_;
};

/// "12 paid, 1 failed, 3 in flight, 584 left, 45/s, about 13 s to go (Ctrl-C is safe)".
[[nodiscard]] std::string counts_text(const RunCounts& counts, const Pace& pace, std::size_t columns);

/// How many of them have an HTLC that may still pay.
[[nodiscard]] std::uint64_t count_in_flight(std::span<const Payment* const> payments);

}  // namespace paytower::cli
