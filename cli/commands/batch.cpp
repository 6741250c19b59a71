// `send --batch`: reads the lines, pays them side by side, and sums up.
#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/batch_forecast.h"
#include "cli/commands/commands.h"
#include "cli/commands/outcome.h"
#include "cli/commands/request.h"
#include "cli/commands/send_options.h"
#include "cli/input/lines.h"
#include "cli/output/live_text.h"
#include "cli/output/progress.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"
#include "core/driver/admission.h"
#include "core/driver/attempt_id.h"

namespace paytower::cli {

namespace {

constexpr unsigned bad_lines_at_once = 100;  ///< then the driver looks after what is in flight

/// How one line ended.
struct LineResult {
  std::uint64_t line = 0;
  ExitCode exit_code = ExitCode::ok;
  std::optional<ErrorReport> error{};
  const Payment* payment = nullptr;
  bool joined = false;
  bool paid_before = false;
  bool twice = false;  ///< an earlier line of this call is at work on its hash

  [[nodiscard]] bool refused_as(Errc code) const { return error && error->code == code_name(code); }
};

/// The lines by their ends, each in one place.
struct Counts {
  std::uint64_t paid_now = 0;
  std::uint64_t paid_before = 0;
  std::uint64_t failed = 0;
  std::uint64_t in_flight = 0;  ///< or cannot be told, or refused for this
  std::uint64_t refused = 0;
  std::uint64_t not_begun = 0;

  void add(const LineResult& line) {
    switch (line.exit_code) {
      case ExitCode::ok: ++(line.paid_before ? paid_before : paid_now); return;
      case ExitCode::payment_failed: ++failed; return;
      case ExitCode::switch_unavailable: ++not_begun; return;
      case ExitCode::refused:
        if (line.refused_as(Errc::already_paid)) {
          ++paid_before;
        } else {
          ++(line.refused_as(Errc::in_flight) && !line.twice ? in_flight : refused);
        }
        return;
      case ExitCode::usage:
      case ExitCode::busy:
      case ExitCode::not_found:
      case ExitCode::not_confirmed:
      case ExitCode::quarantined: ++refused; return;
      case ExitCode::outcome_unknown:
      case ExitCode::internal:
      case ExitCode::database: break;
    }
    ++in_flight;
  }

  [[nodiscard]] std::string text() const {
    std::string words;
    const auto say = [&words](std::uint64_t count, const char* what) {
      if (count > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, what);
    };
    say(paid_now, "paid now");
    say(paid_before, "paid before");
    say(failed, "failed");
    say(in_flight, "in flight");
    say(refused, "refused");
    say(not_begun, "not begun");
    return words.empty() ? "nothing to pay" : words;
  }
};

LineResult line_result(const Session& session, const DriveResult& result) {
  const auto error_of = [&](Errc standard) {
    const Error error = result.error.value_or(Error{standard, std::string(code_name(standard))});
    return report_of(with_node_hint(session, with_next_step(error, "send"), result.hash), result.hash);
  };
  LineResult line;
  line.line = result.tag;
  line.payment = result.payment ? &*result.payment : nullptr;
  line.joined = result.joined;
  line.paid_before = result.paid_before;
  const bool open = line.payment != nullptr && (result.end == DriveEnd::open || result.end == DriveEnd::other_switch);
  if (open) {
    line.exit_code = ExitCode::outcome_unknown;
    if (result.error) line.error = report_of(*result.error, result.hash);
  } else if ((result.end == DriveEnd::ended || result.end == DriveEnd::not_driven) && line.payment != nullptr) {
    line.exit_code = exit_code_of(*line.payment);
  } else {
    line.error = error_of(result.end == DriveEnd::unavailable ? Errc::switch_unavailable : Errc::internal);
    line.exit_code = line.error->exit_code;
  }
  return line;
}

/// Reads lines while the driver has room, and writes a result line for each, in the order of their ends. Keeps only the
/// lines that are driven now.
class BatchFeed final : public DriveFeed {
 public:
  /// `reached`: who the switch is, or why it cannot be reached.
  BatchFeed(const BatchOptions& options, Session& session, LineReader lines, Result<IdentityAnswer> reached)
      : options_(options), session_(session), lines_(std::move(lines)), reached_(std::move(reached)),
        live_(session.output, session.clock), total_(live_.active() ? count_lines(options.path) : 0) {}

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
    if (on_end_ != nullptr && result.payment) on_end_->left(*result.payment);
    driven_.erase(result.tag);
    if (result.payment && result.end == DriveEnd::ended) {
      if (const auto foreign = foreign_settlement(*result.payment)) session_.output.warn(*foreign, result.hash);
    }
    const DriveResult told = open_if_recorded(std::move(result));
    LineResult line = line_result(session_, told);
    line.twice = line.refused_as(Errc::in_flight) &&
                 std::any_of(driven_.begin(), driven_.end(), [&](const auto& one) { return one.second == told.hash; });
    write(line);
  }

  /// From now on lines whose earlier tries the operator has closed are warned of, and sums are kept to.
  void know(Database& database) {
    database_ = &database;
    watched_ = value_of(database.query.any_watched());
  }

  /// Each line gets the database's answer, or that the switch is away. `database` is null when there is none yet.
  void answer_without_switch(Database* database) {
    while (!over() && session_.clock.stop_signal() == 0) {
      auto wanted = next();
      if (wanted) {
        ended(by_store(database, *std::move(wanted)));
      } else if (!over()) {
        session_.clock.sleep_until(MonoNs{session_.clock.mono().value + line_pause_ns});
      }
    }
  }

  /// The switch broke altogether: what was being driven is told as it is stored.
  void tell_as_stored(PaymentStore& store, const std::string& why) {
    for (const auto& [line, hash] : std::map(driven_)) {
      DriveResult result = as_stored(store, hash, why);
      result.tag = line;
      ended(std::move(result));
    }
  }

  /// What was being driven when the driver could not go on.
  void give_up(const Error& why) {
    for (const auto& [line, hash] : std::exchange(driven_, {})) {
      const ErrorReport report = report_of(why, hash);
      write(LineResult{line, report.exit_code, report});
    }
  }

  void tell_ends_to(OnEnd& on_end) { on_end_ = &on_end; }

  /// The line that says how the batch stands is drawn while the driver waits.
  void show_on(ConsoleObserver& observer) {
    observer.watch_on(live_, [this](std::span<const Payment* const> now, std::size_t columns) {
      return standing_text(count_in_flight(now), columns);
    });
  }

  [[nodiscard]] ExitCode finish() {
    live_.end();
    if (reader_left_) throw OutputError("cannot write to stdout; `paytower list` shows what was paid");
    session_.output.flush();
    const std::uint64_t lines = lines_.over() ? 0 : count_lines(options_.path);
    counts_.not_begun += lines - std::min(lines, results_);
    const int signal = session_.clock.stop_signal();
    const bool open = badness(worst_) >= badness(ExitCode::outcome_unknown);  // the end of a line of this call
    if (signal != 0 && (open || counts_.not_begun > 0 || !lines_.over())) return interrupted(signal);
    if (!lines_.over()) {
      count(ExitCode::switch_unavailable);
      session_.output.note(
          fmt::format("stopped {}: the time of --wait is over. The same call with --idempotent goes on", place()),
          true);
    }
    session_.output.note(fmt::format("{}: {}", counted(results_, "line"), counts_.text()));
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
    auto submission = read_batch_line(options_, session_, line, reached_);
    if (!submission) return submission.error();
    if (!submission->objection && database_ != nullptr) {
      submission->objection = over_totals(*submission);
      if (watched_) warn_of_overpayment(session_, *database_, submission->request);
    }
    return submission;
  }

  /// The file may have changed since its lines were added up.
  std::optional<Error> over_totals(const Submission& wanted) {
    if (!options_.max_total && !options_.max_fee_total) return std::nullopt;
    const auto state = database_->store.find(wanted.request.hash);
    if (!state) return state.error();
    const Judgement known = judge_request(admission_of(wanted), *state);
    if (known.result || known.join) return std::nullopt;
    return totals_.add(options_, wanted.request);
  }

  std::string standing_text(std::uint64_t open, std::size_t columns) {
    RunCounts shown;
    shown.paid = counts_.paid_now + counts_.paid_before;
    shown.failed = counts_.failed;
    shown.refused = counts_.refused;
    shown.in_flight = counts_.in_flight + open;
    if (total_ > 0) {
      shown.awaited = total_ - std::min(total_, results_);
      shown.left = shown.awaited - std::min(shown.awaited, open);
    }
    pace_.saw(session_.clock.mono(), results_);
    return counts_text(shown, pace_, columns);
  }

  static DriveResult by_store(Database* database, Submission wanted) {
    const std::uint64_t tag = wanted.tag;
    const Admission next = admission_of(std::move(wanted));
    const auto state = database != nullptr ? database->store.find(next.hash) : HashState{};
    DriveResult result = state ? known_or_away(next, *state) : unreadable_result(next, state.error());
    result.tag = tag;
    return result;
  }

  static DriveResult known_or_away(const Admission& next, const HashState& state) {
    const Judgement known = judge_request(next, state);
    DriveResult result = known.result.value_or(refused_result(next, *next.objection));
    if (known.join) result.payment = state.payment;
    const bool open = known.join || (known.result && known.result->end == DriveEnd::refused && known.result->payment);
    if (!open) return result;
    result.end = DriveEnd::open;
    result.error.reset();
    return result;
  }

  [[nodiscard]] std::string place() const {
    return last_line_ == 0 ? "at the start" : fmt::format("behind line {}", last_line_);
  }

  ExitCode interrupted(int signal) {
    count(interrupted_by(signal));
    ErrorReport report;
    report.code = "interrupted";
    report.exit_code = worst_;
    report.message = fmt::format("interrupted {}: {}", place(), counts_.text());
    if (counts_.not_begun > 0 || !lines_.over())
      report.message += "; the same call with --idempotent sends the rest, and pays nothing twice";
    report.hint = counts_.not_begun > 0 || counts_.in_flight == 0 ? options_.again : "paytower resume";
    session_.output.error(report);
    return worst_;
  }

  void count(ExitCode code) {
    if (badness(code) > badness(worst_)) worst_ = code;
  }

  void write(const LineResult& result) {
    count(result.exit_code);
    ++results_;
    counts_.add(result);
    if (reader_left_) return;
    std::string json;
    JsonWriter out(json);
    out.begin_object();
    out.key("line").number(result.line);
    out.key("exit_code").number(result.exit_code);
    out.key("error");
    result.error ? out.json(dump(session_.output.error_json(*result.error))) : out.null();
    out.key("payment");
    result.payment != nullptr ? write_payment(out, PaymentView{result.payment}) : out.null();
    out.key("joined").boolean(result.joined);
    out.key("paid_before").boolean(result.paid_before);
    out.end_object();
    try {
      session_.output.line(json);
    } catch (const OutputError&) {
      reader_left_ = true;  // what is in flight is still collected, and nothing new begun
    }
  }

  void flush() {
    if (reader_left_) return;
    try {
      session_.output.flush();
    } catch (const OutputError&) {
      reader_left_ = true;
    }
  }

  const BatchOptions& options_;
  Session& session_;
  LineReader lines_;
  Result<IdentityAnswer> reached_;
  LiveLine live_;
  std::uint64_t total_;  ///< 0 where nobody sees the line, or the lines come one by one
  Pace pace_;
  std::map<std::uint64_t, PaymentHash> driven_;
  std::uint64_t last_line_ = 0;
  std::uint64_t results_ = 0;
  Counts counts_;
  ExitCode worst_ = ExitCode::ok;
  bool reader_left_ = false;
  OnEnd* on_end_ = nullptr;
  Database* database_ = nullptr;  ///< nothing while there is none
  bool watched_ = false;          ///< there may be something to warn of
  BatchTotals totals_;
};

/// The switch, or why it cannot be reached: then the lines get the answers that the database has.
struct Reached {
  std::unique_ptr<SwitchHandle> handle{};
  Result<IdentityAnswer> who = Error{};
};

Reached reach(Session& session, std::int64_t patience_ns) {
  Reached reached;
  auto handle = open_switch(session);
  if (handle) {
    reached.handle = *std::move(handle);
    reached.who = identify(session, reached.handle->node(), patience_ns);
  } else {
    Error why = handle.error();
    if (!is_out_of_reach(session, why)) refuse(std::move(why));
    if (why.code == Errc::switch_unavailable) why.message += "; nothing was sent";
    reached.who = std::move(why);
  }
  return reached;
}

DriverOptions driver_options(const BatchOptions& options, const Session& session) {
  DriverOptions how;
  how.max_parallel = options.parallel;
  how.lock_timeout_ns = session.global.lock_timeout_ns.value_or(0);
  how.clock_from = release_date;
  how.use_memory = !options.no_memory;
  return how;
}

}  // namespace

ExitCode run_batch(const BatchOptions& options, Session& session) {
  refuse_unasked(options, session);
  LineReader lines = value_of(LineReader::open(options.path));
  MonoNs start = session.clock.mono();
  auto database = options.dry_run ? open_if_there(session) : open_to_write_if_there(session, options.wait_ns);
  Reached reached = reach(session, question_patience(options.wait_ns));
  if (options.dry_run) {
    const SignalGuard signals;
    return rehearse_batch(options, session, std::move(lines), database.get(),
                          reached.who ? &reached.handle->node() : nullptr, reached.who);
  }
  confirm_batch(options, session, database.get(), reached.who);
  if (!options.yes) {
    start = session.clock.mono();  // the answer may have taken a while
    if (database) database->bound_waits(options.wait_ns);
  }
  const SignalGuard signals;
  BatchFeed feed(options, session, std::move(lines), reached.who);
  if (!reached.who) {
    feed.answer_without_switch(database.get());
    return feed.finish();
  }
  if (!database)
    database = create_database(session, remaining_wait(options.wait_ns, session.clock.mono().value - start.value));
  feed.know(*database);
  database->store.set_limits(options.allowed);
  ConsoleObserver observer(session.output, false);
  feed.show_on(observer);
  OnEnd on_end(session.output, session.clock, options.on_end);
  observer.tell_ends_to(on_end);
  feed.tell_ends_to(on_end);
  tell_spooled(on_end, *database);
  DriverOptions how = driver_options(options, session);
  how.wait_ns = remaining_wait(options.wait_ns, session.clock.mono().value - start.value);
  Driver driver(driver_ports(session, *database, reached.handle->node(), observer), how);
  std::optional<Error> alarm;
  try {
    alarm = driver.run(feed);
  } catch (const SwitchError& error) {
    feed.tell_as_stored(database->store, error.what());
  } catch (const StoreError& error) {
    feed.give_up(Error{Errc::database, error.what(), "paytower check"});
    (void)feed.finish();
    throw;
  }
  if (alarm) {
    feed.give_up(*alarm);
    (void)feed.finish();
    refuse(*alarm);
  }
  const ExitCode code = feed.finish();
  database->store.checkpoint_if_due();
  on_end.finish();
  return code;
}

}  // namespace paytower::cli
