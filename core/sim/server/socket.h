// The server's end of a Unix socket: one server for each path, and only its owner can connect.
#pragma once

#include <string>
#include <utility>

namespace paytower::sim {

/// A descriptor that is closed together with its owner.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() { close(); }
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  void close();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// A listening socket at a path. Only the process that holds `PATH.lock` (made 0600, never removed) may be the server
/// there. The lock ends with the process, so what a killed one left behind is known to be outdated.
class ListeningSocket {
 public:
  /// Locks and listens. Throws SwitchError, and refuses what RpcServer::open returns as an error.
  explicit ListeningSocket(std::string path);
  /// Removes the socket file, unless somebody else's is there by now.
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Nobody can connect any more. The file stays, as when a node is killed.
  void refuse();
  /// Listens again.
  void listen();
  [[nodiscard]] bool listening() const { return socket_.is_open(); }
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// A new client, non-blocking; not open if none waits.
  [[nodiscard]] OpenFile accept();

 private:
  void remove_stale() const;

  std::string path_;
  OpenFile lock_;
  OpenFile socket_;
  unsigned long device_ = 0;  ///< of the socket file that we made
  unsigned long inode_ = 0;
};

}  // namespace paytower::sim
