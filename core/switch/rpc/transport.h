// One connection to a node, whatever carries the bytes: a Unix socket, or a pipe to a node in this process.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/base/error.h"

namespace paytower {

/// The credentials of the process that listens.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};

/// Never blocks: the user waits for descriptor() with a Poller that knows this kind.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Makes a new connection, in place of an open one. Errc::switch_unavailable with the reason.
  [[nodiscard]] virtual Result<std::monostate> open() = 0;
  virtual void close() = 0;
  [[nodiscard]] virtual bool is_open() const = 0;
  /// For people: what this connects to, a path.
  [[nodiscard]] virtual const std::string& name() const = 0;
  /// Nothing if the system does not tell. REQUIRES: is_open().
  [[nodiscard]] virtual std::optional<Peer> peer() const = 0;
  /// Negative while nothing is open.
  [[nodiscard]] virtual int descriptor() const = 0;

  /// How many bytes could be moved now; 0 if the call would block; nothing if the connection is gone (also at its end).
  [[nodiscard]] virtual std::optional<std::size_t> read(std::span<char> buffer) = 0;
  [[nodiscard]] virtual std::optional<std::size_t> write(std::string_view text) = 0;
};

}  // namespace paytower
