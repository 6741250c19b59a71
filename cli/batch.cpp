#include <map>
#include <utility>

#include "cli/commands.h"
#include "cli/input/lines.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "cli/refuse.h"
#include "cli/render.h"
#include "cli/render_text.h"
#include "cli/request.h"
#include "core/limits.h"

namespace paytower::cli {

namespace {

constexpr unsigned bad_lines_at_once = 100;      ///< then the driver looks after what is in flight

/// Exit codes from the worst to the best (CLI.md, send --batch): what one of the payments needs most is what the call says.
unsigned badness(ExitCode code) {
  switch (code) {
    case ExitCode::database: return 9;
    case ExitCode::internal: return 8;
    case ExitCode::outcome_unknown: return 6;
    case ExitCode::switch_unavailable: return 5;
    case ExitCode::busy: return 4;
    case ExitCode::refused: return 3;
    case ExitCode::payment_failed: return 2;
    case ExitCode::usage:
    case ExitCode::not_found:
    case ExitCode::not_confirmed:
    case ExitCode::quarantined: return 1;
    case ExitCode::ok: return 0;
  }
  return 7;  // interrupted
}

/// How one line ended.
struct LineResult {
  std::uint64_t line = 0;
  ExitCode exit_code = ExitCode::ok;
  std::optional<ErrorReport> error{};
  const Payment* payment = nullptr;
};

ErrorReport error_of(const DriveResult& result, Errc standard) {
  return report_of(result.error.value_or(Error{standard, std::string(code_name(standard))}), result.hash);
}

LineResult line_result(const DriveResult& result) {
  LineResult line;
  line.line = result.tag;
  line.payment = result.payment ? &*result.payment : nullptr;
  const bool open = line.payment != nullptr && (result.end == DriveEnd::open || result.end == DriveEnd::other_switch ||
                                                (result.end == DriveEnd::unavailable && result.handed_over));
  if (open) {
    line.exit_code = ExitCode::outcome_unknown;
    if (result.error) line.error = report_of(*result.error, result.hash);
  } else if ((result.end == DriveEnd::ended || result.end == DriveEnd::not_driven) && line.payment != nullptr) {
    line.exit_code = exit_code_of(*line.payment);
  } else {
    line.error = error_of(result, result.end == DriveEnd::unavailable ? Errc::switch_unavailable : Errc::internal);
    line.exit_code = line.error->exit_code;
  }
  return line;
}

/// Reads lines while the driver has room, and writes a result line for each, in the order of their ends. Keeps only the lines
/// that are driven now.
class BatchFeed final : public DriveFeed {
 public:
  BatchFeed(const BatchOptions& options, Session& session, LineReader lines, SwitchKey key)
      : options_(options), session_(session), lines_(std::move(lines)), key_(std::move(key)), progress_(session.output, session.clock, "payments"),
        total_(progress_.active() ? count_lines(options.path) : 0) {}

  std::optional<Submission> next() override {
    flush();
    for (unsigned tried = 0; tried < bad_lines_at_once && !reader_left_; ++tried) {
      const auto line = lines_.next();
      if (!line) return std::nullopt;
      last_line_ = line->number;
      auto wanted = read(*line);
      if (wanted) return wanted;
    }
    return std::nullopt;
  }

  bool over() const override { return reader_left_ || lines_.over(); }

  void ended(DriveResult result) override {
    driven_.erase(result.tag);
    if (result.payment && result.end == DriveEnd::ended) {
      if (const auto foreign = foreign_settlement(*result.payment)) session_.output.warn(*foreign, result.hash);
    }
    write(line_result(result));
  }

  /// What was being driven when the driver could not go on.
  void give_up(const Error& why) {
    for (const auto& [line, hash] : std::exchange(driven_, {})) {
      const ErrorReport report = report_of(why, hash);
      write(LineResult{line, report.exit_code, report});
    }
  }

  [[nodiscard]] ExitCode finish() {
    progress_.end();
    if (reader_left_) throw OutputError("cannot write to stdout; `paytower list` shows what was paid");
    session_.output.flush();
    if (!lines_.over()) {
      count(session_.clock.stop_signal() != 0 ? interrupted_by(session_.clock.stop_signal()) : ExitCode::switch_unavailable);
      session_.output.note("stopped behind line " + std::to_string(last_line_) + "; the rest was not begun. The same call with --idempotent goes on", true);
    }
    session_.output.note(summary());
    return worst_;
  }

 private:
  std::optional<Submission> read(const InputLine& line) {
    auto request = request_of(line);
    if (!request) {
      const ErrorReport report = report_of(request.error());
      write(LineResult{line.number, report.exit_code, report});
      return std::nullopt;
    }
    driven_[line.number] = request->request.hash;
    request->tag = line.number;
    return std::move(*request);
  }

  Result<Submission> request_of(const InputLine& line) {
    if (line.too_long) return Error{Errc::usage, "the line is longer than " + std::to_string(limits::max_batch_line_bytes) + " bytes"};
    const auto options = options_.read_line(line.text);
    if (!options) return options.error();
    auto request = make_request(*options, session_.clock.wall());
    if (!request) return request.error();
    if (const auto fits = check_switch(*request, key_); !fits) return fits.error();
    if (options->routes) {
      const auto text = read_input(*options->routes, limits::max_input_file_bytes);
      if (!text) return text.error();
      auto routes = read_routes(*text, *request, key_);
      if (!routes) return routes.error();
      request->candidates = std::move(*routes);
    }
    return Submission{std::move(*request), options->idempotent};
  }

  void count(ExitCode code) {
    if (badness(code) > badness(worst_)) worst_ = code;
  }

  void write(const LineResult& result) {
    count(result.exit_code);
    ++results_;
    if (result.exit_code == ExitCode::ok) ++paid_;
    Json json;
    json["line"] = result.line;
    json["exit_code"] = number(result.exit_code);
    json["error"] = result.error ? session_.output.error_json(*result.error) : Json();
    json["payment"] = result.payment != nullptr ? payment_json(*result.payment) : Json();
    if (reader_left_) return;
    try {
      session_.output.result(dump(json) + "\n");
    } catch (const OutputError&) {
      reader_left_ = true;  // what is in flight is still collected, and nothing new begun
    }
    progress_.update(results_, total_);
  }

  void flush() {
    if (reader_left_) return;
    try {
      session_.output.flush();
    } catch (const OutputError&) {
      reader_left_ = true;
    }
  }

  [[nodiscard]] std::string summary() const {
    return std::to_string(results_) + (results_ == 1 ? " line: " : " lines: ") + std::to_string(paid_) + " paid, " +
           std::to_string(results_ - paid_) + " not";
  }

  const BatchOptions& options_;
  Session& session_;
  LineReader lines_;
  SwitchKey key_;
  Progress progress_;
  std::uint64_t total_;
  std::map<std::uint64_t, PaymentHash> driven_;
  std::uint64_t last_line_ = 0;
  std::uint64_t results_ = 0;
  std::uint64_t paid_ = 0;
  ExitCode worst_ = ExitCode::ok;
  bool reader_left_ = false;
};

}  // namespace

ExitCode run(const BatchOptions& options, Session& session) {
  if (!options.yes) refuse(Errc::not_confirmed, "a batch is paid without asking: add --yes; nothing was sent");
  LineReader lines = value_of(LineReader::open(options.path));
  const auto handle = open_switch(session);
  const MonoNs start = session.clock.mono();
  const IdentityAnswer identity = identify(session, handle->node(), question_patience(options.wait_ns));
  const auto database = create_database(session);
  const SignalGuard signals;
  ConsoleObserver observer(session.output, false);
  DriverOptions how;
  how.wait_ns = remaining_wait(options.wait_ns, session.clock.mono().value - start.value);
  how.max_parallel = options.parallel;
  how.lock_timeout_ns = session.global.lock_timeout_ns.value_or(0);
  BatchFeed feed(options, session, std::move(lines), identity.key);
  Driver driver(driver_ports(session, *database, handle->node(), observer), how);
  try {
    driver.run(feed);
  } catch (const SwitchError& error) {
    feed.give_up(Error{Errc::other_switch, std::string(error.what()) + "; the outcome is open", "paytower resume"});
  } catch (const StoreError& error) {
    feed.give_up(Error{Errc::database, error.what(), "paytower check"});
    (void)feed.finish();
    throw;
  } catch (const RefusalError& error) {
    feed.give_up(error.error());
    (void)feed.finish();
    throw;
  }
  const ExitCode code = feed.finish();
  database->store.checkpoint_if_due();
  return code;
}

}  // namespace paytower::cli
