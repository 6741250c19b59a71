// What a batch would come to: its sums before the question, and the dry run line by line.
#include "cli/commands/batch_forecast.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/dry_run.h"
#include "cli/commands/request.h"
#include "cli/output/failure_text.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/limits.h"
#include "core/base/refuse.h"
#include "core/driver/attempt_id.h"
#include "core/driver/dry_run.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t longest_rehearsal_ns = 30 * ns_per_second;  ///< of one line

Msat plus_at_most(Msat sum, Msat more) { return checked_add(sum, more).value_or(Msat::of(Msat::max_value)); }

/// Calls `each` for every line of a file or a pipe, until the end or a stop signal.
template <typename Each> void for_each_line(Session& session, LineReader& lines, const Each& each) {
  while (!lines.over() && session.clock.stop_signal() == 0) {
    if (const auto line = lines.next()) {
      each(*line);
    } else if (!lines.over()) {
      session.clock.sleep_until(MonoNs{session.clock.mono().value + line_pause_ns});
    }
  }
}

BatchSums sums_of(const BatchOptions& options, Session& session, Database* database,
                  const Result<IdentityAnswer>& reached) {
  LineReader lines = value_of(LineReader::open(options.path));
  Forecaster forecaster(options, session, database, reached);
  for_each_line(session, lines, [&](const InputLine& line) { (void)forecaster.judge(line); });
  if (session.clock.stop_signal() != 0) refuse(Errc::not_confirmed, "interrupted; nothing was sent");
  return forecaster.sums();
}

/// What each line comes to, and what would become of it. A dry run has told that already.
std::string lines_command(const BatchOptions& options) {
  return options.dry_run ? "paytower send --help" : options.rehearsal;
}

Error over_total(const BatchOptions& options, const char* what, Msat sum, const char* flag, Msat most) {
  return Error{
      Errc::policy,
      fmt::format("{} come to {}, --{} allows {}; nothing was sent", what, sat_text(sum), flag, sat_text(most)),
      lines_command(options)};
}

std::optional<Error> over_totals(const BatchOptions& options, Msat amount, Msat fee_limits) {
  if (options.max_total && amount > *options.max_total)
    return over_total(options, "the lines", amount, "max-total", *options.max_total);
  if (options.max_fee_total && fee_limits > *options.max_fee_total)
    return over_total(options, "the fee limits of the lines", fee_limits, "max-fee-total", *options.max_fee_total);
  return std::nullopt;
}

std::optional<Error> objection_of_switch(PaymentRequest& request, const std::optional<std::string>& routes_file,
                                         const Result<IdentityAnswer>& reached) {
  if (!reached) return reached.error();
  if (auto why = unfit(request, *reached)) return why;
  if (!routes_file) return std::nullopt;
  const auto text = read_input(*routes_file, limits::max_input_file_bytes);
  if (!text) return text.error();
  auto routes = read_routes(*text, request, reached->key);
  if (!routes) return routes.error();
  request.candidates = std::move(*routes);
  return std::nullopt;
}

/// One line on its way to the moment at which its first attempt would be recorded.
struct Rehearsed {
  ExitCode code = ExitCode::ok;
  std::optional<Error> error{};
  std::vector<Route> planned{};
  std::string why_not{};  ///< it would fail
};

Rehearsed rehearse(Session& session, const BatchOptions& options, Database* database, Switch& node,
                   ConsoleObserver& observer, Submission wanted) {
  DriverOptions how;
  how.wait_ns = longest_rehearsal_ns;
  how.clock_from = release_date;
  how.use_memory = !options.no_memory;
  const PaymentHash hash = wanted.request.hash;
  DryRun dry(node, database != nullptr ? &database->store : nullptr, session.clock, session.randomness, observer);
  const DriverPorts ports = dry.ports();
  Driver driver(ports, how);
  driver.submit(std::move(wanted));
  auto results = drive(driver, ports.store, {hash});
  if (results.empty()) throw std::logic_error("the driver told nothing about the payment");
  const DriveResult result = open_if_recorded(std::move(results.front()));
  Rehearsed rehearsed;
  rehearsed.planned = dry.planned();
  if (is_refusal(result, rehearsed.planned)) {
    rehearsed.error = result.error.value_or(Error{Errc::internal, "the driver told nothing"});
    rehearsed.code = exit_code_of(rehearsed.error->code);
  } else if (rehearsed.planned.empty()) {
    rehearsed.code = exit_code_of(*result.payment);
    if (result.payment->fail_reason) rehearsed.why_not = why_not_paid(*result.payment);
  }
  return rehearsed;
}

std::uint64_t BatchSums::*refused_as(Errc why) {
  if (why == Errc::already_paid) return &BatchSums::paid_before;
  if (why == Errc::in_flight) return &BatchSums::in_flight;
  return why == Errc::invoice_expired ? &BatchSums::expired : &BatchSums::refused;
}

/// What a line counts as that would not be begun.
std::uint64_t BatchSums::*what_instead(const Rehearsed& end) {
  if (end.error) return refused_as(end.error->code);
  return end.code == ExitCode::ok ? &BatchSums::paid_before : &BatchSums::in_flight;
}

/// How the lines of a dry run are told.
class Rehearsal {
 public:
  Rehearsal(const BatchOptions& options, Session& session, Database* database, Switch* node,
            const Result<IdentityAnswer>& reached)
      : options_(options), session_(session), database_(database), node_(node), observer_(session.output, false),
        forecaster_(options, session, database, reached) {}

  void take(const InputLine& line) {
    LineForecast forecast = forecaster_.judge(line);
    Rehearsed end;
    end.error = forecast.error;
    if (forecast.error) end.code = exit_code_of(forecast.error->code);
    if (forecast.joins) end.code = ExitCode::outcome_unknown;
    if (forecast.would_pay() && node_ != nullptr) {
      end = rehearse(session_, options_, database_, *node_, observer_, *forecast.wanted);
      if (!end.why_not.empty()) ++would_fail_;
      if (end.planned.empty() && end.why_not.empty()) forecaster_.recount(forecast, what_instead(end));
    }
    fees_ = plus_at_most(fees_, fees_of(end.planned));
    if (badness(end.code) > badness(worst_)) worst_ = end.code;
    print(forecast, end);
  }

  ExitCode finish() {
    const BatchSums& sums = forecaster_.sums();
    const auto over = over_totals(options_, sums.amount, sums.fee_limits);
    if (over && badness(exit_code_of(over->code)) > badness(worst_)) worst_ = exit_code_of(over->code);
    Json json;
    json["dry_run"] = true;
    json["exit_code"] = number(worst_);
    json["lines"] = sums.lines;
    json["would_pay"] = sums.would_pay;
    json["would_fail"] = would_fail_;
    json["paid_before"] = sums.paid_before;
    json["in_flight"] = sums.in_flight;
    json["doubled"] = sums.doubled;
    json["expired"] = sums.expired;
    json["refused"] = sums.refused;
    json["value_msat"] = msat_json(sums.amount);
    json["fee_msat"] = msat_json(fees_);
    json["fee_limit_msat"] = msat_json(sums.fee_limits);
    session_.output.result(fmt::format("{}\n", dump(json)));
    session_.output.flush();
    session_.output.note(fmt::format("{}{}. Nothing was sent or stored.", sums.text(),
                                     would_fail_ > 0 ? fmt::format("; {} would fail", grouped(would_fail_)) : ""));
    if (over) session_.output.error(report_of(*over));
    return worst_;
  }

 private:
  void print(const LineForecast& forecast, const Rehearsed& end) {
    const PaymentRequest* request = forecast.wanted ? &forecast.wanted->request : nullptr;
    const auto hash = request != nullptr ? std::optional(request->hash) : std::nullopt;
    Json json;
    json["line"] = forecast.line;
    json["dry_run"] = true;
    json["exit_code"] = number(end.code);
    json["error"] = end.error ? session_.output.error_json(report_of(*end.error, hash)) : Json();
    json["payment_hash"] = hash ? Json(hash->hex()) : Json();
    json["value_msat"] = request != nullptr ? msat_json(request->demand.amount) : Json();
    json["fee_msat"] = end.planned.empty() ? Json() : msat_json(fees_of(end.planned));
    json["fee_limit_msat"] = request != nullptr ? msat_json(request->demand.fee_limit) : Json();
    json["parts"] = end.planned.empty() ? Json() : Json(end.planned.size());
    json["would_fail"] = text_or_null(end.why_not);
    json["paid_before"] = forecast.counts_as == &BatchSums::paid_before;
    json["in_flight"] = forecast.counts_as == &BatchSums::in_flight;
    json["doubled"] = forecast.counts_as == &BatchSums::doubled;
    session_.output.result(fmt::format("{}\n", dump(json)));
  }

  const BatchOptions& options_;
  Session& session_;
  Database* database_;
  Switch* node_;
  ConsoleObserver observer_;
  Forecaster forecaster_;
  ExitCode worst_ = ExitCode::ok;
  std::uint64_t would_fail_ = 0;
  Msat fees_;
};

}  // namespace

std::string BatchSums::text() const {
  std::string text = fmt::format("{} of {} together, fees at most {}", counted(would_pay, "payment"), sat_text(amount),
                                 sat_text(fee_limits));
  auto say = [&text, first = true](std::uint64_t count, const char* what) mutable {
    if (count == 0) return;
    text += fmt::format("{} {} {}", first ? ";" : ",", grouped(count), what);
    first = false;
  };
  say(paid_before, "paid before");
  say(in_flight, "in flight");
  say(doubled, "of a hash that an earlier line pays");
  say(expired, "expired");
  say(refused, "refused");
  return text;
}

void LineForecast::refuse(Error why) {
  counts_as = refused_as(why.code);
  error = std::move(why);
}

Forecaster::Forecaster(const BatchOptions& options, Session& session, Database* database,
                       const Result<IdentityAnswer>& reached)
    : options_(options), session_(session), database_(database), reached_(reached),
      spent_(database != nullptr && options.allowed.max_day
                 ? value_of(database->store.spent_in_day(session.clock.wall()))
                 : Msat{}) {}

Result<Submission> read_batch_line(const BatchOptions& options, Session& session, const InputLine& line,
                                   const Result<IdentityAnswer>& reached) {
  if (line.too_long)
    return Error{Errc::usage, fmt::format("the line is longer than {} bytes", limits::max_batch_line_bytes)};
  const auto said = options.read_line(line.text);
  if (!said) return said.error();
  auto wanted = read_wanted(*said, session.clock.wall());
  if (!wanted) return wanted.error();
  Submission submission{std::move(wanted->request), said->idempotent};
  submission.tag = line.number;
  submission.objection = std::move(wanted->objection);
  if (!submission.objection) submission.objection = objection_of_switch(submission.request, said->routes, reached);
  if (!submission.objection) submission.objection = over_limit(options.allowed, submission.request);
  return submission;
}

std::optional<Error> BatchTotals::add(const BatchOptions& options, const PaymentRequest& request) {
  const Msat amount = plus_at_most(amount_, request.demand.amount);
  const Msat fee_limits = plus_at_most(fee_limits_, request.demand.fee_limit);
  if (auto over = over_totals(options, amount, fee_limits)) return over;
  amount_ = amount;
  fee_limits_ = fee_limits;
  return std::nullopt;
}

void refuse_unasked(const BatchOptions& options, const Session& session) {
  if (options.dry_run) return;
  std::error_code trouble;
  const bool read_once = !std::filesystem::is_regular_file(options.path, trouble);
  if (read_once && (options.max_total || options.max_fee_total))
    refuse(Errc::usage,
           "--max-total and --max-fee-total add the lines up first: name a file, no pipe; nothing was sent");
  if (options.yes) return;
  if (read_once || !session.output.can_ask())
    refuse(Errc::not_confirmed, "paying a batch needs a yes, and nobody can be asked: add --yes; nothing was sent");
}

LineForecast Forecaster::judge(const InputLine& line) {
  LineForecast forecast;
  forecast.line = line.number;
  auto wanted = read_batch_line(options_, session_, line, reached_);
  if (!wanted) {
    forecast.refuse(wanted.error());
  } else {
    forecast.wanted = *std::move(wanted);
    judge_by_store(forecast);
    const PaymentHash& hash = forecast.wanted->request.hash;
    if ((forecast.would_pay() || forecast.joins) && begun_.count(hash) != 0) {
      if (!forecast.wanted->idempotent) forecast.error = twice_result(admission_of(*forecast.wanted)).error;
      forecast.counts_as = &BatchSums::doubled;
    } else if (forecast.would_pay()) {
      if (auto why = objection(*forecast.wanted)) forecast.refuse(*std::move(why));
    }
    // A line that is refused is in nobody's way.
    if (forecast.would_pay() || forecast.joins) begun_.insert(hash);
  }
  count(forecast);
  return forecast;
}

void Forecaster::judge_by_store(LineForecast& line) const {
  if (database_ == nullptr) return;
  const auto state = database_->store.find(line.wanted->request.hash);
  if (!state) return line.refuse(state.error());
  const Judgement known = judge_request(admission_of(*line.wanted), *state);
  line.joins = known.join;
  if (known.join) line.counts_as = &BatchSums::in_flight;
  if (!known.result) return;
  if (known.result->error) return line.refuse(*known.result->error);
  line.counts_as = &BatchSums::paid_before;
}

std::optional<Error> Forecaster::objection(const Submission& wanted) const {
  if (wanted.objection) return wanted.objection;
  return over_day(options_.allowed, wanted.request, spent_);
}

void Forecaster::recount(LineForecast& line, std::uint64_t BatchSums::*as) {
  const RouteDemand& demand = line.wanted->request.demand;
  line.counts_as = as;
  --sums_.would_pay;
  ++(sums_.*as);
  begun_.erase(line.wanted->request.hash);
  spent_ = checked_sub(spent_, demand.amount).value_or(Msat{});
  sums_.amount = checked_sub(sums_.amount, demand.amount).value_or(Msat{});
  sums_.fee_limits = checked_sub(sums_.fee_limits, demand.fee_limit).value_or(Msat{});
}

void Forecaster::count(const LineForecast& line) {
  ++sums_.lines;
  ++(sums_.*line.counts_as);
  if (!line.would_pay()) return;
  const RouteDemand& demand = line.wanted->request.demand;
  spent_ = plus_at_most(spent_, demand.amount);
  sums_.amount = plus_at_most(sums_.amount, demand.amount);
  sums_.fee_limits = plus_at_most(sums_.fee_limits, demand.fee_limit);
}

void confirm_batch(const BatchOptions& options, Session& session, Database* database,
                   const Result<IdentityAnswer>& reached) {
  if (options.yes && !options.max_total && !options.max_fee_total) return;
  const BatchSums sums = sums_of(options, session, database, reached);
  if (auto over = over_totals(options, sums.amount, sums.fee_limits)) refuse(*std::move(over));
  if (options.yes || sums.would_pay == 0) return;
  if (!ask_yes(fmt::format("Pay {}?", sums.text())))
    refuse(Errc::not_confirmed, "not confirmed; nothing was sent", lines_command(options));
}

ExitCode rehearse_batch(const BatchOptions& options, Session& session, LineReader lines, Database* database,
                        Switch* node, const Result<IdentityAnswer>& reached) {
  Rehearsal rehearsal(options, session, database, node, reached);
  for_each_line(session, lines, [&](const InputLine& line) { rehearsal.take(line); });
  if (const int signal = session.clock.stop_signal(); signal != 0) {
    session.output.error(ErrorReport{"interrupted", interrupted_by(signal), "interrupted; nothing was sent", {}});
    return interrupted_by(signal);
  }
  return rehearsal.finish();
}

}  // namespace paytower::cli
