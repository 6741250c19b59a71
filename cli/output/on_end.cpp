// Runs the command of --on-end for each payment that has ended.
#include "cli/output/on_end.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "cli/output/render.h"
#include "cli/output/text.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t look_ns = 20 * ns_per_ms;
constexpr std::int64_t farewell_ns = ns_per_second;

/// The text as a file without a name: a pipe would take only so much, and its writer would have to wait. Negative where
/// the machine has no room for it.
int file_of(std::string_view text) {
  const int file = ::memfd_create("payment", MFD_CLOEXEC);
  while (file >= 0 && !text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      ::close(file);
      return -1;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (file >= 0) (void)::lseek(file, 0, SEEK_SET);
  return file;
}

/// What the program gets: the payment as its stdin, our stderr, nothing else that we hold, the signals as usual, and a
/// group of its own, so that it is killed with its children and does not hear the terminal's Ctrl-C.
class SpawnPlan {
 public:
  explicit SpawnPlan(int input) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    for (const int one : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, one);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

std::string trouble_text(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace

Result<std::vector<std::string>> parse_program(std::string_view text) {
  if (text.find_first_of("\"'\\") != std::string_view::npos)
    return Error{Errc::usage, "there is no shell: quotes and backslashes do not join words; name a script"};
  std::vector<std::string> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.empty()) break;
    words.emplace_back(text.substr(0, text.find_first_of(" \t")));
    text.remove_prefix(words.back().size());
  }
  if (words.empty() || words.front().front() != '/')
    return Error{Errc::usage, "the program is named by its whole path, which begins with /"};
  if (words.size() > most_program_words)
    return Error{Errc::usage, fmt::format("the program has at most {} words", most_program_words)};
  return words;
}

OnEnd::OnEnd(Output& output, Clock& clock, std::vector<std::string> program)
    : output_(output), clock_(clock), program_(std::move(program)) {}

OnEnd::~OnEnd() {
  for (const Running& one : running_) (void)::kill(-one.process, SIGKILL);
}

void OnEnd::changed(const Payment& payment) {
  if (program_.empty() || !payment.ended_for_good()) return;
  if (!payment.has_open_attempt()) return tell(payment);
  parts_open_.insert(payment.index);
}

void OnEnd::left(const Payment& payment) {
  if (parts_open_.count(payment.index) != 0) tell(payment);
}

void OnEnd::tell(const Payment& payment) {
  parts_open_.erase(payment.index);
  const PaymentHash& hash = payment.request.hash;
  if (waiting_.size() >= programs_waiting)
    return output_.warn(
        fmt::format("--on-end: {} ends wait already; the program is not told of this one", grouped(programs_waiting)),
        hash);
  waiting_.push_back(Told{hash, fmt::format("{}\n", payment_text(PaymentView{&payment}))});
  turn();
}

void OnEnd::turn() {
  if (idle()) return;
  collect();
  kill_late(clock_.mono());
  while (!waiting_.empty() && running_.size() < programs_at_once) {
    start(waiting_.front());
    waiting_.pop_front();
  }
}

void OnEnd::start(const Told& told) {
  const int input = file_of(told.json);
  if (input < 0) return output_.warn("--on-end: there is no memory for the program's input", told.hash);
  std::vector<char*> words;
  for (std::string& word : program_) words.push_back(word.data());
  words.push_back(nullptr);
  const SpawnPlan plan(input);
  pid_t process = 0;
  const int trouble = ::posix_spawn(&process, words.front(), &plan.files, &plan.attributes, words.data(), environ);
  ::close(input);
  if (trouble != 0)
    return output_.warn(fmt::format("--on-end: cannot run {}: {}", program_.front(), std::strerror(trouble)),
                        told.hash);
  running_.push_back(Running{process, told.hash, MonoNs{clock_.mono().value + program_runs_ns}});
}

void OnEnd::collect() {
  const auto ended = [this](const Running& one) {
    int status = 0;
    const pid_t ended_process = ::waitpid(one.process, &status, WNOHANG);
    if (ended_process < 0 && errno == ECHILD) return true;  // who started us ignores SIGCHLD: nobody knows its status
    if (ended_process != one.process) return false;
    if (one.killed) {
      output_.warn(fmt::format("--on-end: {} ran for longer than {} s and was killed", program_.front(),
                               program_runs_ns / ns_per_second),
                   one.hash);
    } else if (status != 0) {
      output_.warn(fmt::format("--on-end: {} {}", program_.front(), trouble_text(status)), one.hash);
    }
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), ended), running_.end());
}

void OnEnd::kill_late(MonoNs now) {
  for (Running& one : running_) {
    if (one.killed || now < one.kill_at) continue;
    one.killed = ::kill(-one.process, SIGKILL) == 0;
  }
}

void OnEnd::finish() {
  MonoNs until{clock_.mono().value + program_runs_ns};
  bool stopping = false;
  while (!idle()) {
    turn();
    const MonoNs now = clock_.mono();
    if (!stopping && clock_.stop_signal() != 0) {
      stopping = true;
      until = std::min(until, MonoNs{now.value + farewell_ns});
    }
    if (idle()) return;
    if (now >= until) return give_up();
    clock_.sleep_until(MonoNs{now.value + look_ns});
  }
}

void OnEnd::give_up() {
  for (const Running& one : std::exchange(running_, {})) {
    (void)::kill(-one.process, SIGKILL);
    output_.warn(fmt::format("--on-end: {} had not ended when this command left, and was killed", program_.front()),
                 one.hash);
  }
  if (waiting_.empty()) return;
  output_.warn(fmt::format("--on-end: there was no time to tell {} of {} more; `paytower list` shows them",
                           program_.front(), grouped(waiting_.size())));
  waiting_.clear();
}

}  // namespace paytower::cli
