// A program that is told how each payment of this call has ended (--on-end). The money does not wait for it: it is
// started after the COMMIT, never waited for while payments are driven, and whatever it does changes no result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cli/output/output.h"
#include "core/driver/ports.h"
#include "core/payment/payment.h"

namespace paytower::cli {

// Bounds (R16).
inline constexpr std::int64_t program_runs_ns = 30 * ns_per_second;  ///< then it is killed
inline constexpr std::size_t programs_at_once = 8;
inline constexpr std::size_t programs_waiting = 10'000;
inline constexpr std::size_t most_program_words = 32;

/// The words of --on-end: separated by blanks, without a shell, the first one an absolute path. Usage refusals.
[[nodiscard]] Result<std::vector<std::string>> parse_program(std::string_view text);

class OnEnd {
 public:
  /// `program` empty: nothing is ever run.
  OnEnd(Output& output, Clock& clock, std::vector<std::string> program);
  /// Kills what still runs.
  ~OnEnd();
  OnEnd(const OnEnd&) = delete;
  OnEnd& operator=(const OnEnd&) = delete;

  /// The payment has changed, and that is durable. Its end is told once no part of it is open.
  void changed(const Payment& payment);
  /// This call is done with the payment: its end is told now, whatever is open of it.
  void left(const Payment& payment);
  /// Starts what waits, collects what has ended, and kills what has run for too long. Returns at once.
  void turn();
  /// The payments are over, and their results written. Stays until every program has ended, program_runs_ns at most,
  /// and a second at most after a stop signal; what is left then is killed or not begun, and told.
  void finish();

 private:
  struct Told {
    PaymentHash hash;
    std::string json;
  };
  struct Running {
    pid_t process = 0;
    PaymentHash hash;
    MonoNs kill_at;
    bool killed = false;
  };

  void tell(const Payment& payment);
  void start(const Told& told);
  void collect();
  void kill_late(MonoNs now);
  void give_up();
  [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }

  Output& output_;
  Clock& clock_;
  std::vector<std::string> program_;
  std::set<PaymentIndex> parts_open_;  ///< ended, and not told yet
  std::deque<Told> waiting_;
  std::vector<Running> running_;
};

}  // namespace paytower::cli
