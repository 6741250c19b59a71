// A Unix stream socket, and which process serves it.
#include "core/switch/rpc/unix_socket.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/core.h>

namespace paytower {

namespace {

/// A small file of /proc. Nothing if it cannot be read as a whole.
std::optional<std::string> read_small(const std::string& path) {
  std::array<char, 4'096> buffer{};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const ssize_t got = ::read(file, buffer.data(), buffer.size());
  ::close(file);
  if (got <= 0 || static_cast<std::size_t>(got) == buffer.size()) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(got));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// Field 22 of /proc/PID/stat. The command may contain spaces and brackets, so counting starts after the last bracket.
std::optional<std::uint64_t> start_ticks_of(const std::string& stat) {
  constexpr int fields_behind_the_command = 20;
  std::size_t at = stat.rfind(')');
  for (int field = 0; field < fields_behind_the_command && at != std::string::npos; ++field)
    at = stat.find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t ticks = 0;
  const char* const begin = stat.data() + at + 1;
  const auto [end, errc] = std::from_chars(begin, stat.data() + stat.size(), ticks);
  if (errc != std::errc{} || end == begin) return std::nullopt;
  return ticks;
}

Error unavailable(const std::string& path, const char* why) {
  return Error{Errc::switch_unavailable, fmt::format("cannot connect to the node at {}: {}", path, why), {}};
}

}  // namespace

std::optional<DaemonIdentity> daemon_identity(pid_t pid, std::string_view comm) {
  if (pid <= 0) return std::nullopt;  // 0: the peer lives in a pid namespace that we cannot see
  const auto name = read_small(fmt::format("/proc/{}/comm", pid));
  const auto stat = read_small(fmt::format("/proc/{}/stat", pid));
  auto boot = read_small("/proc/sys/kernel/random/boot_id");
  if (!name || *name != comm || !stat || !boot) return std::nullopt;
  const auto ticks = start_ticks_of(*stat);
  if (!ticks) return std::nullopt;
  return DaemonIdentity{pid, *ticks, std::move(*boot)};
}

std::string run_name(const DaemonIdentity& identity) {
  return fmt::format("{}:{}:{}", identity.pid, identity.start_ticks, identity.boot_id);
}

UnixSocket::UnixSocket(std::string path) : path_(std::move(path)) {
  if (path_.empty() || path_.size() > max_path) {
    throw SwitchError(fmt::format("a socket's path has 1 to {} characters: cln:{}", max_path, path_.substr(0, 200)));
  }
}

void UnixSocket::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Result<std::monostate> UnixSocket::open() {
  close();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  // A Unix socket connects at once or not at all; EAGAIN means that its queue is full.
  if (descriptor_ < 0 || ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const char* why = std::strerror(errno);
    close();
    return unavailable(path_, why);
  }
  return std::monostate{};
}

std::optional<Peer> UnixSocket::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor_, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || size != sizeof credentials)
    return std::nullopt;
  return Peer{credentials.pid, credentials.uid};
}

std::optional<std::size_t> UnixSocket::read(std::span<char> buffer) {
  const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  return std::nullopt;
}

std::optional<std::size_t> UnixSocket::write(std::string_view text) {
  const ssize_t put = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
  if (put >= 0) return static_cast<std::size_t>(put);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  return std::nullopt;
}

}  // namespace paytower
