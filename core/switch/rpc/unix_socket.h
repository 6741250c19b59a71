// A Unix stream socket as a client uses it, and who sits at its other end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/base/error.h"

namespace paytower {

/// One run of the node's process (restart proof): no other run ever has the same three.
struct DaemonIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< /proc/PID/stat, field 22
  std::string boot_id;
  bool operator==(const DaemonIdentity&) const = default;
};

/// The run of the process `pid`, if its command is `comm` and it is visible in our /proc. Nothing otherwise: behind a
/// forwarder, in another pid namespace, or for a process that is gone.
[[nodiscard]] std::optional<DaemonIdentity> daemon_identity(pid_t pid, std::string_view comm);

/// "PID:TICKS:BOOT": at most limits::max_switch_run_chars.
[[nodiscard]] std::string run_name(const DaemonIdentity& identity);

/// The credentials of whoever listens.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};

/// Never blocks, never half-closes. Owns its descriptor.
class UnixSocket {
 public:
  UnixSocket() = default;
  ~UnixSocket();
  UnixSocket(UnixSocket&& other) noexcept;
  UnixSocket& operator=(UnixSocket&& other) noexcept;

  /// The longest path that the system can connect to.
  static constexpr std::size_t max_path = 107;

  /// Errc::switch_unavailable with the system's words when nobody listens there or we may not.
  [[nodiscard]] static Result<UnixSocket> connect(const std::string& path);

  [[nodiscard]] bool open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  void close();

  /// SO_PEERCRED: who made the listening socket.
  [[nodiscard]] std::optional<Peer> peer() const;

  /// What can be moved now: the count, 0 when the call would block, nothing when the connection is gone (end of file
  /// included).
  [[nodiscard]] std::optional<std::size_t> read(std::span<char> buffer);
  [[nodiscard]] std::optional<std::size_t> write(std::string_view text);

 private:
  explicit UnixSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace paytower
