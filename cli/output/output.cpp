// stdout and stderr of a call, colours, and questions at a terminal.
#include "cli/output/output.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>

#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/system/system.h"

namespace paytower::cli {

namespace {

constexpr std::size_t flush_at = 64 * 1024;
constexpr std::size_t longest_answer = 200;

/// False when the descriptor cannot take all of it.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool environment_says(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

/// Whether the command of a hint asks the switch. Without one it would only be refused.
bool needs_switch(std::string_view command) {
  constexpr std::array<std::string_view, 2> with_switch{"resume", "resolve --restored"};
  return std::any_of(with_switch.begin(), with_switch.end(),
                     [command](std::string_view one) { return command.substr(0, one.size()) == one; });
}

/// False when a stop signal came instead.
bool input_came() {
  SystemClock clock;
  SystemPoller poller(clock);
  while (stop_signal_seen() == 0) {
    if (poller.wait(STDIN_FILENO, false, MonoNs{clock.mono().value + 3'600 * ns_per_second})) return true;
  }
  return false;
}

/// Colours are for stdout's status words only; stderr has none.
bool stdout_colored(ColorChoice choice) {
  switch (choice) {
    case ColorChoice::always: return true;
    case ColorChoice::never: return false;
    case ColorChoice::automatic: break;
  }
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0 || *term == '\0';
  return !environment_says("NO_COLOR") && !dumb && ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace

Error with_next_step(Error error, std::string_view command) {
  if (error.hint.empty()) error.hint = next_step(error.code, command);
  return error;
}

ErrorReport report_of(const Error& error, const std::optional<PaymentHash>& hash) {
  return ErrorReport{std::string(code_name(error.code)), exit_code_of(error.code), error.message, error.hint,
                     hash ? hash : error.payment_hash};
}

Output::Output(OutputSetup setup) : setup_(std::move(setup)) {
  stdout_tty_ = ::isatty(STDOUT_FILENO) == 1;
  can_ask_ = !setup_.no_input && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  stdout_color_ = !setup_.json && stdout_colored(setup_.color);
}

void Output::result(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= flush_at) flush();
}

void Output::line(std::string_view text) {
  pending_ += text;
  result("\n");
}

void Output::flush() {
  if (pending_.empty()) return;
  if (stdout_tty_) clear_live();
  const bool written = write_all(STDOUT_FILENO, pending_);
  const int why = errno;
  pending_.clear();  // also after an error: the same is not written again
  if (written) return;
  const std::string message = fmt::format("cannot write to stdout: {}", std::strerror(why));
  if (why == EPIPE) throw ReaderLeft(message);
  throw OutputError(message);
}

// A closed or full stderr is not an error: nobody could be told.
void Output::say(std::string_view line) {
  clear_live();
  (void)write_all(STDERR_FILENO, fmt::format("{}\n", line));
}

// With spaces and not with an escape sequence, which a dumb terminal would print.
void Output::clear_live() {
  if (live_columns_ == 0) return;
  (void)write_all(STDERR_FILENO, fmt::format("\r{:{}}\r", "", live_columns_));
  live_columns_ = 0;
}

void Output::show_live(const std::string& line) {
  // One column less: in the last one some terminals go to the next line.
  const std::string shown = printable_cut(line, terminal_columns(STDERR_FILENO) - 1);
  const std::size_t columns = columns_of(shown);
  const std::size_t rest = live_columns_ > columns ? live_columns_ - columns : 0;
  live_columns_ = columns;
  (void)write_all(STDERR_FILENO, fmt::format("\r{}{:{}}", shown, "", rest));
}

void Output::note(std::string_view message, bool important) {
  if (important || (!setup_.quiet && !setup_.json)) say(printable(without_invoices(message)));
}

void Output::warn(std::string_view message, const std::optional<PaymentHash>& hash) {
  if (!setup_.json) {
    return say(fmt::format("warning: {}{}", printable(without_invoices(message)),
                           hash ? fmt::format(" ({})", hash->hex()) : ""));
  }
  Json body;
  body["message"] = without_invoices(message);
  body["payment_hash"] = hash ? Json(hash->hex()) : Json();
  const Json document{{"warning", std::move(body)}};
  say(dump(document));
}

void Output::log(std::string_view line) {
  if (setup_.verbosity > 0) say(without_invoices(line));
}

std::string Output::command(std::string_view hint) const {
  constexpr std::string_view name = "paytower ";
  if (hint.substr(0, name.size()) != name) return std::string(hint);
  hint.remove_prefix(name.size());
  const bool place = setup_.no_switch && needs_switch(hint);
  return fmt::format("{}{} {}", setup_.command_prefix, place ? " --switch ADDR" : "", hint);
}

void Output::hint(std::string_view hint, bool important) {
  if (hint.empty()) return;
  flush();  // on a terminal the hint stands behind what it is about
  note(fmt::format("hint: {}", command(hint)), important);
}

Json Output::error_json(const ErrorReport& report) const {
  Json body;
  body["code"] = report.code;
  body["exit_code"] = number(report.exit_code);
  body["message"] = without_invoices(report.message);
  body["hint"] = report.hint.empty() ? Json() : Json(without_invoices(command(report.hint)));
  body["payment_hash"] = report.payment_hash ? Json(report.payment_hash->hex()) : Json();
  return body;
}

void Output::error(const ErrorReport& told) {
  ErrorReport report = told;
  if (!report.payment_hash) report.payment_hash = subject_;
  if (setup_.json) {
    const Json document{{"error", error_json(report)}};
    return say(dump(document));
  }
  say(fmt::format("paytower: {}", printable(without_invoices(report.message))));
  if (!report.hint.empty()) say(fmt::format("hint: {}", printable(without_invoices(command(report.hint)))));
}

std::string Output::look_it_up() const {
  return recorded_ ? fmt::format("paytower show {}", subject_->hex()) : std::string("paytower list");
}

std::string Output::paint(std::string_view text, Tone tone) const {
  if (!stdout_color_) return std::string(text);
  const char* start = tone == Tone::good ? "\x1b[32m" : tone == Tone::bad ? "\x1b[31m" : "\x1b[33m";
  return fmt::format("{}{}\x1b[0m", start, text);
}

std::size_t Output::columns() const { return terminal_columns(STDOUT_FILENO); }

std::size_t terminal_columns(int descriptor) {
  constexpr std::size_t standard = 80;
  constexpr std::size_t least = 20;
  winsize size{};
  if (::isatty(descriptor) != 1 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return standard;
  return std::max<std::size_t>(size.ws_col, least);
}

std::optional<std::string> ask_line(std::string_view question) {
  const SignalGuard signals;
  (void)write_all(STDERR_FILENO, question);
  std::string line;
  char c = 0;
  // Byte by byte: what comes after the line belongs to the next reader of stdin.
  while (true) {
    if (!input_came() || ::read(STDIN_FILENO, &c, 1) <= 0) {
      (void)write_all(STDERR_FILENO, "\n");  // what follows begins a line of its own
      return std::nullopt;
    }
    if (c == '\n') return line;
    if (line.size() < longest_answer) line += c;
  }
}

bool ask_yes(std::string_view question) {
  const auto answer = ask_line(fmt::format("{} [y/N] ", question));
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "Yes" || answer == "YES";
}

bool secure_standard_streams() {
  const bool stdout_open = ::fcntl(STDOUT_FILENO, F_GETFD) != -1;
  // Lowest free number first, so these opens land exactly on what is missing. Reading the fake stdin ends at once,
  // writing to the fake stdout fails.
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) == -1)
      (void)::open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
  return stdout_open;
}

}  // namespace paytower::cli
