// The real clock, randomness, signals, waiting, and files that are read whole.
#include "cli/system/system.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <system_error>

#include <fmt/core.h>

namespace paytower::cli {

namespace {

constexpr std::array<int, 3> stop_signals{SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t first_signal = 0;

extern "C" void note_signal(int signal) {
  if (first_signal != 0) ::_exit(128 + first_signal);
  first_signal = signal;
}

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : stop_signals) sigaddset(&set, signal);
  return set;
}

timespec to_timespec(std::int64_t ns) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(ns / ns_per_second);
  time.tv_nsec = static_cast<long>(ns % ns_per_second);
  return time;
}

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) throw std::system_error(errno, std::generic_category(), "clock_gettime");
  return static_cast<std::int64_t>(time.tv_sec) * ns_per_second + time.tv_nsec;
}

/// Waits with the stop signals let in, so that one that came before ends the wait at once. True when `file` became
/// ready.
bool wait_open(std::int64_t ns, pollfd* file = nullptr) {
  sigset_t open;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &open);
  for (const int signal : stop_signals) sigdelset(&open, signal);
  const timespec time = to_timespec(std::max<std::int64_t>(ns, 0));
  const int ready = ::ppoll(file, file != nullptr ? 1 : 0, &time, &open);
  if (first_signal != 0) {
    const sigset_t set = stop_set();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  return ready > 0;
}

}  // namespace

SignalGuard::SignalGuard() {
  const sigset_t set = stop_set();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : stop_signals) {
    // nohup and cron jobs ignore SIGHUP on purpose: what was ignored stays ignored.
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      ::sigaction(signal, &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  const sigset_t set = stop_set();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int stop_signal_seen() {
  if (first_signal == 0) (void)wait_open(0);
  return first_signal;
}

void ignore_signals_of_writes() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) (void)std::signal(signal, SIG_IGN);
}

// Neither can fail for a process that lowers its own limits; if a kernel refuses all the same, payments still work.
void keep_memory_private() {
  const rlimit none{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &none);
#if !defined(PAYTOWER_SANITIZED)  // the leak checker attaches to its own process
  (void)::prctl(PR_SET_DUMPABLE, 0);
#endif
}

UnixNs SystemClock::wall() { return UnixNs{read_clock(CLOCK_REALTIME)}; }
MonoNs SystemClock::mono() { return MonoNs{read_clock(CLOCK_BOOTTIME)}; }
void SystemClock::sleep_until(MonoNs until) { (void)wait_open(until.value - mono().value); }
int SystemClock::stop_signal() { return stop_signal_seen(); }

bool SystemPoller::wait(int descriptor, bool write, MonoNs until) {
  pollfd file{};
  file.fd = descriptor;  // a negative one is passed over
  file.events = static_cast<short>(write ? POLLIN | POLLOUT : POLLIN);
  return wait_open(until.value - clock_.mono().value, &file);
}

void SystemRandomness::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::system_error(errno, std::generic_category(), "getrandom");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : fmt::format("uid {}", ::getuid());
}

Result<std::uint32_t> user_id(const std::string& name_or_number) {
  if (const passwd* entry = ::getpwnam(name_or_number.c_str())) return entry->pw_uid;
  std::uint32_t number = 0;
  const char* const end = name_or_number.data() + name_or_number.size();
  const auto [stop, trouble] = std::from_chars(name_or_number.data(), end, number);
  if (trouble == std::errc{} && stop == end && number != static_cast<uid_t>(-1)) return number;
  return Error{Errc::usage, fmt::format("there is no user \"{:.80}\" on this machine", name_or_number),
               "ps -o user:32= -C lightningd"};
}

std::optional<Error> objection_to_home(std::string_view path) {
  if (path != "~" && path.substr(0, 2) != "~/") return std::nullopt;
  return usage(fmt::format("\"{:.80}\" begins with ~, which only a shell replaces: write the whole path", path));
}

std::optional<Error> socket_path_objection(const std::string& path) {
  constexpr std::size_t most = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.size() <= most) return std::nullopt;
  return Error{
      Errc::usage,
      fmt::format("the path of a Unix socket has at most {} bytes, this one has {}: name it from its own folder", most,
                  path.size())};
}

namespace {

Error cannot_read(const std::string& name) {
  return Error{Errc::usage, fmt::format("cannot read {}: {}", name, std::strerror(errno))};
}

/// Closes what it was given, unless that is stdin.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number > STDIN_FILENO) ::close(number);
  }
};

Result<std::string> read_all(const Descriptor& file, const std::string& name, std::size_t max_bytes) {
  std::string text;
  std::array<char, 16'384> buffer{};
  while (true) {
    const ssize_t got = ::read(file.number, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(name);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > max_bytes) return Error{Errc::usage, fmt::format("{} is larger than {} bytes", name, max_bytes)};
  }
}

}  // namespace

Result<std::string> read_input(const std::string& path, std::size_t max_bytes) {
  const std::string name = path == "-" ? "stdin" : path;
  const Descriptor file{path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) return cannot_read(name);
  return read_all(file, name, max_bytes);
}

// Owner and mode of the open file count, whatever path or link led to it. Its folder does not matter: a file that
// others put there belongs to them.
Result<std::string> read_trusted(const std::string& path, std::size_t max_bytes) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat seen {};
  if (file.number < 0 || ::fstat(file.number, &seen) != 0) return cannot_read(path);
  if (S_ISCHR(seen.st_mode)) return read_all(file, path, max_bytes);  // /dev/null
  if (seen.st_uid != 0 && seen.st_uid != ::geteuid()) {
    return Error{
        Errc::usage,
        fmt::format("{} belongs to another user (uid {}), who could have it name another switch or database; it "
                    "was not read",
                    path, seen.st_uid),
        fmt::format("chown $(id -u) {}", path)};
  }
  if ((seen.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{
        Errc::usage,
        fmt::format("{} can be written by others, who could have it name another switch or database; it was not "
                    "read",
                    path),
        fmt::format("chmod go-w {}", path)};
  }
  return read_all(file, path, max_bytes);
}

}  // namespace paytower::cli
