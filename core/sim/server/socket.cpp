// A listening Unix socket that only one server at a time can have.
#include "core/sim/server/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "core/base/refuse.h"

namespace paytower::sim {

namespace {

constexpr int backlog = 128;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    refuse(Errc::usage,
           fmt::format("the path of a Unix socket has 1 to {} bytes: {}", sizeof(address.sun_path) - 1, path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw SwitchError(fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

[[noreturn]] void refuse_second(const std::string& path) {
  refuse(Errc::busy, fmt::format("another server listens on {}; nothing was changed", path),
         "paytower simulate serve --help");
}

/// Files that are made while this lives get the mode 0600 from the beginning.
class OwnFilesOnly {
 public:
  OwnFilesOnly() : before_(::umask(0177)) {}
  ~OwnFilesOnly() { ::umask(before_); }
  OwnFilesOnly(const OwnFilesOnly&) = delete;
  OwnFilesOnly& operator=(const OwnFilesOnly&) = delete;

 private:
  mode_t before_;
};

OpenFile new_socket(const std::string& path) {
  OpenFile made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.is_open()) fail("cannot make a socket for", path);
  return made;
}

}  // namespace

void OpenFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

ListeningSocket::ListeningSocket(std::string path) : path_(std::move(path)) {
  (void)address_of(path_);
  const std::string lock_path = fmt::format("{}.lock", path_);
  {
    const OwnFilesOnly guard;
    lock_ = OpenFile(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  }
  if (!lock_.is_open()) fail("cannot open", lock_path);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) refuse_second(path_);
    fail("cannot lock", lock_path);
  }
  listen();
}

ListeningSocket::~ListeningSocket() {
  struct stat found {};
  const bool ours =
      device_ != 0 && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (ours) (void)::unlink(path_.c_str());
}

/// Removes what is at the path, if it is a socket on which nobody listens. REQUIRES: the lock is held.
void ListeningSocket::remove_stale() const {
  struct stat found {};
  if (::lstat(path_.c_str(), &found) != 0) {
    if (errno == ENOENT) return;
    fail("cannot look at", path_);
  }
  if (!S_ISSOCK(found.st_mode))
    paytower::refuse(Errc::usage, fmt::format("{} is there already and is not a socket; nothing was changed", path_));
  // A server of another kind does not know our lock.
  const sockaddr_un address = address_of(path_);
  const OpenFile probe = new_socket(path_);
  const bool answered = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (answered || errno == EAGAIN) refuse_second(path_);
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) fail("cannot remove", path_);
}

void ListeningSocket::listen() {
  remove_stale();
  const sockaddr_un address = address_of(path_);
  OpenFile made = new_socket(path_);
  {
    const OwnFilesOnly guard;
    if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      fail("cannot make", path_);
  }
  struct stat found {};
  if (::lstat(path_.c_str(), &found) == 0) {
    device_ = found.st_dev;
    inode_ = found.st_ino;
  }
  if (::listen(made.get(), backlog) != 0) fail("cannot listen on", path_);
  socket_ = std::move(made);
}

void ListeningSocket::refuse() { socket_.close(); }

OpenFile ListeningSocket::accept() {
  if (!socket_.is_open()) return OpenFile();
  return OpenFile(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace paytower::sim
