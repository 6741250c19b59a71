// What comes from the operating system: the time, random bytes, and signals to stop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/driver/ports.h"
#include "core/switch/rpc/poller.h"

namespace paytower::cli {

/// While it exists, SIGINT, SIGTERM and SIGHUP are noted instead of ending the process. They are blocked except inside
/// the waits of SystemClock, so that none can arrive unseen between a test and a wait. After the first one they are no
/// longer blocked, and a second one ends the process at once: records come before acts, so nothing is lost.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

/// The first signal's number, 0 before it came. Lets a blocked one in first.
[[nodiscard]] int stop_signal_seen();

/// Writing to a pipe that nobody reads, or beyond the limit of file size, is an error that we see (EPIPE, EFBIG), not a
/// silent end.
void ignore_signals_of_writes();

/// Nothing of this process's memory (payment secrets, preimages) goes to a core file, and no other process of the user
/// can attach to it and read it.
void keep_memory_private();

class SystemClock final : public Clock {
 public:
  [[nodiscard]] UnixNs wall() override;
  /// Also counts while the machine sleeps (CLOCK_BOOTTIME): invoices expire meanwhile.
  [[nodiscard]] MonoNs mono() override;
  void sleep_until(MonoNs until) override;
  [[nodiscard]] int stop_signal() override;
};

/// Lets the stop signals in as SystemClock's waits do, and reads its time.
class SystemPoller final : public Poller {
 public:
  explicit SystemPoller(Clock& clock) : clock_(clock) {}
  bool wait(int descriptor, bool write, MonoNs until) override;

 private:
  Clock& clock_;
};

class SystemRandomness final : public Randomness {
 public:
  /// Throws std::system_error when the kernel has none to give.
  void fill(std::span<std::uint8_t> out) override;
};

/// The name of the user who runs this process, "uid 1000" without one: recorded with an operator's decision.
[[nodiscard]] std::string user_name();

/// The id of the user with this name, or of this number. Usage refusal when there is no such user.
[[nodiscard]] Result<std::uint32_t> user_id(const std::string& name_or_number);

/// A path that a config file or a flag names with ~, as only a shell reads it.
[[nodiscard]] std::optional<Error> objection_to_home(std::string_view path);
/// Why this path is too long for the address of a Unix socket. A relative path counts as given: `cd` makes it shorter.
[[nodiscard]] std::optional<Error> socket_path_objection(const std::string& path);

/// The whole of a file, or of stdin for "-". Usage refusal when it cannot be read or has more than `max_bytes`.
[[nodiscard]] Result<std::string> read_input(const std::string& path, std::size_t max_bytes);
/// A file that says what this program does (config): usage refusal also when it is neither ours nor root's, or when
/// others can write to it.
[[nodiscard]] Result<std::string> read_trusted(const std::string& path, std::size_t max_bytes);

}  // namespace paytower::cli
