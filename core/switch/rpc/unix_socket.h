// A Unix stream socket on the client's side, and who serves it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

#include "core/switch/rpc/transport.h"

namespace paytower {

/// One run of the node's process: no other run ever has the same three values. Proves that it was restarted.
struct DaemonIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< /proc/PID/stat, field 22
  std::string boot_id;
  bool operator==(const DaemonIdentity&) const = default;
};

/// The run of the process `pid`, if its command is `comm` and we can see it in /proc. Otherwise nothing: behind a
/// forwarder, in another pid namespace, or if the process is gone.
[[nodiscard]] std::optional<DaemonIdentity> daemon_identity(pid_t pid, std::string_view comm);

/// "PID:TICKS:BOOT", at most limits::max_switch_run_chars.
[[nodiscard]] std::string run_name(const DaemonIdentity& identity);

/// Never half-closed. Owns its descriptor.
class UnixSocket final : public Transport {
 public:
  /// Throws SwitchError for a path that no socket can have.
  explicit UnixSocket(std::string path);
  ~UnixSocket() override { close(); }
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;

  /// The longest path that the system can connect to.
  static constexpr std::size_t max_path = 107;

  [[nodiscard]] Result<std::monostate> open() override;
  void close() override;
  [[nodiscard]] bool is_open() const override { return descriptor_ >= 0; }
  [[nodiscard]] const std::string& name() const override { return path_; }
  /// SO_PEERCRED: which user and process made the listening socket.
  [[nodiscard]] std::optional<Peer> peer() const override;
  [[nodiscard]] int descriptor() const override { return descriptor_; }
  [[nodiscard]] std::optional<std::size_t> read(std::span<char> buffer) override;
  [[nodiscard]] std::optional<std::size_t> write(std::string_view text) override;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace paytower
